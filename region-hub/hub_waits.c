#include "region-hub/hub_waits.h"

/* Since when the queue has not gone on, though there is something to be passed on. */
static int64_t standing_since(struct hub_waits *waits, uint64_t to_pass_on, uint64_t notices_first,
                              int64_t now_ms)
{
    const uint64_t first = to_pass_on == 0 ? 0 : notices_first;
    if (first != waits->first)
        *waits = (struct hub_waits){.first = first, .since_ms = now_ms};
    return waits->since_ms;
}

uint64_t hub_waits_long(struct hub_waits *waits, const struct mailbox_moving *moving,
                        uint64_t notices_first, int64_t log_ms, int64_t now_ms)
{
    const int64_t since_ms = standing_since(waits, moving->to_pass_on, notices_first, now_ms);
    uint64_t count = 0;
    if (moving->held > 0 && log_ms - moving->held_since_ms >= HUB_WAITS_LONG_MS)
        count += moving->held;
    if (moving->to_pass_on > 0 && now_ms - since_ms >= HUB_WAITS_LONG_MS)
        count += moving->to_pass_on;
    return count;
}
