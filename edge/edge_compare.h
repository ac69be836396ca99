/* What an edge and the hubs must agree on, compared by the hubs' beats: which devices are attached
 * here, so that none is in one view only, and how many shards a region has. Pure. */
#pragma once

#include "wire/beat.h"

#include <stdbool.h>
#include <stdint.h>

/* The devices of one shard's users that are attached here, answered ones. Zeroed at first. */
struct edge_compare {
    uint32_t attached;
    uint64_t digest; /* wire_attach_digest() of each, by XOR */
    bool changed;    /* it has, since the last beat: then beats are about another time */
    uint8_t mismatches;
    bool attached_again; /* all were, for a mismatch, and no beat has agreed since */
};
void edge_compare_add(struct edge_compare *compare, struct text user, struct text device,
                      uint64_t attach);
void edge_compare_remove(struct edge_compare *compare, struct text user, struct text device,
                         uint64_t attach);

enum edge_compared {
    EDGE_COMPARED_SAME,    /* or not to be told yet */
    EDGE_COMPARED_DIFFERS, /* twice in a row: attach all of the shard again */
    EDGE_COMPARED_ORPHANS, /* the same, and it did not help: the owner has some that are not ours */
};
/* `pending`: some attaches wait for an answer. */
enum edge_compared edge_compare_beat(struct edge_compare *compare, const struct wire_hub_beat *beat,
                                     struct text edge, bool pending);

/* The shards of a region, as the catalogue and as the owners count them: they stand in the logs and
 * never change, so an edge that counts otherwise would write to wrong logs. Zeroed at first. */
struct edge_shards {
    bool differ; /* nothing may be sent to the region */
    int64_t differed_ms;
};
/* True: they differ, and did not before. Beats that agree are believed when none has differed for a
 * while. */
bool edge_shards_hear(struct edge_shards *shards, uint32_t ours, uint32_t theirs, int64_t now_ms);
