/* The bus on a real server. */
#include "bus/bus.h"

#include "tests/support/nats_server.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
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
    int ups;
    int downs;
};

static void on_state(void *context, bool connected)
{
    struct world *world = context;
    if (connected)
        world->ups++;
    else
        world->downs++;
    if (world->bus != NULL) /* what is told is what can be asked */
        assert_int_equal(bus_is_connected(world->bus), connected);
}

static struct bus *open_bus(struct world *world, const char *name)
{
    struct error_text why;
    struct bus *bus = bus_open(
        world->loop,
        &(struct bus_settings){
            .urls = world->server.url, .name = name, .on_state = on_state, .context = world},
        &why);
    assert_non_null(bus);
    return bus;
}

static int set_up_without_bus(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    world->loop = loop_new();
    assert_non_null(world->loop);
    server_init(&world->server);
    *state = world;
    return 0;
}

static int set_up(void **state)
{
    set_up_without_bus(state);
    struct world *world = *state;
    server_start(&world->server);
    world->bus = open_bus(world, "test 1.a");
    assert_false(bus_is_connected(world->bus));
    WAIT_FOR(world->loop, SOON_MS, bus_is_connected(world->bus));
    assert_int_equal(world->ups, 1);
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

/* --- collecting messages --- */

struct inbox {
    int count;
    char last[64];
    char subject[64];
    char reply[128];
    struct bus_subscription *ends; /* ended at the first message */
};

static void on_message(void *context, const struct bus_message *message)
{
    struct inbox *inbox = context;
    inbox->count++;
    snprintf(inbox->last, sizeof inbox->last, "%.*s", (int)message->size,
             (const char *)message->data);
    snprintf(inbox->subject, sizeof inbox->subject, "%.*s", TEXT_ARGS(message->subject));
    snprintf(inbox->reply, sizeof inbox->reply, "%.*s", TEXT_ARGS(message->reply));
    assert_int_equal(bus_header(message, "None").size, 0);
    bus_unsubscribe(inbox->ends);
    inbox->ends = NULL;
}

static int publish(struct bus *bus, const char *subject, const char *text)
{
    return bus_publish(bus, subject, NULL, text, strlen(text));
}

/* --- settings and connecting --- */

static void refuses_bad_settings(void **state)
{
    struct world *world = *state;
    static const struct bus_settings bad[] = {
        {.urls = NULL, .name = "x"},
        {.urls = " , ", .name = "x"},
        {.urls = "nats://127.0.0.1:1", .name = ""},
        {.urls = "nats://127.0.0.1:1", .name = NULL},
        {.urls = "nats://127.0.0.1:1", .name = "x", .user = "u"},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct error_text why = {0};
        assert_null(bus_open(world->loop, &bad[i], &why));
        assert_int_not_equal(strlen(why.text), 0);
    }
}

static void waits_for_a_server_that_comes_late(void **state)
{
    struct world *world = *state;
    world->bus = open_bus(world, "test");
    struct inbox inbox = {0};
    assert_non_null(bus_subscribe(world->bus, "late", on_message, &inbox));
    WAIT_FOR(world->loop, SOON_MS, bus_last_failure(world->bus)[0] != '\0');
    assert_int_equal(publish(world->bus, "late", "lost"), -ENOTCONN);
    assert_string_equal(bus_server_version(world->bus), "");
    assert_int_equal(world->ups, 0);

    server_start(&world->server);
    WAIT_FOR(world->loop, SOON_MS, world->ups == 1);
    assert_int_equal(strncmp(bus_server_version(world->bus), "2.", 2), 0);
    assert_int_equal(publish(world->bus, "late", "kept"), 0);
    WAIT_FOR(world->loop, SOON_MS, inbox.count == 1);
    assert_string_equal(inbox.last, "kept");
    assert_int_equal(world->downs, 0);
}

static void connects_to_the_server_that_is_there(void **state)
{
    struct world *world = *state;
    server_start(&world->server);
    char urls[128];
    snprintf(urls, sizeof urls, "nats://127.0.0.1:1, %s", world->server.url);
    struct error_text why;
    world->bus = bus_open(world->loop, &(struct bus_settings){.urls = urls, .name = "test"}, &why);
    WAIT_FOR(world->loop, SOON_MS, bus_is_connected(world->bus));
}

static void closes_while_it_connects(void **state)
{
    struct world *world = *state;
    world->bus = open_bus(world, "test");
    bus_close(world->bus);
    server_start(&world->server);
    world->bus = open_bus(world, "test");
    bus_close(world->bus); /* most likely attached, and its news still posted */
    world->bus = NULL;
    assert_int_equal(loop_turn(world->loop, 0), 0);
    bus_close(NULL);
}

static void goes_on_trying_when_it_is_refused(void **state)
{
    struct world *world = *state;
    world->server.users = "authorization { user: u, password: p }";
    server_start(&world->server);
    world->bus = open_bus(world, "test");
    WAIT_FOR(world->loop, SOON_MS, strstr(bus_last_failure(world->bus), "uthori") != NULL);
    TURN_FOR(world->loop, 1000);
    server_kill(&world->server);
    world->server.users = NULL;
    server_start(&world->server);
    WAIT_FOR(world->loop, SOON_MS, bus_is_connected(world->bus));
}

static void logs_in(void **state)
{
    struct world *world = *state;
    world->server.users = "authorization { user: u, password: p }";
    server_start(&world->server);
    struct error_text why;
    world->bus =
        bus_open(world->loop,
                 &(struct bus_settings){
                     .urls = world->server.url, .name = "test", .user = "u", .password = "p"},
                 &why);
    WAIT_FOR(world->loop, SOON_MS, bus_is_connected(world->bus));
}

/* --- publishing and subscribing --- */

static void delivers_in_order_with_reply(void **state)
{
    struct world *world = *state;
    struct inbox inbox = {0};
    struct bus_subscription *subscription = bus_subscribe(world->bus, "a.*", on_message, &inbox);
    assert_non_null(subscription);
    assert_int_equal(bus_publish(world->bus, "a.b", "r.1", "one", 3), 0);
    assert_int_equal(bus_publish(world->bus, "a.c", NULL, "two", 3), 0);
    WAIT_FOR(world->loop, SOON_MS, inbox.count >= 1);
    if (inbox.count == 1) { /* both may come in one read */
        assert_string_equal(inbox.last, "one");
        assert_string_equal(inbox.reply, "r.1");
    }
    WAIT_FOR(world->loop, SOON_MS, inbox.count == 2);
    assert_string_equal(inbox.last, "two");
    assert_string_equal(inbox.subject, "a.c");
    assert_string_equal(inbox.reply, "");
    bus_unsubscribe(subscription);
    bus_unsubscribe(NULL);
    assert_int_equal(publish(world->bus, "a.b", "none"), 0);
    TURN_FOR(world->loop, 100);
    assert_int_equal(inbox.count, 2);
}

static void ends_subscriptions_from_inside_a_callback(void **state)
{
    struct world *world = *state;
    struct inbox first = {0}, second = {0}, third = {0};
    first.ends = bus_subscribe(world->bus, "x", on_message, &first);
    /* Whichever of these comes first ends the other. */
    struct bus_subscription *b = bus_subscribe(world->bus, "x", on_message, &second);
    second.ends = bus_subscribe(world->bus, "x", on_message, &third);
    third.ends = b;
    for (int i = 0; i < 10; i++)
        assert_int_equal(publish(world->bus, "x", "m"), 0);
    WAIT_FOR(world->loop, SOON_MS, second.count + third.count == 10);
    TURN_FOR(world->loop, 50);
    assert_int_equal(first.count, 1);
    assert_int_equal(second.count + third.count, 10);
}

static void refuses_bad_subjects(void **state)
{
    struct world *world = *state;
    static const char *const never[] = {"",         ".",   "a.",   ".a", "a..b", "a b",
                                        "a\r\nPUB", "a\t", "a.>b", "a*", ">.a",  "a.>.b"};
    for (size_t i = 0; i < COUNT_OF(never); i++) {
        assert_int_equal(publish(world->bus, never[i], "x"), -EINVAL);
        assert_null(bus_subscribe(world->bus, never[i], on_message, NULL));
    }
    assert_int_equal(publish(world->bus, "a.*", "x"), -EINVAL);
    assert_int_equal(bus_publish(world->bus, "a", "b c", "x", 1), -EINVAL);
    assert_true(bus_is_connected(world->bus));
}

static void refuses_what_is_too_large(void **state)
{
    struct world *world = *state;
    size_t max = 1024 * 1024; /* the server's default */
    char *bytes = calloc(1, max + 1);
    assert_non_null(bytes);
    assert_int_equal(bus_publish(world->bus, "a", NULL, bytes, max + 1), -EMSGSIZE);
    assert_int_equal(bus_publish(world->bus, "a", NULL, bytes, max), 0);
    free(bytes);
    TURN_FOR(world->loop, 100);
    assert_true(bus_is_connected(world->bus));
}

static void bounds_what_the_socket_does_not_take(void **state)
{
    struct world *world = *state;
    size_t size = 1024 * 1024;
    char *bytes = calloc(1, size);
    assert_non_null(bytes);
    int taken = 0, error;
    while ((error = bus_publish(world->bus, "a", NULL, bytes, size)) == 0)
        assert_true(++taken < 100);
    assert_int_equal(error, -ENOBUFS);
    assert_int_equal(taken, 7); /* 8 MiB less the protocol's own bytes */
    /* Nothing leaves within a turn; afterwards there is room again. */
    WAIT_FOR(world->loop, SOON_MS,
             (error = bus_publish(world->bus, "a", NULL, bytes, size)) != -ENOBUFS);
    assert_int_equal(error, 0);
    free(bytes);
}

/* --- losing the server --- */

static void lives_through_a_killed_server(void **state)
{
    struct world *world = *state;
    struct inbox inbox = {0};
    assert_non_null(bus_subscribe(world->bus, "a", on_message, &inbox));
    for (int round = 1; round <= 3; round++) {
        assert_int_equal(publish(world->bus, "a", "before"), 0);
        WAIT_FOR(world->loop, SOON_MS, inbox.count == 2 * round - 1);
        server_kill(&world->server);
        WAIT_FOR(world->loop, SOON_MS, !bus_is_connected(world->bus));
        assert_int_equal(world->downs, round);
        assert_int_not_equal(strlen(bus_last_failure(world->bus)), 0);
        assert_int_equal(publish(world->bus, "a", "kept back"), -ENOTCONN);
        server_start(&world->server);
        WAIT_FOR(world->loop, SOON_MS, bus_is_connected(world->bus));
        assert_int_equal(world->ups, round + 1);
        assert_int_equal(publish(world->bus, "a", "after"), 0);
        WAIT_FOR(world->loop, SOON_MS, inbox.count == 2 * round);
        assert_string_equal(inbox.last, "after"); /* "kept back" never came */
    }
}

static void closes_when_its_server_is_gone(void **state)
{
    struct world *world = *state;
    assert_int_equal(publish(world->bus, "a", "x"), 0);
    server_kill(&world->server);
    bus_close(world->bus);
    world->bus = NULL;
}

static void notices_a_server_that_stands_still(void **state)
{
    struct world *world = *state;
    struct inbox inbox = {0};
    assert_non_null(bus_subscribe(world->bus, "a", on_message, &inbox));
    kill(world->server.pid, SIGSTOP);
    TURN_FOR(world->loop, 6200);
    assert_false(bus_is_connected(world->bus));
    assert_int_equal(publish(world->bus, "a", "x"), -ENOTCONN);
    kill(world->server.pid, SIGCONT);
    WAIT_FOR(world->loop, SOON_MS, bus_is_connected(world->bus));
    assert_int_equal(publish(world->bus, "a", "y"), 0);
    WAIT_FOR(world->loop, SOON_MS, inbox.count == 1);
    assert_string_equal(inbox.last, "y");
}

static void closes_while_its_server_stands_still(void **state)
{
    struct world *world = *state;
    kill(world->server.pid, SIGSTOP);
    assert_int_equal(publish(world->bus, "a", "x"), 0);
    bus_close(world->bus);
    world->bus = NULL;
    kill(world->server.pid, SIGCONT);
}

/* --- requests --- */

struct asker {
    struct bus_request request;
    struct bus *bus;
    int answers;
    int timeouts;
    int no_responders;
    int wanted; /* answers until it ends */
    int again;  /* how often it asks anew from inside on_answer */
    bool cancels;
    char last[32];
};

static bool on_answer(struct bus_request *request, enum bus_outcome outcome,
                      const struct bus_message *message)
{
    struct asker *asker = container_of(request, struct asker, request);
    if (outcome != BUS_ANSWER) {
        assert_null(message);
        assert_null(request->bus);
        *(outcome == BUS_TIMEOUT ? &asker->timeouts : &asker->no_responders) += 1;
        return false;
    }
    snprintf(asker->last, sizeof asker->last, "%.*s", (int)message->size,
             (const char *)message->data);
    asker->answers++;
    if (asker->cancels)
        bus_request_cancel(request);
    if (asker->again-- > 0)
        assert_int_equal(bus_request(asker->bus, request, "echo", "again", 5, SOON_MS), 0);
    return asker->answers < asker->wanted;
}

static void on_echo(void *context, const struct bus_message *message)
{
    struct bus *bus = context;
    char reply[128];
    assert_int_equal(text_put(reply, sizeof reply, message->reply), 0);
    assert_int_equal(bus_publish(bus, reply, NULL, message->data, message->size), 0);
}

static void answers_requests(void **state)
{
    struct world *world = *state;
    assert_non_null(bus_subscribe(world->bus, "echo", on_echo, world->bus));
    struct asker asker = {.request.on_answer = on_answer, .bus = world->bus, .wanted = 1};
    assert_int_equal(bus_request(world->bus, &asker.request, "echo", "hello", 5, SOON_MS), 0);
    assert_int_equal(bus_request(world->bus, &asker.request, "echo", "hello", 5, SOON_MS), -EBUSY);
    WAIT_FOR(world->loop, SOON_MS, asker.answers == 1);
    assert_string_equal(asker.last, "hello");
    assert_null(asker.request.bus);
    /* No timer is left when nothing is on its way; the library's pings need none of ours. */
    assert_int_equal(loop_turn(world->loop, 20), 0);
    assert_int_equal(loop_wait_ms(world->loop), -1);
}

static void tells_a_timeout(void **state)
{
    struct world *world = *state;
    struct inbox inbox = {0};
    assert_non_null(bus_subscribe(world->bus, "silent", on_message, &inbox));
    struct asker asker = {.request.on_answer = on_answer, .wanted = 1};
    int64_t before_ms = loop_now_ms(world->loop);
    assert_int_equal(bus_request(world->bus, &asker.request, "silent", "x", 1, 300), 0);
    WAIT_FOR(world->loop, SOON_MS, asker.timeouts == 1);
    assert_in_range(loop_now_ms(world->loop) - before_ms, 299, 2000);

    /* What comes now is late, and must not be taken for the answer to the next one. */
    assert_int_equal(publish(world->bus, inbox.reply, "late"), 0);
    assert_int_equal(bus_request(world->bus, &asker.request, "silent", "x", 1, 300), 0);
    WAIT_FOR(world->loop, SOON_MS, asker.timeouts == 2);
    assert_int_equal(asker.answers, 0);
}

/* Deadlines past one turn of the wheel (2.56 s) still come in time. */
static void keeps_long_and_short_deadlines(void **state)
{
    struct world *world = *state;
    struct inbox inbox = {0};
    assert_non_null(bus_subscribe(world->bus, "silent", on_message, &inbox));
    static const int64_t timeouts_ms[] = {3000, 10, 2560, 0, 700};
    struct asker askers[COUNT_OF(timeouts_ms)];
    int64_t start_ms = loop_now_ms(world->loop);
    for (size_t i = 0; i < COUNT_OF(askers); i++) {
        askers[i] = (struct asker){.request.on_answer = on_answer, .wanted = 1};
        assert_int_equal(
            bus_request(world->bus, &askers[i].request, "silent", "x", 1, timeouts_ms[i]), 0);
    }
    while (loop_now_ms(world->loop) < start_ms + 3300) {
        assert_int_equal(loop_turn(world->loop, 10), 0);
        int64_t after_ms = loop_now_ms(world->loop) - start_ms;
        for (size_t i = 0; i < COUNT_OF(askers); i++) {
            if (after_ms < timeouts_ms[i])
                assert_int_equal(askers[i].timeouts, 0);
            if (after_ms > timeouts_ms[i] + 250) /* 20 on a quiet machine */
                assert_int_equal(askers[i].timeouts, 1);
        }
    }
}

static void tells_that_nobody_is_there(void **state)
{
    struct world *world = *state;
    enum { COUNT = 32 };
    static struct asker askers[COUNT + 1];
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i <= COUNT; i++) {
            askers[i] = (struct asker){.request.on_answer = on_answer, .wanted = 1};
            assert_int_equal(bus_request(world->bus, &askers[i].request, "nobody", "x", 1, 1000),
                             0);
        }
        for (size_t i = 0; i < COUNT; i++)
            WAIT_FOR(world->loop, SOON_MS, askers[i].no_responders == 1);
        /* One past the inboxes: whose word it is cannot be known. */
        assert_int_equal(askers[COUNT].no_responders, 0);
        WAIT_FOR(world->loop, SOON_MS, askers[COUNT].timeouts == 1);
    }
}

