#include "edge/edge_origin.h"

#include <string.h>

static bool is_small(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Takes the next of the list off it; false when none is left. */
static bool next_item(struct text *list, bool *more, struct text *ret_item)
{
    if (!*more)
        return false;
    const char *comma = memchr(list->data, ',', list->size);
    size_t size = comma == NULL ? list->size : (size_t)(comma - list->data);
    *ret_item = text_trim((struct text){.data = list->data, .size = size});
    *more = comma != NULL;
    if (*more)
        *list = (struct text){.data = comma + 1, .size = list->size - size - 1};
    return true;
}

bool edge_origins_allow(struct text list, struct text origin)
{
    bool more = true;
    struct text item;
    list = text_trim(list);
    if (list.size == 0 || text_equal(list, TEXT("*")))
        return true;
    while (next_item(&list, &more, &item))
        if (text_equal(item, origin))
            return true;
    return false;
}

/* What a setting may hold. */

static bool take_scheme(struct text *from, struct text *ret_scheme)
{
    size_t size = 0;
    while (size < from->size && (is_small(from->data[size]) || is_digit(from->data[size]) ||
                                 memchr("+-.", from->data[size], 3) != NULL))
        size++;
    *ret_scheme = (struct text){.data = from->data, .size = size};
    if (size == 0 || !is_small(from->data[0]) || from->size - size < 3 ||
        memcmp(from->data + size, "://", 3) != 0)
        return false;
    from->data += size + 3;
    from->size -= size + 3;
    return true;
}

static bool is_host_char(char c, bool v6)
{
    if (v6)
        return is_digit(c) || (c >= 'a' && c <= 'f') || c == ':' || c == '.';
    return is_digit(c) || is_small(c) || c == '.' || c == '-' || c == '_';
}

static bool take_host(struct text *from)
{
    bool v6 = from->size > 0 && from->data[0] == '[';
    size_t begin = v6 ? 1 : 0;
    size_t size = begin;
    while (size < from->size && is_host_char(from->data[size], v6))
        size++;
    if (size == begin || (v6 && (size == from->size || from->data[size] != ']')))
        return false;
    size += v6 ? 1 : 0;
    from->data += size;
    from->size -= size;
    return true;
}

/* ":8080"; browsers leave the scheme's own port out, so an origin with it would match nothing. */
static bool is_port(struct text from, struct text scheme)
{
    uint64_t port;
    if (from.size < 2 || from.data[0] != ':' || from.data[1] == '0' ||
        text_to_u64((struct text){.data = from.data + 1, .size = from.size - 1}, 65535, &port) != 0)
        return false;
    return !(text_equal(scheme, TEXT("https")) && port == 443) &&
           !(text_equal(scheme, TEXT("http")) && port == 80);
}

static bool is_origin(struct text from)
{
    struct text scheme;
    return take_scheme(&from, &scheme) && take_host(&from) &&
           (from.size == 0 || is_port(from, scheme));
}

bool edge_origins_are_valid(struct text list)
{
    bool more = true;
    struct text item;
    list = text_trim(list);
    if (list.size == 0 || text_equal(list, TEXT("*")))
        return true;
    while (next_item(&list, &more, &item))
        if (!is_origin(item))
            return false;
    return true;
}
