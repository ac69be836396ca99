/* What the files of the edge as a whole share: its parts, and what one file does for the others. */
#pragma once

#include "bus/bus.h"
#include "edge/edge.h"
#include "edge/edge_api.h"
#include "edge/edge_drained.h"
#include "edge/edge_history.h"
#include "edge/edge_http.h"
#include "edge/edge_listener.h"
#include "edge/edge_near.h"
#include "edge/edge_neighbours.h"
#include "edge/edge_recalls.h"
#include "edge/edge_session.h"
#include "edge/edge_siblings.h"
#include "edge/edge_users.h"
#include "revoked/revoked.h"

enum edge_stopping { EDGE_RUNNING, EDGE_DRAINING, EDGE_CLOSING, EDGE_STOPPED };

struct edge {
    const struct edge_settings *settings;
    const struct catalogue *catalogue;
    const struct catalogue_region *region;
    const struct catalogue_edge *self;
    uint32_t number;                /* of this process, of those of its edge */
    struct edge_siblings *siblings; /* NULL: it is the only one */
    uint32_t connections_max;
    uint64_t start;
    int64_t renewed_ms; /* when `start` was last changed for orphans; 0: never */

    struct loop *loop;
    struct edge_auth *auth;
    struct bus *bus;
    struct revoked *revoked; /* NULL: no tokens are looked at */
    struct homes *directory;
    struct edge_home *home;
    struct edge_outbound *outbound;
    struct edge_dispatch *dispatch;
    struct edge_sessions *sessions;
    struct edge_api *api;
    struct edge_history *history;
    struct edge_recalls *recalls;
    struct edge_users *users;
    struct edge_http *http;
    struct edge_tls *tls; /* NULL: none */
    struct edge_listener *listener;
    struct edge_neighbours *neighbours;
    struct edge_near *near; /* NULL: nobody asks who is near */
    struct edge_admission admission;
    struct edge_limits *limits;
    struct edge_listener *listener_tls;
    bool listens; /* on all it should */

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
    struct edge_drained *drained;
    bool away;       /* an operator has taken it out of use */
    bool sends_away; /* clients, for that reason; some may be left when it is in use again */
    enum edge_stopping stopping;
    int64_t stop_ms; /* the state of stopping ends then */
    char why[160];   /* of edge_why_not_ready() */
};

/* edge_bus.c */
/* NULL with the reason. */
MUST_USE struct bus *edge_open_bus(struct edge *edge, struct error_text *reterr_why);
/* False when memory is short. */
MUST_USE bool edge_make_bus_parts(struct edge *edge);
/* Says to all hubs that this edge lives. */
void edge_beat(struct edge *edge);

/* edge_clients.c */
/* False when memory is short. */
MUST_USE bool edge_make_client_parts(struct edge *edge);
/* Listens. Negative errno with the reason. */
MUST_USE int edge_open_to_clients(struct edge *edge, struct error_text *reterr_why);
/* Stops listening. */
void edge_close_to_clients(struct edge *edge);
/* Leaves the port to the edge's other processes while this one is not ready and another is. */
void edge_share_port(struct edge *edge);
/* There may be room for new connections. */
void edge_resume_listening(struct edge *edge);
/* Of HTTP and of WebSockets. */
size_t edge_connections(const struct edge *edge);

/* edge_stop.c */
/* From here on SIGTERM, SIGINT and SIGHUP come by the loop. Negative errno. */
MUST_USE int edge_open_signals(struct edge *edge);
/* Takes up whether it is out of use, and sends clients away while it is. */
void edge_work_at_drain(struct edge *edge, int64_t now_ms);
/* Goes on to the next state of stopping when it is time. */
void edge_work_at_stop(struct edge *edge, int64_t now_ms);
