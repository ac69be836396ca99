#include "base/macros.h"
#include "edge/edge_bucket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_full_one_gives_its_burst_and_no_more(void **state)
{
    (void)state;
    static const uint32_t rates[] = {1, 3, 20, 1000, 1000000};
    for (size_t r = 0; r < COUNT_OF(rates); r++) {
        struct edge_bucket bucket = {0};
        for (int i = 0; i < 40; i++)
            assert_int_equal(edge_bucket_take(&bucket, rates[r], 40, 5000), 0);
        assert_true(edge_bucket_take(&bucket, rates[r], 40, 5000) > 0);
    }
}

static void it_says_when_and_there_is_one_then_and_not_before(void **state)
{
    (void)state;
    struct edge_bucket bucket = {0};
    assert_int_equal(edge_bucket_take(&bucket, 20, 1, 1000), 0);
    assert_int_equal(edge_bucket_take(&bucket, 20, 1, 1000), 50);
    assert_int_equal(edge_bucket_take(&bucket, 20, 1, 1049), 1);
    assert_int_equal(edge_bucket_take(&bucket, 20, 1, 1050), 0);
}

static void over_a_minute_the_rate_is_kept(void **state)
{
    (void)state;
    struct edge_bucket bucket = {0};
    int taken = 0;
    for (int64_t now_ms = 0; now_ms < 60000; now_ms++)
        taken += edge_bucket_take(&bucket, 50, 100, now_ms) == 0;
    assert_in_range(taken, 100 + 60 * 50 - 1, 100 + 60 * 50);
}

static void a_long_rest_fills_it_once(void **state)
{
    (void)state;
    struct edge_bucket bucket = {0};
    for (int i = 0; i < 3; i++)
        assert_int_equal(edge_bucket_take(&bucket, 1, 3, 0), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(edge_bucket_take(&bucket, 1, 3, 1000000), 0);
    assert_int_equal(edge_bucket_take(&bucket, 1, 3, 1000000), 1000);
}

static void to_look_takes_none(void **state)
{
    (void)state;
    struct edge_bucket bucket = {0};
    const struct edge_rate rate = edge_rate_per_s(10, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(edge_bucket_draw(&bucket, rate, 0), 0);
    assert_int_equal(edge_bucket_wait(&bucket, rate, 1, 0), 100);
    assert_int_equal(edge_bucket_wait(&bucket, rate, 2, 0), 200);
    assert_int_equal(edge_bucket_wait(&bucket, rate, 4, 0), 400);
    assert_int_equal(edge_bucket_wait(&bucket, rate, 4, 399), 1);
    assert_int_equal(edge_bucket_wait(&bucket, rate, 4, 400), 0);
    assert_int_equal(edge_bucket_wait(&bucket, rate, 1, 0), 100);
}

static void it_is_full_when_all_that_was_taken_has_come_again(void **state)
{
    (void)state;
    struct edge_bucket bucket = {0};
    assert_true(edge_bucket_is_full(&bucket, 5));
    assert_int_equal(edge_bucket_take(&bucket, 10, 4, 1000), 0);
    assert_int_equal(edge_bucket_take(&bucket, 10, 4, 1000), 0);
    assert_false(edge_bucket_is_full(&bucket, 1199));
    assert_true(edge_bucket_is_full(&bucket, 1200));
}

static void a_rate_may_be_of_a_minute(void **state)
{
    (void)state;
    struct edge_bucket bucket = {0};
    const struct edge_rate rate = edge_rate_per_min(10, 10);
    for (int i = 0; i < 10; i++)
        assert_int_equal(edge_bucket_draw(&bucket, rate, 0), 0);
    assert_int_equal(edge_bucket_draw(&bucket, rate, 0), 6000);
    assert_int_equal(edge_bucket_draw(&bucket, rate, 6000), 0);
    assert_int_equal(edge_bucket_draw(&bucket, rate, 6000), 6000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_one_gives_its_burst_and_no_more),
        cmocka_unit_test(it_says_when_and_there_is_one_then_and_not_before),
        cmocka_unit_test(over_a_minute_the_rate_is_kept),
        cmocka_unit_test(a_long_rest_fills_it_once),
        cmocka_unit_test(to_look_takes_none),
        cmocka_unit_test(it_is_full_when_all_that_was_taken_has_come_again),
        cmocka_unit_test(a_rate_may_be_of_a_minute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
