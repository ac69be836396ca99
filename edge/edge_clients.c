/* The edge and its clients: how many may come, what HTTP asks, and the parts that serve them. */
#include "edge/edge_internal.h"

#include "base/clock.h"
#include "base/hash.h"
#include "edge/edge_descriptors.h"
#include "edge/edge_exchange.h"
#include "log/log.h"

#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>

enum {
    OWNER_MISSING_MS = 10000, /* a shard without an owner for so long: not ready */
};

size_t edge_connections(const struct edge *edge)
{
    size_t sessions = edge->sessions == NULL ? 0 : edge_sessions_count(edge->sessions);
    return sessions + edge_http_connections(edge->http) + edge_listener_arrivals(edge->listener) +
           edge_listener_arrivals(edge->listener_tls);
}

static size_t on_listener_room(void *context)
{
    struct edge *edge = context;
    size_t connections = edge_connections(edge);
    return connections >= edge->connections_max ? 0 : edge->connections_max - connections;
}

void edge_resume_listening(struct edge *edge)
{
    edge_listener_resume(edge->listener);
    edge_listener_resume(edge->listener_tls);
}

static void on_connection_closed(void *context)
{
    edge_resume_listening(context);
}

/* HTTP. */

static void on_upgraded(void *context, const struct edge_upgrade *upgrade, int fd, uint8_t *bytes,
                        size_t size)
{
    struct edge *edge = context;
    edge_sessions_open(edge->sessions, upgrade, fd, bytes, size);
}

static void on_exchange(void *context, struct edge_request *request, const struct edge_upgrade *who,
                        const struct text *body)
{
    struct edge *edge = context;
    edge_exchange_open(edge->sessions, request, who, body);
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

static void on_user(void *context, struct edge_request *request, enum edge_user_ask ask,
                    struct text user, struct text body)
{
    struct edge *edge = context;
    edge_users_ask(edge->users, request, ask, user, body);
}

static const char *edge_why_not_open(void *context)
{
    const struct edge *edge = context;
    if (edge->stopping != EDGE_RUNNING)
        return "this edge stops";
    if (edge->away)
        return "this edge is taken out of use";
    if (!edge->ever_connected)
        return "the bus is not connected yet";
    return edge->revoked == NULL ? NULL : revoked_why_not_ready(edge->revoked);
}

static const char *edge_why_not_ready(void *context)
{
    struct edge *edge = context;
    int64_t now_ms = loop_now_ms(edge->loop);
    if (edge->stopping != EDGE_RUNNING)
        return "this edge stops";
    if (edge->away)
        return "this edge is taken out of use";
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
    if (!homes_can_tell(edge->directory, now_ms))
        return "the directory's mirror is not known to be current, and its primary is not heard";
    return edge->revoked == NULL ? NULL : revoked_why_not_ready(edge->revoked);
}

static size_t on_count_sessions(void *context)
{
    const struct edge *edge = context;
    return edge_sessions_count(edge->sessions);
}

static bool on_has_room(void *context, struct text user, struct text device)
{
    const struct edge *edge = context;
    return edge_sessions_has_room(edge->sessions, user, device);
}

static bool on_near(void *context, const struct address *address, struct text tenant,
                    struct buffer *json)
{
    const struct edge *edge = context;
    if (edge->near == NULL)
        return false;
    const struct edge_near_client client = {address, tenant};
    edge_near_write_edges(edge->near, &client, clock_wall_ms(), json);
    return true;
}

static const struct edge_http_ops http_ops = {
    .on_upgraded = on_upgraded,
    .on_exchange = on_exchange,
    .on_post = on_post,
    .on_poll = on_poll,
    .on_user = on_user,
    .why_not_ready = edge_why_not_ready,
    .why_not_open = edge_why_not_open,
    .sessions = on_count_sessions,
    .has_room = on_has_room,
    .near = on_near,
    .on_connection_closed = on_connection_closed,
};

/* Building. */

static struct edge_admission_settings admission_settings(const struct edge_settings *settings)
{
    return (struct edge_admission_settings){.handshakes_per_s = settings->handshakes_per_s,
                                            .handshakes_burst = settings->handshakes_burst,
                                            .logins_per_s = settings->logins_per_s,
                                            .logins_burst = settings->logins_burst,
                                            .strangers_max = settings->strangers_max};
}

bool edge_make_client_parts(struct edge *edge)
{
    const struct edge_settings *settings = edge->settings;
    edge->admission.settings = admission_settings(settings);
    hash_random(&edge->admission.chance, sizeof edge->admission.chance);
    edge->limits = edge_limits_new(settings);
    if (edge->limits == NULL)
        return false;
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
                                                           .admission = &edge->admission,
                                                           .limits = edge->limits,
                                                           .auth = edge->auth,
                                                           .near = edge->near});
    edge->api = edge_api_new(&(struct edge_api_settings){.loop = edge->loop,
                                                         .edge = settings,
                                                         .directory = edge->directory,
                                                         .dispatch = edge->dispatch,
                                                         .home = edge->home,
                                                         .auth = edge->auth,
                                                         .near = edge->near,
                                                         .limits = edge->limits,
                                                         .catalogue = edge->catalogue});
    edge->recalls = edge_recalls_new(&(struct edge_recalls_settings){.loop = edge->loop,
                                                                     .edge = settings,
                                                                     .directory = edge->directory,
                                                                     .history = edge->history});
    edge->users = edge_users_new(&(struct edge_users_settings){
        .loop = edge->loop,
        .directory = edge->directory,
        .who = {.bus = edge->bus, .catalogue = edge->catalogue, .edge = settings->name}});
    return edge->sessions != NULL && edge->api != NULL && edge->recalls != NULL &&
           edge->users != NULL;
}

