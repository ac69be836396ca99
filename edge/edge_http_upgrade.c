/* WebSockets, from the request for one to its 101, after which the descriptor is no more HTTP's. */
#include "edge/edge_http_internal.h"

#include "edge/edge_url.h"
#include "edge/edge_ws.h"
#include "wire/record.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

static const char subprotocol[] = "meridian.v1";

struct upgrading { /* from the request for a WebSocket to its 101 */
    struct edge_http *http;
    struct edge_upgrade upgrade;
    char user[TEXT_USER_MAX];
    char device[TEXT_DEVICE_MAX];
};

/* libh2o frees its own part of a TLS connection only together with a descriptor. */
static int keep_descriptor(const h2o_socket_export_t *exported)
{
    return exported->ssl == NULL ? exported->fd : fcntl(exported->fd, F_DUPFD_CLOEXEC, 0);
}

static void dispose(h2o_socket_export_t *exported)
{
    if (exported->ssl == NULL)
        h2o_buffer_dispose(&exported->input);
    else
        h2o_socket_dispose_export(exported);
}

static void hand_over(struct upgrading *upgrading, h2o_socket_t *socket, size_t request_size)
{
    struct edge_http *http = upgrading->http;
    struct edge_upgrade *upgrade = &upgrading->upgrade;
    h2o_socket_export_t exported;
    h2o_buffer_consume(&socket->input, request_size);
    if (edge_http_share_ssl(socket, &upgrade->ssl) != 0 ||
        h2o_socket_export(socket, &exported) != 0) {
        h2o_socket_close(socket);
        return;
    }
    int fd = keep_descriptor(&exported);
    if (fd >= 0) {
        http->settings.ops->on_upgraded(http->settings.context, upgrade, fd,
                                        (uint8_t *)exported.input->bytes, exported.input->size);
        upgrade->token = NULL; /* these are taken */
        upgrade->place = NULL;
        upgrade->ssl = NULL;
    }
    dispose(&exported);
}

static void upgrading_free(struct upgrading *upgrading)
{
    edge_place_leave(upgrading->upgrade.place);
    free(upgrading->upgrade.token);
    SSL_free(upgrading->upgrade.ssl);
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

/* One of a comma-separated list, compared as it stands or, with `fold`, without regard to case. */
static bool list_has(struct text list, struct text wanted, bool fold)
{
    while (list.size > 0) {
        const char *comma = memchr(list.data, ',', list.size);
        size_t size = comma == NULL ? list.size : (size_t)(comma - list.data);
        struct text item = text_trim((struct text){.data = list.data, .size = size});
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
    edge_http_add_header(req, "sec-websocket-accept", text_of(accept));
    if (upgrading->upgrade.v1)
        edge_http_add_header(req, "sec-websocket-protocol", text_of(subprotocol));
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
    struct text shown = edge_auth_of_authorization(edge_http_header(req, "authorization"));
    bool in_header = shown.size > 0;
    if (!in_header)
        shown = edge_auth_of_protocols(edge_http_header(req, "sec-websocket-protocol"));
    if (shown.size == 0 && upgrade->v1)
        return 0;
    int err = edge_auth_judge(settings->auth, shown, loop_now_ms(settings->loop), &upgrade->token);
    if (err == 0)
        err = edge_auth_fit(settings->auth, upgrade->token, upgrade->user, upgrade->device);
    if (err == -EACCES && upgrade->v1 && !in_header) {
        upgrade->unauthorized = true;
        err = 0;
    }
    return err;
}

/* NULL when it is the handshake of a WebSocket. */
static const char *why_no_handshake(h2o_req_t *req, struct text *ret_key)
{
    *ret_key = edge_http_header(req, "sec-websocket-key");
    if (!text_equal(edge_http_text(req->method), TEXT("GET")) || req->version < 0x101)
        return "a WebSocket begins with a GET of HTTP/1.1";
    if (!list_has(edge_http_text(req->upgrade), TEXT("websocket"), true))
        return "the header Upgrade: websocket is missing";
    if (ret_key->size != 24)
        return "the header Sec-WebSocket-Key is missing or malformed";
    return NULL;
}

/* Whoever may come may find no place. */
static int admit(h2o_req_t *req, struct upgrading *upgrading)
{
    int err = authorize(req, upgrading);
    if (err == 0)
        err = edge_neighbours_enter(upgrading->http->settings.neighbours,
                                    &upgrading->upgrade.client, &upgrading->upgrade.place);
    return err;
}

static int refuse(struct edge_http *http, h2o_req_t *req, int err)
{
    if (err == -EACCES)
        return edge_http_refuse_unauthorized(http, req);
    if (err == -EUSERS)
        return edge_http_refuse_now(req, 429, "too_many_connections",
                                    "too many WebSockets are open from where you are");
    return edge_http_refuse_now(req, 503, "not_ready", "memory is short");
}

int edge_http_on_websocket(struct edge_http *http, h2o_req_t *req, struct text user,
                           struct text query)
{
    struct text key;
    struct text protocols = edge_http_header(req, "sec-websocket-protocol");
    const char *why = why_no_handshake(req, &key);
    if (why != NULL)
        return edge_http_refuse_now(req, 400, "bad_request", why);
    if (!text_equal(edge_http_header(req, "sec-websocket-version"), TEXT("13"))) {
        edge_http_add_header(req, "sec-websocket-version", TEXT("13"));
        return edge_http_refuse_now(req, 426, "bad_request", "WebSocket version 13 is spoken here");
    }
    bool v1 = list_has(protocols, text_of(subprotocol), false);
    if (protocols.size > 0 && !v1)
        return edge_http_refuse_now(req, 400, "unknown_subprotocol",
                                    "the only subprotocol is meridian.v1");
    why = http->settings.ops->why_not_open(http->settings.context);
    if (why != NULL)
        return edge_http_refuse_now(req, 503, "not_ready", why);
    struct upgrading *upgrading = calloc(1, sizeof *upgrading);
    if (upgrading == NULL)
        return edge_http_refuse_now(req, 503, "not_ready", "memory is short");
    upgrading->http = http;
    upgrading->upgrade.v1 = v1;
    upgrading->upgrade.client = edge_http_client(http, req);
    why = read_who(upgrading, user, query);
    if (why != NULL) {
        upgrading_free(upgrading);
        return edge_http_refuse_now(req, 400, "bad_request", why);
    }
    int err = admit(req, upgrading);
    if (err != 0) {
        upgrading_free(upgrading);
        return refuse(http, req, err);
    }
    return switch_protocols(req, upgrading, key);
}
