/* Tokens in requests: what is let in, as whom, and the one answer to the rest. */
#include "edge/edge_http.h"

#include "edge/edge_listener.h"
#include "http_lab.h"
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

static struct {
    struct token_lab tokens;
    struct edge_settings settings;
    struct http_lab lab;
    struct edge_listener *listener;
    char who[2 * TEXT_USER_MAX]; /* "upgraded alice/phone", of the last that was let in */
} it;

static void note(const char *what, const struct edge_token *token)
{
    if (token == NULL)
        snprintf(it.who, sizeof it.who, "%s", what);
    else
        snprintf(it.who, sizeof it.who, "%s %.*s/%.*s", what, TEXT_ARGS(edge_token_user(token)),
                 TEXT_ARGS(edge_token_device(token)));
}

static void on_upgraded(void *context, const struct edge_upgrade *upgrade, int fd, uint8_t *bytes,
                        size_t size)
{
    (void)context;
    (void)bytes;
    (void)size;
    note(upgrade->unauthorized ? "unauthorized" : "upgraded", upgrade->token);
    free(upgrade->token);
    close(fd);
}

static void on_post(void *context, struct edge_request *request, struct text body)
{
    (void)context;
    (void)body;
    note("post", edge_request_token(request));
    edge_request_answer(request, &(struct edge_answer){.status = 202, .json = TEXT("{}")});
}

static void on_poll(void *context, struct edge_request *request, struct text user,
                    struct text query)
{
    (void)user;
    (void)query;
    note("poll", edge_request_token(request));
    if (context == &it)
        edge_request_unauthorized(request); /* as who finds that it is of another device */
}

static const char *why_not(void *context)
{
    (void)context;
    return NULL;
}

static size_t sessions(void *context)
{
    (void)context;
    return 0;
}

static void on_connection_closed(void *context)
{
    (void)context;
    edge_listener_resume(it.listener);
}

static size_t room(void *context)
{
    (void)context;
    return 100;
}

static const struct edge_http_ops ops = {
    .on_upgraded = on_upgraded,
    .on_post = on_post,
    .on_poll = on_poll,
    .why_not_ready = why_not,
    .why_not_open = why_not,
    .sessions = sessions,
    .on_connection_closed = on_connection_closed,
};

static void build(bool required)
{
    memset(&it, 0, sizeof it);
    token_lab_begin(&it.tokens, required);
    settings_defaults(edge_settings_table, &it.settings);
    it.lab.loop = loop_new();
    it.lab.http = edge_http_new(&(struct edge_http_settings){.loop = it.lab.loop,
                                                             .edge = &it.settings,
                                                             .ops = &ops,
                                                             .context = &it,
                                                             .auth = it.tokens.auth},
                                NULL);
    lab_choose_address(&it.lab);
    it.listener = edge_listener_open(
        &(struct edge_listener_settings){
            .http = it.lab.http, .address = text_of(it.lab.address), .room = room},
        NULL);
    assert_non_null(it.listener);
}

static int end(void **state)
{
    (void)state;
    edge_listener_close(it.listener);
    it.listener = NULL;
    edge_http_free(it.lab.http);
    loop_free(it.lab.loop);
    token_lab_end(&it.tokens);
    return 0;
}

#define HANDSHAKE                                                                                  \
    " HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"                        \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define V1 "Sec-WebSocket-Protocol: meridian.v1"
#define AUTHORIZATION "Authorization: Bearer "
#define POST " HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
#define GET " HTTP/1.1\r\nHost: x\r\n"

enum shown { NONE, GOOD, BAD, BOBS };

/* The request, up to where the token stands; the token; the rest. */
static const char *ask(const char *before, enum shown shown, const char *after)
{
    char request[2048];
    const char *token = shown == NONE  ? ""
                        : shown == BAD ? "a.b.c"
                                       : token_of(&it.tokens, shown == BOBS ? "bob" : "alice",
                                                  shown == BOBS ? "" : "phone", 60);
    int fd = client_connect(&it.lab);
    it.who[0] = '\0';
    snprintf(request, sizeof request, "%s%s%s", before, token, after);
    client_say(fd, request);
    const char *heard = client_hear(&it.lab, fd);
    close(fd);
    lab_turns(&it.lab, 5);
    return heard;
}

#define REFUSED "401"

