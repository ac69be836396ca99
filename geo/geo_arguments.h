/* What was given on the command line of meridian-geo. */
#pragma once

#include "base/error_text.h"
#include "geo/geo_check.h"

enum { GEO_KNOWN_MAX = 64 };

struct geo_arguments {
    const char *catalogue;
    const char *database; /* NULL: the catalogue's */
    const char *tenant;
    const char *down;  /* comma-separated regions */
    const char *drain; /* the same */
    struct geo_known known[GEO_KNOWN_MAX];
    size_t known_count;
    struct address address; /* of the commands that take one */
    const char *out, *zone, *listen, *nameserver, *run_dir, *state_dir; /* of render */
};
/* Reads the options; the operands begin at `ret_first`. Borrows `argv`. -ECANCELED: something was
 * asked for and printed; -EINVAL with the reason. */
MUST_USE int geo_arguments_read(int argc, char **argv, struct geo_arguments *ret_arguments,
                                int *ret_first, struct error_text *reterr_why);
