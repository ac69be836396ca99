#include "edge/edge_ws.h"

#include "base/buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What is kept while something is partial. */
struct edge_ws_input {
    struct buffer frame;   /* the start of a frame, as it came */
    struct buffer message; /* the fragments so far, unmasked */
};

struct edge_ws_frame {
    bool final;
    uint8_t opcode;
    uint8_t mask[4];
    size_t header_size;
    size_t size; /* of the payload */
};

void edge_ws_done(struct edge_ws *ws)
{
    if (ws->input == NULL)
        return;
    buffer_free(&ws->input->frame);
    buffer_free(&ws->input->message);
    free(ws->input);
    ws->input = NULL;
}

static int edge_ws_need_input(struct edge_ws *ws)
{
    if (ws->input == NULL)
        ws->input = calloc(1, sizeof *ws->input);
    return ws->input == NULL ? -ENOMEM : 0;
}

static void edge_ws_drop_idle_input(struct edge_ws *ws)
{
    if (ws->input == NULL || ws->input->frame.size != 0)
        return;
    buffer_free(&ws->input->frame);
    if (ws->opcode == 0)
        edge_ws_done(ws);
}

bool edge_ws_is_partial(const struct edge_ws *ws)
{
    return ws->input != NULL || ws->opcode != 0;
}

size_t edge_ws_held(const struct edge_ws *ws)
{
    return ws->input == NULL ? 0 : ws->input->frame.capacity + ws->input->message.capacity;
}

static int edge_ws_check_first(uint8_t first, uint8_t second)
{
    uint8_t opcode = first & 0x0f;
    bool control = opcode >= EDGE_WS_CLOSE;
    if ((first & 0x70) != 0) /* no extension was agreed on */
        return EDGE_CLOSE_PROTOCOL;
    if ((opcode > EDGE_WS_BINARY && opcode < EDGE_WS_CLOSE) || opcode > EDGE_WS_PONG)
        return EDGE_CLOSE_PROTOCOL;
    if ((second & 0x80) == 0) /* a client must mask */
        return EDGE_CLOSE_PROTOCOL;
    if (control && ((first & 0x80) == 0 || (second & 0x7f) > EDGE_WS_CONTROL_MAX))
        return EDGE_CLOSE_PROTOCOL;
    return 0;
}

/* The payload's size behind its 7 bits. `bytes` holds the whole header. */
static int edge_ws_read_size(const uint8_t *bytes, uint64_t *ret_size)
{
    uint8_t short_size = bytes[1] & 0x7f;
    uint64_t size = short_size;
    if (short_size == 126) {
        size = (uint64_t)bytes[2] << 8 | bytes[3];
        if (size < 126) /* the shortest form is a must */
            return EDGE_CLOSE_PROTOCOL;
    } else if (short_size == 127) {
        size = 0;
        for (size_t i = 2; i < 10; i++)
            size = size << 8 | bytes[i];
        if (size < 65536 || size >> 63 != 0)
            return EDGE_CLOSE_PROTOCOL;
    }
    *ret_size = size;
    return 0;
}

/* Reads a frame's header. 0 with ret_frame->header_size 0 when bytes are missing, else a close
 * code. `room` is what a message may still grow. */
static int edge_ws_read_header(const uint8_t *bytes, size_t size, size_t room,
                               struct edge_ws_frame *ret_frame)
{
    *ret_frame = (struct edge_ws_frame){0};
    if (size < 2)
        return 0;
    int code = edge_ws_check_first(bytes[0], bytes[1]);
    if (code != 0)
        return code;
    uint8_t short_size = bytes[1] & 0x7f;
    size_t header = short_size == 127 ? 14 : short_size == 126 ? 8 : 6;
    if (size < header)
        return 0;
    uint64_t payload = 0;
    code = edge_ws_read_size(bytes, &payload);
    if (code != 0)
        return code;
    bool control = (bytes[0] & 0x0f) >= EDGE_WS_CLOSE;
    if (!control && payload > room)
        return EDGE_CLOSE_TOO_BIG;
    ret_frame->final = (bytes[0] & 0x80) != 0;
    ret_frame->opcode = bytes[0] & 0x0f;
    ret_frame->size = (size_t)payload;
    ret_frame->header_size = header;
    memcpy(ret_frame->mask, bytes + header - 4, 4);
    return 0;
}

