#include "edge/edge.h"

#include "bus/bus.h"
#include "edge/edge_api.h"
#include "edge/edge_history.h"
#include "edge/edge_http.h"
#include "edge/edge_listener.h"
#include "edge/edge_recalls.h"
#include "edge/edge_session.h"
#include "log/log.h"
#include "wire/beat.h"
#include "wire/names.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
    TICK_MS = 100,
    SLOW_TICK_MS = 500,
    BEAT_MS = 1000,
    RENEW_APART_MS = 10000,
    OWNER_MISSING_MS = 10000, /* a shard without an owner for so long: not ready */
    GOODBYE_MS = 1000,        /* for close frames to leave */
    DESCRIPTORS_KEPT = 64,    /* beside clients: NATS, logs, the loops... */
};

enum stopping { RUNNING, DRAINING, CLOSING, STOPPED };

struct edge {
    const struct edge_settings *settings;
    const struct catalogue *catalogue;
    const struct catalogue_region *region;
    uint32_t connections_max;
    uint64_t start;
    int64_t renewed_ms; /* when `start` was last changed for orphans; 0: never */

    struct loop *loop;
    struct edge_auth *auth;
    struct bus *bus;
    struct homes *directory;
    struct edge_home *home;
    struct edge_outbound *outbound;
    struct edge_dispatch *dispatch;
    struct edge_sessions *sessions;
    struct edge_api *api;
    struct edge_history *history;
    struct edge_recalls *recalls;
    struct edge_http *http;
    struct edge_listener *listener;

    struct bus_subscription *frames;
    struct bus_subscription *hub_beats;
    struct loop_later home_later;
    struct loop_timer home_timer;
    struct loop_timer tick;
    int64_t slow_tick_ms;
    int64_t beat_ms;
    uint64_t beats;
    bool ever_connected;

    struct loop_io signals;
    enum stopping stopping;
    int64_t stop_ms; /* the state of stopping ends then */
    char why[160];   /* of edge_why_not_ready() */
};

/* What the parts call. */

static int on_home_publish(void *context, const char *subject, const void *data, size_t size)
{
    struct edge *edge = context;
    return bus_publish(edge->bus, subject, NULL, data, size);
}

static void on_home_wake(void *context, int64_t delay_ms)
{
    struct edge *edge = context;
    if (delay_ms == 0)
        loop_later(edge->loop, &edge->home_later);
    else if (!loop_timer_is_set(&edge->home_timer))
        loop_timer_set(edge->loop, &edge->home_timer, delay_ms);
}

static void on_home_later(struct loop_later *later)
{
    struct edge *edge = container_of(later, struct edge, home_later);
    edge_home_flush(edge->home, loop_now_ms(edge->loop));
}

static void on_home_timer(struct loop_timer *timer)
{
    struct edge *edge = container_of(timer, struct edge, home_timer);
    edge_home_flush(edge->home, loop_now_ms(edge->loop));
}

static void on_claimed(void *context, const struct wire_claimed *claimed)
{
    struct edge *edge = context;
    homes_claimed(edge->directory, claimed);
}

static void on_outcome(void *context, struct edge_ticket *ticket, enum edge_code code)
{
    (void)context;
    edge_dispatch_on_outcome(ticket, code);
}

static size_t edge_connections(const struct edge *edge)
{
    size_t sessions = edge->sessions == NULL ? 0 : edge_sessions_count(edge->sessions);
    return sessions + edge_http_connections(edge->http);
}

static size_t on_listener_room(void *context)
{
    struct edge *edge = context;
    size_t connections = edge_connections(edge);
    return connections >= edge->connections_max ? 0 : edge->connections_max - connections;
}

static void on_connection_closed(void *context)
{
    struct edge *edge = context;
    edge_listener_resume(edge->listener);
}

/* The bus. */

static void on_bus_state(void *context, bool connected)
{
    struct edge *edge = context;
    if (connected) {
        log_info("the bus is connected", LOG_STRING("nats", bus_server_version(edge->bus)));
        edge->ever_connected = true;
        edge->beat_ms = 0; /* hubs should know at once */
        if (edge->outbound != NULL) {
            edge_outbound_connected(edge->outbound);
            edge_home_connected(edge->home, loop_now_ms(edge->loop));
        }
    } else if (edge->ever_connected) {
        log_warning("not connected to NATS");
    }
}

