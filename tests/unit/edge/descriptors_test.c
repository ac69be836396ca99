#include "base/macros.h"
#include "edge/edge_descriptors.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void some_are_kept_for_other_things_than_clients(void **state)
{
    (void)state;
    static const struct {
        uint64_t limit;
        uint32_t wanted, connections;
    } rows[] = {
        {1064, 1000, 1000},    {1063, 1000, 999}, /* one descriptor less */
        {1065, 1000, 1000},    {UINT64_MAX, 1000000, 1000000},
        {20000, 50000, 19936}, {128, 50000, 64},
        {127, 50000, 64}, /* no less */
        {0, 50000, 64},        {0, 10, 10},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(edge_descriptors_connections(rows[i].limit, rows[i].wanted),
                         rows[i].connections);
}

static void who_cannot_be_taken_for_want_of_something_is_not_asked_for_again_at_once(void **state)
{
    (void)state;
    static const int short_of[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM};
    static const int of_itself[] = {ECONNABORTED, EINTR, EPROTO, ENETDOWN, EPERM};
    for (size_t i = 0; i < COUNT_OF(short_of); i++)
        assert_int_equal(edge_descriptors_judge(short_of[i]), EDGE_ACCEPT_REST);
    for (size_t i = 0; i < COUNT_OF(of_itself); i++)
        assert_int_equal(edge_descriptors_judge(of_itself[i]), EDGE_ACCEPT_NEXT);
    assert_int_equal(edge_descriptors_judge(EAGAIN), EDGE_ACCEPT_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(some_are_kept_for_other_things_than_clients),
        cmocka_unit_test(who_cannot_be_taken_for_want_of_something_is_not_asked_for_again_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
