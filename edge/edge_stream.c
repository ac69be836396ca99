#include "edge/edge_stream.h"

#include "edge/edge_transport.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    POOL_MAX = 256,            /* outputs kept for the next turn... */
    POOLED_CAPACITY_MAX = 8192 /* ...unless they have grown */
};

/* Output that is pending, of one stream. */
struct edge_output {
    struct edge_stream *stream;
    struct list flush;   /* until the end of the turn */
    struct list stalled; /* while the socket takes no more */
    int64_t moved_ms;    /* when some of it was taken last */
    size_t written;      /* bytes at the start that are out */
    size_t held;         /* bytes after them that the transport must be shown again */
    struct buffer bytes;
    bool finish;
};

struct edge_streams {
    struct loop *loop;
    struct edge_streams_settings settings;
    struct loop_later later;
    struct list flush;
    struct list stalled;
    size_t pending;
    struct list pool;
    size_t pooled;
    uint8_t *read_buffer;
};

static void on_flush_all(struct loop_later *later)
{
    struct edge_streams *streams = container_of(later, struct edge_streams, later);
    for (struct list *node; (node = list_pop(&streams->flush)) != NULL;)
        edge_stream_flush(container_of(node, struct edge_output, flush)->stream);
}

struct edge_streams *edge_streams_new(struct loop *loop,
                                      const struct edge_streams_settings *settings)
{
    struct edge_streams *streams = calloc(1, sizeof *streams);
    if (streams == NULL)
        return NULL;
    streams->loop = loop;
    streams->settings = *settings;
    streams->later.on_later = on_flush_all;
    list_init(&streams->flush);
    list_init(&streams->stalled);
    list_init(&streams->pool);
    streams->read_buffer = malloc(EDGE_TRANSPORT_READ_SIZE);
    if (streams->read_buffer == NULL) {
        edge_streams_free(streams);
        return NULL;
    }
    return streams;
}

static void edge_output_free(struct edge_output *output)
{
    buffer_free(&output->bytes);
    free(output);
}

void edge_streams_free(struct edge_streams *streams)
{
    if (streams == NULL)
        return;
    loop_later_cancel(&streams->later);
    list_each(node, &streams->pool) edge_output_free(container_of(node, struct edge_output, flush));
    free(streams->read_buffer);
    free(streams);
}

size_t edge_streams_pending(const struct edge_streams *streams)
{
    return streams->pending;
}

static struct edge_output *edge_output_take(struct edge_stream *stream)
{
    struct edge_streams *streams = stream->streams;
    struct list *node = list_pop(&streams->pool);
    struct edge_output *output = NULL;
    if (node != NULL) {
        output = container_of(node, struct edge_output, flush);
        streams->pooled--;
    } else {
        output = calloc(1, sizeof *output);
    }
    if (output == NULL)
        return NULL;
    output->stream = stream;
    output->moved_ms = loop_now_ms(streams->loop);
    stream->output = output;
    streams->pending++;
    return output;
}

static void edge_output_give_back(struct edge_stream *stream)
{
    struct edge_streams *streams = stream->streams;
    struct edge_output *output = stream->output;
    if (output == NULL)
        return;
    stream->output = NULL;
    streams->pending--;
    list_remove(&output->flush);
    list_remove(&output->stalled);
    if (streams->pooled >= POOL_MAX || output->bytes.capacity > POOLED_CAPACITY_MAX) {
        edge_output_free(output);
        return;
    }
    buffer_clear(&output->bytes);
    output->written = output->held = 0;
    output->finish = false;
    output->stream = NULL;
    list_push(&streams->pool, &output->flush);
    streams->pooled++;
}

static void edge_stream_watch(struct edge_stream *stream)
{
    bool stalled = stream->output != NULL && list_linked(&stream->output->stalled);
    uint32_t events = (stream->paused ? 0 : (uint32_t)EPOLLIN) | (stalled ? (uint32_t)EPOLLOUT : 0);
    loop_io_change(stream->streams->loop, &stream->io, events);
}

static void edge_stream_end(struct edge_stream *stream, int error)
{
    if (stream->ended)
        return;
    stream->ended = true;
    stream->ops->on_end(stream, error);
}