static void edge_ws_unmask(uint8_t *bytes, size_t size, const uint8_t mask[4])
{
    uint64_t wide;
    memcpy(&wide, mask, 4);
    memcpy((uint8_t *)&wide + 4, mask, 4);
    size_t at = 0;
    for (; size - at >= sizeof wide; at += sizeof wide) {
        uint64_t word;
        memcpy(&word, bytes + at, sizeof word);
        word ^= wide;
        memcpy(bytes + at, &word, sizeof word);
    }
    for (; at < size; at++)
        bytes[at] ^= mask[at % 4];
}

bool edge_ws_code_is_valid(uint16_t code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

struct edge_ws_feeding {
    struct edge_ws *ws;
    size_t message_max;
    edge_ws_on_event *on_event;
    void *context;
    bool stopped;
};

static void edge_ws_tell(struct edge_ws_feeding *feeding, const struct edge_ws_event *event)
{
    feeding->stopped = !feeding->on_event(feeding->context, event);
}

static int edge_ws_take_close(struct edge_ws_feeding *feeding, const uint8_t *data, size_t size)
{
    struct edge_ws_event event = {.opcode = EDGE_WS_CLOSE, .code = EDGE_CLOSE_NO_CODE};
    if (size == 1)
        return EDGE_CLOSE_PROTOCOL;
    if (size >= 2) {
        event.code = (uint16_t)(data[0] << 8 | data[1]);
        event.data = data + 2;
        event.size = size - 2;
        if (!edge_ws_code_is_valid(event.code))
            return EDGE_CLOSE_PROTOCOL;
        if (!text_is_utf8((struct text){.data = (const char *)event.data, .size = event.size}))
            return EDGE_CLOSE_NOT_UTF8;
    }
    edge_ws_tell(feeding, &event);
    feeding->stopped = true; /* nothing counts after a close frame */
    return 0;
}

/* A frame of a message that came in fragments, or begins to. */
static int edge_ws_take_fragment(struct edge_ws_feeding *feeding, const struct edge_ws_frame *frame,
                                 const uint8_t *data)
{
    struct edge_ws *ws = feeding->ws;
    if (edge_ws_need_input(ws) != 0)
        return -ENOMEM;
    struct buffer *message = &ws->input->message;
    buffer_append(message, data, frame->size);
    if (message->failed)
        return -ENOMEM;
    if (!frame->final)
        return 0;
    struct edge_ws_event event = {
        .opcode = ws->opcode, .data = message->data, .size = message->size};
    ws->opcode = 0;
    edge_ws_tell(feeding, &event);
    buffer_free(message);
    return 0;
}

static int edge_ws_take_data(struct edge_ws_feeding *feeding, const struct edge_ws_frame *frame,
                             const uint8_t *data)
{
    struct edge_ws *ws = feeding->ws;
    bool continues = frame->opcode == EDGE_WS_CONTINUATION;
    if (continues != (ws->opcode != 0)) /* nothing to continue, or something else had begun */
        return EDGE_CLOSE_PROTOCOL;
    uint8_t opcode = continues ? ws->opcode : frame->opcode;
    if (!continues)
        ws->utf8 = (struct edge_utf8){0};
    if (opcode == EDGE_WS_TEXT && (!edge_utf8_feed(&ws->utf8, data, frame->size) ||
                                   (frame->final && !edge_utf8_complete(&ws->utf8))))
        return EDGE_CLOSE_NOT_UTF8;
    if (!continues && frame->final) {
        struct edge_ws_event event = {.opcode = opcode, .data = data, .size = frame->size};
        edge_ws_tell(feeding, &event);
        return 0;
    }
    ws->opcode = opcode;
    return edge_ws_take_fragment(feeding, frame, data);
}

static int edge_ws_take_frame(struct edge_ws_feeding *feeding, const struct edge_ws_frame *frame,
                              uint8_t *data)
{
    edge_ws_unmask(data, frame->size, frame->mask);
    if (frame->opcode == EDGE_WS_CLOSE)
        return edge_ws_take_close(feeding, data, frame->size);
    if (frame->opcode > EDGE_WS_CLOSE) {
        struct edge_ws_event event = {.opcode = frame->opcode, .data = data, .size = frame->size};
        edge_ws_tell(feeding, &event);
        return 0;
    }
    return edge_ws_take_data(feeding, frame, data);
}

static size_t edge_ws_room(const struct edge_ws_feeding *feeding)
{
    const struct edge_ws *ws = feeding->ws;
    size_t held = ws->opcode != 0 && ws->input != NULL ? ws->input->message.size : 0;
    return held >= feeding->message_max ? 0 : feeding->message_max - held;
}

/* Takes the whole frames at the start of `bytes`; `ret_used` is what they took. */
static int edge_ws_take_frames(struct edge_ws_feeding *feeding, uint8_t *bytes, size_t size,
                               size_t *ret_used)
{
    size_t used = 0;
    int code = 0;
    while (code == 0 && !feeding->stopped) {
        struct edge_ws_frame frame;
        code = edge_ws_read_header(bytes + used, size - used, edge_ws_room(feeding), &frame);
        if (code != 0 || frame.header_size == 0 || size - used - frame.header_size < frame.size)
            break;
        code = edge_ws_take_frame(feeding, &frame, bytes + used + frame.header_size);
        used += frame.header_size + frame.size;
    }
    *ret_used = used;
    return code;
}

int edge_ws_feed(struct edge_ws *ws, uint8_t *bytes, size_t size, size_t message_max,
                 edge_ws_on_event *on_event, void *context)
{
    struct edge_ws_feeding feeding = {
        .ws = ws, .message_max = message_max, .on_event = on_event, .context = context};
    size_t used = 0;
    bool joined = ws->input != NULL && ws->input->frame.size != 0;
    if (joined) { /* the start of a frame was here already */
        buffer_append(&ws->input->frame, bytes, size);
        if (ws->input->frame.failed)
            return -ENOMEM;
        bytes = ws->input->frame.data;
        size = ws->input->frame.size;
    }
    int code = edge_ws_take_frames(&feeding, bytes, size, &used);
    if (feeding.stopped)
        used = size;
    if (code != 0)
        return code;
    if (joined) {
        buffer_consume(&ws->input->frame, used);
    } else if (used < size) {
        if (edge_ws_need_input(ws) != 0)
            return -ENOMEM;
        buffer_append(&ws->input->frame, bytes + used, size - used);
        if (ws->input->frame.failed)
            return -ENOMEM;
    }
    edge_ws_drop_idle_input(ws);
    return 0;
}

size_t edge_ws_header(uint8_t header[10], enum edge_ws_opcode opcode, size_t size)
{
    header[0] = (uint8_t)(0x80 | opcode);
    if (size < 126) {
        header[1] = (uint8_t)size;
        return 2;
    }
    if (size < 65536) {
        header[1] = 126;
        header[2] = (uint8_t)(size >> 8);
        header[3] = (uint8_t)size;
        return 4;
    }
    header[1] = 127;
    for (size_t i = 0; i < 8; i++)
        header[2 + i] = (uint8_t)((uint64_t)size >> (56 - 8 * i));
    return 10;
}

size_t edge_ws_frame_size(const uint8_t *bytes, size_t size)
{
    uint64_t payload = 0;
    size_t header = size < 2 || bytes[1] < 126 ? 2 : bytes[1] == 126 ? 4 : 10;
    if (size < header)
        return size;
    if (header == 2)
        return header + bytes[1];
    for (size_t i = 2; i < header; i++)
        payload = payload << 8 | bytes[i];
    return header + (size_t)payload;
}

void edge_ws_write(struct buffer *out, enum edge_ws_opcode opcode, const void *data, size_t size)
{
    uint8_t header[10];
    buffer_append(out, header, edge_ws_header(header, opcode, size));
    buffer_append(out, data, size);
}

/* Not more than `max` bytes, and no character cut in two. */
static size_t edge_ws_cut(struct text reason, size_t max)
{
    size_t size = reason.size < max ? reason.size : max;
    while (size > 0 && size < reason.size && ((uint8_t)reason.data[size] & 0xc0) == 0x80)
        size--;
    return size;
}

void edge_ws_write_close(struct buffer *out, uint16_t code, struct text reason)
{
    uint8_t payload[EDGE_WS_CONTROL_MAX];
    size_t size = 0;
    if (code != EDGE_CLOSE_NO_CODE) {
        payload[0] = (uint8_t)(code >> 8);
        payload[1] = (uint8_t)code;
        size = edge_ws_cut(reason, sizeof payload - 2);
        if (size > 0)
            memcpy(payload + 2, reason.data, size);
        size += 2;
    }
    edge_ws_write(out, EDGE_WS_CLOSE, payload, size);
}
