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
    size_t first[CATALOGUE_REGIONS_MAX + 1];         /* of each region's edges */
    size_t first_process[CATALOGUE_REGIONS_MAX + 1]; /* of each region's, in the edges' order */
    struct regions_edge *edges;                      /* summed up of their processes */
    struct regions_edge *processes;
};

struct regions *regions_new(const struct catalogue *catalogue)
{
    struct regions *regions = calloc(1, sizeof *regions);
    if (regions == NULL)
        return NULL;
    regions->catalogue = catalogue;
    size_t count = catalogue->region_count;
    for (size_t i = 0; i < count; i++) {
        const struct catalogue_region *region = &catalogue->regions[i];
        regions->first[i + 1] = regions->first[i] + region->edge_count;
        regions->first_process[i + 1] = regions->first_process[i] + catalogue_processes(region);
    }
    regions->edges = calloc(regions->first[count] + 1, sizeof *regions->edges);
    regions->processes = calloc(regions->first_process[count] + 1, sizeof *regions->processes);
    if (regions->edges == NULL || regions->processes == NULL) {
        regions_free(regions);
        return NULL;
    }
    return regions;
}

void regions_free(struct regions *regions)
{
    if (regions == NULL)
        return;
    free(regions->edges);
    free(regions->processes);
    free(regions);
}

void regions_begin(struct regions *regions, int64_t now_ms)
{
    size_t count = regions->catalogue->region_count;
    regions->begun_ms = now_ms;
    memset(regions->edges, 0, regions->first[count] * sizeof *regions->edges);
    memset(regions->processes, 0, regions->first_process[count] * sizeof *regions->processes);
}

void regions_hear(struct regions *regions, struct text process, uint32_t connections,
                  int64_t now_ms)
{
    size_t at;
    if (catalogue_process_index(regions->catalogue, process, &at) == 0)
        regions->processes[at] =
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

/* Adds the processes of an edge up; how many of them are heard. */
static size_t sum_up_edge(struct regions_edge *edge, struct regions_edge *processes, size_t count,
                          int64_t now_ms)
{
    size_t heard = 0;
    *edge = (struct regions_edge){.heard = false};
    for (struct regions_edge *process = processes; process < processes + count; process++) {
        process->heard = process->heard && now_ms - process->heard_ms < REGIONS_SILENT_MS;
        if (!process->heard)
            continue;
        heard++;
        edge->heard = true;
        edge->connections += process->connections;
        if (process->heard_ms > edge->heard_ms)
            edge->heard_ms = process->heard_ms;
    }
    return heard;
}

static void sum_up(struct regions *regions, size_t at, int64_t now_ms, int64_t wall_ms)
{
    const struct catalogue_region *region = &regions->catalogue->regions[at];
    const struct wire_drain *drain = regions_drain(regions, at);
    struct geo_region_state *state = &regions->states[at];
    uint64_t connections = 0, heard = 0;
    struct regions_edge *edges = &regions->edges[regions->first[at]];
    struct regions_edge *processes = &regions->processes[regions->first_process[at]];
    for (size_t i = 0; i < region->edge_count; i++) {
        heard += sum_up_edge(&edges[i], processes, region->edges[i].processes, now_ms);
        processes += region->edges[i].processes;
        connections += edges[i].connections;
    }
    bool waited = now_ms - regions->begun_ms >= REGIONS_SILENT_MS;
    state->health = heard > 0 ? GEO_HEALTH_UP : waited ? GEO_HEALTH_DOWN : GEO_HEALTH_UNKNOWN;
    state->drain = drain != NULL && drain->state == WIRE_DRAIN_AWAY;
    uint64_t count = catalogue_processes(region);
    uint64_t capacity = count == 0 ? 0 : region->capacity * heard / count;
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
