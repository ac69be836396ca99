/* Every row is fed whole, cut in two at every place, and piece by piece: the same comes out. */
#include "edge/edge_ws.h"

#include "base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    ROOM = 1000,     /* message_max where a row does not say */
    SHOWN_MAX = 130, /* a larger payload is told by its size */
    ENDS = 40,       /* of a long input only cuts near its ends are tried */
};

static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};

/* A client's frame: its first byte, and its payload before masking. */
struct frame {
    uint8_t first;
    struct text payload; /* data NULL: no frame */
    size_t xs;           /* the payload is that many x instead */
};

static void write_frame(struct buffer *out, const struct frame *frame)
{
    size_t size = frame->xs != 0 ? frame->xs : frame->payload.size;
    uint8_t header[10];
    size_t header_size = edge_ws_header(header, EDGE_WS_TEXT, size);
    header[0] = frame->first;
    header[1] |= 0x80;
    buffer_append(out, header, header_size);
    buffer_append(out, mask, sizeof mask);
    for (size_t i = 0; i < size; i++) {
        char c = frame->xs != 0 ? 'x' : frame->payload.data[i];
        uint8_t masked = (uint8_t)c ^ mask[i % sizeof mask];
        buffer_append(out, &masked, 1);
    }
}

/* What came out, as a line: "text:hi close 1000:bye !1002". */
struct told {
    struct buffer line;
    bool closed;
};

static bool on_event(void *context, const struct edge_ws_event *event)
{
    static const char *const names[] = {
        [EDGE_WS_TEXT] = "text", [EDGE_WS_BINARY] = "binary", [EDGE_WS_CLOSE] = "close",
        [EDGE_WS_PING] = "ping", [EDGE_WS_PONG] = "pong",
    };
    struct told *told = context;
    assert_non_null(names[event->opcode]);
    assert_false(told->closed);
    buffer_printf(&told->line, "%s", names[event->opcode]);
    if (event->opcode == EDGE_WS_CLOSE) {
        told->closed = true;
        buffer_printf(&told->line, " %d", event->code);
    }
    if (event->size > SHOWN_MAX) {
        for (size_t i = 0; i < event->size; i++)
            assert_int_equal(event->data[i], 'x');
        buffer_printf(&told->line, "(%zu) ", event->size);
        return true;
    }
    buffer_append_text(&told->line, TEXT(":"));
    buffer_append(&told->line, event->data, event->size);
    buffer_append_text(&told->line, TEXT(" "));
    return true;
}

/* Feeds a copy of its own, so that a read or write past it is seen. False at the end. */
static bool feed(struct edge_ws *ws, const uint8_t *bytes, size_t size, size_t max,
                 struct told *told)
{
    uint8_t *copy = malloc(size == 0 ? 1 : size);
    assert_non_null(copy);
    if (size > 0)
        memcpy(copy, bytes, size);
    int code = edge_ws_feed(ws, copy, size, max, on_event, told);
    free(copy);
    if (code != 0)
        buffer_printf(&told->line, "!%d ", code);
    return code == 0 && !told->closed;
}

static void compare(const char *what, size_t cut, const struct told *told, const char *events)
{
    struct text line = buffer_text(&told->line);
    size_t size = strlen(events);
    if (line.size > 0) /* each event ends with a space */
        line.size--;
    if (line.size != size || (size > 0 && memcmp(line.data, events, size) != 0))
        fail_msg("%s, cut at %zu: '%.*s', not '%s'", what, cut, TEXT_ARGS(line), events);
}

static void check_pieces(const char *what, const struct buffer *in, size_t max, size_t piece,
                         const char *events)
{
    struct edge_ws ws = {0};
    struct told told = {0};
    bool more = true;
    for (size_t at = 0; more && at < in->size; at += piece) {
        size_t size = in->size - at < piece ? in->size - at : piece;
        more = feed(&ws, in->data + at, size, max, &told);
    }
    compare(what, piece, &told, events);
    edge_ws_done(&ws);
    buffer_free(&told.line);
}

