#include "edge/edge_internal.h"

#include "base/hash.h"
#include "log/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TICK_MS = 100,
    SLOW_TICK_MS = 500,
    BEAT_MS = 1000,
};

static void on_tick(struct loop_timer *timer)
{
    struct edge *edge = container_of(timer, struct edge, tick);
    int64_t now_ms = loop_now_ms(edge->loop);
    loop_timer_set(edge->loop, timer, TICK_MS);
    homes_tick(edge->directory, now_ms);
    if (edge_near_tick(edge->near, now_ms))
        edge_sessions_leave_region(edge->sessions);
    edge_home_tick(edge->home, now_ms);
    if (edge->revoked != NULL && revoked_tick(edge->revoked)) {
        edge_sessions_revoked(edge->sessions);
        edge_api_revoked(edge->api);
    }
    edge_api_tick(edge->api, now_ms);
    edge_http_waiting_tick(edge->http);
    if (now_ms - edge->slow_tick_ms >= SLOW_TICK_MS) {
        edge->slow_tick_ms = now_ms;
        edge_sessions_tick(edge->sessions, now_ms);
        edge_tls_tick(edge->tls, now_ms);
        edge_http_tls_tick(edge->http, now_ms);
        edge_share_port(edge);
        edge_resume_listening(edge);
    }
    if (now_ms - edge->beat_ms >= BEAT_MS) {
        edge->beat_ms = now_ms;
        edge_beat(edge);
    }
    if (edge->stopping != EDGE_RUNNING)
        edge_work_at_stop(edge, now_ms);
    else
        edge_work_at_drain(edge, now_ms);
}

static int edge_build(struct edge *edge, struct error_text *reterr_why)
{
    edge->loop = loop_new();
    if (edge->loop == NULL || edge_open_signals(edge) != 0)
        return error_text_set(reterr_why, -errno, "the event loop: %s", strerror(errno));
    edge->auth = edge_auth_new(&edge->settings->auth, reterr_why);
    if (edge->auth == NULL)
        return -EINVAL;
    if (edge->settings->tls.certificate[0] != '\0') {
        edge->tls = edge_tls_new(&edge->settings->tls, loop_now_ms(edge->loop), reterr_why);
        if (edge->tls == NULL)
            return -EINVAL;
    }
    edge->bus = edge_open_bus(edge, reterr_why);
    if (edge->bus == NULL)
        return -EINVAL;
    edge->drained = edge_drained_new(edge->bus, edge->catalogue);
    if (edge->drained == NULL)
        return error_text_set(reterr_why, -ENOMEM, "memory is short");
    if (edge->settings->geo_database[0] != '\0') {
        edge->near =
            edge_near_new(&(struct edge_near_settings){.edge = edge->settings,
                                                       .catalogue = edge->catalogue,
                                                       .region = edge->region,
                                                       .self = edge->self,
                                                       .number = edge->number,
                                                       .siblings = edge->siblings,
                                                       .drained = edge_drained_known(edge->drained),
                                                       .bus = edge->bus},
                          reterr_why);
        if (edge->near == NULL)
            return -EINVAL;
    }
    if (!edge_make_bus_parts(edge) || !edge_make_client_parts(edge))
        return error_text_set(reterr_why, -ENOMEM, "memory is short");
    return edge_open_to_clients(edge, reterr_why);
}

struct edge *edge_new(const struct edge_settings *settings, const struct catalogue *catalogue,
                      struct edge_siblings *siblings, struct error_text *reterr_why)
{
    struct edge *edge = calloc(1, sizeof *edge);
    if (edge == NULL)
        return NULL;
    edge->settings = settings;
    edge->catalogue = catalogue;
    edge->siblings = siblings;
    edge->region = catalogue_region(catalogue, text_of(settings->region));
    edge->signals.fd = -1;
    edge->tick.on_due = on_tick;
    hash_random(&edge->start, sizeof edge->start);
    int err = edge_settings_fit(settings, catalogue, reterr_why);
    if (err == 0)
        edge->self = edge_settings_edge(settings, catalogue, &edge->number);
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
    edge_close_to_clients(edge);
    edge_api_free(edge->api);
    edge_recalls_free(edge->recalls);
    edge_users_free(edge->users);
    edge_sessions_free(edge->sessions);
    edge_history_free(edge->history);
    if (edge->home != NULL && edge->bus != NULL)
        edge_home_flush(edge->home, loop_now_ms(edge->loop)); /* the last reports and detaches */
    edge_http_free(edge->http);
    edge_neighbours_free(edge->neighbours);
    edge_limits_free(edge->limits);
    edge_near_free(edge->near);
    edge_drained_free(edge->drained);
    edge_tls_free(edge->tls);
    edge_dispatch_free(edge->dispatch);
    homes_free(edge->directory);
    edge_outbound_free(edge->outbound, edge_dispatch_on_dropped);
    edge_auth_free(edge->auth);
    revoked_free(edge->revoked);
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
    while (edge->stopping != EDGE_STOPPED)
        edge_http_turn(edge->http);
    log_info("stopped", LOG_U64("publishes", edge_outbound_publishes(edge->outbound)));
}
