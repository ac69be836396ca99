/* PubAcks and direct gets as a real server gives them. */
#include "bus/bus_stream.h"

#include "base/clock.h"
#include "tests/support/nats_server.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SOON_MS = 10000 };

struct world {
    struct loop *loop;
    struct server server;
    struct bus *bus;
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
    server_create_stream(world->loop, world->bus, "LOG",
                         "{\"name\":\"LOG\",\"subjects\":[\"log.>\"],\"allow_direct\":true,"
                         "\"discard\":\"new\",\"max_bytes\":4096,\"storage\":\"file\"}");
    server_create_stream(world->loop, world->bus, "KV_users",
                         "{\"name\":\"KV_users\",\"subjects\":[\"$KV.users.>\"],"
                         "\"max_msgs_per_subject\":1,\"allow_direct\":true,\"discard\":\"new\","
                         "\"allow_rollup_hdrs\":true,\"deny_delete\":true,\"storage\":\"file\"}");
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    bus_close(world->bus);
    loop_free(world->loop);
    server_done(&world->server);
    free(world);
    return 0;
}

/* --- one request, one answer, read inside the callback --- */

struct publication {
    struct bus_request request;
    bool ended;
    int error;
    struct bus_puback ack;
};

static bool on_puback(struct bus_request *request, enum bus_outcome outcome,
                      const struct bus_message *message)
{
    struct publication *publication = container_of(request, struct publication, request);
    publication->ended = true;
    publication->error =
        outcome == BUS_ANSWER ? bus_puback_read(message, &publication->ack) : -ETIMEDOUT;
    return false;
}

static struct bus_puback publish(struct world *world, const char *subject, const char *header,
                                 const char *value, size_t size)
{
    char *bytes = calloc(1, size + 1);
    assert_non_null(bytes);
    struct publication publication = {.request.on_answer = on_puback};
    assert_int_equal(bus_request_with_header(world->bus, &publication.request, subject, header,
                                             value, bytes, size, SOON_MS),
                     0);
    free(bytes);
    WAIT_FOR(world->loop, SOON_MS, publication.ended);
    assert_int_equal(publication.error, 0);
    return publication.ack;
}

struct get {
    struct bus_request request;
    bool ended;
    enum bus_outcome outcome;
    int error;
    struct bus_entry entry;
    char subject[64];
    char data[64];
};

static bool on_entry(struct bus_request *request, enum bus_outcome outcome,
                     const struct bus_message *message)
{
    struct get *get = container_of(request, struct get, request);
    get->ended = true;
    get->outcome = outcome;
    if (outcome != BUS_ANSWER)
        return false;
    get->error = bus_entry_read(message, &get->entry, NULL);
    if (get->error == 0) {
        snprintf(get->subject, sizeof get->subject, "%.*s", TEXT_ARGS(get->entry.subject));
        snprintf(get->data, sizeof get->data, "%.*s", (int)get->entry.size,
                 (const char *)get->entry.data);
    }
    return false;
}

static struct get get_last(struct world *world, const char *stream, const char *subject)
{
    struct get get = {.request.on_answer = on_entry};
    assert_int_equal(bus_get_last(world->bus, &get.request, stream, subject, SOON_MS), 0);
    WAIT_FOR(world->loop, SOON_MS, get.ended);
    return get;
}

static struct get get_raw(struct world *world, const char *stream, const char *body)
{
    char subject[64];
    snprintf(subject, sizeof subject, "$JS.API.DIRECT.GET.%s", stream);
    struct get get = {.request.on_answer = on_entry};
    assert_int_equal(bus_request(world->bus, &get.request, subject, body, strlen(body), SOON_MS),
                     0);
    WAIT_FOR(world->loop, SOON_MS, get.ended);
    return get;
}

static void counts_positions(void **state)
{
    struct world *world = *state;
    for (uint64_t position = 1; position <= 3; position++) {
        struct bus_puback ack = publish(world, "log.a", NULL, NULL, 10);
        assert_true(ack.position == position);
        assert_int_equal(ack.code, 0);
    }
}