/* The others' word must not be laid to one that is answered. */
static void tells_apart_who_is_there(void **state)
{
    struct world *world = *state;
    assert_non_null(bus_subscribe(world->bus, "echo", on_echo, world->bus));
    enum { COUNT = 1000 };
    static struct asker askers[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        askers[i] = (struct asker){.request.on_answer = on_answer, .wanted = 1};
        const char *subject = i % 2 == 0 ? "echo" : "nobody";
        assert_int_equal(bus_request(world->bus, &askers[i].request, subject, "x", 1, 1000), 0);
    }
    for (size_t i = 0; i < COUNT; i++) {
        struct asker *asker = &askers[i];
        WAIT_FOR(world->loop, SOON_MS,
                 asker->answers + asker->timeouts + asker->no_responders == 1);
        assert_int_equal(asker->answers, i % 2 == 0 ? 1 : 0);
        assert_int_equal(asker->no_responders, i % 2 == 1 && i < 32 ? 1 : 0);
    }
}

static void on_answer_five_times(void *context, const struct bus_message *message)
{
    for (int i = 0; i < 5; i++)
        on_echo(context, message);
}

static void takes_several_answers(void **state)
{
    struct world *world = *state;
    assert_non_null(bus_subscribe(world->bus, "five", on_answer_five_times, world->bus));
    struct asker three = {.request.on_answer = on_answer, .wanted = 3};
    struct asker all = {.request.on_answer = on_answer, .wanted = 100};
    assert_int_equal(bus_request(world->bus, &three.request, "five", "x", 1, 500), 0);
    assert_int_equal(bus_request(world->bus, &all.request, "five", "x", 1, 500), 0);
    WAIT_FOR(world->loop, SOON_MS, all.timeouts == 1);
    assert_int_equal(three.answers, 3); /* the others were dropped */
    assert_int_equal(three.timeouts, 0);
    assert_int_equal(all.answers, 5);
}

