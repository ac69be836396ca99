#include "edge/edge_destination.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct edge_destination_settings usual = {
    .records_max = 10,
    .bytes_max = 100000,
    .resend_us = 1000000,
    .backoff_max_us = 2000000,
    .pace_max_us = 5000,
};
static const struct bus_puback stored = {.position = 7};
static const struct bus_puback full = {.code = 503, .err_code = BUS_ERR_STREAM_FULL};
static const struct bus_puback away = {.code = 503, .err_code = 10008};

static int add(struct edge_destination *destination, struct edge_ticket *ticket, const char *id,
               size_t body_size)
{
    static char body[70000];
    memset(body, '1', sizeof body);
    const struct wire_message message = {
        .sender = TEXT("alice"), .id = text_of(id), .body = {body, body_size}};
    const struct wire_recipient bob = {.kind = WIRE_USER, .name = TEXT("bob")};
    *ticket = (struct edge_ticket){0};
    return edge_destination_add(destination, &message, &bob, 1, ticket);
}

static size_t count(const struct list *tickets)
{
    size_t found = 0;
    list_each(node, tickets) found++;
    return found;
}

static void assert_waits(struct edge_destination *destination, int64_t now_us)
{
    struct edge_publish publish;
    int64_t due_us;
    assert_false(edge_destination_next(destination, now_us, &publish, &due_us));
}

static struct edge_publish take(struct edge_destination *destination, int64_t now_us)
{
    struct edge_publish publish;
    int64_t due_us;
    assert_true(edge_destination_next(destination, now_us, &publish, &due_us));
    edge_destination_sent(destination, now_us);
    return publish;
}

static void end(struct edge_destination *destination)
{
    struct list left;
    list_init(&left);
    edge_destination_free(destination, &left);
}

static void one_batch_is_on_its_way_and_the_next_one_fills(void **state)
{
    (void)state;
    struct edge_destination *destination = edge_destination_new(&usual, 100);
    struct edge_ticket tickets[4];
    struct list done;
    enum edge_code code;
    list_init(&done);
    assert_int_equal(add(destination, &tickets[0], "a", 10), 0);
    struct edge_publish first = take(destination, 1000); /* after a pause at once */
    assert_int_equal(first.serial, 100);
    for (size_t i = 1; i < 4; i++)
        assert_int_equal(add(destination, &tickets[i], "b", 10), 0);
    assert_waits(destination, 2000);
    assert_true(edge_destination_answered(destination, 100, &stored, 3000, &done, &code));
    assert_int_equal(code, EDGE_ACCEPTED);
    assert_int_equal(count(&done), 1);
    struct edge_publish second = take(destination, 50000);
    struct wire_batch batch;
    assert_int_equal(wire_batch_read(second.data, second.size, &batch), 0);
    assert_int_equal(batch.count, 3);
    assert_true(
        edge_destination_answered(destination, second.serial, &stored, 60000, &done, &code));
    assert_int_equal(count(&done), 4);
    assert_int_equal(edge_destination_records(destination), 0);
    end(destination);
}

static void a_batch_without_a_puback_goes_again_byte_for_byte_before_any_other(void **state)
{
    (void)state;
    struct edge_destination *destination = edge_destination_new(&usual, 1);
    struct edge_ticket tickets[2];
    struct list done;
    enum edge_code code;
    list_init(&done);
    assert_int_equal(add(destination, &tickets[0], "a", 100), 0);
    struct edge_publish first = take(destination, 0);
    uint8_t copy[4096];
    assert_true(first.size < sizeof copy);
    memcpy(copy, first.data, first.size);
    assert_int_equal(add(destination, &tickets[1], "b", 100), 0);
    assert_waits(destination, usual.resend_us - 1);
    struct edge_publish again = take(destination, usual.resend_us);
    assert_int_equal(again.serial, first.serial);
    assert_int_equal(again.size, first.size);
    assert_memory_equal(again.data, copy, first.size);
    edge_destination_reconnected(destination); /* what is on its way may be lost: at once */
    again = take(destination, usual.resend_us + 1);
    assert_memory_equal(again.data, copy, first.size);
    /* A PubAck of any attempt counts, one of another batch does not. */
    assert_false(edge_destination_answered(destination, 99, &stored, 2000000, &done, &code));
    assert_true(
        edge_destination_answered(destination, first.serial, &stored, 2000000, &done, &code));
    assert_int_equal(code, EDGE_ACCEPTED);
    assert_int_equal(count(&done), 1);
    end(destination);
}