static void refuses_the_wrong_last_sequence(void **state)
{
    struct world *world = *state;
    static const char header[] = "Nats-Expected-Last-Subject-Sequence";
    assert_true(publish(world, "$KV.users.bob", header, "0", 5).position == 1);
    struct bus_puback ack = publish(world, "$KV.users.bob", header, "0", 5);
    assert_true(ack.position == 0);
    assert_int_equal(ack.code, 400);
    assert_int_equal(ack.err_code, BUS_ERR_WRONG_LAST_SEQUENCE);
    assert_true(publish(world, "$KV.users.bob", header, "1", 5).position == 2);
}

static void tells_that_a_stream_is_full(void **state)
{
    struct world *world = *state;
    struct bus_puback ack;
    do
        ack = publish(world, "log.a", NULL, NULL, 500);
    while (ack.position != 0);
    assert_int_equal(ack.code, 503);
    assert_int_equal(ack.err_code, BUS_ERR_STREAM_FULL);
    assert_int_not_equal(strlen(ack.description), 0);
}

static void tells_that_there_is_no_stream(void **state)
{
    struct world *world = *state;
    assert_int_equal(get_last(world, "NONE", "a").outcome, BUS_NO_RESPONDERS);
}

static void gets_the_last_of_a_subject(void **state)
{
    struct world *world = *state;
    int64_t before_ms = clock_wall_ms();
    struct publication publication = {.request.on_answer = on_puback};
    assert_int_equal(
        bus_request(world->bus, &publication.request, "$KV.users.eve", "dub", 3, SOON_MS), 0);
    WAIT_FOR(world->loop, SOON_MS, publication.ended);
    struct get get = get_last(world, "KV_users", "$KV.users.eve");
    assert_int_equal(get.error, 0);
    assert_true(get.entry.position == publication.ack.position);
    assert_string_equal(get.subject, "$KV.users.eve");
    assert_string_equal(get.data, "dub");
    assert_in_range(get.entry.time_ms, before_ms - 1, clock_wall_ms() + 1);
    assert_int_equal(get_last(world, "KV_users", "$KV.users.nobody").error, -ENOENT);
}

static void gets_an_empty_message(void **state)
{
    struct world *world = *state;
    assert_true(publish(world, "log.empty", NULL, NULL, 0).position == 1);
    struct get get = get_last(world, "LOG", "log.empty");
    assert_int_equal(get.error, 0);
    assert_int_equal(get.entry.size, 0);
}

static void reads_every_status(void **state)
{
    struct world *world = *state;
    assert_int_equal(get_raw(world, "LOG", "{\"seq\":1}").error, -ENOENT);
    assert_int_equal(get_raw(world, "LOG", "{}").error, -EAGAIN);   /* 408 */
    assert_int_equal(get_raw(world, "LOG", "{bad").error, -EAGAIN); /* 408 */
    publish(world, "log.a", NULL, NULL, 1);
    assert_int_equal(get_raw(world, "LOG", "{\"seq\":1}").error, 0);
}

/* --- the doorbell --- */

struct bell {
    unsigned rung; /* bit n: position n was told */
    unsigned bad;
};

static void on_ring(void *context, const struct bus_message *message)
{
    struct bell *bell = context;
    uint64_t position;
    if (bus_ring_read(message, &position) == 0 && position < 32)
        bell->rung |= 1U << position;
    else
        bell->bad++;
}

static void hears_what_a_stream_tells_and_pubacks_of_others(void **state)
{
    struct world *world = *state;
    struct bell bell = {0};
    server_create_stream(world->loop, world->bus, "RING",
                         "{\"name\":\"RING\",\"subjects\":[\"ring.>\"],\"republish\":{\"src\":"
                         "\"ring.>\",\"dest\":\"bell._.>\",\"headers_only\":true}}");
    struct bus_subscription *heard = bus_subscribe(world->bus, "bell.>", on_ring, &bell);
    assert_non_null(heard);
    assert_true(publish(world, "ring.a", NULL, NULL, 10).position == 1);
    WAIT_FOR(world->loop, SOON_MS, bell.rung == 1U << 1);
    assert_int_equal(bus_publish(world->bus, "ring.b", "bell.process.7", "x", 1), 0);
    WAIT_FOR(world->loop, SOON_MS, bell.rung == (1U << 1 | 1U << 2));
    assert_int_equal(bus_publish(world->bus, "bell.x", NULL, "x", 1), 0);
    assert_int_equal(bus_publish(world->bus, "bell.x", NULL, "{\"seq\":0}", 9), 0);
    WAIT_FOR(world->loop, SOON_MS, bell.bad == 2);
    bus_unsubscribe(heard);
}