static void on_frame(void *context, const struct bus_message *message)
{
    struct edge *edge = context;
    edge_home_frame(edge->home, message->data, message->size, loop_now_ms(edge->loop));
}

/* The region of "beat.hub.<region>.<shard>". */
static struct text region_of_beat(struct text subject)
{
    static const char prefix[] = "beat.hub.";
    size_t skip = sizeof prefix - 1;
    struct text region = {"", 0};
    if (subject.size <= skip || memcmp(subject.data, prefix, skip) != 0)
        return region;
    const char *dot = memchr(subject.data + skip, '.', subject.size - skip);
    if (dot != NULL)
        region =
            (struct text){.data = subject.data + skip, .size = (size_t)(dot - subject.data) - skip};
    return region;
}

static void on_hub_beat(void *context, const struct bus_message *message)
{
    struct edge *edge = context;
    struct wire_hub_beat beat;
    if (wire_hub_beat_read(message->data, message->size, &beat) == 0)
        edge_home_beat(edge->home, region_of_beat(message->subject), &beat,
                       loop_now_ms(edge->loop));
}

static void edge_beat(struct edge *edge)
{
    struct buffer bytes = {0};
    struct wire_edge_beat beat = {.edge = text_of(edge->settings->name),
                                  .region = text_of(edge->region->name),
                                  .start = edge->start,
                                  .number = ++edge->beats,
                                  .connections = (uint32_t)edge_connections(edge)};
    struct wire_name subject = wire_edge_beat_subject(edge->region->name, edge->settings->name);
    if (wire_edge_beat_write(&bytes, &beat) == 0)
        (void)!bus_publish(edge->bus, subject.text, NULL, bytes.data, bytes.size);
    buffer_free(&bytes);
}

/* To all hubs this is another edge now: they forget every attach of the one before, and beats
 * that count fewer devices than are here let all attach again. At most once in a while: it is a
 * walk over all devices. */
static void on_orphans(void *context)
{
    struct edge *edge = context;
    int64_t now_ms = loop_now_ms(edge->loop);
    if (edge->renewed_ms != 0 && now_ms - edge->renewed_ms < RENEW_APART_MS)
        return;
    edge->renewed_ms = now_ms;
    log_warning("a hub counts devices that have left: beginning anew");
    hash_random(&edge->start, sizeof edge->start);
    edge_beat(edge);
}

/* HTTP. */

static void on_upgraded(void *context, const struct edge_upgrade *upgrade, int fd, uint8_t *bytes,
                        size_t size)
{
    struct edge *edge = context;
    edge_sessions_open(edge->sessions, upgrade, fd, bytes, size);
}

static void on_post(void *context, struct edge_request *request, struct text body)
{
    struct edge *edge = context;
    edge_api_post(edge->api, request, body);
}

static void on_poll(void *context, struct edge_request *request, struct text user,
                    struct text query)
{
    struct edge *edge = context;
    if (edge_history_is_wanted(query))
        edge_recalls_get(edge->recalls, request, user, query);
    else
        edge_api_poll(edge->api, request, user, query);
}

static const char *edge_why_not_open(void *context)
{
    const struct edge *edge = context;
    if (edge->stopping != RUNNING)
        return "this edge stops";
    if (!edge->ever_connected)
        return "the bus is not connected yet";
    return NULL;
}

static const char *edge_why_not_ready(void *context)
{
    struct edge *edge = context;
    int64_t now_ms = loop_now_ms(edge->loop);
    if (edge->stopping != RUNNING)
        return "this edge stops";
    if (!bus_is_connected(edge->bus))
        return "not connected to NATS";
    if (edge_home_shards_differ(edge->home, (size_t)(edge->region - edge->catalogue->regions)))
        return "shards_differ: the hubs count the region's shards otherwise than the catalogue";
    int shard = edge_home_silent_shard(edge->home, now_ms, OWNER_MISSING_MS);
    if (shard >= 0) {
        (void)snprintf(edge->why, sizeof edge->why, "no hub serves shard %d of region %s", shard,
                       edge->region->name);
        return edge->why;
    }
    if (!homes_is_current(edge->directory, now_ms))
        return "the directory's mirror is not known to be current";
    return NULL;
}

