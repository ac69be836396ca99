/* Headers of the PROXY protocol: good ones, bad ones, and both as they come byte by byte. */
#include "edge/edge_proxy.h"

#include "base/buffer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4_ADDRESSES "\xc0\x00\x02\x01\xc0\x00\x02\x02\x12\x67\x00\x50"
#define V6_ADDRESS(last) "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0" last
#define V6_ADDRESSES V6_ADDRESS("\1") V6_ADDRESS("\2") "\x12\x67\x00\x50"
#define BYTES(literal) ((struct text){(literal), sizeof(literal) - 1})

static const struct {
    struct text bytes;
    const char *address; /* NULL: none is told */
} good[] = {
    {BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\r\n"), "192.0.2.1"},
    {BYTES("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), "255.255.255.255"},
    {BYTES("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n"), "0.0.0.0"},
    {BYTES("PROXY TCP6 2001:db8::1 2001:db8::2 4711 80\r\n"), "2001:db8::1"},
    {BYTES("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n"), "192.0.2.1"},
    {BYTES("PROXY UNKNOWN\r\n"), NULL},
    {BYTES("PROXY UNKNOWN 192.0.2.1 whatever this is\r\n"), NULL},
    {BYTES(SIGNATURE "\x21\x11\x00\x0c" V4_ADDRESSES), "192.0.2.1"},
    {BYTES(SIGNATURE "\x21\x21\x00\x24" V6_ADDRESSES), "2001:db8::1"},
    /* TLVs: an authority, an empty no-op, one of no known type. */
    {BYTES(SIGNATURE "\x21\x11\x00\x1a" V4_ADDRESSES "\x02\x00\x04"
                     "a.eu"
                     "\x04\x00\x00\xee\x00\x01x"),
     "192.0.2.1"},
    /* A CRC32C that is right. */
    {BYTES(SIGNATURE "\x21\x11\x00\x13" V4_ADDRESSES "\x03\x00\x04\xa6\xcb\x74\x88"), "192.0.2.1"},
    {BYTES(SIGNATURE "\x20\x00\x00\x00"), NULL},
    {BYTES(SIGNATURE "\x20\x11\x00\x0c" V4_ADDRESSES), NULL},
    {BYTES(SIGNATURE "\x20\xff\x00\x03xyz"), NULL},
    {BYTES(SIGNATURE "\x21\x00\x00\x00"), NULL},
    {BYTES(SIGNATURE "\x21\x00\x00\x05hello"), NULL},
};

static const struct text bad[] = {
    BYTES("GET / HTTP/1.1\r\n"),
    BYTES("proxy TCP4 192.0.2.1 192.0.2.2 4711 80\r\n"),
    BYTES("PROXY\r\n"),
    BYTES("PROXY \r\n"),
    BYTES("PROXY UNKNOWNS\r\n"),
    BYTES("PROXY UDP4 192.0.2.1 192.0.2.2 4711 80\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\n"),
    BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 4711\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 4711 \r\n"),
    BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 4711 80 \r\n"),
    BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 4711 80 9\r\n"),
    BYTES("PROXY TCP4  192.0.2.1 192.0.2.2 4711 80\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 65536 80\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 04711 80\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 -1 80\r\n"),
    BYTES("PROXY TCP4 192.0.2.256 192.0.2.2 4711 80\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 nowhere 4711 80\r\n"),
    BYTES("PROXY TCP4 ::1 ::1 4711 80\r\n"),
    BYTES("PROXY TCP6 192.0.2.1 192.0.2.2 4711 80\r\n"),
    BYTES("PROXY TCP6 2001:db8::1%eth0 ::1 4711 80\r\n"),
    BYTES("PROXY TCP4 192.0.2.1\0 192.0.2.2 4711 80\r\n"),
    BYTES("\r\n\r\n\0\r\nQUIX\n\x21\x11\x00\x0c" V4_ADDRESSES),
    BYTES(SIGNATURE "\x11\x11\x00\x0c" V4_ADDRESSES),                 /* version 1 */
    BYTES(SIGNATURE "\x22\x11\x00\x0c" V4_ADDRESSES),                 /* no command */
    BYTES(SIGNATURE "\x21\x12\x00\x0c" V4_ADDRESSES),                 /* datagrams */
    BYTES(SIGNATURE "\x21\x41\x00\x0c" V4_ADDRESSES),                 /* no family */
    BYTES(SIGNATURE "\x21\x11\x00\x0b" V4_ADDRESSES),                 /* too short by one */
    BYTES(SIGNATURE "\x21\x21\x00\x23" V6_ADDRESSES),                 /* likewise */
    BYTES(SIGNATURE "\x21\x11\x00\x0d" V4_ADDRESSES "\x04"),          /* half a TLV */
    BYTES(SIGNATURE "\x21\x11\x00\x0e" V4_ADDRESSES "\x04\x00"),      /* likewise */
    BYTES(SIGNATURE "\x21\x11\x00\x10" V4_ADDRESSES "\x04\x00\x02x"), /* longer than there is */
    BYTES(SIGNATURE "\x21\x11\x00\x13" V4_ADDRESSES "\x03\x00\x04\xa6\xcb\x74\x89"), /* its CRC */
    BYTES(SIGNATURE "\x21\x11\x00\x12" V4_ADDRESSES "\x03\x00\x03\x0a\x67\x0a"),
};

static void reads_good_ones_whole_and_byte_by_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct text bytes = good[i].bytes;
        struct edge_proxy proxy;
        struct buffer with_more = {0};
        buffer_append(&with_more, bytes.data, bytes.size);
        buffer_append_text(&with_more, TEXT("GET / HTTP/1.1\r\n"));
        for (size_t size = 0; size < bytes.size; size++)
            assert_int_equal(edge_proxy_parse(with_more.data, size, &proxy), -EAGAIN);
        for (size_t size = bytes.size; size <= with_more.size; size++) {
            if (edge_proxy_parse(with_more.data, size, &proxy) != 0)
                fail_msg("row %zu with %zu bytes", i, size);
            assert_int_equal(proxy.size, bytes.size);
            assert_int_equal(proxy.has_address, good[i].address != NULL);
        }
        char text[ADDRESS_TEXT_SIZE];
        address_text(&proxy.address, text);
        if (proxy.has_address)
            assert_string_equal(text, good[i].address);
        buffer_free(&with_more);
    }
}

static void refuses_bad_ones_however_they_come(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct edge_proxy proxy;
        int err = -EAGAIN;
        for (size_t size = 0; size <= bad[i].size && err == -EAGAIN; size++)
            err = edge_proxy_parse((const uint8_t *)bad[i].data, size, &proxy);
        if (err != -EPROTO)
            fail_msg("row %zu: %d", i, err);
        assert_int_equal(edge_proxy_parse((const uint8_t *)bad[i].data, bad[i].size, &proxy),
                         -EPROTO);
    }
}