static void asks_again_from_inside(void **state)
{
    struct world *world = *state;
    assert_non_null(bus_subscribe(world->bus, "echo", on_echo, world->bus));
    struct asker asker = {
        .request.on_answer = on_answer, .bus = world->bus, .wanted = 4, .again = 3};
    assert_int_equal(bus_request(world->bus, &asker.request, "echo", "x", 1, SOON_MS), 0);
    WAIT_FOR(world->loop, SOON_MS, asker.answers == 4);
    assert_null(asker.request.bus);
    asker = (struct asker){.request.on_answer = on_answer,
                           .bus = world->bus,
                           .wanted = 4,
                           .again = 3,
                           .cancels = true};
    assert_int_equal(bus_request(world->bus, &asker.request, "echo", "x", 1, SOON_MS), 0);
    WAIT_FOR(world->loop, SOON_MS, asker.answers == 4);
    assert_null(asker.request.bus);
}

static bool on_answer_free(struct bus_request *request, enum bus_outcome outcome,
                           const struct bus_message *message)
{
    (void)outcome;
    (void)message;
    struct asker *asker = container_of(request, struct asker, request);
    bool *ret_freed = (bool *)asker->bus; /* borrowed for this test */
    *ret_freed = true;
    bus_request_cancel(request);
    free(asker);
    return true;
}

