/* Beats: what processes tell all the time, so that nothing depends on a single message. Layouts are
 * in beat.c. [format 1] */
#pragma once

#include "wire/batch.h"
#include "wire/cursor.h"

#include <stdint.h>

enum { WIRE_BEAT_LANES_MAX = 64, WIRE_BEAT_EDGES_MAX = 1024 };

/* beat.hub.<r>.<s>, every 500 ms, by the owner. */
struct wire_hub_beat {
    uint8_t version; /* as it was read: what is written is always the newest */
    struct text hub;
    uint64_t start; /* as in the own record */
    uint64_t generation;
    uint64_t applied; /* position */
    uint64_t head;    /* the last position known to be stored */
    uint8_t incarnation[16];
    uint16_t shard;
    uint16_t shards;
    uint8_t level;         /* the highest this hub knows */
    uint16_t log_permille; /* of the log's max_bytes in use */
    uint32_t lag_ms;       /* how far apply is behind, by log time */
    uint16_t lane_count;   /* each: wire_lane, for wire_lane_next() */
    uint16_t outbox_count; /* each: wire_outbox */
    uint16_t edge_count;   /* each: wire_edge_count, for wire_edge_count_next() */
    struct wire_cursor lanes;
    struct wire_cursor outboxes;
    struct wire_cursor edges;
};
struct wire_lane { /* what this shard has applied of each lane */
    struct text source;
    uint8_t incarnation[16];
    uint64_t sequence;
};
struct wire_outbox { /* what the forwarder of this hub knows of a destination */
    struct text destination;
    uint16_t permille; /* of max_bytes in use */
    uint32_t oldest_s; /* age of the oldest batch that is not applied; 0: none */
};
struct wire_edge_count { /* attached devices of this shard's users at an edge */
    struct text edge;
    uint32_t attached;
    uint64_t digest; /* of which ones: all their wire_attach_digest() by XOR; version 1: 0 */
};
/* Edge and owner each keep the XOR of these over the devices they take for attached. The same
 * everywhere: SipHash-2-4 with the key "attached devices" over text8 user, text8 device, u64
 * attach, of which the first 8 of 16 bytes count. */
uint64_t wire_attach_digest(struct text user, struct text device, uint64_t attach);

MUST_USE int wire_hub_beat_read(const void *bytes, size_t size, struct wire_hub_beat *ret_beat);
bool wire_lane_next(struct wire_cursor *lanes, struct wire_lane *ret_lane);
bool wire_outbox_next(struct wire_cursor *outboxes, struct wire_outbox *ret_outbox);
bool wire_edge_count_next(struct wire_hub_beat *beat, struct wire_edge_count *ret_count);
/* The counts come from the arrays' sizes, the cursors are not used. -ENOMEM. */
MUST_USE int wire_hub_beat_write(struct buffer *out, const struct wire_hub_beat *beat,
                                 const struct wire_lane *lanes, size_t lane_count,
                                 const struct wire_outbox *outboxes, size_t outbox_count,
                                 const struct wire_edge_count *edges, size_t edge_count);

/* beat.edge.<r>.<edge>, once a second. */
struct wire_edge_beat {
    struct text edge;
    struct text region;
    uint64_t start; /* random for each start: a new one means that all attaches are gone */
    uint64_t number;
    uint32_t connections;
};
MUST_USE int wire_edge_beat_read(const void *bytes, size_t size, struct wire_edge_beat *ret_beat);
MUST_USE int wire_edge_beat_write(struct buffer *out, const struct wire_edge_beat *beat);
