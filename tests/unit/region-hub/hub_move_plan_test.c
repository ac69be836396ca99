#include "region-hub/hub_move_plan.h"

#include "base/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* --- the old home --- */

static const struct {
    const char *what;
    struct hub_move_out_facts facts;
    enum hub_move_out_step step;
} outs[] = {
    {"it is asked to freeze: whose is the user?",
     {.where = MAILBOX_AT_HOME, .freeze = true},
     HUB_MOVE_OUT_READ},
    {"the user is at home here: freeze",
     {.where = MAILBOX_AT_HOME, .freeze = true, .directory = HUB_MOVE_HERE},
     HUB_MOVE_OUT_FREEZE},
    {"nobody has seen that user: nothing is frozen",
     {.where = MAILBOX_AT_HOME, .freeze = true, .directory = HUB_MOVE_NOBODY},
     HUB_MOVE_OUT_FINISH},
    {"the user is at home elsewhere: nothing is frozen",
     {.where = MAILBOX_AT_HOME, .freeze = true, .directory = HUB_MOVE_ELSEWHERE},
     HUB_MOVE_OUT_FINISH},
    {"who asked does not wait any more",
     {.where = MAILBOX_AT_HOME, .directory = HUB_MOVE_HERE},
     HUB_MOVE_OUT_FINISH},
    {"it has gone", {.where = MAILBOX_AWAY, .moved = true}, HUB_MOVE_OUT_FINISH},
    {"it is on its way here itself",
     {.where = MAILBOX_STAGED, .freeze = true},
     HUB_MOVE_OUT_FINISH},
    {"frozen, and the new home is at work", {.where = MAILBOX_FROZEN}, HUB_MOVE_OUT_REST},
    {"frozen for long: what does the directory say?",
     {.where = MAILBOX_FROZEN, .is_check = true},
     HUB_MOVE_OUT_READ},
    {"it is said to be decided: the same",
     {.where = MAILBOX_FROZEN, .moved = true},
     HUB_MOVE_OUT_READ},
    {"it is to be given up: the same",
     {.where = MAILBOX_FROZEN, .give_up = true},
     HUB_MOVE_OUT_READ},
    {"the directory still says here: it goes on",
     {.where = MAILBOX_FROZEN, .is_check = true, .directory = HUB_MOVE_HERE},
     HUB_MOVE_OUT_REST},
    {"the same, though it is said to be decided",
     {.where = MAILBOX_FROZEN, .moved = true, .directory = HUB_MOVE_HERE, .is_new = true},
     HUB_MOVE_OUT_REST},
    {"elsewhere, and as new as what is asked about: let go",
     {.where = MAILBOX_FROZEN, .moved = true, .directory = HUB_MOVE_ELSEWHERE, .is_new = true},
     HUB_MOVE_OUT_DONE},
    {"elsewhere, as a mirror says that may be old: make sure",
     {.where = MAILBOX_FROZEN, .is_check = true, .directory = HUB_MOVE_ELSEWHERE},
     HUB_MOVE_OUT_SETTLE},
    {"to be given up: not before the entry is written anew",
     {.where = MAILBOX_FROZEN, .give_up = true, .directory = HUB_MOVE_HERE},
     HUB_MOVE_OUT_SETTLE},
    {"the same, however new the entry is",
     {.where = MAILBOX_FROZEN, .give_up = true, .directory = HUB_MOVE_HERE, .is_new = true},
     HUB_MOVE_OUT_SETTLE},
    {"elsewhere, as an entry says that we have written anew",
     {.where = MAILBOX_FROZEN, .is_check = true, .directory = HUB_MOVE_ELSEWHERE, .is_sure = true},
     HUB_MOVE_OUT_DONE},
    {"it is: take it back",
     {.where = MAILBOX_FROZEN, .give_up = true, .directory = HUB_MOVE_HERE, .is_sure = true},
     HUB_MOVE_OUT_ABORTED},
    {"to be given up, and it was decided before",
     {.where = MAILBOX_FROZEN, .give_up = true, .directory = HUB_MOVE_ELSEWHERE, .is_sure = true},
     HUB_MOVE_OUT_DONE},
    {"the directory has lost the user: nothing is guessed",
     {.where = MAILBOX_FROZEN, .give_up = true, .directory = HUB_MOVE_NOBODY},
     HUB_MOVE_OUT_REST},
};

