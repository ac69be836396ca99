#include "edge/edge_http.h"

#include "edge/edge_h2o.h"
#include "edge/edge_url.h"
#include "edge/edge_ws.h"
#include "log/log.h"
#include "wire/record.h"
#include "json/json.h"

#include <assert.h>
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <unistd.h>

enum { WAIT_MAX_MS = 1000, PATH_MAX_SIZE = 1024 };

static const char subprotocol[] = "meridian.v1";

struct handler { /* ours, behind h2o's */
    h2o_handler_t super;
    struct edge_http *http;
};

struct edge_http {
    struct edge_http_settings settings;
    h2o_globalconf_t config;
    h2o_loop_t *loop;
    h2o_context_t context;
    h2o_accept_ctx_t accept;
    h2o_socket_t *inner; /* the other loop's epoll set, watched */
    size_t connections;
    size_t requests;
};

/* Lives in the memory of h2o's request, and ends with it. */
struct edge_request {
    struct edge_http *http;
    h2o_req_t *req;
    struct edge_request_owner *owner;
    struct edge_token *token;
    h2o_generator_t generator;
    bool answered;
    bool written;
};

struct upgrading { /* from the request for a WebSocket to its 101 */
    struct edge_http *http;
    struct edge_upgrade upgrade;
    char user[TEXT_USER_MAX];
    char device[TEXT_DEVICE_MAX];
};

static struct text text_of_iovec(h2o_iovec_t from)
{
    return (struct text){.data = from.base, .size = from.len};
}

h2o_loop_t *edge_http_loop(struct edge_http *http)
{
    return http->loop;
}

size_t edge_http_connections(const struct edge_http *http)
{
    return http->connections;
}

static void on_connection_close(void *data)
{
    struct edge_http *http = data;
    http->connections--;
    http->settings.ops->on_connection_closed(http->settings.context);
}

void edge_http_accept(struct edge_http *http, h2o_socket_t *socket)
{
    http->connections++;
    socket->on_close.cb = on_connection_close;
    socket->on_close.data = http;
    h2o_accept(&http->accept, socket);
}

/* Answers. */

static void add_header(h2o_req_t *req, const char *name, struct text value)
{
    h2o_iovec_t copy = h2o_strdup(&req->pool, value.data, value.size);
    h2o_add_header_by_str(&req->pool, &req->res.headers, name, strlen(name), 0, NULL, copy.base,
                          copy.len);
}

static void set_head(h2o_req_t *req, const struct edge_answer *answer)
{
    char seconds[16];
    req->res.status = answer->status;
    req->res.reason = answer->status < 300 ? "OK" : "Refused";
    req->res.content_length = answer->json.size;
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL,
                   H2O_STRLIT("application/json"));
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CACHE_CONTROL, NULL,
                   H2O_STRLIT("no-store"));
    if (answer->cursor.size > 0)
        add_header(req, "meridian-cursor", answer->cursor);
    if (answer->resync)
        add_header(req, "meridian-resync", TEXT("1"));
    if (answer->retry_after_ms > 0) {
        (void)snprintf(seconds, sizeof seconds, "%u", (answer->retry_after_ms + 999) / 1000);
        add_header(req, "retry-after", text_of(seconds));
    }
}

/* The whole of a small answer that nobody waits for. */
static int answer_now(h2o_req_t *req, const struct edge_answer *answer)
{
    set_head(req, answer);
    h2o_send_inline(req, answer->json.data, answer->json.size);
    return 0;
}

static int refuse_now(h2o_req_t *req, int status, const char *code, const char *message)
{
    struct buffer json = {0};
    buffer_append_text(&json, TEXT("{\"code\":"));
    json_write_string(&json, text_of(code));
    buffer_append_text(&json, TEXT(",\"message\":"));
    json_write_string(&json, text_of(message));
    buffer_printf(&json, ",\"retryable\":%s}", status == 503 ? "true" : "false");
    struct edge_answer answer = {.status = status, .json = buffer_text(&json)};
    if (status == 503)
        answer.retry_after_ms = 1000;
    answer_now(req, &answer);
    buffer_free(&json);
    return 0;
}

static int refuse_unauthorized(h2o_req_t *req)
{
    add_header(req, "www-authenticate", TEXT("Bearer"));
    return refuse_now(req, 401, EDGE_AUTH_CODE, EDGE_AUTH_MESSAGE);
}

static void on_request_dispose(void *data)
{
    struct edge_request *request = data;
    struct edge_request_owner *owner = request->owner;
    free(request->token);
    request->http->requests--;
    request->owner = NULL;
    if (owner != NULL)
        owner->on_gone(owner, request->written);
}

