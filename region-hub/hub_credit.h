/* What is on its way to one device: messages and bytes sent and not yet acknowledged by it. Sizes
 * are kept in a few runs, so a device costs the same whatever the credit; a run is released when
 * all of it is acknowledged. What a gap announces takes a place in the order and no credit. Pure.
 * Zeroed but for `sent` and `acked`, which begin equal. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HUB_CREDIT_RUNS = 8 };

struct hub_credit {
    uint64_t sent;  /* the last seq sent */
    uint64_t acked; /* the last seq acknowledged by the device */
    struct hub_credit_run {
        uint64_t last; /* seq */
        uint64_t bytes;
        uint64_t count;      /* messages */
        bool holed;          /* there was a gap between them */
    } runs[HUB_CREDIT_RUNS]; /* oldest first */
    uint32_t run_count;
    uint64_t bytes; /* of all runs */
};

struct hub_credit_limits {
    uint32_t messages;
    uint64_t bytes;
};

/* Messages that may still go, by number. */
uint64_t hub_credit_messages(const struct hub_credit *credit, const struct hub_credit_limits *max);
/* Whether a message of `size` may go. One may always go when nothing is on its way. */
bool hub_credit_allows(const struct hub_credit *credit, const struct hub_credit_limits *max,
                       size_t size);
/* The message after `sent` was sent. */
void hub_credit_send(struct hub_credit *credit, const struct hub_credit_limits *max, size_t size);
/* All after `sent` up to `to` was announced as a gap, or has arrived after all since it was set
 * back. It is never waited for: a device need not acknowledge a gap. */
void hub_credit_skip(struct hub_credit *credit, uint64_t to);
/* The device has acknowledged all up to `seq`. */
void hub_credit_ack(struct hub_credit *credit, uint64_t seq);
/* What was sent after `seq` counts as not sent. */
void hub_credit_go_back(struct hub_credit *credit, uint64_t seq);
