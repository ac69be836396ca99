#include "edge/edge_destination.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    SERIAL = 1000, /* of the first batch */
    ANSWER_US = 2000,
    RESEND_US = 1000000,
    PACE_MAX_US = 5000,
    TICKETS_MAX = 128,
};

static const struct edge_destination_settings settings = {
    .records_max = 8,
    .bytes_max = 100000,
    .resend_us = RESEND_US,
    .backoff_max_us = 400000,
    .pace_max_us = PACE_MAX_US,
};
static const struct bus_puback full = {.code = 400, .err_code = BUS_ERR_STREAM_FULL};
static const struct bus_puback wrong = {.code = 500, .err_code = 10099};
static const struct bus_puback nobody = {.code = 503};
static const struct bus_puback stored = {.position = 7};

/* A destination, and who waits for it. */
struct lab {
    struct edge_destination *destination;
    struct edge_ticket tickets[TICKETS_MAX];
    size_t taken;
    int64_t now_us;
    struct list done;
    enum edge_code code;
};

static void lab_begin(struct lab *lab, const struct edge_destination_settings *with)
{
    *lab = (struct lab){.now_us = 50000000};
    list_init(&lab->done);
    lab->destination = edge_destination_new(with, SERIAL);
    assert_non_null(lab->destination);
}

static void lab_end(struct lab *lab)
{
    struct list left;
    list_init(&left);
    edge_destination_free(lab->destination, &left);
}

static int add_body(struct lab *lab, struct text body)
{
    const struct wire_recipient to = {WIRE_USER, TEXT("bob")};
    const struct wire_message message = {.sender = TEXT("alice"), .id = TEXT("m"), .body = body};
    assert_true(lab->taken < TICKETS_MAX);
    int err = edge_destination_add(lab->destination, &message, &to, 1, &lab->tickets[lab->taken]);
    lab->taken += err == 0;
    return err;
}

static void add(struct lab *lab, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_int_equal(add_body(lab, TEXT("\"hi\"")), 0);
}

static bool next(struct lab *lab, struct edge_publish *publish)
{
    int64_t due_us;
    return edge_destination_next(lab->destination, lab->now_us, publish, &due_us);
}

/* Nothing is to be published now, but at `due_us`. */
static void assert_due(struct lab *lab, int64_t due_us)
{
    struct edge_publish publish;
    int64_t due = 0;
    assert_false(edge_destination_next(lab->destination, lab->now_us, &publish, &due));
    assert_int_equal(due, due_us);
}

/* Something is, and is. */
static struct edge_publish publish(struct lab *lab)
{
    struct edge_publish it;
    assert_true(next(lab, &it));
    edge_destination_sent(lab->destination, lab->now_us);
    return it;
}

static bool answer(struct lab *lab, uint64_t serial, const struct bus_puback *ack)
{
    return edge_destination_answered(lab->destination, serial, ack, lab->now_us, &lab->done,
                                     &lab->code);
}

static size_t records_of(const struct edge_publish *publish)
{
    struct wire_batch batch;
    assert_int_equal(wire_batch_read(publish->data, publish->size, &batch), 0);
    assert_int_equal(wire_batch_check(&batch), 0);
    return batch.count;
}

/* The tickets that are done, in the order in which they were taken, `first` the first of them. */
static void assert_done(struct lab *lab, size_t first, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_ptr_equal(list_pop(&lab->done), &lab->tickets[first + i].link);
    assert_true(list_empty(&lab->done));
}

static void nothing_is_due_while_nothing_waits(void **state)
{
    (void)state;
    struct lab lab;
    lab_begin(&lab, &settings);
    assert_due(&lab, INT64_MAX);
    assert_false(answer(&lab, SERIAL, &stored));
    lab_end(&lab);
}

static void what_was_added_in_one_turn_leaves_as_one_batch(void **state)
{
    (void)state;
    struct lab lab;
    lab_begin(&lab, &settings);
    add(&lab, 3);
    struct edge_publish batch = publish(&lab);
    assert_int_equal(batch.serial, SERIAL);
    assert_int_equal(records_of(&batch), 3);
    assert_true(answer(&lab, SERIAL, &stored));
    assert_int_equal(lab.code, EDGE_ACCEPTED);
    assert_done(&lab, 0, 3);
    assert_int_equal(edge_destination_records(lab.destination), 0);
    assert_int_equal(edge_destination_bytes(lab.destination), 0);
    lab_end(&lab);
}