static void full_is_a_rejection_only_when_no_attempt_may_have_been_stored(void **state)
{
    (void)state;
    struct edge_destination *destination = edge_destination_new(&usual, 1);
    struct edge_ticket ticket;
    struct list done;
    enum edge_code code;
    list_init(&done);
    assert_int_equal(add(destination, &ticket, "a", 100), 0);
    uint64_t serial = take(destination, 0).serial;
    assert_true(edge_destination_answered(destination, serial, &full, 100, &done, &code));
    assert_int_equal(code, EDGE_STORAGE_FULL);

    /* The first attempt was never answered: it may be stored, so "full" decides nothing. */
    assert_int_equal(add(destination, &ticket, "b", 100), 0);
    serial = take(destination, 1000000).serial;
    assert_int_equal(take(destination, 1000000 + usual.resend_us).serial, serial);
    assert_false(edge_destination_answered(destination, serial, &full, 2000100, &done, &code));
    assert_int_equal(edge_destination_records(destination), 1);
    assert_int_equal(take(destination, 10000000).serial, serial);
    assert_true(edge_destination_answered(destination, serial, &stored, 10000100, &done, &code));
    assert_int_equal(code, EDGE_ACCEPTED);
    end(destination);
}

static void any_other_error_is_no_outcome(void **state)
{
    (void)state;
    struct edge_destination *destination = edge_destination_new(&usual, 1);
    struct edge_ticket ticket;
    struct list done;
    enum edge_code code;
    list_init(&done);
    assert_int_equal(add(destination, &ticket, "a", 100), 0);
    uint64_t serial = take(destination, 0).serial;
    assert_false(edge_destination_answered(destination, serial, &away, 100, &done, &code));
    assert_waits(destination, 101); /* a pause */
    assert_int_equal(take(destination, usual.backoff_max_us + 101).serial, serial);
    end(destination);
}

static void what_waits_is_bounded_in_records_and_bytes(void **state)
{
    (void)state;
    struct edge_destination *destination = edge_destination_new(&usual, 1);
    struct edge_ticket tickets[16];
    for (size_t i = 0; i < usual.records_max; i++)
        assert_int_equal(add(destination, &tickets[i], "a", 10), 0);
    assert_int_equal(add(destination, &tickets[usual.records_max], "a", 10), -ENOBUFS);
    end(destination);

    destination = edge_destination_new(&usual, 1);
    assert_int_equal(add(destination, &tickets[0], "a", 60000), 0);
    assert_int_equal(add(destination, &tickets[1], "a", 60000), -ENOBUFS);
    assert_int_equal(add(destination, &tickets[1], "a", 100), 0); /* a small one still fits */
    end(destination);
}

/* An answer of 4 ms, over and over: the usual one is learnt, and the next publish waits for it. */
static void the_pace_spaces_the_publishes_of_a_busy_destination(void **state)
{
    (void)state;
    struct edge_destination *destination = edge_destination_new(&usual, 1);
    struct edge_ticket ticket;
    struct list done;
    enum edge_code code;
    struct edge_publish publish;
    int64_t due_us = 0, now_us = 0;
    list_init(&done);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(add(destination, &ticket, "a", 10), 0);
        now_us += 1000000; /* a pause: nothing waits */
        uint64_t serial = take(destination, now_us).serial;
        now_us += 4000;
        assert_true(edge_destination_answered(destination, serial, &stored, now_us, &done, &code));
    }
    assert_int_equal(add(destination, &ticket, "b", 10), 0);
    assert_false(edge_destination_next(destination, now_us, &publish, &due_us));
    assert_true(due_us > now_us && due_us <= now_us - 4000 + usual.pace_max_us);
    assert_int_equal(take(destination, due_us).size > 0, 1);
    end(destination);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_batch_is_on_its_way_and_the_next_one_fills),
        cmocka_unit_test(a_batch_without_a_puback_goes_again_byte_for_byte_before_any_other),
        cmocka_unit_test(full_is_a_rejection_only_when_no_attempt_may_have_been_stored),
        cmocka_unit_test(any_other_error_is_no_outcome),
        cmocka_unit_test(what_waits_is_bounded_in_records_and_bytes),
        cmocka_unit_test(the_pace_spaces_the_publishes_of_a_busy_destination),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
