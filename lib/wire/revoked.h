/* A revocation: tokens that are good in themselves and must not be taken any more. What a value of
 * the bucket REVOKED is; the layout is in revoked.c. [format 1] */
#pragma once

#include "base/buffer.h"
#include "base/text.h"
#include "wire/cursor.h"

#include <stdint.h>

enum wire_revoked_kind {
    WIRE_REVOKED_USER = 1,       /* every token of the user, also one that is issued meanwhile */
    WIRE_REVOKED_DEVICE = 2,     /* every use of a token of the user by the device */
    WIRE_REVOKED_TOKEN = 3,      /* the token with this id */
    WIRE_REVOKED_BEFORE = 4,     /* the tokens of the user that were issued before a time */
    WIRE_REVOKED_ALL_BEFORE = 5, /* everybody's that were issued before a time */
};

/* Times in seconds since 1970, from 0 to the end of the year 9999. */
struct wire_revoked {
    enum wire_revoked_kind kind;
    int64_t at_s;         /* when it was revoked */
    int64_t until_s;      /* later; then all it is about has expired */
    struct text user;     /* all but TOKEN and ALL_BEFORE */
    struct text device;   /* DEVICE */
    struct text token_id; /* TOKEN */
    int64_t before_s;     /* BEFORE, ALL_BEFORE: those with a lower `iat` */
};

/* -EBADMSG malformed, -EPROTO a version or kind that is not known. Texts borrow the bytes. */
MUST_USE int wire_revoked_read(const void *bytes, size_t size, struct wire_revoked *ret_revoked);
/* Bounds are asserted. -ENOMEM. */
MUST_USE int wire_revoked_write(struct buffer *out, const struct wire_revoked *revoked);
