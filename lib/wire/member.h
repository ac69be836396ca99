/* The beat of every hub about every shard, its own or not: what it has applied, what it knows and
 * what is wrong. Owners read it to raise the level, people to see. The layout is in member.c.
 * [format 1] */
#pragma once

#include "base/buffer.h"
#include "wire/cursor.h"

#include <stdint.h>

enum { WIRE_MEMBER_ALARMS_MAX = 64 };
enum { WIRE_MEMBER_SERVES = 1, WIRE_MEMBER_READY = 2, WIRE_MEMBER_STOPPED = 4 };

/* beat.hub.<r>.<s>.<hub>, once a second. */
struct wire_member_beat {
    uint8_t level;     /* the highest this hub knows, or is allowed to know */
    uint8_t log_level; /* of the last config record it has applied; 0: it has none */
    uint8_t flags;     /* WIRE_MEMBER_... */
    uint16_t shard;
    uint16_t shards;       /* as its catalogue says */
    uint16_t log_permille; /* of max_bytes in use, as the owner knows it; others say 0 */
    uint32_t lag_ms;
    uint64_t start;
    uint64_t generation;     /* applied */
    uint64_t applied;        /* position */
    uint64_t head;           /* the last position it knows to be stored */
    uint8_t incarnation[16]; /* of the log; zeros: nothing applied */
    struct text hub;
    struct text trouble;  /* a word: why it is not ready; empty: it is */
    uint16_t alarm_count; /* each: wire_alarm, for wire_alarm_next() */
    struct wire_cursor alarms;
};
struct wire_alarm { /* raised now; what each means is in docs/operations.md */
    struct text name;
    uint8_t severity; /* 1: warning, 2: error */
    uint32_t since_s;
    uint64_t count;
    uint64_t position; /* in the log, of the last cause; 0: none */
};

MUST_USE int wire_member_beat_read(const void *bytes, size_t size,
                                   struct wire_member_beat *ret_beat);
bool wire_alarm_next(struct wire_cursor *alarms, struct wire_alarm *ret_alarm);
/* The count comes from the array's size, the cursor is not used. -ENOMEM. */
MUST_USE int wire_member_beat_write(struct buffer *out, const struct wire_member_beat *beat,
                                    const struct wire_alarm *alarms, size_t alarm_count);
