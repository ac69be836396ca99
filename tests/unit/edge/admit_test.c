/* Tokens of sessions: who may say hello, a new token in place, and the end of one. */
#include "edge/edge_admit.h"

#include "base/clock.h"
#include "session_lab.h"
#include "token_lab.h"

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

static struct token_lab tokens;

static int begin(void **state)
{
    token_lab_begin(&tokens, true);
    int err = lab_begin(state);
    it.auth = tokens.auth;
    return err;
}

static int end(void **state)
{
    int err = lab_end(state);
    token_lab_end(&tokens);
    return err;
}

static void say_hello(const char *members, const char *token)
{
    char frame[2048];
    snprintf(frame, sizeof frame, "{\"t\":\"hello\"%s%s%s%s}", members,
             token == NULL ? "" : ",\"token\":\"", token == NULL ? "" : token,
             token == NULL ? "" : "\"");
    say(frame);
}

static void expect_refusal(void)
{
    expect("\"code\":\"unauthorized\",\"message\":\"" EDGE_AUTH_MESSAGE "\"");
    expect("close 4401");
    expect("");
}

#define ALICE ",\"user\":\"alice\",\"device\":\"phone\""

static void a_hello_needs_a_good_token(void **state)
{
    (void)state;
    lab_build();
    static const char *const bad[] = {
        "{\"t\":\"hello\"" ALICE "}",
        "{\"t\":\"hello\"" ALICE ",\"token\":\"\"}",
        "{\"t\":\"hello\"" ALICE ",\"token\":null}",
        "{\"t\":\"hello\"" ALICE ",\"token\":7}",
        "{\"t\":\"hello\"" ALICE ",\"token\":\"a.b.c\"}",
        "{\"t\":\"hello\",\"token\":\"\\u0000\"}",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        connect_as(&(struct edge_upgrade){.v1 = true});
        say(bad[i]);
        expect_refusal();
    }
    connect_as(&(struct edge_upgrade){.v1 = true});
    say_hello(ALICE, token_of(&tokens, "alice", "", -1));
    expect_refusal();
    assert_int_equal(homes_waiting(it.directory), 0);
    connect_as(&(struct edge_upgrade){.v1 = true});
    say_hello(ALICE, token_of(&tokens, "alice", "", 60));
    expect("");
    assert_int_equal(homes_waiting(it.directory), 1);
}

static void the_hello_must_be_of_whom_the_token_is(void **state)
{
    (void)state;
    static const struct {
        const char *hello, *path, *user, *device;
        bool good;
    } rows[] = {
        {"", "", "alice", "phone", true}, /* the token says who */
        {",\"device\":\"d\"", "", "alice", "", true},
        {",\"device\":\"phone\"", "alice", "alice", "phone", true},
        {ALICE, "", "alice", "phone", true},
        {ALICE, "", "bob", "", false},
        {ALICE, "", "alice", "tablet", false},
        {",\"device\":\"phone\"", "bob", "alice", "", false},
        {",\"user\":\"bob\"", "", "alice", "phone", false},
    };
    lab_build();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        connect_as(&(struct edge_upgrade){.v1 = true, .user = text_of(rows[i].path)});
        say_hello(rows[i].hello, token_of(&tokens, rows[i].user, rows[i].device, 60));
        if (rows[i].good)
            expect("");
        else
            expect_refusal();
    }
}

static struct edge_token *judged(const char *user, const char *device, int left_s)
{
    struct edge_token *token;
    const char *shown = token_of(&tokens, user, device, left_s);
    assert_int_equal(edge_auth_judge(tokens.auth, text_of(shown), loop_now_ms(it.loop), &token), 0);
    return token;
}

static void a_token_of_the_handshake_counts(void **state)
{
    (void)state;
    lab_build();
    connect_as(&(struct edge_upgrade){.v1 = true, .token = judged("alice", "", 60)});
    say_hello(ALICE, NULL);
    expect("");
    connect_as(&(struct edge_upgrade){.v1 = true, .token = judged("alice", "phone", 60)});
    say_hello("", NULL);
    expect("");
    connect_as(&(struct edge_upgrade){.v1 = true, .token = judged("bob", "", 60)});
    say_hello(ALICE, NULL);
    expect_refusal();
    /* A second one, in the hello, is of the same user. */
    connect_as(&(struct edge_upgrade){.v1 = true, .token = judged("alice", "", 60)});
    say_hello(ALICE, token_of(&tokens, "alice", "", 70));
    expect("");
    connect_as(&(struct edge_upgrade){.v1 = true, .token = judged("bob", "", 60)});
    say_hello(ALICE, token_of(&tokens, "alice", "", 70));
    expect_refusal();
}

static void a_bad_one_among_the_subprotocols_is_told_after_the_handshake(void **state)
{
    (void)state;
    lab_build();
    connect_as(&(struct edge_upgrade){.v1 = true, .unauthorized = true});
    lab_turn();
    expect_refusal();
}

static void a_plain_client_is_the_device_of_its_token(void **state)
{
    (void)state;
    lab_build();
    connect_as(&(struct edge_upgrade){.user = TEXT("alice"), .token = judged("alice", "tv", 60)});
    expect("");
    assert_int_equal(homes_waiting(it.directory), 1);
}