static void check_cut(const char *what, const struct buffer *in, size_t max, size_t cut,
                      const char *events)
{
    struct edge_ws ws = {0};
    struct told told = {0};
    if (feed(&ws, in->data, cut, max, &told))
        (void)feed(&ws, in->data + cut, in->size - cut, max, &told);
    compare(what, cut, &told, events);
    edge_ws_done(&ws);
    buffer_free(&told.line);
}

static void check(const char *what, const struct buffer *in, size_t max, const char *events)
{
    assert_false(in->failed);
    for (size_t cut = 0; cut <= in->size; cut++)
        if (cut < ENDS || in->size - cut < ENDS || in->size < 1000)
            check_cut(what, in, max, cut, events);
    check_pieces(what, in, max, 1, events);
    check_pieces(what, in, max, 3, events);
}

struct row {
    const char *what;
    struct frame frames[5];
    size_t max; /* 0: ROOM */
    const char *events;
};

static void check_row(const struct row *row)
{
    struct buffer in = {0};
    for (size_t i = 0; i < COUNT_OF(row->frames); i++)
        if (row->frames[i].payload.data != NULL || row->frames[i].xs != 0)
            write_frame(&in, &row->frames[i]);
    check(row->what, &in, row->max == 0 ? ROOM : row->max, row->events);
    buffer_free(&in);
}

#define F(first, payload)                                                                          \
    {                                                                                              \
        (first), {(payload), sizeof(payload) - 1}, 0                                               \
    }
#define XS(first, size)                                                                            \
    {                                                                                              \
        (first), {NULL, 0}, (size)                                                                 \
    }
#define X25 "xxxxxxxxxxxxxxxxxxxxxxxxx"
#define X125 X25 X25 X25 X25 X25

/* clang-format off */
static const struct row messages[] = {
    {"a text", {F(0x81, "hello")}, 0, "text:hello"},
    {"an empty text", {F(0x81, "")}, 0, "text:"},
    {"a binary", {F(0x82, "\xff\xfe")}, 0, "binary:\xff\xfe"},
    {"several", {F(0x81, "a"), F(0x82, "b"), F(0x81, "c")}, 0, "text:a binary:b text:c"},
    {"two fragments", {F(0x01, "hel"), F(0x80, "lo")}, 0, "text:hello"},
    {"three of them", {F(0x02, "a"), F(0x00, "b"), F(0x80, "c")}, 0, "binary:abc"},
    {"empty fragments", {F(0x01, ""), F(0x00, ""), F(0x80, "")}, 0, "text:"},
    {"one after another", {F(0x01, "a"), F(0x80, "b"), F(0x01, "c"), F(0x80, "d")}, 0,
     "text:ab text:cd"},
    {"whole after fragments", {F(0x01, "a"), F(0x80, "b"), F(0x81, "c")}, 0, "text:ab text:c"},
    {"unfinished", {F(0x01, "a"), F(0x00, "b")}, 0, ""},
};

static const struct row order[] = {
    {"continues nothing", {F(0x80, "a")}, 0, "!1002"},
    {"continues nothing, not final", {F(0x00, "a")}, 0, "!1002"},
    {"continues what is whole", {F(0x81, "a"), F(0x80, "b")}, 0, "text:a !1002"},
    {"continues what is over", {F(0x01, "a"), F(0x80, "b"), F(0x80, "c")}, 0, "text:ab !1002"},
    {"a text in a text", {F(0x01, "a"), F(0x81, "b")}, 0, "!1002"},
    {"fragments in a text", {F(0x01, "a"), F(0x01, "b")}, 0, "!1002"},
    {"a binary in a text", {F(0x01, "a"), F(0x82, "b")}, 0, "!1002"},
    {"RSV1", {F(0xc1, "a")}, 0, "!1002"},
    {"RSV2", {F(0xa1, "a")}, 0, "!1002"},
    {"RSV3", {F(0x91, "a")}, 0, "!1002"},
    {"RSV1 of a continuation", {F(0x01, "a"), F(0xc0, "a")}, 0, "!1002"},
    {"RSV1 of a ping", {F(0xc9, "a")}, 0, "!1002"},
    {"opcode 3", {F(0x83, "a")}, 0, "!1002"},
    {"opcode 4", {F(0x84, "a")}, 0, "!1002"},
    {"opcode 5", {F(0x85, "a")}, 0, "!1002"},
    {"opcode 6", {F(0x86, "a")}, 0, "!1002"},
    {"opcode 7", {F(0x87, "a")}, 0, "!1002"},
    {"opcode 11", {F(0x8b, "a")}, 0, "!1002"},
    {"opcode 12", {F(0x8c, "a")}, 0, "!1002"},
    {"opcode 13", {F(0x8d, "a")}, 0, "!1002"},
    {"opcode 14", {F(0x8e, "a")}, 0, "!1002"},
    {"opcode 15", {F(0x8f, "a")}, 0, "!1002"},
    {"good ones before count", {F(0x81, "a"), F(0x89, "b"), F(0x83, "c")}, 0, "text:a ping:b !1002"},
};

