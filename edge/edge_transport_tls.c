/* TLS by OpenSSL, over a BIO of ours.
 *
 * OpenSSL reads ahead, so that a small message costs one system call, as without TLS. What it has
 * read may then hold whole records of which no event of the socket tells: an event is over only
 * when they are all out. So that this ends with a sender that is faster than we are, the BIO stops
 * asking the socket once an event has read EDGE_TRANSPORT_READ_SIZE of it. */
#include "edge/edge_transport.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

static int bio_read(BIO *bio, char *into, int size)
{
    struct edge_stream *stream = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    errno = EAGAIN;
    ssize_t got =
        stream->read_left == 0 ? -1 : recv(stream->io.fd, into, (size_t)size, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_read(bio);
    if (got > 0)
        stream->read_left -= (uint32_t)got < stream->read_left ? (uint32_t)got : stream->read_left;
    return (int)got;
}

static int bio_write(BIO *bio, const char *bytes, int size)
{
    struct edge_stream *stream = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t taken = send(stream->io.fd, bytes, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (taken < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_write(bio);
    return (int)taken;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *bio_method(void)
{
    static BIO_METHOD *method;
    if (method == NULL && (method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "edge_stream")) != NULL) {
        BIO_meth_set_read(method, bio_read);
        BIO_meth_set_write(method, bio_write);
        BIO_meth_set_ctrl(method, bio_control);
    }
    return method;
}

int edge_transport_tls_open(struct edge_stream *stream)
{
    BIO *bio = bio_method() == NULL ? NULL : BIO_new(bio_method());
    if (bio == NULL)
        return -ENOMEM;
    BIO_set_data(bio, stream);
    BIO_set_init(bio, 1);
    SSL_set_bio(stream->ssl, bio, bio);
    SSL_set_read_ahead(stream->ssl, 1);
    SSL_set_mode(stream->ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return 0;
}

/* Of a call that has failed; `result` is what it returned. */
static int tls_error(struct edge_stream *stream, int result)
{
    int err = errno;
    switch (SSL_get_error(stream->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL:
        return err == 0 || err == EAGAIN ? -ECONNRESET : -err;
    default:
        return -EPROTO;
    }
}

static size_t tls_read(struct edge_stream *stream, uint8_t *into, int *ret_next)
{
    size_t got = 0;
    if (*ret_next != EDGE_TRANSPORT_READ_ON)
        stream->read_left = EDGE_TRANSPORT_READ_SIZE;
    while (got < EDGE_TRANSPORT_READ_SIZE) {
        ERR_clear_error();
        errno = 0;
        int size = SSL_read(stream->ssl, into + got, (int)(EDGE_TRANSPORT_READ_SIZE - got));
        if (size <= 0) {
            int err = tls_error(stream, size);
            *ret_next = err == 0         ? EDGE_TRANSPORT_ENDED
                        : err == -EAGAIN ? EDGE_TRANSPORT_WAIT
                                         : err;
            return got;
        }
        got += (size_t)size;
        *ret_next = EDGE_TRANSPORT_WAIT;
        if (SSL_has_pending(stream->ssl) == 0)
            return got;
    }
    *ret_next = EDGE_TRANSPORT_READ_ON;
    return got;
}

static ssize_t tls_write(struct edge_stream *stream, const uint8_t *bytes, size_t size,
                         size_t *ret_held)
{
    /* Once a record is half out, OpenSSL takes nothing but the same bytes again. */
    if (*ret_held > 0)
        size = *ret_held;
    else if (size > EDGE_TRANSPORT_RECORD_MAX)
        size = EDGE_TRANSPORT_RECORD_MAX;
    ERR_clear_error();
    errno = 0;
    int taken = SSL_write(stream->ssl, bytes, (int)size);
    *ret_held = taken > 0 ? 0 : size;
    if (taken > 0)
        return taken;
    int err = tls_error(stream, taken);
    return err == 0 ? -ECONNRESET : err;
}

static int tls_finish(struct edge_stream *stream)
{
    ERR_clear_error();
    errno = 0;
    int said = SSL_shutdown(stream->ssl); /* close_notify; the peer's own need not be there yet */
    if (said < 0 && tls_error(stream, said) == -EAGAIN)
        return -EAGAIN;
    (void)shutdown(stream->io.fd, SHUT_WR);
    return 0;
}

static void tls_close(struct edge_stream *stream)
{
    SSL_free(stream->ssl);
    stream->ssl = NULL;
}

const struct edge_transport edge_transport_tls = {
    .read = tls_read,
    .write = tls_write,
    .finish = tls_finish,
    .close = tls_close,
};
