/* The entries about what devices show without an attach: their golden files and bounds. */
#include "frame_file.h"

static const struct wire_entry show = {.kind = WIRE_SHOW,
                                       .show = {.request = 0x0a0b0c0d0e0f0102,
                                                .user = {"bob", 3},
                                                .device = {"tablet-2", 8},
                                                .of = {"alice", 5},
                                                .epoch = 6,
                                                .seq = 1234}};
static const struct wire_entry shown = {
    .kind = WIRE_SHOWN,
    .shown = {.request = 0x0a0b0c0d0e0f0102, .code = WIRE_BUSY, .epoch = 6, .seq = 1234}};

static void pins_the_show(void **state)
{
    (void)state;
    struct buffer bytes;
    assert_written(&show, "entry_show");
    struct wire_show read = decode_file("entry_show", WIRE_SHOW, &bytes).show;
    assert_true(read.request == 0x0a0b0c0d0e0f0102);
    assert_text(read.user, "bob");
    assert_text(read.device, "tablet-2");
    assert_text(read.of, "alice");
    assert_int_equal(read.epoch, 6);
    assert_true(read.seq == 1234);
    buffer_free(&bytes);
}

static void pins_the_answer(void **state)
{
    (void)state;
    struct buffer bytes;
    assert_written(&shown, "entry_shown");
    struct wire_shown read = decode_file("entry_shown", WIRE_SHOWN, &bytes).shown;
    assert_true(read.request == 0x0a0b0c0d0e0f0102);
    assert_int_equal(read.code, WIRE_BUSY);
    assert_int_equal(read.epoch, 6);
    assert_true(read.seq == 1234);
    buffer_free(&bytes);
}

/* An ack is of nobody. */
static void who_was_read_may_be_nobody(void **state)
{
    (void)state;
    struct buffer bytes = golden_load("entry_show");
    golden_replace(&bytes, SIZE_AT, "alice", TEXT(""));
    struct wire_entry entry;
    assert_int_equal(decode_to(bytes.data, bytes.size, &entry), 0);
    assert_int_equal(entry.show.of.size, 0);
    golden_replace(&bytes, SIZE_AT, "tablet-2", TEXT(""));
    assert_int_equal(decode_copy(&bytes), -EBADMSG);
    buffer_free(&bytes);
    bytes = golden_load("entry_show");
    golden_replace(&bytes, SIZE_AT, "alice", TEXT("a\x01"));
    assert_int_equal(decode_copy(&bytes), -EBADMSG);
    buffer_free(&bytes);
}

static void a_code_that_is_not_known_is_passed_over(void **state)
{
    (void)state;
    for (uint64_t code = 0; code <= WIRE_UNSURE + 1; code++) {
        struct buffer bytes = golden_load("entry_shown");
        golden_patch(&bytes, HEAD_SIZE + 8, code, 1);
        assert_int_equal(decode_copy(&bytes), code <= WIRE_UNSURE ? 0 : -EPROTO);
        buffer_free(&bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pins_the_show),
        cmocka_unit_test(pins_the_answer),
        cmocka_unit_test(who_was_read_may_be_nobody),
        cmocka_unit_test(a_code_that_is_not_known_is_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
