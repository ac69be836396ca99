#include "region-hub/hub_lane.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { STALL = 1000, BACK_MIN = 250, BACK_MAX = 5000, FIRST = 100 };

static const uint8_t outbox_a[16] = "outbox a";
static const uint8_t outbox_b[16] = "outbox b";
static const uint8_t nothing[16];

static struct hub_lane asking(void)
{
    struct hub_lane lane;
    assert_int_equal(hub_lane_init(&lane,
                                   &(struct hub_lane_settings){.window_bytes = 1000,
                                                               .window_batches = 4,
                                                               .stall_ms = STALL,
                                                               .backoff_min_ms = BACK_MIN,
                                                               .backoff_max_ms = BACK_MAX},
                                   FIRST, 0),
                     0);
    struct hub_lane_orders orders = hub_lane_orders(&lane);
    assert_true(orders.ask);
    assert_false(orders.seek);
    return lane;
}

static void must_order(struct hub_lane *lane, bool ask, bool seek)
{
    struct hub_lane_orders orders = hub_lane_orders(lane);
    assert_int_equal(orders.ask, ask);
    assert_int_equal(orders.seek, seek);
}

/* A lane that has just begun; the home has applied up to `applied` of outbox a. */
static struct hub_lane begun(uint64_t applied)
{
    struct hub_lane lane = asking();
    hub_lane_answered(&lane, outbox_a, applied == 0 ? nothing : outbox_a, applied, 0);
    assert_int_equal(lane.state, HUB_LANE_OPEN);
    must_order(&lane, false, true);
    assert_int_equal(lane.next, applied + 1);
    return lane;
}

static uint64_t take(struct hub_lane *lane, uint64_t sequence, uint64_t previous, int64_t now_ms)
{
    uint64_t number = 0;
    uint64_t got = UINT64_MAX;
    assert_true(hub_lane_take(lane, sequence, 100, 5000 + now_ms, now_ms, &number, &got));
    assert_int_equal(got, previous);
    return number;
}

static void must_not_take(struct hub_lane *lane, uint64_t sequence)
{
    uint64_t number;
    uint64_t previous;
    assert_false(hub_lane_take(lane, sequence, 100, 5000, 0, &number, &previous));
}

/* The home has applied up to sequence 3; nothing is on its way, and the next batch names that. */
static struct hub_lane opened(void)
{
    struct hub_lane lane = begun(2);
    uint64_t number = take(&lane, 3, 2, 0);
    hub_lane_puback(&lane, number, 50, 0);
    hub_lane_heard(&lane, 50, outbox_a, 3, 0);
    assert_int_equal(lane.applied, 3);
    assert_int_equal(lane.count, 0);
    return lane;
}

/* The home has refused sequence 4, and was asked again after a pause. */
static struct hub_lane probing(int64_t now_ms)
{
    struct hub_lane lane = opened();
    hub_lane_puback(&lane, take(&lane, 4, 3, 0), 0, now_ms - BACK_MIN);
    assert_int_equal(lane.state, HUB_LANE_BACKOFF);
    hub_lane_tick(&lane, now_ms);
    must_order(&lane, true, false);
    hub_lane_answered(&lane, outbox_a, outbox_a, 3, now_ms);
    assert_int_equal(lane.state, HUB_LANE_PROBING);
    must_order(&lane, false, true);
    return lane;
}

static void a_lane_that_begins_does_not_wait_for_its_first_puback(void **state)
{
    (void)state;
    struct hub_lane lane = begun(0);
    take(&lane, 2, 0, 0); /* sequence 1 of an outbox is its genesis */
    take(&lane, 3, 2, 0);
    take(&lane, 7, 3, 0); /* the sequences between belong to other lanes */
    take(&lane, 8, 7, 0);
    must_not_take(&lane, 9); /* the window is one of four from the first on */
    hub_lane_done(&lane);
}

static void a_home_that_is_reached_late_is_not_doubted(void **state)
{
    (void)state;
    struct hub_lane lane = asking();
    hub_lane_ask_failed(&lane, 0);
    hub_lane_tick(&lane, BACK_MIN);
    must_order(&lane, true, false);
    hub_lane_answered(&lane, outbox_a, nothing, 0, BACK_MIN);
    assert_int_equal(lane.state, HUB_LANE_OPEN);
    hub_lane_done(&lane);
}

