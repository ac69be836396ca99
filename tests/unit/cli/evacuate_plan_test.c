#include "cli/evacuate_plan.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct catalogue_region regions[] = {
    {.name = "sin", .weight = 5},
    {.name = "dub", .weight = 3},
    {.name = "iad", .weight = 1},
    {.name = "syd", .weight = 9, .drain = true},
};
static const struct catalogue catalogue = {.regions = regions, .region_count = COUNT_OF(regions)};

static void users_are_spread_by_weight(void **state)
{
    (void)state;
    struct cli_evacuate_plan plan;
    struct error_text why;
    assert_int_equal(cli_evacuate_plan(&plan, &catalogue, "sin", NULL, &why), 0);
    assert_int_equal(plan.target_count, 2); /* not to one that is to drain */
    size_t counts[2] = {0};
    for (int i = 0; i < 4000; i++) {
        char name[16];
        snprintf(name, sizeof name, "u%d", i);
        const size_t target = cli_evacuate_target(&plan, text_of(name));
        assert_int_equal(cli_evacuate_target(&plan, text_of(name)), target);
        counts[target]++;
    }
    assert_in_range(counts[0], 2850, 3150);
    assert_int_equal(counts[0] + counts[1], 4000);
}

static void all_go_to_one(void **state)
{
    (void)state;
    struct cli_evacuate_plan plan;
    struct error_text why;
    assert_int_equal(cli_evacuate_plan(&plan, &catalogue, "sin", "iad", &why), 0);
    assert_int_equal(plan.target_count, 1);
    assert_string_equal(plan.targets[cli_evacuate_target(&plan, TEXT("bob"))]->name, "iad");
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    static const struct {
        size_t regions;
        const char *from;
        const char *to;
        const char *why;
    } rows[] = {
        {4, "fra", NULL, "the catalogue has no region 'fra'"},
        {4, "sin", "fra", "the catalogue has no region 'fra'"},
        {4, "sin", "sin", "users of sin cannot be moved to sin"},
        {4, "sin", "syd", "syd is to drain and takes no users"},
        {1, "sin", NULL, "there is no other region that takes users: sin cannot be evacuated"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct catalogue some = {.regions = regions, .region_count = rows[i].regions};
        struct cli_evacuate_plan plan;
        struct error_text why;
        assert_int_equal(cli_evacuate_plan(&plan, &some, rows[i].from, rows[i].to, &why), -EINVAL);
        assert_string_equal(why.text, rows[i].why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(users_are_spread_by_weight),
        cmocka_unit_test(all_go_to_one),
        cmocka_unit_test(what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
