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

/* Whether who shows a good token must be kept out. `device` is the one in use: that of the token or
 * of the hello; empty: not known. */
bool auth_revocations_cover(const struct auth_revocations *set,
                            const struct auth_identity *identity, struct text device,
                            int64_t now_s);

/* When the tokens that were issued up to `at_s` have all expired. */
int64_t auth_revoked_until_s(const struct auth_settings *settings, int64_t at_s);
