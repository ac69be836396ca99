#include "edge/edge_places.h"

#include <assert.h>

void edge_places_init(struct edge_places *places, const struct catalogue *catalogue)
{
    assert(catalogue->region_count <= CATALOGUE_REGIONS_MAX);
    *places = (struct edge_places){.regions = catalogue->region_count};
    for (size_t i = 0; i < catalogue->region_count; i++) {
        places->first[i] = places->count;
        places->count += catalogue->regions[i].shards;
    }
    places->first[places->regions] = places->count;
}

size_t edge_places_of(const struct edge_places *places, size_t region, uint32_t shard)
{
    assert(region < places->regions);
    size_t place = places->first[region] + shard;
    assert(place < places->first[region + 1]);
    return place;
}

struct edge_place edge_places_at(const struct edge_places *places, size_t place)
{
    assert(place < places->count);
    size_t region = 0;
    while (place >= places->first[region + 1])
        region++;
    return (struct edge_place){.region = region,
                               .shard = (uint32_t)(place - places->first[region])};
}
