/* Reading a stream by position: on a real one, and on a fake one whose answers get lost. */
#include "bus/bus_stream.h"

#include "tests/support/fake_stream.h"
#include "tests/support/nats_server.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SOON_MS = 10000, LONG_MS = 120000 };

struct world {
    struct loop *loop;
    struct server server;
    struct bus *bus;
    struct fake_stream fake;
    struct bus_reader *reader;
    /* What came. */
    uint64_t first;
    uint64_t last;
    int count;
    int pauses;
    bool caught_up;
    /* What the callbacks do. */
    uint64_t hold_at;
    uint64_t seek_at;
    uint64_t seek_to;
    bool close_at_pause;
    /* The publisher. */
    int to_publish;
    struct bus_request publication;
    uint64_t stored;
};

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    *state = world;
    world->loop = loop_new();
    server_init(&world->server);
    server_start(&world->server);
    struct error_text why;
    world->bus = bus_open(world->loop,
                          &(struct bus_settings){.urls = world->server.url, .name = "test"}, &why);
    WAIT_FOR(world->loop, SOON_MS, bus_is_connected(world->bus));
    return 0;
}

static int set_up_stream(void **state)
{
    set_up(state);
    struct world *world = *state;
    server_create_stream(world->loop, world->bus, "LOG",
                         "{\"name\":\"LOG\",\"subjects\":[\"log.>\"],\"allow_direct\":true,"
                         "\"discard\":\"new\",\"storage\":\"file\"}");
    return 0;
}

static int set_up_fake(void **state)
{
    set_up(state);
    struct world *world = *state;
    fake_stream_open(&world->fake, world->loop, world->server.port);
    TURN_FOR(world->loop, 50); /* its subscription is made */
    world->fake.last = 20;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    if (world->fake.loop != NULL)
        fake_stream_close(&world->fake);
    bus_reader_close(world->reader);
    bus_close(world->bus);
    loop_free(world->loop);
    server_done(&world->server);
    free(world);
    return 0;
}

/* --- reading --- */

static void on_entry(void *context, const struct bus_entry *entry)
{
    struct world *world = context;
    assert_true(entry->position > world->last || world->seek_to != 0);
    assert_true(entry->time_ms > 0);
    if (world->count++ == 0)
        world->first = entry->position;
    world->last = entry->position;
    if (entry->position == world->hold_at)
        bus_reader_hold(world->reader, true);
    if (entry->position == world->seek_at) {
        world->seek_at = 0;
        bus_reader_seek(world->reader, world->seek_to);
    }
}

static void on_pause(void *context, bool caught_up)
{
    struct world *world = context;
    world->pauses++;
    world->caught_up = caught_up;
    if (world->close_at_pause) {
        bus_reader_close(world->reader);
        world->reader = NULL;
    }
}

static void open_reader(struct world *world, struct bus_reader_settings settings)
{
    settings.on_entry = on_entry;
    settings.on_pause = on_pause;
    settings.context = world;
    world->reader = bus_reader_open(world->bus, &settings);
    assert_non_null(world->reader);
}

/* Everything from 1 to `last` came, each once. */
static void assert_whole(const struct world *world, uint64_t last)
{
    assert_true(world->first == 1);
    assert_true(world->last == last);
    assert_int_equal(world->count, last);
}

/* --- publishing, one at a time; an unknown outcome is tried again, so there may be repeats --- */

static void publish_next(struct world *world)
{
    if (world->to_publish == 0)
        return;
    int error = bus_request(world->bus, &world->publication, "log.a", "x", 1, 500);
    assert_true(error == 0 || error == -ENOTCONN || error == -EBUSY);
}

static bool on_puback(struct bus_request *request, enum bus_outcome outcome,
                      const struct bus_message *message)
{
    struct world *world = container_of(request, struct world, publication);
    struct bus_puback ack;
    if (outcome != BUS_ANSWER || bus_puback_read(message, &ack) != 0 || ack.position == 0)
        return false;
    world->stored = ack.position;
    world->to_publish--;
    if (world->reader != NULL)
        bus_reader_ring(world->reader, ack.position);
    publish_next(world);
    return false;
}

static void publish(struct world *world, int count)
{
    world->to_publish = count;
    world->publication.on_answer = on_puback;
    publish_next(world);
    WAIT_FOR(world->loop, LONG_MS, world->to_publish == 0);
}

