#include "edge/edge_url.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_text(struct text text, struct text expected)
{
    assert_int_equal(text.size, expected.size);
    if (text.size > 0)
        assert_memory_equal(text.data, expected.data, text.size);
}

static void decodes_escapes(void **state)
{
    (void)state;
    static const struct {
        struct text from;
        bool plus;
        struct text to;
    } rows[] = {
        {{"", 0}, false, {"", 0}},
        {{"bob", 3}, false, {"bob", 3}},
        {{"b%6fb", 5}, false, {"bob", 3}},
        {{"%62%6F%62", 9}, false, {"bob", 3}},
        {{"a%2Fb", 5}, false, {"a/b", 3}},
        {{"%00", 3}, false, {"\0", 1}}, /* whoever asks checks what a user id may hold */
        {{"%c3%a9", 6}, false, {"\xc3\xa9", 2}},
        {{"%25%32%35", 9}, false, {"%25", 3}}, /* once */
        {{"a+b", 3}, false, {"a+b", 3}},
        {{"a+b", 3}, true, {"a b", 3}},
        {{"a%2Bb", 5}, true, {"a+b", 3}},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char room[16];
        struct text text;
        assert_int_equal(edge_url_decode(rows[i].from, rows[i].plus, room, sizeof room, &text), 0);
        assert_text(text, rows[i].to);
    }
}

static void refuses_bad_escapes(void **state)
{
    (void)state;
    static const char *const rows[] = {"%", "%6", "a%", "a%6", "%6g", "%g6", "%%62", "% 2", "%+1"};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char room[16];
        struct text text = TEXT("untouched");
        assert_int_equal(edge_url_decode(text_of(rows[i]), true, room, sizeof room, &text),
                         -EINVAL);
        assert_text(text, TEXT("untouched"));
    }
}

static void decodes_up_to_the_room_and_not_one_more(void **state)
{
    (void)state;
    char room[3];
    struct text text;
    assert_int_equal(edge_url_decode(TEXT("%61b%63"), false, room, sizeof room, &text), 0);
    assert_text(text, TEXT("abc"));
    assert_int_equal(edge_url_decode(TEXT("abcd"), false, room, sizeof room, &text), -ENOSPC);
    assert_int_equal(edge_url_decode(TEXT("abc%64"), false, room, sizeof room, &text), -ENOSPC);
}

static void finds_a_key_in_a_query(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        const char *value; /* NULL: not there */
    } rows[] = {
        {"", NULL},
        {"after=1", "1"},
        {"after=", ""},
        {"after", ""},
        {"limit=5&after=1:2&wait=3", "1:2"},
        {"after=1&after=2", "1"},
        {"after=a=b", "a=b"},
        {"&&after=1", "1"},
        {"before=1&afte=2&afterx=3&xafter=4", NULL},
        {"x=after", NULL},
        {"After=1", NULL},
        {"=after", NULL},
        {"after%3D1", NULL},
        {"after=%31", "%31"}, /* raw */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct text value = TEXT("untouched");
        bool found = edge_url_query(text_of(rows[i].query), TEXT("after"), &value);
        assert_int_equal(found, rows[i].value != NULL);
        assert_text(value, text_of(found ? rows[i].value : "untouched"));
    }
}

static void reads_cursors(void **state)
{
    (void)state;
    static const struct {
        const char *from;
        uint32_t epoch;
        uint64_t seq;
    } rows[] = {
        {"0:0", 0, 0},
        {"1:2", 1, 2},
        {"4294967295:18446744073709551614", UINT32_MAX, UINT64_MAX - 1},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint32_t epoch;
        uint64_t seq;
        assert_int_equal(edge_cursor_parse(text_of(rows[i].from), &epoch, &seq), 0);
        assert_true(epoch == rows[i].epoch && seq == rows[i].seq);
    }
}

static void refuses_what_is_no_cursor(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        ":",
        "1",
        "1:",
        ":1",
        "1:2:3",
        "a:1",
        "1:a",
        "-1:2",
        "1:-2",
        "1: 2",
        " 1:2",
        "1;2",
        "+1:2",
        "0x1:2",
        "4294967296:1",
        "1:18446744073709551615",
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint32_t epoch = 7;
        uint64_t seq = 7;
        assert_int_equal(edge_cursor_parse(text_of(rows[i]), &epoch, &seq), -EINVAL);
        assert_true(epoch == 7 && seq == 7);
    }
}

static void a_path_begins_behind_the_host(void **state)
{
    (void)state;
    static const struct {
        const char *target;
        size_t at;
    } rows[] = {
        {"", 0},         {"/ws", 0},          {"http://a/ws", 8}, {"HTTPS://a:80/", 12},
        {"http://a", 8}, {"http:///ws", 7},   {"http:/a", 0},     {"ftp://a/", 0},
        {"*", 0},        {"/http://a/ws", 0}, {"http://", 7},     {"http", 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(edge_url_path_at(text_of(rows[i].target)), rows[i].at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes_escapes),
        cmocka_unit_test(refuses_bad_escapes),
        cmocka_unit_test(decodes_up_to_the_room_and_not_one_more),
        cmocka_unit_test(finds_a_key_in_a_query),
        cmocka_unit_test(reads_cursors),
        cmocka_unit_test(refuses_what_is_no_cursor),
        cmocka_unit_test(a_path_begins_behind_the_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
