/* Connections that stop being HTTP's, and WebSockets, from the request for one to its 101. */
#include "edge/edge_http_internal.h"

#include "edge/edge_handshake.h"
#include "edge/edge_origins.h"
#include "edge/edge_url.h"
#include "wire/frame.h"
#include "wire/record.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

static const char subprotocol[] = "meridian.v1";

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

static void hand_over(struct edge_http_upgrading *upgrading, h2o_socket_t *socket,
                      size_t request_size)
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
        upgrade->stranger = false;
        upgrade->ssl = NULL;
    }
    dispose(&exported);
}

void edge_http_upgrading_free(struct edge_http_upgrading *upgrading)
{
    if (upgrading == NULL)
        return;
    edge_place_leave(upgrading->upgrade.place);
    if (upgrading->upgrade.stranger)
        edge_admission_knows(upgrading->http->settings.admission);
    free(upgrading->upgrade.token);
    SSL_free(upgrading->upgrade.ssl);
    free(upgrading);
}

static void on_upgraded(void *data, h2o_socket_t *socket, size_t request_size)
{
    struct edge_http_upgrading *upgrading = data;
    if (socket != NULL) /* NULL: the head could not be written */
        hand_over(upgrading, socket, request_size);
    edge_http_upgrading_free(upgrading);
}

struct edge_http_upgrading *edge_http_upgrading_new(struct edge_http *http, h2o_req_t *req)
{
    struct edge_http_upgrading *upgrading = calloc(1, sizeof *upgrading);
    if (upgrading == NULL)
        return NULL;
    upgrading->http = http;
    upgrading->upgrade.client = edge_http_client(http, req);
    return upgrading;
}

static bool refuse_for_now(struct edge_http_upgrading *upgrading, h2o_req_t *req, int status,
                           const char *code, const char *message, uint32_t again_ms)
{
    edge_http_upgrading_free(upgrading);
    (void)edge_http_refuse_for_now(req, status, code, message, again_ms);
    return false;
}

bool edge_http_greet(struct edge_http_upgrading *upgrading, h2o_req_t *req)
{
    const struct edge_http_settings *settings = &upgrading->http->settings;
    if (settings->admission == NULL)
        return true;
    uint32_t again_ms = edge_admission_greet(settings->admission, loop_now_ms(settings->loop));
    upgrading->upgrade.stranger = again_ms == 0;
    return again_ms == 0 ||
           refuse_for_now(upgrading, req, 503, EDGE_BUSY_CODE, EDGE_BUSY_MESSAGE, again_ms);
}

/* Of a service there may be as many as like. */
static struct text limited_user(const struct edge_upgrade *upgrade)
{
    return upgrade->token != NULL && upgrade->token->service ? TEXT("") : upgrade->user;
}

/* Who names no device, as most plain clients do, is judged later. */
static bool is_crowded(const struct edge_http_settings *settings, struct text user,
                       struct text device)
{
    return user.size > 0 && device.size > 0 && settings->ops->has_room != NULL &&
           !settings->ops->has_room(settings->context, user, device);
}

bool edge_http_log_in(struct edge_http_upgrading *upgrading, h2o_req_t *req)
{
    const struct edge_http_settings *settings = &upgrading->http->settings;
    const struct edge_upgrade *upgrade = &upgrading->upgrade;
    struct text user = limited_user(upgrade);
    if (is_crowded(settings, user, upgrade->device))
        return refuse_for_now(upgrading, req, 429, EDGE_CROWDED_CODE, EDGE_CROWDED_MESSAGE,
                              EDGE_CROWDED_AGAIN_MS);
    bool resumes = (upgrade->attach_flags & WIRE_ATTACH_HAS_CURSOR) != 0;
    struct edge_login login = edge_limits_login(settings->limits, settings->admission, user,
                                                resumes, loop_now_ms(settings->loop));
    if (login.again_ms == 0)
        return true;
    return login.of_user ? refuse_for_now(upgrading, req, 429, EDGE_OFTEN_CODE, EDGE_OFTEN_MESSAGE,
                                          login.again_ms)
                         : refuse_for_now(upgrading, req, 503, EDGE_BUSY_CODE, EDGE_BUSY_MESSAGE,
                                          login.again_ms);
}

int edge_http_take_over(struct edge_http_upgrading *upgrading, h2o_req_t *req)
{
    h2o_http1_upgrade(req, NULL, 0, on_upgraded, upgrading);
    return 0;
}

int edge_http_refuse_upgrade(struct edge_http_upgrading *upgrading, h2o_req_t *req, int err)
{
    struct edge_http *http = upgrading->http;
    edge_http_upgrading_free(upgrading);
    if (err == -EACCES)
        return edge_http_refuse_unauthorized(http, req);
    if (err == -EUSERS)
        return edge_http_refuse_now(req, 429, "too_many_connections",
                                    "too many connections are open from where you are");
    return edge_http_refuse_now(req, 503, "not_ready", "memory is short");
}

static int switch_protocols(h2o_req_t *req, struct edge_http_upgrading *upgrading, struct text key)
{
    char accept[EDGE_HANDSHAKE_ACCEPT];
    edge_handshake_accept(key, accept);
    req->res.status = 101;
    req->res.reason = "Switching Protocols";
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_UPGRADE, NULL, H2O_STRLIT("websocket"));
    edge_http_add_header(req, "sec-websocket-accept", text_of(accept));
    if (upgrading->upgrade.v1)
        edge_http_add_header(req, "sec-websocket-protocol", text_of(subprotocol));
    return edge_http_take_over(upgrading, req);
}