/* The answer is in the socket. */
static void on_answer_proceed(h2o_generator_t *generator, h2o_req_t *req)
{
    container_of(generator, struct edge_request, generator)->written = true;
    h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
}

static void on_answer_stop(h2o_generator_t *generator, h2o_req_t *req)
{
    (void)generator;
    (void)req;
}

void edge_request_own(struct edge_request *request, struct edge_request_owner *owner)
{
    request->owner = owner;
}

void edge_request_answer(struct edge_request *request, const struct edge_answer *answer)
{
    h2o_req_t *req = request->req;
    assert(!request->answered);
    request->answered = true;
    set_head(req, answer);
    h2o_iovec_t body = h2o_strdup(&req->pool, answer->json.data, answer->json.size);
    h2o_start_response(req, &request->generator);
    h2o_send(req, &body, 1, H2O_SEND_STATE_IN_PROGRESS);
}

void edge_request_refuse(struct edge_request *request, int status, const char *code,
                         const char *message)
{
    request->answered = true;
    refuse_now(request->req, status, code, message);
}

const struct edge_token *edge_request_token(const struct edge_request *request)
{
    return request->token;
}

void edge_request_unauthorized(struct edge_request *request)
{
    request->answered = true;
    refuse_unauthorized(request->req);
}

/* Takes `token`. */
static struct edge_request *request_new(struct edge_http *http, h2o_req_t *req,
                                        struct edge_token *token)
{
    struct edge_request *request =
        h2o_mem_alloc_shared(&req->pool, sizeof *request, on_request_dispose);
    *request = (struct edge_request){.http = http, .req = req, .token = token};
    request->generator.proceed = on_answer_proceed;
    request->generator.stop = on_answer_stop;
    http->requests++;
    return request;
}

/* WebSockets. */

static void hand_over(struct upgrading *upgrading, h2o_socket_t *socket, size_t request_size)
{
    struct edge_http *http = upgrading->http;
    h2o_socket_export_t exported;
    h2o_buffer_consume(&socket->input, request_size);
    if (h2o_socket_export(socket, &exported) != 0) {
        h2o_socket_close(socket);
        return;
    }
    http->settings.ops->on_upgraded(http->settings.context, &upgrading->upgrade, exported.fd,
                                    (uint8_t *)exported.input->bytes, exported.input->size);
    upgrading->upgrade.token = NULL; /* taken */
    h2o_buffer_dispose(&exported.input);
}

static void upgrading_free(struct upgrading *upgrading)
{
    free(upgrading->upgrade.token);
    free(upgrading);
}

static void on_upgraded(void *data, h2o_socket_t *socket, size_t request_size)
{
    struct upgrading *upgrading = data;
    if (socket != NULL) /* NULL: the 101 could not be written */
        hand_over(upgrading, socket, request_size);
    upgrading_free(upgrading);
}

static void accept_key(struct text key, char accept[EDGE_WS_ACCEPT_SIZE])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455, 1.3 */
    char joined[24 + sizeof guid];
    unsigned char digest[SHA_DIGEST_LENGTH];
    memcpy(joined, key.data, 24);
    memcpy(joined + 24, guid, sizeof guid);
    SHA1((const unsigned char *)joined, sizeof joined - 1, digest);
    EVP_EncodeBlock((unsigned char *)accept, digest, sizeof digest);
}

static struct text header_of(const h2o_req_t *req, const char *name)
{
    ssize_t at = h2o_find_header_by_str(&req->headers, name, strlen(name), -1);
    return at < 0 ? (struct text){"", 0} : text_of_iovec(req->headers.entries[at].value);
}

/* One of a comma-separated list, compared as it stands or, with `fold`, without regard to case. */
static bool list_has(struct text list, struct text wanted, bool fold)
{
    while (list.size > 0) {
        const char *comma = memchr(list.data, ',', list.size);
        size_t size = comma == NULL ? list.size : (size_t)(comma - list.data);
        struct text item = {.data = list.data, .size = size};
        while (item.size > 0 && (*item.data == ' ' || *item.data == '\t')) {
            item.data++;
            item.size--;
        }
        while (item.size > 0 &&
               (item.data[item.size - 1] == ' ' || item.data[item.size - 1] == '\t'))
            item.size--;
        if (item.size == wanted.size &&
            (fold ? strncasecmp(item.data, wanted.data, wanted.size) == 0
                  : memcmp(item.data, wanted.data, wanted.size) == 0))
            return true;
        size_t used = comma == NULL ? size : size + 1;
        list.data += used;
        list.size -= used;
    }
    return false;
}

