/* HTTP on a real loopback socket, in one thread with its client. */
#include "edge/edge_http.h"
#include "edge/edge_listener.h"

#include <arpa/inet.h>
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
    struct edge_settings settings;
    struct loop *loop;
    struct edge_http *http;
    struct edge_listener *listener;
    char address[32];
    size_t connections_max;
    const char *not_ready;
    struct edge_request *requests[8];
    size_t request_count;
    struct edge_request_owner owner;
    size_t gone;
    bool written;
    struct edge_upgrade upgrade;
    char user[TEXT_USER_MAX + 1];
    int upgraded; /* a descriptor that was handed over */
    struct buffer first_bytes;
} it;

static void on_upgraded(void *context, const struct edge_upgrade *upgrade, int fd, uint8_t *bytes,
                        size_t size)
{
    (void)context;
    it.upgrade = *upgrade;
    assert_int_equal(text_put(it.user, sizeof it.user, upgrade->user), 0);
    it.upgraded = fd;
    buffer_append(&it.first_bytes, bytes, size);
}

static void on_gone(struct edge_request_owner *owner, bool written)
{
    (void)owner;
    it.gone++;
    it.written = written;
}

static void keep(struct edge_request *request)
{
    it.owner.on_gone = on_gone;
    edge_request_own(request, &it.owner);
    it.requests[it.request_count++] = request;
}

static void on_post(void *context, struct edge_request *request, struct text body)
{
    (void)context;
    (void)body;
    keep(request);
}

static void on_poll(void *context, struct edge_request *request, struct text user,
                    struct text query)
{
    (void)context;
    (void)query;
    assert_int_equal(text_put(it.user, sizeof it.user, user), 0);
    keep(request);
}

static const char *why_not(void *context)
{
    (void)context;
    return it.not_ready;
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
    size_t open = edge_http_connections(it.http);
    return open >= it.connections_max ? 0 : it.connections_max - open;
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

static int free_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    close(fd);
    return ntohs(at.sin_port);
}

static int begin(void **state)
{
    (void)state;
    memset(&it, 0, sizeof it);
    it.upgraded = -1;
    it.connections_max = 100;
    settings_defaults(edge_settings_table, &it.settings);
    it.loop = loop_new();
    it.http = edge_http_new(
        &(struct edge_http_settings){.loop = it.loop, .edge = &it.settings, .ops = &ops}, NULL);
    snprintf(it.address, sizeof it.address, "127.0.0.1:%d", free_port());
    it.listener = edge_listener_open(it.http, text_of(it.address), room, NULL, NULL);
    return it.listener == NULL ? -1 : 0;
}

static int end(void **state)
{
    (void)state;
    edge_listener_close(it.listener);
    it.listener = NULL;
    edge_http_free(it.http);
    loop_free(it.loop);
    buffer_free(&it.first_bytes);
    if (it.upgraded >= 0)
        close(it.upgraded);
    return 0;
}

static int connect_client(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    at.sin_port = htons((uint16_t)atoi(strchr(it.address, ':') + 1));
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Keeps the edge awake, so that no turn sleeps. */
static void on_nothing(struct loop_later *later)
{
    (void)later;
}
static struct loop_later nothing = {.on_later = on_nothing};

static void turns(int count)
{
    for (int i = 0; i < count; i++) {
        loop_later(it.loop, &nothing);
        edge_http_turn(it.http);
    }
}

/* What has come after some turns; empty when nothing has. */
static const char *hear(int fd)
{
    static char text[8192];
    size_t all = 0;
    for (int i = 0; i < 200 && all == 0; i++) {
        turns(5);
        ssize_t size = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);
        all = size > 0 ? (size_t)size : 0;
    }
    text[all] = '\0';
    return text;
}

static void expect(int fd, const char *first, const char *second)
{
    const char *heard = hear(fd);
    if (strstr(heard, first) == NULL || strstr(heard, second) == NULL)
        fail_msg("expected %s and %s in: %s", first, second, heard);
}

