#include "json/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct json_value parse(const char *text)
{
    struct json_value value = {0};
    assert_int_equal(json_parse(text_of(text), &value), 0);
    return value;
}

#define assert_text(text, expected) assert_true(text_equal((text), TEXT(expected)))

static void members_are_raw_spans(void **state)
{
    (void)state;
    struct json_reader reader;
    struct json_member member;
    struct text text =
        TEXT(" {\"a\" : [1, 2 ] ,\"b\\n\":{\"c\": 1.50},\"d\":\"x\\ty\", \"e\":null }\n");
    assert_int_equal(json_object_open(&reader, text), 0);
    assert_int_equal(json_object_next(&reader, &member), 1);
    assert_text(member.key, "a");
    assert_int_equal(member.value.type, JSON_ARRAY);
    assert_text(member.value.raw, "[1, 2 ]");
    assert_int_equal(json_object_next(&reader, &member), 1);
    assert_text(member.key, "b\\n");
    assert_int_equal(member.value.type, JSON_OBJECT);
    assert_text(member.value.raw, "{\"c\": 1.50}");
    assert_int_equal(json_object_next(&reader, &member), 1);
    assert_int_equal(member.value.type, JSON_STRING);
    assert_text(member.value.raw, "\"x\\ty\"");
    assert_int_equal(json_object_next(&reader, &member), 1);
    assert_int_equal(member.value.type, JSON_NULL);
    assert_text(member.value.raw, "null");
    assert_int_equal(json_object_next(&reader, &member), 0);
    assert_int_equal(json_object_next(&reader, &member), 0);
}

static void elements_are_raw_spans(void **state)
{
    (void)state;
    struct json_reader reader;
    struct json_value value;
    assert_int_equal(json_array_open(&reader, TEXT("[ \"a\" ,-1e2 , true]")), 0);
    assert_int_equal(json_array_next(&reader, &value), 1);
    assert_text(value.raw, "\"a\"");
    assert_int_equal(json_array_next(&reader, &value), 1);
    assert_int_equal(value.type, JSON_NUMBER);
    assert_text(value.raw, "-1e2");
    assert_int_equal(json_array_next(&reader, &value), 1);
    assert_int_equal(value.type, JSON_BOOL);
    assert_int_equal(json_array_next(&reader, &value), 0);
}

static void another_type_is_told_from_no_json(void **state)
{
    (void)state;
    struct json_reader reader;
    assert_int_equal(json_object_open(&reader, TEXT("[]")), -EINVAL);
    assert_int_equal(json_object_open(&reader, TEXT("5")), -EINVAL);
    assert_int_equal(json_object_open(&reader, TEXT("[")), -EBADMSG);
    assert_int_equal(json_object_open(&reader, TEXT("")), -EBADMSG);
    assert_int_equal(json_array_open(&reader, TEXT("{}")), -EINVAL);
    assert_int_equal(json_array_open(&reader, TEXT("{")), -EBADMSG);
}

static void picks_what_is_wanted(void **state)
{
    (void)state;
    struct json_value kind;
    struct json_value body;
    struct json_value ttl;
    const struct json_pick picks[] = {{"t", &kind}, {"body", &body}, {"ttl", &ttl}};
    struct text frame =
        TEXT("{\"x\":1,\"t\":\"send\",\"x\":2,\"body\":{\"a\":1,\"a\":2, \"t\":3}}");
    assert_int_equal(json_object_pick(frame, picks, COUNT_OF(picks)), 0);
    assert_text(kind.raw, "\"send\"");
    assert_text(body.raw, "{\"a\":1,\"a\":2, \"t\":3}");
    assert_int_equal(ttl.type, JSON_ABSENT);
    assert_int_equal(json_object_pick(TEXT("{}"), picks, COUNT_OF(picks)), 0);
    assert_int_equal(kind.type, JSON_ABSENT);
}

static void a_wanted_key_may_not_stand_twice(void **state)
{
    (void)state;
    struct json_value kind;
    struct json_value body;
    const struct json_pick picks[] = {{"t", &kind}, {"body", &body}};
    static const struct {
        const char *text;
        int expected;
    } rows[] = {
        {"{\"t\":1,\"t\":1}", -EEXIST},       {"{\"t\":1,\"\\u0074\":1}", -EEXIST},
        {"{\"t\":null,\"t\":1}", -EEXIST},    {"{\"t\":1,\"body\":2", -EBADMSG},
        {"{\"t\":1,\"body\":2} 3", -EBADMSG}, {"[]", -EINVAL},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        kind.type = body.type = JSON_NULL;
        struct text text = text_of(rows[i].text);
        assert_int_equal(json_object_pick(text, picks, COUNT_OF(picks)), rows[i].expected);
        assert_int_equal(kind.type, JSON_ABSENT);
        assert_int_equal(body.type, JSON_ABSENT);
    }
}

