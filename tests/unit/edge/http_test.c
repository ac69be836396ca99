/* HTTP on a real loopback socket, in one thread with its client. */
#include "edge/edge_framing.h"
#include "edge/edge_http.h"
#include "edge/edge_listener.h"
#include "http_lab.h"
#include "wire/frame.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct {
    struct edge_settings settings;
    struct http_lab lab;
    struct edge_listener *listener;
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

static bool near(void *context, const struct address *client, struct text tenant,
                 struct buffer *json)
{
    (void)context;
    (void)tenant;
    if (it.not_ready != NULL)
        return false;
    buffer_printf(json, "{\"near\":\"%s\"}", address_name(client).text);
    return true;
}

static void on_connection_closed(void *context)
{
    (void)context;
    edge_listener_resume(it.listener);
}

static size_t room(void *context)
{
    (void)context;
    size_t open = edge_http_connections(it.lab.http);
    return open >= it.connections_max ? 0 : it.connections_max - open;
}

static const struct edge_http_ops ops = {
    .on_upgraded = on_upgraded,
    .on_post = on_post,
    .on_poll = on_poll,
    .why_not_ready = why_not,
    .why_not_open = why_not,
    .sessions = sessions,
    .near = near,
    .on_connection_closed = on_connection_closed,
};

static int begin(void **state)
{
    (void)state;
    memset(&it, 0, sizeof it);
    it.upgraded = -1;
    it.connections_max = 100;
    settings_defaults(edge_settings_table, &it.settings);
    it.lab.loop = loop_new();
    it.lab.http = edge_http_new(
        &(struct edge_http_settings){.loop = it.lab.loop, .edge = &it.settings, .ops = &ops}, NULL);
    lab_choose_address(&it.lab);
    it.listener = edge_listener_open(
        &(struct edge_listener_settings){
            .http = it.lab.http, .address = text_of(it.lab.address), .room = room},
        NULL);
    return it.listener == NULL ? -1 : 0;
}

static int end(void **state)
{
    (void)state;
    edge_listener_close(it.listener);
    it.listener = NULL;
    edge_http_free(it.lab.http);
    loop_free(it.lab.loop);
    buffer_free(&it.first_bytes);
    if (it.upgraded >= 0)
        close(it.upgraded);
    return 0;
}

