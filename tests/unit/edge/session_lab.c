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

struct session_lab it;

static int on_publish(void *context, const char *subject, const void *data, size_t size)
{
    (void)context;
    (void)subject;
    (void)data;
    (void)size;
    return 0;
}

static void on_wake(void *context, int64_t delay_ms)
{
    (void)context;
    (void)delay_ms;
}

static void on_claimed(void *context, const struct wire_claimed *claimed)
{
    (void)context;
    (void)claimed;
}

static void on_outcome(void *context, struct edge_ticket *ticket, enum edge_code code)
{
    (void)context;
    edge_dispatch_on_outcome(ticket, code);
}

static void on_closed(void *context)
{
    (void)context;
}

int lab_begin(void **state)
{
    (void)state;
    memset(&it, 0, sizeof it);
    settings_defaults(edge_settings_table, &it.settings);
    it.settings.sends_per_s = it.settings.user_sends_per_s = it.settings.near_sends_per_s = 0;
    it.settings.user_logins_per_min = it.settings.user_sessions_max = 0;
    strcpy(it.settings.region, "local");
    strcpy(it.settings.name, "local-1");
    it.catalogue = catalogue_load_file(MERIDIAN_SOURCE_DIR "/config/single.yaml", NULL);
    it.loop = loop_new();
    it.bus = bus_open(
        it.loop, &(struct bus_settings){.urls = "nats://127.0.0.1:1", .name = "local-1"}, NULL);
    return it.catalogue == NULL || it.bus == NULL ? -1 : 0;
}

void lab_build(void)
{
    const struct catalogue_region *region = &it.catalogue->regions[0];
    it.directory =
        homes_new(&(struct homes_settings){.loop = it.loop,
                                           .bus = it.bus,
                                           .catalogue = it.catalogue,
                                           .region = region,
                                           .process = it.settings.name,
                                           .users_max = it.settings.directory_users_max,
                                           .waiting_max = it.settings.directory_waiting_max});
    it.home = edge_home_new(&(struct edge_home_settings){.catalogue = it.catalogue,
                                                         .region = region,
                                                         .edge = it.settings.name,
                                                         .publish = on_publish,
                                                         .wake = on_wake,
                                                         .on_claimed = on_claimed});
    it.outbound = edge_outbound_new(&(struct edge_outbound_settings){
        it.loop, it.bus, &it.settings, it.catalogue, region, on_outcome, NULL});
    it.dispatch = edge_dispatch_new(&(struct edge_dispatch_settings){
        it.loop, &it.settings, it.catalogue, it.directory, it.outbound, it.home});
    it.limits = edge_limits_new(&it.settings);
    it.sessions = edge_sessions_new(&(struct edge_sessions_settings){.loop = it.loop,
                                                                     .edge = &it.settings,
                                                                     .catalogue = it.catalogue,
                                                                     .directory = it.directory,
                                                                     .dispatch = it.dispatch,
                                                                     .home = it.home,
                                                                     .on_closed = on_closed,
                                                                     .limits = it.limits,
                                                                     .auth = it.auth});
    assert_non_null(it.sessions);
}

int lab_end(void **state)
{
    (void)state;
    edge_sessions_free(it.sessions);
    edge_limits_free(it.limits);
    edge_dispatch_free(it.dispatch);
    homes_free(it.directory);
    edge_outbound_free(it.outbound, edge_dispatch_on_dropped);
    edge_home_free(it.home);
    bus_close(it.bus);
    loop_free(it.loop);
    catalogue_free(it.catalogue);
    close(it.peer);
    return 0;
}

void lab_turn(void)
{
    for (int i = 0; i < 3; i++)
        assert_int_equal(loop_turn(it.loop, 0), 0);
}

void connect_as(const struct edge_upgrade *upgrade)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    if (it.peer > 0)
        close(it.peer);
    it.peer = pair[1];
    edge_sessions_open(it.sessions, upgrade, pair[0], NULL, 0);
}

void connect_v1(void)
{
    lab_build();
    connect_as(&(struct edge_upgrade){.v1 = true});
}

void say(const char *text)
{
    size_t size = strlen(text);
    uint8_t head[8] = {0x81, 0x80};
    size_t head_size = 2;
    if (size < 126) {
        head[1] |= (uint8_t)size;
    } else {
        head[1] |= 126;
        head[2] = (uint8_t)(size >> 8);
        head[3] = (uint8_t)size;
        head_size = 4;
    }
    memset(head + head_size, 0, 4); /* the mask */
    assert_int_equal(send(it.peer, head, head_size + 4, 0), (ssize_t)head_size + 4);
    assert_int_equal(send(it.peer, text, size, 0), (ssize_t)size);
    lab_turn();
}

const char *hear(void)
{
    static char text[4096];
    uint8_t head[4];
    text[0] = '\0';
    if (recv(it.peer, head, 2, 0) != 2)
        return text;
    size_t size = head[1];
    if (size == 126) {
        assert_int_equal(recv(it.peer, head + 2, 2, 0), 2);
        size = (size_t)head[2] << 8 | head[3];
    }
    assert_true(size < sizeof text);
    if (size > 0)
        assert_int_equal(recv(it.peer, text, size, 0), (ssize_t)size);
    text[size] = '\0';
    if (head[0] == (0x80 | EDGE_WS_CLOSE)) {
        int code = (uint8_t)text[0] << 8 | (uint8_t)text[1];
        snprintf(text, sizeof text, "close %d", code);
    }
    return text;
}

void expect(const char *part)
{
    const char *heard = hear();
    if (strstr(heard, part) == NULL || (part[0] == '\0' && heard[0] != '\0'))
        fail_msg("expected %s in: %s", part, heard);
}
