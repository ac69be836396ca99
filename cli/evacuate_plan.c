#include "cli/evacuate_plan.h"

#include "base/hash.h"

#include <errno.h>

static const struct catalogue_region *find(const struct catalogue *catalogue, const char *name,
                                           struct error_text *reterr_why)
{
    const struct catalogue_region *region = catalogue_region(catalogue, text_of(name));
    if (region == NULL)
        error_text_set(reterr_why, -EINVAL, "the catalogue has no region '%s'", name);
    return region;
}

static void add(struct cli_evacuate_plan *plan, const struct catalogue_region *region)
{
    plan->targets[plan->target_count++] = region;
    plan->weight += region->weight > 0 ? region->weight : 1;
}

static int add_one(struct cli_evacuate_plan *plan, const struct catalogue_region *to,
                   struct error_text *reterr_why)
{
    if (to == plan->from)
        return error_text_set(reterr_why, -EINVAL, "users of %s cannot be moved to %s", to->name,
                              to->name);
    if (to->drain)
        return error_text_set(reterr_why, -EINVAL, "%s is to drain and takes no users", to->name);
    add(plan, to);
    return 0;
}

static int add_others(struct cli_evacuate_plan *plan, const struct catalogue *catalogue,
                      struct error_text *reterr_why)
{
    for (size_t i = 0; i < catalogue->region_count; i++)
        if (&catalogue->regions[i] != plan->from && !catalogue->regions[i].drain)
            add(plan, &catalogue->regions[i]);
    if (plan->target_count == 0)
        return error_text_set(reterr_why, -EINVAL,
                              "there is no other region that takes users: %s cannot be evacuated",
                              plan->from->name);
    return 0;
}

int cli_evacuate_plan(struct cli_evacuate_plan *plan, const struct catalogue *catalogue,
                      const char *from, const char *to, struct error_text *reterr_why)
{
    *plan = (struct cli_evacuate_plan){.from = find(catalogue, from, reterr_why)};
    if (plan->from == NULL)
        return -EINVAL;
    if (to == NULL)
        return add_others(plan, catalogue, reterr_why);
    const struct catalogue_region *only = find(catalogue, to, reterr_why);
    return only == NULL ? -EINVAL : add_one(plan, only, reterr_why);
}

size_t cli_evacuate_target(const struct cli_evacuate_plan *plan, struct text user)
{
    uint32_t at = hash_shard(user, plan->weight);
    size_t target = 0;
    while (target + 1 < plan->target_count) {
        const uint32_t weight = plan->targets[target]->weight;
        const uint32_t share = weight > 0 ? weight : 1;
        if (at < share)
            break;
        at -= share;
        target++;
    }
    return target;
}
