/* Takes out of the view what is older than the retention, a little at a time, so that messages do
 * not wait for it; the room is used again, and the file grows no more. */
#pragma once

#include "region-hub/hub_apply.h"

struct hub_trim {  /* zeroed when a view is opened */
    uint64_t done; /* no row up to here is left */
};
/* Steps until nothing is left or about `turn_ms` have passed. */
void hub_trim_turn(struct hub_trim *trim, struct hub_apply *apply, int64_t turn_ms);