static void keys_are_compared_decoded(void **state)
{
    (void)state;
    assert_true(json_key_is(TEXT("body"), TEXT("body")));
    assert_true(json_key_is(TEXT(""), TEXT("")));
    assert_true(json_key_is(TEXT("b\\u006Fdy"), TEXT("body")));
    assert_true(json_key_is(TEXT("\\u0062\\u006f\\u0064\\u0079"), TEXT("body")));
    assert_true(json_key_is(TEXT("a\\/\\\""), TEXT("a/\"")));
    assert_true(json_key_is(TEXT("\\ud83d\\ude00"), TEXT("\xF0\x9F\x98\x80")));
    assert_false(json_key_is(TEXT("bod"), TEXT("body")));
    assert_false(json_key_is(TEXT("b\\u006Fd"), TEXT("body")));
    assert_false(json_key_is(TEXT("b\\u006Fdyy"), TEXT("body")));
    assert_false(json_key_is(TEXT("\\ud83d"), TEXT("\xF0\x9F\x98\x80")));
    assert_false(json_key_is(TEXT("Body"), TEXT("body")));
}

static void strings_decode(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        struct text expected;
    } rows[] = {
        {"\"\"", {"", 0}},
        {"\"plain\"", {"plain", 5}},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", {"\"\\/\b\f\n\r\t", 8}},
        {"\"a\\u0000b\"", {"a\0b", 3}},
        {"\"\\u007f\\u0080\"", {"\x7F\xC2\x80", 3}},
        {"\"\\u07FF\\u0800\"", {"\xDF\xBF\xE0\xA0\x80", 5}},
        {"\"\\ud7ff\\ue000\\uFFFF\"", {"\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF", 9}},
        {"\"\\ud800\\udc00\"", {"\xF0\x90\x80\x80", 4}},
        {"\"\\uDBFF\\uDFFF\"", {"\xF4\x8F\xBF\xBF", 4}},
        {"\"x\\ud83d\\ude00y\xC3\xA9\"", {"x\xF0\x9F\x98\x80y\xC3\xA9", 8}},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct json_value value = parse(rows[i].json);
        struct buffer out = {0};
        struct text read = {0};
        char room[16];
        buffer_append(&out, "=", 1);
        assert_int_equal(json_string_decode(value, &out), 0);
        struct text decoded = {(const char *)out.data + 1, out.size - 1};
        assert_true(text_equal(decoded, rows[i].expected));
        assert_int_equal(json_string_read(value, room, sizeof room, &read), 0);
        assert_true(text_equal(read, rows[i].expected));
        buffer_free(&out);
    }
}

static void lone_surrogates_do_not_decode(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "\"\\ud800\"",        "\"\\udc00\"",
        "\"\\udbff\"",        "\"\\udfff\"",
        "\"\\ud800x\"",       "\"\\ud800\\n\"",
        "\"\\ud800\\ud800\"", "\"\\ud800\\u0041\"",
        "\"\\udc00\\ud800\"", "\"a\\ud83d\\ude00\\ud83d\"",
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct json_value value = parse(rows[i]);
        struct buffer out = {0};
        struct text read = {0};
        char room[16];
        buffer_append(&out, "=", 1);
        assert_int_equal(json_string_decode(value, &out), -EILSEQ);
        assert_int_equal(out.size, 1);
        assert_int_equal(json_string_read(value, room, sizeof room, &read), -EILSEQ);
        assert_null(read.data);
        buffer_free(&out);
    }
}

static void a_read_string_fits_or_is_refused(void **state)
{
    (void)state;
    char room[4];
    struct text read = {0};
    struct json_value plain = parse("\"longer than the room\"");
    assert_int_equal(json_string_read(plain, room, sizeof room, &read), 0);
    assert_ptr_equal(read.data, plain.raw.data + 1); /* borrowed: no room needed */
    assert_int_equal(json_string_read(parse("\"abc\\n\""), room, sizeof room, &read), 0);
    assert_ptr_equal(read.data, room);
    assert_int_equal(read.size, 4);
    assert_int_equal(json_string_read(parse("\"abcd\\n\""), room, sizeof room, &read), -ENOSPC);
    assert_int_equal(json_string_read(parse("5"), room, sizeof room, &read), -EINVAL);
    assert_int_equal(json_string_decode(parse("5"), &(struct buffer){0}), -EINVAL);
}

