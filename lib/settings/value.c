#include "settings/value.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    uint64_t factor;
};
/* Largest first; the one of factor 1 is what a number without a unit means. */
static const struct unit duration_units[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1},
};
static const struct unit bytes_units[] = {
    {"TiB", 1ull << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1},
};

const struct setting *setting_find(const struct setting *table, struct text key)
{
    for (; table->key != NULL; table++)
        if (text_equal(text_of(table->key), key))
            return table;
    return NULL;
}

static int parse_with_unit(struct text from, const struct unit *units, size_t count,
                           uint64_t *ret_number)
{
    struct text digits = {from.data, 0};
    while (digits.size < from.size && from.data[digits.size] >= '0' &&
           from.data[digits.size] <= '9')
        digits.size++;
    struct text suffix = {from.data + digits.size, from.size - digits.size};
    for (size_t i = 0; i < count; i++) {
        bool is_bare = suffix.size == 0 && units[i].factor == 1;
        if (!is_bare && !text_equal(suffix, text_of(units[i].name)))
            continue;
        uint64_t number = 0;
        int err = text_to_u64(digits, UINT64_MAX / units[i].factor, &number);
        if (err == 0)
            *ret_number = number * units[i].factor;
        return err;
    }
    return -EINVAL;
}

/* Bytes of a real number: more would not print back as the same. */
enum { REAL_MAX = 24 };

/* Digits with an optional sign and fraction; no exponent, no hex, no "inf". */
static int parse_real(struct text from, double *ret_real)
{
    char copy[REAL_MAX + 1];
    if (from.size == 0 || text_put(copy, sizeof copy, from) < 0)
        return -EINVAL;
    size_t sign = copy[0] == '-' ? 1 : 0;
    size_t digits = strspn(copy + sign, "0123456789.");
    if (digits != strlen(copy + sign) || strchr("0123456789", copy[from.size - 1]) == NULL)
        return -EINVAL;
    char *end = NULL;
    double real = strtod(copy, &end);
    if (*end != '\0')
        return -EINVAL;
    *ret_real = real;
    return 0;
}

static int parse_bool(struct text from, uint64_t *ret_number)
{
    bool is_true = text_equal(from, TEXT("true"));
    if (!is_true && !text_equal(from, TEXT("false")))
        return -EINVAL;
    *ret_number = is_true;
    return 0;
}

static int parse_name(const char *const *names, struct text from, uint64_t *ret_number)
{
    for (uint64_t i = 0; names[i] != NULL; i++) {
        if (text_equal(from, text_of(names[i]))) {
            *ret_number = i;
            return 0;
        }
    }
    return -EINVAL;
}

static int parse_any(const struct setting *row, struct text from, struct setting_value *value)
{
    switch (row->type) {
    case SETTING_TYPE_U32:
    case SETTING_TYPE_U64:
        return text_to_u64(from, UINT64_MAX, &value->number);
    case SETTING_TYPE_F64:
        return parse_real(from, &value->real);
    case SETTING_TYPE_BOOL:
        return parse_bool(from, &value->number);
    case SETTING_TYPE_TEXT:
        value->text = from;
        return 0;
    case SETTING_TYPE_ENUM:
        return parse_name(row->names, from, &value->number);
    case SETTING_TYPE_DURATION:
        return parse_with_unit(from, duration_units, COUNT_OF(duration_units), &value->number);
    case SETTING_TYPE_BYTES:
        return parse_with_unit(from, bytes_units, COUNT_OF(bytes_units), &value->number);
    case SETTING_TYPE_LIST:
        break;
    }
    return -EINVAL;
}

int setting_parse(const struct setting *row, struct text from, struct setting_value *ret_value)
{
    struct setting_value value = {0};
    int err = parse_any(row, from, &value);
    if (err < 0)
        return err;
    if (!setting_allows(row, &value))
        return -ERANGE;
    *ret_value = value;
    return 0;
}

static bool has_controls(struct text text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = (uint8_t)text.data[i];
        bool c1 = byte == 0xC2 && i + 1 < text.size && (uint8_t)text.data[i + 1] < 0xA0;
        if (byte < 0x20 || byte == 0x7F || c1)
            return true;
    }
    return false;
}

static bool allows_text(const struct setting *row, struct text text)
{
    if (text.size < row->min || text.size > row->max || !text_is_utf8(text) || has_controls(text))
        return false;
    return text.size == 0 || row->valid == NULL || row->valid(text);
}

static size_t count_names(const char *const *names)
{
    size_t count = 0;
    while (names[count] != NULL)
        count++;
    return count;
}

bool setting_allows(const struct setting *row, const struct setting_value *value)
{
    switch (row->type) {
    case SETTING_TYPE_F64:
        return value->real >= row->min_f64 && value->real <= row->max_f64;
    case SETTING_TYPE_TEXT:
        return allows_text(row, value->text);
    case SETTING_TYPE_ENUM:
        return value->number < count_names(row->names);
    default:
        return value->number >= row->min && value->number <= row->max;
    }
}

