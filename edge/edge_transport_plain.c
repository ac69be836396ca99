#include "edge/edge_transport.h"

#include <errno.h>
#include <sys/socket.h>

static size_t plain_read(struct edge_stream *stream, uint8_t *into, int *ret_next)
{
    ssize_t size = recv(stream->io.fd, into, EDGE_TRANSPORT_READ_SIZE, MSG_DONTWAIT);
    *ret_next = EDGE_TRANSPORT_WAIT;
    if (size == 0)
        *ret_next = EDGE_TRANSPORT_ENDED;
    else if (size < 0 && errno != EAGAIN && errno != EINTR)
        *ret_next = -errno;
    return size > 0 ? (size_t)size : 0;
}

static ssize_t plain_write(struct edge_stream *stream, const uint8_t *bytes, size_t size,
                           size_t *ret_held)
{
    ssize_t taken;
    *ret_held = 0;
    do
        taken = send(stream->io.fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (taken < 0 && errno == EINTR);
    return taken < 0 ? -errno : taken;
}

static int plain_finish(struct edge_stream *stream)
{
    (void)shutdown(stream->io.fd, SHUT_WR);
    return 0;
}

static void plain_close(struct edge_stream *stream)
{
    (void)stream;
}

const struct edge_transport edge_transport_plain = {
    .read = plain_read,
    .write = plain_write,
    .finish = plain_finish,
    .close = plain_close,
};