static void one_batch_is_on_its_way_and_the_next_one_fills(void **state)
{
    (void)state;
    struct lab lab;
    lab_begin(&lab, &settings);
    add(&lab, 1);
    publish(&lab);
    add(&lab, 2);
    lab.now_us += ANSWER_US;
    assert_due(&lab, lab.now_us - ANSWER_US + RESEND_US);
    add(&lab, 1);
    assert_true(answer(&lab, SERIAL, &stored));
    assert_done(&lab, 0, 1);
    lab.now_us += PACE_MAX_US;
    struct edge_publish batch = publish(&lab);
    assert_int_equal(batch.serial, SERIAL + 1);
    assert_int_equal(records_of(&batch), 3);
    assert_true(answer(&lab, SERIAL + 1, &stored));
    assert_done(&lab, 1, 3);
    lab_end(&lab);
}

static void a_closed_batch_that_the_bus_did_not_take_stays_as_it_is(void **state)
{
    (void)state;
    struct lab lab;
    struct edge_publish batch;
    lab_begin(&lab, &settings);
    add(&lab, 1);
    assert_true(next(&lab, &batch));
    edge_destination_not_sent(lab.destination, lab.now_us);
    assert_false(next(&lab, &batch));
    assert_false(answer(&lab, SERIAL, &stored)); /* of no attempt of ours */
    add(&lab, 1);
    edge_destination_reconnected(lab.destination);
    batch = publish(&lab);
    assert_int_equal(batch.serial, SERIAL);
    assert_int_equal(records_of(&batch), 1);
    lab_end(&lab);
}

static void a_lost_puback_brings_the_same_bytes_before_any_later_batch(void **state)
{
    (void)state;
    struct lab lab;
    lab_begin(&lab, &settings);
    add(&lab, 2);
    struct edge_publish first = publish(&lab);
    uint8_t copy[1024];
    assert_true(first.size <= sizeof copy);
    memcpy(copy, first.data, first.size);
    add(&lab, 2);
    for (int attempt = 2; attempt <= 5; attempt++) {
        lab.now_us += RESEND_US - 1;
        assert_due(&lab, lab.now_us + 1);
        lab.now_us++;
        struct edge_publish again = publish(&lab);
        assert_int_equal(again.serial, SERIAL);
        assert_int_equal(again.size, first.size);
        assert_memory_equal(again.data, copy, again.size);
    }
    assert_true(answer(&lab, SERIAL, &stored));
    assert_done(&lab, 0, 2);
    lab.now_us += PACE_MAX_US;
    struct edge_publish second = publish(&lab);
    assert_int_equal(second.serial, SERIAL + 1);
    lab_end(&lab);
}

static void a_slow_log_is_given_more_time_up_to_a_bound(void **state)
{
    (void)state;
    struct lab lab;
    lab_begin(&lab, &settings);
    for (uint64_t serial = SERIAL; serial < SERIAL + 60; serial++) {
        add(&lab, 1);
        publish(&lab);
        lab.now_us += RESEND_US * 3 / 2; /* without learning, every batch would be sent twice */
        struct edge_publish again;
        if (next(&lab, &again)) {
            assert_true(serial < SERIAL + 10);
            edge_destination_sent(lab.destination, lab.now_us);
        }
        assert_true(answer(&lab, serial, &stored));
        lab.now_us += PACE_MAX_US;
    }
    add(&lab, 1);
    publish(&lab);
    assert_due(&lab, lab.now_us + 4 * RESEND_US); /* a dead one is not waited for for longer */
    lab_end(&lab);
}

static void a_reconnect_brings_the_same_bytes_at_once(void **state)
{
    (void)state;
    struct lab lab;
    lab_begin(&lab, &settings);
    add(&lab, 1);
    publish(&lab);
    edge_destination_reconnected(lab.destination);
    add(&lab, 1);
    struct edge_publish again = publish(&lab);
    assert_int_equal(again.serial, SERIAL);
    assert_int_equal(records_of(&again), 1);
    lab_end(&lab);
}

static void a_late_puback_of_an_earlier_attempt_counts(void **state)
{
    (void)state;
    struct lab lab;
    lab_begin(&lab, &settings);
    add(&lab, 1);
    publish(&lab);
    lab.now_us += RESEND_US;
    publish(&lab);
    assert_true(answer(&lab, SERIAL, &stored)); /* of the first */
    assert_int_equal(lab.code, EDGE_ACCEPTED);
    assert_done(&lab, 0, 1);
    add(&lab, 1);
    lab.now_us += PACE_MAX_US;
    publish(&lab);
    assert_false(answer(&lab, SERIAL, &stored)); /* of the second: the batch is done */
    assert_int_equal(edge_destination_records(lab.destination), 1);
    assert_true(answer(&lab, SERIAL + 1, &stored));
    lab_end(&lab);
}

