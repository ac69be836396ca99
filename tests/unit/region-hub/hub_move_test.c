/* Moves between hubs of two regions on a real NATS server; an operator of the test's own asks. */
#include "hub_asking.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { MESSAGES = 40, SILENT_MS = 1000 };

static int set_up(void **state)
{
    struct lab *lab = lab_new();
    set_home(lab, "bob", "sin");
    lab_send(lab, wire_log_from_edges("sin", 0).text, "bob", "m", MESSAGES);
    *state = lab;
    return 0;
}

static int tear_down(void **state)
{
    lab_free(*state);
    return 0;
}

static void start_both(struct lab *lab)
{
    lab_hub_start(lab, &lab->hubs[0], "sin-h1");
    lab_hub_start(lab, &lab->hubs[1], "dub-h1");
}

static void moves_a_mailbox_and_back(void **state)
{
    struct lab *lab = *state;
    start_both(lab);
    struct asked asked = begin(lab, "bob", "dub");
    assert_int_equal(asked.code, WIRE_MOVE_AT_HOME);
    assert_string_equal(asked.region, "dub");
    assert_int_equal(begin(lab, "bob", "dub").code, WIRE_MOVE_AT_HOME); /* nothing to do */

    /* What is there now is what was at the old home: it is frozen, to look at it. */
    asked = freeze(lab, "bob", "dub", "sin", 0);
    assert_int_equal(asked.code, WIRE_MOVE_FROZEN);
    assert_int_equal(asked.mailbox.epoch, 1);
    assert_int_equal(asked.mailbox.head, MESSAGES);
    assert_int_equal(asked.mailbox.oldest, 1);
    asked = rows(lab, "bob", "dub", "sin", asked.move, 0);
    assert_int_equal(asked.rows, MESSAGES);
    assert_int_equal(asked.first, 1);
    asked = rows(lab, "bob", "dub", "sin", asked.move, MESSAGES);
    assert_int_equal(asked.rows, 1);
    assert_int_equal(asked.first, MESSAGES);
    asked = rows(lab, "bob", "dub", "sin", asked.move, MESSAGES + 1);
    assert_int_equal(asked.rows, 0);

    /* The old home has let go. */
    asked = freeze(lab, "bob", "sin", "dub", 0);
    assert_int_equal(asked.code, WIRE_MOVE_AT_HOME);
    assert_string_equal(asked.region, "dub");

    asked = begin(lab, "bob", "sin");
    assert_int_equal(asked.code, WIRE_MOVE_AT_HOME);
    assert_string_equal(asked.region, "sin");
    asked = freeze(lab, "bob", "sin", "dub", 0);
    assert_int_equal(asked.mailbox.head, MESSAGES);
}

static void moves_a_user_without_messages(void **state)
{
    struct lab *lab = *state;
    set_home(lab, "eve", "sin");
    start_both(lab);
    assert_int_equal(begin(lab, "eve", "dub").code, WIRE_MOVE_AT_HOME);
    struct asked asked = freeze(lab, "eve", "dub", "sin", 0);
    assert_int_equal(asked.code, WIRE_MOVE_FROZEN);
    assert_int_equal(asked.mailbox.head, 0);
}

static void refuses_what_makes_no_sense(void **state)
{
    struct lab *lab = *state;
    start_both(lab);
    assert_int_equal(begin(lab, "nobody", "dub").code, WIRE_MOVE_UNKNOWN_USER);
    assert_int_equal(freeze(lab, "nobody", "sin", "dub", 0).code, WIRE_MOVE_UNKNOWN_USER);
    assert_int_equal(freeze(lab, "bob", "sin", "sin", 0).code, WIRE_MOVE_REFUSED);
    assert_int_equal(freeze(lab, "bob", "sin", "xyz", 0).code, WIRE_MOVE_REFUSED);
    assert_int_equal(freeze(lab, "$meridian", "sin", "dub", 0).code, WIRE_MOVE_REFUSED);
    assert_int_equal(freeze(lab, "bob", "sin", "dub", 7).code, WIRE_MOVE_NOT_FROZEN);
    assert_int_equal(rows(lab, "bob", "sin", "dub", 7, 1).code, WIRE_MOVE_NOT_FROZEN);
    /* To begin is asked of whom the user is to come to. */
    const struct wire_move_ask ask = {
        .what = WIRE_MOVE_BEGIN, .user = TEXT("bob"), .region = TEXT("dub")};
    assert_int_equal(ask_move(lab, "sin", ask).code, WIRE_MOVE_REFUSED);
    assert_int_equal(give_up(lab, "bob", "sin").code, WIRE_MOVE_AT_HOME);
    assert_int_equal(freeze(lab, "bob", "dub", "sin", 0).code, WIRE_MOVE_AT_HOME);
}

