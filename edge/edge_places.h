/* Numbers for (home region, shard): 0 to count - 1, in the catalogue's order. */
#pragma once

#include "catalogue/catalogue.h"

#include <stddef.h>
#include <stdint.h>

enum { EDGE_PLACES_MAX = CATALOGUE_REGIONS_MAX * CATALOGUE_SHARDS_MAX };

struct edge_places {
    size_t first[CATALOGUE_REGIONS_MAX + 1]; /* of each region; the last one is count */
    size_t count;
    size_t regions;
};
struct edge_place {
    size_t region;
    uint32_t shard;
};

void edge_places_init(struct edge_places *places, const struct catalogue *catalogue);
/* Region and shard exist: asserted. */
size_t edge_places_of(const struct edge_places *places, size_t region, uint32_t shard);
struct edge_place edge_places_at(const struct edge_places *places, size_t place);
