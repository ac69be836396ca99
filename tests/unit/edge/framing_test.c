#include "edge/edge_framing.h"

#include "base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct edge_framing *const rows[] = {&edge_framing_ws, &edge_framing_sse,
                                                  &edge_framing_ndjson};

static void assert_out(struct buffer *out, const char *expected)
{
    struct text text = buffer_text(out);
    if (!text_equal(text, text_of(expected)))
        fail_msg("expected %s, got %.*s", expected, TEXT_ARGS(text));
    buffer_free(out);
}

static void a_text_is_one_chunk(void **state)
{
    (void)state;
    struct buffer out = {0};
    edge_framing_sse.write(&out, TEXT("{\"t\":\"msg\"}"), TEXT("1:58"));
    assert_out(&out, "1c\r\nid: 1:58\ndata: {\"t\":\"msg\"}\n\n\r\n");
    edge_framing_sse.write(&out, TEXT("{}"), TEXT(""));
    assert_out(&out, "a\r\ndata: {}\n\n\r\n");
    edge_framing_ndjson.write(&out, TEXT("{\"t\":\"msg\"}"), TEXT("1:58"));
    assert_out(&out, "c\r\n{\"t\":\"msg\"}\n\r\n");
}

static void a_line_break_in_a_body_ends_no_line(void **state)
{
    (void)state;
    struct buffer out = {0};
    edge_framing_ndjson.write(&out, TEXT("{\"body\":[1,\r\n2]}"), TEXT(""));
    assert_out(&out, "11\r\n{\"body\":[1,  2]}\n\r\n");
    edge_framing_sse.write(&out, TEXT("[\r1\n]"), TEXT(""));
    assert_out(&out, "d\r\ndata: [ 1 ]\n\n\r\n");
}

static void a_heartbeat_is_no_text(void **state)
{
    (void)state;
    struct buffer out = {0};
    edge_framing_sse.write_ping(&out);
    assert_out(&out, "3\r\n:\n\n\r\n");
    edge_framing_ndjson.write_ping(&out);
    assert_out(&out, "1\r\n\n\r\n");
}

static void the_last_words_end_the_answer(void **state)
{
    (void)state;
    struct buffer out = {0};
    edge_framing_sse.write_close(&out, EDGE_CLOSE_RECONNECT, TEXT("a \"why\""));
    assert_out(&out,
               "36\r\ndata: {\"t\":\"close\",\"code\":4000,\"reason\":\"a \\\"why\\\"\"}\n\n\r\n"
               "0\r\n\r\n");
    edge_framing_ndjson.write_close(&out, EDGE_CLOSE_NEVER, TEXT(""));
    assert_out(&out, "26\r\n{\"t\":\"close\",\"code\":4403,\"reason\":\"\"}\n\r\n0\r\n\r\n");
}

/* A slow client's output is cut between two frames, wherever that is. */
static void what_is_written_says_its_size(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 8, 9, 125, 126, 248, 4087, 65535, 70000};
    static char text[70000];
    memset(text, 'a', sizeof text);
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            struct buffer out = {0};
            rows[row]->write(&out, (struct text){text, sizes[i]}, TEXT("1:2"));
            size_t size = out.size;
            assert_int_equal(rows[row]->frame_size(out.data, out.size), size);
            rows[row]->write_ping(&out);
            assert_int_equal(rows[row]->frame_size(out.data, out.size), size);
            assert_int_equal(rows[row]->frame_size(out.data + size, out.size - size),
                             out.size - size);
            buffer_free(&out);
        }
    }
}

static void the_last_chunk_says_its_size(void **state)
{
    (void)state;
    struct buffer out = {0};
    edge_framing_ndjson.write_close(&out, EDGE_CLOSE_NEVER, TEXT(""));
    size_t size = edge_framing_ndjson.frame_size(out.data, out.size);
    assert_int_equal(size, out.size - 5);
    assert_int_equal(edge_framing_ndjson.frame_size(out.data + size, 5), 5);
    buffer_free(&out);
}

static void who_only_listens_may_say_nothing(void **state)
{
    (void)state;
    struct edge_ws ws = {0};
    uint8_t byte = '\n';
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        if (!rows[row]->one_way)
            continue;
        assert_int_equal(rows[row]->feed(&ws, &byte, 1, 1024, NULL, NULL), EDGE_CLOSE_PROTOCOL);
        assert_int_equal(rows[row]->feed(&ws, &byte, 0, 1024, NULL, NULL), 0);
        assert_non_null(rows[row]->broken);
        assert_non_null(rows[row]->content_type);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_one_chunk),
        cmocka_unit_test(a_line_break_in_a_body_ends_no_line),
        cmocka_unit_test(a_heartbeat_is_no_text),
        cmocka_unit_test(the_last_words_end_the_answer),
        cmocka_unit_test(what_is_written_says_its_size),
        cmocka_unit_test(the_last_chunk_says_its_size),
        cmocka_unit_test(who_only_listens_may_say_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
