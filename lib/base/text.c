#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct text text_of(const char *string)
{
    return (struct text){.data = string, .size = strlen(string)};
}

bool text_equal(struct text a, struct text b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct text text_trim(struct text from)
{
    while (from.size > 0 && is_blank(from.data[0])) {
        from.data++;
        from.size--;
    }
    while (from.size > 0 && is_blank(from.data[from.size - 1]))
        from.size--;
    return from;
}

char *text_copy(struct text from)
{
    char *copy = malloc(from.size + 1);
    if (copy == NULL)
        return NULL;
    if (from.size > 0)
        memcpy(copy, from.data, from.size);
    copy[from.size] = '\0';
    return copy;
}

int text_put(char *to, size_t to_size, struct text from)
{
    if (from.size >= to_size)
        return -ENOSPC;
    if (from.size > 0)
        memcpy(to, from.data, from.size);
    to[from.size] = '\0';
    return 0;
}

int text_to_u64(struct text from, uint64_t max, uint64_t *ret_value)
{
    if (from.size == 0)
        return -EINVAL;
    uint64_t value = 0;
    for (size_t i = 0; i < from.size; i++) {
        if (from.data[i] < '0' || from.data[i] > '9')
            return -EINVAL;
        uint64_t digit = (uint64_t)(from.data[i] - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return -ERANGE;
        value = value * 10 + digit;
    }
    if (value > max)
        return -ERANGE;
    *ret_value = value;
    return 0;
}

/* Bytes of the character that starts at `at`, 0 when it is not well formed (RFC 3629, section
 * 4). */
static size_t character_size(const uint8_t *at, size_t left)
{
    uint8_t first = at[0];
    if (first < 0x80)
        return 1;
    size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || left < size)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    bool overlong = (first == 0xE0 && at[1] < 0xA0) || (first == 0xF0 && at[1] < 0x90);
    bool surrogate = first == 0xED && at[1] > 0x9F;
    bool too_high = first == 0xF4 && at[1] > 0x8F;
    return overlong || surrogate || too_high ? 0 : size;
}

bool text_is_utf8(struct text from)
{
    const uint8_t *at = (const uint8_t *)from.data;
    for (size_t left = from.size; left > 0;) {
        size_t size = character_size(at, left);
        if (size == 0)
            return false;
        at += size;
        left -= size;
    }
    return true;
}

bool text_is_user_id(struct text from)
{
    if (from.size == 0 || from.size > TEXT_USER_MAX || !text_is_utf8(from))
        return false;
    for (size_t i = 0; i < from.size; i++) {
        uint8_t byte = (uint8_t)from.data[i];
        bool c1 = byte == 0xC2 && (uint8_t)from.data[i + 1] < 0xA0; /* U+0080 to U+009F */
        if (byte < 0x20 || byte == 0x7F || c1)
            return false;
    }
    return true;
}

static bool is_printable_ascii(struct text from, size_t max)
{
    if (from.size == 0 || from.size > max)
        return false;
    for (size_t i = 0; i < from.size; i++)
        if (from.data[i] <= 0x20 || from.data[i] >= 0x7F)
            return false;
    return true;
}

bool text_is_message_id(struct text from)
{
    return is_printable_ascii(from, TEXT_MESSAGE_ID_MAX);
}

bool text_is_device_id(struct text from)
{
    return is_printable_ascii(from, TEXT_DEVICE_MAX);
}

static bool is_name(struct text from, size_t max)
{
    if (from.size == 0 || from.size > max)
        return false;
    for (size_t i = 0; i < from.size; i++) {
        char c = from.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return from.data[0] != '-' && from.data[from.size - 1] != '-';
}

bool text_is_region_name(struct text from)
{
    return is_name(from, TEXT_REGION_MAX);
}

bool text_is_process_name(struct text from)
{
    return is_name(from, TEXT_PROCESS_MAX);
}

bool text_is_word(struct text from)
{
    if (from.size == 0 || from.size > TEXT_WORD_MAX)
        return false;
    for (size_t i = 0; i < from.size; i++) {
        char c = from.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'))
            return false;
    }
    return true;
}
