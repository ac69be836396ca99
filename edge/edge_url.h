/* The parts of a request's target that routes look at. Pure. */
#pragma once

#include "base/macros.h"
#include "base/text.h"

#include <stdbool.h>

/* Decodes %XX (and '+' as a space when `plus`) into `room`. -EINVAL for a bad escape, -ENOSPC. */
MUST_USE int edge_url_decode(struct text from, bool plus, char *room, size_t room_size,
                             struct text *ret_text);
/* Where the path begins in a request's target: 0, or behind the host of one that is a whole address
 * (RFC 7230, 5.3.2). Its size when there is none. */
size_t edge_url_path_at(struct text target);
/* Takes the next key and its raw value, which may be empty, from a query; false at its end. */
bool edge_url_next(struct text *query, struct text *ret_key, struct text *ret_value);
/* The raw value of `key` in a query, "a=1&b=2"; false when it is not there. The first one
 * counts. */
bool edge_url_query(struct text query, struct text key, struct text *ret_value);
/* "epoch:seq". -EINVAL. */
MUST_USE int edge_cursor_parse(struct text from, uint32_t *ret_epoch, uint64_t *ret_seq);
enum { EDGE_CURSOR_MAX = 10 + 1 + 20 + 1 }; /* with its terminator */
void edge_cursor_write(char cursor[EDGE_CURSOR_MAX], uint32_t epoch, uint64_t seq);
