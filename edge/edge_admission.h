/* Who may come in now: opening handshakes and logins by their rate, strangers by their number.
 *
 * After a failure everybody comes at once. A server that takes them all serves nobody: each waits
 * past its own time-out, and comes again. So what is above the rate is refused, cheaply, and told
 * when to come again, each at another time. Of the logins, only half of the burst is for new ones:
 * who was here before, and shows a cursor, finds room when they do not.
 *
 * A stranger has its handshake, but has not said who it is. Pure: time and chance come in. */
#pragma once

#include "base/macros.h"
#include "edge/edge_bucket.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is said to who is above a rate. */
#define EDGE_BUSY_CODE "busy"
#define EDGE_BUSY_MESSAGE "too many come at once"

enum { /* when whoever is refused is to come again: spread evenly between these */
       EDGE_ADMISSION_AGAIN_MIN_MS = 1000,
       EDGE_ADMISSION_AGAIN_MAX_MS = 10000,
};

struct edge_admission_settings {
    uint32_t handshakes_per_s;
    uint32_t handshakes_burst;
    uint32_t logins_per_s;
    uint32_t logins_burst;
    uint32_t strangers_max;
};

struct edge_admission {
    struct edge_admission_settings settings;
    struct edge_bucket handshakes;
    struct edge_bucket logins;
    size_t strangers;
    uint64_t chance; /* any number, another one in each process */
};

/* These return 0, or after how many ms to come again. `chance` is any random number. */

/* The client of one that may come is a stranger, until edge_admission_knows(). */
MUST_USE uint32_t edge_admission_greet(struct edge_admission *admission, int64_t now_ms);
/* It has said who it is, or has gone. */
void edge_admission_knows(struct edge_admission *admission);
/* `resumes`: it shows a cursor. */
MUST_USE uint32_t edge_admission_login(struct edge_admission *admission, bool resumes,
                                       int64_t now_ms);
