#include "region-hub/hub_lag.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void tells_the_age_of_what_is_not_applied(void **state)
{
    (void)state;
    struct hub_lag lag = {0};
    assert_int_equal(hub_lag_ms(&lag, 0, 1000), 0);
    hub_lag_heard(&lag, 5, 1000);
    hub_lag_heard(&lag, 6, 1001); /* too near to be a sample */
    hub_lag_heard(&lag, 9, 1100);
    assert_int_equal(hub_lag_ms(&lag, 4, 1200), 200);
    assert_int_equal(hub_lag_ms(&lag, 5, 1200), 100);
    assert_int_equal(hub_lag_ms(&lag, 9, 1200), 0);
}

static void keeps_the_oldest_when_it_is_full(void **state)
{
    (void)state;
    struct hub_lag lag = {0};
    for (uint64_t i = 1; i <= 2 * HUB_LAG_SAMPLES; i++)
        hub_lag_heard(&lag, i, (int64_t)i * HUB_LAG_SPACING_MS);
    assert_int_equal(lag.count, HUB_LAG_SAMPLES);
    assert_int_equal(hub_lag_ms(&lag, 0, 1000000), 1000000 - HUB_LAG_SPACING_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_the_age_of_what_is_not_applied),
        cmocka_unit_test(keeps_the_oldest_when_it_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
