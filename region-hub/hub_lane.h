/* One lane: what the forwarder of an outbox does for one home shard, as decisions alone. Batches
 * are taken in the order of the outbox, each stamped with the sequence of the one before it;
 * PubAcks open the window; the position is what the home reports applied. At first the lane asks
 * the home where that is, and opens there. Whenever it stands still, the lane asks again, goes back
 * to there, probes with one batch, and then opens. So batches that are lost, stored twice, refused
 * or passed over behind a hole are all cured in the same way. Pure: times come in. */
#pragma once

#include "base/macros.h"

#include <stdbool.h>
#include <stdint.h>

enum hub_lane_state {
    HUB_LANE_ASKING,    /* the home was asked what it has applied */
    HUB_LANE_UNREACHED, /* it did not answer: asks again after a pause, or when it is heard */
    HUB_LANE_BACKOFF,   /* it does not take batches: asks again after a pause */
    HUB_LANE_PROBING,   /* it did not take batches before: one at a time until it takes one */
    HUB_LANE_OPEN,
    HUB_LANE_STATES
};
const char *hub_lane_state_name(enum hub_lane_state state);

struct hub_lane_settings {
    uint64_t window_bytes;
    uint32_t window_batches;
    int64_t stall_ms;
    int64_t backoff_min_ms;
    int64_t backoff_max_ms;
};

struct hub_lane_batch {
    uint64_t sequence;
    int64_t time_ms;   /* when it was stored in the outbox */
    uint64_t position; /* in the home's log; 0: no PubAck yet */
    uint32_t size;
};

struct hub_lane { /* the caller reads only */
    struct hub_lane_settings settings;
    enum hub_lane_state state;
    uint8_t outbox[16];     /* its incarnation */
    uint64_t applied;       /* outbox sequence: what the home has applied of this outbox */
    uint64_t next;          /* outbox sequence wanted next */
    uint64_t last;          /* taken last: what the next batch names as its previous one */
    uint64_t home_position; /* what the home has applied of its log */
    int64_t heard_ms;       /* when it said so */
    struct hub_lane_batch
        *batches; /* a ring of window_batches: taken and not known to be applied */
    uint32_t first;
    uint32_t count;
    uint64_t first_number; /* of batches[first]; the others follow */
    uint64_t bytes;        /* taken and neither stored nor applied */
    int64_t progress_ms;
    int64_t due_ms; /* in UNREACHED and BACKOFF: when it asks again */
    int64_t backoff_ms;
    int64_t missed_ms; /* of the first batch that was offered and not taken; 0: none */
    bool missed;
    bool doubted; /* since it was open, batches were refused or stood still */
    bool ask;
    bool seek;
};

/* Begins asking. Numbers of batches count on from `first_number`. -ENOMEM. */
MUST_USE int hub_lane_init(struct hub_lane *lane, const struct hub_lane_settings *settings,
                           uint64_t first_number, int64_t now_ms);
void hub_lane_done(struct hub_lane *lane);

/* What to do now; each order is given once. */
struct hub_lane_orders {
    bool ask;  /* read the outbox's incarnation and ask the home: answered or ask_failed */
    bool seek; /* read the outbox on from lane->next */
};
struct hub_lane_orders hub_lane_orders(struct hub_lane *lane);
/* Whether a batch would be taken. */
bool hub_lane_wants(const struct hub_lane *lane);

/* A batch was read from the outbox. True: stamp it with lane->outbox, `sequence` and
 * `*ret_previous`, and publish it as `*ret_number`. False: not now; a seek orders it again. */
bool hub_lane_take(struct hub_lane *lane, uint64_t sequence, uint32_t size, int64_t time_ms,
                   int64_t now_ms, uint64_t *ret_number, uint64_t *ret_previous);
/* A PubAck: stored at `position`, or (0) not stored. Numbers of before the last answer are passed
 * over. */
void hub_lane_puback(struct hub_lane *lane, uint64_t number, uint64_t position, int64_t now_ms);
/* The home's beat: what it has applied of its log, and of this lane (zeros: nothing). */
void hub_lane_heard(struct hub_lane *lane, uint64_t home_position, const uint8_t incarnation[16],
                    uint64_t sequence, int64_t now_ms);
/* The home's answer, and the incarnation of the outbox as it is now. */
void hub_lane_answered(struct hub_lane *lane, const uint8_t outbox[16],
                       const uint8_t incarnation[16], uint64_t sequence, int64_t now_ms);
void hub_lane_ask_failed(struct hub_lane *lane, int64_t now_ms);
/* The outbox is not the one that the lane was reading: nothing is taken until an answer. */
void hub_lane_halt(struct hub_lane *lane, int64_t now_ms);
void hub_lane_tick(struct hub_lane *lane, int64_t now_ms);
/* When the oldest batch not applied was stored, as far as is known; 0: there is none. */
int64_t hub_lane_oldest_ms(const struct hub_lane *lane);
