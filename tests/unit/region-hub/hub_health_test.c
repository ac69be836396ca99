#include "region-hub/hub_health.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
    struct loop *loop;
    struct hub_health *health;
    struct sockaddr_in at;
    bool ready;
};

static bool is_ready(void *context, struct buffer *out)
{
    const struct world *world = context;
    buffer_printf(out, "reason=%s\n", world->ready ? "" : "log_empty");
    return world->ready;
}

static void write_status(void *context, struct buffer *out)
{
    (void)context;
    buffer_printf(out, "{\"shards\":[]}");
}

static void find_port(struct world *world)
{
    socklen_t size = sizeof world->at;
    world->at =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&world->at, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&world->at, &size), 0);
    close(fd);
}

static int set_up(void **state)
{
    char address[32];
    struct error_text why = {0};
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    find_port(world);
    snprintf(address, sizeof address, "127.0.0.1:%u", ntohs(world->at.sin_port));
    world->loop = loop_new();
    world->health = hub_health_start(world->loop,
                                     &(struct hub_health_settings){.address = address,
                                                                   .context = world,
                                                                   .is_ready = is_ready,
                                                                   .write_status = write_status},
                                     &why);
    if (world->health == NULL)
        fail_msg("%s", why.text);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    hub_health_stop(world->health);
    loop_free(world->loop);
    free(world);
    return 0;
}

static int connect_to(const struct world *world)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&world->at, sizeof world->at), 0);
    return fd;
}

static void turn(struct world *world)
{
    for (int i = 0; i < 10; i++)
        assert_int_equal(loop_turn(world->loop, 5), 0);
}

/* The whole answer, up to the end of the connection. */
static void ask(struct world *world, const char *request, char *answer, size_t size)
{
    int fd = connect_to(world);
    assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
    turn(world);
    ssize_t got = recv(fd, answer, size - 1, MSG_DONTWAIT);
    assert_true(got > 0);
    answer[got] = '\0';
    assert_int_equal(recv(fd, answer + got, 1, MSG_DONTWAIT), 0);
    close(fd);
}

static void tells_its_status_as_json(void **state)
{
    char answer[512];
    ask(*state, "GET /status HTTP/1.1\r\nHost: x\r\n\r\n", answer, sizeof answer);
    assert_non_null(strstr(answer, "HTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(answer, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(answer, "\r\n\r\n{\"shards\":[]}"));
}

static void answers_that_it_is_up_and_whether_it_is_ready(void **state)
{
    struct world *world = *state;
    char answer[1024];
    ask(world, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", answer, sizeof answer);
    assert_non_null(strstr(answer, "HTTP/1.1 200 OK"));
    ask(world, "GET /readyz HTTP/1.1\r\n\r\n", answer, sizeof answer);
    assert_non_null(strstr(answer, "HTTP/1.1 503"));
    assert_non_null(strstr(answer, "reason=log_empty"));
    world->ready = true;
    ask(world, "GET /readyz?verbose HTTP/1.0\r\n\r\n", answer, sizeof answer);
    assert_non_null(strstr(answer, "HTTP/1.1 200 OK"));
    ask(world, "GET /readyzz HTTP/1.1\r\n\r\n", answer, sizeof answer);
    assert_non_null(strstr(answer, "HTTP/1.1 404"));
    ask(world, "POST /healthz HTTP/1.1\r\n\r\n", answer, sizeof answer);
    assert_non_null(strstr(answer, "HTTP/1.1 404"));
}

static void serves_connections_up_to_the_bound_and_the_next_when_one_ends(void **state)
{
    struct world *world = *state;
    static const char request[] = "GET /healthz HTTP/1.1\r\n\r\n";
    int idle[HUB_HEALTH_CONNECTIONS_MAX];
    char byte;
    for (int i = 0; i < HUB_HEALTH_CONNECTIONS_MAX; i++)
        idle[i] = connect_to(world);
    turn(world);
    for (int i = 0; i < HUB_HEALTH_CONNECTIONS_MAX; i++)
        turn(world);
    int more = connect_to(world);
    assert_int_equal(send(more, request, strlen(request), 0), strlen(request));
    turn(world);
    assert_int_equal(recv(more, &byte, 1, MSG_DONTWAIT), -1);
    close(idle[0]);
    turn(world);
    assert_int_equal(recv(more, &byte, 1, MSG_DONTWAIT), 1);
    close(more);
    for (int i = 1; i < HUB_HEALTH_CONNECTIONS_MAX; i++)
        close(idle[i]);
}

static void closes_who_sends_too_much(void **state)
{
    struct world *world = *state;
    char junk[4096];
    memset(junk, 'x', sizeof junk);
    int fd = connect_to(world);
    assert_true(send(fd, junk, sizeof junk, MSG_NOSIGNAL) > 0);
    turn(world);
    assert_true(recv(fd, junk, 1, MSG_DONTWAIT) <= 0);
    assert_true(send(fd, junk, 1, MSG_NOSIGNAL) <= 1);
    close(fd);
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(tells_its_status_as_json),
        WITH_WORLD(answers_that_it_is_up_and_whether_it_is_ready),
        WITH_WORLD(serves_connections_up_to_the_bound_and_the_next_when_one_ends),
        WITH_WORLD(closes_who_sends_too_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
