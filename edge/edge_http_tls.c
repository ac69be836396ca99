/* The TLS port, from the connection to the end of its handshake, and the SSL that goes with a
 * WebSocket.
 *
 * The handshake is libh2o's. What it does not do is here: a bound on handshakes that are not done
 * and on their time, an answer to who speaks plain HTTP, and an alert to who speaks TLS that is
 * refused. libh2o 2.2.5 has no function that returns a connection's SSL: it is met in OpenSSL's
 * callback of the ClientHello, where its BIO knows the socket it belongs to. */
#include "edge/edge_http_internal.h"

#include "log/log.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    RECORD_HANDSHAKE = 22, /* RFC 8446, 5.1 */
    RECORD_ALERT = 21,
};

/* A connection of the TLS port, until it is closed or handed over. */
struct tls_connection {
    struct edge_http_connection base;
    SSL_CTX *context; /* a reference: libh2o has none until the first bytes came */
    SSL *ssl;         /* h2o's, from the ClientHello on */
    struct list unfinished;
    int64_t begun_ms;
};

static const struct tls_connection *oldest_of(const struct edge_http_handshakes *handshakes)
{
    return list_empty(&handshakes->list)
               ? NULL
               : container_of(handshakes->list.next, struct tls_connection, unfinished);
}

/* It no more counts as a handshake. */
static void leave_handshakes(struct tls_connection *connection)
{
    if (!list_linked(&connection->unfinished))
        return;
    list_remove(&connection->unfinished);
    connection->base.http->handshakes.count--;
}

static void on_tls_close(void *data)
{
    struct tls_connection *connection = data;
    struct edge_http *http = connection->base.http;
    leave_handshakes(connection);
    edge_http_wait_no_more(&connection->base);
    SSL_CTX_free(connection->context);
    free(connection);
    edge_http_connection_closed(http);
}

bool edge_http_may_shake_hands(struct edge_http *http)
{
    struct edge_http_handshakes *handshakes = &http->handshakes;
    const struct edge_tls_settings *settings = edge_tls_settings_of(http->settings.tls);
    static struct log_limit limit;
    if (handshakes->count < settings->handshakes_max)
        return true;
    log_limited(&limit, LOG_LEVEL_WARNING,
                "the limit of TLS handshakes is reached, the port rests");
    const struct tls_connection *oldest = oldest_of(handshakes);
    if (loop_now_ms(http->settings.loop) - oldest->begun_ms >= EDGE_HTTP_GIVES_WAY_MS)
        edge_http_give_up(&oldest->base);
    return false;
}

void edge_http_tls_tick(struct edge_http *http, int64_t now_ms)
{
    if (http->settings.tls == NULL)
        return;
    int64_t timeout_ms = edge_tls_settings_of(http->settings.tls)->handshake_timeout_ms;
    list_each(node, &http->handshakes.list)
    {
        struct tls_connection *connection = container_of(node, struct tls_connection, unfinished);
        if (now_ms - connection->begun_ms < timeout_ms)
            break;
        edge_http_give_up(&connection->base);
    }
}

/* What OpenSSL tells. */

static int ssl_index(void)
{
    static int index = -1;
    if (index < 0)
        index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    return index;
}

static int on_client_hello(SSL *ssl, int *alert, void *context)
{
    const h2o_socket_t *socket = BIO_get_data(SSL_get_rbio(ssl));
    struct tls_connection *connection = socket->on_close.data;
    (void)alert;
    (void)context;
    connection->ssl = ssl;
    SSL_set_ex_data(ssl, ssl_index(), connection);
    return SSL_CLIENT_HELLO_SUCCESS;
}

/* libh2o closes without sending the alert that OpenSSL has written. While the ClientHello is
 * judged nothing is sealed yet, so it can be sent from here: a client that is refused for its
 * version or its protocols is told so. */
