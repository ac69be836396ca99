#include "region-hub/hub_rescue_plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { OURS = 1, NEXT = 2, MESSAGES = 4, MEASURED = 8, EMPTY = 16, WHOLE = 32 };

static void each_case_has_one_step(void **state)
{
    (void)state;
    static const struct {
        enum hub_rescue_directory directory;
        enum mailbox_where where;
        unsigned facts;
        enum hub_rescue_step step;
        uint8_t code;
    } rows[] = {
        {HUB_RESCUE_UNREAD, MAILBOX_AT_HOME, 0, HUB_RESCUE_READ, WIRE_MOVE_WAIT},
        {HUB_RESCUE_UNREAD, MAILBOX_ARRIVED, NEXT, HUB_RESCUE_READ, WIRE_MOVE_WAIT},
        {HUB_RESCUE_NOBODY, MAILBOX_AT_HOME, 0, HUB_RESCUE_FINISH, WIRE_MOVE_UNKNOWN_USER},
        {HUB_RESCUE_ELSEWHERE, MAILBOX_STAGED, OURS, HUB_RESCUE_FINISH, WIRE_MOVE_ELSEWHERE},
        /* nothing was done yet */
        {HUB_RESCUE_THERE, MAILBOX_AT_HOME, 0, HUB_RESCUE_MEASURE, WIRE_MOVE_WAIT},
        {HUB_RESCUE_THERE, MAILBOX_AWAY, 0, HUB_RESCUE_MEASURE, WIRE_MOVE_WAIT},
        {HUB_RESCUE_THERE, MAILBOX_STAGED, 0, HUB_RESCUE_MEASURE, WIRE_MOVE_WAIT},
        {HUB_RESCUE_THERE, MAILBOX_AT_HOME, MESSAGES, HUB_RESCUE_FINISH, WIRE_MOVE_UNSURE},
        {HUB_RESCUE_THERE, MAILBOX_FROZEN, 0, HUB_RESCUE_FINISH, WIRE_MOVE_UNSURE},
        /* it is copied */
        {HUB_RESCUE_THERE, MAILBOX_AT_HOME, MEASURED, HUB_RESCUE_COPY, WIRE_MOVE_WAIT},
        {HUB_RESCUE_THERE, MAILBOX_AT_HOME, MEASURED | EMPTY, HUB_RESCUE_COPIED, WIRE_MOVE_WAIT},
        {HUB_RESCUE_THERE, MAILBOX_STAGED, MEASURED | OURS, HUB_RESCUE_COPY, WIRE_MOVE_WAIT},
        {HUB_RESCUE_THERE, MAILBOX_STAGED, MEASURED | WHOLE, HUB_RESCUE_COPY, WIRE_MOVE_WAIT},
        {HUB_RESCUE_THERE, MAILBOX_STAGED, MEASURED | OURS | WHOLE, HUB_RESCUE_COPIED,
         WIRE_MOVE_WAIT},
        /* and decided */
        {HUB_RESCUE_THERE, MAILBOX_ARRIVED, NEXT, HUB_RESCUE_DECIDE, WIRE_MOVE_WAIT},
        {HUB_RESCUE_THERE, MAILBOX_ARRIVED, 0, HUB_RESCUE_FINISH, WIRE_MOVE_BUSY},
        {HUB_RESCUE_HERE, MAILBOX_ARRIVED, 0, HUB_RESCUE_DONE, WIRE_MOVE_WAIT},
        {HUB_RESCUE_HERE, MAILBOX_AT_HOME, MESSAGES, HUB_RESCUE_FINISH, WIRE_MOVE_AT_HOME},
        {HUB_RESCUE_HERE, MAILBOX_FROZEN, 0, HUB_RESCUE_FINISH, WIRE_MOVE_ELSEWHERE},
        {HUB_RESCUE_HERE, MAILBOX_STAGED, OURS, HUB_RESCUE_FINISH, WIRE_MOVE_UNSURE},
        {HUB_RESCUE_HERE, MAILBOX_AWAY, 0, HUB_RESCUE_FINISH, WIRE_MOVE_UNSURE},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const unsigned facts = rows[i].facts;
        const struct hub_rescue_next next =
            hub_rescue_next(&(struct hub_rescue_facts){.directory = rows[i].directory,
                                                       .where = rows[i].where,
                                                       .is_ours = (facts & OURS) != 0,
                                                       .is_next = (facts & NEXT) != 0,
                                                       .has_messages = (facts & MESSAGES) != 0,
                                                       .is_measured = (facts & MEASURED) != 0,
                                                       .is_empty = (facts & EMPTY) != 0,
                                                       .is_whole = (facts & WHOLE) != 0});
        if (next.step != rows[i].step || next.code != rows[i].code)
            fail_msg("row %zu: step %d, code %d", i, next.step, next.code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_case_has_one_step)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