/* Reads what the path and the query say of who connects. */
static const char *read_who(struct edge_http_upgrading *upgrading, struct text user,
                            struct text query)
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
static int authorize(h2o_req_t *req, struct edge_http_upgrading *upgrading, struct text bearer)
{
    const struct edge_http_settings *settings = &upgrading->http->settings;
    struct edge_upgrade *upgrade = &upgrading->upgrade;
    struct text shown = edge_auth_of_authorization(edge_http_header(req, "authorization"));
    bool in_header = shown.size > 0;
    if (!in_header)
        shown = bearer;
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

static struct edge_handshake read_handshake(const struct edge_http *http, const h2o_req_t *req)
{
    /* Without a Host libh2o puts its own default there. */
    const h2o_iovec_t *no_host = &http->config.hosts[0]->authority.hostport;
    struct edge_handshake handshake = {
        .get = text_equal(edge_http_text(req->method), TEXT("GET")) && req->version >= 0x101,
        .host = req->input.authority.base != no_host->base,
        .body = req->entity.len > 0,
        .upgrade = edge_http_text(req->upgrade),
    };
    for (size_t i = 0; i < req->headers.size; i++)
        edge_handshake_header(&handshake, edge_http_text(*req->headers.entries[i].name),
                              edge_http_text(req->headers.entries[i].value));
    return handshake;
}

static int refuse_handshake(h2o_req_t *req, const struct edge_handshake_refusal *refusal)
{
    if (refusal->status == 426) { /* RFC 6455, 4.4; RFC 7231, 6.5.15; RFC 7230, 6.7 */
        edge_http_add_header(req, "sec-websocket-version", TEXT("13"));
        edge_http_add_header(req, "upgrade", TEXT("websocket"));
        edge_http_add_header(req, "connection", TEXT("upgrade"));
    }
    return edge_http_refuse_now(req, refusal->status, refusal->code, refusal->message);
}

/* Who names no origin is no browser, and is whom its token says (RFC 6455, 10.2). */
static bool comes_from_good_page(const struct edge_http *http,
                                 const struct edge_handshake *handshake)
{
    struct text list = text_trim(text_of(http->settings.edge->origins));
    struct text origin = handshake->origins == 1 ? handshake->origin : TEXT(""); /* two are none */
    return handshake->origins == 0 || list.size == 0 || edge_origins_allow(list, origin);
}

/* Its hello will say whether it resumes. But one whom a hello could not help, and whose program
 * sees the answer since it wrote its token into a header, need not come so far. */
static bool may_be_let_in(struct edge_http_upgrading *upgrading, h2o_req_t *req)
{
    const struct edge_http_settings *settings = &upgrading->http->settings;
    const struct edge_upgrade *upgrade = &upgrading->upgrade;
    if (upgrade->token == NULL || upgrade->token->service ||
        edge_http_header(req, "authorization").size == 0)
        return true;
    struct text user = edge_token_user(upgrade->token);
    struct text device =
        upgrade->device.size > 0 ? upgrade->device : edge_token_device(upgrade->token);
    uint32_t again_ms =
        settings->limits == NULL
            ? 0
            : edge_limits_login_wait(settings->limits, user, true, loop_now_ms(settings->loop));
    if (again_ms > 0)
        return refuse_for_now(upgrading, req, 429, EDGE_OFTEN_CODE, EDGE_OFTEN_MESSAGE, again_ms);
    if (!is_crowded(settings, user, device))
        return true;
    return refuse_for_now(upgrading, req, 429, EDGE_CROWDED_CODE, EDGE_CROWDED_MESSAGE,
                          EDGE_CROWDED_AGAIN_MS);
}

/* Whoever may come may find no place. */
static int admit(h2o_req_t *req, struct edge_http_upgrading *upgrading, struct text bearer)
{
    int err = authorize(req, upgrading, bearer);
    if (err == 0)
        err = edge_neighbours_enter(upgrading->http->settings.neighbours,
                                    &upgrading->upgrade.client, &upgrading->upgrade.place);
    return err;
}

int edge_http_on_websocket(const struct edge_call *call)
{
    struct edge_http *http = call->http;
    h2o_req_t *req = call->req;
    struct edge_handshake handshake = read_handshake(http, req);
    struct edge_handshake_refusal refusal = edge_handshake_judge(&handshake);
    if (refusal.status != 0)
        return refuse_handshake(req, &refusal);
    if (!comes_from_good_page(http, &handshake))
        return edge_http_refuse_now(req, 403, "forbidden", "pages of this origin may not");
    const char *why = http->settings.ops->why_not_open(http->settings.context);
    if (why != NULL)
        return edge_http_refuse_now(req, 503, "not_ready", why);
    struct edge_http_upgrading *upgrading = edge_http_upgrading_new(http, req);
    if (upgrading == NULL)
        return edge_http_refuse_now(req, 503, "not_ready", "memory is short");
    upgrading->upgrade.v1 = handshake.v1;
    if (!edge_http_greet(upgrading, req))
        return 0;
    why = read_who(upgrading, call->user, call->query);
    if (why != NULL) {
        edge_http_upgrading_free(upgrading);
        return edge_http_refuse_now(req, 400, "bad_request", why);
    }
    int err = admit(req, upgrading, handshake.bearer);
    if (err != 0)
        return edge_http_refuse_upgrade(upgrading, req, err);
    if (!handshake.v1 && !edge_http_log_in(upgrading, req)) /* of others the hello is judged */
        return 0;
    if (handshake.v1 && !may_be_let_in(upgrading, req))
        return 0;
    return switch_protocols(req, upgrading, handshake.key);
}
