#include "region-hub/hub_return_plan.h"

#include "base/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { READ = 1, UNKNOWN = 2, HERE = 4, LATER = 8, ANSWER = 16 };

static void each_case_has_one_step(void **state)
{
    (void)state;
    static const struct {
        enum mailbox_where where;
        unsigned facts;
        enum hub_return_step step;
    } rows[] = {
        {MAILBOX_AT_HOME, 0, HUB_RETURN_READ},
        {MAILBOX_AT_HOME, READ | UNKNOWN, HUB_RETURN_STAYS},
        {MAILBOX_AT_HOME, READ | HERE, HUB_RETURN_STAYS},
        {MAILBOX_AT_HOME, READ | HERE | LATER, HUB_RETURN_STAYS},
        {MAILBOX_AT_HOME, READ | LATER, HUB_RETURN_ASK},
        {MAILBOX_AT_HOME, READ, HUB_RETURN_ASK}, /* our log is an old one */
        {MAILBOX_AT_HOME, READ | LATER | ANSWER, HUB_RETURN_FREEZE},
        {MAILBOX_FROZEN, 0, HUB_RETURN_READ},
        {MAILBOX_FROZEN, READ, HUB_RETURN_STAYS}, /* moved by plan: that ends by itself */
        {MAILBOX_FROZEN, READ | LATER, HUB_RETURN_ASK},
        {MAILBOX_FROZEN, READ | LATER | ANSWER, HUB_RETURN_END},
        {MAILBOX_ARRIVED, 0, HUB_RETURN_READ},
        {MAILBOX_ARRIVED, READ, HUB_RETURN_STAYS}, /* not decided yet */
        {MAILBOX_ARRIVED, READ | LATER | ANSWER, HUB_RETURN_ABORT},
        {MAILBOX_STAGED, 0, HUB_RETURN_STAYS},
        {MAILBOX_AWAY, 0, HUB_RETURN_STAYS},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const unsigned facts = rows[i].facts;
        const enum hub_return_step step =
            hub_return_next(&(struct hub_return_facts){.where = rows[i].where,
                                                       .is_read = (facts & READ) != 0,
                                                       .is_unknown = (facts & UNKNOWN) != 0,
                                                       .is_here = (facts & HERE) != 0,
                                                       .is_later = (facts & LATER) != 0,
                                                       .has_answer = (facts & ANSWER) != 0});
        if (step != rows[i].step)
            fail_msg("row %zu: step %d", i, step);
    }
}

static void what_the_other_home_may_not_have_is_passed_on(void **state)
{
    (void)state;
    const struct mailbox_user ours = {.epoch = 4, .head = 90};
    assert_int_equal(hub_return_from(&ours, 4, 0), 91); /* it was copied */
    assert_int_equal(hub_return_from(&ours, 5, 80), 81);
    assert_int_equal(hub_return_from(&ours, 5, 90), 91);
    assert_int_equal(hub_return_from(&ours, 5, 0), 1);
    assert_int_equal(hub_return_from(&ours, 6, 80), 1); /* the base is of epoch 5 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_case_has_one_step),
        cmocka_unit_test(what_the_other_home_may_not_have_is_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
