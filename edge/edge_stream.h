/* The bytes of one client: read as they come, written once per loop turn. A socket in the loop's
 * epoll set, plain or under TLS (see edge_transport.h); what is above it does not see which.
 *
 * An idle stream holds no buffer: all streams read into one, and pending output is taken from a
 * pool only while there is some. */
#pragma once

#include "base/buffer.h"
#include "base/macros.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct edge_stream;
struct ssl_st; /* SSL of OpenSSL */

struct edge_stream_ops {
    /* The bytes may be changed in place. */
    void (*on_bytes)(struct edge_stream *stream, uint8_t *bytes, size_t size);
    /* Pending output went out to the last byte. May be NULL. */
    void (*on_flushed)(struct edge_stream *stream);
    /* The stream is of no use any more; the owner closes it. 0: the peer ended it; -ENOBUFS:
     * more is pending than allowed; -ETIMEDOUT: no progress; else the socket's error. Called
     * once. */
    void (*on_end)(struct edge_stream *stream, int error);
    /* The size of the frame that begins at `bytes`, for edge_stream_cut(). */
    size_t (*frame_size)(struct edge_stream *stream, const uint8_t *bytes, size_t size);
};

/* Embedded in its owner, zeroed before edge_stream_open(). */
struct edge_stream {
    struct loop_io io;
    struct edge_streams *streams;
    const struct edge_stream_ops *ops;
    struct edge_output *output; /* NULL while nothing is pending */
    struct ssl_st *ssl;         /* NULL: plain */
    uint32_t read_left;         /* TLS: bytes that this event may still take from the socket */
    bool paused;
    bool ended; /* on_end was called */
};

/* What the streams of one loop share. */
struct edge_streams; /* opaque, see edge_stream.c */
struct edge_streams_settings {
    size_t pending_max;  /* judged after trying to write */
    int64_t progress_ms; /* pending output that moves nothing for so long ends the stream */
};
MUST_USE struct edge_streams *edge_streams_new(struct loop *loop,
                                               const struct edge_streams_settings *settings);
void edge_streams_free(struct edge_streams *streams); /* every stream was closed */
/* Ends the streams whose output does not move. Call it about twice a second. */
void edge_streams_tick(struct edge_streams *streams, int64_t now_ms);
/* Streams with pending output. */
size_t edge_streams_pending(const struct edge_streams *streams);

/* Takes `fd`, a connected socket, and begins to read; closes it on failure. */
MUST_USE int edge_stream_open(struct edge_streams *streams, struct edge_stream *stream, int fd,
                              const struct edge_stream_ops *ops);
/* The same under TLS: takes `ssl` too, whose handshake is done and which holds no bytes of the peer
 * that were not decrypted. */
MUST_USE int edge_stream_open_tls(struct edge_streams *streams, struct edge_stream *stream, int fd,
                                  struct ssl_st *ssl, const struct edge_stream_ops *ops);
/* Closes at once; pending output is dropped. May be called in any callback, and twice. */
void edge_stream_close(struct edge_stream *stream);
/* Where to append output; it is written at the end of the turn. NULL when memory is short or the
 * stream has ended. Borrowed until then. */
struct buffer *edge_stream_output(struct edge_stream *stream);
/* Tries to write now. */
void edge_stream_flush(struct edge_stream *stream);
/* Drops pending output but the frame that is partly out. The stream can be written to again, also
 * when it has ended by -ENOBUFS or -ETIMEDOUT: for last words. */
void edge_stream_cut(struct edge_stream *stream);
/* No more output will come: what is pending is written, then the peer is told the end. */
void edge_stream_finish(struct edge_stream *stream);
/* Stops or goes on reading. */
void edge_stream_pause(struct edge_stream *stream, bool pause);
bool edge_stream_is_open(const struct edge_stream *stream);
size_t edge_stream_pending(const struct edge_stream *stream);