static void a_line_has_a_bound(void **state)
{
    (void)state;
    uint8_t line[EDGE_PROXY_LINE_MAX + 1];
    struct edge_proxy proxy;
    memset(line, 'x', sizeof line);
    memcpy(line, "PROXY UNKNOWN ", 14);
    assert_int_equal(edge_proxy_parse(line, EDGE_PROXY_LINE_MAX - 1, &proxy), -EAGAIN);
    assert_int_equal(edge_proxy_parse(line, EDGE_PROXY_LINE_MAX, &proxy), -EPROTO);
    memcpy(line + EDGE_PROXY_LINE_MAX - 1, "\r\n", 2);
    assert_int_equal(edge_proxy_parse(line, sizeof line, &proxy), -EPROTO);
    memcpy(line + EDGE_PROXY_LINE_MAX - 2, "\r\n", 2);
    assert_int_equal(edge_proxy_parse(line, sizeof line, &proxy), 0);
    assert_int_equal(proxy.size, EDGE_PROXY_LINE_MAX);
}

static void a_binary_header_has_a_bound(void **state)
{
    (void)state;
    static uint8_t bytes[EDGE_PROXY_HEADER_MAX + 1];
    struct edge_proxy proxy;
    size_t length = EDGE_PROXY_HEADER_MAX - 16;
    size_t value = length - 12 - 3;
    memcpy(bytes, SIGNATURE "\x21\x11", 14);
    bytes[14] = (uint8_t)(length >> 8);
    bytes[15] = (uint8_t)length;
    bytes[28] = 0xee;
    bytes[29] = (uint8_t)(value >> 8);
    bytes[30] = (uint8_t)value;
    assert_int_equal(edge_proxy_parse(bytes, EDGE_PROXY_HEADER_MAX - 1, &proxy), -EAGAIN);
    assert_int_equal(edge_proxy_parse(bytes, EDGE_PROXY_HEADER_MAX, &proxy), 0);
    assert_int_equal(proxy.size, EDGE_PROXY_HEADER_MAX);
    bytes[15]++;
    assert_int_equal(edge_proxy_parse(bytes, 16, &proxy), -E2BIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_good_ones_whole_and_byte_by_byte),
        cmocka_unit_test(refuses_bad_ones_however_they_come),
        cmocka_unit_test(a_line_has_a_bound),
        cmocka_unit_test(a_binary_header_has_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
