/* PubAcks from bytes, without a server. */
#include "bus/bus_stream.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int read_ack(const char *json, struct bus_puback *ret_ack)
{
    struct text text = text_of(json);
    uint8_t *exact = malloc(text.size + (text.size == 0)); /* reading past it is noticed */
    assert_non_null(exact);
    memcpy(exact, text.data, text.size);
    struct bus_message message = {.data = exact, .size = text.size};
    int error = bus_puback_read(&message, ret_ack);
    free(exact);
    return error;
}

static void reads_what_is_stored(void **state)
{
    (void)state;
    struct bus_puback ack;
    assert_int_equal(read_ack("{\"stream\":\"LOG\",\"seq\":18446744073709551615}", &ack), 0);
    assert_true(ack.position == UINT64_MAX);
    assert_int_equal(ack.code, 0);
    assert_int_equal(ack.err_code, 0);
    assert_int_equal(read_ack(" { \"seq\" : 7 , \"duplicate\" : true, \"domain\":\"x\" }\n", &ack),
                     0);
    assert_true(ack.position == 7);
}

static void reads_why_nothing_is_stored(void **state)
{
    (void)state;
    struct bus_puback ack;
    assert_int_equal(
        read_ack("{\"error\":{\"code\":503,\"err_code\":10077,\"description\":\"maximum "
                 "bytes \\\"exceeded\\\"\"},\"stream\":\"LOG\",\"seq\":0}",
                 &ack),
        0);
    assert_true(ack.position == 0);
    assert_int_equal(ack.code, 503);
    assert_int_equal(ack.err_code, BUS_ERR_STREAM_FULL);
    assert_string_equal(ack.description, "maximum bytes \"exceeded\"");
}

static void shortens_a_long_description(void **state)
{
    (void)state;
    char json[1024], long_one[501] = {0};
    memset(long_one, 'x', sizeof long_one - 1);
    snprintf(json, sizeof json, "{\"error\":{\"code\":400,\"description\":\"%s\"}}", long_one);
    struct bus_puback ack;
    assert_int_equal(read_ack(json, &ack), 0);
    assert_int_equal(ack.code, 400);
    assert_int_equal(strlen(ack.description), sizeof ack.description - 1);
}

static void refuses_what_is_no_puback(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "{",
        "{}",
        "+ACK",
        "[1]",
        "{\"seq\":0}",
        "{\"seq\":-1}",
        "{\"seq\":1.5}",
        "{\"seq\":\"1\"}",
        "{\"seq\":18446744073709551616}",
        "{\"seq\":1}x",
        "{\"seq\":1,}",
        "{\"seq\":1 \"a\":2}",
        "{\"seq\":}",
        "{seq:1}",
        "{\"error\":{},\"seq\":1}",
        "{\"error\":{\"code\":503},\"seq\":}",
        "{\"a\":\"\\",
        "{\"a\":\"\n\",\"seq\":1}",
    };
    struct bus_puback ack = {.position = 42};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(read_ack(bad[i], &ack), -EBADMSG);
    assert_true(ack.position == 42); /* untouched */
}

static void refuses_every_truncation(void **state)
{
    (void)state;
    static const char good[] =
        "{\"error\":{\"code\":503,\"err_code\":10077,\"description\":\"a\\u0041\"},"
        "\"x\":[1,{\"y\":[]},null],\"seq\":0}";
    struct bus_puback ack = {.position = 42};
    assert_int_equal(read_ack(good, &ack), 0);
    for (size_t size = 0; size < sizeof good - 1; size++) {
        char shorter[sizeof good] = {0};
        memcpy(shorter, good, size);
        assert_int_equal(read_ack(shorter, &ack), -EBADMSG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_is_stored),
        cmocka_unit_test(reads_why_nothing_is_stored),
        cmocka_unit_test(shortens_a_long_description),
        cmocka_unit_test(refuses_what_is_no_puback),
        cmocka_unit_test(refuses_every_truncation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