/* A process at its descriptor limit cannot accept; the listener must rest before that. */
static void edge_set_connections_max(struct edge *edge)
{
    struct rlimit limit;
    edge->connections_max = edge->settings->sessions_max;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return;
    edge->connections_max =
        edge_descriptors_connections(limit.rlim_cur, edge->settings->sessions_max);
    if (edge->connections_max == edge->settings->sessions_max)
        return;
    log_warning("the descriptor limit allows fewer connections than limits.sessions_max",
                LOG_U64("allowed", edge->connections_max), LOG_U64("descriptors", limit.rlim_cur));
}

/* NULL with the reason. */
static struct edge_listener *edge_listen(struct edge *edge, struct text address, bool tls,
                                         struct error_text *reterr_why)
{
    struct edge_listener *listener =
        edge_listener_open(&(struct edge_listener_settings){.http = edge->http,
                                                            .address = address,
                                                            .tls = tls,
                                                            .shared = edge->siblings != NULL,
                                                            .room = on_listener_room,
                                                            .context = edge},
                           reterr_why);
    if (listener != NULL)
        log_info("listening", LOG_TEXT("address", address), LOG_BOOL("tls", tls));
    return listener;
}

static int edge_listen_to_all(struct edge *edge, struct error_text *reterr_why)
{
    struct text plain = edge_settings_listen(edge->settings, edge->catalogue);
    struct text tls = edge_settings_listen_tls(edge->settings, edge->catalogue);
    if (plain.size > 0) {
        edge->listener = edge_listen(edge, plain, false, reterr_why);
        if (edge->listener == NULL)
            return -EADDRNOTAVAIL;
    }
    if (tls.size > 0) {
        edge->listener_tls = edge_listen(edge, tls, true, reterr_why);
        if (edge->listener_tls == NULL)
            return -EADDRNOTAVAIL;
    }
    edge->listens = true;
    return 0;
}

/* Whether the port is to be open: one process of an edge that is not ready leaves it to others that
 * are, so that nobody who connects, a balancer's probe included, finds the one that is not. Where
 * none is ready all stay, and say so. */
static bool should_listen(struct edge *edge)
{
    bool ready = edge_why_not_ready(edge) == NULL;
    edge_siblings_say(edge->siblings, edge->number, ready);
    return ready || !edge_siblings_another_is_ready(edge->siblings, edge->number);
}

void edge_share_port(struct edge *edge)
{
    static struct log_limit limit;
    struct error_text why = {0};
    if (edge->siblings == NULL || edge->stopping != EDGE_RUNNING ||
        should_listen(edge) == edge->listens)
        return;
    if (edge->listens) {
        log_warning("not ready, and another process of this edge is: leaving the port to it",
                    LOG_STRING("reason", edge_why_not_ready(edge)));
        edge_close_to_clients(edge);
    } else if (edge_listen_to_all(edge, &why) != 0) {
        edge_close_to_clients(edge);
        log_limited(&limit, LOG_LEVEL_ERROR, "cannot listen", LOG_STRING("reason", why.text));
    }
}

void edge_close_to_clients(struct edge *edge)
{
    if (edge->listens) {
        edge_listener_take_rest(edge->listener);
        edge_listener_take_rest(edge->listener_tls);
    }
    edge_listener_close(edge->listener);
    edge_listener_close(edge->listener_tls);
    edge->listener = edge->listener_tls = NULL;
    edge->listens = false;
}

int edge_open_to_clients(struct edge *edge, struct error_text *reterr_why)
{
    edge->neighbours = edge_neighbours_new(edge->settings->sessions_near_max);
    if (edge->neighbours == NULL)
        return -ENOMEM;
    edge->http = edge_http_new(
        &(struct edge_http_settings){
            .loop = edge->loop,
            .edge = edge->settings,
            .ops = &http_ops,
            .context = edge,
            .auth = edge->auth,
            .neighbours = edge->neighbours,
            .admission = &edge->admission,
            .limits = edge->limits,
            .tls = edge->tls,
        },
        reterr_why);
    if (edge->http == NULL)
        return -ENOMEM;
    edge_set_connections_max(edge);
    /* Where others serve it joins them when it is ready: edge_share_port(). */
    bool joins = edge_siblings_another_is_ready(edge->siblings, edge->number);
    return joins ? 0 : edge_listen_to_all(edge, reterr_why);
}