static void may_be_freed_from_inside(void **state)
{
    struct world *world = *state;
    assert_non_null(bus_subscribe(world->bus, "echo", on_echo, world->bus));
    struct asker *asker = calloc(1, sizeof *asker);
    assert_non_null(asker);
    bool freed = false;
    asker->request.on_answer = on_answer_free;
    asker->bus = (struct bus *)&freed;
    assert_int_equal(bus_request(world->bus, &asker->request, "echo", "x", 1, SOON_MS), 0);
    WAIT_FOR(world->loop, SOON_MS, freed);
}

static void forgets_what_is_cancelled(void **state)
{
    struct world *world = *state;
    assert_non_null(bus_subscribe(world->bus, "echo", on_echo, world->bus));
    struct asker asker = {.request.on_answer = on_answer, .wanted = 1};
    assert_int_equal(bus_request(world->bus, &asker.request, "echo", "x", 1, 100), 0);
    bus_request_cancel(&asker.request);
    bus_request_cancel(&asker.request);
    TURN_FOR(world->loop, 200);
    assert_int_equal(asker.answers + asker.timeouts, 0);
    /* One that is never sent is not on its way. */
    assert_int_equal(bus_request(world->bus, &asker.request, "bad subject", "x", 1, 100), -EINVAL);
    assert_null(asker.request.bus);
}

