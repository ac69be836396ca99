/* How JSON texts are laid out for a client: a row for each transport. A session writes and takes
 * bytes by its row alone, so what it does is the same on all of them. Pure: bytes in, bytes out.
 *
 * In an HTTP answer without an end each text is a chunk of its own (RFC 7230, 4.1). The client says
 * nothing there, and the last text is {"t":"close","code":...,"reason":...}. */
#pragma once

#include "base/text.h"
#include "edge/edge_ws.h"

struct buffer;

struct edge_framing {
    /* Appends one text. `cursor` is the one that it brings the client to; empty: none. */
    void (*write)(struct buffer *out, struct text json, struct text cursor);
    /* Appends the last words: nothing is written after them. */
    void (*write_close)(struct buffer *out, uint16_t code, struct text reason);
    void (*write_ping)(struct buffer *out);
    void (*write_pong)(struct buffer *out, const uint8_t *data, size_t size);
    /* Takes what the client says; as edge_ws_feed(). */
    int (*feed)(struct edge_ws *ws, uint8_t *bytes, size_t size, size_t message_max,
                edge_ws_on_event *on_event, void *context);
    /* Of what was written: the size of the part that begins at `bytes`, and is written whole or not
     * at all. `size` bytes are there. */
    size_t (*frame_size)(const uint8_t *bytes, size_t size);
    const char *broken;       /* why input is closed with 1002 */
    const char *content_type; /* of an HTTP answer; NULL: it is none */
    bool one_way;             /* the client says nothing, so pings have no answer */
};

extern const struct edge_framing edge_framing_ws;     /* RFC 6455 */
extern const struct edge_framing edge_framing_sse;    /* server-sent events, of the HTML standard */
extern const struct edge_framing edge_framing_ndjson; /* a line for each text */
extern const struct edge_framing edge_framing_array;  /* elements; the brackets are others' */
