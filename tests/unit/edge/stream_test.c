#include "edge/edge_stream.h"
#include "edge/edge_ws.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { PENDING_MAX = 100000, PROGRESS_MS = 10000 };

/* A stream on one end of a socket pair; the test holds the other one. */
static struct {
    struct loop *loop;
    struct edge_streams *streams;
    struct edge_stream stream;
    int peer;
    struct buffer got;
    size_t flushed;
    size_t ends;
    int error;
} it;

static void on_bytes(struct edge_stream *stream, uint8_t *bytes, size_t size)
{
    (void)stream;
    buffer_append(&it.got, bytes, size);
}

static void on_flushed(struct edge_stream *stream)
{
    (void)stream;
    it.flushed++;
}

static void on_end(struct edge_stream *stream, int error)
{
    (void)stream;
    it.ends++;
    it.error = error;
}

static size_t frame_size(struct edge_stream *stream, const uint8_t *bytes, size_t size)
{
    (void)stream;
    return edge_ws_frame_size(bytes, size);
}

static const struct edge_stream_ops ops = {
    .on_bytes = on_bytes, .on_flushed = on_flushed, .on_end = on_end, .frame_size = frame_size};

static int begin(void **state)
{
    (void)state;
    int pair[2];
    int size = 16384;
    memset(&it, 0, sizeof it);
    it.loop = loop_new();
    it.streams =
        edge_streams_new(it.loop, &(struct edge_streams_settings){.pending_max = PENDING_MAX,
                                                                  .progress_ms = PROGRESS_MS});
    if (it.streams == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0)
        return -1;
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    it.peer = pair[1];
    return edge_stream_open(it.streams, &it.stream, pair[0], &ops);
}

static int end(void **state)
{
    (void)state;
    edge_stream_close(&it.stream);
    edge_stream_close(&it.stream); /* twice is fine */
    assert_int_equal(edge_streams_pending(it.streams), 0);
    edge_streams_free(it.streams);
    loop_free(it.loop);
    close(it.peer);
    buffer_free(&it.got);
    return 0;
}

static void turn(void)
{
    assert_int_equal(loop_turn(it.loop, 0), 0);
}

/* Appends frames of about `size` bytes in all. */
static void write_frames(size_t count, size_t size)
{
    static uint8_t bytes[PENDING_MAX];
    for (size_t i = 0; i < count; i++) {
        struct buffer *out = edge_stream_output(&it.stream);
        if (out != NULL)
            edge_ws_write(out, EDGE_WS_TEXT, bytes, size);
    }
}

/* All that the peer can read now, with turns in between. */
static size_t drain(struct buffer *into)
{
    size_t all = 0;
    for (int idle = 0; idle < 3; idle++) {
        uint8_t bytes[65536];
        ssize_t size;
        while ((size = recv(it.peer, bytes, sizeof bytes, 0)) > 0) {
            all += (size_t)size;
            if (into != NULL)
                buffer_append(into, bytes, (size_t)size);
            idle = 0;
        }
        turn();
    }
    return all;
}

static void what_is_written_in_a_turn_leaves_at_its_end(void **state)
{
    (void)state;
    uint8_t bytes[64];
    write_frames(1, 3);
    assert_int_equal(recv(it.peer, bytes, sizeof bytes, 0), -1);
    write_frames(1, 3);
    turn();
    assert_int_equal(recv(it.peer, bytes, sizeof bytes, 0), 10);
    assert_int_equal(it.flushed, 1);
    assert_null(it.stream.output); /* idle again: it holds nothing */
}

static void what_comes_is_handed_on(void **state)
{
    (void)state;
    assert_int_equal(send(it.peer, "hello", 5, 0), 5);
    turn();
    assert_true(text_equal(buffer_text(&it.got), TEXT("hello")));
}

static void a_paused_stream_is_not_read(void **state)
{
    (void)state;
    edge_stream_pause(&it.stream, true);
    assert_int_equal(send(it.peer, "hello", 5, 0), 5);
    turn();
    assert_int_equal(it.got.size, 0);
    edge_stream_pause(&it.stream, false);
    turn();
    assert_int_equal(it.got.size, 5);
}

static void the_end_of_the_peer_is_told_once(void **state)
{
    (void)state;
    shutdown(it.peer, SHUT_WR);
    turn();
    turn();
    assert_int_equal(it.ends, 1);
    assert_int_equal(it.error, 0);
    assert_null(edge_stream_output(&it.stream));
}