static void lets_go_only_of_what_is_decided(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(outs); i++)
        if (hub_move_out_next(&outs[i].facts) != outs[i].step)
            fail_msg("%s: %d", outs[i].what, (int)hub_move_out_next(&outs[i].facts));
}

/* --- the new home --- */

#define BEGUN(where_) .where = MAILBOX_##where_, .directory = HUB_MOVE_ELSEWHERE, .is_told = true
#define ASKED .is_wanted = true, .directory = HUB_MOVE_ELSEWHERE, .is_told = true

static const struct {
    const char *what;
    struct hub_move_in_facts facts;
    enum hub_move_in_step step;
    uint8_t code; /* of FINISH */
} ins[] = {
    {"first of all: where is the user?", {.is_wanted = true}, HUB_MOVE_IN_READ, 0},
    {"nobody has seen that user",
     {.is_wanted = true, .directory = HUB_MOVE_NOBODY},
     HUB_MOVE_IN_FINISH,
     WIRE_MOVE_UNKNOWN_USER},
    {"the directory has lost one that is half here: wait",
     {.where = MAILBOX_ARRIVED, .directory = HUB_MOVE_NOBODY},
     HUB_MOVE_IN_AGAIN,
     0},
    {"at home here already",
     {.is_wanted = true, .directory = HUB_MOVE_HERE, .is_told = true},
     HUB_MOVE_IN_FINISH,
     WIRE_MOVE_AT_HOME},
    {"elsewhere: freeze it there", {ASKED, .heard = HUB_MOVE_UNHEARD}, HUB_MOVE_IN_FREEZE, 0},
    {"the same of one that was here before",
     {ASKED, .where = MAILBOX_AWAY, .heard = HUB_MOVE_UNHEARD},
     HUB_MOVE_IN_FREEZE,
     0},
    {"our log has messages of its own for it: hands off",
     {ASKED, .has_messages = true, .heard = HUB_MOVE_UNHEARD},
     HUB_MOVE_IN_FINISH,
     WIRE_MOVE_UNSURE},
    {"it leaves here at this moment", {ASKED, .where = MAILBOX_FROZEN}, HUB_MOVE_IN_AGAIN, 0},
    {"nobody wants it any more before it has begun",
     {.directory = HUB_MOVE_ELSEWHERE, .heard = HUB_MOVE_UNHEARD},
     HUB_MOVE_IN_FINISH,
     WIRE_MOVE_GIVEN_UP},
    {"frozen: its rows", {ASKED, .heard = WIRE_MOVE_FROZEN}, HUB_MOVE_IN_ROWS, 0},
    {"the next page", {BEGUN(STAGED), .heard = WIRE_MOVE_FROZEN}, HUB_MOVE_IN_ROWS, 0},
    {"all rows are here",
     {BEGUN(STAGED), .heard = WIRE_MOVE_FROZEN, .is_whole = true},
     HUB_MOVE_IN_COPIED,
     0},
    {"there was none", {ASKED, .heard = WIRE_MOVE_FROZEN, .is_whole = true}, HUB_MOVE_IN_COPIED, 0},
    {"one is missing: from the beginning",
     {BEGUN(STAGED), .heard = WIRE_MOVE_FROZEN, .has_hole = true},
     HUB_MOVE_IN_ABORTED,
     0},
    {"a later owner goes on: is it still frozen?",
     {BEGUN(STAGED), .heard = HUB_MOVE_UNHEARD},
     HUB_MOVE_IN_FREEZE,
     0},
    {"and asks that before it decides, too",
     {BEGUN(ARRIVED), .heard = HUB_MOVE_UNHEARD},
     HUB_MOVE_IN_FREEZE,
     0},
    {"the mailbox is here, and still frozen there: decide",
     {BEGUN(ARRIVED), .heard = WIRE_MOVE_FROZEN},
     HUB_MOVE_IN_DECIDE,
     0},
    {"decided: write it",
     {.where = MAILBOX_ARRIVED, .directory = HUB_MOVE_HERE},
     HUB_MOVE_IN_DONE,
     0},
    {"written: tell the old home",
     {.where = MAILBOX_AT_HOME, .directory = HUB_MOVE_HERE},
     HUB_MOVE_IN_TELL,
     0},
    {"a mirror that is behind calls a mailbox ours that is half here",
     {.where = MAILBOX_STAGED, .directory = HUB_MOVE_HERE},
     HUB_MOVE_IN_AGAIN,
     0},
    {"the same of one that has left",
     {.where = MAILBOX_AWAY, .directory = HUB_MOVE_HERE, .is_wanted = true},
     HUB_MOVE_IN_AGAIN,
     0},
    {"the old home has given up: so do we",
     {BEGUN(STAGED), .heard = WIRE_MOVE_GIVEN_UP},
     HUB_MOVE_IN_ABORTED,
     0},
    {"the same, but a decision of ours may be on its way",
     {BEGUN(ARRIVED), .heard = WIRE_MOVE_GIVEN_UP},
     HUB_MOVE_IN_SETTLE,
     0},
    {"it is not",
     {BEGUN(ARRIVED), .heard = WIRE_MOVE_NOT_FROZEN, .is_sure = true},
     HUB_MOVE_IN_ABORTED,
     0},
    {"frozen by another move, for another region",
     {BEGUN(ARRIVED), .heard = WIRE_MOVE_ELSEWHERE},
     HUB_MOVE_IN_SETTLE,
     0},
    {"it moves elsewhere already",
     {ASKED, .heard = WIRE_MOVE_ELSEWHERE},
     HUB_MOVE_IN_FINISH,
     WIRE_MOVE_ELSEWHERE},
    {"it is being given up there: ask again",
     {BEGUN(ARRIVED), .heard = WIRE_MOVE_WAIT},
     HUB_MOVE_IN_AGAIN,
     0},
    {"the old home is busy: ask again", {ASKED, .heard = WIRE_MOVE_BUSY}, HUB_MOVE_IN_AGAIN, 0},
    {"it says that it is not the home: read again",
     {ASKED, .heard = WIRE_MOVE_AT_HOME},
     HUB_MOVE_IN_AGAIN,
     0},
    {"its log is too old",
     {ASKED, .heard = WIRE_MOVE_TOO_OLD},
     HUB_MOVE_IN_FINISH,
     WIRE_MOVE_TOO_OLD},
    {"what is begun outlasts such an answer",
     {BEGUN(STAGED), .heard = WIRE_MOVE_TOO_OLD},
     HUB_MOVE_IN_AGAIN,
     0},
};

