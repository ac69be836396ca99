#include "edge/edge_bucket.h"

enum { US_PER_S = 1000 * 1000, US_PER_MS = 1000 };

int64_t edge_bucket_take(struct edge_bucket *bucket, uint32_t per_s, uint32_t burst, int64_t now_ms)
{
    int64_t now_us = now_ms * US_PER_MS;
    int64_t one_us = US_PER_S / per_s;
    int64_t full_us = (bucket->full_us > now_us ? bucket->full_us : now_us) + one_us;
    int64_t early_us = full_us - now_us - one_us * burst;
    if (early_us > 0)
        return (early_us + US_PER_MS - 1) / US_PER_MS;
    bucket->full_us = full_us;
    return 0;
}
