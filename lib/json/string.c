/* What a string means, and how to write one. */
#include "json/json.h"

#include <errno.h>
#include <string.h>

static unsigned hex_value(char c)
{
    if (c <= '9')
        return (unsigned)(c - '0');
    return (unsigned)((c | 0x20) - 'a' + 10);
}

/* The four digits of "\uXXXX" at the start of `rest`; UINT32_MAX when it starts otherwise. */
static uint32_t unit_at(struct text rest)
{
    if (rest.size < 6 || rest.data[0] != '\\' || rest.data[1] != 'u')
        return UINT32_MAX;
    uint32_t unit = 0;
    for (size_t i = 2; i < 6; i++)
        unit = unit << 4 | hex_value(rest.data[i]);
    return unit;
}

/* Takes "\uXXXX", or two of them that are one character, off the front. -EILSEQ: a lone half. */
static int take_code(struct text *rest, uint32_t *ret_code)
{
    uint32_t code = unit_at(*rest);
    size_t size = 6;
    if (code >= 0xD800 && code <= 0xDFFF) {
        uint32_t low = unit_at((struct text){rest->data + 6, rest->size - 6});
        if (code > 0xDBFF || low < 0xDC00 || low > 0xDFFF)
            return -EILSEQ;
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        size = 12;
    }
    rest->data += size;
    rest->size -= size;
    *ret_code = code;
    return 0;
}

static size_t put_utf8(char room[4], uint32_t code)
{
    static const uint8_t first[] = {0, 0, 0xC0, 0xE0, 0xF0}; /* by size */
    size_t size = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--, code >>= 6)
        room[i] = (char)(0x80 | (code & 0x3F));
    room[0] = (char)(first[size] | code);
    return size;
}

static char short_escape(char letter)
{
    switch (letter) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return letter; /* quote, backslash, slash */
    }
}

/* Takes a piece off the front of what stands between the quotes: a run without escapes, or one
 * character, written to `room`. */
static int take_piece(struct text *rest, char room[4], struct text *ret_piece)
{
    const char *backslash = memchr(rest->data, '\\', rest->size);
    size_t run = backslash == NULL ? rest->size : (size_t)(backslash - rest->data);
    if (run > 0) {
        *ret_piece = (struct text){rest->data, run};
        rest->data += run;
        rest->size -= run;
        return 0;
    }
    if (rest->data[1] != 'u') {
        room[0] = short_escape(rest->data[1]);
        *ret_piece = (struct text){room, 1};
        rest->data += 2;
        rest->size -= 2;
        return 0;
    }
    uint32_t code = 0;
    int err = take_code(rest, &code);
    if (err == 0)
        *ret_piece = (struct text){room, put_utf8(room, code)};
    return err;
}

static struct text between_quotes(struct json_value value)
{
    return (struct text){value.raw.data + 1, value.raw.size - 2};
}

bool json_key_is(struct text key, struct text name)
{
    if (key.size == 0 || memchr(key.data, '\\', key.size) == NULL)
        return text_equal(key, name);
    char room[4];
    struct text piece = {0};
    while (key.size > 0) {
        if (take_piece(&key, room, &piece) < 0 || piece.size > name.size ||
            memcmp(piece.data, name.data, piece.size) != 0)
            return false;
        name.data += piece.size;
        name.size -= piece.size;
    }
    return name.size == 0;
}

int json_string_decode(struct json_value value, struct buffer *out)
{
    if (value.type != JSON_STRING)
        return -EINVAL;
    size_t before = out->size;
    char room[4];
    struct text piece = {0};
    for (struct text rest = between_quotes(value); rest.size > 0;) {
        int err = take_piece(&rest, room, &piece);
        if (err < 0) {
            out->size = before;
            return err;
        }
        buffer_append_text(out, piece);
    }
    if (out->failed)
        out->size = before;
    return out->failed ? -ENOMEM : 0;
}

int json_string_read(struct json_value value, char *room, size_t room_size, struct text *ret_text)
{
    if (value.type != JSON_STRING)
        return -EINVAL;
    struct text rest = between_quotes(value);
    if (rest.size == 0 || memchr(rest.data, '\\', rest.size) == NULL) {
        *ret_text = rest;
        return 0;
    }
    size_t size = 0;
    char character[4];
    struct text piece = {0};
    while (rest.size > 0) {
        int err = take_piece(&rest, character, &piece);
        if (err < 0)
            return err;
        if (piece.size > room_size - size)
            return -ENOSPC;
        memcpy(room + size, piece.data, piece.size);
        size += piece.size;
    }
    *ret_text = (struct text){room, size};
    return 0;
}

/* Bytes at the start that can be written as they are. */
static size_t plain_run(struct text text)
{
    size_t size = 0;
    while (size < text.size && (uint8_t)text.data[size] >= 0x20 && text.data[size] != '"' &&
           text.data[size] != '\\')
        size++;
    return size;
}

static void write_escape(struct buffer *out, char c)
{
    const char *found = strchr("\bb\ff\nn\rr\tt", c);
    if (c == '"' || c == '\\')
        buffer_printf(out, "\\%c", c);
    else if (found != NULL && c != '\0')
        buffer_printf(out, "\\%c", found[1]);
    else
        buffer_printf(out, "\\u%04x", (unsigned)(uint8_t)c);
}

/* Bytes of the good character at the start, 0 when it is none. */
static size_t character_size(struct text text)
{
    for (size_t size = 1; size <= 4 && size <= text.size; size++)
        if (text_is_utf8((struct text){text.data, size}))
            return size;
    return 0;
}

static void write_run(struct buffer *out, struct text run)
{
    if (text_is_utf8(run)) {
        buffer_append_text(out, run);
        return;
    }
    while (run.size > 0) {
        size_t size = character_size(run);
        if (size > 0)
            buffer_append(out, run.data, size);
        else
            buffer_append(out, "\xEF\xBF\xBD", 3);
        size = size > 0 ? size : 1;
        run.data += size;
        run.size -= size;
    }
}

void json_write_string(struct buffer *out, struct text text)
{
    buffer_append(out, "\"", 1);
    while (text.size > 0) {
        size_t run = plain_run(text);
        write_run(out, (struct text){text.data, run});
        text.data += run;
        text.size -= run;
        if (text.size == 0)
            break;
        write_escape(out, text.data[0]);
        text.data++;
        text.size--;
    }
    buffer_append(out, "\"", 1);
}
