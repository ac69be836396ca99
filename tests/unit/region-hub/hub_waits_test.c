#include "region-hub/hub_waits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { LOG_MS = 500000 };

static void what_is_held_counts_from_its_freeze(void **state)
{
    (void)state;
    struct hub_waits waits = {0};
    const struct mailbox_moving moving = {.users = 2, .held = 3, .held_since_ms = LOG_MS};
    assert_int_equal(hub_waits_long(&waits, &moving, 1, LOG_MS + HUB_WAITS_LONG_MS - 1, 7), 0);
    assert_int_equal(hub_waits_long(&waits, &moving, 1, LOG_MS + HUB_WAITS_LONG_MS, 7), 3);
    const struct mailbox_moving nothing = {.users = 2};
    assert_int_equal(hub_waits_long(&waits, &nothing, 1, LOG_MS + HUB_WAITS_LONG_MS, 7), 0);
}

static void what_is_passed_on_counts_while_the_queue_stands(void **state)
{
    (void)state;
    struct hub_waits waits = {0};
    const struct mailbox_moving moving = {.to_pass_on = 5};
    const struct mailbox_moving nothing = {0};
    const int64_t long_ms = HUB_WAITS_LONG_MS;
    assert_int_equal(hub_waits_long(&waits, &nothing, 9, LOG_MS, 0), 0); /* notices alone */
    assert_int_equal(hub_waits_long(&waits, &moving, 9, LOG_MS, 100), 0);
    assert_int_equal(hub_waits_long(&waits, &moving, 9, LOG_MS, 100 + long_ms - 1), 0);
    assert_int_equal(hub_waits_long(&waits, &moving, 9, LOG_MS, 100 + long_ms), 5);
    assert_int_equal(hub_waits_long(&waits, &moving, 10, LOG_MS, 100 + long_ms), 0); /* it goes */
    assert_int_equal(hub_waits_long(&waits, &moving, 10, LOG_MS, 100 + 2 * long_ms), 5);
    assert_int_equal(hub_waits_long(&waits, &nothing, 10, LOG_MS, 100 + 2 * long_ms), 0);
    assert_int_equal(hub_waits_long(&waits, &moving, 10, LOG_MS, 100 + 9 * long_ms), 0); /* anew */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_held_counts_from_its_freeze),
        cmocka_unit_test(what_is_passed_on_counts_while_the_queue_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