void setting_write(const struct setting *row, void *owner, const struct setting_value *value)
{
    char *at = (char *)owner + row->offset;
    switch (row->type) {
    case SETTING_TYPE_U32:
    case SETTING_TYPE_ENUM:
        *(uint32_t *)(void *)at = (uint32_t)value->number;
        return;
    case SETTING_TYPE_U64:
    case SETTING_TYPE_DURATION:
    case SETTING_TYPE_BYTES:
        *(uint64_t *)(void *)at = value->number;
        return;
    case SETTING_TYPE_F64:
        *(double *)(void *)at = value->real;
        return;
    case SETTING_TYPE_BOOL:
        *(bool *)at = value->number != 0;
        return;
    case SETTING_TYPE_TEXT:
        assert(value->text.size < row->size);
        memset(at, 0, row->size);
        if (value->text.size > 0)
            memcpy(at, value->text.data, value->text.size);
        return;
    case SETTING_TYPE_LIST:
        return;
    }
}

struct setting_value setting_read(const struct setting *row, const void *owner)
{
    const char *at = (const char *)owner + row->offset;
    struct setting_value value = {0};
    switch (row->type) {
    case SETTING_TYPE_U32:
    case SETTING_TYPE_ENUM:
        value.number = *(const uint32_t *)(const void *)at;
        break;
    case SETTING_TYPE_U64:
    case SETTING_TYPE_DURATION:
    case SETTING_TYPE_BYTES:
        value.number = *(const uint64_t *)(const void *)at;
        break;
    case SETTING_TYPE_F64:
        value.real = *(const double *)(const void *)at;
        break;
    case SETTING_TYPE_BOOL:
        value.number = *(const bool *)at;
        break;
    case SETTING_TYPE_TEXT:
        value.text = (struct text){at, strnlen(at, row->size)};
        break;
    case SETTING_TYPE_LIST:
        break;
    }
    return value;
}

struct setting_value setting_initial(const struct setting *row)
{
    const char *text = row->initial_text == NULL ? "" : row->initial_text;
    return (struct setting_value){
        .number = row->initial, .real = row->initial_f64, .text = text_of(text)};
}

static void format_with_unit(struct buffer *out, const struct unit *units, uint64_t number)
{
    while (units->factor > 1 && (number == 0 || number % units->factor != 0))
        units++;
    buffer_printf(out, "%" PRIu64 "%s", number / units->factor, units->name);
}

static void format_real(struct buffer *out, double real)
{
    char text[400]; /* %f of the largest double has 309 digits */
    for (int digits = 0; digits < REAL_MAX; digits++) {
        snprintf(text, sizeof text, "%.*f", digits, real);
        if (strtod(text, NULL) == real)
            break;
    }
    buffer_printf(out, "%s", text);
}

/* YAML takes these for line breaks or for no characters at all: U+2028, U+2029, U+FEFF, U+FFFE and
 * U+FFFF, all of three bytes. 0 for any other. */
static unsigned special_character(struct text rest)
{
    if (rest.size < 3 || ((uint8_t)rest.data[0] != 0xE2 && (uint8_t)rest.data[0] != 0xEF))
        return 0;
    unsigned code = ((unsigned)rest.data[0] & 0x0F) << 12 | ((unsigned)rest.data[1] & 0x3F) << 6 |
                    ((unsigned)rest.data[2] & 0x3F);
    return code == 0x2028 || code == 0x2029 || code == 0xFEFF || code >= 0xFFFE ? code : 0;
}

static void format_text(struct buffer *out, struct text text)
{
    buffer_append(out, "\"", 1);
    while (text.size > 0) {
        unsigned special = special_character(text);
        size_t size = special != 0 ? 3 : 1;
        if (special != 0)
            buffer_printf(out, "\\u%04X", special);
        else if (text.data[0] == '"' || text.data[0] == '\\')
            buffer_printf(out, "\\%c", text.data[0]);
        else
            buffer_append(out, text.data, 1);
        text.data += size;
        text.size -= size;
    }
    buffer_append(out, "\"", 1);
}

void setting_format(const struct setting *row, const struct setting_value *value,
                    struct buffer *out)
{
    switch (row->type) {
    case SETTING_TYPE_U32:
    case SETTING_TYPE_U64:
        buffer_printf(out, "%" PRIu64, value->number);
        return;
    case SETTING_TYPE_F64:
        format_real(out, value->real);
        return;
    case SETTING_TYPE_BOOL:
        buffer_printf(out, "%s", value->number != 0 ? "true" : "false");
        return;
    case SETTING_TYPE_TEXT:
        format_text(out, value->text);
        return;
    case SETTING_TYPE_ENUM:
        buffer_printf(out, "%s", row->names[value->number]);
        return;
    case SETTING_TYPE_DURATION:
        format_with_unit(out, duration_units, value->number);
        return;
    case SETTING_TYPE_BYTES:
        format_with_unit(out, bytes_units, value->number);
        return;
    case SETTING_TYPE_LIST:
        return;
    }
}

void *setting_items(const struct setting *row, const void *owner, size_t *ret_count)
{
    const char *at = owner;
    void *items = NULL;
    memcpy(&items, at + row->offset, sizeof items);
    memcpy(ret_count, at + row->count_offset, sizeof *ret_count);
    return items;
}

void setting_set_items(const struct setting *row, void *owner, void *items, size_t count)
{
    char *at = owner;
    memcpy(at + row->offset, &items, sizeof items);
    memcpy(at + row->count_offset, &count, sizeof count);
}