/* Many at once, without a ring. */
static void publish_many(struct world *world, const char *subject, int count)
{
    char bytes[100] = "x";
    for (int i = 1; i < count; i++) {
        int error;
        while ((error = bus_publish(world->bus, subject, NULL, bytes, sizeof bytes)) == -ENOBUFS)
            assert_int_equal(loop_turn(world->loop, 10), 0);
        assert_int_equal(error, 0);
    }
    world->to_publish = 1; /* the last one tells where they end */
    world->publication.on_answer = on_puback;
    assert_int_equal(bus_request(world->bus, &world->publication, subject, "x", 1, LONG_MS), 0);
    WAIT_FOR(world->loop, LONG_MS, world->to_publish == 0);
}

/* --- a real stream --- */

static void reads_what_is_there_and_what_comes(void **state)
{
    struct world *world = *state;
    publish(world, 10);
    open_reader(world, (struct bus_reader_settings){.stream = "LOG", .filter = "log.>"});
    WAIT_FOR(world->loop, SOON_MS, world->caught_up);
    assert_whole(world, 10);
    publish(world, 1); /* rings */
    WAIT_FOR(world->loop, 500, world->count == 11);
    publish(world, 50);
    WAIT_FOR(world->loop, SOON_MS, world->count == 61 && world->caught_up);
    assert_whole(world, 61);
    assert_true(bus_reader_next(world->reader) == 62);
}

static void asks_by_itself_now_and_then(void **state)
{
    struct world *world = *state;
    open_reader(world,
                (struct bus_reader_settings){.stream = "LOG", .filter = "log.>", .poll_ms = 100});
    WAIT_FOR(world->loop, SOON_MS, world->caught_up);
    assert_int_equal(world->count, 0);
    struct bus_reader *reader = world->reader;
    world->reader = NULL; /* so that nobody rings */
    publish(world, 3);
    world->reader = reader;
    WAIT_FOR(world->loop, SOON_MS, world->count == 3);
}

static void starts_where_it_is_told(void **state)
{
    struct world *world = *state;
    publish(world, 30);
    open_reader(world, (struct bus_reader_settings){
                           .stream = "LOG", .filter = NULL, .from = 21, .batch_max = 3});
    WAIT_FOR(world->loop, SOON_MS, world->caught_up);
    assert_true(world->first == 21);
    assert_true(world->last == 30);
    assert_int_equal(world->count, 10);
    assert_int_equal(world->pauses, 4);
}

static void passes_over_what_the_filter_hides(void **state)
{
    struct world *world = *state;
    for (int i = 0; i < 20; i++)
        publish_many(world, i % 3 == 0 ? "log.wanted" : "log.other", 1);
    open_reader(world, (struct bus_reader_settings){
                           .stream = "LOG", .filter = "log.wanted", .batch_max = 4});
    WAIT_FOR(world->loop, SOON_MS, world->caught_up);
    assert_int_equal(world->count, 7);
    assert_true(world->first == 1);
    assert_true(world->last == 19);
}

static void holds_and_goes_on(void **state)
{
    struct world *world = *state;
    publish(world, 100);
    world->hold_at = 15;
    open_reader(world, (struct bus_reader_settings){
                           .stream = "LOG", .filter = "log.>", .batch_max = 10, .poll_ms = 20});
    TURN_FOR(world->loop, 300);
    assert_int_equal(world->count, 20); /* the batch in flight was delivered */
    assert_true(bus_reader_next(world->reader) == 21);
    bus_reader_ring(world->reader, 101);
    TURN_FOR(world->loop, 50);
    assert_int_equal(world->count, 20);
    publish(world, 1);
    bus_reader_hold(world->reader, false);
    WAIT_FOR(world->loop, SOON_MS, world->caught_up);
    assert_whole(world, 101);
}

static void seeks_also_from_inside(void **state)
{
    struct world *world = *state;
    publish(world, 50);
    world->seek_at = 30;
    world->seek_to = 5;
    open_reader(world, (struct bus_reader_settings){.stream = "LOG", .filter = "log.>"});
    WAIT_FOR(world->loop, SOON_MS, world->caught_up);
    assert_int_equal(world->count, 30 + 46);
    assert_true(world->last == 50);
    bus_reader_seek(world->reader, 41);
    WAIT_FOR(world->loop, SOON_MS, world->count == 30 + 46 + 10);
    bus_reader_seek(world->reader, 0);
    WAIT_FOR(world->loop, SOON_MS, world->count == 30 + 46 + 10 + 50);
}

