#include "wire/drains.h"

#include "golden.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { STATE_AT = 6, SINCE_AT = 7, OVER_AT = 15, SECOND_AT = 19, SECOND_OVER_AT = 32 };

static const struct wire_drains two = {
    .count = 2,
    .each = {{"dub", WIRE_DRAIN_AWAY, 1790000000000, 0},
             {"sin", WIRE_DRAIN_BACK, 1790000100000, 600}},
};

static int read_drains(const void *bytes, size_t size)
{
    struct wire_drains drains;
    return wire_drains_read(bytes, size, &drains);
}

static void reads_and_writes_as_pinned(void **state)
{
    (void)state;
    struct buffer bytes = golden_load("drains");
    struct buffer out = {0};
    struct wire_drains drains;
    assert_int_equal(wire_drains_write(&out, &two), 0);
    golden_assert_equal("drains", out.data, out.size);
    assert_int_equal(wire_drains_read(bytes.data, bytes.size, &drains), 0);
    assert_int_equal(drains.count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(drains.each[i].region, two.each[i].region);
        assert_int_equal(drains.each[i].state, two.each[i].state);
        assert_true(drains.each[i].since_ms == two.each[i].since_ms);
        assert_int_equal(drains.each[i].over_s, two.each[i].over_s);
    }
    assert_ptr_equal(wire_drains_find(&drains, TEXT("sin")), &drains.each[1]);
    assert_null(wire_drains_find(&drains, TEXT("iad")));
    buffer_free(&out);
    buffer_free(&bytes);
}

static void refuses_every_truncation_and_what_is_left_over(void **state)
{
    (void)state;
    struct buffer bytes = golden_load("drains");
    for (size_t size = 0; size < bytes.size; size++) {
        uint8_t *exact = golden_exact(bytes.data, size);
        assert_int_equal(read_drains(exact, size), -EBADMSG);
        free(exact);
    }
    golden_append(&bytes, GOLDEN_NO_SIZE, 0);
    assert_int_equal(read_drains(bytes.data, bytes.size), -EBADMSG);
    buffer_free(&bytes);
}

static void refuses_what_is_out_of_bounds(void **state)
{
    (void)state;
    static const struct {
        size_t at, size;
        uint64_t value;
        int err;
    } rows[] = {
        {0, 1, 2, -EPROTO},
        {1, 1, 65, -EBADMSG},
        {STATE_AT, 1, 0, -EPROTO},
        {STATE_AT, 1, 3, -EPROTO},
        {STATE_AT, 1, WIRE_DRAIN_BACK, -EBADMSG}, /* over no time */
        {OVER_AT, 4, 1, -EBADMSG},                /* of one that is sent away */
        {SECOND_OVER_AT, 4, 0, -EBADMSG},
        {SINCE_AT, 8, UINT64_MAX, -EBADMSG},
        {SINCE_AT, 8, 253402300799999, 0},
        {SINCE_AT, 8, 253402300800000, -EBADMSG},
        {SECOND_AT, 4, 0x62756403, -EBADMSG}, /* dub a second time */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buffer bytes = golden_load("drains");
        golden_patch(&bytes, rows[i].at, rows[i].value, rows[i].size);
        assert_int_equal(read_drains(bytes.data, bytes.size), rows[i].err);
        buffer_free(&bytes);
    }
    golden_check_field(&(struct golden_field){"drains", "dub", GOLDEN_REGION}, GOLDEN_NO_SIZE,
                       read_drains);
}

static void holds_as_many_as_there_may_be_regions(void **state)
{
    (void)state;
    struct wire_drains drains = {.count = WIRE_DRAINS_MAX}, read;
    struct buffer out = {0};
    for (size_t i = 0; i < WIRE_DRAINS_MAX; i++) {
        drains.each[i] = two.each[1];
        snprintf(drains.each[i].region, sizeof drains.each[i].region, "region-%09zu", i);
    }
    assert_int_equal(wire_drains_write(&out, &drains), 0);
    assert_int_equal(out.size, WIRE_DRAINS_SIZE_MAX);
    assert_int_equal(wire_drains_read(out.data, out.size, &read), 0);
    assert_int_equal(read.count, WIRE_DRAINS_MAX);
    buffer_free(&out);
}

enum { EDGE_SINCE_AT = 8, SECOND_EDGE_AT = 16 };

