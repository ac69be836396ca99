/* The origin's answer to what it holds last. Pure. */
#pragma once

#include "base/macros.h"
#include "base/text.h"

#include <stdint.h>

/* An answer of STREAM.MSG.GET: the position; 0 when the stream holds nothing. -EAGAIN: another
 * error; -EBADMSG. */
MUST_USE int revoked_answer_read(struct text json, uint64_t *ret_position);
