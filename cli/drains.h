/* The regions and edges that drain, as an operator changes them. Pure. */
#pragma once

#include "base/error_text.h"
#include "catalogue/catalogue.h"
#include "wire/drains.h"

/* Marks `region` as draining. 1: it does now; 0: it did already. -EBUSY with the reason: no other
 * region would be in use, unless `force`. -ENOSPC. */
MUST_USE int cli_drains_begin(struct wire_drains *drains, const struct catalogue *catalogue,
                              const struct catalogue_region *region, int64_t now_ms, bool force,
                              struct error_text *reterr_why);
/* Lets it come back over so many seconds; 0: at once. 1: it does now; 0: it did not drain. */
MUST_USE int cli_drains_end(struct wire_drains *drains, const struct catalogue_region *region,
                            int64_t now_ms, uint32_t over_s);
/* Forgets regions that have come back, and those that the catalogue does not have. */
void cli_drains_tidy(struct wire_drains *drains, const struct catalogue *catalogue, int64_t now_ms);

/* The same of edges: `name` is an edge's, or that of one of its processes. -EBUSY: no other edge
 * would be in use. */
MUST_USE int cli_edge_drains_begin(struct wire_edge_drains *drains,
                                   const struct catalogue *catalogue, struct text name,
                                   int64_t now_ms, bool force, struct error_text *reterr_why);
/* 1: it is in use again; 0: it did not drain. With an edge its processes are, too. */
MUST_USE int cli_edge_drains_end(struct wire_edge_drains *drains, const struct catalogue *catalogue,
                                 struct text name);
void cli_edge_drains_tidy(struct wire_edge_drains *drains, const struct catalogue *catalogue);
/* Which processes a name means: from `ret_first` on among all of the catalogue. Their number; 0: it
 * means none. */
size_t cli_edge_processes(const struct catalogue *catalogue, struct text name, size_t *ret_first);