static void a_plain_client_with_a_token_says_no_other_sender(void **state)
{
    (void)state;
    static const struct {
        const char *object;
        bool good;
    } rows[] = {
        {"{\"recipient_id\":\"b\",\"text\":1}", true},
        {"{\"recipient_id\":\"b\",\"sender_id\":\"alice\"}", true},
        {"{\"recipient_id\":\"b\",\"sender_id\":\"\\u0061lice\"}", true},
        {"{\"recipient_id\":\"b\",\"sender_id\":\"bob\"}", false},
        {"{\"recipient_id\":\"b\",\"sender_id\":\"\"}", false},
        {"{\"recipient_id\":\"b\",\"sender_id\":[\"bob\"]}", false},
    };
    lab_build();
    connect_as(&(struct edge_upgrade){.user = TEXT("alice"), .token = judged("alice", "", 60)});
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        say(rows[i].object);
        expect(rows[i].good ? "" : "\"code\":\"forbidden\"");
    }
    connect_as(
        &(struct edge_upgrade){.user = TEXT("alice")}); /* without one it is its own affair */
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        say(rows[i].object);
        expect("");
    }
}

static void say_refresh(const char *token)
{
    char frame[2048];
    snprintf(frame, sizeof frame, "{\"t\":\"refresh\",\"token\":\"%s\"}", token);
    say(frame);
}

static void expect_refreshed(int64_t least_s, int64_t most_s)
{
    const char *heard = hear();
    const char *at = strstr(heard, "\"t\":\"refreshed\",\"expires_at\":");
    if (at == NULL)
        fail_msg("no refreshed: %s", heard);
    int64_t left_ms = strtoll(strrchr(at, ':') + 1, NULL, 10) - clock_wall_ms();
    assert_true(left_ms >= least_s * 1000 && left_ms <= most_s * 1000);
}

static void a_new_token_takes_the_old_ones_place(void **state)
{
    (void)state;
    lab_build();
    connect_as(&(struct edge_upgrade){.v1 = true});
    say_hello(ALICE, token_of(&tokens, "alice", "", 600));
    say_refresh(token_of(&tokens, "alice", "phone", 900));
    expect_refreshed(890, 900);
}

static void a_new_token_that_ends_no_later_changes_nothing(void **state)
{
    (void)state;
    lab_build();
    connect_as(&(struct edge_upgrade){.v1 = true});
    say_hello(ALICE, token_of(&tokens, "alice", "", 600));
    say_refresh(token_of(&tokens, "alice", "", 60));
    expect_refreshed(590, 600);
}

static void new_tokens_are_looked_at_once_a_second(void **state)
{
    (void)state;
    lab_build();
    connect_as(&(struct edge_upgrade){.v1 = true});
    say_hello(ALICE, token_of(&tokens, "alice", "", 600));
    int64_t begun_ms = loop_now_ms(it.loop);
    say_refresh(token_of(&tokens, "alice", "", 60));
    expect_refreshed(590, 600);
    const char *heard = "busy";
    while (strstr(heard, "busy") != NULL && loop_now_ms(it.loop) - begun_ms < 20000) {
        say_refresh("not looked at");
        heard = hear();
        assert_true(heard[0] != '\0');
    }
    assert_non_null(strstr(heard, "unauthorized"));
    assert_true(loop_now_ms(it.loop) - begun_ms >= EDGE_REFRESH_APART_MS);
}

static void a_bad_new_token_ends_the_session(void **state)
{
    (void)state;
    lab_build();
    for (int i = 0; i < 5; i++) {
        connect_as(&(struct edge_upgrade){.v1 = true});
        say_hello(ALICE, token_of(&tokens, "alice", "", 600));
        expect("");
        say_refresh(i == 0   ? "x"
                    : i == 1 ? ""
                    : i == 2 ? token_of(&tokens, "alice", "tablet", 900)
                    : i == 3 ? token_of(&tokens, "bob", "", 900)
                             : token_of(&tokens, "alice", "", -1));
        expect_refusal();
    }
}

static void where_no_tokens_are_looked_at_a_new_one_is_told_so(void **state)
{
    (void)state;
    it.auth = NULL;
    lab_build();
    connect_as(&(struct edge_upgrade){.v1 = true});
    say_hello(ALICE, "whatever");
    expect("");
    say_refresh("whatever");
    expect("no tokens are looked at here");
    expect("");
}

static void a_session_ends_with_its_token(void **state)
{
    (void)state;
    char text[256] = "";
    /* 300 ms from now, to which `exp` is rounded and the leeway added. */
    tokens.settings.leeway_ms = clock_wall_ms() % 1000 + 300;
    lab_build();
    connect_as(&(struct edge_upgrade){.v1 = true});
    say_hello(ALICE, token_of(&tokens, "alice", "", 0));
    int64_t begun_ms = clock_monotonic_ms();
    while (text[0] == '\0' && clock_monotonic_ms() - begun_ms < 20000) {
        lab_turn();
        edge_sessions_tick(it.sessions, loop_now_ms(it.loop));
        snprintf(text, sizeof text, "%s", hear());
    }
    assert_string_equal(text, "close 4401");
    assert_true(clock_monotonic_ms() - begun_ms >= 250);
}

int main(void)
{
#define ROW(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        ROW(a_hello_needs_a_good_token),
        ROW(the_hello_must_be_of_whom_the_token_is),
        ROW(a_token_of_the_handshake_counts),
        ROW(a_bad_one_among_the_subprotocols_is_told_after_the_handshake),
        ROW(a_plain_client_is_the_device_of_its_token),
        ROW(a_plain_client_with_a_token_says_no_other_sender),
        ROW(a_new_token_takes_the_old_ones_place),
        ROW(a_new_token_that_ends_no_later_changes_nothing),
        ROW(new_tokens_are_looked_at_once_a_second),
        ROW(a_bad_new_token_ends_the_session),
        ROW(where_no_tokens_are_looked_at_a_new_one_is_told_so),
        ROW(a_session_ends_with_its_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
