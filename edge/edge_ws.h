/* WebSocket frames (RFC 6455) of a server without extensions: bytes in, messages out. Pure: no
 * socket, no clock. An idle connection holds no buffer; what is partial is kept in one that is
 * freed when it has become whole.
 *
 * Source: RFC 6455 sections 5 (framing), 7.4 (close codes) and 8.1 (UTF-8). */
#pragma once

#include "base/macros.h"
#include "base/text.h"
#include "edge/edge_utf8.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer;

enum edge_ws_opcode {
    EDGE_WS_CONTINUATION = 0,
    EDGE_WS_TEXT = 1,
    EDGE_WS_BINARY = 2,
    EDGE_WS_CLOSE = 8,
    EDGE_WS_PING = 9,
    EDGE_WS_PONG = 10,
};

enum edge_ws_close_code {
    EDGE_CLOSE_NORMAL = 1000,
    EDGE_CLOSE_GOING_AWAY = 1001,
    EDGE_CLOSE_PROTOCOL = 1002,
    EDGE_CLOSE_UNSUPPORTED = 1003,
    EDGE_CLOSE_NO_CODE = 1005, /* never sent: a close frame without one */
    EDGE_CLOSE_NOT_UTF8 = 1007,
    EDGE_CLOSE_POLICY = 1008,
    EDGE_CLOSE_TOO_BIG = 1009,
    EDGE_CLOSE_INTERNAL = 1011,
    EDGE_CLOSE_RECONNECT = 4000, /* reconnect and resume now */
    EDGE_CLOSE_LATER = 4001,
    EDGE_CLOSE_TOKEN = 4401, /* with a new token */
    EDGE_CLOSE_NEVER = 4403, /* also: replaced by a newer connection of the same device */
};

enum {
    EDGE_WS_HEADER_MAX = 14, /* of a client's frame, with its mask */
    EDGE_WS_CONTROL_MAX = 125,
};

/* One per connection; zeroed is a good start, end it with edge_ws_done(). */
struct edge_ws {
    struct edge_ws_input *input; /* NULL while nothing is partial */
    uint8_t opcode;              /* of the message whose fragments are coming; 0: none */
    struct edge_utf8 utf8;
};

/* A whole message, or a control frame. Borrowed for the callback's duration. */
struct edge_ws_event {
    enum edge_ws_opcode opcode; /* never EDGE_WS_CONTINUATION */
    const uint8_t *data;        /* CLOSE: the reason, without the code */
    size_t size;
    uint16_t code; /* CLOSE: the code, EDGE_CLOSE_NO_CODE when there was none */
};
/* False ends the feeding: what is left is thrown away. */
typedef bool edge_ws_on_event(void *context, const struct edge_ws_event *event);

void edge_ws_done(struct edge_ws *ws);
/* Takes bytes as they came, and unmasks in place. `message_max` bounds a message, whole or in
 * fragments, and is judged by the frame's header, before its payload comes.
 * 0; -ENOMEM; or the close code that the peer has earned: 1002, 1007 or 1009. */
MUST_USE int edge_ws_feed(struct edge_ws *ws, uint8_t *bytes, size_t size, size_t message_max,
                          edge_ws_on_event *on_event, void *context);
/* A message is partial: some bytes are here, others must come. */
bool edge_ws_is_partial(const struct edge_ws *ws);
/* The bytes held for it. */
size_t edge_ws_held(const struct edge_ws *ws);

/* A server's frame header, unmasked, final. Returns its size, 2 to 10. */
size_t edge_ws_header(uint8_t header[10], enum edge_ws_opcode opcode, size_t size);
/* The size of a server's whole frame, by its header. `size` bytes are there, the header among
 * them. */
size_t edge_ws_frame_size(const uint8_t *bytes, size_t size);
/* Appends a whole frame. */
void edge_ws_write(struct buffer *out, enum edge_ws_opcode opcode, const void *data, size_t size);
/* Appends a close frame; the reason is cut to fit. EDGE_CLOSE_NO_CODE writes an empty one. */
void edge_ws_write_close(struct buffer *out, uint16_t code, struct text reason);
/* Whether a peer may send this code in a close frame. */
bool edge_ws_code_is_valid(uint16_t code);
