/* The bucket REVOKED in memory: all of it is read at the start, then what is new within half a
 * second, and once a minute all of it again, which cures whatever was missed (also a bucket that
 * was made anew, whose positions begin anew). Read is the nearest copy, as a rule the region's
 * mirror.
 *
 * Who begins asks the origin for its last position, so as not to take a mirror that is behind for
 * all there is. When the origin does not answer for `origin_ms`, what the mirror has counts, and
 * the log says so: a region that is cut off goes on letting people in. One loop, its thread. */
#pragma once

#include "auth/revocations.h"
#include "base/macros.h"

#include <stdbool.h>
#include <stdint.h>

struct bus;
struct revoked; /* opaque */

struct revoked_settings {
    struct bus *bus;   /* borrowed */
    size_t most;       /* that are kept */
    int64_t poll_ms;   /* 0: 500, how often what is new is asked for */
    int64_t again_ms;  /* 0: 60000, how often all is read again */
    int64_t origin_ms; /* 0: 10000, how long the origin is asked at the start */
};

/* NULL when memory is short. */
MUST_USE struct revoked *revoked_new(const struct revoked_settings *settings);
void revoked_free(struct revoked *revoked); /* NULL is fine */
/* Call it about ten times a second. True when somebody may be covered since the last call: who is
 * here already must be looked at. */
bool revoked_tick(struct revoked *revoked);
/* NULL: all is known. Else nobody must be let in: it has not been read yet, or holds more than
 * `most`. */
const char *revoked_why_not_ready(const struct revoked *revoked);
/* Whether who shows it must be kept out, by what is known. */
bool revoked_covers(const struct revoked *revoked, const struct auth_holder *holder);
