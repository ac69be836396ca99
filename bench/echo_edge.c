/* The edge's sockets and framing alone: a WebSocket server that sends back each message. Bytes go
 * the way of a client's in the edge (edge_stream, edge_framing), only what is done with a message
 * is not there. The opening handshake is read no further than its key.
 *
 *   echo_edge HOST:PORT
 *
 * Ends with its standard input. */
#include "base/buffer.h"
#include "edge/edge_framing.h"
#include "edge/edge_handshake.h"
#include "edge/edge_stream.h"
#include "listen.h"

#include <sys/epoll.h>
#include <unistd.h>

enum { MESSAGE_MAX = 65536 };

struct peer {
    struct edge_stream stream;
    struct edge_ws ws;
    bool upgraded;
};

static struct loop *loop;
static struct edge_streams *streams;
static struct loop_io listener;

static void upgrade(struct peer *peer, const uint8_t *bytes, size_t size)
{
    static const char name[] = "Sec-WebSocket-Key: ";
    char accept[EDGE_HANDSHAKE_ACCEPT];
    const char *key = memmem(bytes, size, name, sizeof name - 1);
    struct buffer *out = edge_stream_output(&peer->stream);
    must(key != NULL && out != NULL, "a handshake in one segment");
    edge_handshake_accept((struct text){key + sizeof name - 1, EDGE_HANDSHAKE_KEY}, accept);
    buffer_printf(out,
                  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                  "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                  accept);
    peer->upgraded = true;
}

static bool on_message(void *context, const struct edge_ws_event *event)
{
    struct peer *peer = context;
    struct buffer *out = edge_stream_output(&peer->stream);
    if (out != NULL && event->opcode == EDGE_WS_TEXT)
        edge_framing_ws.write(out, (struct text){(const char *)event->data, event->size}, TEXT(""));
    return true;
}

static void end(struct peer *peer)
{
    edge_stream_close(&peer->stream);
    edge_ws_done(&peer->ws);
    free(peer);
}

static void on_bytes(struct edge_stream *stream, uint8_t *bytes, size_t size)
{
    struct peer *peer = container_of(stream, struct peer, stream);
    if (!peer->upgraded)
        upgrade(peer, bytes, size);
    else
        must(edge_framing_ws.feed(&peer->ws, bytes, size, MESSAGE_MAX, on_message, peer) == 0,
             "good frames");
}

static void on_end(struct edge_stream *stream, int error)
{
    (void)error;
    end(container_of(stream, struct peer, stream));
}

static size_t frame_size(struct edge_stream *stream, const uint8_t *bytes, size_t size)
{
    (void)stream;
    return edge_framing_ws.frame_size(bytes, size);
}

static const struct edge_stream_ops ops = {
    .on_bytes = on_bytes, .on_end = on_end, .frame_size = frame_size};

static void on_connection(struct loop_io *io, uint32_t events)
{
    (void)events;
    int fd = -1;
    for (int taken = 0; taken < 64 && (fd = accept_one(io->fd)) >= 0; taken++) {
        struct peer *peer = calloc(1, sizeof *peer);
        must(peer != NULL && edge_stream_open(streams, &peer->stream, fd, &ops) == 0, "memory");
    }
}

static void on_input_end(struct loop_io *io, uint32_t events)
{
    (void)io;
    (void)events;
    exit(0);
}

int main(int argc, char **argv)
{
    static struct loop_io input = {.fd = STDIN_FILENO, .events = EPOLLIN, .on_event = on_input_end};
    const struct edge_streams_settings settings = {.pending_max = 1 << 20, .progress_ms = 10000};
    listener = (struct loop_io){
        .fd = listen_at(argc == 2 ? argv[1] : ""), .events = EPOLLIN, .on_event = on_connection};
    loop = loop_new();
    streams = loop == NULL ? NULL : edge_streams_new(loop, &settings);
    must(streams != NULL && loop_io_add(loop, &listener) == 0 && loop_io_add(loop, &input) == 0,
         "a loop");
    loop_run(loop);
}