static void ends_requests_by_their_timeout_when_the_server_is_lost(void **state)
{
    struct world *world = *state;
    struct inbox inbox = {0};
    assert_non_null(bus_subscribe(world->bus, "silent", on_message, &inbox));
    struct asker asker = {.request.on_answer = on_answer, .wanted = 1};
    struct asker patient = {.request.on_answer = on_answer, .wanted = 1};
    assert_int_equal(bus_request(world->bus, &asker.request, "silent", "x", 1, 1000), 0);
    assert_int_equal(bus_request(world->bus, &patient.request, "silent", "x", 1, SOON_MS), 0);
    WAIT_FOR(world->loop, SOON_MS, inbox.count == 2);
    server_kill(&world->server);
    WAIT_FOR(world->loop, SOON_MS, asker.timeouts == 1);
    assert_int_equal(bus_request(world->bus, &asker.request, "silent", "x", 1, 500), -ENOTCONN);
    server_start(&world->server);
    WAIT_FOR(world->loop, SOON_MS, bus_is_connected(world->bus));
    /* Answered through the next connection. */
    assert_int_equal(publish(world->bus, inbox.reply, "at last"), 0);
    WAIT_FOR(world->loop, SOON_MS, patient.answers == 1);
    assert_string_equal(patient.last, "at last");
}

