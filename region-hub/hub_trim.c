#include "region-hub/hub_trim.h"

#include "base/clock.h"

enum { STEP_ROWS = 128 }; /* a millisecond or so, were they large */

void hub_trim_turn(struct hub_trim *trim, struct hub_apply *apply, int64_t turn_ms)
{
    uint64_t out = mailbox_state(hub_apply_mailbox(apply)).expired_rows;
    int64_t until_ms = clock_monotonic_ms() + turn_ms;
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
