/* Sessions on socket pairs, with a bus that never connects: what is said before an owner answers,
 * and the bounds on what one client makes others keep for it. */
#include "edge/edge_session.h"

#include "edge/edge_wheel.h"
#include "session_lab.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static const char hello[] = "{\"t\":\"hello\",\"user\":\"alice\",\"device\":\"phone\"}";

static void the_first_frame_is_a_hello(void **state)
{
    (void)state;
    static const char *const firsts[] = {"{\"t\":\"send\",\"id\":\"a\",\"to\":\"b\",\"body\":1}",
                                         "{}", "[]", "nothing", ""};
    lab_build();
    for (size_t i = 0; i < COUNT_OF(firsts); i++) {
        connect_as(&(struct edge_upgrade){.v1 = true});
        say(firsts[i]);
        expect("no_hello");
        expect("close 1008");
        expect("");
    }
}

static void a_bad_hello_says_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *hello, *answer;
    } rows[] = {
        {"{\"t\":\"hello\"}", "user is no user id"},
        {"{\"t\":\"hello\",\"user\":5,\"device\":\"d\"}", "user is no user id"},
        {"{\"t\":\"hello\",\"user\":\"a\\u0007\",\"device\":\"d\"}", "user is no user id"},
        {"{\"t\":\"hello\",\"user\":\"$meridian\",\"device\":\"d\"}", "user is no user id"},
        {"{\"t\":\"hello\",\"user\":\"a\"}", "device is no device id"},
        {"{\"t\":\"hello\",\"user\":\"a\",\"device\":\"d d\"}", "device is no device id"},
        {"{\"t\":\"hello\",\"user\":\"a\",\"device\":\"d\",\"cursor\":\"7\"}", "cursor is not"},
        {"{\"t\":\"hello\",\"user\":\"a\",\"device\":\"d\",\"cursor\":7}", "cursor is not"},
        {"{\"t\":\"hello\",\"user\":\"a\",\"device\":\"d\",\"start\":\"x\"}", "start is neither"},
    };
    lab_build();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        connect_as(&(struct edge_upgrade){.v1 = true});
        say(rows[i].hello);
        expect(rows[i].answer);
        expect("close 1008");
    }
}

static void the_path_says_who_the_hello_must_be(void **state)
{
    (void)state;
    lab_build();
    struct edge_upgrade upgrade = {.v1 = true, .user = TEXT("bob")};
    connect_as(&upgrade);
    say(hello);
    expect("another one than in the path");
    expect("close 1008");
    connect_as(&upgrade);
    say("{\"t\":\"hello\",\"device\":\"d\"}");
    expect("");
    assert_int_equal(homes_waiting(it.directory), 1);
}

static void a_second_hello_ends_the_session(void **state)
{
    (void)state;
    connect_v1();
    say(hello);
    expect("");
    say(hello);
    expect("a second hello");
    expect("close 1008");
}

static void what_is_not_understood_is_answered_and_the_session_goes_on(void **state)
{
    (void)state;
    static const struct {
        const char *frame, *answer;
    } rows[] = {
        {"{\"t\":\"dance\"}", "unknown_kind"},
        {"{\"t\":1}", "unknown_kind"},
        {"{}", "unknown_kind"},
        {"{", "bad_request"},
        {"{\"t\":\"ack\",\"t\":\"ack\"}", "bad_request"},
        {"{\"t\":\"ack\"}", "ack needs a cursor"},
        {"{\"t\":\"ack\",\"cursor\":\"1:1\"}", "bad_cursor"}, /* nothing is delivered yet */
        {"{\"t\":\"receipt\"}", "of the kind"},
        {"{\"t\":\"receipt\",\"kind\":\"stored\",\"from\":\"b\",\"cursor\":\"1:1\"}",
         "of the kind"},
        {"{\"t\":\"receipt\",\"kind\":\"read\",\"cursor\":\"1:1\"}", "needs a user id"},
        {"{\"t\":\"receipt\",\"kind\":\"read\",\"from\":7,\"cursor\":\"1:1\"}", "needs a user id"},
        {"{\"t\":\"receipt\",\"kind\":\"read\",\"from\":\"\",\"cursor\":\"1:1\"}",
         "needs a user id"},
        {"{\"t\":\"receipt\",\"kind\":\"read\",\"from\":\"$meridian\",\"cursor\":\"1:1\"}",
         "needs a user id"},
        {"{\"t\":\"receipt\",\"kind\":\"read\",\"from\":\"b\"}", "needs a cursor"},
        {"{\"t\":\"receipt\",\"kind\":\"read\",\"from\":\"b\",\"cursor\":\"1\"}", "needs a cursor"},
        {"{\"t\":\"receipt\",\"kind\":\"read\",\"from\":\"b\",\"cursor\":\"1:1\"}", "bad_cursor"},
        {"{\"t\":\"history\"}", "history needs an id"},
        {"{\"t\":\"history\",\"id\":\"h\"}", "home_unreachable"},
        {"{\"t\":\"send\",\"id\":\"a\",\"to\":\"$meridian\",\"body\":1}",
         "recipient is no user id"},
        {"{\"t\":\"send\",\"to\":\"b\",\"body\":1}", "send needs an id"},
        {"{\"t\":\"send\",\"id\":\"a b\",\"to\":\"b\",\"body\":1}", "send needs an id"},
        {"{\"t\":\"send\",\"id\":\"a\",\"to\":\"b\"}", "body is missing"},
        {"{\"t\":\"send\",\"id\":\"a\",\"body\":1}", "recipient is no user id"},
        {"{\"t\":\"send\",\"id\":\"a\",\"to\":\"\",\"body\":1}", "recipient is no user id"},
        {"{\"t\":\"send\",\"id\":\"a\",\"to\":[],\"body\":1}", "empty list"},
        {"{\"t\":\"send\",\"id\":\"a\",\"to\":\"b\",\"body\":1,\"class\":\"x\"}", "class is"},
        {"{\"t\":\"send\",\"id\":\"a\",\"to\":\"b\",\"body\":1,\"ttl\":0}", "ttl is"},
        {"{\"t\":\"send\",\"id\":\"a\",\"to\":\"b\",\"body\":1,\"ttl\":99999999}", "ttl is"},
        {"{\"t\":\"send\",\"id\":\"a\",\"to\":\"b\",\"body\":1,\"want\":[\"x\"]}", "want is"},
    };
    connect_v1();
    say(hello);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        say(rows[i].frame);
        expect(rows[i].answer);
        expect("");
    }
}

