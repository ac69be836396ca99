/* What is older than the retention and not archived stays in the view for a while. For how long a
 * row has been out is known by samples of (last row that was out, when): each is held for the whole
 * time, and a 64th of it longer at most. Pure. */
#pragma once

#include <stdint.h>

enum { HUB_HOLD_SAMPLES = 64 };

struct hub_hold { /* zeroed at first, and when another view is opened */
    struct {
        uint64_t row;
        int64_t out_ms;
    } samples[HUB_HOLD_SAMPLES]; /* a ring, oldest first */
    uint32_t first;
    uint32_t count;
    uint64_t sampled; /* the row of the newest sample ever */
    uint64_t held;    /* all up to this row was held for long enough */
};

/* The last row that may leave: all up to `out_row` is older than the retention, all up to
 * `archived_row` is archived. Times are monotonic. */
uint64_t hub_hold_last_to_go(struct hub_hold *hold, uint64_t out_row, uint64_t archived_row,
                             int64_t hold_max_ms, int64_t now_ms);