static size_t on_count_sessions(void *context)
{
    const struct edge *edge = context;
    return edge_sessions_count(edge->sessions);
}

static const struct edge_http_ops http_ops = {
    .on_upgraded = on_upgraded,
    .on_post = on_post,
    .on_poll = on_poll,
    .why_not_ready = edge_why_not_ready,
    .why_not_open = edge_why_not_open,
    .sessions = on_count_sessions,
    .on_connection_closed = on_connection_closed,
};

/* Stopping: drain, close, end. */

static void edge_begin_drain(struct edge *edge)
{
    log_info("stopping", LOG_U64("sessions", edge_sessions_count(edge->sessions)),
             LOG_U64("waiting", edge_outbound_waiting(edge->outbound)));
    edge->stopping = DRAINING;
    edge->stop_ms = loop_now_ms(edge->loop) + edge->settings->drain_ms;
    edge_listener_close(edge->listener);
    edge->listener = NULL;
    edge_sessions_goaway(edge->sessions, "drain", edge->settings->drain_ms);
    edge_api_drain(edge->api);
}

static void edge_work_at_stop(struct edge *edge, int64_t now_ms)
{
    bool late = now_ms >= edge->stop_ms;
    bool idle = edge_outbound_waiting(edge->outbound) == 0 && homes_waiting(edge->directory) == 0;
    if (edge->stopping == DRAINING && (idle || late)) {
        if (!idle)
            log_warning("stopping with sends whose outcome is unknown",
                        LOG_U64("waiting", edge_outbound_waiting(edge->outbound)));
        edge->stopping = CLOSING;
        edge->stop_ms = now_ms + GOODBYE_MS;
        edge_sessions_close_all(edge->sessions, EDGE_CLOSE_GOING_AWAY, "this edge stops");
    } else if (edge->stopping == CLOSING && (edge_sessions_count(edge->sessions) == 0 || late)) {
        edge->stopping = STOPPED;
    }
}

static void on_signal(struct loop_io *io, uint32_t events)
{
    struct edge *edge = container_of(io, struct edge, signals);
    struct signalfd_siginfo info;
    (void)events;
    if (read(io->fd, &info, sizeof info) != sizeof info)
        return;
    if (info.ssi_signo == SIGHUP)
        edge_auth_reload(edge->auth);
    else if (edge->stopping == RUNNING)
        edge_begin_drain(edge);
    else
        edge->stop_ms = 0; /* asked twice: no more waiting */
}

static void on_tick(struct loop_timer *timer)
{
    struct edge *edge = container_of(timer, struct edge, tick);
    int64_t now_ms = loop_now_ms(edge->loop);
    loop_timer_set(edge->loop, timer, TICK_MS);
    homes_tick(edge->directory, now_ms);
    edge_home_tick(edge->home, now_ms);
    edge_api_tick(edge->api, now_ms);
    if (now_ms - edge->slow_tick_ms >= SLOW_TICK_MS) {
        edge->slow_tick_ms = now_ms;
        edge_sessions_tick(edge->sessions, now_ms);
    }
    if (now_ms - edge->beat_ms >= BEAT_MS) {
        edge->beat_ms = now_ms;
        edge_beat(edge);
    }
    if (edge->stopping != RUNNING)
        edge_work_at_stop(edge, now_ms);
}

/* Building. */

/* A process at its descriptor limit cannot accept; the listener must rest before that. */
static void edge_set_connections_max(struct edge *edge)
{
    struct rlimit limit;
    edge->connections_max = edge->settings->sessions_max;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
        limit.rlim_cur >= (rlim_t)edge->connections_max + DESCRIPTORS_KEPT)
        return;
    edge->connections_max = limit.rlim_cur > 2 * DESCRIPTORS_KEPT
                                ? (uint32_t)limit.rlim_cur - DESCRIPTORS_KEPT
                                : DESCRIPTORS_KEPT;
    log_warning("the descriptor limit allows fewer connections than limits.sessions_max",
                LOG_U64("allowed", edge->connections_max), LOG_U64("descriptors", limit.rlim_cur));
}

