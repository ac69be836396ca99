/* WebSocket frames of a client: however its bytes are cut, the same events come out. The first byte
 * of the input says how large the pieces are; the rest is what the client sends. */
#include "edge/edge_ws.h"

#include "base/buffer.h"

#include <stdlib.h>
#include <string.h>

enum {
    MESSAGE_MAX = 300, /* small, so that the bound is met */
    /* A message in fragments and a partial frame, each in a buffer that doubles. */
    HELD_MAX = 2 * (MESSAGE_MAX + EDGE_WS_HEADER_MAX) + 2 * MESSAGE_MAX + 512,
};

struct told {
    struct buffer events; /* what was told, one after another */
    bool closed;
    int code;
};

static void require(bool holds)
{
    if (!holds)
        abort();
}

static bool is_utf8(const struct edge_ws_event *event)
{
    return text_is_utf8((struct text){(const char *)event->data, event->size});
}

static bool on_event(void *context, const struct edge_ws_event *event)
{
    struct told *told = context;
    uint8_t head[4] = {(uint8_t)event->opcode, (uint8_t)(event->code >> 8), (uint8_t)event->code,
                       (uint8_t)event->size};
    require(!told->closed);
    switch (event->opcode) {
    case EDGE_WS_TEXT:
        require(event->size <= MESSAGE_MAX && is_utf8(event));
        break;
    case EDGE_WS_BINARY:
        require(event->size <= MESSAGE_MAX);
        break;
    case EDGE_WS_CLOSE:
        require(event->size <= EDGE_WS_CONTROL_MAX && is_utf8(event));
        require(event->code == EDGE_CLOSE_NO_CODE || edge_ws_code_is_valid(event->code));
        told->closed = true;
        break;
    case EDGE_WS_PING:
    case EDGE_WS_PONG:
        require(event->size <= EDGE_WS_CONTROL_MAX);
        break;
    default:
        abort();
    }
    buffer_append(&told->events, head, sizeof head);
    buffer_append(&told->events, event->data, event->size);
    return true;
}

static void feed_all(const uint8_t *data, size_t size, size_t piece, struct told *told)
{
    struct edge_ws ws = {0};
    for (size_t at = 0; at < size && told->code == 0 && !told->closed; at += piece) {
        size_t part = size - at < piece ? size - at : piece;
        uint8_t *copy = malloc(part); /* it is unmasked in place */
        require(copy != NULL);
        memcpy(copy, data + at, part);
        told->code = edge_ws_feed(&ws, copy, part, MESSAGE_MAX, on_event, told);
        free(copy);
        require(told->code == 0 || told->code == EDGE_CLOSE_PROTOCOL ||
                told->code == EDGE_CLOSE_NOT_UTF8 || told->code == EDGE_CLOSE_TOO_BIG);
        require(told->code != 0 || edge_ws_held(&ws) == 0 || edge_ws_is_partial(&ws));
        require(edge_ws_held(&ws) <= HELD_MAX + 2 * part);
    }
    edge_ws_done(&ws);
    require(edge_ws_held(&ws) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct told whole = {0};
    struct told cut = {0};
    size_t piece = (size_t)data[0] + 1;
    feed_all(data + 1, size - 1, size - 1, &whole);
    feed_all(data + 1, size - 1, piece, &cut);
    require(whole.code == cut.code && whole.closed == cut.closed);
    require(whole.events.size == cut.events.size);
    require(whole.events.size == 0 ||
            memcmp(whole.events.data, cut.events.data, cut.events.size) == 0);
    buffer_free(&whole.events);
    buffer_free(&cut.events);
    return 0;
}
