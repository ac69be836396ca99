/* HTTP as a whole: connections, routes, and the loops. */
#include "edge/edge_http_internal.h"

#include "edge/edge_framing.h"
#include "edge/edge_url.h"
#include "log/log.h"
#include "wire/record.h"
#include "json/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WAIT_MAX_MS = 1000, PATH_MAX_SIZE = 1024 };

struct handler { /* ours, behind h2o's */
    h2o_handler_t super;
    struct edge_http *http;
};

h2o_loop_t *edge_http_loop(struct edge_http *http)
{
    return http->loop;
}

size_t edge_http_connections(const struct edge_http *http)
{
    return http->connections;
}

void edge_http_connection_closed(struct edge_http *http)
{
    http->connections--;
    http->settings.ops->on_connection_closed(http->settings.context);
}

static void on_connection_close(void *data)
{
    edge_http_connection_closed(data);
}

const struct edge_http_settings *edge_http_shared(const struct edge_http *http)
{
    return &http->settings;
}

void edge_http_accept(struct edge_http *http, int fd, const struct address *peer)
{
    h2o_socket_t *socket =
        h2o_evloop_socket_create(http->loop, fd, H2O_SOCKET_FLAG_IS_ACCEPTED_CONNECTION);
    http->connections++;
    edge_http_set_peer(socket, peer);
    socket->on_close.cb = on_connection_close;
    socket->on_close.data = http;
    h2o_accept(&http->accept, socket);
}

/* Routes. */

static int on_healthz(struct edge_http *http, h2o_req_t *req)
{
    struct buffer json = {0};
    buffer_printf(&json,
                  "{\"status\":\"ok\",\"region\":\"%s\",\"edge\":\"%s\",\"version\":\"%s\","
                  "\"sessions\":%zu}",
                  http->settings.edge->region, http->settings.edge->name, MERIDIAN_VERSION,
                  http->settings.ops->sessions(http->settings.context));
    edge_http_answer_now(req, &(struct edge_answer){.status = 200, .json = buffer_text(&json)});
    buffer_free(&json);
    return 0;
}

static int on_readyz(struct edge_http *http, h2o_req_t *req)
{
    const char *why = http->settings.ops->why_not_ready(http->settings.context);
    struct buffer json = {0};
    buffer_append_text(&json, why == NULL ? TEXT("{\"ready\":true") : TEXT("{\"ready\":false"));
    if (why != NULL) {
        buffer_append_text(&json, TEXT(",\"reason\":"));
        json_write_string(&json, text_of(why));
    }
    buffer_append_text(&json, TEXT("}"));
    edge_http_answer_now(
        req, &(struct edge_answer){.status = why == NULL ? 200 : 503, .json = buffer_text(&json)});
    buffer_free(&json);
    return 0;
}

/* Whoever's mailbox the path names, whatever is asked of it, the token is of that user. */
static int authorize_call(struct edge_http *http, h2o_req_t *req, struct text user,
                          struct edge_token **ret_token)
{
    struct text shown = edge_auth_of_authorization(edge_http_header(req, "authorization"));
    int err =
        edge_auth_judge(http->settings.auth, shown, loop_now_ms(http->settings.loop), ret_token);
    if (err == 0)
        err = edge_auth_fit(http->settings.auth, *ret_token, user, TEXT(""));
    if (err != 0) {
        free(*ret_token);
        *ret_token = NULL;
    }
    return err;
}

static int on_api(struct edge_http *http, h2o_req_t *req, struct text user, struct text query)
{
    const struct edge_http_ops *ops = http->settings.ops;
    bool post = text_equal(edge_http_text(req->method), TEXT("POST"));
    const char *why = ops->why_not_open(http->settings.context);
    if (why != NULL)
        return edge_http_refuse_now(req, 503, "not_ready", why);
    if (http->requests >= http->settings.edge->requests_max)
        return edge_http_refuse_now(req, 503, "busy", "too many requests wait for an answer");
    if (post && req->entity.len > http->settings.edge->message_max)
        return edge_http_refuse_now(req, 413, "too_large",
                                    "the body is larger than this edge takes");
    if (!post && !wire_is_person(user))
        return edge_http_refuse_now(req, 400, "bad_request",
                                    "the user id is not 1 to 128 bytes of UTF-8 without controls");
    struct edge_token *token;
    int err = authorize_call(http, req, user, &token);
    if (err != 0)
        return err == -EACCES ? edge_http_refuse_unauthorized(http, req)
                              : edge_http_refuse_now(req, 503, "busy", "memory is short");
    struct edge_request *request = edge_http_request_new(http, req, token);
    if (post)
        ops->on_post(http->settings.context, request, edge_http_text(req->entity));
    else
        ops->on_poll(http->settings.context, request, user, query);
    return 0;
}

static bool takes_prefix(struct text *path, struct text prefix)
{
    if (path->size < prefix.size || memcmp(path->data, prefix.data, prefix.size) != 0)
        return false;
    path->data += prefix.size;
    path->size -= prefix.size;
    return true;
}

