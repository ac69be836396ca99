/* Whether messages have waited for home moves for too long: a move takes seconds, so something is
 * in the way of those that are held, or of those that are to be passed on. Pure. */
#pragma once

#include "mailbox/mailbox.h"

enum { HUB_WAITS_LONG_MS = 60000 }; /* twice what a move may take before it is given up */

struct hub_waits {    /* zeroed at first, and when another view is opened */
    uint64_t first;   /* the oldest notice when one was to be passed on; 0: none was */
    int64_t since_ms; /* since when it is the oldest */
};
/* How many messages wait, of a kind of which one has waited for long; 0: none has. `log_ms` is log
 * time now, `now_ms` monotonic. */
uint64_t hub_waits_long(struct hub_waits *waits, const struct mailbox_moving *moving,
                        uint64_t notices_first, int64_t log_ms, int64_t now_ms);
