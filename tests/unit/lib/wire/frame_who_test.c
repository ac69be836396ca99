/* The entries of who is attached: their golden files and bounds. */
#include "frame_file.h"

static const struct wire_entry ask = {.kind = WIRE_WHO_ASK,
                                      .who_ask = {.request = 0x0a0b0c0d0e0f0102,
                                                  .user = {"bob", 3},
                                                  .device = {"tablet-2", 8},
                                                  .action = WIRE_WHO_RECONNECT}};
static const struct wire_entry who = {
    .kind = WIRE_WHO, .who = {.request = 0x0a0b0c0d0e0f0102, .code = WIRE_OK, .count = 2}};
static const struct wire_entry connection = {.kind = WIRE_WHO_CONNECTION,
                                             .connection = {.device = {"tablet-2", 8},
                                                            .region = {"dub", 3},
                                                            .edge = {"dub-2", 5},
                                                            .since_ms = 1700000000789}};

static void pins_the_ask(void **state)
{
    (void)state;
    struct buffer bytes;
    assert_written(&ask, "entry_who_ask");
    struct wire_who_ask read = decode_file("entry_who_ask", WIRE_WHO_ASK, &bytes).who_ask;
    assert_true(read.request == 0x0a0b0c0d0e0f0102);
    assert_text(read.user, "bob");
    assert_text(read.device, "tablet-2");
    assert_int_equal(read.action, WIRE_WHO_RECONNECT);
    buffer_free(&bytes);
}

static void pins_the_answer(void **state)
{
    (void)state;
    struct buffer bytes;
    assert_written(&who, "entry_who");
    struct wire_who read = decode_file("entry_who", WIRE_WHO, &bytes).who;
    assert_true(read.request == 0x0a0b0c0d0e0f0102);
    assert_int_equal(read.code, WIRE_OK);
    assert_int_equal(read.count, 2);
    buffer_free(&bytes);
}

static void pins_a_connection(void **state)
{
    (void)state;
    struct buffer bytes;
    assert_written(&connection, "entry_connection");
    struct wire_connection read =
        decode_file("entry_connection", WIRE_WHO_CONNECTION, &bytes).connection;
    assert_text(read.device, "tablet-2");
    assert_text(read.region, "dub");
    assert_text(read.edge, "dub-2");
    assert_true(read.since_ms == 1700000000789);
    buffer_free(&bytes);
}

static void numbers_are_held_to_their_bounds(void **state)
{
    (void)state;
    static const struct frame_change changes[] = {
        {"entry_who_ask", 21, 1, WIRE_WHO_TELL, 0}, /* action */
        {"entry_who_ask", 21, 1, WIRE_WHO_RECONNECT + 1, -EPROTO},
        {"entry_who", 8, 1, WIRE_UNSURE, 0}, /* code */
        {"entry_who", 8, 1, WIRE_UNSURE + 1, -EPROTO},
        {"entry_who", 9, 2, WIRE_WHO_MAX, 0}, /* count */
        {"entry_who", 9, 2, WIRE_WHO_MAX + 1, -EBADMSG},
    };
    assert_changes(changes, COUNT_OF(changes));
}

static void texts_are_held_to_their_bounds(void **state)
{
    (void)state;
    static const struct golden_field fields[] = {
        {"entry_who_ask", "bob", GOLDEN_USER},
        {"entry_who_ask", "tablet-2", GOLDEN_DEVICE_OR_EMPTY},
        {"entry_connection", "tablet-2", GOLDEN_DEVICE},
        {"entry_connection", "dub", GOLDEN_REGION},
        {"entry_connection", "dub-2", GOLDEN_PROCESS},
    };
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        golden_check_field(&fields[i], SIZE_AT, decode);
}

static void nothing_may_be_short_or_left_over(void **state)
{
    (void)state;
    static const char *const files[] = {"entry_who_ask", "entry_who", "entry_connection"};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        struct buffer message = golden_load(files[i]);
        golden_append(&message, SIZE_AT, 0);
        assert_int_equal(decode_copy(&message), -EBADMSG);
        golden_shorten(&message, SIZE_AT, 2);
        assert_int_equal(decode_copy(&message), -EBADMSG);
        buffer_free(&message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pins_the_ask),
        cmocka_unit_test(pins_the_answer),
        cmocka_unit_test(pins_a_connection),
        cmocka_unit_test(numbers_are_held_to_their_bounds),
        cmocka_unit_test(texts_are_held_to_their_bounds),
        cmocka_unit_test(nothing_may_be_short_or_left_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
