/* How a line looks. Pure but for the name of the process, which is set before threads start. */
#include "log/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static char log_name[LOG_NAME_MAX + 1] = "meridian";

static const char *const level_names[] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARNING] = "warning",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};

int log_level_parse(struct text name, enum log_level *ret_level)
{
    for (size_t i = 0; i < COUNT_OF(level_names); i++) {
        if (text_equal(name, text_of(level_names[i]))) {
            *ret_level = (enum log_level)i;
            return 0;
        }
    }
    return -EINVAL;
}

void log_set_name(const char *name)
{
    snprintf(log_name, sizeof log_name, "%s", name);
}

/* A line being written; what does not fit is dropped, and `full` says so. */
struct line {
    char *bytes;
    size_t size;
    size_t max;
    bool full;
};

static void add(struct line *line, const char *bytes, size_t size)
{
    if (line->full || size > line->max - line->size) {
        line->full = true; /* nothing shorter may follow in the place of what is missing */
        return;
    }
    memcpy(line->bytes + line->size, bytes, size);
    line->size += size;
}

static void add_string(struct line *line, const char *string)
{
    add(line, string, strlen(string));
}

static void add_time(struct line *line, int64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm utc = {0};
    char text[64];
    gmtime_r(&seconds, &utc);
    size_t size = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    add(line, text, size);
    snprintf(text, sizeof text, ".%03dZ", (int)(wall_ms % 1000));
    add_string(line, text);
}

/* Characters that only change how others look: they turn a line's direction, or end it. */
static bool is_misleading(struct text character)
{
    static const struct {
        uint8_t bytes[3];
        uint8_t last; /* of the range, in its last byte */
    } ranges[] = {
        {{0xE2, 0x80, 0x8E}, 0x8F}, /* U+200E and U+200F: marks of direction */
        {{0xE2, 0x80, 0xA8}, 0xAE}, /* U+2028 to U+202E: separators, embeddings and overrides */
        {{0xE2, 0x81, 0xA6}, 0xA9}, /* U+2066 to U+2069: isolates */
    };
    if (text_equal(character, TEXT("\xD8\x9C"))) /* U+061C: the Arabic mark of direction */
        return true;
    for (size_t i = 0; character.size == 3 && i < COUNT_OF(ranges); i++) {
        uint8_t last = (uint8_t)character.data[2];
        if (memcmp(character.data, ranges[i].bytes, 2) == 0 && last >= ranges[i].bytes[2] &&
            last <= ranges[i].last)
            return true;
    }
    return false;
}

/* Bytes of the printable character at the start of `rest`; 0 when the byte must be escaped. */
static size_t printable_size(struct text rest)
{
    uint8_t first = (uint8_t)rest.data[0];
    if (first < 0x80)
        return first >= 0x20 && first != 0x7F ? 1 : 0;
    size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (size > rest.size || !text_is_utf8((struct text){rest.data, size}))
        return 0;
    bool c1 = first == 0xC2 && (uint8_t)rest.data[1] < 0xA0; /* U+0080 to U+009F */
    return c1 || is_misleading((struct text){rest.data, size}) ? 0 : size;
}

static void add_escaped_byte(struct line *line, char byte)
{
    char hex[8];
    switch (byte) {
    case '\n':
        add_string(line, "\\n");
        return;
    case '\r':
        add_string(line, "\\r");
        return;
    case '\t':
        add_string(line, "\\t");
        return;
    default:
        snprintf(hex, sizeof hex, "\\x%02x", (unsigned)(uint8_t)byte);
        add_string(line, hex);
    }
}

static void add_escaped(struct line *line, struct text text)
{
    while (text.size > 0) {
        size_t size = printable_size(text);
        if (size == 0) {
            add_escaped_byte(line, text.data[0]);
            size = 1;
        } else {
            if (text.data[0] == '"' || text.data[0] == '\\')
                add_string(line, "\\");
            add(line, text.data, size);
        }
        text.data += size;
        text.size -= size;
    }
}

static bool needs_quotes(struct text text)
{
    for (size_t i = 0; i < text.size; i++) {
        struct text rest = {text.data + i, text.size - i};
        bool special = strchr(" \"\\=", text.data[i]) != NULL; /* also NUL, its terminator */
        size_t size = special ? 0 : printable_size(rest);
        if (size == 0)
            return true;
        i += size - 1;
    }
    return text.size == 0;
}

static void add_text(struct line *line, struct text text)
{
    bool cut = text.size > LOG_VALUE_MAX;
    if (cut)
        text.size = LOG_VALUE_MAX;
    bool quotes = needs_quotes(text);
    add_string(line, quotes ? "\"" : "");
    add_escaped(line, text);
    add_string(line, cut ? "..." : "");
    add_string(line, quotes ? "\"" : "");
}

static void add_errno(struct line *line, int64_t number)
{
    int code = (int)(number < 0 ? -number : number);
    const char *words = strerrordesc_np(code); /* no locale, no shared buffer */
    char unknown[32];
    snprintf(unknown, sizeof unknown, "errno %d", code);
    add_text(line, text_of(words != NULL ? words : unknown));
}

static void add_value(struct line *line, const struct log_field *field)
{
    char number[64];
    switch (field->kind) {
    case LOG_KIND_TEXT:
        add_text(line, field->value.text);
        return;
    case LOG_KIND_ERRNO:
        add_errno(line, field->value.i64);
        return;
    case LOG_KIND_BOOL:
        add_string(line, field->value.flag ? "true" : "false");
        return;
    case LOG_KIND_U64:
        snprintf(number, sizeof number, "%" PRIu64, field->value.u64);
        break;
    case LOG_KIND_I64:
        snprintf(number, sizeof number, "%" PRId64, field->value.i64);
        break;
    case LOG_KIND_F64:
        snprintf(number, sizeof number, "%.6g", field->value.f64);
        break;
    }
    add_string(line, number);
}

size_t log_format(char *line_bytes, size_t size, int64_t wall_ms, enum log_level level,
                  const char *sentence, const struct log_field *fields)
{
    if (size == 0)
        return 0;
    struct line line = {.bytes = line_bytes, .max = size - 1}; /* the newline always fits */
    add_time(&line, wall_ms);
    add_string(&line, " ");
    add_string(&line, level_names[level]);
    add_string(&line, " ");
    add_escaped(&line, text_of(log_name));
    add_string(&line, ": ");
    add_escaped(&line, text_of(sentence));
    for (; fields->key != NULL; fields++) {
        add_string(&line, " ");
        add_string(&line, fields->key);
        add_string(&line, "=");
        add_value(&line, fields);
    }
    line.bytes[line.size++] = '\n';
    return line.size;
}
