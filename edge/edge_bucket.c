#include "edge/edge_bucket.h"

enum { US_PER_MIN = 60 * 1000 * 1000, US_PER_S = 1000 * 1000, US_PER_MS = 1000 };

struct edge_rate edge_rate_per_s(uint32_t per_s, uint32_t burst)
{
    return (struct edge_rate){.one_us = US_PER_S / per_s, .burst = burst};
}

struct edge_rate edge_rate_per_min(uint32_t per_min, uint32_t burst)
{
    return (struct edge_rate){.one_us = US_PER_MIN / per_min, .burst = burst};
}

static int64_t full_us(const struct edge_bucket *bucket, int64_t now_us)
{
    return bucket->full_us > now_us ? bucket->full_us : now_us;
}

int64_t edge_bucket_wait(const struct edge_bucket *bucket, struct edge_rate rate, uint32_t count,
                         int64_t now_ms)
{
    int64_t now_us = now_ms * US_PER_MS;
    int64_t early_us =
        full_us(bucket, now_us) - now_us - rate.one_us * ((int64_t)rate.burst - count);
    return early_us > 0 ? (early_us + US_PER_MS - 1) / US_PER_MS : 0;
}

int64_t edge_bucket_draw(struct edge_bucket *bucket, struct edge_rate rate, int64_t now_ms)
{
    int64_t wait_ms = edge_bucket_wait(bucket, rate, 1, now_ms);
    if (wait_ms == 0)
        bucket->full_us = full_us(bucket, now_ms * US_PER_MS) + rate.one_us;
    return wait_ms;
}

int64_t edge_bucket_take(struct edge_bucket *bucket, uint32_t per_s, uint32_t burst, int64_t now_ms)
{
    return edge_bucket_draw(bucket, edge_rate_per_s(per_s, burst), now_ms);
}

bool edge_bucket_is_full(const struct edge_bucket *bucket, int64_t now_ms)
{
    return bucket->full_us <= now_ms * US_PER_MS;
}
