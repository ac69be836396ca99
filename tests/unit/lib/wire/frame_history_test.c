/* The entries of history: their golden files and bounds. */
#include "frame_file.h"

static const struct wire_entry ask = {.kind = WIRE_HISTORY_ASK,
                                      .history_ask = {.request = 0x0a0b0c0d0e0f0102,
                                                      .user = {"bob", 3},
                                                      .flags = WIRE_HISTORY_BEFORE,
                                                      .epoch = 5,
                                                      .seq = 58,
                                                      .rows_max = 50,
                                                      .bytes_max = 128 * 1024}};
static const struct wire_entry page = {.kind = WIRE_HISTORY_PAGE,
                                       .history_page = {.request = 0x0a0b0c0d0e0f0102,
                                                        .code = WIRE_OK,
                                                        .flags = WIRE_HISTORY_MORE,
                                                        .count = 200,
                                                        .reason = {"retention", 9}}};
static const struct wire_entry row = {.kind = WIRE_HISTORY_ROW,
                                      .history_row = {.epoch = 5,
                                                      .seq = 57,
                                                      .at_ms = 1700000000789,
                                                      .flags = WIRE_FLAG_PLAIN,
                                                      .sender = {"alice", 5},
                                                      .id = {"m-0001", 6},
                                                      .body = {"{\"hi\":\"\xC3\x9F\"}", 11}}};

static void pins_the_ask(void **state)
{
    (void)state;
    struct buffer bytes;
    assert_written(&ask, "entry_history_ask");
    struct wire_history_ask read =
        decode_file("entry_history_ask", WIRE_HISTORY_ASK, &bytes).history_ask;
    assert_true(read.request == 0x0a0b0c0d0e0f0102);
    assert_text(read.user, "bob");
    assert_int_equal(read.flags, WIRE_HISTORY_BEFORE);
    assert_int_equal(read.epoch, 5);
    assert_true(read.seq == 58);
    assert_int_equal(read.rows_max, 50);
    assert_int_equal(read.bytes_max, 128 * 1024);
    buffer_free(&bytes);
}

static void pins_the_page(void **state)
{
    (void)state;
    struct buffer bytes;
    assert_written(&page, "entry_history_page");
    struct wire_history_page read =
        decode_file("entry_history_page", WIRE_HISTORY_PAGE, &bytes).history_page;
    assert_true(read.request == 0x0a0b0c0d0e0f0102);
    assert_int_equal(read.code, WIRE_OK);
    assert_int_equal(read.flags, WIRE_HISTORY_MORE);
    assert_int_equal(read.count, 200);
    assert_text(read.reason, "retention");
    buffer_free(&bytes);
}

static void pins_the_row(void **state)
{
    (void)state;
    struct buffer bytes;
    assert_written(&row, "entry_history_row");
    struct wire_history_row read =
        decode_file("entry_history_row", WIRE_HISTORY_ROW, &bytes).history_row;
    assert_int_equal(read.epoch, 5);
    assert_true(read.seq == 57);
    assert_true(read.at_ms == 1700000000789);
    assert_int_equal(read.flags, WIRE_FLAG_PLAIN);
    assert_text(read.sender, "alice");
    assert_text(read.id, "m-0001");
    assert_text(read.body, "{\"hi\":\"\xC3\x9F\"}");
    buffer_free(&bytes);
}