static void probes_a_home_that_refused_with_one_batch_and_then_opens(void **state)
{
    (void)state;
    struct hub_lane lane = probing(1000);
    uint64_t number = take(&lane, 4, 3, 1000);
    must_not_take(&lane, 5);
    must_order(&lane, false, false);
    hub_lane_puback(&lane, number, 70, 1010);
    assert_int_equal(lane.state, HUB_LANE_OPEN);
    must_order(&lane, false, true); /* what was not taken is read again */
    assert_int_equal(lane.next, 5);
    take(&lane, 5, 4, 1010);
    take(&lane, 6, 5, 1010);
    hub_lane_done(&lane);
}

/* It stood still, and could not be asked: that it answers now does not mean that it takes. */
static void a_home_is_doubted_until_it_takes_a_batch(void **state)
{
    (void)state;
    struct hub_lane lane = opened();
    take(&lane, 4, 3, 0);
    hub_lane_tick(&lane, STALL);
    must_order(&lane, true, false);
    hub_lane_ask_failed(&lane, 2 * STALL);
    hub_lane_heard(&lane, 60, outbox_a, 3, 3 * STALL);
    must_order(&lane, true, false);
    hub_lane_answered(&lane, outbox_a, outbox_a, 3, 3 * STALL);
    assert_int_equal(lane.state, HUB_LANE_PROBING);
    must_order(&lane, false, true);
    hub_lane_puback(&lane, take(&lane, 4, 3, 3 * STALL), 61, 3 * STALL);
    assert_int_equal(lane.state, HUB_LANE_OPEN);
    hub_lane_halt(&lane, 3 * STALL); /* says nothing of the home */
    hub_lane_heard(&lane, 61, outbox_a, 4, 3 * STALL);
    must_order(&lane, true, false);
    hub_lane_answered(&lane, outbox_b, outbox_a, 4, 3 * STALL);
    assert_int_equal(lane.state, HUB_LANE_OPEN);
    hub_lane_done(&lane);
}

static void pubacks_in_any_order_open_the_window(void **state)
{
    (void)state;
    struct hub_lane lane = opened();
    uint64_t numbers[4];
    for (uint64_t i = 0; i < 4; i++)
        numbers[i] = take(&lane, 4 + i, 3 + i, 0);
    assert_int_equal(lane.bytes, 400);
    must_not_take(&lane, 8); /* four are on their way: one past the bound */
    must_not_take(&lane, 9);
    hub_lane_puback(&lane, numbers[3], 54, 1);
    hub_lane_puback(&lane, numbers[1], 52, 1);
    hub_lane_puback(&lane, numbers[0], 51, 1);
    hub_lane_puback(&lane, numbers[0], 55, 1); /* stored twice: counted once */
    assert_int_equal(lane.bytes, 100);
    assert_int_equal(lane.count, 4); /* not known to be applied yet */
    hub_lane_heard(&lane, 52, outbox_a, 5, 2);
    must_order(&lane, false, true);
    assert_int_equal(lane.next, 8);
    take(&lane, 8, 7, 2);
    hub_lane_done(&lane);
}

static void the_window_closes_at_its_bytes(void **state)
{
    (void)state;
    struct hub_lane lane = opened();
    uint64_t number;
    uint64_t previous;
    assert_true(hub_lane_take(&lane, 4, 999, 1, 0, &number, &previous));
    assert_true(hub_lane_wants(&lane)); /* at 999 of 1000 there is room for one more... */
    assert_true(hub_lane_take(&lane, 5, 400, 1, 0, &number, &previous));
    assert_false(hub_lane_wants(&lane)); /* ...and past it there is none */
    hub_lane_done(&lane);
}

static void a_lost_batch_is_noticed_by_what_the_home_applied(void **state)
{
    (void)state;
    struct hub_lane lane = opened();
    take(&lane, 4, 3, 0); /* lost on the way: no PubAck */
    uint64_t number = take(&lane, 5, 4, 0);
    hub_lane_puback(&lane, number, 60, 10); /* stored, and behind a hole */
    hub_lane_heard(&lane, 60, outbox_a, 3, 500);
    assert_int_equal(lane.state, HUB_LANE_OPEN);
    hub_lane_tick(&lane, STALL - 1);
    assert_int_equal(lane.state, HUB_LANE_OPEN);
    hub_lane_tick(&lane, STALL);
    assert_int_equal(lane.state, HUB_LANE_ASKING);
    must_order(&lane, true, false);
    must_not_take(&lane, 6); /* nothing goes while it asks */
    hub_lane_answered(&lane, outbox_a, outbox_a, 3, STALL + 10);
    must_order(&lane, false, true);
    assert_int_equal(lane.next, 4);
    uint64_t again = take(&lane, 4, 3, STALL + 10);
    hub_lane_puback(&lane, number, 61, STALL + 20); /* of before: says nothing of this probe */
    assert_int_equal(lane.state, HUB_LANE_PROBING);
    hub_lane_puback(&lane, again, 62, STALL + 20);
    assert_int_equal(lane.state, HUB_LANE_OPEN);
    take(&lane, 5, 4, STALL + 20);
    hub_lane_done(&lane);
}

