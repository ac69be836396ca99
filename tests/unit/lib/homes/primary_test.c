/* When the directory's primary may be asked, and what is known of it. */
#include "homes/primary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { NOW_MS = 100000 };

static struct homes_primary made(void)
{
    struct homes_primary primary;
    homes_primary_init(&primary, NULL, 1);
    return primary;
}

static void is_asked_up_to_the_bound(void **state)
{
    (void)state;
    struct homes_primary primary = made();
    for (primary.asked = 0; primary.asked < HOMES_PRIMARY_MAX; primary.asked++)
        assert_int_equal(homes_primary_may(&primary, NOW_MS), HOMES_PRIMARY_ASK);
    assert_int_equal(homes_primary_may(&primary, NOW_MS), HOMES_PRIMARY_BUSY);
    primary.asked--;
    assert_int_equal(homes_primary_may(&primary, NOW_MS), HOMES_PRIMARY_ASK);
}

static void rests_after_a_silence(void **state)
{
    (void)state;
    struct homes_primary primary = made();
    homes_primary_answered(&primary, false, NOW_MS);
    assert_int_equal(homes_primary_may(&primary, NOW_MS), HOMES_PRIMARY_SILENT);
    assert_int_equal(homes_primary_may(&primary, NOW_MS + HOMES_PRIMARY_REST_MS - 1),
                     HOMES_PRIMARY_SILENT);
    assert_int_equal(homes_primary_may(&primary, NOW_MS + HOMES_PRIMARY_REST_MS),
                     HOMES_PRIMARY_ASK);
}

static void is_heard_for_some_seconds(void **state)
{
    (void)state;
    struct homes_primary primary = made();
    assert_false(homes_primary_is_heard(&primary, 0));
    homes_primary_answered(&primary, false, NOW_MS);
    assert_false(homes_primary_is_heard(&primary, NOW_MS));
    homes_primary_answered(&primary, true, NOW_MS);
    assert_true(homes_primary_is_heard(&primary, NOW_MS + HOMES_PRIMARY_HEARD_MS));
    assert_false(homes_primary_is_heard(&primary, NOW_MS + HOMES_PRIMARY_HEARD_MS + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_asked_up_to_the_bound),
        cmocka_unit_test(rests_after_a_silence),
        cmocka_unit_test(is_heard_for_some_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