static const struct row control[] = {
    {"a ping", {F(0x89, "p")}, 0, "ping:p"},
    {"an empty ping", {F(0x89, "")}, 0, "ping:"},
    {"a pong", {F(0x8a, "p")}, 0, "pong:p"},
    {"within fragments", {F(0x01, "a"), F(0x89, "p"), F(0x00, "b"), F(0x8a, "q"), F(0x80, "c")}, 0,
     "ping:p pong:q text:abc"},
    {"within a character", {F(0x01, "\xe2\x82"), F(0x89, "p"), F(0x80, "\xac")}, 0,
     "ping:p text:\xe2\x82\xac"},
    {"a close within fragments", {F(0x01, "a"), F(0x88, "\x03\xe8"), F(0x80, "b")}, 0, "close 1000:"},
    {"as large as it may be", {F(0x89, X125)}, 0, "ping:" X125},
    {"one larger", {XS(0x89, 126)}, 0, "!1002"},
    {"a large close", {XS(0x88, 126)}, 0, "!1002"},
    {"a large pong", {XS(0x8a, 65536)}, 0, "!1002"},
    {"a ping in fragments", {F(0x09, "p"), F(0x80, "q")}, 0, "!1002"},
    {"a close in fragments", {F(0x08, "\x03\xe8")}, 0, "!1002"},
    {"not bound by what a message may be", {F(0x89, "ping")}, 3, "ping:ping"},
    {"nor by what is left", {F(0x01, "abc"), F(0x89, "ping"), F(0x80, "")}, 3, "ping:ping text:abc"},
};

static const struct row sizes[] = {
    {"7 bits, the largest", {XS(0x81, 125)}, 0, "text:" X125},
    {"16 bits, the smallest", {XS(0x81, 131)}, 0, "text(131)"},
    {"16 bits, the largest", {XS(0x82, 65535)}, 70000, "binary(65535)"},
    {"64 bits, the smallest", {XS(0x82, 65536)}, 70000, "binary(65536)"},
    {"at the bound", {XS(0x81, 1000)}, 1000, "text(1000)"},
    {"past the bound", {XS(0x81, 1001)}, 1000, "!1009"},
    {"at a bound of 64 bits", {XS(0x81, 66000)}, 66000, "text(66000)"},
    {"past a bound of 64 bits", {XS(0x81, 66001)}, 66000, "!1009"},
    {"fragments at the bound", {XS(0x01, 400), XS(0x00, 599), XS(0x80, 1)}, 1000, "text(1000)"},
    {"fragments past the bound", {XS(0x01, 400), XS(0x00, 600), XS(0x80, 1)}, 1000, "!1009"},
    {"a first fragment past it", {XS(0x01, 1001)}, 1000, "!1009"},
    {"empty ones at the bound", {XS(0x01, 1000), F(0x00, ""), F(0x80, "")}, 1000, "text(1000)"},
    {"the bound is of one message", {XS(0x81, 900), XS(0x01, 900), XS(0x80, 100), XS(0x81, 1000)},
     1000, "text(900) text(1000) text(1000)"},
    {"a small bound", {F(0x81, "a"), F(0x81, "ab")}, 1, "text:a !1009"},
};

