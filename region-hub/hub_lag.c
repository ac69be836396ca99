#include "region-hub/hub_lag.h"

void hub_lag_heard(struct hub_lag *lag, uint64_t position, int64_t now_ms)
{
    if (lag->count == HUB_LAG_SAMPLES)
        return; /* the oldest ones are what counts */
    if (lag->count > 0) {
        uint32_t last = (lag->first + lag->count - 1) % HUB_LAG_SAMPLES;
        if (position <= lag->samples[last].position ||
            now_ms - lag->samples[last].heard_ms < HUB_LAG_SPACING_MS)
            return;
    }
    uint32_t next = (lag->first + lag->count++) % HUB_LAG_SAMPLES;
    lag->samples[next].position = position;
    lag->samples[next].heard_ms = now_ms;
}

int64_t hub_lag_ms(struct hub_lag *lag, uint64_t applied, int64_t now_ms)
{
    while (lag->count > 0 && lag->samples[lag->first].position <= applied) {
        lag->first = (lag->first + 1) % HUB_LAG_SAMPLES;
        lag->count--;
    }
    return lag->count == 0 ? 0 : now_ms - lag->samples[lag->first].heard_ms;
}
