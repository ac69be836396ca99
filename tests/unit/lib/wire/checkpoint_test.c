#include "golden.h"
#include "wire/checkpoint.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { COUNT_AT = 6, SIZE_AT = 16, PARTS_AT = 24, SEGMENT_COUNT_AT = 68 };

static void count_up(uint8_t *bytes, uint8_t first)
{
    for (uint8_t i = 0; i < 16; i++)
        bytes[i] = (uint8_t)(first + i);
}

static void writes_a_checkpoint_as_pinned(void **state)
{
    (void)state;
    struct wire_stored stored = {.position = 70001, .size = 1200000};
    struct wire_segment segment = {.id = 9, .count = 1048576};
    count_up(stored.incarnation, 0x10);
    count_up(stored.fingerprint.bytes, 0x30);
    count_up(segment.sum.bytes, 0x40);
    struct buffer out = {0};
    assert_int_equal(wire_stored_write(&out, &stored, &segment, 1), 0);
    golden_assert_equal("stored", out.data, out.size);
    buffer_free(&out);
}

static void reads_a_checkpoint_as_pinned(void **state)
{
    (void)state;
    struct buffer bytes = golden_load("stored");
    struct wire_stored stored;
    struct wire_segment segment;
    uint8_t expected[16];
    assert_int_equal(wire_stored_read(bytes.data, bytes.size, &stored), 0);
    assert_true(stored.position == 70001 && stored.size == 1200000);
    assert_int_equal(stored.parts, 3);
    assert_int_equal(stored.segment_count, 1);
    count_up(expected, 0x10);
    assert_memory_equal(stored.incarnation, expected, 16);
    count_up(expected, 0x30);
    assert_memory_equal(stored.fingerprint.bytes, expected, 16);
    assert_true(wire_segment_next(&stored.segments, &segment));
    assert_true(segment.id == 9 && segment.count == 1048576);
    count_up(expected, 0x40);
    assert_memory_equal(segment.sum.bytes, expected, 16);
    assert_false(wire_segment_next(&stored.segments, &segment));
    assert_true(wire_done(&stored.segments));
    buffer_free(&bytes);
}

static int read_stored(const void *bytes, size_t size)
{
    struct wire_stored stored, before;
    memset(&stored, 0xA5, sizeof stored);
    before = stored;
    int error = wire_stored_read(bytes, size, &stored);
    if (error != 0)
        assert_memory_equal(&stored, &before, sizeof stored);
    return error;
}

static void refuses_every_truncation_and_what_is_left_over(void **state)
{
    (void)state;
    struct buffer whole = golden_load("stored");
    for (size_t size = 0; size < whole.size; size++) {
        uint8_t *exact = golden_exact(whole.data, size);
        assert_int_equal(read_stored(exact, size), -EBADMSG);
        free(exact);
    }
    golden_append(&whole, GOLDEN_NO_SIZE, 0);
    assert_int_equal(read_stored(whole.data, whole.size), -EBADMSG);
    buffer_free(&whole);
}

static int read_patched(size_t at, uint64_t value, size_t size)
{
    struct buffer bytes = golden_load("stored");
    golden_patch(&bytes, at, value, size);
    int error = read_stored(bytes.data, bytes.size);
    buffer_free(&bytes);
    return error;
}

static void holds_every_number_to_its_bounds(void **state)
{
    (void)state;
    assert_int_equal(read_patched(0, 'X', 1), -EBADMSG);
    assert_int_equal(read_patched(4, 2, 1), -EPROTO); /* version */
    assert_int_equal(read_patched(5, 1, 1), -EBADMSG);
    assert_int_equal(read_patched(COUNT_AT, 0, 2), -EBADMSG);
    assert_int_equal(read_patched(COUNT_AT, WIRE_SEGMENTS_MAX + 1, 2), -EBADMSG);
    assert_int_equal(read_patched(SIZE_AT, 0, 8), -EBADMSG);
    assert_int_equal(read_patched(PARTS_AT, 2, 4), -EBADMSG); /* not what the size says */
    assert_int_equal(read_patched(SIZE_AT, 3 * WIRE_PART_SIZE, 8), 0);
    assert_int_equal(read_patched(SIZE_AT, 3 * WIRE_PART_SIZE + 1, 8), -EBADMSG);
    assert_int_equal(read_patched(SIZE_AT, UINT64_MAX, 8), -EBADMSG);
    assert_int_equal(read_patched(SEGMENT_COUNT_AT, 0, 4), -EBADMSG);
}

static void the_largest_checkpoint_is_taken_and_one_past_it_not(void **state)
{
    (void)state;
    const uint64_t size = (uint64_t)WIRE_PARTS_MAX * WIRE_PART_SIZE;
    struct buffer bytes = golden_load("stored");
    golden_patch(&bytes, SIZE_AT, size, 8);
    golden_patch(&bytes, PARTS_AT, WIRE_PARTS_MAX, 4);
    assert_int_equal(read_stored(bytes.data, bytes.size), 0);
    golden_patch(&bytes, SIZE_AT, size + 1, 8);
    golden_patch(&bytes, PARTS_AT, WIRE_PARTS_MAX + 1, 4);
    assert_int_equal(read_stored(bytes.data, bytes.size), -EBADMSG);
    buffer_free(&bytes);
    assert_int_equal(wire_parts_of(1), 1);
    assert_int_equal(wire_parts_of(WIRE_PART_SIZE), 1);
    assert_int_equal(wire_parts_of(WIRE_PART_SIZE + 1), 2);
    assert_int_equal(wire_parts_of(size), WIRE_PARTS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_a_checkpoint_as_pinned),
        cmocka_unit_test(reads_a_checkpoint_as_pinned),
        cmocka_unit_test(refuses_every_truncation_and_what_is_left_over),
        cmocka_unit_test(holds_every_number_to_its_bounds),
        cmocka_unit_test(the_largest_checkpoint_is_taken_and_one_past_it_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
