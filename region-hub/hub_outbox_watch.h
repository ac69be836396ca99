/* Whether an outbox ends before what was forwarded of it: then it was put back to an older state,
 * and new batches get sequences that the home has applied already and would pass over as repeats.
 * What the stream says is compared with what was known when it was asked, and believed when it says
 * so twice: a leader that is new may be a moment behind. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum hub_outbox_verdict {
    HUB_OUTBOX_GOOD,
    HUB_OUTBOX_DOUBTED, /* ask again soon */
    HUB_OUTBOX_REGRESSED,
};

struct hub_outbox_watch { /* zeroed at first */
    uint64_t asked_high;  /* the highest sequence known to have been stored, when it was asked */
    uint64_t last;        /* what it said last; 0: nothing yet */
    bool doubted;
};
void hub_outbox_asked(struct hub_outbox_watch *watch, uint64_t high);
enum hub_outbox_verdict hub_outbox_told(struct hub_outbox_watch *watch, uint64_t last);
/* Whether all up to `sequence` is known to be of the outbox as it is: it may be trimmed. */
bool hub_outbox_may_trim(const struct hub_outbox_watch *watch, uint64_t sequence);
