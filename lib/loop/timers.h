/* The timers of one loop: a binary heap of borrowed timers, the earliest first. Pure: times come
 * in. Among timers due at the same millisecond the order is not fixed. */
#pragma once

#include "loop/loop.h"

#include <stddef.h>

/* Zero-initialise; free with loop_timers_free(). */
struct loop_timers {
    struct loop_timer **heap;
    size_t count;
    size_t capacity;
};

void loop_timers_free(struct loop_timers *timers); /* forgets the timers that are still set */
/* Adds or moves `timer`. Ends the process when memory is short: nobody could go on without a timer
 * that he relies on, and a failure to be handled at every timer would be handled at none. */
void loop_timers_set(struct loop_timers *timers, struct loop_timer *timer, int64_t due_ms);
void loop_timers_stop(struct loop_timers *timers, struct loop_timer *timer);
/* Borrowed; NULL when none is set. */
struct loop_timer *loop_timers_first(const struct loop_timers *timers);
