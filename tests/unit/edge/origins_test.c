#include "edge/edge_origins.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_list_is_checked(void **state)
{
    (void)state;
    static const struct {
        const char *list;
        bool valid;
    } rows[] = {
        {"", true},
        {" ", true},
        {"*", true},
        {" * ", true},
        {"https://app.example", true},
        {"https://app.example:8443", true},
        {"http://127.0.0.1:3000,https://a-b.example", true},
        {" https://a , https://b ", true},
        {"http://[::1]:80", true},
        {"chrome-extension://abcdef", true},
        {",", false},
        {"https://a,", false},
        {",https://a", false},
        {"https://a,,https://b", false},
        {"https://a https://b", false},
        {"*,https://a", false},
        {"https://*.example", false},
        {"null", false},
        {"app.example", false},
        {"https://", false},
        {"https://a/", false},
        {"https://a/b", false},
        {"https://u@a", false},
        {"https://a:", false},
        {"https://a:b", false},
        {"https://A.example", false}, /* browsers send small letters: it would never fit */
        {"http://[::1", false},
        {"http://[]", false},
        {"://a", false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (edge_origins_are_valid(text_of(rows[i].list)) != rows[i].valid)
            fail_msg("'%s'", rows[i].list);
}

static void an_origin_is_one_of_the_list(void **state)
{
    (void)state;
    static const struct {
        const char *list, *origin;
        bool allowed;
    } rows[] = {
        {"", "https://a", false},
        {"", "", false},
        {" ", "", false},
        {"*", "https://a", true},
        {"*", "null", true},
        {"*", "", false},
        {"https://a", "https://a", true},
        {"https://a, https://b:1", "https://b:1", true},
        {"https://a", "https://a.example", false},
        {"https://a.example", "https://a", false},
        {"https://a", "http://a", false},
        {"https://a", "https://a:443", false},
        {"https://a", "HTTPS://A", false},
        {"https://a", "null", false},
        {"https://a", "", false},
        {"https://a, https://b", "https://a, https://b", false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (edge_origins_allow(text_of(rows[i].list), text_of(rows[i].origin)) != rows[i].allowed)
            fail_msg("'%s' in '%s'", rows[i].origin, rows[i].list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_is_checked),
        cmocka_unit_test(an_origin_is_one_of_the_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
