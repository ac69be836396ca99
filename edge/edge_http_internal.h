/* What the files of HTTP share: all of HTTP of an edge, and what one file does for the others. */
#pragma once

#include "edge/edge_h2o.h"
#include "edge/edge_http.h"
#include "edge/edge_routes.h"

enum { EDGE_HTTP_GIVES_WAY_MS = 1000 }; /* an honest client has said it by then, but on bad links */

/* HTTP's until it is closed or handed over; its socket's on_close.data. */
struct edge_http_connection {
    struct edge_http *http;
    h2o_socket_t *socket;
    struct list waiting; /* linked while it owes a request */
    int64_t since_ms;    /* since when */
};

struct edge_http_waiting { /* connections that owe a request */
    struct list list;      /* oldest first */
    size_t count;
};

struct edge_http_handshakes { /* of TLS, that are not done */
    struct list list;         /* oldest first */
    size_t count;
};

struct edge_http {
    struct edge_http_settings settings;
    h2o_globalconf_t config;
    h2o_loop_t *loop;
    h2o_context_t context;
    h2o_accept_ctx_t accept;
    h2o_accept_ctx_t accept_tls;
    struct edge_http_handshakes handshakes;
    struct edge_http_waiting waiting;
    h2o_socket_t *inner; /* the other loop's epoll set, watched */
    struct networks forwarders;
    unsigned roles; /* enum edge_role, a set */
    size_t connections;
    size_t requests;
};

static inline struct text edge_http_text(h2o_iovec_t from)
{
    return (struct text){.data = from.base, .size = from.len};
}

/* edge_http_client.c */
/* What edge_http_client() finds when a request comes. */
void edge_http_set_peer(h2o_socket_t *socket, const struct address *peer);
/* Whose request it is, as far as who is connected can be believed. */
struct address edge_http_client(struct edge_http *http, h2o_req_t *req);
/* edge_http.c */
void edge_http_connection_closed(struct edge_http *http);

/* edge_http_waiting.c */
/* From now on it owes a request. */
void edge_http_wait(struct edge_http_connection *connection);
void edge_http_wait_no_more(struct edge_http_connection *connection); /* also when it does not */
/* The request is here; when it is over, its connection owes the next one. */
void edge_http_wait_no_more_for(h2o_req_t *req);
/* libh2o learns of it by reading, and closes: it must not be closed under its hands. */
void edge_http_give_up(const struct edge_http_connection *connection);

/* edge_http_tls.c */
/* The TLS of a socket that is about to leave libh2o: a reference of the caller's; NULL where it is
 * plain. -EPROTO: it cannot leave. */
MUST_USE int edge_http_share_ssl(h2o_socket_t *socket, SSL **ret_ssl);

/* edge_http_answer.c */
/* Empty when the request has none of that name. */
struct text edge_http_header(const h2o_req_t *req, const char *name);
/* Copies the value, not the name. */
void edge_http_add_header(h2o_req_t *req, const char *name, struct text value);
/* The value of `name` becomes a list: "GET, HEAD". */
void edge_http_add_methods(h2o_req_t *req, const char *name, unsigned methods);
/* These answer at once, and return 0, as a handler of libh2o does. */
int edge_http_answer_now(h2o_req_t *req, const struct edge_answer *answer);
int edge_http_answer_nothing(h2o_req_t *req); /* 204 */
int edge_http_refuse_now(h2o_req_t *req, int status, const char *code, const char *message);
/* For what is above a rate: come again after so long. Ends the connection. */
int edge_http_refuse_for_now(h2o_req_t *req, int status, const char *code, const char *message,
                             uint32_t again_ms);
int edge_http_refuse_unauthorized(struct edge_http *http, h2o_req_t *req);
/* Takes `token`. */
struct edge_request *edge_http_request_new(struct edge_http *http, h2o_req_t *req,
                                           struct edge_token *token);

/* edge_http_errors.c */
/* Makes JSON of what libh2o refuses by itself on this path. */
void edge_http_answer_errors(h2o_pathconf_t *path);

/* edge_http_cors.c */
/* Tells pages of other origins, with each answer on this path, whether they may read it. */
void edge_http_allow_origins(struct edge_http *http, h2o_pathconf_t *path);
/* The same for an answer that does not go through libh2o's filters. */
void edge_http_add_origin(const struct edge_http *http, h2o_req_t *req);
/* What such a page asks before it sends: is it allowed, and by which methods? */
void edge_http_add_preflight(struct edge_http *http, h2o_req_t *req, unsigned methods);

/* edge_http_routes.c */
struct edge_call { /* a request that has found its route; borrows of the request */
    struct edge_http *http;
    h2o_req_t *req;
    struct text user;  /* of the path; empty where that names nobody */
    struct text query; /* still encoded */
};
extern const struct edge_route edge_http_routes[];
extern const size_t edge_http_route_count;
/* These answer, now or later, and return 0, as a handler of libh2o does. */
int edge_http_route(struct edge_http *http, h2o_req_t *req);

/* edge_http_calls.c */
int edge_http_on_post(const struct edge_call *call);
int edge_http_on_read(const struct edge_call *call);
int edge_http_on_location(const struct edge_call *call);
int edge_http_on_connections(const struct edge_call *call);
int edge_http_on_disconnect(const struct edge_call *call);

/* edge_http_upgrade.c */
/* From the request for a connection of the client's own to its answer's head, after which the
 * descriptor is no more HTTP's. */
struct edge_http_upgrading {
    struct edge_http *http;
    struct edge_upgrade upgrade;
    char user[TEXT_USER_MAX];
    char device[TEXT_DEVICE_MAX];
};
/* NULL when memory is short. */
MUST_USE struct edge_http_upgrading *edge_http_upgrading_new(struct edge_http *http,
                                                             h2o_req_t *req);
void edge_http_upgrading_free(struct edge_http_upgrading *upgrading); /* NULL is fine */
/* Answers that it cannot be: -EACCES, -EUSERS, or memory is short. Takes it. */
int edge_http_refuse_upgrade(struct edge_http_upgrading *upgrading, h2o_req_t *req, int err);
/* Whether there is room for one more client who says hello. Else it is answered, and `upgrading` is
 * freed. */
MUST_USE bool edge_http_greet(struct edge_http_upgrading *upgrading, h2o_req_t *req);
/* The same for one who has said who it is. */
MUST_USE bool edge_http_log_in(struct edge_http_upgrading *upgrading, h2o_req_t *req);
/* Sends the head that `req` holds; takes it. */
int edge_http_take_over(struct edge_http_upgrading *upgrading, h2o_req_t *req);
int edge_http_on_websocket(const struct edge_call *call);

/* edge_http_v1.c */
int edge_http_on_sse(const struct edge_call *call);
int edge_http_on_lines(const struct edge_call *call);
int edge_http_on_v1_poll(const struct edge_call *call);
int edge_http_on_v1_frames(const struct edge_call *call);