static void send_alert(const struct tls_connection *connection, const SSL *ssl, int alert)
{
    const uint8_t record[] = {RECORD_ALERT,           3, 3, 0, 2, (uint8_t)(alert >> 8),
                              (uint8_t)(alert & 0xff)};
    static struct log_limit limit;
    log_limited(&limit, LOG_LEVEL_INFO, "a TLS handshake is refused",
                LOG_STRING("alert", SSL_alert_desc_string_long(alert)));
    if (SSL_get_state(ssl) == TLS_ST_SR_CLNT_HELLO)
        (void)send(h2o_socket_get_fd(connection->base.socket), record, sizeof record,
                   MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void on_ssl_info(const SSL *ssl, int where, int value)
{
    struct tls_connection *connection = SSL_get_ex_data(ssl, ssl_index());
    if (connection == NULL || !list_linked(&connection->unfinished))
        return;
    if ((where & SSL_CB_HANDSHAKE_DONE) != 0) {
        const struct edge_http_settings *settings = &connection->base.http->settings;
        leave_handshakes(connection);
        edge_http_wait(&connection->base);
        settings->ops->on_connection_closed(settings->context);
    } else if ((where & SSL_CB_WRITE_ALERT) == SSL_CB_WRITE_ALERT && value >> 8 == SSL3_AL_FATAL) {
        send_alert(connection, ssl, value);
    }
}

/* The first bytes. */

static void on_refusal_written(h2o_socket_t *socket, const char *error)
{
    (void)error;
    h2o_socket_close(socket);
}

#define PLAIN_REFUSED                                                                              \
    "{\"code\":\"bad_request\",\"message\":\"TLS is spoken on this port: https:// or wss://\","    \
    "\"retryable\":false}"
_Static_assert(sizeof PLAIN_REFUSED - 1 == 99, "as Content-Length says");

static void refuse_plain(h2o_socket_t *socket)
{
    static char answer[] = "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n"
                           "Connection: close\r\nContent-Length: 99\r\n\r\n" PLAIN_REFUSED;
    h2o_iovec_t bytes = h2o_iovec_init(answer, sizeof answer - 1);
    h2o_socket_write(socket, &bytes, 1, on_refusal_written);
}

static void on_first_bytes(h2o_socket_t *socket, const char *error)
{
    struct tls_connection *connection = socket->on_close.data;
    struct edge_http *http = connection->base.http;
    if (error != NULL) {
        h2o_socket_close(socket);
        return;
    }
    if (socket->input->size == 0)
        return;
    h2o_socket_read_stop(socket);
    const uint8_t first = (uint8_t)socket->input->bytes[0];
    if (first == RECORD_HANDSHAKE) {
        http->accept_tls.ssl_ctx = connection->context;
        h2o_accept(&http->accept_tls, socket);
    } else if (first >= 'A' && first <= 'Z') { /* a method of HTTP */
        refuse_plain(socket);
    } else {
        h2o_socket_close(socket);
    }
}

void edge_http_accept_tls(struct edge_http *http, int fd, const struct address *peer)
{
    struct tls_connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) {
        close(fd);
        return;
    }
    h2o_socket_t *socket =
        h2o_evloop_socket_create(http->loop, fd, H2O_SOCKET_FLAG_IS_ACCEPTED_CONNECTION);
    edge_http_set_peer(socket, peer);
    connection->base.http = http;
    connection->base.socket = socket;
    connection->begun_ms = loop_now_ms(http->settings.loop);
    connection->context = edge_tls_context(http->settings.tls);
    SSL_CTX_up_ref(connection->context);
    SSL_CTX_set_client_hello_cb(connection->context, on_client_hello, NULL);
    SSL_CTX_set_info_callback(connection->context, on_ssl_info);
    list_push(&http->handshakes.list, &connection->unfinished);
    http->handshakes.count++;
    http->connections++;
    socket->on_close.cb = on_tls_close;
    socket->on_close.data = connection;
    h2o_socket_read_start(socket, on_first_bytes);
}

/* Handing over. */

int edge_http_share_ssl(h2o_socket_t *socket, SSL **ret_ssl)
{
    char byte;
    *ret_ssl = NULL;
    if (socket->ssl == NULL)
        return 0;
    const struct tls_connection *connection = socket->on_close.data;
    SSL *ssl = connection->ssl;
    /* libh2o decrypts all that it has read; else that would be lost with its BIO. */
    if (ssl == NULL || BIO_read(SSL_get_rbio(ssl), &byte, 1) > 0)
        return -EPROTO;
    SSL_set_ex_data(ssl, ssl_index(), NULL);
    SSL_up_ref(ssl);
    *ret_ssl = ssl;
    return 0;
}
