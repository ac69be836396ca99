/* The calls that take time: who may make one, and the request that waits for its answer. */
#include "edge/edge_http_internal.h"

#include "wire/record.h"

#include <errno.h>
#include <stdlib.h>

/* Whoever's mailbox the path names, whatever is asked of it, the token is of that user. */
static int authorize_call(const struct edge_call *call, struct edge_token **ret_token)
{
    const struct edge_http_settings *settings = &call->http->settings;
    struct text shown = edge_auth_of_authorization(edge_http_header(call->req, "authorization"));
    int err = edge_auth_judge(settings->auth, shown, loop_now_ms(settings->loop), ret_token);
    if (err == 0)
        err = edge_auth_fit(settings->auth, *ret_token, call->user, TEXT(""));
    if (err != 0) {
        free(*ret_token);
        *ret_token = NULL;
    }
    return err;
}

/* NULL: it is answered. */
static struct edge_request *take_call(const struct edge_call *call)
{
    struct edge_http *http = call->http;
    const struct edge_http_settings *settings = &http->settings;
    h2o_req_t *req = call->req;
    struct edge_token *token;
    const char *why = settings->ops->why_not_open(settings->context);
    if (why != NULL) {
        edge_http_refuse_now(req, 503, "not_ready", why);
        return NULL;
    }
    if (http->requests >= settings->edge->requests_max) {
        edge_http_refuse_now(req, 503, "busy", "too many requests wait for an answer");
        return NULL;
    }
    int err = authorize_call(call, &token);
    if (err == 0)
        return edge_http_request_new(http, req, token);
    if (err == -EACCES)
        edge_http_refuse_unauthorized(http, req);
    else
        edge_http_refuse_now(req, 503, "busy", "memory is short");
    return NULL;
}

int edge_http_on_post(const struct edge_call *call)
{
    const struct edge_http_settings *settings = &call->http->settings;
    if (call->req->entity.len > settings->edge->message_max)
        return edge_http_refuse_now(call->req, 413, "too_large",
                                    "the body is larger than this edge takes");
    struct edge_request *request = take_call(call);
    if (request != NULL)
        settings->ops->on_post(settings->context, request, edge_http_text(call->req->entity));
    return 0;
}

int edge_http_on_read(const struct edge_call *call)
{
    const struct edge_http_settings *settings = &call->http->settings;
    if (!wire_is_person(call->user))
        return edge_http_refuse_now(call->req, 400, "bad_request",
                                    "the user id is not 1 to 128 bytes of UTF-8 without controls");
    struct edge_request *request = take_call(call);
    if (request != NULL)
        settings->ops->on_poll(settings->context, request, call->user, call->query);
    return 0;
}
