/* A token bucket, kept as the one time at which it will be full again (the virtual scheduling of
 * ITU-T I.371, "GCRA"): eight bytes, nothing to fill up, exact at every rate. Zero is a full one.
 * Pure: the caller passes the time. */
#pragma once

#include <stdint.h>

struct edge_bucket {
    int64_t full_us;
};

/* Takes one when fewer than `burst` were taken beyond what `per_s` has filled in: 0. Else it takes
 * nothing, and says in how many ms there will be one, at least 1. `per_s` and `burst` are at least
 * 1, `per_s` at most a million. */
int64_t edge_bucket_take(struct edge_bucket *bucket, uint32_t per_s, uint32_t burst,
                         int64_t now_ms);
