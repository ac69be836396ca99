/* meridian.v1 without a WebSocket: the requests of GET /v1/sse, /v1/stream and /v1/poll, and of
 * POST /v1/frames. What a hello says on a WebSocket is said by their query. */
#include "edge/edge_http_internal.h"

#include "edge/edge_framing.h"
#include "edge/edge_query.h"
#include "wire/frame.h"

#include <errno.h>
#include <string.h>

enum {
    FRAMES_TAKES = EDGE_QUERY_DEVICE | EDGE_QUERY_USER | EDGE_QUERY_TOKEN,
    STREAM_TAKES = FRAMES_TAKES | EDGE_QUERY_CURSOR | EDGE_QUERY_START,
    POLL_TAKES = STREAM_TAKES | EDGE_QUERY_WAIT,
};

/* Who asks. */

/* NULL, or what is wrong. */
static const char *read_query(const struct edge_call *call, unsigned takes,
                              struct edge_query *ret_query)
{
    const char *wrong = edge_query_read(call->query, takes, ret_query);
    /* An EventSource that connects again shows where it was in this header, with the same query. */
    struct text last =
        (takes & EDGE_QUERY_CURSOR) == 0 ? TEXT("") : edge_http_header(call->req, "last-event-id");
    if (wrong == NULL && last.size > 0 && edge_query_go_on(ret_query, last) != 0)
        return "Last-Event-ID is not epoch:seq";
    if (wrong == NULL && (ret_query->keys & EDGE_QUERY_TOKEN) != 0 &&
        !call->http->settings.edge->tokens_in_query)
        return "this edge takes no token from the query";
    if (wrong == NULL &&
        (int64_t)ret_query->wait_s * 1000 > call->http->settings.edge->poll_wait_max_ms)
        return "wait is no number of seconds up to the longest allowed";
    return wrong;
}

/* Browsers can send no header with an EventSource, so the token may be in the query, where the
 * operator allows it: queries stand in logs of proxies. */
static int authorize(struct edge_http_upgrading *upgrading, h2o_req_t *req,
                     const struct edge_query *query)
{
    const struct edge_http_settings *settings = &upgrading->http->settings;
    struct edge_upgrade *upgrade = &upgrading->upgrade;
    struct text shown = edge_auth_of_authorization(edge_http_header(req, "authorization"));
    if (shown.size == 0)
        shown = query->token;
    int err = edge_auth_judge(settings->auth, shown, loop_now_ms(settings->loop), &upgrade->token);
    return err == 0 ? edge_auth_fit(settings->auth, upgrade->token, query->user, query->device)
                    : err;
}

static struct text keep(char *room, struct text said)
{
    if (said.size > 0)
        memcpy(room, said.data, said.size);
    return (struct text){room, said.size};
}

/* NULL, or who is missing. What the query does not say the token does. */
static const char *name(struct edge_http_upgrading *upgrading, const struct edge_query *query)
{
    struct edge_upgrade *upgrade = &upgrading->upgrade;
    upgrade->user = keep(upgrading->user, query->user);
    upgrade->device = keep(upgrading->device, query->device);
    if (upgrade->user.size == 0 && upgrade->token != NULL)
        upgrade->user = edge_token_user(upgrade->token);
    if (upgrade->device.size == 0 && upgrade->token != NULL)
        upgrade->device = edge_token_device(upgrade->token);
    if (upgrade->user.size == 0)
        return "neither a token nor the query says who the user is";
    return upgrade->device.size == 0 ? "neither the query nor the token names a device" : NULL;
}

static void place(struct edge_upgrade *upgrade, const struct edge_query *query)
{
    upgrade->v1 = true;
    upgrade->wait_ms = (int64_t)query->wait_s * 1000;
    if ((query->keys & EDGE_QUERY_CURSOR) != 0) {
        upgrade->attach_flags |= WIRE_ATTACH_HAS_CURSOR;
        upgrade->epoch = query->epoch;
        upgrade->seq = query->seq;
    }
    if (query->from_head)
        upgrade->attach_flags |= WIRE_ATTACH_FROM_HEAD;
}

static struct edge_http_upgrading *refuse(struct edge_http_upgrading *upgrading, h2o_req_t *req,
                                          const char *wrong)
{
    edge_http_upgrading_free(upgrading);
    edge_http_refuse_now(req, 400, "bad_request", wrong);
    return NULL;
}