static void cancels_requests_when_it_is_closed(void **state)
{
    struct world *world = *state;
    static struct asker askers[200];
    for (size_t i = 0; i < COUNT_OF(askers); i++) {
        askers[i] = (struct asker){.request.on_answer = on_answer, .wanted = 1};
        assert_int_equal(bus_request(world->bus, &askers[i].request, "nobody", "x", 1, 100), 0);
    }
    bus_close(world->bus);
    world->bus = NULL;
    TURN_FOR(world->loop, 200);
    for (size_t i = 0; i < COUNT_OF(askers); i++)
        assert_int_equal(askers[i].answers + askers[i].timeouts + askers[i].no_responders, 0);
}

/* --- threads, each with a loop and a bus of its own --- */

struct other {
    struct loop *loop;
    const char *url;
    struct loop_message stop;
    pthread_t thread;
};

static void on_stop(struct loop_message *message)
{
    loop_stop(container_of(message, struct other, stop)->loop);
}

static void *run_other(void *argument)
{
    struct other *other = argument;
    struct bus *bus =
        bus_open(other->loop, &(struct bus_settings){.urls = other->url, .name = "other"}, NULL);
    if (bus == NULL || bus_subscribe(bus, "echo", on_echo, bus) == NULL)
        abort();
    loop_run(other->loop);
    bus_close(bus);
    return NULL;
}

