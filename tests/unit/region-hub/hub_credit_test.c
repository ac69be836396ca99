#include "region-hub/hub_credit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct hub_credit_limits limits = {.messages = 4, .bytes = 800};

static void allows_messages_up_to_the_bound_and_not_one_more(void **state)
{
    (void)state;
    struct hub_credit credit = {.sent = 10, .acked = 10};
    for (int i = 0; i < 4; i++) {
        assert_true(hub_credit_allows(&credit, &limits, 1));
        hub_credit_send(&credit, &limits, 1);
    }
    assert_int_equal(credit.sent, 14);
    assert_int_equal(hub_credit_messages(&credit, &limits), 0);
    assert_false(hub_credit_allows(&credit, &limits, 1));
    hub_credit_ack(&credit, 11);
    assert_true(hub_credit_allows(&credit, &limits, 1));
}

static void allows_bytes_up_to_the_bound_and_not_one_more(void **state)
{
    (void)state;
    struct hub_credit credit = {0};
    hub_credit_send(&credit, &limits, 500);
    assert_true(hub_credit_allows(&credit, &limits, 300));
    assert_false(hub_credit_allows(&credit, &limits, 301));
}

static void lets_one_message_of_any_size_go_when_nothing_is_on_its_way(void **state)
{
    (void)state;
    struct hub_credit credit = {.sent = 3, .acked = 3};
    assert_true(hub_credit_allows(&credit, &limits, 100000));
    hub_credit_send(&credit, &limits, 100000);
    assert_false(hub_credit_allows(&credit, &limits, 1));
    hub_credit_ack(&credit, 4);
    assert_int_equal(credit.bytes, 0);
    assert_true(hub_credit_allows(&credit, &limits, 100000));
}

static void releases_all_bytes_once_all_is_acknowledged(void **state)
{
    (void)state;
    const struct hub_credit_limits wide = {.messages = 1000, .bytes = 100000};
    struct hub_credit credit = {0};
    for (int i = 0; i < 500; i++)
        hub_credit_send(&credit, &wide, (size_t)(i % 7) * 20);
    uint64_t before = credit.bytes;
    for (uint64_t seq = 1; seq <= 500; seq++) {
        hub_credit_ack(&credit, seq);
        assert_true(credit.bytes <= before);
        before = credit.bytes;
    }
    assert_int_equal(credit.bytes, 0);
    assert_int_equal(credit.run_count, 0);
}

static void never_counts_less_than_what_is_on_its_way(void **state)
{
    (void)state;
    const struct hub_credit_limits wide = {.messages = 1000, .bytes = 8000};
    struct hub_credit credit = {0};
    uint64_t on_way = 0;
    for (uint64_t i = 1; i <= 100; i++) {
        hub_credit_send(&credit, &wide, 100);
        on_way += 100;
        if (i % 3 == 0) {
            hub_credit_ack(&credit, credit.acked + 2);
            on_way -= 200;
        }
        assert_true(credit.bytes >= on_way);
    }
}

static void goes_back_and_sends_again(void **state)
{
    (void)state;
    struct hub_credit credit = {0};
    hub_credit_send(&credit, &limits, 200);
    hub_credit_send(&credit, &limits, 200);
    hub_credit_send(&credit, &limits, 200);
    hub_credit_go_back(&credit, 1);
    assert_int_equal(credit.sent, 1);
    assert_int_equal(credit.bytes, 200);
    hub_credit_send(&credit, &limits, 200);
    assert_int_equal(credit.sent, 2);
    hub_credit_go_back(&credit, 0);
    assert_int_equal(credit.bytes, 0);
}

static void an_ack_of_what_was_set_back_moves_sent(void **state)
{
    (void)state;
    struct hub_credit credit = {0};
    hub_credit_send(&credit, &limits, 10);
    hub_credit_send(&credit, &limits, 10);
    hub_credit_go_back(&credit, 0);
    hub_credit_ack(&credit, 2);
    assert_int_equal(credit.sent, 2);
    assert_int_equal(credit.acked, 2);
    assert_int_equal(credit.bytes, 0);
}

static void a_gap_takes_no_credit(void **state)
{
    (void)state;
    struct hub_credit credit = {0};
    hub_credit_send(&credit, &limits, 10); /* 1 */
    hub_credit_skip(&credit, 1000);
    assert_int_equal(credit.sent, 1000);
    assert_int_equal(hub_credit_messages(&credit, &limits), 3);
    hub_credit_send(&credit, &limits, 10); /* 1001 */
    hub_credit_skip(&credit, 2000);
    hub_credit_send(&credit, &limits, 10); /* 2001 */
    assert_int_equal(hub_credit_messages(&credit, &limits), 1);
    hub_credit_send(&credit, &limits, 10); /* 2002 */
    assert_false(hub_credit_allows(&credit, &limits, 1));
    hub_credit_go_back(&credit, 1500); /* in the second gap, to which no ack may come */
    assert_int_equal(credit.sent, 1500);
    hub_credit_ack(&credit, 1001);
    assert_int_equal(hub_credit_messages(&credit, &limits), 4);
    hub_credit_skip(&credit, 2000);
    hub_credit_send(&credit, &limits, 10);
    assert_int_equal(hub_credit_messages(&credit, &limits), 3);
    hub_credit_ack(&credit, 2001);
    assert_int_equal(hub_credit_messages(&credit, &limits), 4);
    assert_int_equal(credit.bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allows_messages_up_to_the_bound_and_not_one_more),
        cmocka_unit_test(allows_bytes_up_to_the_bound_and_not_one_more),
        cmocka_unit_test(lets_one_message_of_any_size_go_when_nothing_is_on_its_way),
        cmocka_unit_test(releases_all_bytes_once_all_is_acknowledged),
        cmocka_unit_test(never_counts_less_than_what_is_on_its_way),
        cmocka_unit_test(goes_back_and_sends_again),
        cmocka_unit_test(an_ack_of_what_was_set_back_moves_sent),
        cmocka_unit_test(a_gap_takes_no_credit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
