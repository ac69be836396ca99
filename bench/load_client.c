#include "load_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char handshake[] = "GET /ws HTTP/1.1\r\nHost: load\r\nUpgrade: websocket\r\n"
                                "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                "Sec-WebSocket-Protocol: meridian.v1\r\n\r\n";

static SSL_CTX *tls; /* NULL: plain */

void load_client_use_tls(void)
{
    (void)signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
    tls = SSL_CTX_new(TLS_client_method());
    if (tls == NULL)
        abort();
    SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

static void begin_tls(struct load_client *client)
{
    client->ssl = SSL_new(tls);
    if (client->ssl == NULL || SSL_set_fd(client->ssl, client->fd) != 1)
        abort();
    SSL_set_connect_state(client->ssl);
}

/* What a call of OpenSSL has brought, as a system call says it. */
static ssize_t as_call(struct load_client *client, int result)
{
    if (result > 0)
        return result;
    int how = SSL_get_error(client->ssl, result);
    errno = how == SSL_ERROR_WANT_READ || how == SSL_ERROR_WANT_WRITE ? EAGAIN : ECONNRESET;
    ERR_clear_error();
    return how == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

static ssize_t put(struct load_client *client, const void *bytes, size_t size)
{
    if (client->ssl == NULL)
        return send(client->fd, bytes, size, MSG_NOSIGNAL);
    if (!SSL_is_init_finished(client->ssl)) { /* also before it is connected */
        ssize_t done = as_call(client, SSL_do_handshake(client->ssl));
        if (done <= 0)
            return -1;
    }
    return as_call(client, SSL_write(client->ssl, bytes, (int)size));
}

static ssize_t get(struct load_client *client, void *into, size_t size)
{
    return client->ssl == NULL ? recv(client->fd, into, size, 0)
                               : as_call(client, SSL_read(client->ssl, into, (int)size));
}

int load_client_open(struct load_client *client, const struct sockaddr_in *to)
{
    const struct sockaddr_in any = {.sin_family = AF_INET};
    return load_client_open_from(client, &any, to);
}

int load_client_open_from(struct load_client *client, const struct sockaddr_in *from,
                          const struct sockaddr_in *to)
{
    *client = (struct load_client){.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)};
    if (client->fd < 0)
        return -errno;
    int one = 1;
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    /* The port is chosen when it connects, so that one may serve several destinations. */
    setsockopt(client->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(client->fd, (const struct sockaddr *)from, sizeof *from) != 0) {
        int err = -errno;
        close(client->fd);
        return err;
    }
    if (connect(client->fd, (const struct sockaddr *)to, sizeof *to) != 0 && errno != EINPROGRESS) {
        int err = -errno;
        close(client->fd);
        return err;
    }
    client->state = LOAD_CONNECTING;
    if (tls != NULL)
        begin_tls(client);
    buffer_append(&client->out, handshake, sizeof handshake - 1);
    return 0;
}

void load_client_close(struct load_client *client)
{
    if (client->state != LOAD_CLOSED)
        close(client->fd);
    SSL_free(client->ssl);
    client->ssl = NULL;
    buffer_free(&client->in);
    buffer_free(&client->out);
    client->state = LOAD_CLOSED;
}

static void put_frame(struct load_client *client, uint8_t opcode, struct text text)
{
    uint8_t head[14] = {(uint8_t)(0x80 | opcode)};
    size_t size = 2;
    if (text.size < 126) {
        head[1] = (uint8_t)(0x80 | text.size);
    } else {
        head[1] = 0x80 | 126;
        head[2] = (uint8_t)(text.size >> 8);
        head[3] = (uint8_t)text.size;
        size = 4;
    }
    size += 4; /* a mask of zeros: the bytes stay as they are, which RFC 6455 allows a test */
    buffer_append(&client->out, head, size);
    buffer_append_text(&client->out, text);
}

void load_client_send(struct load_client *client, struct text text)
{
    put_frame(client, 1, text);
}

int load_client_flush(struct load_client *client)
{
    while (client->out.size > 0) {
        ssize_t sent = put(client, client->out.data, client->out.size);
        if (sent < 0)
            return errno == EAGAIN || errno == EINTR || errno == ENOTCONN ? 0 : -errno;
        if (client->state == LOAD_CONNECTING)
            client->state = LOAD_UPGRADING;
        buffer_consume(&client->out, (size_t)sent);
    }
    if (client->state == LOAD_OPEN)
        buffer_free(&client->out);
    return 0;
}

int load_client_read(struct load_client *client)
{
    for (;;) {
        uint8_t *room = buffer_reserve(&client->in, 16384);
        if (room == NULL)
            return -ENOMEM;
        ssize_t got = get(client, room, 16384);
        if (got == 0)
            return -ECONNRESET;
        if (got < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        client->in.size += (size_t)got;
        if (client->ssl == NULL && got < 16384)
            return 0;
    }
}

static bool take_upgrade(struct load_client *client)
{
    uint8_t *end =
        client->in.size == 0 ? NULL : memmem(client->in.data, client->in.size, "\r\n\r\n", 4);
    if (end == NULL)
        return false;
    if (memcmp(client->in.data, "HTTP/1.1 101", 12) != 0) {
        load_client_close(client);
        return false;
    }
    buffer_consume(&client->in, (size_t)(end + 4 - client->in.data));
    client->state = LOAD_OPEN;
    return true;
}

/* The consumed bytes stay in front until load_client_compact(); `capacity` past `size` is free. */
static size_t taken;

bool load_client_next(struct load_client *client, struct text *ret_text)
{
    if (client->state == LOAD_UPGRADING && !take_upgrade(client))
        return false;
    for (;;) {
        size_t left = client->in.size - taken;
        const uint8_t *at = client->in.data + taken;
        if (left < 2)
            return false;
        size_t head = 2;
        uint64_t size = at[1] & 0x7F;
        if (size == 126) {
            if (left < 4)
                return false;
            size = (uint64_t)at[2] << 8 | at[3];
            head = 4;
        } else if (size == 127) {
            if (left < 10)
                return false;
            size = 0;
            for (int i = 2; i < 10; i++)
                size = size << 8 | at[i];
            head = 10;
        }
        if (left - head < size)
            return false;
        taken += head + size;
        struct text text = {(const char *)at + head, size};
        uint8_t opcode = at[0] & 0x0F;
        if (opcode == 9) {
            client->pings++;
            put_frame(client, 10, text);
        }
        if (opcode != 1)
            continue;
        *ret_text = text;
        return true;
    }
}

void load_client_compact(struct load_client *client)
{
    if (taken > 0)
        buffer_consume(&client->in, taken);
    taken = 0;
    if (client->in.size == 0)
        buffer_free(&client->in); /* an idle client holds nothing */
}

const char *load_client_after(struct text frame, const char *key)
{
    const char *at = memmem(frame.data, frame.size, key, strlen(key));
    return at == NULL ? NULL : at + strlen(key);
}

int load_client_address(const char *text, struct sockaddr_in *ret_to)
{
    char host[64];
    const char *colon = strrchr(text, ':');
    size_t size = colon == NULL ? sizeof host : (size_t)(colon - text);
    *ret_to = (struct sockaddr_in){.sin_family = AF_INET};
    if (size >= sizeof host)
        return -EINVAL;
    memcpy(host, text, size);
    host[size] = '\0';
    ret_to->sin_port = htons((uint16_t)atoi(colon + 1));
    return inet_pton(AF_INET, host, &ret_to->sin_addr) == 1 ? 0 : -EINVAL;
}
