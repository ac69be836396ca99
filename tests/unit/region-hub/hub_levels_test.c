#include "region-hub/hub_levels.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct catalogue_hub hubs[] = {{.name = "sin-h1"}, {.name = "sin-h2"}};
static const struct catalogue_region region = {.name = "sin", .hubs = hubs, .hub_count = 2};

static void is_the_least_that_all_know(void **state)
{
    (void)state;
    struct hub_levels levels = {.region = &region};
    assert_int_equal(hub_levels_common(&levels, 1000), 0);
    hub_levels_heard(&levels, TEXT("sin-h1"), 3, 1000);
    assert_int_equal(hub_levels_common(&levels, 1000), 0); /* the other may know nothing */
    hub_levels_heard(&levels, TEXT("sin-h2"), 2, 1000);
    assert_int_equal(hub_levels_common(&levels, 1000), 2);
    hub_levels_heard(&levels, TEXT("sin-h2"), 4, 1000);
    assert_int_equal(hub_levels_common(&levels, 1000), 3);
    hub_levels_heard(&levels, TEXT("sin-h1"), 1, 1500); /* started again, held back */
    assert_int_equal(hub_levels_common(&levels, 1500), 1);
}

static void what_was_said_long_ago_is_not_believed(void **state)
{
    (void)state;
    struct hub_levels levels = {.region = &region};
    hub_levels_heard(&levels, TEXT("sin-h1"), 2, 1000);
    hub_levels_heard(&levels, TEXT("sin-h2"), 2, 5000);
    assert_int_equal(hub_levels_common(&levels, 10999), 2);
    assert_int_equal(hub_levels_common(&levels, 11000), 0);
    hub_levels_heard(&levels, TEXT("sin-h1"), 2, 11000);
    assert_int_equal(hub_levels_common(&levels, 11000), 2);
}

static void who_is_not_in_the_catalogue_has_no_say(void **state)
{
    (void)state;
    struct hub_levels levels = {.region = &region};
    hub_levels_heard(&levels, TEXT("sin-h1"), 2, 1000);
    hub_levels_heard(&levels, TEXT("sin-h2"), 2, 1000);
    hub_levels_heard(&levels, TEXT("sin-h9"), 1, 1000);
    assert_int_equal(hub_levels_common(&levels, 1000), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_the_least_that_all_know),
        cmocka_unit_test(what_was_said_long_ago_is_not_believed),
        cmocka_unit_test(who_is_not_in_the_catalogue_has_no_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
