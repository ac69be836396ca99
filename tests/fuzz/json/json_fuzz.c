/* Any bytes as JSON. What is accepted must hold together: spans lie inside the text, are values
 * themselves, and strings come back as they were. */
#include "json/json.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_value(struct text outer, struct json_value value);

static void check_string(struct json_value value)
{
    struct buffer decoded = {0};
    struct buffer written = {0};
    struct buffer again = {0};
    struct json_value copy = {0};
    char room[64];
    struct text read = {0};
    int err = json_string_decode(value, &decoded);
    int read_err = json_string_read(value, room, sizeof room, &read);
    assert(err == 0 || err == -EILSEQ);
    assert(read_err == err || read_err == -ENOSPC);
    if (err == 0) {
        assert(read_err != 0 || text_equal(read, buffer_text(&decoded)));
        json_write_string(&written, buffer_text(&decoded));
        assert(json_parse(buffer_text(&written), &copy) == 0);
        assert(json_string_decode(copy, &again) == 0);
        assert(text_equal(buffer_text(&decoded), buffer_text(&again)));
        assert(json_key_is((struct text){value.raw.data + 1, value.raw.size - 2},
                           buffer_text(&decoded)));
    }
    buffer_free(&decoded);
    buffer_free(&written);
    buffer_free(&again);
}

static void check_object(struct json_value value)
{
    struct json_reader reader;
    struct json_member member;
    int more = json_object_open(&reader, value.raw);
    assert(more == 0);
    while ((more = json_object_next(&reader, &member)) > 0) {
        struct json_value key = {JSON_STRING, {member.key.data - 1, member.key.size + 2}};
        check_value(value.raw, key);
        check_value(value.raw, member.value);
    }
    assert(more == 0);
}

static void check_array(struct json_value value)
{
    struct json_reader reader;
    struct json_value element;
    int more = json_array_open(&reader, value.raw);
    assert(more == 0);
    while ((more = json_array_next(&reader, &element)) > 0)
        check_value(value.raw, element);
    assert(more == 0);
}

static void check_number(struct json_value value)
{
    uint64_t unsigned_number = 0;
    int64_t number = 0;
    int err = json_to_u64(value, INT64_MAX, &unsigned_number);
    if (err == 0)
        assert(json_to_i64(value, &number) == 0 && (uint64_t)number == unsigned_number);
    else
        assert(err == -EINVAL || err == -ERANGE);
}

static void check_value(struct text outer, struct json_value value)
{
    struct json_value again = {0};
    assert(value.raw.size > 0 && value.raw.data >= outer.data &&
           value.raw.data + value.raw.size <= outer.data + outer.size);
    assert(json_parse(value.raw, &again) == 0);
    assert(again.type == value.type && text_equal(again.raw, value.raw));
    if (value.type == JSON_STRING)
        check_string(value);
    else if (value.type == JSON_OBJECT)
        check_object(value);
    else if (value.type == JSON_ARRAY)
        check_array(value);
    else if (value.type == JSON_NUMBER)
        check_number(value);
}

/* The edge reads frames so, without json_parse() before: both must refuse the same. */
static void check_pick(struct text text, int parsed)
{
    struct json_value kind;
    struct json_value body;
    const struct json_pick picks[] = {{"t", &kind}, {"body", &body}};
    int err = json_object_pick(text, picks, COUNT_OF(picks));
    if (parsed < 0)
        assert(err < 0);
    else
        assert(err == 0 || err == -EINVAL || err == -EEXIST);
    assert(err == 0 || (kind.type == JSON_ABSENT && body.type == JSON_ABSENT));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text text = {(const char *)data, size};
    struct json_value value = {0};
    struct buffer written = {0};
    int err = json_parse(text, &value);
    check_pick(text, err);
    if (err == 0)
        check_value(text, value);
    json_write_string(&written, text); /* any bytes become a good string */
    assert(json_parse(buffer_text(&written), &value) == 0);
    buffer_free(&written);
    return 0;
}
