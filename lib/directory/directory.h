/* What an edge believes about homes: a bounded cache of the directory, and whether the region's
 * mirror is current. Pure: answers and times come in, decisions go out; asking is the caller's job.
 *
 * An entry found is believed until it is replaced or pushed out (a wrong home answers "not home",
 * and the caller then forgets it). "Unknown" is believed for 2 s at most, and only of the primary:
 * a mirror may be behind though it was current a moment ago, by any of its servers. */
#pragma once

#include "base/macros.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct directory; /* opaque, see directory.c */

struct directory_settings {
    /* Entries kept. The one used longest ago goes first; of the unknown users, an eighth stays. */
    size_t users_max;
    int64_t unknown_ms; /* 2000 */
    int64_t current_ms; /* 5000 */
    unsigned buckets;   /* that the directory is split into, each with a heartbeat of its own */
};

enum directory_answer {
    DIRECTORY_FOUND,
    DIRECTORY_UNKNOWN, /* nobody has this user */
    DIRECTORY_ASK,     /* not in the cache: ask the mirror, then directory_learn() */
};
struct directory_beat {
    uint64_t position;
    int64_t stored_ms;
};
struct directory_home {
    char region[TEXT_REGION_MAX + 1];
    uint32_t epoch;
};

MUST_USE struct directory *directory_new(const struct directory_settings *settings); /* or NULL */
void directory_free(struct directory *directory);
enum directory_answer directory_look_up(struct directory *directory, struct text user,
                                        int64_t now_ms, struct directory_home *ret_home);
/* The mirror (or a claim) said: this home. A lower epoch than known is ignored. */
void directory_learn(struct directory *directory, struct text user,
                     const struct directory_home *home, int64_t now_ms);
/* The primary has no such user. False: a home known by now stands (a claim was faster than the
 * answer), look up again. */
MUST_USE bool directory_learn_absent(struct directory *directory, struct text user, int64_t now_ms);
void directory_forget(struct directory *directory, struct text user);
/* The primary's heartbeat as the mirror of a bucket shows it: where it stands, and when it was
 * stored. A higher position than the last proves the mirror current; the first one after the start
 * does not, since the mirror may have stood still for long. A lower one that was stored later is of
 * a bucket that was made anew: from then on its positions count. */
void directory_heartbeat(struct directory *directory, unsigned bucket,
                         const struct directory_beat *beat, int64_t now_ms);
/* Whether the bucket that would hold the user was known to be current within 5 s. */
bool directory_is_current_of(const struct directory *directory, struct text user, int64_t now_ms);
/* All of it. */
bool directory_is_current(const struct directory *directory, int64_t now_ms);
size_t directory_size(const struct directory *directory);
