/* The same bytes whole and cut in two, at a place the first byte says: the same messages, the same
 * verdict, and nothing held past what the message bound allows. */
#include "base/buffer.h"
#include "edge/edge_ws.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGE_MAX = 4096 };

static bool on_event(void *context, const struct edge_ws_event *event)
{
    struct buffer *seen = context;
    assert(event->opcode != EDGE_WS_CONTINUATION && event->size <= MESSAGE_MAX);
    if (event->opcode == EDGE_WS_TEXT)
        assert(text_is_utf8((struct text){(const char *)event->data, event->size}));
    buffer_printf(seen, "%d %u %zu:", (int)event->opcode, event->code, event->size);
    buffer_append(seen, event->data, event->size);
    return event->opcode != EDGE_WS_CLOSE;
}

/* Feeds bytes[from..to) from a copy, since feeding unmasks in place. */
static int feed(struct edge_ws *ws, const uint8_t *bytes, size_t size, struct buffer *seen)
{
    uint8_t *copy = malloc(size == 0 ? 1 : size);
    assert(copy != NULL);
    if (size > 0)
        memcpy(copy, bytes, size);
    int verdict = edge_ws_feed(ws, copy, size, MESSAGE_MAX, on_event, seen);
    assert(edge_ws_held(ws) <= 2 * MESSAGE_MAX + 512);
    free(copy);
    return verdict;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct buffer whole = {0}, halves = {0};
    struct edge_ws one = {0}, two = {0};
    size_t cut = data[0] % size;
    int verdict = feed(&one, data + 1, size - 1, &whole);
    int split = feed(&two, data + 1, cut, &halves);
    /* After a close frame, or an error, the connection takes no more. */
    bool ended =
        memmem(halves.data == NULL ? (uint8_t *)"" : halves.data, halves.size, "8 ", 2) != NULL;
    if (split == 0 && !ended)
        split = feed(&two, data + 1 + cut, size - 1 - cut, &halves);
    if (!ended) {
        assert(verdict == split);
        assert(text_equal(buffer_text(&whole), buffer_text(&halves)));
    }
    edge_ws_done(&one);
    edge_ws_done(&two);
    buffer_free(&whole);
    buffer_free(&halves);
    return 0;
}