static void a_puback_after_a_refusal_counts(void **state)
{
    (void)state;
    struct lab lab;
    lab_begin(&lab, &settings);
    add(&lab, 1);
    publish(&lab);
    lab.now_us += RESEND_US;
    publish(&lab);
    assert_false(answer(&lab, SERIAL, &full));
    assert_true(answer(&lab, SERIAL, &stored));
    assert_int_equal(lab.code, EDGE_ACCEPTED);
    lab_end(&lab);
}

static void a_full_stream_rejects_when_nothing_was_stored(void **state)
{
    (void)state;
    struct lab lab;
    lab_begin(&lab, &settings);
    add(&lab, 2);
    publish(&lab);
    assert_true(answer(&lab, SERIAL, &full));
    assert_int_equal(lab.code, EDGE_STORAGE_FULL);
    assert_done(&lab, 0, 2);
    lab_end(&lab);
}

static void a_full_stream_does_not_reject_while_an_attempt_is_unknown(void **state)
{
    (void)state;
    struct lab lab;
    lab_begin(&lab, &settings);
    add(&lab, 1);
    publish(&lab); /* never answered */
    lab.now_us += RESEND_US;
    for (int i = 0; i < 10; i++) {
        publish(&lab);
        assert_false(answer(&lab, SERIAL, &full));
        lab.now_us += settings.backoff_max_us;
    }
    assert_int_equal(edge_destination_records(lab.destination), 1);
    assert_true(answer(&lab, SERIAL, &full)); /* the first attempt's, at last */
    assert_int_equal(lab.code, EDGE_STORAGE_FULL);
    lab_end(&lab);
}

static void refusals_of_an_earlier_batch_are_not_counted(void **state)
{
    (void)state;
    struct lab lab;
    lab_begin(&lab, &settings);
    add(&lab, 1);
    publish(&lab);
    assert_false(answer(&lab, SERIAL, &nobody));
    lab.now_us += settings.backoff_max_us;
    publish(&lab);
    assert_true(answer(&lab, SERIAL, &stored));
    add(&lab, 1);
    lab.now_us += PACE_MAX_US;
    publish(&lab); /* never answered */
    lab.now_us += RESEND_US;
    publish(&lab);
    assert_false(answer(&lab, SERIAL + 1, &full));
    lab_end(&lab);
}

static void other_errors_are_no_outcome(void **state)
{
    (void)state;
    struct lab lab;
    lab_begin(&lab, &settings);
    add(&lab, 1);
    publish(&lab);
    assert_false(answer(&lab, SERIAL, &wrong));
    lab.now_us += settings.backoff_max_us;
    publish(&lab);
    assert_false(answer(&lab, SERIAL, &full)); /* the first one may be stored */
    lab.now_us += settings.backoff_max_us;
    publish(&lab);
    assert_true(answer(&lab, SERIAL, &stored));
    assert_int_equal(lab.code, EDGE_ACCEPTED);
    lab_end(&lab);
}

static void an_attempt_that_nobody_heard_stored_nothing(void **state)
{
    (void)state;
    struct lab lab;
    lab_begin(&lab, &settings);
    add(&lab, 1);
    publish(&lab);
    assert_false(answer(&lab, SERIAL, &nobody));
    lab.now_us += settings.backoff_max_us;
    publish(&lab);
    assert_true(answer(&lab, SERIAL, &full));
    assert_int_equal(lab.code, EDGE_STORAGE_FULL);
    lab_end(&lab);
}

static void pauses_after_refusals_grow_up_to_a_bound(void **state)
{
    (void)state;
    static const int64_t pauses_us[] = {50000, 100000, 200000, 400000, 400000};
    struct lab lab;
    lab_begin(&lab, &settings);
    for (int batch = 0; batch < 2; batch++) { /* the second one begins anew */
        add(&lab, 1);
        for (size_t i = 0; i < COUNT_OF(pauses_us); i++) {
            publish(&lab);
            assert_false(answer(&lab, SERIAL + (uint64_t)batch, &wrong));
            assert_due(&lab, lab.now_us + pauses_us[i]);
            lab.now_us += pauses_us[i];
        }
        publish(&lab);
        assert_true(answer(&lab, SERIAL + (uint64_t)batch, &stored));
        lab.now_us += PACE_MAX_US;
    }
    lab_end(&lab);
}