static int edge_open_signals(struct edge *edge)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return -errno;
    edge->signals = (struct loop_io){.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC),
                                     .events = EPOLLIN,
                                     .on_event = on_signal};
    return edge->signals.fd < 0 ? -errno : loop_io_add(edge->loop, &edge->signals);
}

static struct bus *edge_open_bus(struct edge *edge, struct error_text *reterr_why)
{
    struct buffer urls = {0};
    const char *configured = edge->settings->nats_urls;
    if (configured[0] == '\0') {
        catalogue_nats_urls(edge->region, &urls);
        configured = urls.failed ? "" : (const char *)urls.data;
    }
    struct bus_settings settings = {
        .urls = configured,
        .name = edge->settings->name,
        .user = edge->settings->nats_user[0] == '\0' ? NULL : edge->settings->nats_user,
        .password = edge->settings->nats_user[0] == '\0' ? NULL : edge->settings->nats_password,
        .pending_max_bytes = edge->settings->nats_pending_max,
        .on_state = on_bus_state,
        .context = edge,
    };
    struct bus *bus = bus_open(edge->loop, &settings, reterr_why);
    buffer_free(&urls);
    return bus;
}

static bool edge_make_bus_parts(struct edge *edge)
{
    const struct edge_settings *settings = edge->settings;
    edge->directory =
        homes_new(&(struct homes_settings){.loop = edge->loop,
                                           .bus = edge->bus,
                                           .catalogue = edge->catalogue,
                                           .region = edge->region,
                                           .process = settings->name,
                                           .users_max = settings->directory_users_max,
                                           .waiting_max = settings->directory_waiting_max});
    edge->home =
        edge_home_new(&(struct edge_home_settings){.catalogue = edge->catalogue,
                                                   .region = edge->region,
                                                   .edge = settings->name,
                                                   .start = edge->start,
                                                   .reads_max = settings->reads_max,
                                                   .reads_one_max = settings->reads_one_max,
                                                   .publish = on_home_publish,
                                                   .wake = on_home_wake,
                                                   .on_claimed = on_claimed,
                                                   .on_orphans = on_orphans,
                                                   .context = edge});
    edge->outbound =
        edge_outbound_new(&(struct edge_outbound_settings){.loop = edge->loop,
                                                           .bus = edge->bus,
                                                           .edge = settings,
                                                           .catalogue = edge->catalogue,
                                                           .region = edge->region,
                                                           .on_outcome = on_outcome,
                                                           .context = edge});
    if (edge->directory == NULL || edge->home == NULL || edge->outbound == NULL)
        return false;
    edge->frames = bus_subscribe(
        edge->bus, wire_edge_subject(edge->region->name, settings->name).text, on_frame, edge);
    edge->hub_beats = bus_subscribe(edge->bus, WIRE_HUB_BEATS, on_hub_beat, edge);
    return edge->frames != NULL && edge->hub_beats != NULL;
}

static bool edge_make_client_parts(struct edge *edge)
{
    const struct edge_settings *settings = edge->settings;
    edge->dispatch =
        edge_dispatch_new(&(struct edge_dispatch_settings){.loop = edge->loop,
                                                           .edge = settings,
                                                           .catalogue = edge->catalogue,
                                                           .directory = edge->directory,
                                                           .outbound = edge->outbound,
                                                           .home = edge->home});
    if (edge->dispatch == NULL)
        return false;
    edge->history = edge_history_new(&(struct edge_history_settings){
        .bus = edge->bus, .catalogue = edge->catalogue, .edge = settings});
    if (edge->history == NULL)
        return false;
    edge->sessions =
        edge_sessions_new(&(struct edge_sessions_settings){.loop = edge->loop,
                                                           .edge = settings,
                                                           .catalogue = edge->catalogue,
                                                           .directory = edge->directory,
                                                           .dispatch = edge->dispatch,
                                                           .home = edge->home,
                                                           .history = edge->history,
                                                           .on_closed = on_connection_closed,
                                                           .context = edge,
                                                           .auth = edge->auth});
    edge->api = edge_api_new(&(struct edge_api_settings){.loop = edge->loop,
                                                         .edge = settings,
                                                         .directory = edge->directory,
                                                         .dispatch = edge->dispatch,
                                                         .home = edge->home});
    edge->recalls = edge_recalls_new(&(struct edge_recalls_settings){.loop = edge->loop,
                                                                     .edge = settings,
                                                                     .directory = edge->directory,
                                                                     .history = edge->history});
    return edge->sessions != NULL && edge->api != NULL && edge->recalls != NULL;
}

