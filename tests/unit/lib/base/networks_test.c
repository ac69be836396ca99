#include "base/networks.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void reads_lists(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int result;
        size_t count;
    } rows[] = {
        {"", 0, 0},
        {"  ", 0, 0},
        {"10.0.0.0/8", 0, 1},
        {"10.0.0.0/8,::1", 0, 2},
        {" 10.0.0.0/8 ,\t2001:db8::/32 , 192.0.2.1 ", 0, 3},
        {"10.0.0.0/8,", -EINVAL, 0},
        {",10.0.0.0/8", -EINVAL, 0},
        {"10.0.0.0/8,,::1", -EINVAL, 0},
        {"10.0.0.0/8 ::1", -EINVAL, 0},
        {"10.0.0.1/8", -EINVAL, 0},
        {"localhost", -EINVAL, 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct networks networks = {.count = 0};
        assert_int_equal(networks_parse(text_of(rows[i].text), &networks), rows[i].result);
        assert_int_equal(networks.count, rows[i].count);
        assert_int_equal(networks_are_valid(text_of(rows[i].text)), rows[i].result == 0);
    }
}

static void takes_as_many_as_it_may_and_not_one_more(void **state)
{
    (void)state;
    char text[(NETWORKS_MAX + 1) * sizeof "192.0.2.1,"];
    size_t size = 0;
    struct networks networks;
    for (int i = 0; i < NETWORKS_MAX; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, "192.0.2.%d,", i);
    assert_int_equal(networks_parse((struct text){text, size - 1}, &networks), 0);
    assert_int_equal(networks.count, NETWORKS_MAX);
    snprintf(text + size, sizeof text - size, "::1");
    assert_int_equal(networks_parse(text_of(text), &networks), -E2BIG);
}

static void has_what_one_of_them_has(void **state)
{
    (void)state;
    struct networks networks;
    struct networks none = {.count = 0};
    assert_int_equal(networks_parse(TEXT("10.0.0.0/8, 2001:db8::/32"), &networks), 0);
    static const struct {
        const char *address;
        bool has;
    } rows[] = {
        {"10.255.0.1", true},  {"::ffff:10.0.0.1", true}, {"11.0.0.1", false},
        {"2001:db8::1", true}, {"2001:db9::1", false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct address address;
        assert_int_equal(address_parse(text_of(rows[i].address), &address), 0);
        assert_int_equal(networks_have(&networks, &address), rows[i].has);
        assert_false(networks_have(&none, &address));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_lists),
        cmocka_unit_test(takes_as_many_as_it_may_and_not_one_more),
        cmocka_unit_test(has_what_one_of_them_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