static void a_batch_that_the_home_passed_over_is_noticed_at_once(void **state)
{
    (void)state;
    struct hub_lane lane = opened();
    uint64_t number = take(&lane, 4, 3, 0);
    hub_lane_puback(&lane, number, 60, 10);
    hub_lane_heard(&lane, 59, outbox_a, 3, 20); /* the home has not come to it */
    assert_int_equal(lane.state, HUB_LANE_OPEN);
    hub_lane_heard(&lane, 60, outbox_a, 3, 30); /* it has, and did not apply it */
    assert_int_equal(lane.state, HUB_LANE_ASKING);
    hub_lane_done(&lane);
}

static void a_home_that_lags_is_not_asked_at_every_stall(void **state)
{
    (void)state;
    struct hub_lane lane = opened();
    uint64_t number = take(&lane, 4, 3, 0);
    hub_lane_puback(&lane, number, 1000, 10);
    for (int64_t now_ms = 500; now_ms < 10 * STALL; now_ms += 500) {
        hub_lane_heard(&lane, 60 + (uint64_t)now_ms / 500, outbox_a, 3, now_ms);
        hub_lane_tick(&lane, now_ms);
        assert_int_equal(lane.state, HUB_LANE_OPEN);
    }
    hub_lane_tick(&lane, 10 * STALL);
    assert_int_equal(lane.state, HUB_LANE_ASKING);
    hub_lane_done(&lane);
}

static void a_refused_batch_makes_pauses_that_double(void **state)
{
    (void)state;
    struct hub_lane lane = opened();
    int64_t now_ms = 0;
    int64_t pause_ms = BACK_MIN;
    uint64_t number = take(&lane, 4, 3, now_ms);
    hub_lane_puback(&lane, number, 0, now_ms);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(lane.state, HUB_LANE_BACKOFF);
        hub_lane_heard(&lane, 60, outbox_a, 3, now_ms); /* being heard does not shorten it */
        hub_lane_tick(&lane, now_ms + pause_ms - 1);
        assert_int_equal(lane.state, HUB_LANE_BACKOFF);
        now_ms += pause_ms;
        hub_lane_tick(&lane, now_ms);
        assert_int_equal(lane.state, HUB_LANE_ASKING);
        hub_lane_answered(&lane, outbox_a, outbox_a, 3, now_ms);
        (void)hub_lane_orders(&lane);
        number = take(&lane, 4, 3, now_ms);
        hub_lane_puback(&lane, number, 0, now_ms);
        pause_ms = 2 * pause_ms > BACK_MAX ? BACK_MAX : 2 * pause_ms;
    }
    hub_lane_done(&lane);
}

static void a_home_that_does_not_answer_is_asked_when_it_is_heard(void **state)
{
    (void)state;
    struct hub_lane lane = asking();
    hub_lane_ask_failed(&lane, 0);
    assert_int_equal(lane.state, HUB_LANE_UNREACHED);
    must_order(&lane, false, false);
    hub_lane_tick(&lane, BACK_MIN);
    must_order(&lane, true, false);
    for (int64_t now_ms = BACK_MIN; now_ms < 60000; now_ms += 1000) {
        hub_lane_ask_failed(&lane, now_ms);
        hub_lane_tick(&lane, now_ms + 1000); /* the pause never grows past a second */
        must_order(&lane, true, false);
    }
    hub_lane_ask_failed(&lane, 60000);
    hub_lane_heard(&lane, 1, nothing, 0, 60001);
    must_order(&lane, true, false);
    hub_lane_done(&lane);
}

static void a_new_forwarder_goes_on_where_the_home_is(void **state)
{
    (void)state;
    struct hub_lane lane = begun(41);
    take(&lane, 44, 41, 0);
    hub_lane_done(&lane);
}

