#include "edge/edge_wheel.h"

#include "base/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { START_MS = 1234567, ROUND_MS = EDGE_WHEEL_SLOTS * EDGE_WHEEL_TICK_MS };

/* When it is found, looked at every `step_ms`; -1 when it is not within two rounds. */
static int64_t found_after(int64_t delay_ms, int64_t step_ms)
{
    struct edge_wheel wheel;
    struct list node = {0};
    edge_wheel_init(&wheel, START_MS);
    edge_wheel_set(&wheel, &node, START_MS, delay_ms);
    for (int64_t after_ms = 0; after_ms <= 2 * ROUND_MS; after_ms += step_ms)
        if (edge_wheel_next(&wheel, START_MS + after_ms) == &node) {
            assert_false(list_linked(&node));
            assert_null(edge_wheel_next(&wheel, START_MS + after_ms));
            return after_ms;
        }
    return -1;
}

static void finds_it_soon_after_its_delay_and_never_before(void **state)
{
    (void)state;
    static const int64_t delays_ms[] = {0, 1, 432, 433, 434, 499, 500, 501, 1000, 30000, 62000};
    for (size_t i = 0; i < COUNT_OF(delays_ms); i++) {
        int64_t after_ms = found_after(delays_ms[i], 1);
        assert_in_range(after_ms, delays_ms[i], delays_ms[i] + EDGE_WHEEL_TICK_MS);
    }
    assert_in_range(found_after(-5000, 1), 0, EDGE_WHEEL_TICK_MS);
}

static void looks_at_who_waits_longer_within_a_round(void **state)
{
    (void)state;
    assert_in_range(found_after(ROUND_MS, 1), ROUND_MS - 3 * EDGE_WHEEL_TICK_MS, ROUND_MS);
    assert_in_range(found_after(INT32_MAX, 1), ROUND_MS - 3 * EDGE_WHEEL_TICK_MS, ROUND_MS);
}

static void one_late_look_finds_all_that_is_due(void **state)
{
    (void)state;
    struct edge_wheel wheel;
    struct list nodes[EDGE_WHEEL_SLOTS] = {{0}};
    edge_wheel_init(&wheel, START_MS);
    for (size_t i = 0; i < COUNT_OF(nodes); i++)
        edge_wheel_set(&wheel, &nodes[i], START_MS, (int64_t)i * EDGE_WHEEL_TICK_MS);
    for (size_t i = 0; i < COUNT_OF(nodes); i++)
        assert_non_null(edge_wheel_next(&wheel, START_MS + 10 * ROUND_MS));
    assert_null(edge_wheel_next(&wheel, START_MS + 10 * ROUND_MS));
}

static void what_is_set_again_is_not_due_in_the_same_look(void **state)
{
    (void)state;
    struct edge_wheel wheel;
    struct list node = {0};
    edge_wheel_init(&wheel, START_MS);
    edge_wheel_set(&wheel, &node, START_MS, 0);
    for (int64_t now_ms = START_MS; now_ms < START_MS + 2 * ROUND_MS; now_ms += 700) {
        int found = 0;
        while (edge_wheel_next(&wheel, now_ms) != NULL && ++found < 5)
            edge_wheel_set(&wheel, &node, now_ms, 0);
        assert_true(found <= 1);
    }
    edge_wheel_set(&wheel, &node, START_MS, 0); /* moved, since it was linked */
    list_remove(&node);
    assert_null(edge_wheel_next(&wheel, START_MS + 4 * ROUND_MS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_it_soon_after_its_delay_and_never_before),
        cmocka_unit_test(looks_at_who_waits_longer_within_a_round),
        cmocka_unit_test(one_late_look_finds_all_that_is_due),
        cmocka_unit_test(what_is_set_again_is_not_due_in_the_same_look),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
