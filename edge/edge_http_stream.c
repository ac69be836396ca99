/* Answers without an end: GET /v1/sse and /v1/stream, from the request to the answer's head. */
#include "edge/edge_http_internal.h"

#include "edge/edge_framing.h"
#include "edge/edge_query.h"
#include "wire/frame.h"

#include <errno.h>
#include <string.h>

/* What the query says in place of a hello. */
enum {
    STREAM_TAKES = EDGE_QUERY_DEVICE | EDGE_QUERY_USER | EDGE_QUERY_CURSOR | EDGE_QUERY_START |
                   EDGE_QUERY_TOKEN,
};

/* NULL, or what is wrong. */
static const char *read_request(h2o_req_t *req, struct text query, struct edge_query *ret_query)
{
    const char *wrong = edge_query_read(query, STREAM_TAKES, ret_query);
    /* An EventSource that connects again shows where it was in this header, with the same query. */
    struct text last = edge_http_header(req, "last-event-id");
    if (wrong == NULL && last.size > 0 && edge_query_go_on(ret_query, last) != 0)
        return "Last-Event-ID is not epoch:seq";
    return wrong;
}

/* Browsers can send no header with an EventSource, so the token may be in the query. */
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

static void write_head(h2o_req_t *req, const struct edge_framing *framing)
{
    req->res.status = 200;
    req->res.reason = "OK";
    edge_http_add_header(req, "content-type", text_of(framing->content_type));
    edge_http_add_header(req, "cache-control", TEXT("no-store"));
    edge_http_add_header(req, "x-accel-buffering", TEXT("no")); /* nginx: pass on what comes */
    edge_http_add_header(req, "transfer-encoding", TEXT("chunked"));
}

static int open_stream(struct edge_http_upgrading *upgrading, h2o_req_t *req,
                       const struct edge_query *query, const struct edge_framing *framing)
{
    struct edge_upgrade *upgrade = &upgrading->upgrade;
    int err = authorize(upgrading, req, query);
    const char *wrong = err == 0 ? name(upgrading, query) : NULL;
    if (wrong != NULL) {
        edge_http_upgrading_free(upgrading);
        return edge_http_refuse_now(req, 400, "bad_request", wrong);
    }
    if (err == 0)
        err = edge_neighbours_enter(upgrading->http->settings.neighbours, &upgrade->client,
                                    &upgrade->place);
    if (err != 0)
        return edge_http_refuse_upgrade(upgrading, req, err);
    upgrade->v1 = true;
    upgrade->framing = framing;
    if ((query->keys & EDGE_QUERY_CURSOR) != 0) {
        upgrade->attach_flags |= WIRE_ATTACH_HAS_CURSOR;
        upgrade->epoch = query->epoch;
        upgrade->seq = query->seq;
    }
    if (query->from_head)
        upgrade->attach_flags |= WIRE_ATTACH_FROM_HEAD;
    write_head(req, framing);
    return edge_http_take_over(upgrading, req);
}

static int on_stream(const struct edge_call *call, const struct edge_framing *framing)
{
    struct edge_http *http = call->http;
    h2o_req_t *req = call->req;
    struct edge_query query;
    const char *why = http->settings.ops->why_not_open(http->settings.context);
    if (why != NULL)
        return edge_http_refuse_now(req, 503, "not_ready", why);
    if (req->version < 0x101)
        return edge_http_refuse_now(req, 505, "bad_request", "this needs HTTP/1.1");
    const char *wrong =
        req->entity.len > 0 ? "the request has a body" : read_request(req, call->query, &query);
    if (wrong != NULL)
        return edge_http_refuse_now(req, 400, "bad_request", wrong);
    struct edge_http_upgrading *upgrading = edge_http_upgrading_new(http, req);
    if (upgrading == NULL)
        return edge_http_refuse_now(req, 503, "not_ready", "memory is short");
    return open_stream(upgrading, req, &query, framing);
}

int edge_http_on_sse(const struct edge_call *call)
{
    return on_stream(call, &edge_framing_sse);
}

int edge_http_on_lines(const struct edge_call *call)
{
    return on_stream(call, &edge_framing_ndjson);
}
