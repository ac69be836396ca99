#include "bus/json_scan.h"

#include "bus/bus_stream.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int read_ack(const char *json, struct bus_puback *ret_ack)
{
    size_t size = strlen(json);
    uint8_t *exact = malloc(size + (size == 0)); /* so that reading past it is noticed */
    assert_non_null(exact);
    memcpy(exact, json, size);
    struct bus_message message = {.data = exact, .size = size};
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
    assert_int_equal(read_ack(" { \"seq\" : 7 , \"duplicate\" : true, \"domain\":\"x\" }\n", &ack), 0);
    assert_true(ack.position == 7);
}

static void reads_why_nothing_is_stored(void **state)
{
    (void)state;
    struct bus_puback ack;
    assert_int_equal(read_ack("{\"error\":{\"code\":503,\"err_code\":10077,\"description\":\"maximum "
                              "bytes \\\"exceeded\\\"\"},\"stream\":\"LOG\",\"seq\":0}",
                              &ack),
                     0);
    assert_true(ack.position == 0);
    assert_int_equal(ack.code, 503);
    assert_int_equal(ack.err_code, BUS_ERR_STREAM_FULL);
    assert_string_equal(ack.description, "maximum bytes exceeded");
}

static void shortens_a_long_description(void **state)
{
    (void)state;
    char json[1024] = "{\"error\":{\"code\":400,\"description\":\"";
    memset(json + strlen(json), 'x', 500);
    strcat(json, "\"}}");
    struct bus_puback ack;
    assert_int_equal(read_ack(json, &ack), 0);
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
    static const char good[] = "{\"error\":{\"code\":503,\"err_code\":10077,\"description\":\"a\\u0041\"},"
                               "\"x\":[1,{\"y\":[]},null],\"seq\":0}";
    struct bus_puback ack = {.position = 42};
    assert_int_equal(read_ack(good, &ack), 0);
    for (size_t size = 0; size < sizeof good - 1; size++) {
        char shorter[sizeof good] = {0};
        memcpy(shorter, good, size);
        assert_int_equal(read_ack(shorter, &ack), -EBADMSG);
    }
}

static void skips_32_levels_and_no_more(void **state)
{
    (void)state;
    for (int depth = 32; depth <= 33; depth++) {
        char json[256] = "{\"a\":";
        memset(json + strlen(json), '[', (size_t)depth);
        memset(json + strlen(json), ']', (size_t)depth);
        strcat(json, ",\"seq\":1}");
        struct bus_puback ack;
        assert_int_equal(read_ack(json, &ack), depth == 32 ? 0 : -EBADMSG);
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
        cmocka_unit_test(skips_32_levels_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
