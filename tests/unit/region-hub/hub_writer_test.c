/* The writer against a server without a stream: the test hears every attempt and answers itself. */
#include "region-hub/hub_writer.h"
#include "tests/support/nats_server.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { RETRY_MS = 100, PACE_MS = 50, FIRST_NUMBER = 1000, QUEUE_MAX = 4096 };

struct world {
    struct server server;
    struct loop *loop;
    struct bus *bus;
    struct bus_subscription *subscription;
    struct hub_writer *writer;
    struct buffer attempts[64];
    uint64_t numbers[64];
    char reply[WIRE_NAME_MAX]; /* of the last attempt */
    size_t count;
};

static void on_attempt(void *context, const struct bus_message *message)
{
    struct world *world = context;
    assert_true(world->count < COUNT_OF(world->attempts));
    assert_int_equal(wire_puback_number(message->reply, &world->numbers[world->count]), 0);
    assert_int_equal(text_put(world->reply, sizeof world->reply, message->reply), 0);
    buffer_append(&world->attempts[world->count++], message->data, message->size);
}

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    server_init(&world->server);
    server_start(&world->server);
    world->loop = loop_new();
    world->bus = bus_open(world->loop,
                          &(struct bus_settings){.urls = world->server.url, .name = "test"}, NULL);
    WAIT_FOR(world->loop, 5000, bus_is_connected(world->bus));
    world->subscription = bus_subscribe(world->bus, "log.sin.0.h", on_attempt, world);
    world->writer = hub_writer_new(&(struct hub_writer_settings){.loop = world->loop,
                                                                 .bus = world->bus,
                                                                 .region = "sin",
                                                                 .process = "sin-h1-0",
                                                                 .first_number = FIRST_NUMBER,
                                                                 .queue_max_bytes = QUEUE_MAX,
                                                                 .retry_ms = RETRY_MS,
                                                                 .pace_ms = PACE_MS});
    assert_non_null(world->writer);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    hub_writer_free(world->writer);
    bus_unsubscribe(world->subscription);
    bus_close(world->bus);
    loop_free(world->loop);
    server_done(&world->server);
    for (size_t i = 0; i < world->count; i++)
        buffer_free(&world->attempts[i]);
    free(world);
    return 0;
}

static int write_ack(struct world *world, uint64_t seq)
{
    return hub_writer_ack(
        world->writer,
        &(struct wire_ack){
            .generation = 1, .user = TEXT("bob"), .device = TEXT("phone"), .epoch = 1, .seq = seq});
}

static uint16_t records_of(const struct buffer *attempt)
{
    struct wire_batch batch;
    assert_int_equal(wire_batch_read(attempt->data, attempt->size, &batch), 0);
    return batch.count;
}

static void writes_a_batch_again_byte_for_byte_until_it_is_stored(void **state)
{
    struct world *world = *state;
    assert_int_equal(write_ack(world, 1), 0);
    WAIT_FOR(world->loop, 5000, world->count == 1);
    assert_int_equal(write_ack(world, 2), 0); /* waits for the one on its way... */
    assert_int_equal(write_ack(world, 3), 0);
    WAIT_FOR(world->loop, 5000, world->count == 3);
    for (size_t i = 1; i < 3; i++) {
        assert_int_equal(world->attempts[i].size, world->attempts[0].size);
        assert_memory_equal(world->attempts[i].data, world->attempts[0].data,
                            world->attempts[0].size);
    }
    /* Any attempt's PubAck will do, also the first one's. */
    assert_false(hub_writer_is_waiting_for(world->writer, FIRST_NUMBER - 1));
    assert_true(hub_writer_is_waiting_for(world->writer, world->numbers[0]));
    hub_writer_puback(world->writer, &(struct bus_puback){.position = 7});
    assert_false(hub_writer_is_waiting_for(world->writer, world->numbers[2]));
    WAIT_FOR(world->loop, 5000, world->count == 4);
    assert_int_equal(records_of(&world->attempts[3]), 2); /* ...and leaves with its neighbour */
}

static void writes_a_checkpoint_beside_other_records(void **state)
{
    struct world *world = *state;
    const struct wire_checkpoint checkpoint = {.generation = 7};
    struct wire_batch batch;
    struct wire_record record;
    assert_int_equal(hub_writer_checkpoint(world->writer, &checkpoint), 0);
    assert_int_equal(write_ack(world, 1), 0);
    WAIT_FOR(world->loop, 5000, world->count == 1);
    assert_int_equal(wire_batch_read(world->attempts[0].data, world->attempts[0].size, &batch), 0);
    assert_int_equal(batch.count, 2);
    assert_int_equal(wire_record_next(&batch.body, &record), 0);
    assert_int_equal(record.kind, WIRE_CHECKPOINT);
    assert_true(record.checkpoint.generation == 7);
}

