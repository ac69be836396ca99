#include "region-hub/hub_trim.h"

#include "base/clock.h"

enum { STEP_ROWS = 128 }; /* a millisecond or so, were they large */

void hub_trim_turn(struct hub_trim *trim, struct hub_apply *apply,
                   const struct hub_trim_limits *limits)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t until_ms = now_ms + limits->turn_ms;
    uint64_t out =
        hub_hold_last_to_go(&trim->hold, mailbox_state(hub_apply_mailbox(apply)).expired_rows,
                            limits->archived_row, limits->hold_max_ms, now_ms);
    while (trim->done < out && clock_monotonic_ms() < until_ms) {
        bool more;
        int err = view_trim(hub_apply_view(apply), out + 1, STEP_ROWS, &more);
        if (err != 0) {
            hub_apply_view_failed(apply, err);
            return;
        }
        if (!more)
            trim->done = out;
    }
}
