#include "edge/edge_admission.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct edge_admission admission_of(uint32_t per_s, uint32_t burst, uint32_t strangers_max)
{
    return (struct edge_admission){.settings = {.handshakes_per_s = per_s,
                                                .handshakes_burst = burst,
                                                .logins_per_s = per_s,
                                                .logins_burst = burst,
                                                .strangers_max = strangers_max}};
}

static void handshakes_are_taken_up_to_the_burst_then_at_the_rate(void **state)
{
    (void)state;
    struct edge_admission admission = admission_of(10, 5, 100);
    for (int i = 0; i < 5; i++)
        assert_int_equal(edge_admission_greet(&admission, 1000), 0);
    assert_int_not_equal(edge_admission_greet(&admission, 1000), 0);
    assert_int_not_equal(edge_admission_greet(&admission, 1099), 0);
    assert_int_equal(edge_admission_greet(&admission, 1100), 0);
}

static void strangers_are_bounded_and_a_refused_one_is_none(void **state)
{
    (void)state;
    struct edge_admission admission = admission_of(1000, 1000, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(edge_admission_greet(&admission, 0), 0);
    assert_int_not_equal(edge_admission_greet(&admission, 0), 0);
    assert_int_equal(admission.strangers, 3);
    edge_admission_knows(&admission);
    assert_int_equal(edge_admission_greet(&admission, 0), 0);
}

static void who_resumes_finds_room_where_new_ones_do_not(void **state)
{
    (void)state;
    struct edge_admission admission = admission_of(1, 10, 1);
    for (int i = 0; i < 5; i++)
        assert_int_equal(edge_admission_login(&admission, false, 0), 0);
    assert_int_not_equal(edge_admission_login(&admission, false, 0), 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(edge_admission_login(&admission, true, 0), 0);
    assert_int_not_equal(edge_admission_login(&admission, true, 0), 0);
    assert_int_equal(edge_admission_login(&admission, true, 1000), 0);
    assert_int_not_equal(edge_admission_login(&admission, false, 2000), 0);
}

static void a_burst_of_one_is_for_new_ones_too(void **state)
{
    (void)state;
    struct edge_admission admission = admission_of(1, 1, 1);
    assert_int_equal(edge_admission_login(&admission, false, 0), 0);
}

static void when_to_come_again_is_spread_over_the_whole_window(void **state)
{
    (void)state;
    struct edge_admission admission = admission_of(1, 1, 0);
    uint32_t least = UINT32_MAX;
    uint32_t most = 0;
    for (int i = 0; i < 200000; i++) {
        uint32_t again_ms = edge_admission_greet(&admission, 0);
        least = again_ms < least ? again_ms : least;
        most = again_ms > most ? again_ms : most;
    }
    assert_int_equal(least, EDGE_ADMISSION_AGAIN_MIN_MS);
    assert_int_equal(most, EDGE_ADMISSION_AGAIN_MAX_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handshakes_are_taken_up_to_the_burst_then_at_the_rate),
        cmocka_unit_test(strangers_are_bounded_and_a_refused_one_is_none),
        cmocka_unit_test(who_resumes_finds_room_where_new_ones_do_not),
        cmocka_unit_test(a_burst_of_one_is_for_new_ones_too),
        cmocka_unit_test(when_to_come_again_is_spread_over_the_whole_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
