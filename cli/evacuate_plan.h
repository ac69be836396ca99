/* Where the users of a region go when it is evacuated: to one region, or spread over the others by
 * their weight, each user always to the same. Pure. */
#pragma once

#include "catalogue/catalogue.h"

struct cli_evacuate_plan {
    const struct catalogue_region *from;
    const struct catalogue_region *targets[CATALOGUE_REGIONS_MAX];
    size_t target_count;
    uint32_t weight; /* of all targets */
};

/* `to` NULL: all others that take users. -EINVAL with the reason. Borrows from the catalogue. */
MUST_USE int cli_evacuate_plan(struct cli_evacuate_plan *plan, const struct catalogue *catalogue,
                               const char *from, const char *to, struct error_text *reterr_why);
/* Which of the targets. */
size_t cli_evacuate_target(const struct cli_evacuate_plan *plan, struct text user);
