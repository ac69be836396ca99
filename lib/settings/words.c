/* The words for the operator: rules, names and errors. */
#include "settings/value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void rule_of_names(const char *const *names, struct buffer *out)
{
    for (size_t i = 0; names[i] != NULL; i++) {
        const char *between = i == 0 ? "" : names[i + 1] == NULL ? " or " : ", ";
        buffer_printf(out, "%s%s", between, names[i]);
    }
}

static void rule_of_bounds(const struct setting *row, struct buffer *out)
{
    struct setting_value min = {.number = row->min, .real = row->min_f64};
    struct setting_value max = {.number = row->max, .real = row->max_f64};
    setting_format(row, &min, out);
    buffer_printf(out, " to ");
    setting_format(row, &max, out);
}

void setting_rule(const struct setting *row, char rule[SETTING_RULE_SIZE])
{
    struct buffer out = {0};
    switch (row->type) {
    case SETTING_TYPE_BOOL:
        buffer_printf(&out, "true or false");
        break;
    case SETTING_TYPE_ENUM:
        rule_of_names(row->names, &out);
        break;
    case SETTING_TYPE_TEXT:
        if (row->rule != NULL)
            buffer_printf(&out, "%s, ", row->rule);
        buffer_printf(&out, "%" PRIu64 " to %" PRIu64 " bytes without control characters", row->min,
                      row->max);
        break;
    case SETTING_TYPE_LIST:
        buffer_printf(&out, "a list of at most %" PRIu64 " entries", row->max);
        break;
    default:
        rule_of_bounds(row, &out);
    }
    snprintf(rule, SETTING_RULE_SIZE, "must be %.*s", TEXT_ARGS(buffer_text(&out)));
    buffer_free(&out);
}

struct setting_shown setting_show(struct text from)
{
    struct setting_shown shown = {0};
    bool good = text_is_utf8(from);
    size_t size = 0;
    while (size < from.size && size < sizeof shown.text - 4) {
        uint8_t byte = (uint8_t)from.data[size];
        bool printable = byte >= 0x20 && byte != 0x7F && (byte < 0x80 || good);
        shown.text[size] = printable ? from.data[size] : '?';
        size++;
    }
    if (size < from.size) {
        while (size > 0 && ((uint8_t)from.data[size] & 0xC0) == 0x80)
            size--; /* not in the middle of a character */
        memcpy(shown.text + size, "...", 4);
    }
    return shown;
}

int setting_complain(struct setting_place place, struct error_text *reterr_why, const char *format,
                     ...)
{
    struct error_text words;
    va_list args;
    va_start(args, format);
    vsnprintf(words.text, sizeof words.text, format, args);
    va_end(args);
    if (place.path == NULL)
        return error_text_set(reterr_why, -EINVAL, "%s", words.text);
    return error_text_set(reterr_why, -EINVAL, "%s:%zu: %s", place.path, place.line, words.text);
}

/* "scheme://user:***@host/name?***" */
static void mask_url(struct text url, struct buffer *out)
{
    const char *end = url.data + url.size;
    const char *start = memmem(url.data, url.size, "://", 3);
    const char *names = start == NULL ? NULL : memchr(start, '?', (size_t)(end - start));
    const char *shown_end = end;
    if (names != NULL && memmem(names, (size_t)(end - names), "password", 8) != NULL)
        shown_end = names + 1;
    const char *at = url.data;
    if (start != NULL) {
        start += 3;
        const char *host = memrchr(start, '@', (size_t)(shown_end - start));
        const char *password = host == NULL ? NULL : memchr(start, ':', (size_t)(host - start));
        if (password != NULL) {
            buffer_printf(out, "%.*s:***", (int)(password - at), at);
            at = host;
        }
    }
    buffer_printf(out, "%.*s%s", (int)(shown_end - at), at, shown_end == end ? "" : "***");
}

void setting_mask(const struct setting *row, struct text from, struct buffer *out)
{
    if (row->secret == SETTING_SECRET_IN_URL)
        mask_url(from, out);
    else
        buffer_printf(out, "%s", from.size == 0 ? "" : "***");
}

int setting_refuse(const struct setting *row, struct setting_place place, const char *name,
                   struct text value, struct error_text *reterr_why)
{
    char rule[SETTING_RULE_SIZE];
    setting_rule(row, rule);
    struct setting_shown shown = setting_show(row->secret == SETTING_OPEN ? value : TEXT("***"));
    return setting_complain(place, reterr_why, "'%s' is %s, %s", name,
                            value.size == 0 ? "empty" : shown.text, rule);
}

void setting_full_name(char name[SETTING_NAME_SIZE], const char *prefix, const char *key)
{
    snprintf(name, SETTING_NAME_SIZE, "%.220s%.127s", prefix, key);
}

void setting_item_name(char name[SETTING_NAME_SIZE], const char *list, size_t index)
{
    snprintf(name, SETTING_NAME_SIZE, "%.350s[%zu].", list, index);
}
