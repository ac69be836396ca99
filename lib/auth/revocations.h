/* The tokens that must not be taken any more, in memory: what the bucket REVOKED holds. Pure: the
 * time comes in. One thread.
 *
 * A revocation is kept until its `until_s`: the tokens it is about have expired then, since none
 * lives longer than the longest lifetime (auth_token_judge()). So the set stays small. A user who
 * was shut out is let in again after that, with a token that was issued later. */
#pragma once

#include "auth/token.h"
#include "base/macros.h"
#include "wire/revoked.h"

#include <stdint.h>

struct auth_revocations; /* opaque */

/* Keeps at most `most`. NULL when memory is short. */
MUST_USE struct auth_revocations *auth_revocations_new(size_t most);
void auth_revocations_free(struct auth_revocations *set); /* NULL is fine */
/* Takes one, in the place of an earlier one about the same user, device or token of the same kind.
 * What is over by `now_s` takes that one away. -ENOSPC when the set is full of what is not over;
 * nothing is pushed out, for that would let somebody in. -ENOMEM. */
MUST_USE int auth_revocations_put(struct auth_revocations *set, const struct wire_revoked *revoked,
                                  int64_t now_s);
/* Drops what is over; returns how many. Walks all: once a minute is enough, since what is over
 * covers nothing anyway. */
size_t auth_revocations_expire(struct auth_revocations *set, int64_t now_s);
size_t auth_revocations_count(const struct auth_revocations *set);
/* Grows whenever somebody is covered who was not, or may be. */
uint64_t auth_revocations_version(const struct auth_revocations *set);

/* Of a good token, what a revocation may be about. Borrowed. */
struct auth_holder {
    struct text user;
    struct text device;   /* the one in use: that of the token or of the hello; empty: not known */
    struct text token_id; /* empty: it has none */
    int64_t issued_at_s;
};
/* `device` empty: that of the token. Borrows `identity`. */
struct auth_holder auth_holder_of(const struct auth_identity *identity, struct text device);
/* Whether who shows it must be kept out. */
bool auth_revocations_cover(const struct auth_revocations *set, const struct auth_holder *holder,
                            int64_t now_s);

/* When the tokens that were issued up to `at_s` have all expired. */
int64_t auth_revoked_until_s(const struct auth_settings *settings, int64_t at_s);