static void health_and_readiness_are_told(void **state)
{
    (void)state;
    int fd = connect_client();
    say(fd, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(fd, "200 OK", "\"status\":\"ok\"");
    say(fd, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(fd, "200 OK", "{\"ready\":true}");
    it.not_ready = "the moon is not full";
    say(fd, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(fd, " 503 ", "{\"ready\":false,\"reason\":\"the moon is not full\"}");
    close(fd);
}

#define HANDSHAKE                                                                                  \
    " HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"            \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static void a_handshake_hands_the_descriptor_over(void **state)
{
    (void)state;
    int fd = connect_client();
    say(fd, "GET /ws?device=d%2E1" HANDSHAKE
            "Sec-WebSocket-Protocol: other, meridian.v1\r\n\r\nfirst bytes");
    const char *heard = hear(fd);
    /* The key and its answer are the example of RFC 6455, section 1.3. */
    assert_non_null(strstr(heard, " 101 "));
    assert_non_null(strstr(heard, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_non_null(strstr(heard, "sec-websocket-protocol: meridian.v1"));
    assert_true(it.upgraded >= 0);
    assert_true(it.upgrade.v1);
    assert_true(text_equal(buffer_text(&it.first_bytes), TEXT("first bytes")));
    assert_int_equal(edge_http_connections(it.http), 0);
    say(it.upgraded, "hello"); /* it is the same connection */
    assert_string_equal(hear(fd), "hello");
    close(fd);
}

static void a_plain_handshake_has_its_user_in_the_path(void **state)
{
    (void)state;
    int fd = connect_client();
    say(fd, "GET /ws/a%2F..%C3%BC" HANDSHAKE "\r\n");
    expect(fd, " 101 ", "");
    assert_false(it.upgrade.v1);
    assert_string_equal(it.user, "a/..\xc3\xbc");
    close(fd);
}

static void a_bad_handshake_is_answered(void **state)
{
    (void)state;
    static const struct {
        const char *request, *status, *part;
    } rows[] = {
        {"GET /ws HTTP/1.1\r\nHost: x\r\n\r\n", " 400 ", "Upgrade"},
        {"GET /ws" HANDSHAKE "\r\n", " 400 ", "subprotocol meridian.v1"},
        {"GET /ws" HANDSHAKE "Sec-WebSocket-Protocol: v2\r\n\r\n", " 400 ", "unknown_subprotocol"},
        {"GET /ws/%01" HANDSHAKE "\r\n", " 400 ", "user id"},
        {"GET /ws/%FF" HANDSHAKE "\r\n", " 400 ", "user id"},
        {"GET /ws/a%zz" HANDSHAKE "\r\n", " 400 ", "malformed"},
        {"GET /ws/a?device=a%20b" HANDSHAKE "\r\n", " 400 ", "device id"},
        {"GET /ws/a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
         "Sec-WebSocket-Version: 12\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
         " 426 ", "sec-websocket-version: 13"},
        {"GET /ws/a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
         "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n\r\n",
         " 400 ", "Sec-WebSocket-Key"},
        {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", " 404 ", "not_found"},
        {"DELETE /api/messages HTTP/1.1\r\nHost: x\r\n\r\n", " 404 ", "not_found"},
        {"GET /api/messages/%01 HTTP/1.1\r\nHost: x\r\n\r\n", " 400 ", "user id"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int fd = connect_client();
        say(fd, rows[i].request);
        expect(fd, rows[i].status, rows[i].part);
        close(fd);
    }
    it.not_ready = "not yet";
    int fd = connect_client();
    say(fd, "GET /ws/a" HANDSHAKE "\r\n");
    expect(fd, " 503 ", "not yet");
    close(fd);
}

static void an_answer_comes_when_it_is_given(void **state)
{
    (void)state;
    int fd = connect_client();
    say(fd, "GET /api/messages/b%20b HTTP/1.1\r\nHost: x\r\n\r\n");
    turns(20);
    while (it.request_count == 0)
        turns(1);
    assert_string_equal(it.user, "b b");
    assert_int_equal(it.gone, 0);
    edge_request_answer(it.requests[0], &(struct edge_answer){.status = 200,
                                                              .json = TEXT("[1]"),
                                                              .cursor = TEXT("1:2"),
                                                              .resync = true});
    const char *heard = hear(fd);
    assert_non_null(strstr(heard, "meridian-cursor: 1:2"));
    assert_non_null(strstr(heard, "meridian-resync: 1"));
    assert_non_null(strstr(heard, "\r\n\r\n[1]"));
    turns(5);
    assert_int_equal(it.gone, 1);
    assert_true(it.written);
    close(fd);
}

static void an_answer_to_nobody_is_not_written(void **state)
{
    (void)state;
    int fd = connect_client();
    say(fd, "GET /api/messages/b HTTP/1.1\r\nHost: x\r\n\r\n");
    while (it.request_count == 0)
        turns(1);
    struct linger reset = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd); /* with a reset */
    turns(5);
    if (it.gone == 0)
        edge_request_answer(it.requests[0],
                            &(struct edge_answer){.status = 200, .json = TEXT("[1]")});
    while (it.gone == 0)
        turns(1);
    assert_false(it.written);
}

static void requests_that_wait_have_a_bound(void **state)
{
    (void)state;
    int fds[3];
    it.settings.requests_max = 2;
    for (size_t i = 0; i < 3; i++) {
        fds[i] = connect_client();
        say(fds[i], "GET /api/messages/b HTTP/1.1\r\nHost: x\r\n\r\n");
        while (i < 2 && it.request_count <= i)
            turns(1);
    }
    expect(fds[2], " 503 ", "busy");
    edge_request_answer(it.requests[0], &(struct edge_answer){.status = 200, .json = TEXT("[]")});
    expect(fds[0], "200 OK", "[]");
    turns(5);
    say(fds[2], "GET /api/messages/b HTTP/1.1\r\nHost: x\r\n\r\n");
    while (it.request_count < 3)
        turns(1);
    for (size_t i = 1; i < 3; i++)
        edge_request_answer(it.requests[i],
                            &(struct edge_answer){.status = 200, .json = TEXT("[]")});
    for (size_t i = 0; i < 3; i++)
        close(fds[i]);
    turns(20);
}

static void a_post_is_taken_up_to_its_bound(void **state)
{
    (void)state;
    it.settings.message_max = 1024;
    for (int size = 1024; size <= 1025; size++) {
        char request[2048];
        int fd = connect_client();
        snprintf(request, sizeof request,
                 "POST /api/messages HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%*d", size,
                 size, 1);
        say(fd, request);
        if (size == 1024) {
            while (it.request_count == 0)
                turns(1);
            edge_request_refuse(it.requests[0], 400, "bad_request", "because");
            expect(fd, " 400 ", "because");
        } else {
            expect(fd, " 413 ", "too_large");
        }
        close(fd);
        turns(5);
    }
}

static void the_listener_rests_at_the_limit_and_goes_on_below_it(void **state)
{
    (void)state;
    int fds[3];
    it.connections_max = 2;
    for (size_t i = 0; i < 3; i++) {
        fds[i] = connect_client(); /* the kernel takes the third one, the edge does not */
        say(fds[i], "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    expect(fds[0], "200 OK", "");
    expect(fds[1], "200 OK", "");
    turns(50);
    assert_int_equal(edge_http_connections(it.http), 2);
    assert_string_equal(hear(fds[2]), "");
    close(fds[0]);
    expect(fds[2], "200 OK", "");
    close(fds[1]);
    close(fds[2]);
    turns(20);
}

static void an_address_in_use_is_told(void **state)
{
    (void)state;
    struct error_text why;
    assert_null(edge_listener_open(it.http, text_of(it.address), room, NULL, &why));
    assert_non_null(strstr(why.text, "Address already in use"));
    assert_null(edge_listener_open(it.http, TEXT("nowhere"), room, NULL, &why));
    assert_null(edge_listener_open(it.http, TEXT("example.org:80"), room, NULL, &why));
}

int main(void)
{
#define ROW(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        ROW(health_and_readiness_are_told),
        ROW(a_handshake_hands_the_descriptor_over),
        ROW(a_plain_handshake_has_its_user_in_the_path),
        ROW(a_bad_handshake_is_answered),
        ROW(an_answer_comes_when_it_is_given),
        ROW(an_answer_to_nobody_is_not_written),
        ROW(requests_that_wait_have_a_bound),
        ROW(a_post_is_taken_up_to_its_bound),
        ROW(the_listener_rests_at_the_limit_and_goes_on_below_it),
        ROW(an_address_in_use_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
