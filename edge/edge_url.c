#include "edge/edge_url.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int edge_url_decode(struct text from, bool plus, char *room, size_t room_size,
                    struct text *ret_text)
{
    size_t size = 0;
    for (size_t at = 0; at < from.size; at++) {
        char c = from.data[at];
        if (c == '%') {
            int high = from.size - at < 3 ? -1 : hex_digit(from.data[at + 1]);
            int low = high < 0 ? -1 : hex_digit(from.data[at + 2]);
            if (low < 0)
                return -EINVAL;
            c = (char)(high << 4 | low);
            at += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        if (size == room_size)
            return -ENOSPC;
        room[size++] = c;
    }
    *ret_text = (struct text){.data = room, .size = size};
    return 0;
}

size_t edge_url_path_at(struct text target)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < COUNT_OF(schemes); i++) {
        size_t at = strlen(schemes[i]);
        if (target.size < at || strncasecmp(target.data, schemes[i], at) != 0)
            continue;
        while (at < target.size && target.data[at] != '/')
            at++;
        return at;
    }
    return 0;
}

bool edge_url_next(struct text *query, struct text *ret_key, struct text *ret_value)
{
    if (query->size == 0)
        return false;
    const char *end = memchr(query->data, '&', query->size);
    size_t size = end == NULL ? query->size : (size_t)(end - query->data);
    const char *equals = memchr(query->data, '=', size);
    size_t name = equals == NULL ? size : (size_t)(equals - query->data);
    size_t skip = equals == NULL ? size : name + 1;
    *ret_key = (struct text){.data = query->data, .size = name};
    *ret_value = (struct text){.data = query->data + skip, .size = size - skip};
    size_t used = end == NULL ? size : size + 1;
    query->data += used;
    query->size -= used;
    return true;
}

bool edge_url_query(struct text query, struct text key, struct text *ret_value)
{
    struct text found;
    struct text value;
    while (edge_url_next(&query, &found, &value)) {
        if (text_equal(found, key)) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

int edge_cursor_parse(struct text from, uint32_t *ret_epoch, uint64_t *ret_seq)
{
    const char *colon = from.size == 0 ? NULL : memchr(from.data, ':', from.size);
    if (colon == NULL)
        return -EINVAL;
    size_t size = (size_t)(colon - from.data);
    uint64_t epoch;
    uint64_t seq;
    if (text_to_u64((struct text){.data = from.data, .size = size}, UINT32_MAX, &epoch) != 0 ||
        text_to_u64((struct text){.data = colon + 1, .size = from.size - size - 1}, UINT64_MAX - 1,
                    &seq) != 0)
        return -EINVAL;
    *ret_epoch = (uint32_t)epoch;
    *ret_seq = seq;
    return 0;
}

void edge_cursor_write(char cursor[EDGE_CURSOR_MAX], uint32_t epoch, uint64_t seq)
{
    (void)snprintf(cursor, EDGE_CURSOR_MAX, "%" PRIu32 ":%" PRIu64, epoch, seq);
}