/* One batch, answered after `answer_us`. */
static void pass_one(struct lab *lab, uint64_t serial, int64_t answer_us)
{
    add(lab, 1);
    publish(lab);
    lab->now_us += answer_us;
    assert_true(answer(lab, serial, &stored));
}

static void the_first_after_a_pause_leaves_at_once(void **state)
{
    (void)state;
    struct lab lab;
    struct edge_publish batch;
    lab_begin(&lab, &settings);
    uint64_t serial = SERIAL;
    for (int i = 0; i < 50; i++) {
        pass_one(&lab, serial++, ANSWER_US);
        lab.now_us += PACE_MAX_US;
        add(&lab, 1);
        assert_true(next(&lab, &batch));
        edge_destination_sent(lab.destination, lab.now_us);
        lab.now_us += ANSWER_US;
        assert_true(answer(&lab, serial++, &stored));
        lab.now_us += PACE_MAX_US;
    }
    lab_end(&lab);
}

static void busy_publishes_are_apart_by_twice_the_time_of_an_answer(void **state)
{
    (void)state;
    struct lab lab;
    lab_begin(&lab, &settings);
    uint64_t serial = SERIAL;
    for (int i = 0; i < 100; i++) { /* until the smoothed time is there */
        pass_one(&lab, serial++, ANSWER_US);
        lab.now_us += PACE_MAX_US;
    }
    pass_one(&lab, serial, ANSWER_US);
    add(&lab, 1);
    struct edge_publish batch;
    int64_t due_us;
    assert_false(edge_destination_next(lab.destination, lab.now_us, &batch, &due_us));
    int64_t apart_us = due_us - (lab.now_us - ANSWER_US);
    assert_in_range(apart_us, 2 * ANSWER_US - 100, 2 * ANSWER_US);
    lab.now_us = due_us;
    publish(&lab);
    lab_end(&lab);
}

/* Of several attempts nobody knows which was answered. */
static void the_time_of_an_answer_is_learnt_from_first_attempts_alone(void **state)
{
    (void)state;
    struct lab lab;
    lab_begin(&lab, &settings);
    add(&lab, 1);
    publish(&lab);
    lab.now_us += RESEND_US;
    publish(&lab);
    lab.now_us += RESEND_US / 2;
    assert_true(answer(&lab, SERIAL, &stored));
    pass_one(&lab, SERIAL + 1, 0);
    add(&lab, 1);
    publish(&lab); /* nothing was learnt, so nothing is waited for */
    lab_end(&lab);
}

static void a_slow_server_does_not_widen_the_pace_past_its_bound(void **state)
{
    (void)state;
    struct lab lab;
    lab_begin(&lab, &settings);
    uint64_t serial = SERIAL;
    for (int i = 0; i < 50; i++)
        pass_one(&lab, serial++, RESEND_US / 2);
    pass_one(&lab, serial, 1000);
    add(&lab, 1);
    assert_due(&lab, lab.now_us - 1000 + PACE_MAX_US);
    lab_end(&lab);
}

static void holds_records_up_to_the_bound_and_not_one_more(void **state)
{
    (void)state;
    struct lab lab;
    lab_begin(&lab, &settings);
    add(&lab, 3);
    publish(&lab);
    add(&lab, settings.records_max - 3); /* what is on its way counts */
    size_t bytes = edge_destination_bytes(lab.destination);
    assert_int_equal(add_body(&lab, TEXT("\"hi\"")), -ENOBUFS);
    assert_int_equal(edge_destination_records(lab.destination), settings.records_max);
    assert_int_equal(edge_destination_bytes(lab.destination), bytes);
    assert_true(answer(&lab, SERIAL, &stored));
    add(&lab, 3);
    assert_int_equal(add_body(&lab, TEXT("\"hi\"")), -ENOBUFS);
    lab_end(&lab);
}

/* Adds two, bounded by `bytes_max`; `ret_bytes` is what is held then. */
static int add_within(size_t bytes_max, size_t *ret_bytes)
{
    struct edge_destination_settings bounded = settings;
    bounded.bytes_max = bytes_max;
    struct lab lab;
    lab_begin(&lab, &bounded);
    int err = add_body(&lab, TEXT("\"the first\""));
    if (err == 0)
        err = add_body(&lab, TEXT("\"the second\""));
    *ret_bytes = edge_destination_bytes(lab.destination);
    lab_end(&lab);
    return err;
}

