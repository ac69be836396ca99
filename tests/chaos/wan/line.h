/* One direction between two sites: what becomes of a packet, and when. Pure: sizes and times come
 * in, fates and times go out. All times are ns of one clock that never steps.
 *
 * A packet, in this order:
 *   1. is dropped when the line is cut, or down in its flapping;
 *   2. is dropped by chance (loss);
 *   3. waits until the rate lets it go, or is dropped when the queue before it is full;
 *   4. travels for delay, give or take jitter, but arrives no earlier than the packet before it;
 *   5. unless by chance (reorder) it arrives later still, and those behind it do not wait;
 *   6. by chance (duplicate) arrives twice.
 * A packet that arrives while the line is cut or down is dropped too: from the moment of a cut
 * nothing arrives.
 *
 * The random numbers of the n-th packet depend on the seed, the line and n alone, never on what is
 * set or what became of other packets. */
#pragma once

#include "base/buffer.h"
#include "wan/knobs.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* packets + duplicated = delivered + refused + all that was dropped + what is in flight. */
#define WAN_COUNTERS(X)                                                                            \
    X(packets)    /* that were sent into the line */                                               \
    X(bytes)      /* of those */                                                                   \
    X(duplicated) /* copies made */                                                                \
    X(reordered)  /* sent late, to be overtaken */                                                 \
    X(delivered)  /* taken by the site at the other end */                                         \
    X(refused)    /* not taken by it: its device is down */                                        \
    X(cut)        /* dropped: the line was cut, or down in its flapping */                         \
    X(lost)       /* dropped by chance */                                                          \
    X(queue_full) /* dropped before the rate */                                                    \
    X(held_full)  /* dropped: too much was in flight, or memory was short */

struct wan_counters {
#define X(name) uint64_t name;
    WAN_COUNTERS(X)
#undef X
};

struct wan_line {
    struct wan_knobs knobs; /* change by wan_line_set() */
    bool cut;
    uint64_t flap_down_ns, flap_up_ns; /* both 0: it does not flap */
    int64_t flap_since_ns;             /* a time of down begins here */
    uint64_t seed;
    uint64_t number;     /* of the next packet */
    int64_t free_ns;     /* when the rate has let go of the packet before */
    int64_t last_due_ns; /* when it arrives */
    uint64_t held_bytes; /* in flight */
    uint64_t held_max_bytes;
    int64_t overdue_max_ns; /* the longest that a packet arrived after it was due */
    struct wan_counters count;
};

void wan_line_init(struct wan_line *line, uint64_t held_max_bytes);
/* From now on the random numbers are those of `seed`, from their beginning. `which` tells lines of
 * one seed apart. */
void wan_line_seed(struct wan_line *line, uint64_t seed, uint64_t which);
/* A line with another rate begins with an empty queue; packets already taken keep their times. */
void wan_line_set(struct wan_line *line, enum wan_knob knob, uint64_t value);
bool wan_line_is_down(const struct wan_line *line, int64_t now_ns);

/* How many copies of the packet will arrive: 0 when it is dropped, which is counted. All of them
 * arrive at *ret_due_ns, and wan_line_arrive() must be called for each. */
MUST_USE unsigned wan_line_take(struct wan_line *line, size_t size, int64_t now_ns,
                                int64_t *ret_due_ns);
/* A copy that was due at `due_ns` is there. True: hand it over and count `delivered` or `refused`;
 * false: it is dropped. */
MUST_USE bool wan_line_arrive(struct wan_line *line, size_t size, int64_t due_ns, int64_t now_ns);
/* A copy that could not be kept until it is due. */
void wan_line_give_up(struct wan_line *line, size_t size);

/* Members of a JSON object: its knobs, state and counters. */
void wan_line_write(const struct wan_line *line, int64_t now_ns, struct buffer *out);
