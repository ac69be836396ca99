/* HTTP/1.1 on libh2o: parsing, routes, answers, and the 101 after which a descriptor is ours. No
 * file but edge_http*.c and edge_listener.c knows of libh2o. */
#pragma once

#include "base/address.h"
#include "base/buffer.h"
#include "base/error_text.h"
#include "base/text.h"
#include "edge/edge_admission.h"
#include "edge/edge_auth.h"
#include "edge/edge_limits.h"
#include "edge/edge_neighbours.h"
#include "edge/edge_refusal.h"
#include "edge/edge_settings.h"
#include "edge/edge_tls.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stdint.h>

struct edge_http;    /* opaque */
struct edge_request; /* a request that waits for its answer */

struct edge_framing;

struct edge_upgrade {                   /* what the request of a WebSocket or a stream said */
    bool v1;                            /* meridian.v1; else plain */
    struct text user;                   /* of the path; empty: the hello says it */
    struct text device;                 /* of the query; empty: not given */
    struct edge_token *token;           /* on_upgraded() takes it; NULL: it showed none */
    bool unauthorized;                  /* v1: it is to be told so, and closed */
    struct address client;              /* behind the balancers, if any */
    struct edge_place *place;           /* on_upgraded() takes it; NULL: nobody is counted */
    SSL *ssl;                           /* on_upgraded() takes it; NULL: plain */
    bool stranger;                      /* on_upgraded() takes it: of the admission */
    const struct edge_framing *framing; /* of a stream; NULL: a WebSocket */
    /* What a WebSocket says in its hello; without one user and device are known, too. */
    uint8_t attach_flags; /* WIRE_ATTACH_... */
    uint32_t epoch;
    uint64_t seq;
    int64_t wait_ms; /* of a poll: for the first message */
};

enum edge_user_ask { EDGE_USER_LOCATION, EDGE_USER_CONNECTIONS, EDGE_USER_DISCONNECT };

struct edge_http_ops {
    /* The answer's head was written. Takes `fd`; `bytes` came behind the request, and may be
     * changed in place. */
    void (*on_upgraded)(void *context, const struct edge_upgrade *upgrade, int fd, uint8_t *bytes,
                        size_t size);
    /* A call of meridian.v1 that is answered as a whole: a poll, or frames in a body, which lives
     * as long as the request. Takes who->token. */
    void (*on_exchange)(void *context, struct edge_request *request, const struct edge_upgrade *who,
                        const struct text *body);
    /* POST /api/messages */
    void (*on_post)(void *context, struct edge_request *request, struct text body);
    /* GET /api/messages/{user}; the query is still encoded. */
    void (*on_poll)(void *context, struct edge_request *request, struct text user,
                    struct text query);
    /* /api/users/{user}/... */
    void (*on_user)(void *context, struct edge_request *request, enum edge_user_ask ask,
                    struct text user, struct text body);
    /* NULL: ready; else why not, borrowed until the next call. */
    const char *(*why_not_ready)(void *context);
    /* NULL: new WebSockets and calls are welcome; else why not. */
    const char *(*why_not_open)(void *context);
    size_t (*sessions)(void *context);
    /* Whether this user may have one more connection. May be NULL: it may. */
    bool (*has_room)(void *context, struct text user, struct text device);
    /* GET /v1/edges: the answer for a client there, of a tenant or none (empty). False: this edge
     * does not know. */
    bool (*near)(void *context, const struct address *client, struct text tenant,
                 struct buffer *json);
    /* The number of connections has gone down. */
    void (*on_connection_closed)(void *context);
};

struct edge_http_settings {
    struct loop *loop; /* turned by edge_http_run() */
    const struct edge_settings *edge;
    const struct edge_http_ops *ops;
    void *context;
    const struct edge_auth *auth;       /* NULL: a client is who it says */
    struct edge_neighbours *neighbours; /* NULL: as many as like */
    struct edge_admission *admission;   /* NULL: as fast as they like */
    struct edge_limits *limits;         /* NULL: each as often as it likes */
    const struct edge_tls *tls;         /* NULL: there is no TLS port */
};
/* Borrows what the settings point to. */
MUST_USE struct edge_http *edge_http_new(const struct edge_http_settings *settings,
                                         struct error_text *reterr_why);
/* Connections of HTTP that are still open keep their memory. NULL is fine. */
void edge_http_free(struct edge_http *http);
/* One turn of both loops: waits, then serves HTTP and what is due in settings->loop. */
void edge_http_turn(struct edge_http *http);
/* Whether there is room for one more connection without a request. At the limit the oldest gives
 * way, once it has had its second. */
bool edge_http_may_come(struct edge_http *http);
/* Ends connections that have sent more than a request may have, and no request: libh2o itself would
 * keep 408 KiB of each. Call it about ten times a second. */
void edge_http_waiting_tick(struct edge_http *http);
/* Ends TLS handshakes that take too long. Call it about twice a second. */
void edge_http_tls_tick(struct edge_http *http, int64_t now_ms);
/* Connections that are still HTTP's, handshakes among them. */
size_t edge_http_connections(const struct edge_http *http);

/* Who answers a request. */
struct edge_request_owner {
    /* The request is over: answered, and the answer `written`, or its connection has gone. */
    void (*on_gone)(struct edge_request_owner *owner, bool written);
};
void edge_request_own(struct edge_request *request, struct edge_request_owner *owner);
struct edge_answer {
    int status;
    struct text json;        /* copied */
    struct text cursor;      /* Meridian-Cursor; empty: none */
    bool resync;             /* Meridian-Resync: 1 */
    uint32_t retry_after_ms; /* Retry-After; 0: none */
};
/* Once. on_gone() follows, also at once. */
void edge_request_answer(struct edge_request *request, const struct edge_answer *answer);
/* Empty when the request has none of that name (in small letters); borrowed as the token is. */
struct text edge_request_header(const struct edge_request *request, const char *name);
/* Where it comes from, behind the balancers, if any. */
struct address edge_request_client(const struct edge_request *request);
/* Whose request it is; borrowed as long as the request is not answered. NULL: whose it says. */
const struct edge_token *edge_request_token(const struct edge_request *request);
void edge_request_refuse_as(struct edge_request *request, const struct edge_refusal *refusal);
/* As edge_refusal() has it. */
void edge_request_refuse(struct edge_request *request, int status, const char *code,
                         const char *message);
/* 401, for want of a good token: the one answer there is. */
void edge_request_unauthorized(struct edge_request *request);