static int switch_protocols(h2o_req_t *req, struct upgrading *upgrading, struct text key)
{
    char accept[EDGE_WS_ACCEPT_SIZE];
    accept_key(key, accept);
    req->res.status = 101;
    req->res.reason = "Switching Protocols";
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_UPGRADE, NULL, H2O_STRLIT("websocket"));
    add_header(req, "sec-websocket-accept", text_of(accept));
    if (upgrading->upgrade.v1)
        add_header(req, "sec-websocket-protocol", text_of(subprotocol));
    h2o_http1_upgrade(req, NULL, 0, on_upgraded, upgrading);
    return 0;
}

/* Reads what the path and the query say of who connects. */
static const char *read_who(struct upgrading *upgrading, struct text user, struct text query)
{
    struct text value;
    struct edge_upgrade *upgrade = &upgrading->upgrade;
    if (user.size > 0) {
        if (!wire_is_person(user) || user.size > sizeof upgrading->user)
            return "the user id is not 1 to 128 bytes of UTF-8 without controls";
        memcpy(upgrading->user, user.data, user.size);
        upgrade->user = (struct text){.data = upgrading->user, .size = user.size};
    }
    if (edge_url_query(query, TEXT("device"), &value) &&
        (edge_url_decode(value, true, upgrading->device, sizeof upgrading->device,
                         &upgrade->device) != 0 ||
         !text_is_device_id(upgrade->device)))
        return "the device id is not 1 to 64 printable ASCII characters";
    if (!upgrade->v1 && user.size == 0)
        return "ask for the subprotocol meridian.v1, or connect to /ws/{user_id}";
    return NULL;
}

/* Whose WebSocket it becomes. A token in Authorization is answered here when it is bad. One among
 * the subprotocols is a browser's, which learns nothing of an HTTP answer: it is told after the
 * 101. A meridian.v1 client without any may still show one in its hello. */
static int authorize(h2o_req_t *req, struct upgrading *upgrading)
{
    const struct edge_http_settings *settings = &upgrading->http->settings;
    struct edge_upgrade *upgrade = &upgrading->upgrade;
    struct text shown = edge_auth_of_authorization(header_of(req, "authorization"));
    bool in_header = shown.size > 0;
    if (!in_header)
        shown = edge_auth_of_protocols(header_of(req, "sec-websocket-protocol"));
    if (shown.size == 0 && upgrade->v1)
        return 0;
    int err = edge_auth_judge(settings->auth, shown, loop_now_ms(settings->loop), &upgrade->token);
    if (err == 0)
        err = edge_auth_fit(upgrade->token, upgrade->user, upgrade->device);
    if (err == -EACCES && upgrade->v1 && !in_header) {
        upgrade->unauthorized = true;
        err = 0;
    }
    return err;
}

/* NULL when it is the handshake of a WebSocket. */
static const char *why_no_handshake(h2o_req_t *req, struct text *ret_key)
{
    *ret_key = header_of(req, "sec-websocket-key");
    if (!text_equal(text_of_iovec(req->method), TEXT("GET")) || req->version < 0x101)
        return "a WebSocket begins with a GET of HTTP/1.1";
    if (!list_has(text_of_iovec(req->upgrade), TEXT("websocket"), true))
        return "the header Upgrade: websocket is missing";
    if (ret_key->size != 24)
        return "the header Sec-WebSocket-Key is missing or malformed";
    return NULL;
}

static int on_websocket(struct edge_http *http, h2o_req_t *req, struct text user, struct text query)
{
    struct text key;
    struct text protocols = header_of(req, "sec-websocket-protocol");
    const char *why = why_no_handshake(req, &key);
    if (why != NULL)
        return refuse_now(req, 400, "bad_request", why);
    if (!text_equal(header_of(req, "sec-websocket-version"), TEXT("13"))) {
        add_header(req, "sec-websocket-version", TEXT("13"));
        return refuse_now(req, 426, "bad_request", "WebSocket version 13 is spoken here");
    }
    bool v1 = list_has(protocols, text_of(subprotocol), false);
    if (protocols.size > 0 && !v1)
        return refuse_now(req, 400, "unknown_subprotocol", "the only subprotocol is meridian.v1");
    why = http->settings.ops->why_not_open(http->settings.context);
    if (why != NULL)
        return refuse_now(req, 503, "not_ready", why);
    struct upgrading *upgrading = calloc(1, sizeof *upgrading);
    if (upgrading == NULL)
        return refuse_now(req, 503, "not_ready", "memory is short");
    upgrading->http = http;
    upgrading->upgrade.v1 = v1;
    why = read_who(upgrading, user, query);
    if (why != NULL) {
        upgrading_free(upgrading);
        return refuse_now(req, 400, "bad_request", why);
    }
    int err = authorize(req, upgrading);
    if (err != 0) {
        upgrading_free(upgrading);
        return err == -EACCES ? refuse_unauthorized(req)
                              : refuse_now(req, 503, "not_ready", "memory is short");
    }
    return switch_protocols(req, upgrading, key);
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
    answer_now(req, &(struct edge_answer){.status = 200, .json = buffer_text(&json)});
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
    answer_now(
        req, &(struct edge_answer){.status = why == NULL ? 200 : 503, .json = buffer_text(&json)});
    buffer_free(&json);
    return 0;
}

