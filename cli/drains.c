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
