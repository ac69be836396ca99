#include "base/thread.h"

#include "base/clock.h"

#include <time.h>

int thread_join_until(pthread_t thread, int64_t due_ms)
{
    const int64_t left_ms = due_ms - clock_monotonic_ms();
    const int64_t until_ms = clock_wall_ms() + (left_ms < 0 ? 0 : left_ms);
    const struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    return -pthread_timedjoin_np(thread, NULL, &until);
}
