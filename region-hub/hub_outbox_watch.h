/* Whether an outbox ends before what was forwarded of it: then it was put back to an older state,
 * and new batches get sequences that the home has applied already and would pass over as repeats.
 *
 * What the stream says is compared with what was known when it was asked. One that says too little
 * is doubted, and nothing is forwarded of it, but it is not condemned at once: a server that leads
 * anew, or wakes up and believes that it still leads, tells its end of before until it has applied
 * what the others agreed on, and may stand there for seconds while it has no majority. A doubt ends
 * when the outbox is as long as it should be and holds what was forwarded last: new batches, too,
 * make an outbox longer. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum hub_outbox_verdict {
    HUB_OUTBOX_GOOD,
    HUB_OUTBOX_DOUBTED, /* ask again soon */
    HUB_OUTBOX_COMPARE, /* long enough again: see whether it holds what was forwarded last */
    HUB_OUTBOX_REGRESSED,
};

struct hub_outbox_watch { /* zeroed at first, but for `doubt_ms` */
    int64_t doubt_ms;     /* for that long must it be too short */
    uint64_t asked_high;  /* the highest sequence known to have been stored, when it was asked */
    uint64_t last;        /* what it said last; 0: nothing yet */
    uint64_t lowest;      /* the least that it said since it is doubted */
    int64_t doubted_ms;   /* since when */
    bool doubted;
};
void hub_outbox_asked(struct hub_outbox_watch *watch, uint64_t high);
enum hub_outbox_verdict hub_outbox_told(struct hub_outbox_watch *watch, uint64_t last,
                                        int64_t now_ms);
/* After HUB_OUTBOX_COMPARE: it holds what was forwarded last. */
void hub_outbox_is_same(struct hub_outbox_watch *watch);
bool hub_outbox_is_doubted_long(const struct hub_outbox_watch *watch, int64_t now_ms);
/* Whether all up to `sequence` is known to be of the outbox as it is: it may be trimmed. */
bool hub_outbox_may_trim(const struct hub_outbox_watch *watch, uint64_t sequence);