static int write_move(struct world *world, uint8_t kind)
{
    const struct wire_freeze freeze = {.move = 5, .user = TEXT("bob"), .to = TEXT("dub")};
    const struct wire_move_row row = {
        .move = 5,
        .epoch = 1,
        .seq = 1,
        .user = TEXT("bob"),
        .message = {.sender = TEXT("alice"), .id = TEXT("m1"), .body = TEXT("{}")}};
    const struct wire_move_in in = {.move = 5,
                                    .user = TEXT("bob"),
                                    .from = TEXT("dub"),
                                    .mailbox = {.epoch = 1, .head = 1, .oldest = 1}};
    const struct wire_move_end end = {
        .move = 5, .user = TEXT("bob"), .outcome = WIRE_MOVE_DONE, .home = TEXT("sin")};
    return kind == WIRE_FREEZE     ? hub_writer_freeze(world->writer, &freeze)
           : kind == WIRE_MOVE_ROW ? hub_writer_move_row(world->writer, &row)
           : kind == WIRE_MOVE_IN  ? hub_writer_move_in(world->writer, &in)
                                   : hub_writer_move_end(world->writer, &end);
}

static const uint8_t move_kinds[] = {WIRE_FREEZE, WIRE_MOVE_ROW, WIRE_MOVE_IN, WIRE_MOVE_END};

static void writes_what_is_said_of_moves_in_its_order(void **state)
{
    struct world *world = *state;
    struct wire_batch batch;
    struct wire_record record;
    for (size_t i = 0; i < COUNT_OF(move_kinds); i++)
        assert_int_equal(write_move(world, move_kinds[i]), 0);
    WAIT_FOR(world->loop, 5000, world->count == 1);
    assert_int_equal(wire_batch_read(world->attempts[0].data, world->attempts[0].size, &batch), 0);
    for (size_t i = 0; i < COUNT_OF(move_kinds); i++) {
        assert_int_equal(wire_record_next(&batch.body, &record), 0);
        assert_int_equal(record.kind, move_kinds[i]);
    }
}

static void holds_what_is_said_of_moves_to_the_bound(void **state)
{
    struct world *world = *state;
    for (size_t i = 0; i < COUNT_OF(move_kinds); i++) {
        while (write_move(world, move_kinds[i]) == 0)
            ;
        assert_int_equal(write_move(world, move_kinds[i]), -ENOBUFS);
        assert_true(hub_writer_queued_bytes(world->writer) <= QUEUE_MAX);
        hub_writer_drop_queue(world->writer);
    }
}

static void a_refusal_is_followed_by_the_same_batch(void **state)
{
    struct world *world = *state;
    assert_int_equal(write_ack(world, 1), 0);
    WAIT_FOR(world->loop, 5000, world->count == 1);
    hub_writer_puback(world->writer, &(struct bus_puback){.code = 503, .err_code = 10077});
    WAIT_FOR(world->loop, 5000, world->count == 2);
    assert_memory_equal(world->attempts[1].data, world->attempts[0].data, world->attempts[0].size);
}

static void takes_records_up_to_the_bound_and_ownership_beyond_it(void **state)
{
    struct world *world = *state;
    size_t taken = 0;
    while (write_ack(world, taken) == 0)
        taken++;
    assert_true(taken > 10);
    assert_true(hub_writer_queued_bytes(world->writer) <= QUEUE_MAX);
    assert_int_equal(write_ack(world, 1), -ENOBUFS);
    const struct wire_own own = {.hub = TEXT("sin-h1"), .start = 1, .expects = 0};
    assert_int_equal(hub_writer_own(world->writer, &own), 0);
    WAIT_FOR(world->loop, 5000, world->count == 1);
    assert_int_equal(records_of(&world->attempts[0]), taken + 1);
    hub_writer_puback(world->writer, &(struct bus_puback){.position = 7});
    assert_int_equal(hub_writer_queued_bytes(world->writer), 0);
    assert_int_equal(write_ack(world, 1), 0);
}

static void what_no_longer_counts_is_dropped_but_not_what_is_on_its_way(void **state)
{
    struct world *world = *state;
    assert_int_equal(write_ack(world, 1), 0);
    WAIT_FOR(world->loop, 5000, world->count == 1);
    assert_int_equal(write_ack(world, 2), 0);
    hub_writer_drop_queue(world->writer);
    hub_writer_connected(world->writer); /* again at once */
    WAIT_FOR(world->loop, 5000, world->count == 2);
    hub_writer_puback(world->writer, &(struct bus_puback){.position = 7});
    TURN_FOR(world->loop, 3 * PACE_MS);
    assert_int_equal(world->count, 2);
}

