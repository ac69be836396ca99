/* A token bucket, kept as the one time at which it will be full again (the virtual scheduling of
 * ITU-T I.371, "GCRA"): eight bytes, nothing to fill up, exact at every rate. Zero is a full one.
 * Pure: the caller passes the time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct edge_bucket {
    int64_t full_us;
};

/* How fast it fills, and how many it holds: both at least 1. */
struct edge_rate {
    int64_t one_us; /* one more comes after so long */
    uint32_t burst;
};
/* At most a million. */
struct edge_rate edge_rate_per_s(uint32_t per_s, uint32_t burst);
struct edge_rate edge_rate_per_min(uint32_t per_min, uint32_t burst);

/* In how many ms there will be `count` in it, which is at most the burst; 0: now. Takes none. */
int64_t edge_bucket_wait(const struct edge_bucket *bucket, struct edge_rate rate, uint32_t count,
                         int64_t now_ms);
/* Takes one when there is one: 0. Else it takes nothing, and says in how many ms there will be one,
 * at least 1. */
int64_t edge_bucket_draw(struct edge_bucket *bucket, struct edge_rate rate, int64_t now_ms);
/* The same with edge_rate_per_s(). */
int64_t edge_bucket_take(struct edge_bucket *bucket, uint32_t per_s, uint32_t burst,
                         int64_t now_ms);
/* It is as one that nobody ever took from. */
bool edge_bucket_is_full(const struct edge_bucket *bucket, int64_t now_ms);