static void numbers_are_held_to_their_bounds(void **state)
{
    (void)state;
    static const struct frame_change changes[] = {
        {"entry_history_ask", 12, 1, WIRE_HISTORY_AFTER, 0}, /* flags */
        {"entry_history_ask", 12, 1, WIRE_HISTORY_BEFORE | WIRE_HISTORY_AFTER, -EPROTO},
        {"entry_history_ask", 12, 1, 4, -EPROTO},
        {"entry_history_ask", 12, 1, 0, -EBADMSG}, /* with a cursor */
        {"entry_history_ask", 25, 2, 0, -EBADMSG}, /* rows_max */
        {"entry_history_ask", 25, 2, 1, 0},
        {"entry_history_ask", 25, 2, WIRE_HISTORY_ROWS_MAX, 0},
        {"entry_history_ask", 25, 2, WIRE_HISTORY_ROWS_MAX + 1, -EBADMSG},
        {"entry_history_ask", 27, 4, 0, 0}, /* bytes_max */
        {"entry_history_ask", 27, 4, WIRE_HISTORY_BYTES_MAX, 0},
        {"entry_history_ask", 27, 4, WIRE_HISTORY_BYTES_MAX + 1, -EBADMSG},
        {"entry_history_page", 8, 1, WIRE_UNSURE, 0}, /* code */
        {"entry_history_page", 8, 1, WIRE_UNSURE + 1, -EPROTO},
        {"entry_history_page", 9, 1, 0, 0}, /* flags */
        {"entry_history_page", 9, 1, 2, -EPROTO},
        {"entry_history_page", 10, 2, WIRE_HISTORY_ROWS_MAX, 0}, /* count */
        {"entry_history_page", 10, 2, WIRE_HISTORY_ROWS_MAX + 1, -EBADMSG},
        {"entry_history_row", 20, 2, 3, 0}, /* flags */
        {"entry_history_row", 20, 2, 4, -EPROTO},
        {"entry_history_row", 35, 4, 12, -EBADMSG}, /* the body's size */
    };
    assert_changes(changes, COUNT_OF(changes));
}

static void an_ask_without_a_cursor_is_of_the_newest(void **state)
{
    (void)state;
    struct buffer message = golden_load("entry_history_ask");
    golden_patch(&message, HEAD_SIZE + 12, 0, 1);
    golden_patch(&message, HEAD_SIZE + 13, 0, 4);
    assert_int_equal(decode_copy(&message), -EBADMSG);
    golden_patch(&message, HEAD_SIZE + 17, 0, 8);
    assert_int_equal(decode_copy(&message), 0);
    buffer_free(&message);
}

static void a_reason_is_a_word_or_none(void **state)
{
    (void)state;
    static const struct {
        const char *reason;
        int expected;
    } rows[] = {
        {"", 0},
        {"a", 0},
        {"abcdefghijklmnopqrstuvwxyz_01234", 0},
        {"abcdefghijklmnopqrstuvwxyz_012345", -EBADMSG},
        {"no word", -EBADMSG},
        {"No", -EBADMSG},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buffer message = golden_load("entry_history_page");
        golden_replace(&message, SIZE_AT, "retention", text_of(rows[i].reason));
        assert_int_equal(decode_copy(&message), rows[i].expected);
        buffer_free(&message);
    }
}

static void a_body_has_its_limit(void **state)
{
    (void)state;
    char *body = calloc(1, WIRE_BODY_MAX + 1);
    assert_non_null(body);
    struct wire_entry large = row;
    large.history_row.body = (struct text){body, WIRE_BODY_MAX};
    struct buffer out = {0};
    struct wire_frame_writer writer;
    wire_frame_begin(&writer, &out, &head);
    wire_entry_write(&writer, &large);
    buffer_consume(&out, FRAME_HEAD_SIZE);
    assert_int_equal(decode_copy(&out), 0);
    const size_t body_at = out.size - WIRE_BODY_MAX - 4;
    golden_append(&out, SIZE_AT, 0);
    golden_patch(&out, body_at, WIRE_BODY_MAX + 1, 4);
    assert_int_equal(decode_copy(&out), -EBADMSG);
    buffer_free(&out);
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pins_the_ask),
        cmocka_unit_test(pins_the_page),
        cmocka_unit_test(pins_the_row),
        cmocka_unit_test(numbers_are_held_to_their_bounds),
        cmocka_unit_test(an_ask_without_a_cursor_is_of_the_newest),
        cmocka_unit_test(a_reason_is_a_word_or_none),
        cmocka_unit_test(a_body_has_its_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
