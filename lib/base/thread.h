/* What pthreads lack. Any thread. */
#pragma once

#include "base/macros.h"

#include <pthread.h>
#include <stdint.h>

/* Waits until the thread has ended, or until `due_ms` by clock_monotonic_ms(): then -ETIMEDOUT, and
 * it may be waited for again. 0: it has ended, and its resources are freed. */
MUST_USE int thread_join_until(pthread_t thread, int64_t due_ms);
