#include "regions/regions.h"

#include <stdlib.h>
#include <string.h>

static const struct geo_capacity_limits limits = {.full_permille = REGIONS_FULL_PERMILLE,
                                                  .room_permille = REGIONS_ROOM_PERMILLE};

struct regions {
    const struct catalogue *catalogue;
    int64_t begun_ms;
    struct wire_drains drains;
    struct geo_region_state states[CATALOGUE_REGIONS_MAX];
    uint32_t load_permille[CATALOGUE_REGIONS_MAX];
    size_t first[CATALOGUE_REGIONS_MAX + 1]; /* of each region's edges */
    struct regions_edge edges[];
};

static size_t count_edges(const struct catalogue *catalogue)
{
    size_t count = 0;
    for (size_t i = 0; i < catalogue->region_count; i++)
        count += catalogue->regions[i].edge_count;
    return count;
}

struct regions *regions_new(const struct catalogue *catalogue)
{
    size_t count = count_edges(catalogue);
    struct regions *regions = calloc(1, sizeof *regions + count * sizeof regions->edges[0]);
    if (regions == NULL)
        return NULL;
    regions->catalogue = catalogue;
    for (size_t i = 0; i < catalogue->region_count; i++)
        regions->first[i + 1] = regions->first[i] + catalogue->regions[i].edge_count;
    return regions;
}

void regions_free(struct regions *regions)
{
    free(regions);
}

void regions_begin(struct regions *regions, int64_t now_ms)
{
    regions->begun_ms = now_ms;
    memset(regions->edges, 0,
           regions->first[regions->catalogue->region_count] * sizeof regions->edges[0]);
}

void regions_hear(struct regions *regions, struct text edge, uint32_t connections, int64_t now_ms)
{
    const struct catalogue_region *region;
    const struct catalogue_edge *found = catalogue_edge(regions->catalogue, edge, &region);
    if (found == NULL)
        return;
    size_t at = (size_t)(region - regions->catalogue->regions);
    regions->edges[regions->first[at] + (size_t)(found - region->edges)] =
        (struct regions_edge){.heard = true, .heard_ms = now_ms, .connections = connections};
}

void regions_take_drains(struct regions *regions, const struct wire_drains *drains)
{
    regions->drains = *drains;
}

const struct wire_drain *regions_drain(const struct regions *regions, size_t region)
{
    return wire_drains_find(&regions->drains, text_of(regions->catalogue->regions[region].name));
}

/* What it may hold of its capacity while it comes back. */
static uint64_t capacity_back(uint64_t capacity, const struct wire_drain *drain, int64_t wall_ms)
{
    int64_t over_ms = (int64_t)drain->over_s * 1000;
    int64_t passed_ms = wall_ms - drain->since_ms;
    if (passed_ms >= over_ms)
        return capacity;
    return passed_ms <= 0 ? 0 : (uint64_t)((double)capacity * (double)passed_ms / (double)over_ms);
}

static void sum_up(struct regions *regions, size_t at, int64_t now_ms, int64_t wall_ms)
{
    const struct catalogue_region *region = &regions->catalogue->regions[at];
    const struct wire_drain *drain = regions_drain(regions, at);
    struct geo_region_state *state = &regions->states[at];
    uint64_t connections = 0, heard = 0;
    for (size_t i = regions->first[at]; i < regions->first[at + 1]; i++) {
        struct regions_edge *edge = &regions->edges[i];
        edge->heard = edge->heard && now_ms - edge->heard_ms < REGIONS_SILENT_MS;
        heard += edge->heard;
        connections += edge->heard ? edge->connections : 0;
    }
    bool waited = now_ms - regions->begun_ms >= REGIONS_SILENT_MS;
    state->health = heard > 0 ? GEO_HEALTH_UP : waited ? GEO_HEALTH_DOWN : GEO_HEALTH_UNKNOWN;
    state->drain = drain != NULL && drain->state == WIRE_DRAIN_AWAY;
    uint64_t capacity = region->edge_count == 0 ? 0 : region->capacity * heard / region->edge_count;
    if (drain != NULL && drain->state == WIRE_DRAIN_BACK)
        capacity = capacity_back(capacity, drain, wall_ms);
    if (state->health == GEO_HEALTH_UP)
        state->full = geo_capacity_update(state->full, connections, capacity, &limits);
    else if (state->health == GEO_HEALTH_DOWN)
        state->full = false;
    uint64_t load = capacity == 0 ? 1000 : connections * 1000 / capacity;
    regions->load_permille[at] = load < UINT32_MAX ? (uint32_t)load : UINT32_MAX;
}

bool regions_update(struct regions *regions, int64_t now_ms, int64_t wall_ms)
{
    bool changed = false;
    for (size_t i = 0; i < regions->catalogue->region_count; i++) {
        const struct geo_region_state was = regions->states[i];
        sum_up(regions, i, now_ms, wall_ms);
        const struct geo_region_state *is = &regions->states[i];
        changed =
            changed || was.health != is->health || was.drain != is->drain || was.full != is->full;
    }
    return changed;
}

const struct geo_region_state *regions_states(const struct regions *regions)
{
    return regions->states;
}

const struct regions_edge *regions_edge(const struct regions *regions, size_t region, size_t edge)
{
    return &regions->edges[regions->first[region] + edge];
}

uint32_t regions_load_permille(const struct regions *regions, size_t region)
{
    return regions->load_permille[region];
}

bool regions_are_blind(const struct regions *regions)
{
    for (size_t i = 0; i < regions->catalogue->region_count; i++)
        if (regions->states[i].health == GEO_HEALTH_UP)
            return false;
    return true;
}
