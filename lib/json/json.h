/* JSON (RFC 8259) over borrowed bytes: no tree and no memory. A value is a span of the bytes it was
 * found in, so what a sender wrote can be passed on byte for byte.
 *
 * Strict: UTF-8 only, no byte order mark, one value and nothing after it, at most JSON_DEPTH_MAX
 * arrays and objects inside each other. Everything is validated before it is handed out; an
 * iteration validates as it goes, so a text that was iterated to its end is good JSON. An escaped
 * lone surrogate ("\ud800") is good JSON, as the RFC has it, but json_string_...() refuse it.
 *
 *     struct json_value kind, body;
 *     const struct json_pick picks[] = {{"t", &kind}, {"body", &body}};
 *     int err = json_object_pick(frame, picks, COUNT_OF(picks));
 *
 * Everything is pure and safe on any bytes, from any thread. */
#pragma once

#include "base/buffer.h"
#include "base/macros.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JSON_DEPTH_MAX = 32 };

enum json_type {
    JSON_ABSENT, /* a zeroed value: was not there */
    JSON_NULL,
    JSON_BOOL,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
};

struct json_value {
    enum json_type type;
    struct text raw; /* exactly its bytes, no white space around; a string with its quotes */
};

struct json_member {
    struct text key; /* between its quotes, escapes as they stand: compare with json_key_is() */
    struct json_value value;
};

/* In all functions below: -EBADMSG is not JSON, -E2BIG is nested too deep, -EINVAL is JSON of
 * another type than asked for. */

/* Validates the whole text, white space around the value included. */
MUST_USE int json_parse(struct text text, struct json_value *ret_value);

/* What an iteration is at. Made by json_object_open() or json_array_open(). */
struct json_reader {
    const char *next;
    const char *end;
    enum { JSON_AT_FIRST, JSON_AT_NEXT, JSON_AT_END } place;
    int failed; /* sticks */
};
/* `text` is a whole document or the raw bytes of a value. */
MUST_USE int json_object_open(struct json_reader *reader, struct text text);
MUST_USE int json_array_open(struct json_reader *reader, struct text text);
/* 1 and a member or an element; 0 at the end, when nothing but white space follows; or negative. */
MUST_USE int json_object_next(struct json_reader *reader, struct json_member *ret_member);
MUST_USE int json_array_next(struct json_reader *reader, struct json_value *ret_value);
/* Whether a member's key, its escapes resolved, is `name`. */
bool json_key_is(struct text key, struct text name);

/* Finds wanted members in one pass that validates the whole text; those that are not there become
 * JSON_ABSENT. -EEXIST when a wanted key stands there twice: which one counts must not depend on
 * who reads it. Keys nobody asks for may repeat, also inside values. On failure all are
 * JSON_ABSENT. */
struct json_pick {
    const char *key;
    struct json_value *ret_value;
};
MUST_USE int json_object_pick(struct text text, const struct json_pick *picks, size_t count);

/* Appends the decoded string. -EILSEQ for a lone surrogate, -ENOMEM; `out` is then unchanged. May
 * contain NUL, from \u0000. */
MUST_USE int json_string_decode(struct json_value value, struct buffer *out);
/* The decoded string without memory: borrowed from `value` itself when it has no escapes, else
 * written to `room` and borrowed from there. -ENOSPC when it has escapes and does not fit. */
MUST_USE int json_string_read(struct json_value value, char *room, size_t room_size,
                              struct text *ret_text);
/* Whole numbers as digits only, without fraction or exponent (-EINVAL); -ERANGE outside. */
MUST_USE int json_to_u64(struct json_value value, uint64_t max, uint64_t *ret_number);
MUST_USE int json_to_i64(struct json_value value, int64_t *ret_number);
MUST_USE int json_to_bool(struct json_value value, bool *ret_flag);

/* Appends `text` as a JSON string with its quotes. Bytes that are no UTF-8 become U+FFFD. */
void json_write_string(struct buffer *out, struct text text);
