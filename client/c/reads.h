/* What a client has said its user has read, by sender: said once a connection, the last cursor of
 * each. Pure. */
#pragma once

#include "base/list.h"
#include "base/macros.h"

#include <stdbool.h>
#include <stddef.h>

enum { MERIDIAN_READS_MAX = 64 };

struct meridian_read {
    struct list link;
    char cursor[32];
    bool said; /* on this connection */
    char from[];
};

struct meridian_reads {
    struct list list; /* the one that was set last at the end */
    size_t count;
};

void meridian_reads_init(struct meridian_reads *reads);
void meridian_reads_done(struct meridian_reads *reads);
/* Takes the place of an earlier one of the same sender, or of the oldest that was said. -EINVAL:
 * the cursor is too long; -ENOBUFS; -ENOMEM. */
MUST_USE int meridian_reads_set(struct meridian_reads *reads, const char *from, const char *cursor);
/* What is to be said next, or NULL; the caller says it and sets `said`. */
struct meridian_read *meridian_reads_next(const struct meridian_reads *reads);
void meridian_reads_disconnected(struct meridian_reads *reads);