static void answers_inboxes_and_nothing_else(void **state)
{
    struct lab *lab = *state;
    lab_hub_start(lab, &lab->hubs[0], "sin-h1");
    assert_int_equal(freeze(lab, "nobody", "sin", "dub", 0).code, WIRE_MOVE_UNKNOWN_USER);
    const struct wire_move_ask ask = {
        .what = WIRE_MOVE_ABORT, .user = TEXT("bob"), .region = TEXT("sin")};
    ask_with_reply(lab, "sin", &ask, wire_edge_subject("sin", "sin-1").text);
    assert_int_equal(bus_publish(lab->bus, wire_move_subject("sin", 0).text, NULL, "x", 1), 0);
    /* The next one is answered, and those were not: the edge heard nothing. */
    assert_int_equal(give_up(lab, "bob", "sin").code, WIRE_MOVE_AT_HOME);
    lab_must_not_hear(lab, WIRE_MOVE_STATE, 0);
}

static void take_one(struct hub_settings *settings)
{
    settings->moves_max = 1;
}

static void holds_moves_to_the_bound(void **state)
{
    struct lab *lab = *state;
    set_home(lab, "eve", "sin");
    lab->adjust = take_one;
    lab_hub_start(lab, &lab->hubs[0], "sin-h1");
    struct asked asked = freeze(lab, "bob", "sin", "dub", 0);
    assert_int_equal(asked.code, WIRE_MOVE_FROZEN);
    assert_int_equal(freeze(lab, "bob", "sin", "dub", 0).move, asked.move); /* the same one */
    assert_int_equal(freeze(lab, "eve", "sin", "dub", 0).code, WIRE_MOVE_BUSY);
    assert_int_equal(give_up(lab, "bob", "sin").code, WIRE_MOVE_GIVEN_UP);
    assert_int_equal(freeze(lab, "eve", "sin", "dub", 0).code, WIRE_MOVE_FROZEN);
}

static void lose_patience_early(struct hub_settings *settings)
{
    settings->move_silent_ms = SILENT_MS;
}

static void gives_up_when_asked_and_when_nobody_asks(void **state)
{
    struct lab *lab = *state;
    lab->adjust = lose_patience_early;
    lab_hub_start(lab, &lab->hubs[0], "sin-h1");
    struct asked asked = freeze(lab, "bob", "sin", "dub", 0);
    assert_int_equal(freeze(lab, "bob", "sin", "dub", asked.move + 1).code, WIRE_MOVE_NOT_FROZEN);
    assert_int_equal(give_up(lab, "bob", "sin").code, WIRE_MOVE_GIVEN_UP);
    assert_int_equal(freeze(lab, "bob", "sin", "dub", asked.move).code, WIRE_MOVE_NOT_FROZEN);

    lab->hubs[0].settings.move_silent_ms = 1000;
    asked = freeze(lab, "bob", "sin", "dub", 0);
    assert_int_equal(asked.code, WIRE_MOVE_FROZEN);
    lab_turn(lab, 1200);
    LAB_WAIT(lab, freeze(lab, "bob", "sin", "dub", asked.move).code == WIRE_MOVE_NOT_FROZEN);
}

struct decision {
    struct bus_request request;
    bool ended;
    bool good;
};

static bool on_decided(struct bus_request *request, enum bus_outcome outcome,
                       const struct bus_message *message)
{
    struct decision *decision = container_of(request, struct decision, request);
    struct bus_puback ack;
    assert_int_equal(outcome, BUS_ANSWER);
    assert_int_equal(bus_puback_read(message, &ack), 0);
    decision->ended = true;
    decision->good = ack.position > 0;
    return false;
}

/* Else the new home could decide with the entry that is being written. */
static void says_frozen_no_more_once_it_is_to_give_up(void **state)
{
    struct lab *lab = *state;
    lab_hub_start(lab, &lab->hubs[0], "sin-h1");
    struct asked asked = freeze(lab, "bob", "sin", "dub", 0);
    const struct wire_move_ask abort = {
        .what = WIRE_MOVE_ABORT, .user = TEXT("bob"), .region = TEXT("sin")};
    struct wire_move_ask again = {
        .what = WIRE_MOVE_FREEZE, .move = asked.move, .user = TEXT("bob"), .region = TEXT("dub")};
    ask_with_reply(lab, "sin", &abort, "_INBOX_nobody");
    for (int i = 0; i < 5; i++) {
        again.what = i % 2 == 0 ? WIRE_MOVE_FREEZE : WIRE_MOVE_ROWS;
        asked = ask_once(lab, "sin", &again, 2000);
        assert_true(asked.answered && asked.code != WIRE_MOVE_FROZEN);
    }
    LAB_WAIT(lab, ask_once(lab, "sin", &again, 2000).code == WIRE_MOVE_NOT_FROZEN);
}

