#include "edge/edge_framing.h"

#include "base/buffer.h"

/* WebSocket. */

static void ws_write(struct buffer *out, struct text json)
{
    edge_ws_write(out, EDGE_WS_TEXT, json.data, json.size);
}

static void ws_write_ping(struct buffer *out)
{
    edge_ws_write(out, EDGE_WS_PING, NULL, 0);
}

static void ws_write_pong(struct buffer *out, const uint8_t *data, size_t size)
{
    edge_ws_write(out, EDGE_WS_PONG, data, size);
}

const struct edge_framing edge_framing_ws = {
    .write = ws_write,
    .write_close = edge_ws_write_close,
    .write_ping = ws_write_ping,
    .write_pong = ws_write_pong,
    .feed = edge_ws_feed,
    .frame_size = edge_ws_frame_size,
};
