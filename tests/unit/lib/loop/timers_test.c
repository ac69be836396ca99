#include "loop/timers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { COUNT = 500 };

/* What a heap can get wrong shows when it is taken apart. */
static void assert_comes_out_in_order(struct loop_timers *timers)
{
    int64_t before = INT64_MIN;
    for (struct loop_timer *first; (first = loop_timers_first(timers)) != NULL;) {
        assert_true(first->due_ms >= before);
        before = first->due_ms;
        loop_timers_stop(timers, first);
        assert_int_equal(first->slot, 0);
    }
}

static void comes_out_in_order_whatever_went_in(void **state)
{
    (void)state;
    static struct loop_timer all[COUNT];
    struct loop_timers timers = {0};
    srand(1);
    for (size_t i = 0; i < COUNT; i++)
        loop_timers_set(&timers, &all[i], rand() % 100);
    assert_int_equal(timers.count, COUNT);
    assert_comes_out_in_order(&timers);
    loop_timers_free(&timers);
}

static void keeps_order_through_moves_and_stops(void **state)
{
    (void)state;
    static struct loop_timer all[COUNT];
    struct loop_timers timers = {0};
    srand(2);
    for (int round = 0; round < 20000; round++) {
        struct loop_timer *timer = &all[rand() % COUNT];
        if (rand() % 3 == 0)
            loop_timers_stop(&timers, timer);
        else
            loop_timers_set(&timers, timer, rand() % 1000);
    }
    size_t set = 0;
    for (size_t i = 0; i < COUNT; i++)
        set += loop_timer_is_set(&all[i]) ? 1 : 0;
    assert_int_equal(timers.count, set);
    assert_comes_out_in_order(&timers);
    loop_timers_free(&timers);
}

static void stops_what_is_not_set(void **state)
{
    (void)state;
    struct loop_timers timers = {0};
    struct loop_timer timer = {0};
    loop_timers_stop(&timers, &timer);
    assert_null(loop_timers_first(&timers));
}

static void forgets_its_timers_when_freed(void **state)
{
    (void)state;
    struct loop_timers timers = {0};
    struct loop_timer timer = {0};
    loop_timers_set(&timers, &timer, 5);
    loop_timers_free(&timers);
    assert_false(loop_timer_is_set(&timer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_out_in_order_whatever_went_in),
        cmocka_unit_test(keeps_order_through_moves_and_stops),
        cmocka_unit_test(stops_what_is_not_set),
        cmocka_unit_test(forgets_its_timers_when_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
