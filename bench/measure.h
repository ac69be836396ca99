/* What the measuring programs share: giving up, CPU time, and random numbers, the same in every
 * run. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

static inline void must(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "the measurement failed: %s\n", what);
    exit(1);
}

/* Of this process, user and system. */
static inline int64_t cpu_us(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (int64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
           usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

/* xorshift64; `state` is not 0. */
static inline uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}