/* Whoever's mailbox the path names, whatever is asked of it, the token is of that user. */
static int authorize_call(struct edge_http *http, h2o_req_t *req, struct text user,
                          struct edge_token **ret_token)
{
    struct text shown = edge_auth_of_authorization(header_of(req, "authorization"));
    int err =
        edge_auth_judge(http->settings.auth, shown, loop_now_ms(http->settings.loop), ret_token);
    if (err == 0)
        err = edge_auth_fit(*ret_token, user, TEXT(""));
    if (err != 0) {
        free(*ret_token);
        *ret_token = NULL;
    }
    return err;
}

static int on_api(struct edge_http *http, h2o_req_t *req, struct text user, struct text query)
{
    const struct edge_http_ops *ops = http->settings.ops;
    bool post = text_equal(text_of_iovec(req->method), TEXT("POST"));
    const char *why = ops->why_not_open(http->settings.context);
    if (why != NULL)
        return refuse_now(req, 503, "not_ready", why);
    if (http->requests >= http->settings.edge->requests_max)
        return refuse_now(req, 503, "busy", "too many requests wait for an answer");
    if (post && req->entity.len > http->settings.edge->message_max)
        return refuse_now(req, 413, "too_large", "the body is larger than this edge takes");
    if (!post && !wire_is_person(user))
        return refuse_now(req, 400, "bad_request",
                          "the user id is not 1 to 128 bytes of UTF-8 without controls");
    struct edge_token *token;
    int err = authorize_call(http, req, user, &token);
    if (err != 0)
        return err == -EACCES ? refuse_unauthorized(req)
                              : refuse_now(req, 503, "busy", "memory is short");
    struct edge_request *request = request_new(http, req, token);
    if (post)
        ops->on_post(http->settings.context, request, text_of_iovec(req->entity));
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
    struct text method = text_of_iovec(req->method);
    bool get = text_equal(method, TEXT("GET"));
    if (text_equal(path, TEXT("/healthz")) && get)
        return on_healthz(http, req);
    if (text_equal(path, TEXT("/readyz")) && get)
        return on_readyz(http, req);
    if (text_equal(path, TEXT("/ws")))
        return on_websocket(http, req, TEXT(""), query);
    if (text_equal(path, TEXT("/api/messages")) && text_equal(method, TEXT("POST")))
        return on_api(http, req, TEXT(""), query);
    if (takes_prefix(&path, TEXT("/ws/")) && path.size > 0)
        return on_websocket(http, req, path, query);
    if (takes_prefix(&path, TEXT("/api/messages/")) && get)
        return on_api(http, req, path, query);
    return refuse_now(req, 404, "not_found", "nothing is served here");
}

static int on_request(h2o_handler_t *handler, h2o_req_t *req)
{
    struct edge_http *http = ((struct handler *)handler)->http;
    struct text target = text_of_iovec(req->input.path);
    struct text query = {"", 0};
    struct text path;
    char room[PATH_MAX_SIZE];
    if (req->input.query_at != SIZE_MAX && req->input.query_at < target.size) {
        size_t at = req->input.query_at;
        query = (struct text){.data = target.data + at + 1, .size = target.size - at - 1};
        target.size = at;
    }
    /* Decoded here, not normalized: a user id may hold anything, also "..". */
    if (edge_url_decode(target, false, room, sizeof room, &path) != 0)
        return refuse_now(req, 400, "bad_request", "the path is malformed or too long");
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
    configure(http);
    http->loop = h2o_evloop_create();
    h2o_context_init(&http->context, http->loop, &http->config);
    http->accept.ctx = &http->context;
    http->accept.hosts = http->config.hosts;
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
