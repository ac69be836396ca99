#include "wire/cursor.h"

#include <assert.h>
#include <string.h>

struct wire_cursor wire_cursor_of(const void *bytes, size_t size)
{
    return (struct wire_cursor){.next = bytes, .left = size};
}

void wire_fail(struct wire_cursor *in)
{
    *in = (struct wire_cursor){.failed = true};
}

/* The one place that moves a cursor. */
static bool take(struct wire_cursor *in, size_t size, const uint8_t **ret_at)
{
    if (in->failed || in->left < size) {
        wire_fail(in);
        return false;
    }
    *ret_at = in->next;
    if (size > 0) /* an empty input may be NULL, and nothing is added to that */
        in->next += size;
    in->left -= size;
    return true;
}

static uint64_t read_number(struct wire_cursor *in, size_t size)
{
    const uint8_t *at;
    uint64_t value = 0;
    if (!take(in, size, &at))
        return 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

uint8_t wire_read_u8(struct wire_cursor *in)
{
    return (uint8_t)read_number(in, 1);
}

uint16_t wire_read_u16(struct wire_cursor *in)
{
    return (uint16_t)read_number(in, 2);
}

uint32_t wire_read_u32(struct wire_cursor *in)
{
    return (uint32_t)read_number(in, 4);
}

uint64_t wire_read_u64(struct wire_cursor *in)
{
    return read_number(in, 8);
}

int64_t wire_read_i64(struct wire_cursor *in)
{
    return (int64_t)read_number(in, 8);
}

void wire_read_bytes(struct wire_cursor *in, void *to, size_t size)
{
    const uint8_t *at;
    if (!take(in, size, &at))
        memset(to, 0, size);
    else if (size > 0)
        memcpy(to, at, size);
}

static struct text read_text(struct wire_cursor *in, size_t size)
{
    const uint8_t *at;
    if (!take(in, size, &at) || size == 0)
        return TEXT("");
    return (struct text){.data = (const char *)at, .size = size};
}

struct text wire_read_text8(struct wire_cursor *in)
{
    return read_text(in, wire_read_u8(in));
}

struct text wire_read_text16(struct wire_cursor *in)
{
    return read_text(in, wire_read_u16(in));
}

struct text wire_read_text32(struct wire_cursor *in)
{
    return read_text(in, wire_read_u32(in));
}

struct wire_cursor wire_read_part(struct wire_cursor *in, size_t size)
{
    const uint8_t *at;
    if (!take(in, size, &at))
        return (struct wire_cursor){.failed = true};
    return wire_cursor_of(at, size);
}

struct wire_cursor wire_read_walked(struct wire_cursor *in, const struct wire_cursor *walked)
{
    if (walked->failed)
        wire_fail(in);
    return wire_read_part(in, in->left - walked->left);
}

struct text wire_read_checked(struct wire_cursor *in, bool (*is_good)(struct text))
{
    struct text text = wire_read_text8(in);
    if (!in->failed && is_good(text))
        return text;
    wire_fail(in);
    return TEXT("");
}

bool wire_done(const struct wire_cursor *in)
{
    return !in->failed && in->left == 0;
}

static void write_number(struct buffer *out, uint64_t value, size_t size)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
    buffer_append(out, bytes, size);
}

void wire_write_u8(struct buffer *out, uint8_t value)
{
    write_number(out, value, 1);
}

void wire_write_u16(struct buffer *out, uint16_t value)
{
    write_number(out, value, 2);
}

void wire_write_u32(struct buffer *out, uint32_t value)
{
    write_number(out, value, 4);
}

void wire_write_u64(struct buffer *out, uint64_t value)
{
    write_number(out, value, 8);
}

void wire_write_i64(struct buffer *out, int64_t value)
{
    write_number(out, (uint64_t)value, 8);
}

void wire_write_text8(struct buffer *out, struct text text)
{
    assert(text.size <= UINT8_MAX);
    wire_write_u8(out, (uint8_t)text.size);
    buffer_append_text(out, text);
}

void wire_write_text16(struct buffer *out, struct text text)
{
    assert(text.size <= UINT16_MAX);
    wire_write_u16(out, (uint16_t)text.size);
    buffer_append_text(out, text);
}

void wire_write_text32(struct buffer *out, struct text text)
{
    assert(text.size <= UINT32_MAX);
    wire_write_u32(out, (uint32_t)text.size);
    buffer_append_text(out, text);
}

void wire_write_checked(struct buffer *out, struct text text, bool (*is_good)(struct text))
{
    assert(is_good(text));
    wire_write_text8(out, text);
}

struct buffer wire_rewrite(const struct buffer *out, size_t at, size_t size)
{
    if (out->failed)
        return (struct buffer){.failed = true};
    assert(at <= out->size && size <= out->size - at);
    return (struct buffer){.data = out->data + at, .capacity = size};
}

void wire_patch_u32(struct buffer *out, size_t at, uint32_t value)
{
    struct buffer place = wire_rewrite(out, at, 4);
    wire_write_u32(&place, value);
}