static const struct edge_transport *transport_of(const struct edge_stream *stream)
{
    return stream->ssl == NULL ? &edge_transport_plain : &edge_transport_tls;
}

static void edge_stream_read(struct edge_stream *stream)
{
    uint8_t *bytes = stream->streams->read_buffer;
    int next = EDGE_TRANSPORT_WAIT;
    do {
        size_t size = transport_of(stream)->read(stream, bytes, &next);
        if (size > 0)
            stream->ops->on_bytes(stream, bytes, size);
        if (!edge_stream_is_open(stream))
            return;
    } while (next == EDGE_TRANSPORT_READ_ON && !stream->ended);
    if (next < 0 || next == EDGE_TRANSPORT_ENDED)
        edge_stream_end(stream, next < 0 ? next : 0);
}

static void on_stream_event(struct loop_io *io, uint32_t events)
{
    struct edge_stream *stream = container_of(io, struct edge_stream, io);
    if ((events & EPOLLOUT) != 0)
        edge_stream_flush(stream);
    if (!edge_stream_is_open(stream) || stream->ended)
        return;
    /* An error is found by reading; a paused stream hears of one by EPOLLHUP and EPOLLERR alone. */
    if ((events & EPOLLIN) != 0 && !stream->paused)
        edge_stream_read(stream);
    else if ((events & (EPOLLHUP | EPOLLERR)) != 0)
        edge_stream_end(stream, -ECONNRESET);
}

static int edge_stream_begin(struct edge_streams *streams, struct edge_stream *stream, int fd)
{
    int on = 1;
    int low = 16 * 1024; /* the kernel must not hide megabytes of a client that does not read */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &low, sizeof low);
    stream->io = (struct loop_io){.fd = fd, .events = EPOLLIN, .on_event = on_stream_event};
    int err = stream->ssl == NULL ? 0 : edge_transport_tls_open(stream);
    return err == 0 ? loop_io_add(streams->loop, &stream->io) : err;
}

int edge_stream_open_tls(struct edge_streams *streams, struct edge_stream *stream, int fd,
                         struct ssl_st *ssl, const struct edge_stream_ops *ops)
{
    stream->streams = streams;
    stream->ops = ops;
    stream->ssl = ssl;
    int err = edge_stream_begin(streams, stream, fd);
    if (err != 0) {
        transport_of(stream)->close(stream);
        close(fd);
        stream->streams = NULL;
    }
    return err;
}

int edge_stream_open(struct edge_streams *streams, struct edge_stream *stream, int fd,
                     const struct edge_stream_ops *ops)
{
    return edge_stream_open_tls(streams, stream, fd, NULL, ops);
}

void edge_stream_close(struct edge_stream *stream)
{
    if (!edge_stream_is_open(stream))
        return;
    edge_output_give_back(stream);
    loop_io_remove(stream->streams->loop, &stream->io);
    transport_of(stream)->close(stream);
    close(stream->io.fd);
    stream->ended = true;
    stream->streams = NULL;
}

bool edge_stream_is_open(const struct edge_stream *stream)
{
    return stream->streams != NULL;
}

size_t edge_stream_pending(const struct edge_stream *stream)
{
    return stream->output == NULL ? 0 : stream->output->bytes.size - stream->output->written;
}

static void edge_stream_flush_later(struct edge_stream *stream)
{
    struct edge_output *output = stream->output;
    if (list_linked(&output->flush) || list_linked(&output->stalled))
        return;
    list_push(&stream->streams->flush, &output->flush);
    loop_later(stream->streams->loop, &stream->streams->later);
}

struct buffer *edge_stream_output(struct edge_stream *stream)
{
    if (!edge_stream_is_open(stream) || stream->ended)
        return NULL;
    struct edge_output *output = stream->output;
    if (output == NULL)
        output = edge_output_take(stream);
    if (output == NULL || output->finish)
        return NULL;
    /* A client that is behind is judged here too: while it is stalled no flush at the end of a turn
     * comes by, and what it got so far was tried. */
    if (list_linked(&output->stalled) &&
        edge_stream_pending(stream) > stream->streams->settings.pending_max) {
        edge_stream_flush(stream);
        if (!edge_stream_is_open(stream) || stream->ended)
            return NULL;
        if (stream->output == NULL)
            return edge_stream_output(stream);
        output = stream->output;
    }
    edge_stream_flush_later(stream);
    return &output->bytes;
}

