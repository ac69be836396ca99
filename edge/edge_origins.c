#include "edge/edge_origins.h"

#include <string.h>

/* The next item of a list with commas between; false at its end. */
static bool next_item(struct text *list, struct text *ret_item)
{
    if (list->data == NULL)
        return false;
    const char *comma = list->size == 0 ? NULL : memchr(list->data, ',', list->size);
    size_t size = comma == NULL ? list->size : (size_t)(comma - list->data);
    *ret_item = text_trim((struct text){.data = list->data, .size = size});
    *list = comma == NULL ? (struct text){NULL, 0}
                          : (struct text){.data = comma + 1, .size = list->size - size - 1};
    return true;
}

/* Takes what consists of these characters; false when there is none of them. */
static bool take(struct text *from, const char *characters)
{
    size_t size = 0;
    while (size < from->size && from->data[size] != '\0' &&
           strchr(characters, from->data[size]) != NULL)
        size++;
    from->data += size;
    from->size -= size;
    return size > 0;
}

#define LETTERS "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

static bool take_word(struct text *from, struct text word)
{
    if (from->size < word.size || memcmp(from->data, word.data, word.size) != 0)
        return false;
    from->data += word.size;
    from->size -= word.size;
    return true;
}

static bool take_host(struct text *from)
{
    if (take_word(from, TEXT("[")))
        return take(from, "abcdef" DIGITS ":.") && take_word(from, TEXT("]"));
    return take(from, LETTERS DIGITS "-._");
}

static bool is_origin(struct text item)
{
    return take(&item, LETTERS DIGITS "+-.") && take_word(&item, TEXT("://")) && take_host(&item) &&
           (!take_word(&item, TEXT(":")) || take(&item, DIGITS)) && item.size == 0;
}

bool edge_origins_are_any(struct text list)
{
    return text_equal(text_trim(list), TEXT("*"));
}

bool edge_origins_are_valid(struct text list)
{
    struct text item;
    if (text_trim(list).size == 0 || edge_origins_are_any(list))
        return true;
    while (next_item(&list, &item))
        if (!is_origin(item))
            return false;
    return true;
}

bool edge_origins_allow(struct text list, struct text origin)
{
    struct text item;
    if (origin.size == 0 || text_trim(list).size == 0)
        return false;
    if (edge_origins_are_any(list))
        return true;
    while (next_item(&list, &item))
        if (text_equal(item, origin))
            return true;
    return false;
}
