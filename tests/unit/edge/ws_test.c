#include "edge/edge_ws.h"

#include "base/buffer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MESSAGE_MAX = 1000 };

static bool on_event(void *context, const struct edge_ws_event *event)
{
    struct buffer *seen = context;
    buffer_printf(seen, "%d", (int)event->opcode);
    if (event->opcode == EDGE_WS_CLOSE)
        buffer_printf(seen, "(%u)", event->code);
    buffer_printf(seen, "[%.*s]", (int)event->size, (const char *)event->data);
    return event->opcode != EDGE_WS_CLOSE;
}

static int feed(struct edge_ws *ws, const void *bytes, size_t size, struct buffer *seen)
{
    uint8_t *copy = malloc(size == 0 ? 1 : size);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    int verdict = edge_ws_feed(ws, copy, size, MESSAGE_MAX, on_event, seen);
    free(copy);
    return verdict;
}

/* A client's frame: first byte, then the payload under a mask. */
static void frame(struct buffer *out, uint8_t first, const char *payload, size_t size)
{
    static const uint8_t mask[4] = {0x12, 0x34, 0x56, 0x78};
    uint8_t head[10] = {first};
    size_t head_size = 2;
    if (size < 126) {
        head[1] = (uint8_t)(0x80 | size);
    } else {
        head[1] = 0x80 | 126;
        head[2] = (uint8_t)(size >> 8);
        head[3] = (uint8_t)size;
        head_size = 4;
    }
    buffer_append(out, head, head_size);
    buffer_append(out, mask, 4);
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)((uint8_t)payload[i] ^ mask[i % 4]);
        buffer_append(out, &byte, 1);
    }
}

#define FRAME(out, first, literal) frame(out, first, literal, sizeof(literal) - 1)

/* What came of these bytes, whole, and cut in two at every place. */
static void assert_seen(const struct buffer *bytes, int verdict, const char *expected)
{
    for (size_t cut = 0; cut <= bytes->size; cut++) {
        struct edge_ws ws = {0};
        struct buffer seen = {0};
        int got = feed(&ws, bytes->data, cut, &seen);
        if (got == 0 && !(seen.size > 0 && memchr(seen.data, '(', seen.size) != NULL))
            got = feed(&ws, bytes->data + cut, bytes->size - cut, &seen);
        buffer_append(&seen, "", 1);
        assert_int_equal(got, verdict);
        assert_string_equal((const char *)seen.data, expected);
        edge_ws_done(&ws);
        buffer_free(&seen);
    }
}

static void takes_messages_whole_and_in_fragments(void **state)
{
    (void)state;
    struct buffer in = {0};
    FRAME(&in, 0x81, "hello");
    FRAME(&in, 0x82, "bin");
    FRAME(&in, 0x01, "fra");
    FRAME(&in, 0x89, "ping"); /* a control frame between fragments */
    FRAME(&in, 0x00, "gm");
    FRAME(&in, 0x80, "ents");
    FRAME(&in, 0x81, "");
    FRAME(&in, 0x8A, "pong");
    assert_seen(&in, 0, "1[hello]2[bin]9[ping]1[fragments]1[]10[pong]");
    buffer_free(&in);
}

static void closes_with_code_and_reason(void **state)
{
    (void)state;
    struct buffer in = {0};
    FRAME(&in, 0x88, "\x0F\xA0why");
    FRAME(&in, 0x81, "after");
    assert_seen(&in, 0, "8(4000)[why]");
    buffer_clear(&in);
    FRAME(&in, 0x88, "");
    assert_seen(&in, 0, "8(1005)[]");
    buffer_free(&in);
}

static const struct {
    const char *what;
    uint8_t bytes[24];
    size_t size;
    int verdict;
} bad[] = {
    {"no mask", {0x81, 0x01, 'a'}, 3, 1002},
    {"RSV1", {0xC1, 0x80, 0, 0, 0, 0}, 6, 1002},
    {"RSV3", {0x91, 0x80, 0, 0, 0, 0}, 6, 1002},
    {"opcode 3", {0x83, 0x80, 0, 0, 0, 0}, 6, 1002},
    {"opcode 11", {0x8B, 0x80, 0, 0, 0, 0}, 6, 1002},
    {"a continuation of nothing", {0x80, 0x80, 0, 0, 0, 0}, 6, 1002},
    {"a new message inside another", {0x01, 0x80, 0, 0, 0, 0, 0x81, 0x80, 0, 0, 0, 0}, 12, 1002},
    {"a ping in fragments", {0x09, 0x80, 0, 0, 0, 0}, 6, 1002},
    {"a ping of 126 bytes", {0x89, 0xFE, 0, 126, 0, 0, 0, 0}, 8, 1002},
    {"16 bits for a short length", {0x81, 0xFE, 0, 125, 0, 0, 0, 0}, 8, 1002},
    {"64 bits with the top bit", {0x81, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0}, 14, 1002},
    {"a length far past the bound", {0x81, 0xFF, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 14, 1009},
    {"a close of one byte", {0x88, 0x81, 0, 0, 0, 0, 3}, 7, 1002},
    {"a close with 1005", {0x88, 0x82, 0, 0, 0, 0, 0x03, 0xED}, 8, 1002},
    {"a close with 999", {0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE7}, 8, 1002},
    {"a close reason that is no UTF-8", {0x88, 0x83, 0, 0, 0, 0, 0x03, 0xE8, 0xFF}, 9, 1007},
    {"text that is no UTF-8", {0x81, 0x81, 0, 0, 0, 0, 0xFF}, 7, 1007},
    {"text cut inside a character", {0x81, 0x81, 0, 0, 0, 0, 0xC3}, 7, 1007},
};

static void refuses_what_the_rfc_forbids(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct buffer in = {0};
        buffer_append(&in, bad[i].bytes, bad[i].size);
        print_message("%s\n", bad[i].what);
        assert_seen(&in, bad[i].verdict, "");
        buffer_free(&in);
    }
}