static void health_and_readiness_are_told(void **state)
{
    (void)state;
    int fd = client_connect(&it.lab);
    client_say(fd, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    client_expect(&it.lab, fd, "200 OK", "\"status\":\"ok\"");
    client_say(fd, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n");
    client_expect(&it.lab, fd, "200 OK", "{\"ready\":true}");
    it.not_ready = "the moon is not full";
    client_say(fd, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n");
    client_expect(&it.lab, fd, " 503 ", "{\"ready\":false,\"reason\":\"the moon is not full\"}");
    close(fd);
}

#define HANDSHAKE                                                                                  \
    " HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"            \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static void a_handshake_hands_the_descriptor_over(void **state)
{
    (void)state;
    int fd = client_connect(&it.lab);
    client_say(fd, "GET /ws?device=d%2E1" HANDSHAKE
                   "Sec-WebSocket-Protocol: other, meridian.v1\r\n\r\nfirst bytes");
    const char *heard = client_hear(&it.lab, fd);
    /* The key and its answer are the example of RFC 6455, section 1.3. */
    assert_non_null(strstr(heard, " 101 "));
    assert_non_null(strstr(heard, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_non_null(strstr(heard, "sec-websocket-protocol: meridian.v1"));
    assert_true(it.upgraded >= 0);
    assert_true(it.upgrade.v1);
    assert_true(text_equal(buffer_text(&it.first_bytes), TEXT("first bytes")));
    assert_int_equal(edge_http_connections(it.lab.http), 0);
    client_say(it.upgraded, "hello"); /* it is the same connection */
    assert_string_equal(client_hear(&it.lab, fd), "hello");
    close(fd);
}

static void a_stream_hands_the_descriptor_over(void **state)
{
    (void)state;
    int fd = client_connect(&it.lab);
    client_say(fd, "GET /v1/sse?user=b%2Fb&device=d&cursor=1:7&start=head HTTP/1.1\r\nHost: x\r\n"
                   "Last-Event-ID: 2:9\r\n\r\nmore");
    const char *heard = client_hear(&it.lab, fd);
    assert_non_null(strstr(heard, "HTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(heard, "content-type: text/event-stream\r\n"));
    assert_non_null(strstr(heard, "transfer-encoding: chunked\r\n"));
    assert_non_null(strstr(heard, "cache-control: no-store\r\n"));
    assert_non_null(strstr(heard, "x-accel-buffering: no\r\n"));
    assert_null(strstr(heard, "content-length"));
    assert_true(it.upgraded >= 0 && it.upgrade.v1);
    assert_ptr_equal(it.upgrade.framing, &edge_framing_sse);
    assert_string_equal(it.user, "b/b");
    assert_int_equal(it.upgrade.epoch, 2); /* the header is newer than the query */
    assert_int_equal(it.upgrade.seq, 9);
    assert_int_equal(it.upgrade.attach_flags, WIRE_ATTACH_HAS_CURSOR | WIRE_ATTACH_FROM_HEAD);
    assert_true(text_equal(buffer_text(&it.first_bytes), TEXT("more")));
    assert_int_equal(edge_http_connections(it.lab.http), 0);
    close(fd);
}

static void a_bad_request_for_a_stream_is_answered(void **state)
{
    (void)state;
    static const struct {
        const char *request, *status, *part;
    } rows[] = {
        {"GET /v1/sse?user=a HTTP/1.1\r\nHost: x\r\n\r\n", " 400 ", "names a device"},
        {"GET /v1/sse?device=d HTTP/1.1\r\nHost: x\r\n\r\n", " 400 ", "who the user is"},
        {"GET /v1/stream?user=a&device=d&x=1 HTTP/1.1\r\nHost: x\r\n\r\n", " 400 ", "not known"},
        {"GET /v1/stream?user=a&device=d&wait=1 HTTP/1.1\r\nHost: x\r\n\r\n", " 400 ", "not known"},
        {"GET /v1/sse?user=a&device=d HTTP/1.1\r\nHost: x\r\nLast-Event-ID: 7\r\n\r\n", " 400 ",
         "Last-Event-ID"},
        {"GET /v1/sse?user=a&device=d HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", " 400 ",
         "has a body"},
        {"GET /v1/sse?user=a&device=d HTTP/1.0\r\nHost: x\r\n\r\n", " 505 ", "HTTP/1.1"},
        {"POST /v1/sse?user=a&device=d HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", " 405 ",
         "method_not_allowed"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int fd = client_connect(&it.lab);
        client_say(fd, rows[i].request);
        client_expect(&it.lab, fd, rows[i].status, rows[i].part);
        close(fd);
    }
    it.not_ready = "not yet";
    int fd = client_connect(&it.lab);
    client_say(fd, "GET /v1/stream?user=a&device=d HTTP/1.1\r\nHost: x\r\n\r\n");
    client_expect(&it.lab, fd, " 503 ", "not yet");
    close(fd);
    assert_int_equal(it.upgraded, -1);
}

static void a_plain_handshake_has_its_user_in_the_path(void **state)
{
    (void)state;
    int fd = client_connect(&it.lab);
    client_say(fd, "GET /ws/a%2F..%C3%BC" HANDSHAKE "\r\n");
    client_expect(&it.lab, fd, " 101 ", "");
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
        {"DELETE /api/messages HTTP/1.1\r\nHost: x\r\n\r\n", " 405 ", "method_not_allowed"},
        {"DELETE /api/messages HTTP/1.1\r\nHost: x\r\n\r\n", " 405 ", "allow: POST, OPTIONS"},
        {"HEAD /api/messages/b HTTP/1.1\r\nHost: x\r\n\r\n", " 405 ", "allow: GET, OPTIONS"},
        {"POST /ws/a" HANDSHAKE "\r\n", " 405 ", "allow: GET, OPTIONS"},
        {"GET /api/messages/%01 HTTP/1.1\r\nHost: x\r\n\r\n", " 400 ", "user id"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int fd = client_connect(&it.lab);
        client_say(fd, rows[i].request);
        client_expect(&it.lab, fd, rows[i].status, rows[i].part);
        close(fd);
    }
    it.not_ready = "not yet";
    int fd = client_connect(&it.lab);
    client_say(fd, "GET /ws/a" HANDSHAKE "\r\n");
    client_expect(&it.lab, fd, " 503 ", "not yet");
    close(fd);
}

static void what_libh2o_refuses_is_json_too(void **state)
{
    (void)state;
    static const struct {
        const char *request, *status, *body;
    } rows[] = {
        {"POST /api/messages HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", " 400 ",
         "{\"code\":\"bad_request\",\"message\":\"broken content-length "
         "header\",\"retryable\":false}"},
        {"POST /api/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", " 413 ",
         "{\"code\":\"too_large\",\"message\":\"request entity is too "
         "large\",\"retryable\":false}"},
        {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n", " 400 ",
         "{\"code\":\"bad_request\",\"message\":\"broken chunked-encoding\",\"retryable\":false}"},
        {"POST / HTTP/1.1\r\nHost: x\r\nExpect: x\r\nContent-Length: 1\r\n\r\n", " 417 ",
         "{\"code\":\"expectation_failed\",\"message\":\"unknown expectation\","
         "\"retryable\":false}"},
        {"HEAD / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", " 400 ", ""},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char length[64];
        int fd = client_connect(&it.lab);
        client_say(fd, rows[i].request);
        const char *heard = client_hear(&it.lab, fd);
        const char *body = strstr(heard, "\r\n\r\n");
        assert_non_null(body);
        assert_non_null(strstr(heard, rows[i].status));
        assert_non_null(strstr(heard, "content-type: application/json\r\n"));
        assert_string_equal(body + 4, rows[i].body);
        snprintf(length, sizeof length, "Content-Length: %zu\r\n", strlen(rows[i].body));
        assert_true(rows[i].body[0] == '\0' || strstr(heard, length) != NULL);
        close(fd);
    }
}

/* `path` by `method`, asked by a page of `origin`. */
static const char *ask_from(const char *method, const char *path, const char *origin)
{
    char request[256];
    int fd = client_connect(&it.lab);
    snprintf(request, sizeof request,
             "%s %s HTTP/1.1\r\nHost: x\r\n%s%s\r\nAccess-Control-Request-Method: POST\r\n\r\n",
             method, path, origin[0] == '\0' ? "X-Any: x" : "Origin: ", origin);
    client_say(fd, request);
    const char *heard = client_hear(&it.lab, fd);
    close(fd);
    return heard;
}

static bool says(const char *heard, const char *line)
{
    char whole[160];
    snprintf(whole, sizeof whole, "\r\n%s\r\n", line);
    return strstr(heard, whole) != NULL;
}

static void pages_of_other_origins_are_told_whether_they_may(void **state)
{
    (void)state;
    static const struct {
        const char *origins, *origin, *allow; /* NULL: nothing is allowed */
        bool vary;
    } rows[] = {
        {"", "https://a", NULL, false},
        {"https://a", "", NULL, true},
        {"https://a", "https://b", NULL, true},
        {"https://a, https://b", "https://b", "access-control-allow-origin: https://b", true},
        {"*", "", NULL, false},
        {"*", "https://b", "access-control-allow-origin: *", false},
    };
    static const char *const paths[] = {"/healthz", "/nowhere", "/ws/a", "/api/messages"};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        strcpy(it.settings.origins, rows[i].origins);
        for (size_t k = 0; k < COUNT_OF(paths); k++) {
            const char *heard = ask_from("DELETE", paths[k], rows[i].origin);
            assert_int_equal(says(heard, "vary: origin"), rows[i].vary);
            if (rows[i].allow == NULL)
                assert_null(strstr(heard, "access-control"));
            else
                assert_true(says(heard, rows[i].allow));
            assert_null(strstr(heard, "access-control-allow-methods"));
        }
    }
}

static void a_preflight_names_methods_and_headers(void **state)
{
    (void)state;
    strcpy(it.settings.origins, "https://a");
    const char *heard = ask_from("OPTIONS", "/api/messages", "https://a");
    static const char *const lines[] = {
        "access-control-allow-origin: https://a",
        "access-control-allow-methods: POST, OPTIONS",
        "access-control-allow-headers: authorization, content-type, idempotency-key, last-event-id",
        "access-control-max-age: 3600",
        "allow: POST, OPTIONS",
    };
    assert_non_null(strstr(heard, " 204 "));
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        if (!says(heard, lines[i]))
            fail_msg("'%s' is missing in %s", lines[i], heard);
    heard = ask_from("OPTIONS", "/api/messages", "https://b");
    assert_true(says(heard, "allow: POST, OPTIONS"));
    assert_null(strstr(heard, "access-control"));
    heard = ask_from("OPTIONS", "/nowhere", "https://a");
    assert_non_null(strstr(heard, " 404 "));
    assert_null(strstr(heard, "access-control-allow-methods"));
}

static void what_libh2o_refuses_may_be_read_too(void **state)
{
    (void)state;
    strcpy(it.settings.origins, "https://a");
    int fd = client_connect(&it.lab);
    client_say(fd, "POST / HTTP/1.1\r\nHost: x\r\nOrigin: https://a\r\nContent-Length: x\r\n\r\n");
    client_expect(&it.lab, fd, " 400 ", "access-control-allow-origin: https://a");
    close(fd);
}

static void a_path_says_which_methods_it_takes(void **state)
{
    (void)state;
    int fd = client_connect(&it.lab);
    for (int i = 0; i < 2; i++) { /* the connection goes on */
        client_say(fd, "OPTIONS /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
        const char *heard = client_hear(&it.lab, fd);
        assert_non_null(strstr(heard, " 204 "));
        assert_non_null(strstr(heard, "allow: GET, HEAD, OPTIONS"));
        assert_null(strcasestr(heard, "content-length"));
        assert_null(strcasestr(heard, "transfer-encoding"));
        assert_string_equal(strstr(heard, "\r\n\r\n"), "\r\n\r\n");
    }
    close(fd);
}

static void a_head_is_a_get_without_its_body(void **state)
{
    (void)state;
    static const char *const paths[] = {"/healthz", "/readyz"};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        char request[64];
        char length[64];
        int fd = client_connect(&it.lab);
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", paths[i]);
        client_say(fd, request);
        const char *heard = client_hear(&it.lab, fd);
        const char *body = strstr(heard, "\r\n\r\n") + 4;
        snprintf(length, sizeof length, "Content-Length: %zu\r\n", strlen(body));
        assert_non_null(strstr(heard, length));
        snprintf(request, sizeof request, "HEAD %s HTTP/1.1\r\nHost: x\r\n\r\n", paths[i]);
        client_say(fd, request);
        heard = client_hear(&it.lab, fd);
        assert_non_null(strstr(heard, " 200 "));
        assert_non_null(strstr(heard, length));
        assert_string_equal(strstr(heard, "\r\n\r\n"), "\r\n\r\n");
        close(fd);
    }
}

static void an_answer_comes_when_it_is_given(void **state)
{
    (void)state;
    int fd = client_connect(&it.lab);
    client_say(fd, "GET /api/messages/b%20b HTTP/1.1\r\nHost: x\r\n\r\n");
    lab_turns(&it.lab, 20);
    while (it.request_count == 0)
        lab_turns(&it.lab, 1);
    assert_string_equal(it.user, "b b");
    assert_int_equal(it.gone, 0);
    edge_request_answer(it.requests[0], &(struct edge_answer){.status = 200,
                                                              .json = TEXT("[1]"),
                                                              .cursor = TEXT("1:2"),
                                                              .resync = true});
    const char *heard = client_hear(&it.lab, fd);
    assert_non_null(strstr(heard, "meridian-cursor: 1:2"));
    assert_non_null(strstr(heard, "meridian-resync: 1"));
    assert_non_null(strstr(heard, "\r\n\r\n[1]"));
    lab_turns(&it.lab, 5);
    assert_int_equal(it.gone, 1);
    assert_true(it.written);
    close(fd);
}

static void an_answer_to_nobody_is_not_written(void **state)
{
    (void)state;
    int fd = client_connect(&it.lab);
    client_say(fd, "GET /api/messages/b HTTP/1.1\r\nHost: x\r\n\r\n");
    while (it.request_count == 0)
        lab_turns(&it.lab, 1);
    struct linger reset = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd); /* with a reset */
    lab_turns(&it.lab, 5);
    if (it.gone == 0)
        edge_request_answer(it.requests[0],
                            &(struct edge_answer){.status = 200, .json = TEXT("[1]")});
    while (it.gone == 0)
        lab_turns(&it.lab, 1);
    assert_false(it.written);
}

static void requests_that_wait_have_a_bound(void **state)
{
    (void)state;
    int fds[3];
    it.settings.requests_max = 2;
    for (size_t i = 0; i < 3; i++) {
        fds[i] = client_connect(&it.lab);
        client_say(fds[i], "GET /api/messages/b HTTP/1.1\r\nHost: x\r\n\r\n");
        while (i < 2 && it.request_count <= i)
            lab_turns(&it.lab, 1);
    }
    client_expect(&it.lab, fds[2], " 503 ", "busy");
    edge_request_answer(it.requests[0], &(struct edge_answer){.status = 200, .json = TEXT("[]")});
    client_expect(&it.lab, fds[0], "200 OK", "[]");
    lab_turns(&it.lab, 5);
    client_say(fds[2], "GET /api/messages/b HTTP/1.1\r\nHost: x\r\n\r\n");
    while (it.request_count < 3)
        lab_turns(&it.lab, 1);
    for (size_t i = 1; i < 3; i++)
        edge_request_answer(it.requests[i],
                            &(struct edge_answer){.status = 200, .json = TEXT("[]")});
    for (size_t i = 0; i < 3; i++)
        close(fds[i]);
    lab_turns(&it.lab, 20);
}

static void a_post_is_taken_up_to_its_bound(void **state)
{
    (void)state;
    it.settings.message_max = 1024;
    for (int size = 1024; size <= 1025; size++) {
        char request[2048];
        int fd = client_connect(&it.lab);
        snprintf(request, sizeof request,
                 "POST /api/messages HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%*d", size,
                 size, 1);
        client_say(fd, request);
        if (size == 1024) {
            while (it.request_count == 0)
                lab_turns(&it.lab, 1);
            edge_request_refuse(it.requests[0], 400, "bad_request", "because");
            client_expect(&it.lab, fd, " 400 ", "because");
        } else {
            client_expect(&it.lab, fd, " 413 ", "too_large");
        }
        close(fd);
        lab_turns(&it.lab, 5);
    }
}

static void the_listener_rests_at_the_limit_and_goes_on_below_it(void **state)
{
    (void)state;
    int fds[3];
    it.connections_max = 2;
    for (size_t i = 0; i < 3; i++) {
        fds[i] = client_connect(&it.lab); /* the kernel takes the third one, the edge does not */
        client_say(fds[i], "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    client_expect(&it.lab, fds[0], "200 OK", "");
    client_expect(&it.lab, fds[1], "200 OK", "");
    lab_turns(&it.lab, 50);
    assert_int_equal(edge_http_connections(it.lab.http), 2);
    assert_string_equal(client_hear(&it.lab, fds[2]), "");
    close(fds[0]);
    client_expect(&it.lab, fds[2], "200 OK", "");
    close(fds[1]);
    close(fds[2]);
    lab_turns(&it.lab, 20);
}

static void an_address_in_use_is_told(void **state)
{
    (void)state;
    struct error_text why;
    assert_null(edge_listener_open(
        &(struct edge_listener_settings){
            .http = it.lab.http, .address = text_of(it.lab.address), .room = room},
        &why));
    assert_non_null(strstr(why.text, "Address already in use"));
    assert_null(edge_listener_open(&(struct edge_listener_settings){.http = it.lab.http,
                                                                    .address = TEXT("nowhere"),
                                                                    .room = room},
                                   &why));
    assert_null(edge_listener_open(
        &(struct edge_listener_settings){
            .http = it.lab.http, .address = TEXT("example.org:80"), .room = room},
        &why));
}

static void tells_who_is_near_and_answers_probes(void **state)
{
    (void)state;
    int fd = client_connect(&it.lab);
    client_say(fd, "GET /v1/ping HTTP/1.1\r\nhost: x\r\n\r\n");
    client_expect(&it.lab, fd, "HTTP/1.1 204", "\r\n\r\n");
    client_say(fd, "HEAD /v1/ping HTTP/1.1\r\nhost: x\r\n\r\n");
    client_expect(&it.lab, fd, "HTTP/1.1 204", "\r\n\r\n");
    client_say(fd, "GET /v1/edges HTTP/1.1\r\nhost: x\r\n\r\n");
    client_expect(&it.lab, fd, "HTTP/1.1 200", "{\"near\":\"127.0.0.1\"}");
    it.not_ready = "no";
    client_say(fd, "GET /v1/edges HTTP/1.1\r\nhost: x\r\n\r\n");
    client_expect(&it.lab, fd, "HTTP/1.1 404", "not_found");
    client_say(fd, "POST /v1/edges HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n");
    client_expect(&it.lab, fd, "HTTP/1.1 405", "");
    close(fd);
}

int main(void)
{
#define ROW(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        ROW(tells_who_is_near_and_answers_probes),
        ROW(health_and_readiness_are_told),
        ROW(a_handshake_hands_the_descriptor_over),
        ROW(a_stream_hands_the_descriptor_over),
        ROW(a_bad_request_for_a_stream_is_answered),
        ROW(a_plain_handshake_has_its_user_in_the_path),
        ROW(a_bad_handshake_is_answered),
        ROW(what_libh2o_refuses_is_json_too),
        ROW(pages_of_other_origins_are_told_whether_they_may),
        ROW(a_preflight_names_methods_and_headers),
        ROW(what_libh2o_refuses_may_be_read_too),
        ROW(a_path_says_which_methods_it_takes),
        ROW(a_head_is_a_get_without_its_body),
        ROW(an_answer_comes_when_it_is_given),
        ROW(an_answer_to_nobody_is_not_written),
        ROW(requests_that_wait_have_a_bound),
        ROW(a_post_is_taken_up_to_its_bound),
        ROW(the_listener_rests_at_the_limit_and_goes_on_below_it),
        ROW(an_address_in_use_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