static void numbers_are_whole_and_in_bounds(void **state)
{
    (void)state;
    uint64_t u = 7;
    int64_t i = 7;
    assert_int_equal(json_to_u64(parse("18446744073709551615"), UINT64_MAX, &u), 0);
    assert_true(u == UINT64_MAX);
    assert_int_equal(json_to_u64(parse("18446744073709551616"), UINT64_MAX, &u), -ERANGE);
    assert_int_equal(json_to_u64(parse("100"), 100, &u), 0);
    assert_int_equal(json_to_u64(parse("101"), 100, &u), -ERANGE);
    assert_int_equal(json_to_u64(parse("-1"), 100, &u), -ERANGE);
    assert_int_equal(json_to_u64(parse("-0"), 100, &u), -ERANGE);
    assert_int_equal(json_to_u64(parse("1.0"), 100, &u), -EINVAL);
    assert_int_equal(json_to_u64(parse("1e1"), 100, &u), -EINVAL);
    assert_int_equal(json_to_u64(parse("-1.5"), 100, &u), -EINVAL);
    assert_int_equal(json_to_u64(parse("\"1\""), 100, &u), -EINVAL);
    assert_int_equal(json_to_u64((struct json_value){0}, 100, &u), -EINVAL);
    assert_int_equal(u, 100);
    assert_int_equal(json_to_i64(parse("9223372036854775807"), &i), 0);
    assert_true(i == INT64_MAX);
    assert_int_equal(json_to_i64(parse("9223372036854775808"), &i), -ERANGE);
    assert_int_equal(json_to_i64(parse("-9223372036854775808"), &i), 0);
    assert_true(i == INT64_MIN);
    assert_int_equal(json_to_i64(parse("-9223372036854775809"), &i), -ERANGE);
    assert_int_equal(json_to_i64(parse("-0"), &i), 0);
    assert_int_equal(json_to_i64(parse("1.5"), &i), -EINVAL);
    assert_int_equal(json_to_i64(parse("true"), &i), -EINVAL);
    assert_int_equal(i, 0);
}

static void booleans_are_not_guessed(void **state)
{
    (void)state;
    bool flag = false;
    assert_int_equal(json_to_bool(parse("true"), &flag), 0);
    assert_true(flag);
    assert_int_equal(json_to_bool(parse("1"), &flag), -EINVAL);
    assert_int_equal(json_to_bool(parse("null"), &flag), -EINVAL);
    assert_true(flag);
    assert_int_equal(json_to_bool(parse("false"), &flag), 0);
    assert_false(flag);
}

static void strings_are_written_escaped(void **state)
{
    (void)state;
    static const struct {
        struct text text;
        const char *expected;
    } rows[] = {
        {{NULL, 0}, "\"\""},
        {{"plain /", 7}, "\"plain /\""},
        {{"\"\\", 2}, "\"\\\"\\\\\""},
        {{"\b\f\n\r\t", 5}, "\"\\b\\f\\n\\r\\t\""},
        {{"\0\x01\x1F\x7F", 4}, "\"\\u0000\\u0001\\u001f\x7F\""},
        {{"h\xC3\xA9\xF0\x9F\x98\x80", 7}, "\"h\xC3\xA9\xF0\x9F\x98\x80\""},
        {{"a\xFF"
          "b",
          3},
         "\"a\xEF\xBF\xBD"
         "b\""},
        {{"\xC3", 1}, "\"\xEF\xBF\xBD\""},
        {{"\xED\xA0\x80", 3}, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buffer out = {0};
        json_write_string(&out, rows[i].text);
        assert_true(text_equal(buffer_text(&out), text_of(rows[i].expected)));
        buffer_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_raw_spans),
        cmocka_unit_test(elements_are_raw_spans),
        cmocka_unit_test(another_type_is_told_from_no_json),
        cmocka_unit_test(picks_what_is_wanted),
        cmocka_unit_test(a_wanted_key_may_not_stand_twice),
        cmocka_unit_test(keys_are_compared_decoded),
        cmocka_unit_test(strings_decode),
        cmocka_unit_test(lone_surrogates_do_not_decode),
        cmocka_unit_test(a_read_string_fits_or_is_refused),
        cmocka_unit_test(numbers_are_whole_and_in_bounds),
        cmocka_unit_test(booleans_are_not_guessed),
        cmocka_unit_test(strings_are_written_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