static void a_full_socket_is_written_to_when_it_has_room(void **state)
{
    (void)state;
    write_frames(5, 20000);
    turn();
    assert_int_equal(it.ends, 0);
    assert_true(edge_stream_pending(&it.stream) > 0);
    assert_int_equal(drain(NULL), 5 * 20004);
    assert_int_equal(it.flushed, 1);
}

static void a_burst_over_the_cap_is_fine_when_the_socket_takes_enough(void **state)
{
    (void)state;
    write_frames(1, 60000);
    write_frames(1, PENDING_MAX + 1000 - 60000);
    turn();
    assert_int_equal(it.ends, 0);
    assert_int_equal(drain(NULL), PENDING_MAX + 1000 + 4 + 4);
}

static void the_cap_is_what_a_full_socket_leaves_over(void **state)
{
    (void)state;
    write_frames(1, 60000);
    turn(); /* the socket is full, and stays so */
    write_frames(1, 30000);
    write_frames(1, PENDING_MAX - edge_stream_pending(&it.stream) - 4);
    assert_int_equal(edge_stream_pending(&it.stream), PENDING_MAX);
    edge_stream_flush(&it.stream);
    assert_int_equal(it.ends, 0);
    write_frames(1, 0);
    edge_stream_flush(&it.stream);
    assert_int_equal(it.ends, 1);
    assert_int_equal(it.error, -ENOBUFS);
}

static void a_stalled_stream_is_judged_while_it_grows(void **state)
{
    (void)state;
    write_frames(1, 60000);
    turn();
    for (int i = 0; i < 100 && it.ends == 0; i++)
        write_frames(1, 10000);
    assert_int_equal(it.error, -ENOBUFS);
    assert_true(edge_stream_pending(&it.stream) <= PENDING_MAX + 10004);
}

static void output_that_does_not_move_ends_the_stream(void **state)
{
    (void)state;
    int64_t before_ms = loop_now_ms(it.loop); /* it moved last between this... */
    write_frames(1, 60000);
    turn();
    int64_t after_ms = loop_now_ms(it.loop); /* ...and this */
    edge_streams_tick(it.streams, before_ms + PROGRESS_MS - 1);
    assert_int_equal(it.ends, 0);
    edge_streams_tick(it.streams, after_ms + PROGRESS_MS);
    assert_int_equal(it.ends, 1);
    assert_int_equal(it.error, -ETIMEDOUT);
}

static void last_words_follow_the_frame_that_is_half_out(void **state)
{
    (void)state;
    struct buffer got = {0};
    write_frames(4, 20000);
    write_frames(2, 60000);
    turn();
    assert_int_equal(it.error, -ENOBUFS);
    edge_stream_cut(&it.stream);
    struct buffer *out = edge_stream_output(&it.stream);
    assert_non_null(out);
    edge_ws_write_close(out, EDGE_CLOSE_RECONNECT, TEXT("slow"));
    edge_stream_finish(&it.stream);
    assert_null(edge_stream_output(&it.stream));
    drain(&got);
    size_t at = 0;
    size_t last = 0;
    while (at < got.size) { /* whole frames to the end */
        last = at;
        at += edge_ws_frame_size(got.data + at, got.size - at);
    }
    assert_int_equal(at, got.size);
    assert_int_equal(got.data[last], 0x80 | EDGE_WS_CLOSE);
    assert_true(got.size < 100000);
    uint8_t byte;
    assert_int_equal(recv(it.peer, &byte, 1, 0), 0); /* and then the end */
    buffer_free(&got);
}

static void cutting_between_frames_leaves_none(void **state)
{
    (void)state;
    write_frames(3, 10);
    edge_stream_cut(&it.stream);
    assert_int_equal(edge_stream_pending(&it.stream), 0);
    write_frames(1, 10);
    turn();
    assert_int_equal(drain(NULL), 12);
}

int main(void)
{
#define ROW(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        ROW(what_is_written_in_a_turn_leaves_at_its_end),
        ROW(what_comes_is_handed_on),
        ROW(a_paused_stream_is_not_read),
        ROW(the_end_of_the_peer_is_told_once),
        ROW(a_full_socket_is_written_to_when_it_has_room),
        ROW(a_burst_over_the_cap_is_fine_when_the_socket_takes_enough),
        ROW(the_cap_is_what_a_full_socket_leaves_over),
        ROW(a_stalled_stream_is_judged_while_it_grows),
        ROW(output_that_does_not_move_ends_the_stream),
        ROW(last_words_follow_the_frame_that_is_half_out),
        ROW(cutting_between_frames_leaves_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
