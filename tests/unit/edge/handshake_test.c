#include "edge/edge_handshake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define KEY "dGhlIHNhbXBsZSBub25jZQ=="

struct line {
    const char *name, *value;
};

static struct edge_handshake good(void)
{
    struct edge_handshake handshake = {.get = true, .host = true, .upgrade = TEXT("websocket")};
    edge_handshake_header(&handshake, TEXT("sec-websocket-version"), TEXT("13"));
    edge_handshake_header(&handshake, TEXT("sec-websocket-key"), TEXT(KEY));
    return handshake;
}

static void expect(const struct edge_handshake *handshake, int status)
{
    struct edge_handshake_refusal refusal = edge_handshake_judge(handshake);
    if (refusal.status != status)
        fail_msg("%d, not %d: %s", refusal.status, status, refusal.message);
    assert_int_equal(refusal.status != 0, refusal.code != NULL && refusal.message != NULL);
}

static void what_has_all_is_a_handshake(void **state)
{
    (void)state;
    struct edge_handshake handshake = good();
    edge_handshake_header(&handshake, TEXT("x-other"), TEXT("13"));
    expect(&handshake, 0);
    assert_false(handshake.v1);
    assert_true(text_equal(handshake.key, TEXT(KEY)));
}

static void each_part_is_needed(void **state)
{
    (void)state;
    struct edge_handshake all = good();
    struct edge_handshake no_get = all, no_host = all, no_upgrade = all, body = all;
    no_get.get = false;
    no_host.host = false;
    no_upgrade.upgrade = TEXT("h2c");
    body.body = true;
    expect(&no_get, 400);
    expect(&no_host, 400);
    expect(&no_upgrade, 400);
    expect(&body, 400);
    expect(&(struct edge_handshake){0}, 400);
}

static void lines_are_counted_or_joined(void **state)
{
    (void)state;
    static const struct {
        struct line line;
        int status;
        bool v1;
    } rows[] = {
        {{"sec-websocket-key", KEY}, 400, false},
        {{"sec-websocket-version", "13"}, 400, false},
        {{"sec-websocket-protocol", "meridian.v1"}, 0, true},
        {{"sec-websocket-protocol", "a,\tmeridian.v1 ,b"}, 0, true},
        {{"sec-websocket-protocol", "meridian.v10"}, 400, false},
        {{"sec-websocket-protocol", "Meridian.v1"}, 400, false},
        {{"sec-websocket-protocol", " "}, 0, false},
        {{"sec-websocket-extensions", "permessage-deflate"}, 0, false},
        {{"sec-websocket-extensions", "a b"}, 400, false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct edge_handshake handshake = good();
        edge_handshake_header(&handshake, text_of(rows[i].line.name), text_of(rows[i].line.value));
        expect(&handshake, rows[i].status);
        assert_int_equal(handshake.v1, rows[i].v1);
    }
    struct edge_handshake two = good();
    edge_handshake_header(&two, TEXT("sec-websocket-protocol"), TEXT("chat"));
    edge_handshake_header(&two, TEXT("sec-websocket-protocol"), TEXT("meridian.v1"));
    edge_handshake_header(&two, TEXT("sec-websocket-protocol"), TEXT("bearer.x"));
    edge_handshake_header(&two, TEXT("sec-websocket-protocol"), TEXT("bearer.y"));
    expect(&two, 0);
    assert_true(two.v1);
    assert_true(text_equal(two.bearer, TEXT("x")));
}

static void lines_of_origin_are_counted(void **state)
{
    (void)state;
    struct edge_handshake handshake = good();
    assert_int_equal(handshake.origins, 0);
    edge_handshake_header(&handshake, TEXT("origin"), TEXT(" https://a.example "));
    assert_int_equal(handshake.origins, 1);
    assert_true(text_equal(handshake.origin, TEXT("https://a.example")));
    edge_handshake_header(&handshake, TEXT("origin"), TEXT(""));
    assert_int_equal(handshake.origins, 2);
    expect(&handshake, 0); /* what is good is a setting, see edge_origins.h */
}

static void other_versions_are_told_ours(void **state)
{
    (void)state;
    static const char *const rows[] = {"", "8", "12", "14", "013", "13, 8", "13a"};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct edge_handshake handshake = good();
        handshake.versions = 0;
        edge_handshake_header(&handshake, TEXT("sec-websocket-version"), text_of(rows[i]));
        expect(&handshake, 426);
    }
}

