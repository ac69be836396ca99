/* What the files of a token share. */
#pragma once

#include "auth/token.h"
#include "json/json.h"

/* A header or claims within AUTH_TOKEN_MAX, decoded. */
struct auth_part {
    char bytes[AUTH_TOKEN_MAX * 3 / 4];
    struct text json;
};

/* Decodes, and checks that it is an object with each member once. -EBADMSG. */
MUST_USE int auth_part_read(struct text from, struct auth_part *ret);
/* Judges the claims; adds to ret->reasons. */
void auth_claims_judge(const struct auth_settings *settings, const struct auth_part *claims,
                       int64_t now_ms, struct auth_verdict *ret);

static inline void auth_refuse(struct auth_verdict *verdict, enum auth_reason reason)
{
    verdict->reasons |= (uint32_t)1 << reason;
}
