/* Reading and writing bytes, little-endian. The first failure sticks: a reader that ran short
 * returns zeros and empty texts from then on, and wire_done() says so once, at the end. */
#pragma once

#include "base/buffer.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire_cursor {
    const uint8_t *next;
    size_t left;
    bool failed;
};

struct wire_cursor wire_cursor_of(const void *bytes, size_t size); /* borrows */
uint8_t wire_read_u8(struct wire_cursor *in);
uint16_t wire_read_u16(struct wire_cursor *in);
uint32_t wire_read_u32(struct wire_cursor *in);
uint64_t wire_read_u64(struct wire_cursor *in);
int64_t wire_read_i64(struct wire_cursor *in);
void wire_read_bytes(struct wire_cursor *in, void *to, size_t size); /* zeros when short */
/* Borrowed from the input: a length (1, 2 or 4 bytes), then that many bytes. */
struct text wire_read_text8(struct wire_cursor *in);
struct text wire_read_text16(struct wire_cursor *in);
struct text wire_read_text32(struct wire_cursor *in);
/* A cursor over the next `size` bytes, which are passed over here. */
struct wire_cursor wire_read_part(struct wire_cursor *in, size_t size);
/* The bytes that `walked`, a copy of `in` that was read further, has passed; they are passed over
 * here too. Failed when `walked` is. */
struct wire_cursor wire_read_walked(struct wire_cursor *in, const struct wire_cursor *walked);
/* A text8 within its bounds: the cursor fails when `is_good` (of base/text.h) says no. */
struct text wire_read_checked(struct wire_cursor *in, bool (*is_good)(struct text));
/* For a value that was read whole and is out of its bounds. */
void wire_fail(struct wire_cursor *in);
/* Nothing failed and nothing is left. */
bool wire_done(const struct wire_cursor *in);

void wire_write_u8(struct buffer *out, uint8_t value);
void wire_write_u16(struct buffer *out, uint16_t value);
void wire_write_u32(struct buffer *out, uint32_t value);
void wire_write_u64(struct buffer *out, uint64_t value);
void wire_write_i64(struct buffer *out, int64_t value);
/* The text must fit its length field: asserted, callers check bounds before. */
void wire_write_text8(struct buffer *out, struct text text);
void wire_write_text16(struct buffer *out, struct text text);
void wire_write_text32(struct buffer *out, struct text text);
/* A text8 within its bounds: asserted. */
void wire_write_checked(struct buffer *out, struct text text, bool (*is_good)(struct text));
/* A buffer over `size` bytes that were written before at offset `at`, to write them again. Valid
 * until `out` changes; not to be freed. Failed when `out` is. */
struct buffer wire_rewrite(const struct buffer *out, size_t at, size_t size);
/* Overwrites four bytes written before at offset `at`. */
void wire_patch_u32(struct buffer *out, size_t at, uint32_t value);
