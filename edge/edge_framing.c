#include "edge/edge_framing.h"

#include "base/buffer.h"
#include "json/json.h"

#include <inttypes.h>
#include <stdio.h>

/* WebSocket. */

static void ws_write(struct buffer *out, struct text json, struct text cursor)
{
    (void)cursor;
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
    .broken = "the frame breaks RFC 6455",
};

/* What the answers without an end share. */

static int feed_nothing(struct edge_ws *ws, uint8_t *bytes, size_t size, size_t message_max,
                        edge_ws_on_event *on_event, void *context)
{
    (void)ws;
    (void)bytes;
    (void)message_max;
    (void)on_event;
    (void)context;
    return size > 0 ? EDGE_CLOSE_PROTOCOL : 0;
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Only what write_chunk() has written comes here. */
static size_t chunk_size(const uint8_t *bytes, size_t size)
{
    size_t chunk = 0;
    size_t at = 0;
    for (; at < size && hex_value(bytes[at]) >= 0; at++)
        chunk = chunk << 4 | (size_t)hex_value(bytes[at]);
    return at + 2 + chunk + 2;
}

/* A line break may stand between the tokens of a body, and would end a line here: there it means as
 * much as a space, and within a string of JSON there is none. */
static void append_line(struct buffer *out, struct text json)
{
    size_t from = out->size;
    buffer_append_text(out, json);
    if (out->failed)
        return;
    for (uint8_t *c = out->data + from; c < out->data + out->size; c++)
        if (*c == '\n' || *c == '\r')
            *c = ' ';
}

static void write_chunk(struct buffer *out, struct text before, struct text json, struct text after)
{
    buffer_printf(out, "%zx\r\n", before.size + json.size + after.size);
    buffer_append_text(out, before);
    append_line(out, json);
    buffer_append_text(out, after);
    buffer_append_text(out, TEXT("\r\n"));
}

static void write_last(struct buffer *out, const struct edge_framing *framing, uint16_t code,
                       struct text reason)
{
    struct buffer json = {0};
    buffer_printf(&json, "{\"t\":\"close\",\"code\":%" PRIu16 ",\"reason\":", code);
    json_write_string(&json, reason);
    buffer_append_text(&json, TEXT("}"));
    if (!json.failed)
        framing->write(out, buffer_text(&json), TEXT(""));
    buffer_free(&json);
}

static void write_end(struct buffer *out, const struct edge_framing *framing, uint16_t code,
                      struct text reason)
{
    write_last(out, framing, code, reason);
    buffer_append_text(out, TEXT("0\r\n\r\n"));
}

/* Server-sent events. */

static void sse_write(struct buffer *out, struct text json, struct text cursor)
{
    char before[64] = "data: ";
    if (cursor.size > 0 && cursor.size < sizeof before - sizeof "id: \ndata: ")
        (void)snprintf(before, sizeof before, "id: %.*s\ndata: ", TEXT_ARGS(cursor));
    write_chunk(out, text_of(before), json, TEXT("\n\n"));
}

static void sse_write_close(struct buffer *out, uint16_t code, struct text reason)
{
    write_end(out, &edge_framing_sse, code, reason);
}

static void sse_write_ping(struct buffer *out)
{
    write_chunk(out, TEXT(":"), TEXT(""), TEXT("\n\n"));
}

const struct edge_framing edge_framing_sse = {
    .write = sse_write,
    .write_close = sse_write_close,
    .write_ping = sse_write_ping,
    .feed = feed_nothing,
    .frame_size = chunk_size,
    .broken = "nothing may follow the request",
    .content_type = "text/event-stream",
    .one_way = true,
};

/* Lines. */

static void ndjson_write(struct buffer *out, struct text json, struct text cursor)
{
    (void)cursor;
    write_chunk(out, TEXT(""), json, TEXT("\n"));
}

static void ndjson_write_close(struct buffer *out, uint16_t code, struct text reason)
{
    write_end(out, &edge_framing_ndjson, code, reason);
}

static void ndjson_write_ping(struct buffer *out)
{
    write_chunk(out, TEXT(""), TEXT(""), TEXT("\n"));
}

const struct edge_framing edge_framing_ndjson = {
    .write = ndjson_write,
    .write_close = ndjson_write_close,
    .write_ping = ndjson_write_ping,
    .feed = feed_nothing,
    .frame_size = chunk_size,
    .broken = "nothing may follow the request",
    .content_type = "application/x-ndjson",
    .one_way = true,
};

/* Elements of an array. */

static void array_write(struct buffer *out, struct text json, struct text cursor)
{
    (void)cursor;
    if (out->size > 0)
        buffer_append_text(out, TEXT(","));
    buffer_append_text(out, json);
}

static void array_write_close(struct buffer *out, uint16_t code, struct text reason)
{
    write_last(out, &edge_framing_array, code, reason);
}

/* It is no stream: nothing keeps it open, and nothing comes in. */
const struct edge_framing edge_framing_array = {
    .write = array_write,
    .write_close = array_write_close,
    .one_way = true,
};
