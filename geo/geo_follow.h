/* meridian-geo follow: keeps a gdnsd name server's admin_state as the regions are: those that drain
 * or are full are not answered with. */
#pragma once

#include "base/error_text.h"
#include "catalogue/catalogue.h"

/* Runs until SIGTERM or SIGINT; then 0, and the file stays as it is. While nothing is known (no
 * connection to NATS, or not yet) the file stays too. Negative errno with the reason. */
MUST_USE int geo_follow_run(const struct catalogue *catalogue, const char *state_dir,
                            struct error_text *reterr_why);
