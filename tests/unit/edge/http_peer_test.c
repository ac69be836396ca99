/* Whose connection it is, behind balancers: real sockets of 127.0.0.0/8, in one thread. */
#include "edge/edge_http.h"
#include "edge/edge_listener.h"
#include "http_lab.h"

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

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4_ADDRESSES "\xc0\x00\x02\x01\xc0\x00\x02\x02\x12\x67\x00\x50"
#define HEALTH "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
#define WEBSOCKET(headers)                                                                         \
    "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"                 \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"                 \
    "Sec-WebSocket-Protocol: meridian.v1\r\n" headers "\r\n"

#define PROXY_BALANCER "127.0.0.2" /* it speaks the PROXY protocol... */
#define HTTP_BALANCER "127.0.0.3"  /* ...it appends to headers, it does both... */
#define BOTH_BALANCER "127.0.0.4"
#define NOBODY "127.0.0.9" /* ...and this is none */

static struct {
    struct edge_settings settings;
    struct http_lab lab;
    struct edge_listener *listener;
    struct edge_neighbours *neighbours;
    struct edge_place *place; /* of the WebSocket that came */
    size_t connections_max;
    char client[ADDRESS_TEXT_SIZE]; /* of the WebSocket that came */
} it;

static void on_upgraded(void *context, const struct edge_upgrade *upgrade, int fd, uint8_t *bytes,
                        size_t size)
{
    (void)context;
    (void)bytes;
    (void)size;
    address_text(&upgrade->client, it.client);
    it.place = upgrade->place;
    close(fd);
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
    size_t open = edge_http_connections(it.lab.http) + edge_listener_arrivals(it.listener);
    return open >= it.connections_max ? 0 : it.connections_max - open;
}

static const struct edge_http_ops ops = {
    .on_upgraded = on_upgraded,
    .why_not_ready = why_not,
    .why_not_open = why_not,
    .sessions = sessions,
    .on_connection_closed = on_connection_closed,
};

static void set(const char *assignment)
{
    assert_int_equal(settings_set(edge_settings_table, &it.settings, assignment, NULL), 0);
}

static int begin(void **state)
{
    (void)state;
    memset(&it, 0, sizeof it);
    it.connections_max = 100;
    settings_defaults(edge_settings_table, &it.settings);
    set("proxy.networks=" PROXY_BALANCER ", " BOTH_BALANCER);
    set("proxy.forwarded_networks=" HTTP_BALANCER ", " BOTH_BALANCER);
    it.neighbours = edge_neighbours_new(1);
    it.lab.loop = loop_new();
    it.lab.http = edge_http_new(
        &(struct edge_http_settings){
            .loop = it.lab.loop, .edge = &it.settings, .ops = &ops, .neighbours = it.neighbours},
        NULL);
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
    edge_place_leave(it.place);
    edge_neighbours_free(it.neighbours);
    loop_free(it.lab.loop);
    return 0;
}

static int connect_from(const char *address)
{
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = inet_addr(address)};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    to.sin_port = htons((uint16_t)atoi(strchr(it.lab.address, ':') + 1));
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof from), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void say(int fd, const void *bytes, size_t size)
{
    assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), (ssize_t)size);
}

/* Until the edge has ended the connection; what it said before is thrown away. */
static void expect_closed(int fd)
{
    char bytes[4096];
    ssize_t size = 1;
    for (int i = 0; i < 10000 && size != 0; i++) {
        lab_turns(&it.lab, 1);
        size = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (size < 0 && errno == ECONNRESET)
            size = 0;
        if (size < 0)
            usleep(100); /* the clock of the time-out is the machine's */
        else if (size > 0)
            assert_null(memmem(bytes, (size_t)size, " 200 ", 5));
    }
    assert_int_equal(size, 0);
    close(fd);
}

/* The client of a WebSocket for which `header` and `request` are sent; the one before has gone. */
static const char *client_of(const char *from, struct text header, const char *request)
{
    int fd = connect_from(from);
    it.client[0] = '\0';
    edge_place_leave(it.place);
    it.place = NULL;
    say(fd, header.data, header.size);
    say(fd, request, strlen(request));
    client_expect(&it.lab, fd, " 101 ", "websocket");
    for (int i = 0; i < 1000 && it.client[0] == '\0'; i++)
        lab_turns(&it.lab, 1);
    close(fd);
    return it.client;
}

