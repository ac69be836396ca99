/* Signals, and stopping: drain, close, end. */
#include "edge/edge_internal.h"

#include "log/log.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { GOODBYE_MS = 1000 }; /* for close frames to leave */

static const char edge_stops[] = "this edge stops";

static void edge_begin_drain(struct edge *edge)
{
    log_info("stopping", LOG_U64("sessions", edge_sessions_count(edge->sessions)),
             LOG_U64("waiting", edge_outbound_waiting(edge->outbound)));
    edge->stopping = EDGE_DRAINING;
    edge->stop_ms =
        loop_now_ms(edge->loop) + edge_sessions_drain_ms(edge->sessions) + edge->settings->drain_ms;
    edge_siblings_say(edge->siblings, edge->number, false);
    edge_close_to_clients(edge);
    edge_api_drain(edge->api);
}

void edge_work_at_stop(struct edge *edge, int64_t now_ms)
{
    bool late = now_ms >= edge->stop_ms;
    bool left = edge->stopping == EDGE_DRAINING &&
                edge_sessions_drain(edge->sessions, true, edge_stops, now_ms);
    bool idle = edge_outbound_waiting(edge->outbound) == 0 && homes_waiting(edge->directory) == 0;
    if (edge->stopping == EDGE_DRAINING && ((idle && !left) || late)) {
        if (!idle)
            log_warning("stopping with sends whose outcome is unknown",
                        LOG_U64("waiting", edge_outbound_waiting(edge->outbound)));
        edge->stopping = EDGE_CLOSING;
        edge->stop_ms = now_ms + GOODBYE_MS;
        edge_sessions_close_all(edge->sessions, EDGE_CLOSE_GOING_AWAY, edge_stops);
    } else if (edge->stopping == EDGE_CLOSING &&
               (edge_sessions_count(edge->sessions) == 0 || late)) {
        edge->stopping = EDGE_STOPPED;
    }
}

void edge_work_at_drain(struct edge *edge, int64_t now_ms)
{
    edge_drained_tick(edge->drained, now_ms);
    bool away = edge_drained_has(edge->drained, edge->self, edge->number);
    if (away != edge->away) {
        log_info(away ? "taken out of use: clients are sent away" : "in use again",
                 LOG_U64("sessions", edge_sessions_count(edge->sessions)));
        edge->away = away;
        if (away)
            edge_api_drain(edge->api);
    }
    if (away || edge->sends_away)
        edge->sends_away =
            edge_sessions_drain(edge->sessions, away, "this edge is taken out of use", now_ms);
}

static void on_signal(struct loop_io *io, uint32_t events)
{
    struct edge *edge = container_of(io, struct edge, signals);
    struct signalfd_siginfo info;
    (void)events;
    if (read(io->fd, &info, sizeof info) != sizeof info)
        return;
    if (info.ssi_signo == SIGHUP) {
        edge_auth_reload(edge->auth);
        edge_tls_reload(edge->tls);
    } else if (edge->stopping == EDGE_RUNNING) {
        edge_begin_drain(edge);
    } else {
        edge->stop_ms = 0; /* asked twice: no more waiting */
    }
}

int edge_open_signals(struct edge *edge)
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
