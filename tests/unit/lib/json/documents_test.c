/* Which documents are JSON: one line each, for the parser and for the iteration alike. */
#include "json/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROW(literal)                                                                               \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

static const struct text good[] = {
    ROW("null"),
    ROW("true"),
    ROW("false"),
    ROW("0"),
    ROW("-0"),
    ROW("7"),
    ROW("-12"),
    ROW("0.5"),
    ROW("-0.0"),
    ROW("10.25"),
    ROW("1e1"),
    ROW("1E+9"),
    ROW("0e-0"),
    ROW("1.5e300"),
    ROW("1e99999"),
    ROW("123456789012345678901234567890"),
    ROW("\"\""),
    ROW("\"a\""),
    ROW("\" \""),
    ROW("\"\x7F\""),
    ROW("\"/\""),
    ROW("\"\\/\""),
    ROW("\"\\\\\""),
    ROW("\"\\\\\\\"\""),
    ROW("\"\\b\\f\\n\\r\\t\""),
    ROW("\"\\u0000\""),
    ROW("\"\\uAbCd\""),
    ROW("\"\\ud83d\\ude00\""),
    ROW("\"\\ud800\""), /* grammar allows it; decoding does not */
    ROW("\"\\udc00\\ud800\""),
    ROW("\"h\xC3\xA9\""),
    ROW("\"\xE2\x80\xA8\xE2\x80\xA9\""),
    ROW("\"\xF0\x9F\x98\x80\""),
    ROW("\"\xF4\x8F\xBF\xBF\""),
    ROW("\"\xEF\xBB\xBF\""),
    ROW("[]"),
    ROW("[ ]"),
    ROW("[1]"),
    ROW("[1,2]"),
    ROW("[ 1 , 2 ]"),
    ROW("[[],[[]],{}]"),
    ROW("[null,true,false,0,\"\",[],{}]"),
    ROW("{}"),
    ROW("{ }"),
    ROW("{\"a\":1}"),
    ROW("{\"\":0}"),
    ROW("{ \"a\" : 1 , \"b\" : [ ] }"),
    ROW("{\"a\":{\"a\":{\"a\":null}}}"),
    ROW("{\"a\":1,\"a\":2}"), /* see json_object_pick() */
    ROW("{\"\\u0061\":1}"),
    ROW("{\"a\":[{\"b\":[]},[]],\"c\":{}}"),
    ROW(" \t\r\n1 \t\r\n"),
    ROW("\n{\n}\n"),
};

static const struct text bad[] = {
    ROW(""),
    ROW(" "),
    ROW("\xEF\xBB\xBF{}"), /* byte order mark */
    ROW("\0"),
    ROW("1\0"),
    ROW("nul"),
    ROW("nulll"),
    ROW("Null"),
    ROW("tru"),
    ROW("True"),
    ROW("fals"),
    ROW("falsey"),
    ROW("NaN"),
    ROW("Infinity"),
    ROW("-Infinity"),
    ROW("undefined"),
    ROW("-"),
    ROW("+1"),
    ROW("--1"),
    ROW("01"),
    ROW("-01"),
    ROW("00"),
    ROW("0x1"),
    ROW("1."),
    ROW(".5"),
    ROW("-.5"),
    ROW("1.e1"),
    ROW("1e"),
    ROW("1e+"),
    ROW("1e1.5"),
    ROW("1 2"),
    ROW("1_000"),
    ROW("1,"),
    ROW("\xD9\xA1"), /* a digit, but not one of JSON's */
    ROW("\""),
    ROW("\"a"),
    ROW("'a'"),
    ROW("a"),
    ROW("\"a\"\""),
    ROW("\"\\\""),
    ROW("\"\\"),
    ROW("\"\\x41\""),
    ROW("\"\\'\""),
    ROW("\"\\\0\""),
    ROW("\"\\U0041\""),
    ROW("\"\\u\""),
    ROW("\"\\u004\""),
    ROW("\"\\u004g\""),
    ROW("\"\\u00"),
    ROW("\"\\u-123\""),
    ROW("\"\\\xC3\xA9\""),
    ROW("\"\n\""),
    ROW("\"\t\""),
    ROW("\"\0\""),
    ROW("\"\x1F\""),
    ROW("\"\x80\""),
    ROW("\"\xC3\""),
    ROW("\"\xC3"),
    ROW("\"\xC0\xAF\""),
    ROW("\"\xE2\x82\""),
    ROW("\"\xED\xA0\x80\""), /* surrogate */
    ROW("\"\xF4\x90\x80\x80\""),
    ROW("\"\xF8\x88\x80\x80\x80\""),
    ROW("\"\xFF\""),
    ROW("["),
    ROW("]"),
    ROW("[1"),
    ROW("[1,"),
    ROW("[1,]"),
    ROW("[,1]"),
    ROW("[,]"),
    ROW("[1,,2]"),
    ROW("[1 2]"),
    ROW("[1:2]"),
    ROW("[1}"),
    ROW("[]]"),
    ROW("[[]"),
    ROW("[\"a\":1]"),
    ROW("{"),
    ROW("}"),
    ROW("{]"),
    ROW("{,}"),
    ROW("{\"a\"}"),
    ROW("{\"a\":}"),
    ROW("{\"a\":1"),
    ROW("{\"a\":1,"),
    ROW("{\"a\":1,}"),
    ROW("{,\"a\":1}"),
    ROW("{\"a\":1,,\"b\":2}"),
    ROW("{\"a\":1 \"b\":2}"),
    ROW("{\"a\",1}"),
    ROW("{\"a\"::1}"),
    ROW("{\"a\":1:2}"),
    ROW("{a:1}"),
    ROW("{'a':1}"),
    ROW("{1:1}"),
    ROW("{null:1}"),
    ROW("{[]:1}"),
    ROW("{\"a\":1}}"),
    ROW("{\"a\":1}{"),
    ROW("{\"a\":1} x"),
    ROW("{\"a\":1]"),
    ROW("{\"a\":[}"),
    ROW("{\"a\":{\"b\":[1,{\"c\":2}}}"),
    ROW("{}{}"),
    ROW("[][]"),
    ROW("[1]//"),
    ROW("/**/1"),
    ROW("# 1"),
    ROW("\v1"),
    ROW("\f1"),
    ROW("1\xC2\xA0"),
    ROW("1\xE2\x80\xA8"),
    ROW("{\"a\xFF\":1}"),
    ROW("{\"a\":\"\xFF\"}"),
};

