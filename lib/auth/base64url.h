/* base64url (RFC 4648, section 5) as tokens have it: without padding, and strict. Pure. */
#pragma once

#include "base/buffer.h"
#include "base/macros.h"
#include "base/text.h"

#include <stddef.h>
#include <stdint.h>

/* -EBADMSG for a character of another alphabet, padding, a length that no bytes have, or unused
 * bits of the last character that are not zero: there is one way to write each run of bytes.
 * -ENOSPC. An empty text is no bytes. */
MUST_USE int auth_base64url_read(struct text from, uint8_t *room, size_t room_size,
                                 size_t *ret_size);
void auth_base64url_write(struct buffer *out, const void *bytes, size_t size);
