/* Following the bucket REVOKED of a real server. */
#include "revoked/revoked.h"

#include "base/clock.h"
#include "bus/bus.h"
#include "wire/names.h"

#include "tests/support/nats_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { SOON_MS = 20000, MOST = 3 };

#define BUCKET(direct)                                                                             \
    "{\"name\":\"KV_REVOKED\",\"subjects\":[\"$KV.REVOKED.>\"],\"max_msgs_per_subject\":1,"        \
    "\"discard\":\"new\",\"storage\":\"file\",\"allow_msg_ttl\":true,\"allow_direct\":" direct "}"

static struct world {
    struct loop *loop;
    struct server server;
    struct bus *bus;
    struct revoked *revoked;
    bool answered;
} it;

static void open_bus(void)
{
    struct error_text why;
    it.bus = bus_open(it.loop, &(struct bus_settings){.urls = it.server.url, .name = "test"}, &why);
    WAIT_FOR(it.loop, SOON_MS, bus_is_connected(it.bus));
}

static int set_up(void **state)
{
    (void)state;
    it = (struct world){.loop = loop_new()};
    server_init(&it.server);
    server_start(&it.server);
    open_bus();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    revoked_free(it.revoked);
    bus_close(it.bus);
    loop_free(it.loop);
    server_done(&it.server);
    return 0;
}

static bool on_answered(struct bus_request *request, enum bus_outcome outcome,
                        const struct bus_message *message)
{
    (void)request;
    (void)message;
    it.answered = outcome == BUS_ANSWER;
    return false;
}

static void call(const char *subject, const void *bytes, size_t size)
{
    struct bus_request request = {.on_answer = on_answered};
    it.answered = false;
    assert_int_equal(bus_request(it.bus, &request, subject, bytes, size, SOON_MS), 0);
    WAIT_FOR(it.loop, SOON_MS, it.answered);
}

static void revoke_until(const char *user, int64_t until_s)
{
    struct buffer bytes = {0};
    const struct wire_revoked revoked = {
        .kind = WIRE_REVOKED_USER, .at_s = 1, .until_s = until_s, .user = text_of(user)};
    assert_int_equal(wire_revoked_write(&bytes, &revoked), 0);
    call(wire_revoked_subject(&revoked).text, bytes.data, bytes.size);
    buffer_free(&bytes);
}

static void revoke(const char *user)
{
    revoke_until(user, clock_wall_ms() / 1000 + 1000);
}

static bool covers(const char *user)
{
    const struct auth_holder holder = {.user = text_of(user)};
    return revoked_covers(it.revoked, &holder);
}

static bool tick(void)
{
    return revoked_tick(it.revoked);
}

static bool is_ready(void)
{
    (void)tick();
    return revoked_why_not_ready(it.revoked) == NULL;
}

static void follow(int64_t again_ms, int64_t origin_ms)
{
    it.revoked = revoked_new(&(struct revoked_settings){
        .bus = it.bus, .most = MOST, .poll_ms = 50, .again_ms = again_ms, .origin_ms = origin_ms});
    assert_non_null(it.revoked);
}

static void all_is_read_before_anybody_is_let_in_and_then_what_is_new(void **state)
{
    (void)state;
    server_create_stream(it.loop, it.bus, "KV_REVOKED", BUCKET("true"));
    revoke("bob");
    call("$KV.REVOKED.damaged", "x", 1); /* does not count, and stops nothing */
    revoke_until("erin", 2);             /* over */
    follow(0, 0);
    assert_non_null(revoked_why_not_ready(it.revoked));
    WAIT_FOR(it.loop, SOON_MS, is_ready());
    assert_true(covers("bob"));
    assert_false(covers("alice"));
    assert_false(covers("erin"));
    assert_false(tick());
    revoke("alice");
    WAIT_FOR(it.loop, SOON_MS, covers("alice"));
    assert_true(tick());
    revoke_until("alice", 2); /* taken back */
    WAIT_FOR(it.loop, SOON_MS, !covers("alice"));
}

static void past_the_bound_nobody_is_let_in(void **state)
{
    (void)state;
    server_create_stream(it.loop, it.bus, "KV_REVOKED", BUCKET("true"));
    for (int i = 0; i < MOST; i++)
        revoke((char[]){(char)('a' + i), '\0'});
    follow(300, 0);
    WAIT_FOR(it.loop, SOON_MS, is_ready());
    assert_true(covers("a") && covers("b") && covers("c"));
    revoke("d");
    WAIT_FOR(it.loop, SOON_MS, !is_ready());
    assert_true(covers("a") && covers("b") && covers("c"));
    revoke_until("a", 2); /* the next reading of all has room again */
    WAIT_FOR(it.loop, SOON_MS, is_ready() && covers("d"));
}

static void what_cannot_be_read_lets_nobody_in(void **state)
{
    (void)state;
    server_create_stream(it.loop, it.bus, "KV_REVOKED", BUCKET("false"));
    revoke("bob");
    follow(0, 100); /* the origin is heard, its copies are not */
    int64_t until_ms = loop_now_ms(it.loop) + 1000;
    while (loop_now_ms(it.loop) < until_ms) {
        assert_false(is_ready());
        loop_turn(it.loop, 10);
    }
    static const char bucket[] = BUCKET("true");
    call("$JS.API.STREAM.UPDATE.KV_REVOKED", bucket, sizeof bucket - 1);
    WAIT_FOR(it.loop, SOON_MS, is_ready());
    assert_true(covers("bob"));
}

/* Positions begin anew there, below what was read. */
static void a_bucket_that_was_made_anew_is_read(void **state)
{
    (void)state;
    server_create_stream(it.loop, it.bus, "KV_REVOKED", BUCKET("true"));
    revoke("alice");
    revoke("bob");
    follow(300, 0);
    WAIT_FOR(it.loop, SOON_MS, is_ready());
    call("$JS.API.STREAM.DELETE.KV_REVOKED", "", 0);
    server_create_stream(it.loop, it.bus, "KV_REVOKED", BUCKET("true"));
    revoke("carol");
    WAIT_FOR(it.loop, SOON_MS, is_ready() && covers("carol"));
    assert_true(covers("alice") && covers("bob")); /* what holds is not forgotten */
}

/* A region that is cut off from the primary lets people in, by what its mirror has. */
static void without_the_origin_the_mirror_counts(void **state)
{
    (void)state;
    server_create_stream(it.loop, it.bus, "KV_REVOKED", BUCKET("true"));
    revoke("bob");
    bus_close(it.bus);
    server_kill(&it.server);
    it.server.users = "authorization { users: [ { user: a, password: a, permissions: { publish: { "
                      "deny: \"$JS.API.STREAM.MSG.GET.>\" } } } ] }";
    server_start(&it.server);
    struct error_text why;
    it.bus = bus_open(
        it.loop,
        &(struct bus_settings){.urls = it.server.url, .name = "test", .user = "a", .password = "a"},
        &why);
    WAIT_FOR(it.loop, SOON_MS, bus_is_connected(it.bus));
    follow(0, 1000);
    int64_t before_ms = loop_now_ms(it.loop);
    WAIT_FOR(it.loop, SOON_MS, is_ready());
    assert_true(loop_now_ms(it.loop) - before_ms >= 1000);
    assert_true(covers("bob"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_is_read_before_anybody_is_let_in_and_then_what_is_new,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(past_the_bound_nobody_is_let_in, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_read_lets_nobody_in, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_bucket_that_was_made_anew_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_the_origin_the_mirror_counts, set_up, tear_down),
    };
    return RUN_GROUP_WITH_SERVER(tests);
}