/* Reads to the end of an array or object; for others, what json_parse() says. */
static int iterate(struct text text)
{
    struct json_reader reader;
    struct json_member member;
    struct json_value value;
    int more = json_object_open(&reader, text);
    if (more == 0) {
        while ((more = json_object_next(&reader, &member)) > 0)
            ;
        assert_int_equal(json_object_next(&reader, &member), more); /* both ends stick */
        return more;
    }
    if (more != -EINVAL || (more = json_array_open(&reader, text)) == -EINVAL)
        return more == -EINVAL ? 0 : more;
    while (more == 0 && (more = json_array_next(&reader, &value)) > 0)
        more = 0;
    return more;
}

/* In memory of its own, so that a sanitizer sees a byte read past the end. */
static struct text exact(struct text text)
{
    char *copy = malloc(text.size == 0 ? 1 : text.size);
    assert_non_null(copy);
    memcpy(copy, text.data, text.size);
    return (struct text){copy, text.size};
}

static void accepts_json(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct json_value value = {0};
        struct text text = exact(good[i]);
        if (json_parse(text, &value) != 0 || iterate(text) != 0)
            fail_msg("refused: %.*s", TEXT_ARGS(good[i]));
        assert_int_not_equal(value.type, JSON_ABSENT);
        free((char *)(uintptr_t)text.data);
    }
}

static void refuses_the_rest(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct json_value value = {0};
        struct text text = exact(bad[i]);
        if (json_parse(text, &value) != -EBADMSG || iterate(text) != -EBADMSG)
            fail_msg("accepted: %.*s", TEXT_ARGS(bad[i]));
        assert_int_equal(value.type, JSON_ABSENT);
        free((char *)(uintptr_t)text.data);
    }
    assert_int_equal(json_parse((struct text){NULL, 0}, &(struct json_value){0}), -EBADMSG);
}

static void refuses_every_truncation(void **state)
{
    (void)state;
    struct json_value value = {0};
    struct text whole =
        TEXT("{\"a\":[1,-2.5e+3,true,null,\"\\u00e9\xC3\xA9\"],\"b\":{\"c\":\"\"}}");
    assert_int_equal(json_parse(whole, &value), 0);
    for (size_t size = 0; size < whole.size; size++) {
        struct text part = exact((struct text){whole.data, size});
        assert_int_equal(json_parse(part, &value), -EBADMSG);
        assert_int_equal(iterate(part), -EBADMSG);
        free((char *)(uintptr_t)part.data);
    }
    assert_int_equal(value.raw.size, whole.size); /* untouched on failure */
}

static void depth_has_a_limit(void **state)
{
    (void)state;
    struct json_value value = {0};
    char text[2 * JSON_DEPTH_MAX + 3];
    for (size_t depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        int expected = depth <= JSON_DEPTH_MAX ? 0 : -E2BIG;
        assert_int_equal(json_parse((struct text){text, 2 * depth}, &value), expected);
        assert_int_equal(iterate((struct text){text, 2 * depth}), expected);
    }
    struct buffer objects = {0};
    for (int i = 1; i < JSON_DEPTH_MAX; i++)
        buffer_printf(&objects, "{\"a\":");
    buffer_printf(&objects, "{}");
    for (int i = 1; i < JSON_DEPTH_MAX; i++)
        buffer_printf(&objects, "}");
    assert_int_equal(json_parse(buffer_text(&objects), &value), 0);
    assert_int_equal(iterate(buffer_text(&objects)), 0);
    buffer_free(&objects);
}

static void siblings_do_not_add_to_the_depth(void **state)
{
    (void)state;
    struct json_value value = {0};
    struct buffer text = {0};
    buffer_printf(&text, "[");
    for (int i = 0; i < 1000; i++)
        buffer_printf(&text, "%s[{\"a\":[]},{}]", i == 0 ? "" : ",");
    buffer_printf(&text, "]");
    assert_int_equal(json_parse(buffer_text(&text), &value), 0);
    buffer_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_json),
        cmocka_unit_test(refuses_the_rest),
        cmocka_unit_test(refuses_every_truncation),
        cmocka_unit_test(depth_has_a_limit),
        cmocka_unit_test(siblings_do_not_add_to_the_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