static void answers_go_to_inboxes_only(void **state)
{
    (void)state;
    assert_true(bus_is_inbox(TEXT("_INBOX.sin-1.7.8")));
    assert_true(bus_is_inbox(TEXT("_R_.sBsb4C.ef1Mo6"))); /* of another account */
    static const char *const bad[] = {
        "",           "_R_.", "_INBOX", "_R", "pa.sin.0.sin-1.7", "$JS.API.STREAM.DELETE.LOG_sin_0",
        "log.sin.0.h"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(bus_is_inbox(text_of(bad[i])));
}

struct leader_get {
    struct bus_request request;
    bool ended;
    int error;
    uint64_t position;
    size_t size;
    uint8_t data[16];
};

static bool on_leader(struct bus_request *request, enum bus_outcome outcome,
                      const struct bus_message *message)
{
    struct leader_get *get = container_of(request, struct leader_get, request);
    assert_int_equal(outcome, BUS_ANSWER);
    get->error =
        bus_leader_entry_read(message, get->data, sizeof get->data, &get->position, &get->size);
    get->ended = true;
    return false;
}

static struct leader_get get_of_leader(struct world *world, const char *subject)
{
    struct leader_get get = {.request.on_answer = on_leader};
    assert_int_equal(bus_get_last_of_leader(world->bus, &get.request, "KV_users", subject, SOON_MS),
                     0);
    WAIT_FOR(world->loop, SOON_MS, get.ended);
    return get;
}

static void gets_the_last_of_a_subject_from_the_leader(void **state)
{
    struct world *world = *state;
    struct publication publication = {.request.on_answer = on_puback};
    assert_int_equal(
        bus_request(world->bus, &publication.request, "$KV.users.eve", "dub", 3, SOON_MS), 0);
    WAIT_FOR(world->loop, SOON_MS, publication.ended);
    struct leader_get get = get_of_leader(world, "$KV.users.eve");
    assert_int_equal(get.error, 0);
    assert_true(get.position == publication.ack.position);
    assert_int_equal(get.size, 3);
    assert_memory_equal(get.data, "dub", 3);
    assert_int_equal(get_of_leader(world, "$KV.users.nobody").error, -ENOENT);
}

static void refuses_a_long_name(void **state)
{
    struct world *world = *state;
    char name[600];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    struct get get = {.request.on_answer = on_entry};
    assert_int_equal(bus_get_last(world->bus, &get.request, "LOG", name, SOON_MS), -EINVAL);
    assert_int_equal(bus_get_last_of_leader(world->bus, &get.request, "LOG", name, SOON_MS),
                     -EINVAL);
    assert_int_equal(bus_get_last_of_leader(world->bus, &get.request, name, "a", SOON_MS), -EINVAL);
}

#define WITH_SERVER(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(counts_positions),
        WITH_SERVER(refuses_the_wrong_last_sequence),
        WITH_SERVER(tells_that_a_stream_is_full),
        WITH_SERVER(tells_that_there_is_no_stream),
        WITH_SERVER(gets_the_last_of_a_subject),
        WITH_SERVER(gets_the_last_of_a_subject_from_the_leader),
        WITH_SERVER(gets_an_empty_message),
        WITH_SERVER(reads_every_status),
        WITH_SERVER(hears_what_a_stream_tells_and_pubacks_of_others),
        WITH_SERVER(answers_go_to_inboxes_only),
        WITH_SERVER(refuses_a_long_name),
    };
    return RUN_GROUP_WITH_SERVER(tests);
}
