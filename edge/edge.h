/* One edge: everything of it, on one thread. */
#pragma once

#include "base/error_text.h"
#include "catalogue/catalogue.h"
#include "edge/edge_settings.h"

struct edge; /* opaque */
struct edge_siblings;

/* Borrows all. Listens at once, unless one of its siblings is ready already; becomes ready when the
 * bus and the hubs are there. `siblings` is NULL when it is its edge's only process. NULL with the
 * reason. */
MUST_USE struct edge *edge_new(const struct edge_settings *settings,
                               const struct catalogue *catalogue, struct edge_siblings *siblings,
                               struct error_text *reterr_why);
void edge_free(struct edge *edge); /* NULL is fine */
/* Serves until SIGTERM or SIGINT, then says goodbye, sends what is on its way, and returns. SIGHUP
 * reads the keys of tokens and the certificate again. */
void edge_run(struct edge *edge);
