#include "c/socket.h"

#include <errno.h>
#include <libwebsockets.h>
#include <stdlib.h>

struct meridian_socket {
    struct meridian_socket_events events;
    struct lws_context *context;
    struct lws *wsi; /* NULL: none; callbacks of others are late and ignored */
    struct lws_sorted_usec_list wake;
    struct buffer frame;  /* that is being received */
    struct buffer output; /* with the room that libwebsockets wants before it */
    int close_code;
    char close_reason[128];
};

/* The edge is asked for a sign of life after so long a silence, and given up after so long. */
static const lws_retry_bo_t idle_policy = {.secs_since_valid_ping = 20,
                                           .secs_since_valid_hangup = 30};

static void ended(struct meridian_socket *socket, int code, const char *why)
{
    socket->wsi = NULL;
    socket->events.on_closed(socket->events.context, code, why);
}

static void note_close(struct meridian_socket *socket, const uint8_t *bytes, size_t size)
{
    if (size < 2)
        return;
    socket->close_code = bytes[0] << 8 | bytes[1];
    snprintf(socket->close_reason, sizeof socket->close_reason, "%.*s", (int)(size - 2),
             (const char *)bytes + 2);
}

/* Collects the parts of a frame. -1 closes. */
static int receive(struct meridian_socket *socket, struct lws *wsi, const void *bytes, size_t size)
{
    if (socket->frame.size + size > MERIDIAN_SOCKET_FRAME_MAX)
        return -1;
    buffer_append(&socket->frame, bytes, size);
    if (socket->frame.failed)
        return -1;
    if (lws_remaining_packet_payload(wsi) > 0 || !lws_is_final_fragment(wsi))
        return 0;
    socket->events.on_frame(socket->events.context, buffer_text(&socket->frame));
    buffer_clear(&socket->frame);
    return socket->wsi == wsi ? 0 : -1;
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t size)
{
    struct meridian_socket *socket = lws_context_user(lws_get_context(wsi));

    (void)user;
    if (socket == NULL || socket->wsi == NULL || socket->wsi != wsi)
        return 0;
    switch (reason) {
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        socket->events.on_open(socket->events.context);
        break;
    case LWS_CALLBACK_CLIENT_RECEIVE:
        return receive(socket, wsi, in, size);
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        socket->events.on_writable(socket->events.context);
        return socket->wsi == wsi ? 0 : -1;
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        note_close(socket, in, size);
        break;
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        ended(socket, 0, in == NULL ? "cannot connect" : in);
        break;
    case LWS_CALLBACK_CLIENT_CLOSED:
        ended(socket, socket->close_code,
              socket->close_reason[0] == '\0' ? "the connection has ended" : socket->close_reason);
        break;
    default:
        break;
    }
    return 0;
}

static const struct lws_protocols protocols[] = {
    {.name = "meridian.v1", .callback = on_event, .rx_buffer_size = 65536},
    {.name = NULL},
};

struct meridian_socket *meridian_socket_new(const struct meridian_socket_events *events, bool tls,
                                            const char *ca_file)
{
    struct meridian_socket *socket = calloc(1, sizeof *socket);

    if (socket == NULL)
        return NULL;
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .protocols = protocols,
        .options = tls ? LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT : 0,
        .client_ssl_ca_filepath = ca_file,
        .gid = -1,
        .uid = -1,
        .user = socket,
        .fd_limit_per_thread = 16,
    };
    lws_set_log_level(0, NULL); /* what matters is told by callbacks */
    socket->events = *events;
    socket->context = lws_create_context(&info);
    if (socket->context == NULL) {
        free(socket);
        return NULL;
    }
    return socket;
}

void meridian_socket_free(struct meridian_socket *socket)
{
    if (socket == NULL)
        return;
    socket->wsi = NULL;
    lws_sul_cancel(&socket->wake);
    lws_context_destroy(socket->context);
    buffer_free(&socket->frame);
    buffer_free(&socket->output);
    free(socket);
}

void meridian_socket_connect(struct meridian_socket *socket, const struct meridian_url *url)
{
    char host[MERIDIAN_HOST_MAX + 16];
    struct lws_client_connect_info info = {
        .context = socket->context,
        .address = url->host,
        .port = url->port,
        .ssl_connection = url->tls ? LCCSCF_USE_SSL : 0,
        .path = url->path,
        .host = host,
        .protocol = protocols[0].name,
        .local_protocol_name = protocols[0].name,
        .pwsi = &socket->wsi,
        .retry_and_idle_policy = &idle_policy,
    };
    bool ipv6 = strchr(url->host, ':') != NULL;

    snprintf(host, sizeof host, "%s%s%s:%d", ipv6 ? "[" : "", url->host, ipv6 ? "]" : "",
             url->port);
    buffer_clear(&socket->frame);
    socket->close_code = 0;
    socket->close_reason[0] = '\0';
    socket->wsi = NULL;
    struct lws *wsi = lws_client_connect_via_info(&info);
    /* A failure at once may have been told by the callback already, which then forgot the wsi. */
    if (wsi == NULL && socket->wsi != NULL)
        ended(socket, 0, "cannot connect");
}

void meridian_socket_close(struct meridian_socket *socket)
{
    if (socket->wsi == NULL)
        return;
    struct lws *wsi = socket->wsi;
    socket->wsi = NULL;
    lws_set_timeout(wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
}

void meridian_socket_want_write(struct meridian_socket *socket)
{
    if (socket->wsi != NULL)
        lws_callback_on_writable(socket->wsi);
}

int meridian_socket_write(struct meridian_socket *socket, struct text frame)
{
    buffer_clear(&socket->output);
    if (buffer_reserve(&socket->output, LWS_PRE) == NULL)
        return -ENOMEM;
    socket->output.size = LWS_PRE;
    buffer_append_text(&socket->output, frame);
    if (socket->output.failed || socket->wsi == NULL)
        return -EPIPE;
    int written = lws_write(socket->wsi, socket->output.data + LWS_PRE, frame.size, LWS_WRITE_TEXT);
    return written < 0 ? -EPIPE : 0;
}

static void on_wake(struct lws_sorted_usec_list *wake)
{
    (void)wake; /* the turn ends by it */
}

void meridian_socket_turn(struct meridian_socket *socket, int64_t wait_ms)
{
    if (wait_ms <= 0) {
        lws_service(socket->context, -1);
        return;
    }
    lws_sul_schedule(socket->context, 0, &socket->wake, on_wake, wait_ms * 1000);
    lws_service(socket->context, 0);
    lws_sul_cancel(&socket->wake);
}