static void holds_bytes_up_to_the_bound_and_not_one_more(void **state)
{
    (void)state;
    size_t needed;
    size_t held;
    assert_int_equal(add_within(settings.bytes_max, &needed), 0);
    assert_int_equal(add_within(needed, &held), 0);
    assert_int_equal(held, needed);
    assert_int_equal(add_within(needed - 1, &held), -ENOBUFS);
    assert_true(held < needed);
}

static void what_does_not_fit_gets_a_batch_of_its_own(void **state)
{
    (void)state;
    struct edge_destination_settings wide = settings;
    wide.bytes_max = 4 * WIRE_BATCH_BODY_MAX;
    wide.records_max = 10;
    struct lab lab;
    lab_begin(&lab, &wide);
    char *bytes = malloc(WIRE_BODY_MAX);
    assert_non_null(bytes);
    memset(bytes, '1', WIRE_BODY_MAX);
    const struct text body = {bytes, WIRE_BODY_MAX};
    struct wire_recipient to[WIRE_RECIPIENTS_MAX];
    char name[TEXT_USER_MAX];
    memset(name, 'u', sizeof name);
    for (size_t i = 0; i < COUNT_OF(to); i++)
        to[i] = (struct wire_recipient){WIRE_USER, {name, sizeof name}};
    const struct wire_message message = {.sender = TEXT("alice"), .id = TEXT("m"), .body = body};
    /* The largest that the format knows fits. */
    assert_int_equal(edge_destination_add(lab.destination, &message, to, COUNT_OF(to),
                                          &lab.tickets[lab.taken++]),
                     0);
    assert_int_equal(add_body(&lab, body), 0); /* does not fit behind it: a batch of its own */
    struct edge_publish batch = publish(&lab);
    assert_int_equal(records_of(&batch), 1);
    free(bytes);
    lab_end(&lab);
}

static void what_still_waits_is_handed_back_at_the_end(void **state)
{
    (void)state;
    struct lab lab;
    lab_begin(&lab, &settings);
    add(&lab, 2);
    publish(&lab);
    add(&lab, 3);
    edge_destination_free(lab.destination, &lab.done);
    assert_done(&lab, 0, 5);
    edge_destination_free(NULL, &lab.done);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_due_while_nothing_waits),
        cmocka_unit_test(what_was_added_in_one_turn_leaves_as_one_batch),
        cmocka_unit_test(one_batch_is_on_its_way_and_the_next_one_fills),
        cmocka_unit_test(a_closed_batch_that_the_bus_did_not_take_stays_as_it_is),
        cmocka_unit_test(a_lost_puback_brings_the_same_bytes_before_any_later_batch),
        cmocka_unit_test(a_slow_log_is_given_more_time_up_to_a_bound),
        cmocka_unit_test(a_reconnect_brings_the_same_bytes_at_once),
        cmocka_unit_test(a_late_puback_of_an_earlier_attempt_counts),
        cmocka_unit_test(a_puback_after_a_refusal_counts),
        cmocka_unit_test(a_full_stream_rejects_when_nothing_was_stored),
        cmocka_unit_test(a_full_stream_does_not_reject_while_an_attempt_is_unknown),
        cmocka_unit_test(refusals_of_an_earlier_batch_are_not_counted),
        cmocka_unit_test(other_errors_are_no_outcome),
        cmocka_unit_test(an_attempt_that_nobody_heard_stored_nothing),
        cmocka_unit_test(pauses_after_refusals_grow_up_to_a_bound),
        cmocka_unit_test(the_first_after_a_pause_leaves_at_once),
        cmocka_unit_test(busy_publishes_are_apart_by_twice_the_time_of_an_answer),
        cmocka_unit_test(the_time_of_an_answer_is_learnt_from_first_attempts_alone),
        cmocka_unit_test(a_slow_server_does_not_widen_the_pace_past_its_bound),
        cmocka_unit_test(holds_records_up_to_the_bound_and_not_one_more),
        cmocka_unit_test(holds_bytes_up_to_the_bound_and_not_one_more),
        cmocka_unit_test(what_does_not_fit_gets_a_batch_of_its_own),
        cmocka_unit_test(what_still_waits_is_handed_back_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