static void serves_a_loop_in_each_thread(void **state)
{
    struct world *world = *state;
    struct other other = {.loop = loop_new(), .url = world->server.url, .stop.on_message = on_stop};
    assert_non_null(other.loop);
    assert_int_equal(pthread_create(&other.thread, NULL, run_other, &other), 0);
    struct asker asker = {.request.on_answer = on_answer, .bus = world->bus, .wanted = 1};
    for (int answers = 0; answers < 1000; answers += asker.answers) {
        asker.answers = 0;
        assert_int_equal(bus_request(world->bus, &asker.request, "echo", "x", 1, 1000), 0);
        WAIT_FOR(world->loop, SOON_MS, asker.request.bus == NULL);
    }
    loop_post(other.loop, &other.stop);
    pthread_join(other.thread, NULL);
    loop_free(other.loop);
}

#define WITH_SERVER(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define WITHOUT_BUS(name) cmocka_unit_test_setup_teardown(name, set_up_without_bus, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITHOUT_BUS(refuses_bad_settings),
        WITHOUT_BUS(waits_for_a_server_that_comes_late),
        WITHOUT_BUS(connects_to_the_server_that_is_there),
        WITHOUT_BUS(closes_while_it_connects),
        WITHOUT_BUS(goes_on_trying_when_it_is_refused),
        WITHOUT_BUS(logs_in),
        WITH_SERVER(delivers_in_order_with_reply),
        WITH_SERVER(ends_subscriptions_from_inside_a_callback),
        WITH_SERVER(refuses_bad_subjects),
        WITH_SERVER(refuses_what_is_too_large),
        WITH_SERVER(bounds_what_the_socket_does_not_take),
        WITH_SERVER(lives_through_a_killed_server),
        WITH_SERVER(closes_when_its_server_is_gone),
        WITH_SERVER(notices_a_server_that_stands_still),
        WITH_SERVER(closes_while_its_server_stands_still),
        WITH_SERVER(answers_requests),
        WITH_SERVER(tells_a_timeout),
        WITH_SERVER(keeps_long_and_short_deadlines),
        WITH_SERVER(tells_that_nobody_is_there),
        WITH_SERVER(tells_apart_who_is_there),
        WITH_SERVER(takes_several_answers),
        WITH_SERVER(asks_again_from_inside),
        WITH_SERVER(may_be_freed_from_inside),
        WITH_SERVER(forgets_what_is_cancelled),
        WITH_SERVER(ends_requests_by_their_timeout_when_the_server_is_lost),
        WITH_SERVER(cancels_requests_when_it_is_closed),
        WITH_SERVER(serves_a_loop_in_each_thread),
    };
    return RUN_GROUP_WITH_SERVER(tests);
}
