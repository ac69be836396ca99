#include "bus/json_scan.h"

#include <string.h>

enum { DEPTH_MAX = 32 };

struct json_scan json_scan_of(struct text text)
{
    return (struct json_scan){.next = text.data, .end = text.data + text.size};
}

static bool fail(struct json_scan *scan)
{
    scan->failed = true;
    return false;
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

/* The next byte that is no blank, not consumed; '\0' at the end. */
static char peek(struct json_scan *scan)
{
    while (scan->next < scan->end && is_blank(*scan->next))
        scan->next++;
    return scan->failed || scan->next == scan->end ? '\0' : *scan->next;
}

static bool take(struct json_scan *scan, char wanted)
{
    if (wanted == '\0' || peek(scan) != wanted)
        return fail(scan);
    scan->next++;
    return true;
}

/* A string without its quotes, escapes as they stand. */
static bool take_string(struct json_scan *scan, struct text *ret_raw)
{
    if (!take(scan, '"'))
        return false;
    const char *start = scan->next;
    while (scan->next < scan->end && *scan->next != '"') {
        if ((unsigned char)*scan->next < 0x20)
            return fail(scan);
        scan->next += *scan->next == '\\' ? 2 : 1;
    }
    if (scan->next >= scan->end)
        return fail(scan);
    *ret_raw = (struct text){.data = start, .size = (size_t)(scan->next - start)};
    scan->next++;
    return true;
}

void json_scan_open(struct json_scan *scan)
{
    scan->first = take(scan, '{');
}

bool json_scan_key(struct json_scan *scan, struct text *ret_key)
{
    if (peek(scan) == '}') {
        scan->next++;
        scan->first = false;
        return false;
    }
    if (!scan->first && !take(scan, ','))
        return false;
    scan->first = false;
    return take_string(scan, ret_key) && take(scan, ':');
}

uint64_t json_scan_u64(struct json_scan *scan)
{
    if (peek(scan) == '\0') {
        fail(scan);
        return 0;
    }
    const char *start = scan->next;
    while (scan->next < scan->end && *scan->next >= '0' && *scan->next <= '9')
        scan->next++;
    uint64_t value = 0;
    struct text digits = {.data = start, .size = (size_t)(scan->next - start)};
    if (text_to_u64(digits, UINT64_MAX, &value) != 0)
        fail(scan);
    return value;
}

void json_scan_string(struct json_scan *scan, char *to, size_t to_size)
{
    struct text raw;
    if (!take_string(scan, &raw))
        return;
    size_t used = 0;
    for (size_t i = 0; i < raw.size && used + 1 < to_size; i++) {
        if (raw.data[i] == '\\')
            i += i + 1 < raw.size && raw.data[i + 1] == 'u' ? 5 : 1;
        else
            to[used++] = raw.data[i];
    }
    to[used] = '\0';
}

/* Numbers and words: nothing here is asked what they say. */
static void skip_bare(struct json_scan *scan)
{
    const char *start = scan->next;
    while (scan->next < scan->end &&
           strchr("+-.0123456789abcdefghijklmnopqrstuvwxyzE", *scan->next) != NULL &&
           *scan->next != '\0')
        scan->next++;
    if (scan->next == start)
        fail(scan);
}

static void skip_nested(struct json_scan *scan, int depth)
{
    struct text ignored;
    char first = peek(scan);
    if (depth == 0) {
        fail(scan);
    } else if (first == '"') {
        take_string(scan, &ignored);
    } else if (first == '{') {
        json_scan_open(scan);
        while (json_scan_key(scan, &ignored))
            skip_nested(scan, depth - 1);
    } else if (first == '[') {
        take(scan, '[');
        if (peek(scan) == ']') {
            take(scan, ']');
            return;
        }
        do
            skip_nested(scan, depth - 1);
        while (peek(scan) == ',' && take(scan, ','));
        take(scan, ']');
    } else {
        skip_bare(scan);
    }
}

void json_scan_skip(struct json_scan *scan)
{
    skip_nested(scan, DEPTH_MAX);
}

bool json_scan_done(struct json_scan *scan)
{
    return peek(scan) == '\0' && scan->next == scan->end && !scan->failed;
}