/* Writes the entry as the new home does that decides, with the revision that it has read. */
static bool decide(struct lab *lab, const char *user, const char *home, const char *revision)
{
    struct decision decision = {.request.on_answer = on_decided};
    const struct wire_directory_entry entry = {.home = text_of(home), .epoch = 1};
    struct buffer bytes = {0};
    wire_directory_entry_write(&bytes, &entry);
    assert_int_equal(bus_request_with_header(lab->bus, &decision.request,
                                             wire_directory_subject(text_of(user), 1).text,
                                             "Nats-Expected-Last-Subject-Sequence", revision,
                                             bytes.data, bytes.size, 5000),
                     0);
    buffer_free(&bytes);
    LAB_WAIT(lab, decision.ended);
    return decision.good;
}

static void a_decision_of_before_fails_once_a_move_is_given_up(void **state)
{
    struct lab *lab = *state; /* bob's entry is the first: its revision is 1 */
    lab_hub_start(lab, &lab->hubs[0], "sin-h1");
    struct asked asked = freeze(lab, "bob", "sin", "dub", 0);
    /* Somebody has said that it is decided, which it is not. */
    const struct wire_move_ask moved = {.what = WIRE_MOVE_MOVED,
                                        .move = asked.move,
                                        .user = TEXT("bob"),
                                        .region = TEXT("dub"),
                                        .from = 1};
    ask_with_reply(lab, "sin", &moved, "_INBOX_nobody");
    assert_int_equal(give_up(lab, "bob", "sin").code, WIRE_MOVE_GIVEN_UP);
    assert_false(decide(lab, "bob", "dub", "1"));
}

/* The new home has decided and is gone before it could say so. */
static void finds_out_by_itself_that_it_is_decided(void **state)
{
    struct lab *lab = *state;
    lab->adjust = lose_patience_early;
    lab_hub_start(lab, &lab->hubs[0], "sin-h1");
    assert_int_equal(freeze(lab, "bob", "sin", "dub", 0).code, WIRE_MOVE_FROZEN);
    set_home(lab, "bob", "dub");
    LAB_WAIT(lab, freeze(lab, "bob", "sin", "dub", 0).code == WIRE_MOVE_AT_HOME);
    assert_string_equal(freeze(lab, "bob", "sin", "dub", 0).region, "dub");
}

/* Asked of its home, where it is frozen: by whom it is to stay there, and by whom it is to come. */
static void tells_where_a_user_moves_to_already(void **state)
{
    struct lab *lab = *state;
    start_both(lab);
    assert_int_equal(freeze(lab, "bob", "sin", "dub", 0).code, WIRE_MOVE_FROZEN);
    struct asked asked = begin(lab, "bob", "sin");
    assert_int_equal(asked.code, WIRE_MOVE_ELSEWHERE);
    assert_string_equal(asked.region, "dub");
    assert_int_equal(begin(lab, "bob", "dub").code, WIRE_MOVE_AT_HOME); /* it joins that one */
}

static void a_later_owner_goes_on(void **state)
{
    struct lab *lab = *state;
    lab_hub_start(lab, &lab->hubs[1], "dub-h1");
    /* It has nobody to ask yet; then the other hub of the old home comes. */
    const struct wire_move_ask ask = {
        .what = WIRE_MOVE_BEGIN, .user = TEXT("bob"), .region = TEXT("dub")};
    LAB_WAIT(lab, ask_once(lab, "dub", &ask, 500).answered);
    lab_hub_start(lab, &lab->hubs[0], "sin-h1");
    struct asked asked = freeze(lab, "bob", "sin", "dub", 0);
    assert_int_equal(asked.code, WIRE_MOVE_FROZEN);
    lab_hub_stop(lab, &lab->hubs[0], false);
    lab_hub_start(lab, &lab->hubs[2], "sin-h2");
    assert_int_equal(begin(lab, "bob", "dub").code, WIRE_MOVE_AT_HOME);
    lab_hub_stop(lab, &lab->hubs[1], false);
    lab_hub_start(lab, &lab->hubs[1], "dub-h1");
    asked = freeze(lab, "bob", "dub", "sin", 0);
    assert_int_equal(asked.mailbox.head, MESSAGES);
}

#define WITH_LAB(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LAB(moves_a_mailbox_and_back),
        WITH_LAB(moves_a_user_without_messages),
        WITH_LAB(refuses_what_makes_no_sense),
        WITH_LAB(answers_inboxes_and_nothing_else),
        WITH_LAB(holds_moves_to_the_bound),
        WITH_LAB(gives_up_when_asked_and_when_nobody_asks),
        WITH_LAB(says_frozen_no_more_once_it_is_to_give_up),
        WITH_LAB(a_decision_of_before_fails_once_a_move_is_given_up),
        WITH_LAB(finds_out_by_itself_that_it_is_decided),
        WITH_LAB(tells_where_a_user_moves_to_already),
        WITH_LAB(a_later_owner_goes_on),
    };
    return RUN_GROUP_WITH_SERVER(tests);
}
