/* What one client may ask of an edge, as its session has it: see limits_test.c for the counting. */
#include "session_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static const char hello[] = "{\"t\":\"hello\",\"user\":\"alice\",\"device\":\"phone\"}";

/* The directory never answers, so that what is sent has no outcome but a refusal. */
static void send_as(const char *id)
{
    char text[96];
    snprintf(text, sizeof text, "{\"t\":\"send\",\"id\":\"%s\",\"to\":\"bob\",\"body\":1}", id);
    say(text);
}

static void who_is_too_fast_is_told_once_and_each_send_is_rejected(void **state)
{
    (void)state;
    it.settings.sends_per_s = 1;
    it.settings.sends_burst = 2;
    connect_v1();
    say(hello);
    send_as("a");
    send_as("b");
    expect("");
    send_as("c");
    expect("{\"t\":\"throttle\",\"retry_after_ms\":");
    expect("\"id\":\"c\",\"code\":\"rate_limited\",\"retryable\":true,\"retry_after_ms\":");
    send_as("d");
    expect("\"id\":\"d\",\"code\":\"rate_limited\"");
    expect("");
    assert_int_equal(homes_waiting(it.directory), 2 + 1); /* for bob, and for alice herself */
}

static void who_goes_on_is_closed_with_1008(void **state)
{
    (void)state;
    it.settings.sends_per_s = 1;
    it.settings.sends_burst = 1;
    it.settings.flood_ms = 0; /* at the second one */
    connect_v1();
    say(hello);
    send_as("a");
    send_as("b");
    expect("throttle");
    expect("rate_limited");
    expect("");
    send_as("c");
    expect("rate_limited");
    expect("close 1008");
}

static void another_connection_of_the_user_has_the_same_share(void **state)
{
    (void)state;
    it.settings.user_sends_per_s = 1;
    it.settings.user_sends_burst = 1;
    connect_v1();
    say(hello);
    send_as("a");
    expect("");
    int first = it.peer;
    it.peer = 0;
    connect_as(&(struct edge_upgrade){.v1 = true});
    say(hello);
    send_as("b");
    expect("throttle");
    expect("rate_limited");
    close(first);
}

static void pings(const char *letters)
{
    uint8_t frames[256];
    size_t size = 0;
    for (const char *letter = letters; *letter != '\0'; letter++) {
        static const uint8_t head[6] = {0x89, 0x81}; /* a mask of zeros */
        memcpy(frames + size, head, sizeof head);
        frames[size + sizeof head] = (uint8_t)*letter;
        size += sizeof head + 1;
    }
    assert_int_equal(send(it.peer, frames, size, 0), (ssize_t)size);
    lab_turn();
}

static void of_pings_in_a_row_the_newest_is_answered(void **state)
{
    (void)state;
    connect_v1();
    say(hello);
    pings("abc");
    expect("c");
    expect("");
    pings("d");
    expect("d");
}

static void pings_are_taken_up_to_their_bound(void **state)
{
    (void)state;
    it.settings.pings_per_s = 1;
    connect_v1();
    say(hello);
    pings("ab");
    expect("b");
    pings("c");
    expect("close 1008");
    expect("");
}

static void sessions_of_a_user_are_taken_up_to_their_bound(void **state)
{
    (void)state;
    static const char tablet[] = "{\"t\":\"hello\",\"user\":\"alice\",\"device\":\"tablet\"}";
    it.settings.user_sessions_max = 1;
    connect_v1();
    say(hello);
    assert_false(edge_sessions_has_room(it.sessions, TEXT("alice"), TEXT("tablet")));
    assert_true(edge_sessions_has_room(it.sessions, TEXT("alice"), TEXT("phone")));
    assert_true(edge_sessions_has_room(it.sessions, TEXT("bob"), TEXT("tablet")));
    int first = it.peer;
    it.peer = 0;
    connect_as(&(struct edge_upgrade){.v1 = true});
    say(tablet);
    expect("\"code\":\"too_many_connections\",\"retry_after_ms\":5000");
    expect("close 4001");
    close(first);
    lab_turn();
    assert_true(edge_sessions_has_room(it.sessions, TEXT("alice"), TEXT("tablet")));
    connect_as(&(struct edge_upgrade){.v1 = true});
    say(tablet);
    expect("");
}

static void logins_of_a_user_are_taken_up_to_their_bound(void **state)
{
    (void)state;
    static const char again[] =
        "{\"t\":\"hello\",\"user\":\"alice\",\"device\":\"phone\",\"cursor\":\"1:1\"}";
    it.settings.user_logins_per_min = 1;
    connect_v1();
    say(hello);
    expect("");
    connect_as(&(struct edge_upgrade){.v1 = true});
    say(hello);
    expect("\"code\":\"rate_limited\",\"retry_after_ms\":");
    expect("close 4001");
    connect_as(&(struct edge_upgrade){.v1 = true});
    say(again);
    expect("");
    connect_as(&(struct edge_upgrade){.v1 = true});
    say(again);
    expect("rate_limited");
    expect("close 4001");
}

static void who_takes_no_answers_is_read_no_more_until_it_does(void **state)
{
    (void)state;
    static char question[] = "{\"t\":\"dance\",\"why\":\"................................\"}";
    uint8_t head[6] = {0x81, 0x80 | (sizeof question - 1)};
    uint8_t all[sizeof head + sizeof question - 1];
    int asked = 0;
    int answered = 0;
    connect_v1();
    say(hello);
    memcpy(all, head, sizeof head);
    memcpy(all + sizeof head, question, sizeof question - 1);
    for (; send(it.peer, all, sizeof all, 0) == (ssize_t)sizeof all; asked++)
        lab_turn();
    assert_true(asked > 1000); /* all buffers were filled, up to where it stopped reading */
    for (const char *heard = hear(); heard[0] != '\0' || answered < asked; heard = hear()) {
        if (heard[0] == '\0')
            lab_turn();
        else
            answered += strstr(heard, "unknown_kind") != NULL;
        assert_null(strstr(heard, "close"));
    }
    assert_int_equal(answered, asked);
}

int main(void)
{
#define ROW(name) cmocka_unit_test_setup_teardown(name, lab_begin, lab_end)
    const struct CMUnitTest tests[] = {
        ROW(who_is_too_fast_is_told_once_and_each_send_is_rejected),
        ROW(who_goes_on_is_closed_with_1008),
        ROW(another_connection_of_the_user_has_the_same_share),
        ROW(of_pings_in_a_row_the_newest_is_answered),
        ROW(pings_are_taken_up_to_their_bound),
        ROW(sessions_of_a_user_are_taken_up_to_their_bound),
        ROW(logins_of_a_user_are_taken_up_to_their_bound),
        ROW(who_takes_no_answers_is_read_no_more_until_it_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
