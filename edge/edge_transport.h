/* How the bytes of a stream cross its socket: as they are, or in TLS records. For edge_stream.c
 * alone; what all calls have in common: they do not block, and a negative errno other than -EAGAIN
 * means that the socket is of no use any more. */
#pragma once

#include "edge/edge_stream.h"

#include <sys/types.h>

enum {
    EDGE_TRANSPORT_READ_SIZE = 64 * 1024, /* per event: one fast sender must not hold up the turn */
    EDGE_TRANSPORT_RECORD_MAX = 16 * 1024, /* plaintext of a TLS record: RFC 8446, 5.1 */
};

enum edge_transport_next {
    EDGE_TRANSPORT_WAIT,    /* for the next event */
    EDGE_TRANSPORT_READ_ON, /* there is more, of which no event would tell */
    EDGE_TRANSPORT_ENDED    /* by the peer */
};

struct edge_transport {
    /* Reads what is there, at most EDGE_TRANSPORT_READ_SIZE. Returns how much, also 0; `ret_next`
     * is what to do then, or a negative errno. */
    size_t (*read)(struct edge_stream *stream, uint8_t *into, int *ret_next);
    /* Returns how much was taken; or -EAGAIN. What was shown to a TLS transport may then be in a
     * record that is half out: `ret_held` bytes must be shown again, unchanged. */
    ssize_t (*write)(struct edge_stream *stream, const uint8_t *bytes, size_t size,
                     size_t *ret_held);
    /* Tells the peer that no more comes. 0, -EAGAIN. */
    int (*finish)(struct edge_stream *stream);
    /* What it has beside the descriptor. */
    void (*close)(struct edge_stream *stream);
};

extern const struct edge_transport edge_transport_plain;
extern const struct edge_transport edge_transport_tls;

/* Puts the socket under stream->ssl, whose handshake is done. -ENOMEM. */
MUST_USE int edge_transport_tls_open(struct edge_stream *stream);
