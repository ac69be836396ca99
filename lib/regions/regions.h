/* How the regions are, as far as the beats of their edges and the operator's drains tell: which are
 * there, which drain, which are full. What geo_rank() asks for. Pure: times come in.
 *
 * A region is down when none of its edges was heard for REGIONS_SILENT_MS. What it may hold is
 * its capacity in the catalogue, by as many of its edges' processes as are heard; of one that
 * comes back from a drain, by as much of its time as has passed. */
#pragma once

#include "base/macros.h"
#include "catalogue/catalogue.h"
#include "geo/rank.h"
#include "wire/drains.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    REGIONS_SILENT_MS = 5000,
    REGIONS_FULL_PERMILLE = 900, /* of what it may hold: it is full */
    REGIONS_ROOM_PERMILLE = 800, /* below, it is so no more */
};

struct regions; /* opaque */

struct regions_edge { /* all its processes */
    bool heard;       /* one of them, lately */
    int64_t heard_ms;
    uint32_t connections;
};

/* Borrows the catalogue. NULL when memory is short. */
MUST_USE struct regions *regions_new(const struct catalogue *catalogue);
void regions_free(struct regions *regions); /* NULL is fine */
/* From here on nothing is known, until an edge is heard or was not for long enough. */
void regions_begin(struct regions *regions, int64_t now_ms);
/* A beat of one process of an edge. */
void regions_hear(struct regions *regions, struct text process, uint32_t connections,
                  int64_t now_ms);
void regions_take_drains(struct regions *regions, const struct wire_drains *drains);
/* Sums it up: about once a second. `wall_ms` since 1970. True when a state has changed. */
bool regions_update(struct regions *regions, int64_t now_ms, int64_t wall_ms);

/* As the last update left them, by the catalogue's order. Borrowed. */
const struct geo_region_state *regions_states(const struct regions *regions);
const struct regions_edge *regions_edge(const struct regions *regions, size_t region, size_t edge);
uint32_t regions_load_permille(const struct regions *regions, size_t region);
/* NULL: it is in use. */
const struct wire_drain *regions_drain(const struct regions *regions, size_t region);
/* None is up: what is told of them is a guess. */
bool regions_are_blind(const struct regions *regions);