static void a_key_is_16_bytes_in_base64(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        bool good;
    } rows[] = {
        {KEY, true},
        {"+/AZaz09+/AZaz09+/AZag==", true},
        {"", false},
        {"dGhlIHNhbXBsZSBub25jZQ=", false},
        {"dGhlIHNhbXBsZSBub25jZQ===", false},
        {"dGhlIHNhbXBsZSBub25jZQ", false},
        {"dGhlIHNhbXBsZSBub25jZQa=", false}, /* 17 bytes */
        {"dGhlIHNhbXBsZSBub25jZQaa", false}, /* 18 bytes */
        {"dGhlIHNhbXBsZSBub25j!Q==", false},
        {"dGhlIHNhbXBsZSBub25j-Q==", false},
        {"dGhlIHNhbXBsZSBub25=ZQ==", false},
        {"========================", false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (edge_handshake_key_is_good(text_of(rows[i].key)) != rows[i].good)
            fail_msg("'%s'", rows[i].key);
}

static void the_accept_is_that_of_the_rfc(void **state)
{
    (void)state;
    char accept[EDGE_HANDSHAKE_ACCEPT];
    edge_handshake_accept(TEXT(KEY), accept);
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="); /* section 1.3 */
}

static void extensions_are_read_as_the_rfc_writes_them(void **state)
{
    (void)state;
    static const struct {
        const char *list;
        bool good;
    } rows[] = {
        {"", true},
        {"foo", true},
        {"foo; bar; baz=2", true}, /* 9.1 */
        {"foo, bar; baz=2", true},
        {"deflate-stream", true},
        {"mux; max-channels=4; flow-control, deflate-stream", true},
        {"private-extension", true},
        {"foo;a=\"b\"", true},
        {"foo ; a = \"b\" ,\tbar", true},
        {"foo; a=\"\\b\\c\"", true},
        {",, foo ,, bar ,", true},
        {"foo bar", false},
        {"foo;", false},
        {"foo; ;a", false},
        {";a", false},
        {"=a", false},
        {"foo; =a", false},
        {"foo; a=", false},
        {"foo; a==b", false},
        {"foo; a=b c", false},
        {"foo; a=\"b", false},
        {"foo; a=\"b\\", false},
        {"foo; a=\"b c\"", false},
        {"foo; a=\"b\\\"\"", false}, /* a quote is in no token */
        {"foo; a=\"\"", false},
        {"foo; a=\"b\"c", false},
        {"f\x80o", false},
        {"foo\x7f", false},
        {"foo/bar", false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (edge_handshake_extensions_are_good(text_of(rows[i].list)) != rows[i].good)
            fail_msg("'%s'", rows[i].list);
}

static void lists_are_searched_item_by_item(void **state)
{
    (void)state;
    static const struct {
        const char *list, *wanted;
        bool fold, there;
    } rows[] = {
        {"", "a", false, false},          {"a", "a", false, true},      {"b,a", "a", false, true},
        {"b , \ta\t ", "a", false, true}, {"A", "a", false, false},     {"A", "a", true, true},
        {"ab", "a", true, false},         {"a b", "a", false, false},   {",,", "a", false, false},
        {"b,,a", "a", false, true},       {"aa,aaa", "a", true, false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (edge_handshake_list_has(text_of(rows[i].list), text_of(rows[i].wanted), rows[i].fold) !=
            rows[i].there)
            fail_msg("'%s' in '%s'", rows[i].wanted, rows[i].list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_has_all_is_a_handshake),
        cmocka_unit_test(each_part_is_needed),
        cmocka_unit_test(lines_are_counted_or_joined),
        cmocka_unit_test(lines_of_origin_are_counted),
        cmocka_unit_test(other_versions_are_told_ours),
        cmocka_unit_test(a_key_is_16_bytes_in_base64),
        cmocka_unit_test(the_accept_is_that_of_the_rfc),
        cmocka_unit_test(extensions_are_read_as_the_rfc_writes_them),
        cmocka_unit_test(lists_are_searched_item_by_item),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
