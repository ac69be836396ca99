/* Takes out of the view what is older than the retention, a little at a time, so that messages do
 * not wait for it; the room is used again, and the file grows no more. */
#pragma once

#include "region-hub/hub_apply.h"
#include "region-hub/hub_archiver.h"

struct hub_trim {    /* zeroed when a view is opened */
    uint64_t done;   /* no row up to here is left */
    int64_t held_ms; /* since when rows wait to be archived; monotonic, 0: none do */
};
struct hub_trim_limits {
    int64_t turn_ms;
    uint64_t archived_row; /* what is above waits to be archived... */
    int64_t hold_max_ms;   /* ...for that long */
};
/* Steps until nothing is left or about `turn_ms` have passed. */
void hub_trim_turn(struct hub_trim *trim, struct hub_apply *apply,
                   const struct hub_trim_limits *limits);