static void takes_a_character_over_two_fragments_and_refuses_half_of_one(void **state)
{
    (void)state;
    struct buffer in = {0};
    FRAME(&in, 0x01, "\xE2\x82");
    FRAME(&in, 0x80, "\xAC");
    assert_seen(&in, 0, "1[\xE2\x82\xAC]");
    buffer_clear(&in);
    FRAME(&in, 0x01, "\xE2\x82");
    FRAME(&in, 0x80, "x");
    assert_seen(&in, 1007, "");
    buffer_free(&in);
}

static void bounds_a_message_whole_and_in_fragments(void **state)
{
    (void)state;
    char text[MESSAGE_MAX + 2];
    memset(text, 'a', sizeof text);
    struct edge_ws ws = {0};
    struct buffer in = {0}, seen = {0};
    frame(&in, 0x81, text, MESSAGE_MAX);
    assert_int_equal(feed(&ws, in.data, in.size, &seen), 0);
    buffer_clear(&in);
    frame(&in, 0x81, text, MESSAGE_MAX + 1);
    assert_int_equal(feed(&ws, in.data, 8, &seen), 1009); /* by its header */
    edge_ws_done(&ws);

    ws = (struct edge_ws){0};
    buffer_clear(&in);
    frame(&in, 0x01, text, MESSAGE_MAX - 10);
    frame(&in, 0x80, text, 10);
    assert_int_equal(feed(&ws, in.data, in.size, &seen), 0);
    buffer_clear(&in);
    frame(&in, 0x01, text, MESSAGE_MAX - 10);
    frame(&in, 0x80, text, 11);
    assert_int_equal(feed(&ws, in.data, in.size, &seen), 1009);
    edge_ws_done(&ws);
    buffer_free(&in);
    buffer_free(&seen);
}

static void holds_nothing_between_messages(void **state)
{
    (void)state;
    struct edge_ws ws = {0};
    struct buffer in = {0}, seen = {0};
    FRAME(&in, 0x81, "hello");
    assert_int_equal(feed(&ws, in.data, 4, &seen), 0);
    assert_true(edge_ws_is_partial(&ws));
    assert_true(edge_ws_held(&ws) > 0);
    assert_int_equal(feed(&ws, in.data + 4, in.size - 4, &seen), 0);
    assert_false(edge_ws_is_partial(&ws));
    assert_int_equal(edge_ws_held(&ws), 0);
    assert_null(ws.input);
    buffer_free(&in);
    buffer_free(&seen);
}

static void writes_headers_of_all_three_lengths(void **state)
{
    (void)state;
    static const struct {
        size_t size, header;
    } rows[] = {{0, 2}, {125, 2}, {126, 4}, {65535, 4}, {65536, 10}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint8_t header[10];
        assert_int_equal(edge_ws_header(header, EDGE_WS_TEXT, rows[i].size), rows[i].header);
        assert_int_equal(header[0], 0x81);
        assert_int_equal(header[1] & 0x80, 0);
        assert_int_equal(edge_ws_frame_size(header, rows[i].header), rows[i].size + rows[i].header);
    }
    struct buffer out = {0};
    char reason[200];
    memset(reason, 'r', sizeof reason);
    edge_ws_write_close(&out, EDGE_CLOSE_RECONNECT, (struct text){reason, sizeof reason});
    assert_int_equal(out.size, 2 + EDGE_WS_CONTROL_MAX);
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_messages_whole_and_in_fragments),
        cmocka_unit_test(closes_with_code_and_reason),
        cmocka_unit_test(refuses_what_the_rfc_forbids),
        cmocka_unit_test(takes_a_character_over_two_fragments_and_refuses_half_of_one),
        cmocka_unit_test(bounds_a_message_whole_and_in_fragments),
        cmocka_unit_test(holds_nothing_between_messages),
        cmocka_unit_test(writes_headers_of_all_three_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
