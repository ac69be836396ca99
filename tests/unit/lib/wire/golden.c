#include "golden.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void load_line(struct buffer *bytes, char *line)
{
    line[strcspn(line, "#\n")] = '\0';
    char *rest = NULL;
    for (char *word = strtok_r(line, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        char *end;
        uint8_t byte = (uint8_t)strtoul(word, &end, 16);
        assert_true(strlen(word) == 2 && *end == '\0');
        buffer_append(bytes, &byte, 1);
    }
}

struct buffer golden_load(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, MERIDIAN_SOURCE_DIR "/tests/unit/lib/wire/golden/%s.hex", name);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("no golden file %s", path);
    struct buffer bytes = {0};
    char line[512];
    while (fgets(line, sizeof line, file) != NULL)
        load_line(&bytes, line);
    fclose(file);
    assert_true(bytes.size > 0);
    return bytes;
}

void golden_assert_equal(const char *name, const void *bytes, size_t size)
{
    struct buffer golden = golden_load(name);
    if (size != golden.size)
        fail_msg("%s: %zu bytes were written, the file has %zu", name, size, golden.size);
    assert_memory_equal(bytes, golden.data, size);
    buffer_free(&golden);
}

void *golden_exact(const void *bytes, size_t size)
{
    void *copy = malloc(size == 0 ? 1 : size);
    assert_non_null(copy);
    if (size > 0)
        memcpy(copy, bytes, size);
    return copy;
}

void golden_patch(struct buffer *message, size_t at, uint64_t value, size_t size)
{
    assert_true(at + size <= message->size);
    for (size_t i = 0; i < size; i++)
        message->data[at + i] = (uint8_t)(value >> (8 * i));
}

static void renew_size(struct buffer *message, size_t size_at)
{
    if (size_at != GOLDEN_NO_SIZE)
        golden_patch(message, size_at, message->size - size_at - 4, 4);
}

void golden_replace(struct buffer *message, size_t size_at, const char *old, struct text text)
{
    char field[256];
    int size = snprintf(field, sizeof field, "%c%s", (char)strlen(old), old);
    uint8_t *at =
        message->size == 0 ? NULL : memmem(message->data, message->size, field, (size_t)size);
    if (at == NULL)
        fail_msg("no field \"%s\"", old);
    size_t before = (size_t)(at - message->data);
    size_t after = before + (size_t)size;
    struct buffer changed = {0};
    uint8_t length = (uint8_t)text.size;
    buffer_append(&changed, message->data, before);
    buffer_append(&changed, &length, 1);
    buffer_append_text(&changed, text);
    buffer_append(&changed, message->data + after, message->size - after);
    buffer_free(message);
    *message = changed;
    renew_size(message, size_at);
}

void golden_append(struct buffer *message, size_t size_at, uint8_t byte)
{
    buffer_append(message, &byte, 1);
    renew_size(message, size_at);
}

void golden_shorten(struct buffer *message, size_t size_at, size_t by)
{
    assert_true(by <= message->size);
    message->size -= by;
    renew_size(message, size_at);
}

/* By enum golden_bounds */
static const struct {
    size_t max;
    bool may_be_empty;
    const char *bad[3];
} bounds_table[] = {
    [GOLDEN_USER] = {TEXT_USER_MAX, false, {"a\nb", "a\xC2\x85", "a\xFF"}},
    [GOLDEN_DEVICE] = {TEXT_DEVICE_MAX, false, {"a b", "a\x7F", "\xC3\xA9"}},
    [GOLDEN_DEVICE_OR_EMPTY] = {TEXT_DEVICE_MAX, true, {"a b", "a\x7F", "\xC3\xA9"}},
    [GOLDEN_ID] = {TEXT_MESSAGE_ID_MAX, false, {"a b", "a\x7F", "\xC3\xA9"}},
    [GOLDEN_REGION] = {TEXT_REGION_MAX, false, {"a.b", "Dub", "-a"}},
    [GOLDEN_PROCESS] = {TEXT_PROCESS_MAX, false, {"a.b", "Dub", "*"}},
    [GOLDEN_PROCESS_OR_EMPTY] = {TEXT_PROCESS_MAX, true, {"a.b", "Dub", "*"}},
};

static void check_text(const struct golden_field *field, size_t size_at,
                       int (*decode)(const void *bytes, size_t size), struct text text, bool good)
{
    struct buffer message = golden_load(field->file);
    golden_replace(&message, size_at, field->text, text);
    uint8_t *exact = golden_exact(message.data, message.size);
    int error = decode(exact, message.size);
    if (error != (good ? 0 : -EBADMSG))
        fail_msg("%s: %d for \"%.*s\" in the place of \"%s\"", field->file, error, TEXT_ARGS(text),
                 field->text);
    free(exact);
    buffer_free(&message);
}

void golden_check_field(const struct golden_field *field, size_t size_at,
                        int (*decode)(const void *bytes, size_t size))
{
    char text[TEXT_USER_MAX + 1];
    memset(text, 'a', sizeof text);
    size_t max = bounds_table[field->bounds].max;
    check_text(field, size_at, decode, (struct text){text, 1}, true);
    check_text(field, size_at, decode, (struct text){text, max}, true);
    check_text(field, size_at, decode, (struct text){text, max + 1}, false);
    check_text(field, size_at, decode, TEXT(""), bounds_table[field->bounds].may_be_empty);
    for (size_t i = 0; i < COUNT_OF(bounds_table[0].bad); i++)
        check_text(field, size_at, decode, text_of(bounds_table[field->bounds].bad[i]), false);
}