static const struct row {
    const char *before;
    enum shown shown;
    const char *after;
    const char *required, *voluntary; /* the status, and who was let in, by auth.required */
} rows[] = {
    {"GET /ws" HANDSHAKE V1, NONE, "\r\n\r\n", "101 upgraded", "101 upgraded"}, /* its hello will */
    {"GET /ws" HANDSHAKE V1 "\r\n" AUTHORIZATION, GOOD, "\r\n\r\n", "101 upgraded alice/phone",
     "101 upgraded alice/phone"},
    {"GET /ws" HANDSHAKE V1 "\r\n" AUTHORIZATION, BAD, "\r\n\r\n", REFUSED, REFUSED},
    {"GET /ws/bob" HANDSHAKE V1 "\r\n" AUTHORIZATION, GOOD, "\r\n\r\n", REFUSED, REFUSED},
    {"GET /ws/alice?device=tv" HANDSHAKE V1 "\r\n" AUTHORIZATION, GOOD, "\r\n\r\n", REFUSED,
     REFUSED},
    {"GET /ws/alice?device=phone" HANDSHAKE V1 "\r\n" AUTHORIZATION, GOOD, "\r\n\r\n",
     "101 upgraded alice/phone", "101 upgraded alice/phone"},
    {"GET /ws" HANDSHAKE V1 ", bearer.", GOOD, "\r\n\r\n", "101 upgraded alice/phone",
     "101 upgraded alice/phone"},
    {"GET /ws" HANDSHAKE V1 ", bearer.", BAD, "\r\n\r\n", "101 unauthorized", "101 unauthorized"},
    {"GET /ws/bob" HANDSHAKE V1 ", bearer.", GOOD, "\r\n\r\n", "101 unauthorized alice/phone",
     "101 unauthorized alice/phone"},
    {"GET /ws/alice" HANDSHAKE, NONE, "\r\n", REFUSED, "101 upgraded"},
    {"GET /ws/alice" HANDSHAKE AUTHORIZATION, GOOD, "\r\n\r\n", "101 upgraded alice/phone",
     "101 upgraded alice/phone"},
    {"GET /ws/alice" HANDSHAKE AUTHORIZATION, BOBS, "\r\n\r\n", REFUSED, REFUSED},
    {"POST /api/messages" POST, NONE, "\r\n{}", REFUSED, "202 post"},
    {"POST /api/messages" POST AUTHORIZATION, BAD, "\r\n\r\n{}", REFUSED, REFUSED},
    {"POST /api/messages" POST AUTHORIZATION, GOOD, "\r\n\r\n{}", "202 post alice/phone",
     "202 post alice/phone"},
    {"GET /api/messages/alice" GET, NONE, "\r\n", REFUSED, "401 poll"},
    {"GET /api/messages/alice" GET AUTHORIZATION, BOBS, "\r\n\r\n", REFUSED, REFUSED},
    {"GET /api/messages/alice?before=1:1" GET AUTHORIZATION, BOBS, "\r\n\r\n", REFUSED, REFUSED},
    {"GET /api/messages/alice" GET AUTHORIZATION, GOOD, "\r\n\r\n", "401 poll alice/phone",
     "401 poll alice/phone"},
};

static void check(size_t i, const char *expected, const char *heard)
{
    static const char answer[] = "\r\n\r\n{\"code\":\"" EDGE_AUTH_CODE
                                 "\",\"message\":\"" EDGE_AUTH_MESSAGE "\",\"retryable\":false}";
    char got[512];
    if (strlen(heard) < 12)
        fail_msg("row %zu: no answer", i);
    snprintf(got, sizeof got, "%.3s%s%s", heard + 9, it.who[0] == '\0' ? "" : " ", it.who);
    if (strcmp(got, expected) != 0)
        fail_msg("row %zu: %s, expected %s", i, got, expected);
    if (strncmp(got, "401", 3) == 0 &&
        (strstr(heard, answer) == NULL || strstr(heard, "www-authenticate: Bearer\r\n") == NULL))
        fail_msg("row %zu: another answer: %s", i, heard);
    if (strncmp(got, "101", 3) == 0 && strstr(heard, "bearer.") != NULL)
        fail_msg("row %zu: the token is said back: %s", i, heard);
}

static void where_tokens_are_required(void **state)
{
    (void)state;
    build(true);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        check(i, rows[i].required, ask(rows[i].before, rows[i].shown, rows[i].after));
}

static void where_they_are_not_but_keys_are_there(void **state)
{
    (void)state;
    build(false);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        check(i, rows[i].voluntary, ask(rows[i].before, rows[i].shown, rows[i].after));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(where_tokens_are_required, end),
        cmocka_unit_test_teardown(where_they_are_not_but_keys_are_there, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
