#include "wire/cursor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void numbers_are_little_endian(void **state)
{
    (void)state;
    struct buffer out = {0};
    wire_write_u8(&out, 0x01);
    wire_write_u16(&out, 0x0302);
    wire_write_u32(&out, 0x07060504);
    wire_write_u64(&out, 0x0f0e0d0c0b0a0908);
    wire_write_i64(&out, -2);
    static const uint8_t expected[] = {1,    2,    3,    4,    5,    6,    7,   8,
                                       9,    10,   11,   12,   13,   14,   15,  0xFE,
                                       0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    assert_int_equal(out.size, sizeof expected);
    assert_memory_equal(out.data, expected, sizeof expected);

    struct wire_cursor in = wire_cursor_of(out.data, out.size);
    assert_int_equal(wire_read_u8(&in), 0x01);
    assert_int_equal(wire_read_u16(&in), 0x0302);
    assert_int_equal(wire_read_u32(&in), 0x07060504);
    assert_true(wire_read_u64(&in) == 0x0f0e0d0c0b0a0908);
    assert_true(wire_read_i64(&in) == -2);
    assert_true(wire_done(&in));
    buffer_free(&out);
}

static void texts_have_one_two_or_four_bytes_of_length(void **state)
{
    (void)state;
    struct buffer out = {0};
    wire_write_text8(&out, TEXT("a"));
    wire_write_text16(&out, TEXT("bc"));
    wire_write_text32(&out, TEXT("def"));
    wire_write_text8(&out, TEXT(""));
    static const uint8_t expected[] = {1, 'a', 2, 0, 'b', 'c', 3, 0, 0, 0, 'd', 'e', 'f', 0};
    assert_int_equal(out.size, sizeof expected);
    assert_memory_equal(out.data, expected, sizeof expected);

    struct wire_cursor in = wire_cursor_of(out.data, out.size);
    assert_true(text_equal(wire_read_text8(&in), TEXT("a")));
    assert_true(text_equal(wire_read_text16(&in), TEXT("bc")));
    assert_true(text_equal(wire_read_text32(&in), TEXT("def")));
    assert_true(text_equal(wire_read_text8(&in), TEXT("")));
    assert_true(wire_done(&in));
    buffer_free(&out);
}

static void the_first_failure_sticks(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {7, 1, 2, 3};
    struct wire_cursor in = wire_cursor_of(bytes, sizeof bytes);
    assert_int_equal(wire_read_u8(&in), 7);
    assert_int_equal(wire_read_u32(&in), 0); /* one byte short */
    assert_int_equal(wire_read_u8(&in), 0);  /* though there were three */
    assert_int_equal(wire_read_text8(&in).size, 0);
    assert_true(wire_read_part(&in, 0).failed);
    uint8_t to[2] = {9, 9};
    wire_read_bytes(&in, to, sizeof to);
    assert_int_equal(to[0] + to[1], 0);
    assert_true(in.failed);
    assert_false(wire_done(&in));
}

static void a_text_longer_than_what_is_left_fails(void **state)
{
    (void)state;
    static const uint8_t good[] = {3, 'a', 'b', 'c'};
    struct wire_cursor in = wire_cursor_of(good, sizeof good);
    assert_true(text_equal(wire_read_text8(&in), TEXT("abc")));
    assert_true(wire_done(&in));
    in = wire_cursor_of(good, sizeof good - 1);
    assert_int_equal(wire_read_text8(&in).size, 0);
    assert_true(in.failed);
    static const uint8_t huge[] = {0xFF, 0xFF, 0xFF, 0xFF, 'a'};
    in = wire_cursor_of(huge, sizeof huge);
    assert_int_equal(wire_read_text32(&in).size, 0);
    assert_true(in.failed);
}

static void nothing_can_be_read_from_nothing(void **state)
{
    (void)state;
    struct wire_cursor in = wire_cursor_of(NULL, 0);
    assert_true(wire_done(&in));
    assert_false(wire_read_part(&in, 0).failed);
    assert_true(wire_done(&in));
    assert_int_equal(wire_read_u8(&in), 0);
    assert_false(wire_done(&in));
}

static void a_part_is_passed_over(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {1, 2, 3, 4};
    struct wire_cursor in = wire_cursor_of(bytes, sizeof bytes);
    struct wire_cursor part = wire_read_part(&in, 3);
    assert_int_equal(wire_read_u8(&in), 4);
    assert_true(wire_done(&in));
    assert_int_equal(wire_read_u16(&part), 0x0201);
    assert_int_equal(wire_read_u16(&part), 0); /* never past its end */
    assert_true(part.failed);
}

static void what_was_walked_is_a_part(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {1, 2, 3, 4};
    struct wire_cursor in = wire_cursor_of(bytes, sizeof bytes);
    struct wire_cursor walk = in;
    (void)wire_read_u16(&walk);
    struct wire_cursor part = wire_read_walked(&in, &walk);
    assert_int_equal(wire_read_u16(&part), 0x0201);
    assert_true(wire_done(&part));
    assert_int_equal(wire_read_u16(&in), 0x0403);

    in = wire_cursor_of(bytes, sizeof bytes);
    walk = in;
    (void)wire_read_u64(&walk);
    assert_true(wire_read_walked(&in, &walk).failed);
    assert_true(in.failed);
}

static void a_text_out_of_its_bounds_fails(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {3, 's', 'i', 'n', 1, '*'};
    struct wire_cursor in = wire_cursor_of(bytes, sizeof bytes);
    assert_true(text_equal(wire_read_checked(&in, text_is_region_name), TEXT("sin")));
    assert_int_equal(wire_read_checked(&in, text_is_region_name).size, 0);
    assert_true(in.failed);
}

static void writes_over_what_was_written(void **state)
{
    (void)state;
    struct buffer out = {0};
    wire_write_u64(&out, 0);
    wire_patch_u32(&out, 2, 0x04030201);
    static const uint8_t expected[] = {0, 0, 1, 2, 3, 4, 0, 0};
    assert_memory_equal(out.data, expected, sizeof expected);
    out.failed = true; /* as when memory is short: nothing happens, nothing is asserted */
    wire_patch_u32(&out, 100, 1);
    assert_memory_equal(out.data, expected, sizeof expected);
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_little_endian),
        cmocka_unit_test(texts_have_one_two_or_four_bytes_of_length),
        cmocka_unit_test(the_first_failure_sticks),
        cmocka_unit_test(a_text_longer_than_what_is_left_fails),
        cmocka_unit_test(nothing_can_be_read_from_nothing),
        cmocka_unit_test(a_part_is_passed_over),
        cmocka_unit_test(what_was_walked_is_a_part),
        cmocka_unit_test(a_text_out_of_its_bounds_fails),
        cmocka_unit_test(writes_over_what_was_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
