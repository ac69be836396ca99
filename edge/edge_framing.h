/* How JSON texts are laid out for a client: a row for each transport. A session writes and takes
 * bytes by its row alone, so what it does is the same on all of them. Pure: bytes in, bytes out. */
#pragma once

#include "base/text.h"
#include "edge/edge_ws.h"

struct buffer;

struct edge_framing {
    /* Appends one text. */
    void (*write)(struct buffer *out, struct text json);
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
};

extern const struct edge_framing edge_framing_ws; /* RFC 6455 */
