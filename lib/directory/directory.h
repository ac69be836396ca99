/* What an edge believes about homes: a bounded cache of the directory, and whether the region's
 * mirror is current. Pure: answers and times come in, decisions go out; asking is the caller's job.
 *
 * An entry found is believed until it is replaced or pushed out (a wrong home answers "not home",
 * and the caller then forgets it). "Unknown" is believed for 2 s at most, and only when the mirror
 * was known to be current within 5 s; else the answer is unsure. */
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
    DIRECTORY_UNSURE,  /* not found, by a mirror that may be behind */
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
/* The mirror has no such user. Returns what that means now: UNKNOWN or UNSURE. A home known by now
 * stands (a claim was faster than the mirror), and the answer is UNSURE: look up again. */
enum directory_answer directory_learn_absent(struct directory *directory, struct text user,
                                             int64_t now_ms);
void directory_forget(struct directory *directory, struct text user);
/* The primary's heartbeat as the mirror of a bucket shows it: where it stands, and when it was
 * stored. A higher position than the last proves the mirror current; the first one after the start
 * does not, since the mirror may have stood still for long. A lower one that was stored later is of
 * a bucket that was made anew: from then on its positions count. */
void directory_heartbeat(struct directory *directory, unsigned bucket,
                         const struct directory_beat *beat, int64_t now_ms);
/* All of it. */
bool directory_is_current(const struct directory *directory, int64_t now_ms);
size_t directory_size(const struct directory *directory);