/* NULL: it is answered. */
static struct edge_http_upgrading *read_who(const struct edge_call *call, unsigned takes)
{
    struct edge_http *http = call->http;
    h2o_req_t *req = call->req;
    struct edge_query query;
    const char *why = http->settings.ops->why_not_open(http->settings.context);
    if (why != NULL) {
        edge_http_refuse_now(req, 503, "not_ready", why);
        return NULL;
    }
    const char *wrong = read_query(call, takes, &query);
    if (wrong != NULL)
        return refuse(NULL, req, wrong);
    struct edge_http_upgrading *upgrading = edge_http_upgrading_new(http, req);
    if (upgrading == NULL) {
        edge_http_refuse_now(req, 503, "not_ready", "memory is short");
        return NULL;
    }
    int err = authorize(upgrading, req, &query);
    if (err != 0) {
        edge_http_refuse_upgrade(upgrading, req, err);
        return NULL;
    }
    wrong = name(upgrading, &query);
    if (wrong != NULL)
        return refuse(upgrading, req, wrong);
    place(&upgrading->upgrade, &query);
    return upgrading;
}

/* Answers without an end. */

static int begin_stream(struct edge_http_upgrading *upgrading, h2o_req_t *req,
                        const struct edge_framing *framing)
{
    upgrading->upgrade.framing = framing;
    req->res.status = 200;
    req->res.reason = "OK";
    edge_http_add_header(req, "content-type", text_of(framing->content_type));
    edge_http_add_header(req, "cache-control", TEXT("no-store"));
    edge_http_add_header(req, "x-accel-buffering", TEXT("no")); /* nginx: pass on what comes */
    edge_http_add_header(req, "transfer-encoding", TEXT("chunked"));
    edge_http_add_origin(upgrading->http, req);
    return edge_http_take_over(upgrading, req);
}

static int on_stream(const struct edge_call *call, const struct edge_framing *framing)
{
    h2o_req_t *req = call->req;
    if (req->version < 0x101)
        return edge_http_refuse_now(req, 505, "bad_request", "this needs HTTP/1.1");
    if (req->entity.len > 0)
        return edge_http_refuse_now(req, 400, "bad_request", "the request has a body");
    struct edge_http_upgrading *upgrading = read_who(call, STREAM_TAKES);
    if (upgrading == NULL)
        return 0;
    if (!edge_http_greet(upgrading, req) || !edge_http_log_in(upgrading, req))
        return 0;
    int err = edge_neighbours_enter(call->http->settings.neighbours, &upgrading->upgrade.client,
                                    &upgrading->upgrade.place);
    return err == 0 ? begin_stream(upgrading, req, framing)
                    : edge_http_refuse_upgrade(upgrading, req, err);
}

int edge_http_on_sse(const struct edge_call *call)
{
    return on_stream(call, &edge_framing_sse);
}

int edge_http_on_lines(const struct edge_call *call)
{
    return on_stream(call, &edge_framing_ndjson);
}

/* Answers with one. */

static int on_exchange(const struct edge_call *call, unsigned takes, const struct text *body)
{
    struct edge_http *http = call->http;
    h2o_req_t *req = call->req;
    if (http->requests >= http->settings.edge->requests_max)
        return edge_http_refuse_now(req, 503, "busy", "too many requests wait for an answer");
    struct edge_http_upgrading *upgrading = read_who(call, takes);
    if (upgrading == NULL)
        return 0;
    http->settings.ops->on_exchange(http->settings.context, edge_http_request_new(http, req, NULL),
                                    &upgrading->upgrade, body);
    upgrading->upgrade.token = NULL; /* it is taken */
    edge_http_upgrading_free(upgrading);
    return 0;
}

int edge_http_on_v1_poll(const struct edge_call *call)
{
    return on_exchange(call, POLL_TAKES, NULL);
}

int edge_http_on_v1_frames(const struct edge_call *call)
{
    struct text body = edge_http_text(call->req->entity);
    if (body.size > call->http->settings.edge->message_max)
        return edge_http_refuse_now(call->req, 413, "too_large",
                                    "the body is larger than this edge takes");
    return on_exchange(call, FRAMES_TAKES, &body);
}
