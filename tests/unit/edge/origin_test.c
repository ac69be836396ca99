/* Which pages may, and what the setting may say of them. */
#include "edge/edge_origin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define LIST "https://app.example, http://localhost:8080,https://[2001:db8::1]:8443"

static void an_origin_is_let_in_when_it_is_in_the_list(void **state)
{
    (void)state;
    static const char *const good[] = {"https://app.example", "http://localhost:8080",
                                       "https://[2001:db8::1]:8443"};
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_true(edge_origins_allow(TEXT(LIST), text_of(good[i])));
}

static void what_only_looks_like_one_is_not(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "null",
        "*",
        ",",
        "https://app.example,",
        "https://app.example, http://localhost:8080",
        "http://app.example",
        "https://app.example:443",
        "https://app.example:8443",
        "https://app.example/",
        "https://app.example.",
        "https://app.example.evil.example",
        "https://evilapp.example",
        "https://evil.app.example",
        "https://app.example@evil.example",
        "https://evil.example#https://app.example",
        "https://App.example",
        "HTTPS://app.example",
        "app.example",
        "//app.example",
        "https://http://localhost:8080",
        "http://localhost:80801",
        "http://localhost:808",
        "http://localhost",
        "https://[2001:db8::1]",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (edge_origins_allow(TEXT(LIST), text_of(bad[i])))
            fail_msg("'%s' is let in", bad[i]);
}

static void no_list_and_a_star_let_everybody_in(void **state)
{
    (void)state;
    static const char *const lists[] = {"", " ", "*", " * "};
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        assert_true(edge_origins_allow(text_of(lists[i]), TEXT("https://any.example")));
        assert_true(edge_origins_allow(text_of(lists[i]), TEXT("null")));
        assert_true(edge_origins_are_valid(text_of(lists[i])));
    }
}

static void a_list_holds_what_browsers_write(void **state)
{
    (void)state;
    static const struct {
        const char *list;
        bool valid;
    } rows[] = {
        {LIST, true},
        {"https://a", true},
        {"http://127.0.0.1:1", true},
        {"http://a:65535", true},
        {"http://a:443,https://a:80", true},
        {"chrome-extension://abcdefghijklmnop", true},
        {"*,https://a", false},
        {"https://a,*", false},
        {"https://a,", false},
        {",https://a", false},
        {"https://a,,https://b", false},
        {"null", false},
        {"a.example", false},
        {"https://", false},
        {"://a", false},
        {"1s://a", false},
        {"https:/a", false},
        {"https://a/", false},
        {"https://a/path", false},
        {"https://a b", false},
        {"https://A", false},
        {"Https://a", false},
        {"https://u@a", false},
        {"https://*.a", false},
        {"https://a:", false},
        {"https://a:0", false},
        {"https://a:080", false},
        {"https://a:65536", false},
        {"https://a:8x", false},
        {"https://a:443", false},
        {"http://a:80", false},
        {"https://[::1", false},
        {"https://[]", false},
        {"https://[::1]x", false},
        {"https://[::g]", false},
        {"https://[::1]:8443", true},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (edge_origins_are_valid(text_of(rows[i].list)) != rows[i].valid)
            fail_msg("'%s': not %d", rows[i].list, rows[i].valid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_origin_is_let_in_when_it_is_in_the_list),
        cmocka_unit_test(what_only_looks_like_one_is_not),
        cmocka_unit_test(no_list_and_a_star_let_everybody_in),
        cmocka_unit_test(a_list_holds_what_browsers_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
