/* HTTP as a whole: connections, and the loops. */
#include "edge/edge_http_internal.h"

#include "log/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WAIT_MAX_MS = 1000 };

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
    struct edge_http_connection *connection = data;
    struct edge_http *http = connection->http;
    edge_http_wait_no_more(connection);
    free(connection);
    edge_http_connection_closed(http);
}

const struct edge_http_settings *edge_http_shared(const struct edge_http *http)
{
    return &http->settings;
}

void edge_http_accept(struct edge_http *http, int fd, const struct address *peer)
{
    struct edge_http_connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) {
        close(fd);
        return;
    }
    h2o_socket_t *socket =
        h2o_evloop_socket_create(http->loop, fd, H2O_SOCKET_FLAG_IS_ACCEPTED_CONNECTION);
    http->connections++;
    edge_http_set_peer(socket, peer);
    connection->http = http;
    connection->socket = socket;
    edge_http_wait(connection);
    socket->on_close.cb = on_connection_close;
    socket->on_close.data = connection;
    h2o_accept(&http->accept, socket);
}

/* The loops. */

static void on_inner_ready(h2o_socket_t *socket, const char *error)
{
    (void)socket;
    (void)error; /* edge_http_turn() turns the inner loop anyway */
}

static int on_request(h2o_handler_t *handler, h2o_req_t *req)
{
    edge_http_wait_no_more_for(req);
    return edge_http_route(((struct handler *)handler)->http, req);
}

static void configure(struct edge_http *http)
{
    h2o_globalconf_t *config = &http->config;
    h2o_config_init(config);
    config->max_request_entity_size = http->settings.edge->message_max + 32 * 1024;
    config->http1.upgrade_to_http2 = 0;
    config->http1.req_timeout = (uint64_t)http->settings.edge->request_ms;
    if (http->settings.tls != NULL) /* of libh2o's part; all of it: edge_http_tls_tick() */
        config->handshake_timeout =
            (uint64_t)edge_tls_settings_of(http->settings.tls)->handshake_timeout_ms;
    config->server_name = h2o_iovec_init(H2O_STRLIT("meridian-edge"));
    h2o_hostconf_t *host =
        h2o_config_register_host(config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_pathconf_t *path = h2o_config_register_path(host, "/", 0);
    h2o_pathconf_t *const paths[] = {path, &host->fallback_path};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        edge_http_allow_origins(http, paths[i]);
        edge_http_answer_errors(paths[i]);
    }
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
    if (edge_roles_parse(text_of(settings->edge->roles), &http->roles) != 0) {
        error_text_set(reterr_why, -EINVAL, "'roles' must be " EDGE_ROLES_RULE);
        free(http);
        return NULL;
    }
    list_init(&http->handshakes.list);
    list_init(&http->waiting.list);
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
