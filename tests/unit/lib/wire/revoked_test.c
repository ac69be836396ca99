#include "wire/revoked.h"

#include "golden.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { KIND_AT = 1, AT_AT = 2, UNTIL_AT = 10, TEXT_AT = 18 };

static const struct {
    const char *file;
    struct wire_revoked revoked;
} rows[] = {
    {"revoked_user",
     {WIRE_REVOKED_USER, 1790000000, 1790086430, {"bob", 3}, {NULL, 0}, {NULL, 0}, 0}},
    {"revoked_device",
     {WIRE_REVOKED_DEVICE, 1790000000, 1790086430, {"bob", 3}, {"tablet-2", 8}, {NULL, 0}, 0}},
    {"revoked_token",
     {WIRE_REVOKED_TOKEN, 1790000000, 1790086430, {NULL, 0}, {NULL, 0}, {"t-4711", 6}, 0}},
    {"revoked_before",
     {WIRE_REVOKED_BEFORE, 1790000000, 1790086430, {"bob", 3}, {NULL, 0}, {NULL, 0}, 1789990000}},
    {"revoked_all_before",
     {WIRE_REVOKED_ALL_BEFORE,
      1790000000,
      1790086430,
      {NULL, 0},
      {NULL, 0},
      {NULL, 0},
      1789990000}},
};

static int read_revoked(const void *bytes, size_t size)
{
    struct wire_revoked revoked;
    return wire_revoked_read(bytes, size, &revoked);
}

static void reads_and_writes_as_pinned(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct wire_revoked *expected = &rows[i].revoked;
        struct buffer bytes = golden_load(rows[i].file);
        struct wire_revoked revoked;
        struct buffer out = {0};
        assert_int_equal(wire_revoked_write(&out, expected), 0);
        golden_assert_equal(rows[i].file, out.data, out.size);
        assert_int_equal(wire_revoked_read(bytes.data, bytes.size, &revoked), 0);
        assert_int_equal(revoked.kind, expected->kind);
        assert_true(revoked.at_s == expected->at_s && revoked.until_s == expected->until_s);
        assert_true(revoked.before_s == expected->before_s);
        assert_true(text_equal(revoked.user, expected->user));
        assert_true(text_equal(revoked.device, expected->device));
        assert_true(text_equal(revoked.token_id, expected->token_id));
        buffer_free(&out);
        buffer_free(&bytes);
    }
}

static void refuses_every_truncation_and_what_is_left_over(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buffer bytes = golden_load(rows[i].file);
        for (size_t size = 0; size < bytes.size; size++) {
            uint8_t *exact = golden_exact(bytes.data, size);
            assert_int_equal(read_revoked(exact, size), -EBADMSG);
            free(exact);
        }
        golden_append(&bytes, GOLDEN_NO_SIZE, 0);
        assert_int_equal(read_revoked(bytes.data, bytes.size), -EBADMSG);
        buffer_free(&bytes);
    }
}

static void texts_have_their_bounds(void **state)
{
    (void)state;
    static const struct golden_field fields[] = {
        {"revoked_user", "bob", GOLDEN_USER},          {"revoked_device", "bob", GOLDEN_USER},
        {"revoked_device", "tablet-2", GOLDEN_DEVICE}, {"revoked_token", "t-4711", GOLDEN_ID},
        {"revoked_before", "bob", GOLDEN_USER},
    };
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        golden_check_field(&fields[i], GOLDEN_NO_SIZE, read_revoked);
}

static void times_have_their_bounds(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        int64_t value;
        int expected;
    } patches[] = {
        {AT_AT, 0, 0},
        {AT_AT, -1, -EBADMSG},
        {AT_AT, 1790086429, 0},
        {AT_AT, 1790086430, -EBADMSG}, /* as late as `until` */
        {UNTIL_AT, 253402300799, 0},
        {UNTIL_AT, 253402300800, -EBADMSG},
        {TEXT_AT + 4, 0, 0}, /* before */
        {TEXT_AT + 4, -1, -EBADMSG},
        {TEXT_AT + 4, 253402300800, -EBADMSG},
    };
    for (size_t i = 0; i < COUNT_OF(patches); i++) {
        struct buffer bytes = golden_load("revoked_before");
        golden_patch(&bytes, patches[i].at, (uint64_t)patches[i].value, 8);
        assert_int_equal(read_revoked(bytes.data, bytes.size), patches[i].expected);
        buffer_free(&bytes);
    }
}

static void what_is_new_is_told_from_what_is_damaged(void **state)
{
    (void)state;
    struct buffer bytes = golden_load("revoked_user");
    golden_patch(&bytes, KIND_AT, 6, 1);
    assert_int_equal(read_revoked(bytes.data, bytes.size), -EPROTO);
    golden_patch(&bytes, KIND_AT, 0, 1);
    assert_int_equal(read_revoked(bytes.data, bytes.size), -EPROTO);
    golden_patch(&bytes, 0, 2, 1);
    assert_int_equal(read_revoked(bytes.data, bytes.size), -EPROTO);
    buffer_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_and_writes_as_pinned),
        cmocka_unit_test(refuses_every_truncation_and_what_is_left_over),
        cmocka_unit_test(texts_have_their_bounds),
        cmocka_unit_test(times_have_their_bounds),
        cmocka_unit_test(what_is_new_is_told_from_what_is_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
