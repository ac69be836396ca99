/* Takes out of the view what is older than the retention, a little at a time, so that messages do
 * not wait for it; the room is used again, and the file grows no more. What the archive has not got
 * stays longer. */
#pragma once

#include "region-hub/hub_apply.h"
#include "region-hub/hub_hold.h"

struct hub_trim {  /* zeroed when a view is opened */
    uint64_t done; /* no row up to here is left */
    struct hub_hold hold;
};
struct hub_trim_limits {
    int64_t turn_ms;
    uint64_t archived_row; /* what is above waits to be archived... */
    int64_t hold_max_ms;   /* ...for that long */
};
/* Steps until nothing is left or about `turn_ms` have passed. */
void hub_trim_turn(struct hub_trim *trim, struct hub_apply *apply,
                   const struct hub_trim_limits *limits);
