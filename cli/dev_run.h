/* What the supervisor of `meridian dev up` does, from the first process to the last. */
#pragma once

#include "cli/dev_children.h"

/* Brings all up, tells on `report` how it goes, then holds it until a signal says stop. What goes
 * to `report` are lines: "+..." progress, "!..." why it failed, "." all is ready (closed then).
 * When nobody reads any more before all is ready, it stops. 0, or -errno after a failure that was
 * reported. */
MUST_USE int cli_dev_run(const struct catalogue *catalogue, const struct cli_programs *programs,
                         const char *folder, int report);
