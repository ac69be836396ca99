/* The mirrors of buckets whose origin was made anew: they would go on from where the old one ended,
 * and never agree with it. What they have and the new origin has not is put back, then they are
 * made anew. */
#pragma once

#include "cli/look.h"

struct cli_mirrors {
    struct cli_jetstream *js;
    const struct catalogue *catalogue;
    const struct catalogue_region *origin; /* where the origins are */
    bool dry_run;                          /* only tell */
    size_t waiting;                        /* regions that do not answer: run it again */
};
/* Every mirror of this bucket. Prints what it does. */
MUST_USE int cli_mirrors_renew(struct cli_mirrors *mirrors, size_t which,
                               struct error_text *reterr_why);
