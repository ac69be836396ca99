/* Which edges an operator has taken out of use (`meridian drain edge`), of which the directory's
 * nearest copy is asked once a second. A copy that cannot be asked changes nothing. */
#pragma once

#include "bus/bus.h"
#include "catalogue/catalogue.h"
#include "wire/drains.h"

struct edge_drained; /* opaque */

/* Borrows both. NULL when memory is short. */
MUST_USE struct edge_drained *edge_drained_new(struct bus *bus, const struct catalogue *catalogue);
void edge_drained_free(struct edge_drained *drained); /* NULL is fine */
/* Often: asks about once a second. */
void edge_drained_tick(struct edge_drained *drained, int64_t now_ms);
/* Borrowed, and always the newest. */
const struct wire_edge_drains *edge_drained_known(const struct edge_drained *drained);
/* The edge is, or this process of it. */
bool edge_drained_has(const struct edge_drained *drained, const struct catalogue_edge *edge,
                      uint32_t number);