static void a_body_is_taken_up_to_its_bound(void **state)
{
    (void)state;
    char frame[256];
    char body[128];
    it.settings.body_max = 100;
    connect_v1();
    say(hello);
    memset(body, '1', sizeof body);
    for (int size = 100; size <= 101; size++) {
        snprintf(frame, sizeof frame, "{\"t\":\"send\",\"id\":\"a\",\"to\":\"b\",\"body\":%.*s}",
                 size, body);
        say(frame);
        expect(size == 100 ? "" : "too_large");
    }
}

static void a_message_is_taken_up_to_its_bound(void **state)
{
    (void)state;
    it.settings.message_max = 1024;
    char frame[1100];
    lab_build();
    for (int size = 1024; size <= 1025; size++) {
        connect_as(&(struct edge_upgrade){.v1 = true});
        snprintf(frame, sizeof frame, "%-*s", size, hello);
        say(frame);
        expect(size == 1024 ? "" : "close 1009");
    }
}

static void a_list_is_taken_up_to_its_bound(void **state)
{
    (void)state;
    it.settings.recipients_max = 3;
    connect_v1();
    say(hello);
    say("{\"t\":\"send\",\"id\":\"a\",\"to\":[\"b\",\"c\",\"d\"],\"body\":1}");
    expect("");
    say("{\"t\":\"send\",\"id\":\"a\",\"to\":[\"b\",\"c\",\"d\",\"e\"],\"body\":1}");
    expect("more recipients than allowed");
}

/* Each send waits for the directory, which never answers here. */
static void send_n(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char frame[128];
        snprintf(frame, sizeof frame, "{\"t\":\"send\",\"id\":\"m%zu\",\"to\":\"b\",\"body\":1}",
                 i);
        say(frame);
    }
}

static void what_waits_for_the_directory_has_a_bound(void **state)
{
    (void)state;
    it.settings.directory_waiting_max = 3;
    connect_v1();
    say(hello); /* it waits itself */
    send_n(2);
    expect("");
    send_n(1);
    expect("\"code\":\"busy\",\"retryable\":true");
    assert_int_equal(homes_waiting(it.directory), 3);
}

static void the_bytes_that_wait_for_the_directory_have_a_bound(void **state)
{
    (void)state;
    it.settings.directory_waiting_bytes = 1000;
    connect_v1();
    say(hello);
    char frame[1200];
    char body[900];
    memset(body, '1', sizeof body);
    snprintf(frame, sizeof frame, "{\"t\":\"send\",\"id\":\"a\",\"to\":\"b\",\"body\":%.*s}", 600,
             body);
    say(frame);
    expect("");
    say(frame);
    expect("busy");
    send_n(1); /* a small one still fits */
    expect("");
}

static void who_has_too_many_sends_open_is_not_read(void **state)
{
    (void)state;
    it.settings.sends_max = 4;
    connect_v1();
    say(hello);
    send_n(3);
    say("{}");
    expect("unknown_kind");
    send_n(1);
    say("{}"); /* stays in the socket */
    expect("");
}

static void a_session_that_ends_leaves_its_sends_alone(void **state)
{
    (void)state;
    connect_v1();
    say(hello);
    send_n(3);
    assert_int_equal(homes_waiting(it.directory), 4);
    shutdown(it.peer, SHUT_WR);
    lab_turn();
    assert_int_equal(edge_sessions_count(it.sessions), 0);
    assert_int_equal(homes_waiting(it.directory), 3);
}

