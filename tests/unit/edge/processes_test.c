#include "edge/edge_processes.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { BEGIN_MS = 5000, MOST_MS = 60000 };

static struct edge_processes processes;

/* Starts all that are due, and tells how many. */
static int start_due(int64_t now_ms)
{
    uint32_t at;
    int count = 0;
    for (; edge_processes_next(&processes, now_ms, &at) == 0; count++)
        edge_processes_started(&processes, at, now_ms);
    return count;
}

static int begin(void **state)
{
    (void)state;
    edge_processes_init(&processes, 3, BEGIN_MS);
    return 0;
}

static void all_are_started_at_once(void **state)
{
    (void)state;
    assert_int_equal(edge_processes_wait_ms(&processes, BEGIN_MS, MOST_MS), 0);
    assert_int_equal(start_due(BEGIN_MS), 3);
    assert_int_equal(start_due(BEGIN_MS), 0);
    assert_int_equal(edge_processes_wait_ms(&processes, BEGIN_MS, MOST_MS), MOST_MS);
}

static void one_that_ran_well_is_started_again_at_once(void **state)
{
    (void)state;
    const int64_t end_ms = BEGIN_MS + EDGE_PROCESSES_WELL_MS;
    uint32_t at = 99;
    start_due(BEGIN_MS);
    assert_int_equal(edge_processes_ended(&processes, 1, end_ms), 0);
    assert_int_equal(edge_processes_next(&processes, end_ms, &at), 0);
    assert_int_equal(at, 1);
    assert_int_equal(processes.restarts, 1);
}

static void one_that_ended_sooner_waits(void **state)
{
    (void)state;
    const int64_t end_ms = BEGIN_MS + EDGE_PROCESSES_WELL_MS - 1;
    uint32_t at = 99;
    start_due(BEGIN_MS);
    assert_int_equal(edge_processes_ended(&processes, 1, end_ms), EDGE_PROCESSES_WAIT_MS);
    assert_int_equal(edge_processes_wait_ms(&processes, end_ms + 100, MOST_MS),
                     EDGE_PROCESSES_WAIT_MS - 100);
    assert_int_equal(edge_processes_next(&processes, end_ms + EDGE_PROCESSES_WAIT_MS - 1, &at),
                     -ENOENT);
    assert_int_equal(at, 99);
    assert_int_equal(start_due(end_ms + EDGE_PROCESSES_WAIT_MS), 1);
}

static void one_that_ends_again_and_again_waits_longer_up_to_a_bound(void **state)
{
    (void)state;
    static const int64_t waits_ms[] = {500, 1000, 2000, 4000, 8000, 16000, 30000, 30000};
    int64_t now_ms = BEGIN_MS;
    start_due(now_ms);
    for (size_t i = 0; i < COUNT_OF(waits_ms); i++) {
        int64_t wait_ms = edge_processes_ended(&processes, 0, now_ms);
        assert_int_equal(wait_ms, waits_ms[i]);
        now_ms += wait_ms;
        assert_int_equal(start_due(now_ms), 1);
    }
    now_ms += EDGE_PROCESSES_WELL_MS;
    assert_int_equal(edge_processes_ended(&processes, 0, now_ms), 0); /* forgiven */
    start_due(now_ms);
    assert_int_equal(edge_processes_ended(&processes, 0, now_ms), EDGE_PROCESSES_WAIT_MS);
    assert_int_equal(processes.restarts, COUNT_OF(waits_ms) + 2);
}

static void one_that_cannot_be_started_waits_as_well(void **state)
{
    (void)state;
    int64_t long_after_ms = BEGIN_MS + 10 * EDGE_PROCESSES_WELL_MS;
    assert_int_equal(edge_processes_ended(&processes, 0, long_after_ms), EDGE_PROCESSES_WAIT_MS);
    assert_int_equal(edge_processes_ended(&processes, 0, long_after_ms),
                     2 * EDGE_PROCESSES_WAIT_MS);
}

static void a_stop_starts_none_and_is_done_when_all_have_ended(void **state)
{
    (void)state;
    start_due(BEGIN_MS);
    assert_false(edge_processes_are_done(&processes));
    (void)edge_processes_ended(&processes, 2, BEGIN_MS);
    edge_processes_stop(&processes);
    assert_int_equal(start_due(BEGIN_MS + MOST_MS), 0);
    assert_int_equal(edge_processes_wait_ms(&processes, BEGIN_MS, MOST_MS), MOST_MS);
    (void)edge_processes_ended(&processes, 0, BEGIN_MS);
    assert_false(edge_processes_are_done(&processes));
    (void)edge_processes_ended(&processes, 1, BEGIN_MS);
    assert_true(edge_processes_are_done(&processes));
    assert_int_equal(processes.restarts, 1); /* those that were to end are none */
}

static void without_a_stop_it_is_never_done(void **state)
{
    (void)state;
    assert_false(edge_processes_are_done(&processes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(all_are_started_at_once, begin),
        cmocka_unit_test_setup(one_that_ran_well_is_started_again_at_once, begin),
        cmocka_unit_test_setup(one_that_ended_sooner_waits, begin),
        cmocka_unit_test_setup(one_that_ends_again_and_again_waits_longer_up_to_a_bound, begin),
        cmocka_unit_test_setup(one_that_cannot_be_started_waits_as_well, begin),
        cmocka_unit_test_setup(a_stop_starts_none_and_is_done_when_all_have_ended, begin),
        cmocka_unit_test_setup(without_a_stop_it_is_never_done, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
