#include "cli/drains.h"

#include <errno.h>

static struct wire_drain *find(struct wire_drains *drains, const struct catalogue_region *region)
{
    for (size_t i = 0; i < drains->count; i++)
        if (text_equal(text_of(drains->each[i].region), text_of(region->name)))
            return &drains->each[i];
    return NULL;
}

static bool is_used(struct wire_drains *drains, const struct catalogue_region *region)
{
    const struct wire_drain *drain = find(drains, region);
    return !region->drain && (drain == NULL || drain->state == WIRE_DRAIN_BACK);
}

static bool another_is_used(struct wire_drains *drains, const struct catalogue *catalogue,
                            const struct catalogue_region *but)
{
    for (size_t i = 0; i < catalogue->region_count; i++)
        if (&catalogue->regions[i] != but && is_used(drains, &catalogue->regions[i]))
            return true;
    return false;
}

int cli_drains_begin(struct wire_drains *drains, const struct catalogue *catalogue,
                     const struct catalogue_region *region, int64_t now_ms, bool force,
                     struct error_text *reterr_why)
{
    struct wire_drain *drain = find(drains, region);
    if (drain != NULL && drain->state == WIRE_DRAIN_AWAY)
        return 0;
    if (!force && !another_is_used(drains, catalogue, region))
        return error_text_set(reterr_why, -EBUSY,
                              "%s is the last region in use: its clients would have nowhere to go "
                              "(--force)",
                              region->name);
    if (drain == NULL && drains->count == WIRE_DRAINS_MAX)
        return error_text_set(reterr_why, -ENOSPC, "%d regions drain already", WIRE_DRAINS_MAX);
    if (drain == NULL)
        drain = &drains->each[drains->count++];
    *drain = (struct wire_drain){.state = WIRE_DRAIN_AWAY, .since_ms = now_ms};
    return text_put(drain->region, sizeof drain->region, text_of(region->name)) == 0 ? 1 : -EINVAL;
}

int cli_drains_end(struct wire_drains *drains, const struct catalogue_region *region,
                   int64_t now_ms, uint32_t over_s)
{
    struct wire_drain *drain = find(drains, region);
    if (drain == NULL || (drain->state == WIRE_DRAIN_BACK && over_s > 0))
        return 0;
    if (over_s == 0) {
        *drain = drains->each[--drains->count];
        return 1;
    }
    drain->state = WIRE_DRAIN_BACK;
    drain->since_ms = now_ms;
    drain->over_s = over_s;
    return 1;
}

void cli_drains_tidy(struct wire_drains *drains, const struct catalogue *catalogue, int64_t now_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < drains->count; i++) {
        const struct wire_drain *drain = &drains->each[i];
        bool over = drain->state == WIRE_DRAIN_BACK &&
                    now_ms - drain->since_ms >= (int64_t)drain->over_s * 1000;
        if (!over && catalogue_region(catalogue, text_of(drain->region)) != NULL)
            drains->each[kept++] = *drain;
    }
    drains->count = kept;
}

size_t cli_edge_processes(const struct catalogue *catalogue, struct text name, size_t *ret_first)
{
    const struct catalogue_edge *edge = catalogue_edge(catalogue, name, NULL);
    if (edge == NULL)
        return catalogue_process_index(catalogue, name, ret_first) == 0 ? 1 : 0;
    struct catalogue_process first = catalogue_process(edge, 1);
    int err = catalogue_process_index(catalogue, text_of(first.name), ret_first);
    return err == 0 ? edge->processes : 0;
}

static bool edge_is_used(const struct wire_edge_drains *drains, const struct catalogue_edge *edge,
                         struct text but)
{
    bool used = false;
    for (uint32_t number = 1; number <= edge->processes; number++) {
        struct text process = text_of(catalogue_process(edge, number).name);
        used =
            used || (!text_equal(process, but) && wire_edge_drains_find(drains, process) == NULL);
    }
    return used && !text_equal(text_of(edge->name), but) &&
           wire_edge_drains_find(drains, text_of(edge->name)) == NULL;
}

static bool another_edge_is_used(const struct wire_edge_drains *drains,
                                 const struct catalogue *catalogue, struct text but)
{
    for (size_t r = 0; r < catalogue->region_count; r++)
        for (size_t i = 0; !catalogue->regions[r].drain && i < catalogue->regions[r].edge_count;
             i++)
            if (edge_is_used(drains, &catalogue->regions[r].edges[i], but))
                return true;
    return false;
}

int cli_edge_drains_begin(struct wire_edge_drains *drains, const struct catalogue *catalogue,
                          struct text name, int64_t now_ms, bool force,
                          struct error_text *reterr_why)
{
    if (wire_edge_drains_find(drains, name) != NULL)
        return 0;
    if (!force && !another_edge_is_used(drains, catalogue, name))
        return error_text_set(reterr_why, -EBUSY,
                              "%.*s is the last edge in use: its clients would have nowhere to go "
                              "(--force)",
                              TEXT_ARGS(name));
    if (drains->count == WIRE_EDGE_DRAINS_MAX)
        return error_text_set(reterr_why, -ENOSPC, "%d edges drain already", WIRE_EDGE_DRAINS_MAX);
    struct wire_edge_drain *drain = &drains->each[drains->count++];
    drain->since_ms = now_ms;
    return text_put(drain->edge, sizeof drain->edge, name) == 0 ? 1 : -EINVAL;
}

/* Whether `name` is the edge, or one of its processes. */
static bool belongs_to(const struct catalogue *catalogue, struct text name, struct text edge)
{
    const struct catalogue_region *region;
    uint32_t number;
    const struct catalogue_edge *found = catalogue_edge_of(catalogue, name, &region, &number);
    return text_equal(name, edge) || (found != NULL && text_equal(text_of(found->name), edge));
}

int cli_edge_drains_end(struct wire_edge_drains *drains, const struct catalogue *catalogue,
                        struct text name)
{
    size_t kept = 0;
    for (size_t i = 0; i < drains->count; i++)
        if (!belongs_to(catalogue, text_of(drains->each[i].edge), name))
            drains->each[kept++] = drains->each[i];
    int ended = kept < drains->count;
    drains->count = kept;
    return ended;
}

void cli_edge_drains_tidy(struct wire_edge_drains *drains, const struct catalogue *catalogue)
{
    size_t kept = 0, first;
    for (size_t i = 0; i < drains->count; i++)
        if (cli_edge_processes(catalogue, text_of(drains->each[i].edge), &first) > 0)
            drains->each[kept++] = drains->each[i];
    drains->count = kept;
}