/* Where the frame begins that holds the byte at `at`, or where the one before it ends. The buffer
 * itself always begins with a frame. */
static size_t frame_start(const struct edge_output *output, size_t at)
{
    const struct edge_stream_ops *ops = output->stream->ops;
    size_t start = 0;
    while (start < at) {
        size_t size =
            ops->frame_size(output->stream, output->bytes.data + start, output->bytes.size - start);
        if (size > at - start)
            break;
        start += size;
    }
    return start;
}

/* What is out is thrown away once it is more than what is left: each byte moves once at most. */
static void edge_output_trim(struct edge_output *output)
{
    if (output->written * 2 < output->bytes.size)
        return;
    size_t start = frame_start(output, output->written);
    buffer_consume(&output->bytes, start);
    output->written -= start;
}

void edge_stream_cut(struct edge_stream *stream)
{
    struct edge_output *output = stream->output;
    if (!edge_stream_is_open(stream))
        return;
    stream->ended = false;
    if (output == NULL)
        return;
    size_t begun = output->written + output->held;
    size_t end = frame_start(output, begun);
    if (end < begun) /* this one is partly out: the rest must follow */
        end += stream->ops->frame_size(stream, output->bytes.data + end, output->bytes.size - end);
    output->bytes.size = end;
}

/* Returns 0 when all is out, -EAGAIN when the socket takes no more, or its error. */
static int edge_stream_send(struct edge_stream *stream)
{
    struct edge_output *output = stream->output;
    const struct edge_transport *transport = transport_of(stream);
    while (output->written < output->bytes.size) {
        ssize_t size = transport->write(stream, output->bytes.data + output->written,
                                        output->bytes.size - output->written, &output->held);
        if (size < 0)
            return (int)size;
        output->written += (size_t)size;
        output->moved_ms = loop_now_ms(stream->streams->loop);
    }
    return output->finish ? transport->finish(stream) : 0;
}

static void edge_stream_stall(struct edge_stream *stream)
{
    struct edge_output *output = stream->output;
    edge_output_trim(output);
    if (!list_linked(&output->stalled))
        list_push(&stream->streams->stalled, &output->stalled);
    edge_stream_watch(stream);
    if (edge_stream_pending(stream) > stream->streams->settings.pending_max)
        edge_stream_end(stream, -ENOBUFS);
}

void edge_stream_flush(struct edge_stream *stream)
{
    struct edge_output *output = stream->output;
    if (!edge_stream_is_open(stream) || output == NULL || stream->ended)
        return;
    list_remove(&output->flush);
    int err = output->bytes.failed ? -ENOMEM : edge_stream_send(stream);
    if (err == -EAGAIN) {
        edge_stream_stall(stream);
        return;
    }
    if (err < 0) {
        edge_stream_end(stream, err);
        return;
    }
    bool was_stalled = list_linked(&output->stalled);
    edge_output_give_back(stream);
    if (was_stalled)
        edge_stream_watch(stream);
    if (stream->ops->on_flushed != NULL)
        stream->ops->on_flushed(stream);
}

void edge_stream_finish(struct edge_stream *stream)
{
    if (!edge_stream_is_open(stream) || stream->ended)
        return;
    if (stream->output != NULL) {
        stream->output->finish = true;
    } else if (transport_of(stream)->finish(stream) == -EAGAIN &&
               edge_output_take(stream) != NULL) {
        stream->output->finish = true; /* it is said when there is room */
        edge_stream_stall(stream);
    }
}

void edge_stream_pause(struct edge_stream *stream, bool pause)
{
    if (!edge_stream_is_open(stream) || stream->paused == pause)
        return;
    stream->paused = pause;
    edge_stream_watch(stream);
}

void edge_streams_tick(struct edge_streams *streams, int64_t now_ms)
{
    list_each(node, &streams->stalled)
    {
        struct edge_output *output = container_of(node, struct edge_output, stalled);
        if (now_ms - output->moved_ms >= streams->settings.progress_ms)
            edge_stream_end(output->stream, -ETIMEDOUT);
    }
}