static void fetches_and_decides_only_what_is_frozen(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ins); i++) {
        const struct hub_move_in_next next = hub_move_in_next(&ins[i].facts);
        if (next.step != ins[i].step ||
            (next.step == HUB_MOVE_IN_FINISH && next.code != ins[i].code))
            fail_msg("%s: step %d, code %d", ins[i].what, (int)next.step, next.code);
    }
}

/* Whatever is heard, the entry is never rewritten for a mailbox that is not whole here, and no end
 * is written that the log would refuse. */
static void keeps_to_what_the_log_allows(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 1u << 6; bits++)
        for (unsigned where = MAILBOX_AT_HOME; where <= MAILBOX_AWAY; where++)
            for (unsigned directory = HUB_MOVE_UNREAD; directory <= HUB_MOVE_ELSEWHERE; directory++)
                for (unsigned heard = 0; heard <= HUB_MOVE_UNHEARD; heard++) {
                    const struct hub_move_in_facts facts = {
                        .where = (enum mailbox_where)where,
                        .directory = (enum hub_move_directory)directory,
                        .heard = (uint8_t)heard,
                        .has_messages = (bits & 1) != 0,
                        .is_wanted = (bits & 2) != 0,
                        .is_sure = (bits & 4) != 0,
                        .is_whole = (bits & 8) != 0,
                        .has_hole = (bits & 16) != 0,
                        .is_told = (bits & 32) != 0,
                    };
                    const enum hub_move_in_step step = hub_move_in_next(&facts).step;
                    const bool begun = where == MAILBOX_STAGED || where == MAILBOX_ARRIVED;
                    if (step == HUB_MOVE_IN_DECIDE)
                        assert_true(where == MAILBOX_ARRIVED && heard == WIRE_MOVE_FROZEN);
                    if (step == HUB_MOVE_IN_DONE)
                        assert_true(where == MAILBOX_ARRIVED && directory == HUB_MOVE_HERE);
                    if (step == HUB_MOVE_IN_ABORTED)
                        assert_true(begun && directory == HUB_MOVE_ELSEWHERE);
                    if (step == HUB_MOVE_IN_ABORTED && where == MAILBOX_ARRIVED)
                        assert_true(facts.is_sure);
                    if (step == HUB_MOVE_IN_FINISH)
                        assert_false(begun);
                }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lets_go_only_of_what_is_decided),
        cmocka_unit_test(fetches_and_decides_only_what_is_frozen),
        cmocka_unit_test(keeps_to_what_the_log_allows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