static const struct row utf8[] = {
    {"a character cut in three", {F(0x01, "\xe2"), F(0x00, "\x82"), F(0x80, "\xac")}, 0,
     "text:\xe2\x82\xac"},
    {"cut with an empty one between", {F(0x01, "\xf0\x9f"), F(0x00, ""), F(0x80, "\x98\x80")}, 0,
     "text:\xf0\x9f\x98\x80"},
    {"a bad byte", {F(0x81, "a\xff")}, 0, "!1007"},
    {"an overlong form", {F(0x81, "\xc0\xaf")}, 0, "!1007"},
    {"a surrogate", {F(0x81, "\xed\xa0\x80")}, 0, "!1007"},
    {"past the last character", {F(0x81, "\xf4\x90\x80\x80")}, 0, "!1007"},
    {"cut off", {F(0x81, "\xe2\x82")}, 0, "!1007"},
    {"cut off in the last fragment", {F(0x01, "a"), F(0x80, "\xe2\x82")}, 0, "!1007"},
    {"cut off, with an empty end", {F(0x01, "\xe2\x82"), F(0x80, "")}, 0, "!1007"},
    {"bad before the message is whole", {F(0x01, "\xff"), F(0x00, "a")}, 0, "!1007"},
    {"bad over two fragments", {F(0x01, "\xe0"), F(0x80, "\x80\x80")}, 0, "!1007"},
    {"not asked of a binary", {F(0x02, "\xe2"), F(0x80, "\xff")}, 0, "binary:\xe2\xff"},
    {"a new message starts anew", {F(0x02, "\xe2"), F(0x80, ""), F(0x81, "a")}, 0,
     "binary:\xe2 text:a"},
};

static const struct row closes[] = {
    {"without a code", {F(0x88, "")}, 0, "close 1005:"},
    {"half a code", {F(0x88, "\x03")}, 0, "!1002"},
    {"a code", {F(0x88, "\x03\xe8")}, 0, "close 1000:"},
    {"a code and a reason", {F(0x88, "\x03\xe9" "bye")}, 0, "close 1001:bye"},
    {"999", {F(0x88, "\x03\xe7")}, 0, "!1002"},
    {"1003", {F(0x88, "\x03\xeb")}, 0, "close 1003:"},
    {"1004, reserved", {F(0x88, "\x03\xec")}, 0, "!1002"},
    {"1005, never sent", {F(0x88, "\x03\xed")}, 0, "!1002"},
    {"1006, never sent", {F(0x88, "\x03\xee")}, 0, "!1002"},
    {"1007", {F(0x88, "\x03\xef")}, 0, "close 1007:"},
    {"1014", {F(0x88, "\x03\xf6")}, 0, "close 1014:"},
    {"1015, never sent", {F(0x88, "\x03\xf7")}, 0, "!1002"},
    {"2999", {F(0x88, "\x0b\xb7")}, 0, "!1002"},
    {"3000", {F(0x88, "\x0b\xb8")}, 0, "close 3000:"},
    {"4999", {F(0x88, "\x13\x87")}, 0, "close 4999:"},
    {"5000", {F(0x88, "\x13\x88")}, 0, "!1002"},
    {"0", {{0x88, {"\0\0", 2}, 0}}, 0, "!1002"},
    {"a reason that is not UTF-8", {F(0x88, "\x03\xe8\xff")}, 0, "!1007"},
    {"a reason that is cut off", {F(0x88, "\x03\xe8\xe2\x82")}, 0, "!1007"},
    {"nothing counts after it", {F(0x81, "a"), F(0x88, ""), F(0x81, "b"), F(0x83, "")}, 0,
     "text:a close 1005:"},
};