static int edge_listen(struct edge *edge, struct error_text *reterr_why)
{
    struct text address = edge_settings_listen(edge->settings, edge->catalogue);
    edge->listener = edge_listener_open(edge->http, address, on_listener_room, edge, reterr_why);
    if (edge->listener == NULL)
        return -EADDRNOTAVAIL;
    log_info("listening", LOG_TEXT("address", address));
    return 0;
}

static int edge_build(struct edge *edge, struct error_text *reterr_why)
{
    edge->loop = loop_new();
    if (edge->loop == NULL || edge_open_signals(edge) != 0)
        return error_text_set(reterr_why, -errno, "the event loop: %s", strerror(errno));
    edge->auth = edge_auth_new(&edge->settings->auth, reterr_why);
    edge->bus = edge->auth == NULL ? NULL : edge_open_bus(edge, reterr_why);
    if (edge->bus == NULL)
        return -EINVAL;
    if (!edge_make_bus_parts(edge) || !edge_make_client_parts(edge))
        return error_text_set(reterr_why, -ENOMEM, "memory is short");
    edge->http = edge_http_new(
        &(struct edge_http_settings){
            .loop = edge->loop,
            .edge = edge->settings,
            .ops = &http_ops,
            .context = edge,
            .auth = edge->auth,
        },
        reterr_why);
    if (edge->http == NULL)
        return -ENOMEM;
    edge_set_connections_max(edge);
    return edge_listen(edge, reterr_why);
}

struct edge *edge_new(const struct edge_settings *settings, const struct catalogue *catalogue,
                      struct error_text *reterr_why)
{
    struct edge *edge = calloc(1, sizeof *edge);
    if (edge == NULL)
        return NULL;
    edge->settings = settings;
    edge->catalogue = catalogue;
    edge->region = catalogue_region(catalogue, text_of(settings->region));
    edge->signals.fd = -1;
    edge->home_later.on_later = on_home_later;
    edge->home_timer.on_due = on_home_timer;
    edge->tick.on_due = on_tick;
    hash_random(&edge->start, sizeof edge->start);
    int err = edge_settings_fit(settings, catalogue, reterr_why);
    if (err == 0)
        err = edge_build(edge, reterr_why);
    if (err != 0) {
        edge_free(edge);
        return NULL;
    }
    loop_timer_set(edge->loop, &edge->tick, 0);
    return edge;
}

void edge_free(struct edge *edge)
{
    if (edge == NULL)
        return;
    edge_listener_close(edge->listener);
    edge->listener = NULL;
    edge_api_free(edge->api);
    edge_recalls_free(edge->recalls);
    edge_sessions_free(edge->sessions);
    edge_history_free(edge->history);
    if (edge->home != NULL && edge->bus != NULL)
        edge_home_flush(edge->home, loop_now_ms(edge->loop)); /* the last reports and detaches */
    edge_http_free(edge->http);
    edge_dispatch_free(edge->dispatch);
    homes_free(edge->directory);
    edge_outbound_free(edge->outbound, edge_dispatch_on_dropped);
    edge_auth_free(edge->auth);
    bus_unsubscribe(edge->frames);
    bus_unsubscribe(edge->hub_beats);
    edge_home_free(edge->home);
    if (edge->loop != NULL) {
        loop_timer_stop(edge->loop, &edge->tick);
        loop_timer_stop(edge->loop, &edge->home_timer);
        loop_later_cancel(&edge->home_later);
    }
    if (edge->bus != NULL)
        bus_close(edge->bus);
    if (edge->signals.fd >= 0) {
        loop_io_remove(edge->loop, &edge->signals);
        close(edge->signals.fd);
    }
    if (edge->loop != NULL)
        loop_free(edge->loop);
    free(edge);
}

void edge_run(struct edge *edge)
{
    while (edge->stopping != STOPPED)
        edge_http_turn(edge->http);
    log_info("stopped", LOG_U64("publishes", edge_outbound_publishes(edge->outbound)));
}