static void tells_when_what_it_took_is_stored(void **state)
{
    struct world *world = *state;
    struct hub_writer *writer = world->writer;
    assert_int_equal(write_ack(world, 1), 0);
    WAIT_FOR(world->loop, 5000, world->count == 1);
    assert_int_equal(write_ack(world, 2), 0);
    assert_int_equal(write_ack(world, 3), 0);
    assert_int_equal(hub_writer_taken(writer), 3);
    assert_int_equal(hub_writer_settled(writer), 0);
    hub_writer_puback(writer, &(struct bus_puback){.position = 7});
    assert_int_equal(hub_writer_settled(writer), 1);
    WAIT_FOR(world->loop, 5000, world->count == 2);
    hub_writer_puback(writer, &(struct bus_puback){.code = 503, .err_code = 10077});
    assert_int_equal(hub_writer_settled(writer), 1); /* it was refused: it goes again */
    hub_writer_puback(writer, &(struct bus_puback){.position = 8});
    assert_int_equal(hub_writer_settled(writer), 3);
    assert_int_equal(hub_writer_lost(writer), 0);
}

static void what_is_dropped_is_told_as_lost(void **state)
{
    struct world *world = *state;
    struct hub_writer *writer = world->writer;
    assert_int_equal(write_ack(world, 1), 0);
    WAIT_FOR(world->loop, 5000, world->count == 1);
    assert_int_equal(write_ack(world, 2), 0);
    hub_writer_drop_queue(writer);
    assert_int_equal(hub_writer_lost(writer), 1);
    assert_int_equal(hub_writer_settled(writer), 0); /* the one on its way comes first */
    hub_writer_puback(writer, &(struct bus_puback){.position = 7});
    assert_int_equal(hub_writer_settled(writer), 1);
    assert_int_equal(write_ack(world, 3), 0);
    hub_writer_drop_queue(writer);
    assert_int_equal(hub_writer_lost(writer), 2);
    assert_int_equal(hub_writer_settled(writer), hub_writer_taken(writer));
}

static void writes_to_an_outbox_too(void **state)
{
    struct world *world = *state;
    struct bus_subscription *outbox = bus_subscribe(world->bus, "out.sin.dub.3", on_attempt, world);
    struct hub_writer *writer =
        hub_writer_new(&(struct hub_writer_settings){.loop = world->loop,
                                                     .bus = world->bus,
                                                     .region = "dub",
                                                     .shard = 3,
                                                     .outbox_of = "sin",
                                                     .process = "sin-h1-0",
                                                     .first_number = FIRST_NUMBER,
                                                     .queue_max_bytes = QUEUE_MAX,
                                                     .retry_ms = RETRY_MS,
                                                     .pace_ms = PACE_MS});
    const struct wire_message notice = {.flags = WIRE_FLAG_NOTICE,
                                        .sender = TEXT(WIRE_NOTICE_SENDER),
                                        .device = TEXT(""),
                                        .id = TEXT("n1"),
                                        .body = TEXT("{}")};
    assert_non_null(writer);
    assert_int_equal(hub_writer_message(writer, &notice, TEXT("alice")), 0);
    WAIT_FOR(world->loop, 5000, world->count == 1);
    assert_string_equal(world->reply, "pa.sin_dub.3.sin-h1-0.1000");
    assert_int_equal(records_of(&world->attempts[0]), 1);
    assert_true(hub_writer_is_waiting_for(writer, FIRST_NUMBER));
    hub_writer_free(writer);
    bus_unsubscribe(outbox);
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(writes_a_batch_again_byte_for_byte_until_it_is_stored),
        WITH_WORLD(writes_a_checkpoint_beside_other_records),
        WITH_WORLD(writes_what_is_said_of_moves_in_its_order),
        WITH_WORLD(holds_what_is_said_of_moves_to_the_bound),
        WITH_WORLD(a_refusal_is_followed_by_the_same_batch),
        WITH_WORLD(takes_records_up_to_the_bound_and_ownership_beyond_it),
        WITH_WORLD(what_no_longer_counts_is_dropped_but_not_what_is_on_its_way),
        WITH_WORLD(tells_when_what_it_took_is_stored),
        WITH_WORLD(what_is_dropped_is_told_as_lost),
        WITH_WORLD(writes_to_an_outbox_too),
    };
    return RUN_GROUP_WITH_SERVER(tests);
}