/* Headers that no frame() would write. */
static const struct {
    const char *what;
    struct text bytes;
    size_t max;
    const char *events;
} raw[] = {
    {"a text without a mask", {"\x81\x01" "a", 3}, 9, "!1002"},
    {"a ping without a mask", {"\x89\x00", 2}, 9, "!1002"},
    {"nothing without a mask", {"\x81\x00", 2}, 9, "!1002"},
    {"a mask of zeros", {"\x81\x81\0\0\0\0a", 7}, 9, "text:a"},
    {"16 bits for 125", {"\x81\xfe\x00\x7d\0\0\0\0", 8}, 999, "!1002"},
    {"16 bits for 0", {"\x81\xfe\x00\x00\0\0\0\0", 8}, 999, "!1002"},
    {"64 bits for 65535", {"\x81\xff\0\0\0\0\0\0\xff\xff\0\0\0\0", 14}, 99999, "!1002"},
    {"64 bits for 1", {"\x81\xff\0\0\0\0\0\0\0\x01\0\0\0\0", 14}, 99999, "!1002"},
    {"the top bit", {"\x81\xff\x80\0\0\0\0\x01\0\0\0\0\0\0", 14}, SIZE_MAX, "!1002"},
    {"the largest of all", {"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 14}, 9, "!1002"},
    {"too large for any bound", {"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 14}, 9, "!1009"},
    {"judged before its payload", {"\x81\xfe\x03\xe8\0\0\0\0", 8}, 999, "!1009"},
    {"at the bound it waits", {"\x81\xfe\x03\xe8\0\0\0\0", 8}, 1000, ""},
    {"a control frame of 16 bits", {"\x89\xfe", 2}, 999, "!1002"},
    {"a control frame of 64 bits", {"\x88\xff", 2}, 999, "!1002"},
    {"nothing", {"", 0}, 9, ""},
};
/* clang-format on */

#define CHECK_ROWS(rows)                                                                           \
    (void)state;                                                                                   \
    for (size_t i = 0; i < COUNT_OF(rows); i++)                                                    \
    check_row(&rows[i])

static void joins_fragments_to_messages(void **state)
{
    CHECK_ROWS(messages);
}

static void refuses_what_is_out_of_order_or_reserved(void **state)
{
    CHECK_ROWS(order);
}

static void takes_small_control_frames_anywhere(void **state)
{
    CHECK_ROWS(control);
}

static void takes_every_size_up_to_the_bound(void **state)
{
    CHECK_ROWS(sizes);
}

static void checks_utf8_across_fragments(void **state)
{
    CHECK_ROWS(utf8);
}

static void reads_close_frames(void **state)
{
    CHECK_ROWS(closes);
}

static void refuses_bad_headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(raw); i++) {
        struct buffer in = {0};
        buffer_append_text(&in, raw[i].bytes);
        check(raw[i].what, &in, raw[i].max, raw[i].events);
        buffer_free(&in);
    }
}

static bool stop(void *context, const struct edge_ws_event *event)
{
    (void)event;
    ++*(int *)context;
    return false;
}

static void who_says_stop_is_told_no_more(void **state)
{
    (void)state;
    struct buffer in = {0};
    struct edge_ws ws = {0};
    int count = 0;
    for (int i = 0; i < 3; i++)
        write_frame(&in, &(struct frame)F(0x81, "hello"));
    in.size -= 2; /* nor is the partial one kept */
    assert_int_equal(edge_ws_feed(&ws, in.data, in.size, ROOM, stop, &count), 0);
    assert_int_equal(count, 1);
    assert_false(edge_ws_is_partial(&ws));
    buffer_free(&in);
}

static void an_idle_connection_holds_nothing(void **state)
{
    (void)state;
    struct buffer in = {0};
    struct edge_ws ws = {0};
    struct told told = {0};
    write_frame(&in, &(struct frame)XS(0x01, 500));
    assert_true(feed(&ws, in.data, 300, ROOM, &told));
    assert_true(edge_ws_is_partial(&ws));
    assert_true(edge_ws_held(&ws) >= 300);
    assert_true(feed(&ws, in.data + 300, in.size - 300, ROOM, &told));
    assert_true(edge_ws_is_partial(&ws)); /* its other fragments */
    buffer_clear(&in);
    write_frame(&in, &(struct frame)F(0x80, ""));
    assert_true(feed(&ws, in.data, in.size, ROOM, &told));
    assert_false(edge_ws_is_partial(&ws));
    assert_int_equal(edge_ws_held(&ws), 0);
    assert_null(ws.input);
    buffer_free(&in);
    buffer_free(&told.line);
}

static void what_is_written_has_its_size_in_its_header(void **state)
{
    (void)state;
    static const struct {
        size_t size;
        size_t header;
    } forms[] = {{0, 2}, {1, 2}, {125, 2}, {126, 4}, {65535, 4}, {65536, 10}, {70000, 10}};
    static const uint8_t zeros[70000];
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        struct buffer out = {0};
        edge_ws_write(&out, EDGE_WS_BINARY, zeros, forms[i].size);
        assert_int_equal(out.size, forms[i].header + forms[i].size);
        assert_int_equal(out.data[0], 0x82);
        assert_int_equal(out.data[1] & 0x80, 0); /* a server does not mask */
        assert_int_equal(edge_ws_frame_size(out.data, out.size), out.size);
        assert_int_equal(edge_ws_frame_size(out.data, forms[i].header), out.size);
        edge_ws_write(&out, EDGE_WS_TEXT, "next", 4);
        assert_int_equal(edge_ws_frame_size(out.data, out.size), out.size - 6);
        buffer_free(&out);
    }
}

/* A close frame as a client would send it: masked. */
static void check_close_is_read(uint16_t code, struct text reason, const char *events)
{
    struct buffer out = {0};
    struct buffer in = {0};
    edge_ws_write_close(&out, code, reason);
    assert_true(out.size >= 2 && out.size <= 2 + EDGE_WS_CONTROL_MAX);
    struct frame frame = {out.data[0], {(const char *)out.data + 2, out.size - 2}, 0};
    write_frame(&in, &frame);
    check(events, &in, ROOM, events);
    buffer_free(&in);
    buffer_free(&out);
}

static void a_close_that_is_written_is_read(void **state)
{
    (void)state;
    check_close_is_read(EDGE_CLOSE_NO_CODE, TEXT("not written"), "close 1005:");
    check_close_is_read(EDGE_CLOSE_NORMAL, TEXT(""), "close 1000:");
    check_close_is_read(EDGE_CLOSE_NEVER, TEXT("replaced"), "close 4403:replaced");
    check_close_is_read(EDGE_CLOSE_LATER, TEXT(X125),
                        "close 4001:" X25 X25 X25 X25 "xxxxxxxxxxxxxxxxxxxxxxx");
    /* the last character would be cut in two */
    check_close_is_read(EDGE_CLOSE_LATER, TEXT(X25 X25 X25 X25 "xxxxxxxxxxxxxxxxxxxxx\xe2\x82\xac"),
                        "close 4001:" X25 X25 X25 X25 "xxxxxxxxxxxxxxxxxxxxx");
    check_close_is_read(EDGE_CLOSE_LATER, TEXT(X25 X25 X25 X25 "xxxxxxxxxxxxxxxxxxxx\xe2\x82\xac"),
                        "close 4001:" X25 X25 X25 X25 "xxxxxxxxxxxxxxxxxxxx\xe2\x82\xac");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joins_fragments_to_messages),
        cmocka_unit_test(refuses_what_is_out_of_order_or_reserved),
        cmocka_unit_test(takes_small_control_frames_anywhere),
        cmocka_unit_test(takes_every_size_up_to_the_bound),
        cmocka_unit_test(checks_utf8_across_fragments),
        cmocka_unit_test(reads_close_frames),
        cmocka_unit_test(refuses_bad_headers),
        cmocka_unit_test(who_says_stop_is_told_no_more),
        cmocka_unit_test(an_idle_connection_holds_nothing),
        cmocka_unit_test(what_is_written_has_its_size_in_its_header),
        cmocka_unit_test(a_close_that_is_written_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
