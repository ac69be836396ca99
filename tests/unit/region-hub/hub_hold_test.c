#include "region-hub/hub_archiver.h"
#include "region-hub/hub_hold.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void what_is_archived_goes_at_once(void **state)
{
    (void)state;
    struct hub_hold hold = {0};
    assert_int_equal(hub_hold_last_to_go(&hold, 0, 0, 1000, 5000), 0);
    assert_int_equal(hub_hold_last_to_go(&hold, 5, 5, 1000, 5000), 5);
    assert_int_equal(hub_hold_last_to_go(&hold, 5, 9, 1000, 5000), 5); /* and no more than is out */
    assert_int_equal(hub_hold_last_to_go(&hold, 7, 5, 1000, 5000), 5);
}

static void without_an_archive_nothing_is_held(void **state)
{
    (void)state;
    struct hub_hold hold = {0};
    assert_int_equal(hub_hold_last_to_go(&hold, 6, hub_archiver_row(NULL, 0), 1000, 5000), 6);
}

static void what_is_not_archived_goes_after_its_bound(void **state)
{
    (void)state;
    struct hub_hold hold = {0};
    assert_int_equal(hub_hold_last_to_go(&hold, 6, 5, 1000, 5000), 5);
    assert_int_equal(hub_hold_last_to_go(&hold, 6, 5, 1000, 6000), 5);
    assert_int_equal(hub_hold_last_to_go(&hold, 6, 5, 1000, 6001), 6);
}

/* An archive that is away for longer than the bound: each row is held, not the first ones alone. */
static void each_row_is_held_for_as_long(void **state)
{
    (void)state;
    enum { HOLD_MS = 6300, STEP_MS = 10, ROWS = 5000 };
    struct hub_hold hold = {0};
    for (uint64_t row = 1; row <= ROWS; row++) { /* one more is out at each step */
        int64_t now_ms = (int64_t)row * STEP_MS;
        uint64_t gone = hub_hold_last_to_go(&hold, row, 0, HOLD_MS, now_ms);
        uint64_t due = row > HOLD_MS / STEP_MS ? row - HOLD_MS / STEP_MS : 0;
        assert_true(gone <= due);
        assert_true(gone + 2 * (HOLD_MS / STEP_MS) / (HUB_HOLD_SAMPLES - 1) + 2 >= due);
    }
    assert_int_equal(hub_hold_last_to_go(&hold, ROWS, ROWS, HOLD_MS, ROWS * STEP_MS), ROWS);
}

static void a_bound_of_nothing_holds_for_a_moment(void **state)
{
    (void)state;
    struct hub_hold hold = {0};
    assert_int_equal(hub_hold_last_to_go(&hold, 6, 0, 0, 5000), 0);
    assert_int_equal(hub_hold_last_to_go(&hold, 6, 0, 0, 5001), 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_archived_goes_at_once),
        cmocka_unit_test(without_an_archive_nothing_is_held),
        cmocka_unit_test(what_is_not_archived_goes_after_its_bound),
        cmocka_unit_test(each_row_is_held_for_as_long),
        cmocka_unit_test(a_bound_of_nothing_holds_for_a_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
