#include "c/hints.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct meridian_hints hints;

static void take(const char *endpoints, bool tls)
{
    meridian_hints_take(&hints, text_of(endpoints), tls, 1000);
}

static const char *next_host(int64_t now_ms)
{
    const struct meridian_url *url = meridian_hints_next(&hints, now_ms);
    return url == NULL ? "" : url->host;
}

static void each_is_tried_once_the_best_one_first(void **state)
{
    (void)state;
    take("[{\"url\":\"http://a:1\",\"region\":\"sin\"},{\"url\":\"http://b:2\"}]", false);
    assert_string_equal(next_host(0), "a");
    assert_string_equal(next_host(999), "b");
    assert_string_equal(next_host(999), "");
}

static void they_are_of_use_for_a_while(void **state)
{
    (void)state;
    take("[{\"url\":\"http://a:1\"}]", false);
    assert_string_equal(next_host(1000), "");
    take("[{\"url\":\"http://a:1\"}]", false);
    meridian_hints_forget(&hints);
    assert_string_equal(next_host(0), "");
}

static void none_leads_off_tls_or_to_it(void **state)
{
    (void)state;
    const char *both = "[{\"url\":\"http://plain\"},{\"url\":\"https://safe\"}]";
    take(both, true);
    assert_string_equal(next_host(0), "safe");
    assert_string_equal(next_host(0), "");
    take(both, false);
    assert_string_equal(next_host(0), "plain");
    assert_string_equal(next_host(0), "");
}

static void what_is_no_edge_is_passed_over(void **state)
{
    (void)state;
    take("[7,{},{\"url\":7},{\"url\":\"ftp://x\"},\"http://y\",{\"url\":\"http://z\"}]", false);
    assert_string_equal(next_host(0), "z");
    take("{}", false);
    assert_string_equal(next_host(0), "");
    take("[", false);
    assert_string_equal(next_host(0), "");
}

static void so_many_are_kept_and_no_more(void **state)
{
    (void)state;
    char many[1024] = "[";
    for (int i = 0; i < MERIDIAN_HINTS_MAX + 1; i++)
        snprintf(many + strlen(many), sizeof many - strlen(many), "%s{\"url\":\"http://e%d\"}",
                 i > 0 ? "," : "", i);
    strcat(many, "]");
    take(many, false);
    assert_int_equal(hints.count, MERIDIAN_HINTS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_tried_once_the_best_one_first),
        cmocka_unit_test(they_are_of_use_for_a_while),
        cmocka_unit_test(none_leads_off_tls_or_to_it),
        cmocka_unit_test(what_is_no_edge_is_passed_over),
        cmocka_unit_test(so_many_are_kept_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