static void may_be_closed_at_a_pause(void **state)
{
    struct world *world = *state;
    publish(world, 5);
    world->close_at_pause = true;
    open_reader(world, (struct bus_reader_settings){.stream = "LOG", .filter = "log.>"});
    WAIT_FOR(world->loop, SOON_MS, world->reader == NULL);
    assert_whole(world, 5);
    TURN_FOR(world->loop, 50);
}

static void refuses_names_that_break_its_request(void **state)
{
    struct world *world = *state;
    static const struct bus_reader_settings bad[] = {{.stream = "L G", .filter = ">"},
                                                     {.stream = "LOG", .filter = "a\""},
                                                     {.stream = "LOG", .filter = "a\\"}};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_null(bus_reader_open(world->bus, &bad[i]));
    bus_reader_close(NULL);
}

static void reads_ten_thousand(void **state)
{
    struct world *world = *state;
    publish_many(world, "log.a", 10000);
    open_reader(world, (struct bus_reader_settings){.stream = "LOG", .filter = "log.>"});
    WAIT_FOR(world->loop, LONG_MS, world->caught_up);
    assert_whole(world, 10000);
    assert_int_equal(world->pauses, 40); /* 39 full batches of 256, and 16 */
}

static void keeps_to_the_bytes_it_is_allowed(void **state)
{
    struct world *world = *state;
    publish_many(world, "log.a", 1000);
    open_reader(
        world, (struct bus_reader_settings){.stream = "LOG", .filter = "log.>", .bytes_max = 1000});
    WAIT_FOR(world->loop, LONG_MS, world->caught_up);
    assert_whole(world, 1000);
    assert_true(world->pauses >= 100);
}

/* The server is killed three times while it is read. */
static void goes_on_after_the_server_was_killed(void **state)
{
    struct world *world = *state;
    publish_many(world, "log.a", 2000);
    open_reader(world,
                (struct bus_reader_settings){.stream = "LOG", .filter = "log.>", .batch_max = 20});
    for (int kills = 1; kills <= 3; kills++) {
        WAIT_FOR(world->loop, LONG_MS, world->count >= 500 * kills);
        assert_false(world->caught_up);
        server_kill(&world->server);
        TURN_FOR(world->loop, 100);
        server_start(&world->server);
        WAIT_FOR(world->loop, LONG_MS, bus_is_connected(world->bus));
    }
    WAIT_FOR(world->loop, LONG_MS, world->caught_up && world->last == world->stored);
    assert_whole(world, 2000);
}

static void follows_a_publisher_through_a_kill(void **state)
{
    struct world *world = *state;
    open_reader(world, (struct bus_reader_settings){.stream = "LOG", .filter = "log.>"});
    publish(world, 100);
    world->to_publish = 500;
    publish_next(world);
    WAIT_FOR(world->loop, LONG_MS, world->to_publish <= 300);
    server_kill(&world->server);
    WAIT_FOR(world->loop, LONG_MS, !bus_is_connected(world->bus));
    server_start(&world->server);
    WAIT_FOR(world->loop, LONG_MS, (publish_next(world), world->to_publish == 0));
    WAIT_FOR(world->loop, LONG_MS, world->caught_up && world->last == world->stored);
    assert_whole(world, world->stored);
    assert_in_range(world->stored, 600, 610); /* at most a few were stored twice */
}

/* --- answers that get lost --- */

static void reads_the_fake_stream(void **state)
{
    struct world *world = *state;
    open_reader(world, (struct bus_reader_settings){.stream = "FAKE", .filter = "fake.>"});
    WAIT_FOR(world->loop, SOON_MS, world->caught_up);
    assert_whole(world, 20);
    assert_int_equal(world->fake.requests, 1);
}

static void notices_each_lost_answer(void **state)
{
    struct world *world = *state;
    /* In the middle, the first of a batch, two in a row, the last before the end. */
    const uint64_t lost[] = {1, 5, 6, 11, 15, 20};
    memcpy(world->fake.lose, lost, sizeof lost);
    open_reader(
        world, (struct bus_reader_settings){.stream = "FAKE", .filter = "fake.>", .batch_max = 10});
    WAIT_FOR(world->loop, SOON_MS, world->caught_up);
    assert_whole(world, 20);
}

