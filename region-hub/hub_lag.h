/* How long what is stored has waited to be applied: samples of (position, when it was heard of).
 * Pure; zero-initialised. */
#pragma once

#include <stdint.h>

enum { HUB_LAG_SAMPLES = 64, HUB_LAG_SPACING_MS = 50 };

struct hub_lag {
    struct {
        uint64_t position;
        int64_t heard_ms;
    } samples[HUB_LAG_SAMPLES]; /* a ring, oldest first */
    uint32_t first;
    uint32_t count;
};

void hub_lag_heard(struct hub_lag *lag, uint64_t position, int64_t now_ms);
/* The age of the oldest sample above `applied`; 0: there is none. Drops those below. */
int64_t hub_lag_ms(struct hub_lag *lag, uint64_t applied, int64_t now_ms);