static int route(struct edge_http *http, h2o_req_t *req, struct text path, struct text query)
{
    struct text method = edge_http_text(req->method);
    bool get = text_equal(method, TEXT("GET"));
    if (text_equal(path, TEXT("/healthz")) && get)
        return on_healthz(http, req);
    if (text_equal(path, TEXT("/readyz")) && get)
        return on_readyz(http, req);
    if (text_equal(path, TEXT("/ws")))
        return edge_http_on_websocket(http, req, TEXT(""), query);
    if (text_equal(path, TEXT("/api/messages")) && text_equal(method, TEXT("POST")))
        return on_api(http, req, TEXT(""), query);
    if (text_equal(path, TEXT("/v1/sse")) && get)
        return edge_http_on_stream(http, req, query, &edge_framing_sse);
    if (text_equal(path, TEXT("/v1/stream")) && get)
        return edge_http_on_stream(http, req, query, &edge_framing_ndjson);
    if (takes_prefix(&path, TEXT("/ws/")) && path.size > 0)
        return edge_http_on_websocket(http, req, path, query);
    if (takes_prefix(&path, TEXT("/api/messages/")) && get)
        return on_api(http, req, path, query);
    return edge_http_refuse_now(req, 404, "not_found", "nothing is served here");
}

static int on_request(h2o_handler_t *handler, h2o_req_t *req)
{
    struct edge_http *http = ((struct handler *)handler)->http;
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
    return route(http, req, path, query);
}

/* The loops. */

static void on_inner_ready(h2o_socket_t *socket, const char *error)
{
    (void)socket;
    (void)error; /* edge_http_turn() turns the inner loop anyway */
}

static void configure(struct edge_http *http)
{
    h2o_globalconf_t *config = &http->config;
    h2o_config_init(config);
    config->max_request_entity_size = http->settings.edge->message_max + 32 * 1024;
    config->http1.upgrade_to_http2 = 0;
    if (http->settings.tls != NULL) /* of libh2o's part; all of it: edge_http_tls_tick() */
        config->handshake_timeout =
            (uint64_t)edge_tls_settings_of(http->settings.tls)->handshake_timeout_ms;
    config->server_name = h2o_iovec_init(H2O_STRLIT("meridian-edge"));
    h2o_hostconf_t *host =
        h2o_config_register_host(config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_pathconf_t *path = h2o_config_register_path(host, "/", 0);
    struct handler *handler = (struct handler *)h2o_create_handler(path, sizeof *handler);
    handler->super.on_req = on_request;
    handler->http = http;
}

static int watch_inner(struct edge_http *http)
{
    int fd = dup(loop_fd(http->settings.loop)); /* h2o closes what it watches */
    if (fd < 0)
        return -errno;
    http->inner = h2o_evloop_socket_create(http->loop, fd, H2O_SOCKET_FLAG_DONT_READ);
    h2o_socket_read_start(http->inner, on_inner_ready);
    return 0;
}

struct edge_http *edge_http_new(const struct edge_http_settings *settings,
                                struct error_text *reterr_why)
{
    struct edge_http *http = calloc(1, sizeof *http);
    if (http == NULL)
        return NULL;
    http->settings = *settings;
    if (networks_parse(text_of(settings->edge->forwarded_networks), &http->forwarders) != 0) {
        error_text_set(reterr_why, -EINVAL, "'proxy.forwarded_networks' must be " NETWORKS_RULE);
        free(http);
        return NULL;
    }
    list_init(&http->handshakes.list);
    configure(http);
    http->loop = h2o_evloop_create();
    h2o_context_init(&http->context, http->loop, &http->config);
    http->accept.ctx = &http->context;
    http->accept.hosts = http->config.hosts;
    http->accept_tls = http->accept;
    if (watch_inner(http) != 0) {
        error_text_set(reterr_why, -errno, "no descriptor is left for the loop");
        edge_http_free(http);
        return NULL;
    }
    return http;
}

void edge_http_turn(struct edge_http *http)
{
    int wait_ms = loop_wait_ms(http->settings.loop);
    if (wait_ms < 0 || wait_ms > WAIT_MAX_MS)
        wait_ms = WAIT_MAX_MS;
    h2o_evloop_run(http->loop, wait_ms);
    int err = loop_turn(http->settings.loop, 0);
    static struct log_limit limit;
    if (err != 0)
        log_limited(&limit, LOG_LEVEL_ERROR, "the event loop failed", LOG_ERRNO(err));
}

void edge_http_free(struct edge_http *http)
{
    if (http == NULL)
        return;
    if (http->inner != NULL)
        h2o_socket_close(http->inner);
    /* What h2o_context_request_shutdown() does for HTTP/1.1. The whole of it also starts a timer
     * for HTTP/2, which would still run when the context is disposed. */
    http->context.shutdown_requested = 1;
    for (int i = 0; i < 20 && http->connections > 0; i++)
        h2o_evloop_run(http->loop, 10);
    if (http->connections > 0) { /* the process ends; they go with it */
        static struct edge_http *left_open;
        left_open = http;
        (void)left_open;
        return;
    }
    h2o_multithread_queue_t *queue = http->context.queue;
    h2o_context_dispose(&http->context);
    h2o_config_dispose(&http->config);
    h2o_evloop_destroy(http->loop);
    free(queue); /* libh2o 2.2.5 empties it and forgets it */
    free(http);
}
