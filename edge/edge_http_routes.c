/* The routes of HTTP, and the requests that find theirs. */
#include "edge/edge_http_internal.h"

#include "edge/edge_routes.h"
#include "edge/edge_url.h"
#include "json/json.h"

#include <errno.h>
#include <stdlib.h>

enum { PATH_MAX_SIZE = 1024 };

static int on_healthz(const struct edge_call *call)
{
    struct edge_http *http = call->http;
    struct buffer json = {0};
    buffer_printf(&json,
                  "{\"status\":\"ok\",\"region\":\"%s\",\"edge\":\"%s\",\"version\":\"%s\","
                  "\"sessions\":%zu}",
                  http->settings.edge->region, http->settings.edge->name, MERIDIAN_VERSION,
                  http->settings.ops->sessions(http->settings.context));
    edge_http_answer_now(call->req,
                         &(struct edge_answer){.status = 200, .json = buffer_text(&json)});
    buffer_free(&json);
    return 0;
}

static int on_readyz(const struct edge_call *call)
{
    const struct edge_http_settings *settings = &call->http->settings;
    const char *why = settings->ops->why_not_ready(settings->context);
    struct buffer json = {0};
    buffer_append_text(&json, why == NULL ? TEXT("{\"ready\":true") : TEXT("{\"ready\":false"));
    if (why != NULL) {
        buffer_append_text(&json, TEXT(",\"reason\":"));
        json_write_string(&json, text_of(why));
    }
    buffer_append_text(&json, TEXT("}"));
    edge_http_answer_now(call->req, &(struct edge_answer){.status = why == NULL ? 200 : 503,
                                                          .json = buffer_text(&json)});
    buffer_free(&json);
    return 0;
}

/* As little as there is, for clients that measure how far it is. */
static int on_ping(const struct edge_call *call)
{
    return edge_http_answer_nothing(call->req);
}

/* Nobody needs a token to ask which edges are near; who shows one is told by its tenant's pins. */
static int judge_shown(const struct edge_call *call, struct edge_token **ret_token)
{
    const struct edge_http_settings *settings = &call->http->settings;
    struct text shown = edge_auth_of_authorization(edge_http_header(call->req, "authorization"));
    *ret_token = NULL;
    return shown.size == 0
               ? 0
               : edge_auth_judge(settings->auth, shown, loop_now_ms(settings->loop), ret_token);
}

static int on_edges(const struct edge_call *call)
{
    const struct edge_http_settings *settings = &call->http->settings;
    struct address client = edge_http_client(call->http, call->req);
    struct edge_token *token;
    struct buffer json = {0};
    int err = judge_shown(call, &token);
    if (err == -EACCES)
        return edge_http_refuse_unauthorized(call->http, call->req);
    bool known = err != 0 ||
                 settings->ops->near(settings->context, &client, edge_token_tenant(token), &json);
    free(token);
    if (!known)
        return edge_http_refuse_now(call->req, 404, "not_found", "this edge knows of no places");
    if (err != 0 || json.failed)
        edge_http_refuse_now(call->req, 503, "busy", "memory is short");
    else
        edge_http_answer_now(call->req,
                             &(struct edge_answer){.status = 200, .json = buffer_text(&json)});
    buffer_free(&json);
    return 0;
}

enum {
    GET = EDGE_METHOD_GET,
    SAFE_GET = EDGE_METHOD_GET | EDGE_METHOD_HEAD,
    POST = EDGE_METHOD_POST,
    API = EDGE_ROLE_API,
    SOCKET = EDGE_ROLE_SOCKET,
};

/* There is no HEAD where a GET takes what it reads out of a mailbox. */
const struct edge_route edge_http_routes[] = {
    {"/healthz", SAFE_GET, 0, on_healthz},
    {"/readyz", SAFE_GET, 0, on_readyz},
    {"/v1/ping", SAFE_GET, 0, on_ping},
    {"/v1/edges", SAFE_GET, 0, on_edges},
    {"/ws", GET, SOCKET, edge_http_on_websocket},
    {"/ws/{user_id}", GET, SOCKET, edge_http_on_websocket},
    {"/v1/sse", GET, SOCKET, edge_http_on_sse},
    {"/v1/stream", GET, SOCKET, edge_http_on_lines},
    {"/v1/poll", GET, SOCKET, edge_http_on_v1_poll},
    {"/v1/frames", POST, SOCKET, edge_http_on_v1_frames},
    {"/api/messages", POST, API, edge_http_on_post},
    {"/api/messages/{user_id}", GET, API, edge_http_on_read},
    {"/api/users/{user_id}/location", SAFE_GET, API, edge_http_on_location},
    {"/api/users/{user_id}/connections", SAFE_GET, API, edge_http_on_connections},
    {"/api/users/{user_id}/disconnect", POST, API, edge_http_on_disconnect},
};
const size_t edge_http_route_count = COUNT_OF(edge_http_routes);

static int answer_options(struct edge_http *http, h2o_req_t *req, const struct edge_found *found)
{
    edge_http_add_methods(req, "allow", found->allow);
    edge_http_add_preflight(http, req, found->allow);
    return edge_http_answer_nothing(req);
}

static int refuse_method(h2o_req_t *req, const struct edge_found *found)
{
    edge_http_add_methods(req, "allow", found->allow);
    return edge_http_refuse_now(req, 405, "method_not_allowed",
                                "the path does not take this method");
}

static int call(struct edge_http *http, h2o_req_t *req, struct text path, struct text query)
{
    struct edge_found found = edge_routes_find(edge_http_routes, edge_http_route_count, http->roles,
                                               edge_http_text(req->method), path);
    switch (found.routed) {
    case EDGE_ROUTED:
        return found.route->on_call(
            &(struct edge_call){.http = http, .req = req, .user = found.name, .query = query});
    case EDGE_ROUTED_OPTIONS:
        return answer_options(http, req, &found);
    case EDGE_ROUTED_NOT_ALLOWED:
        return refuse_method(req, &found);
    case EDGE_ROUTED_NOT_HERE:
        return edge_http_refuse_now(req, 404, "not_here", "edges of another role serve this");
    default:
        return edge_http_refuse_now(req, 404, "not_found", "nothing is served here");
    }
}

int edge_http_route(struct edge_http *http, h2o_req_t *req)
{
    struct text target = edge_http_text(req->input.path);
    struct text query = {"", 0};
    struct text path;
    char room[PATH_MAX_SIZE];
    if (req->input.query_at != SIZE_MAX && req->input.query_at < target.size) {
        size_t at = req->input.query_at;
        query = (struct text){.data = target.data + at + 1, .size = target.size - at - 1};
        target.size = at;
    }
    size_t path_at = edge_url_path_at(target);
    target.data += path_at;
    target.size -= path_at;
    /* Decoded here, not normalized: a user id may hold anything, also "..". */
    if (edge_url_decode(target, false, room, sizeof room, &path) != 0)
        return edge_http_refuse_now(req, 400, "bad_request", "the path is malformed or too long");
    return call(http, req, path, query);
}