static void notices_a_lost_end(void **state)
{
    struct world *world = *state;
    world->fake.lose_end = true;
    open_reader(world, (struct bus_reader_settings){.stream = "FAKE", .filter = "fake.>"});
    WAIT_FOR(world->loop, 1000, world->count == 20);
    assert_false(world->caught_up);
    WAIT_FOR(world->loop, SOON_MS, world->caught_up); /* after the answer's timeout */
    assert_whole(world, 20);
}

static void notices_a_batch_that_is_lost_whole(void **state)
{
    struct world *world = *state;
    world->fake.last = 2;
    world->fake.lose[0] = 1;
    world->fake.lose[1] = 2;
    world->fake.lose_end = true;
    open_reader(world, (struct bus_reader_settings){.stream = "FAKE", .filter = "fake.>"});
    WAIT_FOR(world->loop, SOON_MS, world->caught_up);
    assert_whole(world, 2);
    assert_int_equal(world->pauses, 2);
}

static void asks_again_when_the_server_cannot(void **state)
{
    struct world *world = *state;
    static const char *const statuses[] = {"503 Busy", "408 Timeout", "500 Broken"};
    open_reader(world,
                (struct bus_reader_settings){.stream = "FAKE", .filter = "fake.>", .batch_max = 5});
    for (size_t i = 0; i < COUNT_OF(statuses); i++) {
        world->fake.status = statuses[i];
        world->fake.last += 7;
        bus_reader_ring(world->reader, world->fake.last);
        WAIT_FOR(world->loop, SOON_MS,
                 world->fake.status == NULL && world->last == world->fake.last);
    }
    assert_whole(world, 41);
}

static void asks_a_replica_that_is_behind_again(void **state)
{
    struct world *world = *state;
    open_reader(world, (struct bus_reader_settings){
                           .stream = "FAKE", .filter = "fake.>", .poll_ms = LONG_MS});
    WAIT_FOR(world->loop, SOON_MS, world->caught_up);
    world->fake.last = 21;
    world->fake.behind = 4;
    int before = world->fake.requests;
    bus_reader_ring(world->reader, 21);
    WAIT_FOR(world->loop, SOON_MS, world->count == 21 && world->caught_up);
    assert_int_equal(world->fake.requests, before + 5);
    assert_whole(world, 21);
}

static void does_not_hurry_where_nothing_moves(void **state)
{
    struct world *world = *state;
    open_reader(world, (struct bus_reader_settings){.stream = "NONE", .filter = ">"});
    TURN_FOR(world->loop, 1000);
    assert_false(world->caught_up);
    assert_in_range(world->pauses, 3, 12); /* 5 ms, 10 ms ... 200 ms */
}

#define ON_STREAM(name) cmocka_unit_test_setup_teardown(name, set_up_stream, tear_down)
#define ON_FAKE(name) cmocka_unit_test_setup_teardown(name, set_up_fake, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STREAM(reads_what_is_there_and_what_comes),
        ON_STREAM(asks_by_itself_now_and_then),
        ON_STREAM(starts_where_it_is_told),
        ON_STREAM(passes_over_what_the_filter_hides),
        ON_STREAM(holds_and_goes_on),
        ON_STREAM(seeks_also_from_inside),
        ON_STREAM(may_be_closed_at_a_pause),
        ON_STREAM(refuses_names_that_break_its_request),
        ON_STREAM(reads_ten_thousand),
        ON_STREAM(keeps_to_the_bytes_it_is_allowed),
        ON_STREAM(goes_on_after_the_server_was_killed),
        ON_STREAM(follows_a_publisher_through_a_kill),
        ON_FAKE(reads_the_fake_stream),
        ON_FAKE(notices_each_lost_answer),
        ON_FAKE(notices_a_lost_end),
        ON_FAKE(notices_a_batch_that_is_lost_whole),
        ON_FAKE(asks_again_when_the_server_cannot),
        ON_FAKE(asks_a_replica_that_is_behind_again),
        ON_FAKE(does_not_hurry_where_nothing_moves),
    };
    return RUN_GROUP_WITH_SERVER(tests);
}
