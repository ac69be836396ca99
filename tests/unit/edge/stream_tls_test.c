/* A stream under TLS, with a peer in memory whose records are cut where it hurts. Each test runs in
 * TLS 1.2 and in 1.3. */
#include "edge/edge_stream.h"
#include "edge/edge_ws.h"
#include "tls_lab.h"

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

static struct {
    struct loop *loop;
    struct edge_streams *streams;
    struct edge_stream stream;
    struct tls_peer peer;
    struct buffer got;
    struct buffer heard;
    struct buffer records;
    size_t calls;
    size_t flushed;
    size_t ends;
    int error;
    bool pause; /* at the next bytes */
    bool close;
} it;

static void on_bytes(struct edge_stream *stream, uint8_t *bytes, size_t size)
{
    it.calls++;
    buffer_append(&it.got, bytes, size);
    if (it.pause)
        edge_stream_pause(stream, true);
    if (it.close)
        edge_stream_close(stream);
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

static int begin_in(int version)
{
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
    SSL *ssl = tls_lab_shake_hands(&it.peer, pair[1], version);
    return edge_stream_open_tls(it.streams, &it.stream, pair[0], ssl, &ops);
}

static int begin_12(void **state)
{
    (void)state;
    return begin_in(TLS1_2_VERSION);
}

static int begin_13(void **state)
{
    (void)state;
    return begin_in(TLS1_3_VERSION);
}

static int end(void **state)
{
    (void)state;
    edge_stream_close(&it.stream);
    edge_stream_close(&it.stream); /* twice is fine */
    assert_int_equal(edge_streams_pending(it.streams), 0);
    edge_streams_free(it.streams);
    loop_free(it.loop);
    close(it.peer.fd);
    tls_peer_done(&it.peer);
    buffer_free(&it.got);
    buffer_free(&it.heard);
    buffer_free(&it.records);
    return 0;
}

static void turn(void)
{
    assert_int_equal(loop_turn(it.loop, 0), 0);
}

/* The peer says `size` bytes, counting up; its records wait in it.records. */
static void seal(size_t size)
{
    static uint8_t bytes[PENDING_MAX];
    static uint8_t next;
    assert_true(size <= sizeof bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = next++;
    tls_peer_seal(&it.peer, bytes, size, &it.records);
}

static void send_records(size_t size)
{
    assert_true(size <= it.records.size);
    assert_int_equal(send(it.peer.fd, it.records.data, size, 0), (ssize_t)size);
    buffer_consume(&it.records, size);
}

static void write_frames(size_t count, size_t size)
{
    static uint8_t bytes[PENDING_MAX];
    for (size_t i = 0; i < count; i++) {
        struct buffer *out = edge_stream_output(&it.stream);
        if (out != NULL)
            edge_ws_write(out, EDGE_WS_TEXT, bytes, size);
    }
}

/* What the peer can hear until nothing comes any more; false at the end of the socket. */
static bool hear(void)
{
    bool open = true;
    for (size_t before = SIZE_MAX; open && before != it.heard.size;) {
        before = it.heard.size;
        for (int i = 0; i < 3 && open; i++) {
            turn();
            open = tls_peer_hear(&it.peer, &it.heard);
        }
    }
    return open;
}

/* The last of the frames that were heard, which must all be whole. */
static uint8_t last_frame(void)
{
    size_t at = 0, last = 0;
    while (at < it.heard.size) {
        last = at;
        at += edge_ws_frame_size(it.heard.data + at, it.heard.size - at);
    }
    assert_int_equal(at, it.heard.size);
    return it.heard.data[last];
}

static void what_is_written_arrives(void **state)
{
    (void)state;
    write_frames(2, 3);
    assert_true(hear());
    assert_int_equal(it.heard.size, 10);
    assert_int_equal(it.flushed, 1);
    assert_null(it.stream.output);
}

static void what_comes_is_handed_on(void **state)
{
    (void)state;
    seal(5);
    seal(7);
    send_records(it.records.size);
    turn();
    assert_int_equal(it.got.size, 12);
    assert_int_equal(it.calls, 1);
}

static void a_record_may_come_byte_by_byte(void **state)
{
    (void)state;
    seal(3);
    while (it.records.size > 0) {
        assert_int_equal(it.got.size, 0);
        send_records(1);
        turn();
    }
    assert_int_equal(it.got.size, 3);
}

/* Of what OpenSSL has read no event tells: it must be out when the event is over. */
static void no_whole_record_stays_behind(void **state)
{
    (void)state;
    for (size_t i = 0; i < 400; i++) /* many small ones in one read */
        seal(10);
    send_records(it.records.size);
    turn();
    assert_int_equal(it.got.size, 4000);
    seal(9000);
    seal(9000);
    size_t half = it.records.size - 20;
    send_records(half); /* one and a bit */
    turn();
    assert_int_equal(it.got.size, 13000);
    send_records(it.records.size);
    turn();
    assert_int_equal(it.got.size, 22000);
}

static void more_than_one_event_may_read_comes_in_time(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        seal(50000);
    size_t all = 0;
    while (it.records.size > 0 || all != it.got.size) {
        all = it.got.size;
        ssize_t sent = send(it.peer.fd, it.records.data, it.records.size, 0);
        if (sent > 0)
            buffer_consume(&it.records, (size_t)sent);
        turn();
        assert_true(it.got.size - all <= 2 * 65536); /* an event's share, and a bit */
    }
    assert_int_equal(it.got.size, 150000);
    for (size_t i = 1; i < it.got.size; i++)
        assert_int_equal((uint8_t)(it.got.data[i - 1] + 1), it.got.data[i]);
}

static void a_stream_that_pauses_while_it_reads_loses_nothing(void **state)
{
    (void)state;
    it.pause = true;
    seal(60000);
    seal(60000);
    while (it.records.size > 0) {
        ssize_t sent = send(it.peer.fd, it.records.data, it.records.size, 0);
        if (sent > 0)
            buffer_consume(&it.records, (size_t)sent);
        turn();
        if (it.stream.paused)
            edge_stream_pause(&it.stream, false);
    }
    for (int i = 0; i < 10; i++) {
        edge_stream_pause(&it.stream, false);
        turn();
    }
    assert_int_equal(it.got.size, 120000);
}

static void a_stream_may_be_closed_while_it_is_read(void **state)
{
    (void)state;
    it.close = true;
    for (size_t i = 0; i < 4; i++)
        seal(16000);
    send_records(it.records.size);
    turn();
    assert_false(edge_stream_is_open(&it.stream));
    assert_int_equal(it.calls, 1);
    assert_int_equal(it.ends, 0);
}

static void the_peers_goodbye_is_an_end(void **state)
{
    (void)state;
    seal(4);
    SSL_shutdown(it.peer.ssl);
    seal(0);
    send_records(it.records.size);
    turn(); /* the socket itself stays open */
    assert_int_equal(it.got.size, 4);
    assert_int_equal(it.ends, 1);
    assert_int_equal(it.error, 0);
}

static void a_socket_that_ends_without_it_is_an_error(void **state)
{
    (void)state;
    seal(100);
    send_records(it.records.size - 1); /* in the middle of a record */
    shutdown(it.peer.fd, SHUT_WR);
    turn();
    turn();
    assert_int_equal(it.got.size, 0);
    assert_int_equal(it.ends, 1);
    assert_true(it.error < 0);
}

static void a_damaged_record_ends_the_stream(void **state)
{
    (void)state;
    seal(100);
    it.records.data[it.records.size - 1] ^= 1;
    send_records(it.records.size);
    turn();
    assert_int_equal(it.got.size, 0);
    assert_int_equal(it.ends, 1);
    assert_int_equal(it.error, -EPROTO);
    assert_null(edge_stream_output(&it.stream));
}

static void a_full_socket_is_written_to_when_it_has_room(void **state)
{
    (void)state;
    write_frames(5, 19000);
    turn();
    assert_int_equal(it.ends, 0);
    assert_true(edge_stream_pending(&it.stream) > 0);
    write_frames(5, 10); /* behind a record that is half out */
    assert_true(hear());
    assert_int_equal(it.heard.size, 5 * 19004 + 5 * 12);
    assert_int_equal(last_frame(), 0x80 | EDGE_WS_TEXT);
}

static void last_words_follow_the_record_that_is_half_out(void **state)
{
    (void)state;
    write_frames(4, 100); /* small frames: more than one is in the record that is half out */
    write_frames(2000, 100);
    turn();
    assert_int_equal(it.error, -ENOBUFS);
    edge_stream_cut(&it.stream);
    struct buffer *out = edge_stream_output(&it.stream);
    assert_non_null(out);
    edge_ws_write_close(out, EDGE_CLOSE_RECONNECT, TEXT("slow"));
    edge_stream_finish(&it.stream);
    assert_null(edge_stream_output(&it.stream));
    assert_false(hear());
    assert_int_equal(last_frame(), 0x80 | EDGE_WS_CLOSE);
    assert_true(it.heard.size < 100000);
    assert_int_equal(SSL_get_shutdown(it.peer.ssl), SSL_RECEIVED_SHUTDOWN);
}

static void a_stream_with_nothing_pending_says_goodbye_at_once(void **state)
{
    (void)state;
    edge_stream_finish(&it.stream);
    assert_false(hear());
    assert_int_equal(SSL_get_shutdown(it.peer.ssl), SSL_RECEIVED_SHUTDOWN);
    seal(3); /* and still hears the peer out */
    send_records(it.records.size);
    turn();
    assert_int_equal(it.got.size, 3);
}

static void output_that_does_not_move_ends_the_stream(void **state)
{
    (void)state;
    write_frames(5, 19000);
    turn();
    edge_streams_tick(it.streams, loop_now_ms(it.loop) + PROGRESS_MS);
    assert_int_equal(it.error, -ETIMEDOUT);
}

/* A client of TLS 1.3 may ask for new keys at any time, also many times. */
static void keys_may_be_renewed(void **state)
{
    (void)state;
    if (SSL_version(it.peer.ssl) != TLS1_3_VERSION)
        return;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(SSL_key_update(it.peer.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        seal(10);
        send_records(it.records.size);
        turn();
        write_frames(1, 100);
        assert_true(hear());
    }
    assert_int_equal(it.got.size, 100);
    assert_int_equal(it.heard.size, 10 * 102);
    assert_int_equal(it.ends, 0);
}

static void a_new_handshake_is_refused(void **state)
{
    (void)state;
    if (SSL_version(it.peer.ssl) != TLS1_2_VERSION)
        return;
    SSL_renegotiate(it.peer.ssl);
    (void)SSL_do_handshake(it.peer.ssl);
    seal(0);
    send_records(it.records.size);
    hear();
    assert_false(SSL_is_init_finished(it.peer.ssl));
    assert_int_equal(it.got.size, 0);
}

int main(void)
{
#define ROW(name)                                                                                  \
    {#name " (TLS 1.2)", name, begin_12, end, NULL},                                               \
    {                                                                                              \
#name " (TLS 1.3)", name, begin_13, end, NULL                                              \
    }
    const struct CMUnitTest tests[] = {
        ROW(what_is_written_arrives),
        ROW(what_comes_is_handed_on),
        ROW(a_record_may_come_byte_by_byte),
        ROW(no_whole_record_stays_behind),
        ROW(more_than_one_event_may_read_comes_in_time),
        ROW(a_stream_that_pauses_while_it_reads_loses_nothing),
        ROW(a_stream_may_be_closed_while_it_is_read),
        ROW(the_peers_goodbye_is_an_end),
        ROW(a_socket_that_ends_without_it_is_an_error),
        ROW(a_damaged_record_ends_the_stream),
        ROW(a_full_socket_is_written_to_when_it_has_room),
        ROW(last_words_follow_the_record_that_is_half_out),
        ROW(a_stream_with_nothing_pending_says_goodbye_at_once),
        ROW(output_that_does_not_move_ends_the_stream),
        ROW(keys_may_be_renewed),
        ROW(a_new_handshake_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
