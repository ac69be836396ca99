#include "json/scan.h"

#include <errno.h>
#include <string.h>

const char *json_skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
        at++;
    return at;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* `at` is behind the backslash. */
static const char *scan_escape(const char *at, const char *end)
{
    if (at == end)
        return NULL;
    if (*at != 'u')
        return *at != '\0' && strchr("\"\\/bfnrt", *at) != NULL ? at + 1 : NULL;
    at++;
    if (end - at < 4 || !is_hex(at[0]) || !is_hex(at[1]) || !is_hex(at[2]) || !is_hex(at[3]))
        return NULL;
    return at + 4;
}

/* A run of bytes above ASCII is good when it is whole characters: no character spans its ends. */
static const char *scan_above_ascii(const char *at, const char *end)
{
    const char *start = at;
    while (at < end && (uint8_t)*at >= 0x80)
        at++;
    return text_is_utf8((struct text){start, (size_t)(at - start)}) ? at : NULL;
}

/* What may stand in a string as it is: ASCII but controls, quote and backslash. */
static const bool is_plain[256] = {
    [0x20 ... 0x21] = true, [0x23 ... 0x5B] = true, [0x5D ... 0x7F] = true};

const char *json_scan_string(const char *at, const char *end)
{
    if (at == end || *at != '"')
        return NULL;
    at++;
    while (at != NULL) {
        while (at < end && is_plain[(uint8_t)*at])
            at++;
        if (at == end)
            return NULL;
        if (*at == '"')
            return at + 1;
        if (*at == '\\')
            at = scan_escape(at + 1, end);
        else
            at = (uint8_t)*at >= 0x80 ? scan_above_ascii(at, end) : NULL;
    }
    return NULL;
}

static const char *scan_digits(const char *at, const char *end)
{
    if (at == end || !is_digit(*at))
        return NULL;
    while (at < end && is_digit(*at))
        at++;
    return at;
}

static const char *scan_number(const char *at, const char *end)
{
    if (at < end && *at == '-')
        at++;
    at = at < end && *at == '0' ? at + 1 : scan_digits(at, end);
    if (at != NULL && at < end && *at == '.')
        at = scan_digits(at + 1, end);
    if (at != NULL && at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-'))
            at++;
        at = scan_digits(at, end);
    }
    return at;
}

static const char *scan_word(const char *at, const char *end, struct text word)
{
    bool same = (size_t)(end - at) >= word.size && memcmp(at, word.data, word.size) == 0;
    return same ? at + word.size : NULL;
}

/* All but arrays and objects. */
static const char *scan_scalar(const char *at, const char *end, enum json_type *ret_type)
{
    switch (*at) {
    case '"':
        *ret_type = JSON_STRING;
        return json_scan_string(at, end);
    case 't':
        *ret_type = JSON_BOOL;
        return scan_word(at, end, TEXT("true"));
    case 'f':
        *ret_type = JSON_BOOL;
        return scan_word(at, end, TEXT("false"));
    case 'n':
        *ret_type = JSON_NULL;
        return scan_word(at, end, TEXT("null"));
    default:
        *ret_type = JSON_NUMBER;
        return scan_number(at, end);
    }
}

/* Arrays and objects that are open, as a bit each: 1 is an object. Not recursive: the depth a peer
 * may ask for costs a word, not stack. */
struct nest {
    uint32_t objects;
    unsigned depth;
};
_Static_assert(JSON_DEPTH_MAX <= 32, "a bit for each level");

static bool in_object(const struct nest *nest)
{
    return nest->objects & 1;
}

static void nest_enter(struct nest *nest, bool is_object)
{
    nest->objects = nest->objects << 1 | (is_object ? 1 : 0);
    nest->depth++;
}

static void nest_leave(struct nest *nest)
{
    nest->objects >>= 1;
    nest->depth--;
}

/* In an object: the key, its colon and the space around it. In an array: nothing. */
static const char *scan_key(const struct nest *nest, const char *at, const char *end)
{
    if (!in_object(nest))
        return at;
    at = json_scan_string(at, end);
    if (at == NULL)
        return NULL;
    at = json_skip_space(at, end);
    return at < end && *at == ':' ? json_skip_space(at + 1, end) : NULL;
}

static char closing(const struct nest *nest)
{
    return in_object(nest) ? '}' : ']';
}

/* `at` is behind a value: closes what ends here, and goes to the next value, or, when nothing is
 * open any more, stays behind the last. */
static const char *scan_to_next(struct nest *nest, const char *at, const char *end)
{
    while (nest->depth > 0) {
        at = json_skip_space(at, end);
        if (at == end)
            return NULL;
        if (*at == ',')
            return scan_key(nest, json_skip_space(at + 1, end), end);
        if (*at != closing(nest))
            return NULL;
        nest_leave(nest);
        at++;
    }
    return at;
}

/* `at` is on a bracket: enters it, and goes to its first value, or past it when it is empty. */
static const char *scan_open(struct nest *nest, const char *at, const char *end)
{
    nest_enter(nest, *at == '{');
    at = json_skip_space(at + 1, end);
    if (at < end && *at == closing(nest))
        return scan_to_next(nest, at, end);
    return scan_key(nest, at, end);
}

const char *json_scan_value(const char *at, const char *end, unsigned depth_max,
                            enum json_type *ret_type, int *reterr)
{
    struct nest nest = {0};
    enum json_type outermost = JSON_ABSENT;
    *reterr = -EBADMSG;
    do {
        enum json_type type = JSON_ABSENT;
        if (at == end)
            return NULL;
        if (*at != '{' && *at != '[') {
            at = scan_scalar(at, end, &type);
            at = at == NULL ? NULL : scan_to_next(&nest, at, end);
        } else if (nest.depth == depth_max) {
            *reterr = -E2BIG;
            return NULL;
        } else {
            type = *at == '{' ? JSON_OBJECT : JSON_ARRAY;
            at = scan_open(&nest, at, end);
        }
        if (outermost == JSON_ABSENT)
            outermost = type;
    } while (at != NULL && nest.depth > 0);
    if (at != NULL)
        *ret_type = outermost;
    return at;
}
