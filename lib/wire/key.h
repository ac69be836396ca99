/* What stands in subjects for a text of a user's, such as a user id: base64url (RFC 4648, section
 * 5) without padding. Pure. */
#pragma once

#include "base/macros.h"
#include "base/text.h"

enum { WIRE_KEY_MAX = (TEXT_USER_MAX * 4 + 2) / 3 };

/* At most TEXT_USER_MAX bytes become at most WIRE_KEY_MAX, not terminated. */
size_t wire_key_encode(struct text text, char key[WIRE_KEY_MAX]);
/* -EBADMSG when it is no base64url, too long, or not the one that wire_key_encode() makes: a text
 * has one key. */
MUST_USE int wire_key_decode(struct text key, char room[TEXT_USER_MAX], size_t *ret_size);