static const struct wire_edge_drains two_edges = {
    .count = 2, .each = {{"dub-1", 1790000000000}, {"sin-1-p2", 1790000100000}}};

static int read_edge_drains(const void *bytes, size_t size)
{
    struct wire_edge_drains drains;
    return wire_edge_drains_read(bytes, size, &drains);
}

static void reads_and_writes_those_of_edges_as_pinned(void **state)
{
    (void)state;
    struct buffer bytes = golden_load("edge_drains");
    struct buffer out = {0};
    struct wire_edge_drains drains;
    assert_int_equal(wire_edge_drains_write(&out, &two_edges), 0);
    golden_assert_equal("edge_drains", out.data, out.size);
    assert_int_equal(wire_edge_drains_read(bytes.data, bytes.size, &drains), 0);
    assert_int_equal(drains.count, 2);
    assert_true(wire_edge_drains_find(&drains, TEXT("dub-1"))->since_ms == 1790000000000);
    assert_ptr_equal(wire_edge_drains_find(&drains, TEXT("sin-1-p2")), &drains.each[1]);
    assert_null(wire_edge_drains_find(&drains, TEXT("sin-1")));
    buffer_free(&out);
    buffer_free(&bytes);
}

static void refuses_those_of_edges_that_are_malformed(void **state)
{
    (void)state;
    static const struct {
        size_t at, size;
        uint64_t value;
        int err;
    } rows[] = {
        {0, 1, 2, -EPROTO},
        {1, 1, 129, -EBADMSG},
        {EDGE_SINCE_AT, 8, UINT64_MAX, -EBADMSG},
        {EDGE_SINCE_AT, 8, 253402300799999, 0},
        {EDGE_SINCE_AT, 8, 253402300800000, -EBADMSG},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buffer bytes = golden_load("edge_drains");
        golden_patch(&bytes, rows[i].at, rows[i].value, rows[i].size);
        assert_int_equal(read_edge_drains(bytes.data, bytes.size), rows[i].err);
        buffer_free(&bytes);
    }
    struct buffer bytes = golden_load("edge_drains");
    for (size_t size = 0; size < bytes.size; size++) {
        uint8_t *exact = golden_exact(bytes.data, size);
        assert_int_equal(read_edge_drains(exact, size), -EBADMSG);
        free(exact);
    }
    golden_append(&bytes, GOLDEN_NO_SIZE, 0);
    assert_int_equal(read_edge_drains(bytes.data, bytes.size), -EBADMSG);
    buffer_free(&bytes);
    bytes = golden_load("edge_drains");
    golden_replace(&bytes, GOLDEN_NO_SIZE, "sin-1-p2", TEXT("dub-1")); /* a second time */
    assert_int_equal(read_edge_drains(bytes.data, bytes.size), -EBADMSG);
    buffer_free(&bytes);
    golden_check_field(&(struct golden_field){"edge_drains", "dub-1", GOLDEN_PROCESS},
                       GOLDEN_NO_SIZE, read_edge_drains);
}

static void holds_a_most_of_those_of_edges(void **state)
{
    (void)state;
    struct wire_edge_drains drains = {.count = WIRE_EDGE_DRAINS_MAX}, read;
    struct buffer out = {0};
    for (size_t i = 0; i < WIRE_EDGE_DRAINS_MAX; i++) {
        drains.each[i].since_ms = (int64_t)i;
        snprintf(drains.each[i].edge, sizeof drains.each[i].edge, "edge-%027zu", i);
    }
    assert_int_equal(wire_edge_drains_write(&out, &drains), 0);
    assert_int_equal(out.size, WIRE_EDGE_DRAINS_SIZE_MAX);
    assert_int_equal(wire_edge_drains_read(out.data, out.size, &read), 0);
    assert_int_equal(read.count, WIRE_EDGE_DRAINS_MAX);
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_and_writes_as_pinned),
        cmocka_unit_test(refuses_every_truncation_and_what_is_left_over),
        cmocka_unit_test(refuses_what_is_out_of_bounds),
        cmocka_unit_test(holds_as_many_as_there_may_be_regions),
        cmocka_unit_test(reads_and_writes_those_of_edges_as_pinned),
        cmocka_unit_test(refuses_those_of_edges_that_are_malformed),
        cmocka_unit_test(holds_a_most_of_those_of_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
