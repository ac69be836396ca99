#include "edge/edge_admission.h"

#include <assert.h>

/* Knuth's MMIX generator: nobody gains by guessing when others come. */
static uint32_t again_ms(struct edge_admission *admission)
{
    enum { WINDOW_MS = EDGE_ADMISSION_AGAIN_MAX_MS - EDGE_ADMISSION_AGAIN_MIN_MS + 1 };
    admission->chance =
        admission->chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return EDGE_ADMISSION_AGAIN_MIN_MS + (uint32_t)((admission->chance >> 33) % WINDOW_MS);
}

uint32_t edge_admission_greet(struct edge_admission *admission, int64_t now_ms)
{
    const struct edge_admission_settings *settings = &admission->settings;
    if (admission->strangers >= settings->strangers_max ||
        edge_bucket_take(&admission->handshakes, settings->handshakes_per_s,
                         settings->handshakes_burst, now_ms) > 0)
        return again_ms(admission);
    admission->strangers++;
    return 0;
}

void edge_admission_knows(struct edge_admission *admission)
{
    assert(admission->strangers > 0);
    admission->strangers--;
}

uint32_t edge_admission_login(struct edge_admission *admission, bool resumes, int64_t now_ms)
{
    const struct edge_admission_settings *settings = &admission->settings;
    uint32_t burst = resumes ? settings->logins_burst : (settings->logins_burst + 1) / 2;
    return edge_bucket_take(&admission->logins, settings->logins_per_s, burst, now_ms) > 0
               ? again_ms(admission)
               : 0;
}