#define BYTES(literal) ((struct text){(literal), sizeof(literal) - 1})

static void a_header_names_the_client(void **state)
{
    (void)state;
    static const struct {
        struct text header;
        const char *client;
    } rows[] = {
        {BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\r\n"), "192.0.2.1"},
        {BYTES("PROXY TCP6 2001:db8::1 ::1 4711 80\r\n"), "2001:db8::1"},
        {BYTES("PROXY UNKNOWN\r\n"), PROXY_BALANCER},
        {BYTES(SIGNATURE "\x21\x11\x00\x0c" V4_ADDRESSES), "192.0.2.1"},
        {BYTES(SIGNATURE "\x20\x00\x00\x00"), PROXY_BALANCER},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_string_equal(client_of(PROXY_BALANCER, rows[i].header, WEBSOCKET("")),
                            rows[i].client);
}

static void a_header_may_come_byte_by_byte(void **state)
{
    (void)state;
    static const char header[] = SIGNATURE "\x21\x11\x00\x0c" V4_ADDRESSES HEALTH;
    int fd = connect_from(PROXY_BALANCER);
    for (size_t i = 0; i < sizeof header - 1; i++) {
        say(fd, header + i, 1);
        lab_turns(&it.lab, 2);
    }
    client_expect(&it.lab, fd, "200 OK", "\"status\":\"ok\"");
    close(fd);
}

static void a_balancer_without_a_good_header_is_closed(void **state)
{
    (void)state;
    static const struct text rows[] = {
        BYTES(HEALTH),
        BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 4711\r\n" HEALTH),
        BYTES(SIGNATURE "\x21\x11\xff\xff" V4_ADDRESSES HEALTH),
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int fd = connect_from(PROXY_BALANCER);
        say(fd, rows[i].data, rows[i].size);
        expect_closed(fd);
    }
    assert_int_equal(edge_listener_arrivals(it.listener), 0);
}

static void a_header_that_does_not_come_is_not_waited_for(void **state)
{
    (void)state;
    edge_listener_close(it.listener);
    it.settings.proxy_header_wait_ms = 20;
    it.listener = edge_listener_open(
        &(struct edge_listener_settings){
            .http = it.lab.http, .address = text_of(it.lab.address), .room = room},
        NULL);
    int silent = connect_from(PROXY_BALANCER);
    int half = connect_from(PROXY_BALANCER);
    say(half, "PROXY TC", 8);
    expect_closed(silent);
    expect_closed(half);
    assert_int_equal(edge_listener_arrivals(it.listener), 0);
}

static void nobody_else_is_believed_a_header(void **state)
{
    (void)state;
    static const struct text rows[] = {
        BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\r\n" HEALTH),
        BYTES("PROXY UNKNOWN\r\n" HEALTH),
        BYTES(SIGNATURE "\x21\x11\x00\x0c" V4_ADDRESSES HEALTH),
        BYTES(SIGNATURE "\x20\x00\x00\x00" HEALTH),
    };
    static const char *const peers[] = {NOBODY, HTTP_BALANCER};
    for (size_t p = 0; p < COUNT_OF(peers); p++) {
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
            int fd = connect_from(peers[p]);
            say(fd, rows[i].data, rows[i].size);
            expect_closed(fd);
        }
    }
}

static void who_waits_for_its_header_takes_room(void **state)
{
    (void)state;
    it.connections_max = 2;
    int first = connect_from(PROXY_BALANCER);
    int second = connect_from(PROXY_BALANCER);
    int third = connect_from(NOBODY);
    client_say(third, HEALTH);
    assert_string_equal(client_hear(&it.lab, third), "");
    assert_int_equal(edge_listener_arrivals(it.listener), 2);
    close(first);
    client_expect(&it.lab, third, "200 OK", "");
    close(second);
    close(third);
}

static void listeners_close_with_headers_awaited(void **state)
{
    (void)state;
    int fd = connect_from(PROXY_BALANCER);
    say(fd, "PROXY ", 6);
    lab_turns(&it.lab, 20);
    assert_int_equal(edge_listener_arrivals(it.listener), 1);
    edge_listener_close(it.listener);
    it.listener = NULL;
    expect_closed(fd);
}

static void forwarded_headers_are_believed_of_balancers_only(void **state)
{
    (void)state;
#define X_FOR(list) WEBSOCKET("X-Forwarded-For: " list "\r\n")
    static const struct text none = {"", 0};
    static const struct text proxy = BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\r\n");
    static const struct text nearer = BYTES("PROXY TCP4 127.0.0.3 192.0.2.2 4711 80\r\n");
    static const struct text local = BYTES(SIGNATURE "\x20\x00\x00\x00");
    const struct {
        const char *from;
        struct text header;
        const char *request;
        const char *client;
    } rows[] = {
        {HTTP_BALANCER, none, X_FOR("192.0.2.7"), "192.0.2.7"},
        {HTTP_BALANCER, none, X_FOR("198.51.100.1, 192.0.2.7, 127.0.0.4"), "192.0.2.7"},
        {HTTP_BALANCER, none, WEBSOCKET(""), HTTP_BALANCER},
        {HTTP_BALANCER, none,
         WEBSOCKET("x-forwarded-for: 192.0.2.7\r\nX-FORWARDED-FOR: 192.0.2.8"
                   "\r\n"),
         "192.0.2.8"},
        /* The other header is a client's, passed on. */
        {HTTP_BALANCER, none, WEBSOCKET("Forwarded: for=192.0.2.7\r\n"), HTTP_BALANCER},
        {NOBODY, none, X_FOR("192.0.2.7"), NOBODY},
        {NOBODY, none, X_FOR("127.0.0.3"), NOBODY},
        /* Behind a balancer that passes bytes on stands a client, whose headers are its own... */
        {PROXY_BALANCER, proxy, X_FOR("192.0.2.7"), "192.0.2.1"},
        {BOTH_BALANCER, proxy, X_FOR("192.0.2.7"), "192.0.2.1"},
        /* ...or another balancer. */
        {PROXY_BALANCER, nearer, X_FOR("192.0.2.7"), "192.0.2.7"},
        {PROXY_BALANCER, local, X_FOR("192.0.2.7"), PROXY_BALANCER},
        {BOTH_BALANCER, local, X_FOR("192.0.2.7"), "192.0.2.7"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_string_equal(client_of(rows[i].from, rows[i].header, rows[i].request),
                            rows[i].client);
}

static void the_header_can_be_the_one_of_the_rfc(void **state)
{
    (void)state;
    set("proxy.forwarded_header=forwarded");
    assert_string_equal(client_of(HTTP_BALANCER, TEXT(""),
                                  WEBSOCKET("Forwarded: for=\"[2001:db8::7]:1\";proto=https\r\n"
                                            "X-Forwarded-For: 198.51.100.1\r\n")),
                        "2001:db8::7");
}

static void neighbours_are_those_of_the_client(void **state)
{
    (void)state;
    static const char first[] = WEBSOCKET("X-Forwarded-For: 192.0.2.7\r\n");
    static const char near[] = WEBSOCKET("X-Forwarded-For: 192.0.2.8\r\n");
    assert_string_equal(client_of(HTTP_BALANCER, TEXT(""), first), "192.0.2.7");
    int fd = connect_from(HTTP_BALANCER);
    client_say(fd, near);
    client_expect(&it.lab, fd, " 429 ", "too_many_connections");
    close(fd);
    assert_string_equal(client_of(HTTP_BALANCER, TEXT(""), near), "192.0.2.8");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_header_names_the_client),
        TEST(a_header_may_come_byte_by_byte),
        TEST(a_balancer_without_a_good_header_is_closed),
        TEST(a_header_that_does_not_come_is_not_waited_for),
        TEST(nobody_else_is_believed_a_header),
        TEST(who_waits_for_its_header_takes_room),
        TEST(listeners_close_with_headers_awaited),
        TEST(forwarded_headers_are_believed_of_balancers_only),
        TEST(neighbours_are_those_of_the_client),
        TEST(the_header_can_be_the_one_of_the_rfc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
