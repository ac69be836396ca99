#include "region-hub/hub_hold.h"

static void sample(struct hub_hold *hold, uint64_t out_row, int64_t hold_max_ms, int64_t now_ms)
{
    if (out_row <= hold->sampled || hold->count == HUB_HOLD_SAMPLES)
        return;
    if (hold->count > 0) {
        uint32_t last = (hold->first + hold->count - 1) % HUB_HOLD_SAMPLES;
        if (now_ms - hold->samples[last].out_ms < hold_max_ms / (HUB_HOLD_SAMPLES - 1))
            return;
    }
    uint32_t next = (hold->first + hold->count++) % HUB_HOLD_SAMPLES;
    hold->samples[next].row = hold->sampled = out_row;
    hold->samples[next].out_ms = now_ms;
}

uint64_t hub_hold_last_to_go(struct hub_hold *hold, uint64_t out_row, uint64_t archived_row,
                             int64_t hold_max_ms, int64_t now_ms)
{
    while (hold->count > 0 && now_ms - hold->samples[hold->first].out_ms > hold_max_ms) {
        hold->held = hold->samples[hold->first].row;
        hold->first = (hold->first + 1) % HUB_HOLD_SAMPLES;
        hold->count--;
    }
    sample(hold, out_row, hold_max_ms, now_ms);
    uint64_t last = archived_row > hold->held ? archived_row : hold->held;
    return last < out_row ? last : out_row;
}