static void a_new_incarnation_of_the_outbox_starts_at_nothing(void **state)
{
    (void)state;
    struct hub_lane lane = asking();
    hub_lane_answered(&lane, outbox_b, outbox_a, 41, 0);
    assert_int_equal(lane.next, 1);
    assert_memory_equal(lane.outbox, outbox_b, sizeof outbox_b);
    must_order(&lane, false, true);
    uint64_t number = take(&lane, 2, 0, 0);
    hub_lane_puback(&lane, number, 90, 1);
    /* The home's word on the incarnation before says nothing about this one. */
    hub_lane_heard(&lane, 89, outbox_a, 41, 2);
    assert_int_equal(lane.applied, 0);
    hub_lane_heard(&lane, 90, outbox_b, 2, 3);
    assert_int_equal(lane.applied, 2);
    hub_lane_done(&lane);
}

static void a_home_that_lost_its_log_gets_all_again(void **state)
{
    (void)state;
    struct hub_lane lane = opened();
    uint64_t number = take(&lane, 4, 3, 0);
    hub_lane_puback(&lane, number, 2, 1);
    hub_lane_heard(&lane, 2, nothing, 0, 2); /* passed over: it knows nothing of this lane */
    assert_int_equal(lane.state, HUB_LANE_ASKING);
    (void)hub_lane_orders(&lane);
    hub_lane_answered(&lane, outbox_a, nothing, 0, 3);
    assert_int_equal(lane.applied, 0);
    must_order(&lane, false, true);
    take(&lane, 2, 0, 3);
    hub_lane_done(&lane);
}

static void knows_since_when_the_oldest_waits(void **state)
{
    (void)state;
    struct hub_lane lane = asking();
    uint64_t number;
    uint64_t previous;
    assert_int_equal(hub_lane_oldest_ms(&lane), 0);
    assert_false(hub_lane_take(&lane, 2, 100, 777, 0, &number, &previous)); /* still asking */
    assert_false(hub_lane_take(&lane, 3, 100, 888, 0, &number, &previous));
    assert_int_equal(hub_lane_oldest_ms(&lane), 777);
    hub_lane_answered(&lane, outbox_a, nothing, 0, 0);
    (void)hub_lane_orders(&lane);
    assert_true(hub_lane_take(&lane, 2, 100, 777, 0, &number, &previous));
    assert_int_equal(hub_lane_oldest_ms(&lane), 777);
    hub_lane_heard(&lane, 9, outbox_a, 2, 0);
    assert_int_equal(hub_lane_oldest_ms(&lane), 0);
    hub_lane_done(&lane);
}

static void a_halted_lane_takes_nothing_until_an_answer(void **state)
{
    (void)state;
    struct hub_lane lane = begun(7);
    hub_lane_halt(&lane, 0);
    assert_int_equal(lane.state, HUB_LANE_UNREACHED);
    must_not_take(&lane, 8);
    hub_lane_heard(&lane, 50, outbox_a, 7, 10);
    must_order(&lane, true, false);
    hub_lane_ask_failed(&lane, 10);
    must_not_take(&lane, 8);
    hub_lane_heard(&lane, 50, outbox_a, 7, 20);
    must_order(&lane, true, false);
    hub_lane_answered(&lane, outbox_b, outbox_a, 7, 20); /* it was begun anew */
    must_order(&lane, false, true);
    assert_int_equal(lane.next, 1);
    (void)take(&lane, 3, 0, 20);
    hub_lane_done(&lane);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lane_that_begins_does_not_wait_for_its_first_puback),
        cmocka_unit_test(a_home_that_is_reached_late_is_not_doubted),
        cmocka_unit_test(probes_a_home_that_refused_with_one_batch_and_then_opens),
        cmocka_unit_test(a_home_is_doubted_until_it_takes_a_batch),
        cmocka_unit_test(pubacks_in_any_order_open_the_window),
        cmocka_unit_test(the_window_closes_at_its_bytes),
        cmocka_unit_test(a_lost_batch_is_noticed_by_what_the_home_applied),
        cmocka_unit_test(a_batch_that_the_home_passed_over_is_noticed_at_once),
        cmocka_unit_test(a_home_that_lags_is_not_asked_at_every_stall),
        cmocka_unit_test(a_refused_batch_makes_pauses_that_double),
        cmocka_unit_test(a_home_that_does_not_answer_is_asked_when_it_is_heard),
        cmocka_unit_test(a_new_forwarder_goes_on_where_the_home_is),
        cmocka_unit_test(a_new_incarnation_of_the_outbox_starts_at_nothing),
        cmocka_unit_test(a_home_that_lost_its_log_gets_all_again),
        cmocka_unit_test(knows_since_when_the_oldest_waits),
        cmocka_unit_test(a_halted_lane_takes_nothing_until_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