static void without_a_hello_it_ends_in_time(void **state)
{
    (void)state;
    connect_v1();
    int64_t later_ms = loop_now_ms(it.loop) + 2 * EDGE_WHEEL_TICK_MS;
    edge_sessions_tick(it.sessions, later_ms);
    lab_turn();
    expect("");
    it.settings.hello_timeout_ms = 0;
    connect_as(&(struct edge_upgrade){.v1 = true});
    edge_sessions_tick(it.sessions, later_ms + 2 * EDGE_WHEEL_TICK_MS);
    lab_turn();
    expect("no_hello");
    expect("close 1008");
}

static void bye_is_answered_by_1000(void **state)
{
    (void)state;
    connect_v1();
    say(hello);
    say("{\"t\":\"bye\"}");
    expect("close 1000");
    uint8_t byte;
    assert_int_equal(recv(it.peer, &byte, 1, 0), 0); /* our side is over */
    assert_int_equal(edge_sessions_count(it.sessions), 1);
    shutdown(it.peer, SHUT_WR);
    lab_turn();
    assert_int_equal(edge_sessions_count(it.sessions), 0);
}

static void goodbye_names_the_reason(void **state)
{
    (void)state;
    connect_v1();
    say(hello);
    assert_true(edge_sessions_drain(it.sessions, true, "test", 1000));
    lab_turn();
    expect("{\"t\":\"goaway\",\"reason\":\"drain\",\"reconnect_ms\":500");
    assert_true(edge_sessions_drain(it.sessions, true, "test", 1000));
    lab_turn();
    expect("close 1001");
    assert_false(edge_sessions_drain(it.sessions, true, "test", 1000));
}

static void clients_are_sent_away_at_the_rate(void **state)
{
    (void)state;
    it.settings.drain_per_s = 1;
    connect_v1();
    int first = it.peer;
    it.peer = 0; /* it stays */
    connect_as(&(struct edge_upgrade){.v1 = true});
    assert_true(edge_sessions_drain(it.sessions, true, "test", 1000));
    assert_true(edge_sessions_drain(it.sessions, true, "test", 1999));
    lab_turn();
    expect("");
    int second = it.peer;
    it.peer = first;
    expect("{\"t\":\"goaway\"");
    close(first);
    it.peer = second;
    assert_true(edge_sessions_drain(it.sessions, true, "test", 2000));
    lab_turn();
    expect("{\"t\":\"goaway\"");
}

static void who_was_told_to_leave_is_closed_though_nobody_else_is_to(void **state)
{
    (void)state;
    it.settings.drain_per_s = 1;
    connect_v1();
    int first = it.peer;
    it.peer = 0; /* it stays */
    connect_as(&(struct edge_upgrade){.v1 = true});
    int second = it.peer;
    assert_true(edge_sessions_drain(it.sessions, true, "test", 1000));
    assert_true(edge_sessions_drain(it.sessions, false, "test", 9000)); /* in use again */
    lab_turn();
    expect("");
    it.peer = first;
    expect("{\"t\":\"goaway\"");
    expect("close 1001");
    close(first);
    it.peer = second;
    assert_false(edge_sessions_drain(it.sessions, false, "test", 9100));
    lab_turn();
    expect("");
}

static void a_plain_client_is_told_what_is_refused(void **state)
{
    (void)state;
    it.settings.body_max = 100;
    lab_build();
    connect_as(&(struct edge_upgrade){.user = TEXT("alice")});
    say("{\"recipient_id\":\"b\"}");
    expect("");
    say("{\"recipient\":\"b\"}");
    expect("{\"code\":\"bad_request\"");
    say("{\"recipient_id\":\"b\",\"x\":\"1234567890123456789012345678901234567890123456789012345"
        "678901234567890123456789012345678901234567890\"}");
    expect("{\"code\":\"too_large\"");
}

int main(void)
{
#define ROW(name) cmocka_unit_test_setup_teardown(name, lab_begin, lab_end)
    const struct CMUnitTest tests[] = {
        ROW(the_first_frame_is_a_hello),
        ROW(a_bad_hello_says_what_is_wrong),
        ROW(the_path_says_who_the_hello_must_be),
        ROW(a_second_hello_ends_the_session),
        ROW(what_is_not_understood_is_answered_and_the_session_goes_on),
        ROW(a_body_is_taken_up_to_its_bound),
        ROW(a_message_is_taken_up_to_its_bound),
        ROW(a_list_is_taken_up_to_its_bound),
        ROW(what_waits_for_the_directory_has_a_bound),
        ROW(the_bytes_that_wait_for_the_directory_have_a_bound),
        ROW(who_has_too_many_sends_open_is_not_read),
        ROW(a_session_that_ends_leaves_its_sends_alone),
        ROW(without_a_hello_it_ends_in_time),
        ROW(bye_is_answered_by_1000),
        ROW(goodbye_names_the_reason),
        ROW(clients_are_sent_away_at_the_rate),
        ROW(who_was_told_to_leave_is_closed_though_nobody_else_is_to),
        ROW(a_plain_client_is_told_what_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
