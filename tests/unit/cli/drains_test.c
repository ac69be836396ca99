#include "cli/drains.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { NOW = 1000000 };

static struct catalogue_region regions[] = {{.name = "sin"}, {.name = "iad"}, {.name = "dub"}};
static const struct catalogue catalogue = {.regions = regions, .region_count = 3};
#define SIN (&regions[0])
#define IAD (&regions[1])
#define DUB (&regions[2])

static int begin_drain(struct wire_drains *drains, const struct catalogue_region *region)
{
    struct error_text why = {0};
    return cli_drains_begin(drains, &catalogue, region, NOW, false, &why);
}

static void drains_once_and_ends_once(void **state)
{
    (void)state;
    struct wire_drains drains = {.count = 0};
    assert_int_equal(cli_drains_end(&drains, DUB, NOW, 60), 0);
    assert_int_equal(begin_drain(&drains, DUB), 1);
    assert_int_equal(begin_drain(&drains, DUB), 0);
    assert_int_equal(drains.count, 1);
    assert_int_equal(drains.each[0].state, WIRE_DRAIN_AWAY);
    assert_int_equal(drains.each[0].since_ms, NOW);
    assert_int_equal(cli_drains_end(&drains, DUB, NOW + 5, 60), 1);
    assert_int_equal(drains.each[0].state, WIRE_DRAIN_BACK);
    assert_int_equal(drains.each[0].over_s, 60);
    assert_int_equal(cli_drains_end(&drains, DUB, NOW + 9, 60), 0); /* it is on its way */
    assert_int_equal(drains.each[0].since_ms, NOW + 5);
    assert_int_equal(begin_drain(&drains, DUB), 1); /* it drains again meanwhile */
    assert_int_equal(drains.each[0].over_s, 0);
    assert_int_equal(cli_drains_end(&drains, DUB, NOW, 0), 1);
    assert_int_equal(drains.count, 0);
}

static void keeps_the_last_region_in_use(void **state)
{
    (void)state;
    struct wire_drains drains = {.count = 0};
    struct error_text why = {0};
    assert_int_equal(begin_drain(&drains, DUB), 1);
    assert_int_equal(begin_drain(&drains, SIN), 1);
    assert_int_equal(cli_drains_begin(&drains, &catalogue, IAD, NOW, false, &why), -EBUSY);
    assert_non_null(strstr(why.text, "iad is the last region in use"));
    assert_int_equal(drains.count, 2);
    regions[0].drain = true; /* in the catalogue counts as well */
    assert_int_equal(cli_drains_end(&drains, SIN, NOW, 0), 1);
    assert_int_equal(begin_drain(&drains, IAD), -EBUSY);
    regions[0].drain = false;
    assert_int_equal(begin_drain(&drains, IAD), 1);
    assert_int_equal(cli_drains_begin(&drains, &catalogue, SIN, NOW, true, &why), 1);
    assert_int_equal(drains.count, 3);
}

static void forgets_what_is_over(void **state)
{
    (void)state;
    struct wire_drains drains = {.count = 3,
                                 .each = {{"dub", WIRE_DRAIN_BACK, NOW, 60},
                                          {"gone", WIRE_DRAIN_AWAY, NOW, 0},
                                          {"sin", WIRE_DRAIN_AWAY, NOW, 0}}};
    cli_drains_tidy(&drains, &catalogue, NOW + 59999);
    assert_int_equal(drains.count, 2);
    assert_string_equal(drains.each[1].region, "sin");
    cli_drains_tidy(&drains, &catalogue, NOW + 60000);
    assert_int_equal(drains.count, 1);
    assert_string_equal(drains.each[0].region, "sin");
}

static void holds_no_more_than_there_may_be(void **state)
{
    (void)state;
    struct wire_drains drains = {.count = WIRE_DRAINS_MAX - 1};
    for (size_t i = 0; i < WIRE_DRAINS_MAX; i++)
        snprintf(drains.each[i].region, sizeof drains.each[i].region, "r%zu", i);
    assert_int_equal(begin_drain(&drains, DUB), 1);
    assert_int_equal(drains.count, WIRE_DRAINS_MAX);
    assert_int_equal(begin_drain(&drains, SIN), -ENOSPC);
    assert_int_equal(begin_drain(&drains, DUB), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drains_once_and_ends_once),
        cmocka_unit_test(keeps_the_last_region_in_use),
        cmocka_unit_test(forgets_what_is_over),
        cmocka_unit_test(holds_no_more_than_there_may_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
