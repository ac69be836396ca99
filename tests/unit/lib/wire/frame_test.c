#include "frame_file.h"

static const char *const golden_files[] = {
    "entry_attach",         "entry_detach",       "entry_report",      "entry_fetch",
    "entry_ephemeral_send", "entry_claim",        "entry_lane_ask",    "entry_attached",
    "entry_deliver",        "entry_acked",        "entry_read_up_to",  "entry_read_noted",
    "entry_kick",           "entry_gap",          "entry_unattached",  "entry_claimed",
    "entry_lane_at",        "entry_move_ask",     "entry_move_state",  "entry_move_row",
    "entry_history_ask",    "entry_history_page", "entry_history_row", "entry_show",
    "entry_shown",          "entry_token",
};

/* Cuts the entry short, and also its payload with the size set right. */
static void refuse_truncations(const char *file)
{
    struct buffer whole = golden_load(file);
    for (size_t size = 0; size < whole.size; size++) {
        uint8_t *exact = golden_exact(whole.data, size);
        struct wire_entry entry, before;
        memset(&entry, 0xA5, sizeof entry);
        before = entry;
        assert_int_equal(decode_to(exact, size, &entry), -EBADMSG);
        assert_memory_equal(&entry, &before, sizeof entry);
        free(exact);
    }
    for (size_t by = 1; by <= whole.size - HEAD_SIZE; by++) {
        struct buffer cut = golden_load(file);
        golden_shorten(&cut, SIZE_AT, by);
        if (decode_copy(&cut) != -EBADMSG)
            fail_msg("%s without its last %zu bytes was taken", file, by);
        buffer_free(&cut);
    }
    buffer_free(&whole);
}

static void refuses_every_truncation_of_an_entry(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(golden_files); i++)
        refuse_truncations(golden_files[i]);
}

static void refuses_every_truncation_of_a_frame(void **state)
{
    (void)state;
    struct buffer whole = golden_load("frame");
    for (size_t size = 0; size < whole.size; size++) {
        uint8_t *exact = golden_exact(whole.data, size);
        struct wire_frame frame, before;
        memset(&frame, 0xA5, sizeof frame);
        before = frame;
        int error = wire_frame_read(exact, size, &frame);
        if (size < FRAME_HEAD_SIZE) {
            assert_int_equal(error, -EBADMSG);
            assert_memory_equal(&frame, &before, sizeof frame);
        } else { /* the head is whole; the entries run short */
            struct wire_entry entry;
            assert_int_equal(error, 0);
            while ((error = wire_entry_next(&frame, &entry)) == 0)
                continue;
            assert_int_equal(error, -EBADMSG);
            assert_int_equal(wire_entry_next(&frame, &entry), -EBADMSG); /* it sticks */
        }
        free(exact);
    }
    buffer_free(&whole);
}

static void refuses_bytes_left_over(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(golden_files); i++) {
        struct buffer message = golden_load(golden_files[i]);
        golden_append(&message, SIZE_AT, 0);
        assert_int_equal(decode_copy(&message), -EBADMSG);
        buffer_free(&message);
    }
    struct buffer bytes = golden_load("frame");
    struct wire_frame frame;
    struct wire_entry entry;
    golden_append(&bytes, GOLDEN_NO_SIZE, 0);
    assert_int_equal(wire_frame_read(bytes.data, bytes.size, &frame), 0);
    assert_int_equal(wire_entry_next(&frame, &entry), 0);
    assert_int_equal(wire_entry_next(&frame, &entry), 0);
    assert_int_equal(wire_entry_next(&frame, &entry), -EBADMSG);
    buffer_free(&bytes);
}

static void texts_are_held_to_their_bounds(void **state)
{
    (void)state;
    static const struct golden_field fields[] = {
        {"entry_attach", "bob", GOLDEN_USER},
        {"entry_attach", "tablet-2", GOLDEN_DEVICE},
        {"entry_detach", "bob", GOLDEN_USER},
        {"entry_detach", "tablet-2", GOLDEN_DEVICE},
        {"entry_report", "bob", GOLDEN_USER},
        {"entry_report", "tablet-2", GOLDEN_DEVICE},
        {"entry_fetch", "bob", GOLDEN_USER},
        {"entry_fetch", "tablet-2", GOLDEN_DEVICE},
        {"entry_ephemeral_send", "alice", GOLDEN_USER},
        {"entry_ephemeral_send", "t1", GOLDEN_ID},
        {"entry_ephemeral_send", "bob", GOLDEN_USER},
        {"entry_claim", "dave", GOLDEN_USER},
        {"entry_claim", "sin", GOLDEN_REGION},
        {"entry_lane_ask", "sin", GOLDEN_REGION},
        {"entry_attached", "bob", GOLDEN_USER},
        {"entry_attached", "tablet-2", GOLDEN_DEVICE},
        {"entry_deliver", "bob", GOLDEN_USER},
        {"entry_deliver", "alice", GOLDEN_USER},
        {"entry_deliver", "m-0001", GOLDEN_ID},
        {"entry_acked", "bob", GOLDEN_USER},
        {"entry_acked", "tablet-2", GOLDEN_DEVICE},
        {"entry_kick", "bob", GOLDEN_USER},
        {"entry_kick", "tablet-2", GOLDEN_DEVICE},
        {"entry_gap", "bob", GOLDEN_USER},
        {"entry_gap", "retention", GOLDEN_ID},
        {"entry_unattached", "bob", GOLDEN_USER},
        {"entry_unattached", "tablet-2", GOLDEN_DEVICE},
        {"entry_read_up_to", "bob", GOLDEN_USER},
        {"entry_read_up_to", "tablet-2", GOLDEN_DEVICE},
        {"entry_read_up_to", "alice", GOLDEN_USER},
        {"entry_read_noted", "bob", GOLDEN_USER},
        {"entry_read_noted", "alice", GOLDEN_USER},
        {"entry_claimed", "dave", GOLDEN_USER},
        {"entry_claimed", "sin", GOLDEN_REGION},
        {"entry_lane_at", "sin", GOLDEN_REGION},
        {"entry_move_ask", "bob", GOLDEN_USER},
        {"entry_move_ask", "sin", GOLDEN_REGION},
        {"entry_move_state", "bob", GOLDEN_USER},
        {"entry_move_state", "phone-1", GOLDEN_DEVICE},
        {"entry_move_row", "bob", GOLDEN_USER},
        {"entry_history_ask", "bob", GOLDEN_USER},
        {"entry_history_row", "alice", GOLDEN_USER},
        {"entry_history_row", "m-0001", GOLDEN_ID},
        {"entry_show", "bob", GOLDEN_USER},
        {"entry_show", "tablet-2", GOLDEN_DEVICE},
    };
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        golden_check_field(&fields[i], SIZE_AT, decode);
}

static int read_head(const void *bytes, size_t size)
{
    struct wire_frame frame;
    return wire_frame_read(bytes, size, &frame);
}

static void the_head_is_held_to_its_bounds(void **state)
{
    (void)state;
    static const struct golden_field fields[] = {
        {"frame", "dub", GOLDEN_REGION},
        {"frame", "dub-hub-1", GOLDEN_PROCESS},
    };
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        golden_check_field(&fields[i], GOLDEN_NO_SIZE, read_head);
    static const struct {
        size_t at;
        size_t size;
        uint64_t value;
        int expected;
    } changes[] = {
        {0, 1, 'm', -EBADMSG},
        {3, 1, '2', -EBADMSG},
        {4, 1, 0, -EPROTO},
        {4, 1, 2, -EPROTO},
        {5, 1, 1, -EBADMSG},
        {6, 2, 0, 0},
        {6, 2, WIRE_FRAME_ENTRIES_MAX, 0},
        {6, 2, WIRE_FRAME_ENTRIES_MAX + 1, -EBADMSG},
    };
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        struct buffer bytes = golden_load("frame");
        golden_patch(&bytes, changes[i].at, changes[i].value, changes[i].size);
        assert_int_equal(read_head(bytes.data, bytes.size), changes[i].expected);
        buffer_free(&bytes);
    }
}

static void numbers_are_held_to_their_bounds(void **state)
{
    (void)state;
    static const struct frame_change changes[] = {
        {"entry_attach", 29, 1, 0, 0}, /* flags */
        {"entry_attach", 29, 1, 4, -EPROTO},
        {"entry_attached", 29, 1, WIRE_UNAUTHORIZED, 0}, /* code */
        {"entry_attached", 29, 1, WIRE_UNAUTHORIZED + 1, -EPROTO},
        {"entry_attached", 30, 1, 3, 0}, /* flags */
        {"entry_attached", 30, 1, 4, -EPROTO},
        {"entry_deliver", 32, 2, 3, 0}, /* flags */
        {"entry_deliver", 32, 2, 4, -EPROTO},
        {"entry_kick", 21, 1, WIRE_KICK_REPLACED - 1, -EPROTO},
        {"entry_kick", 21, 1, WIRE_KICK_REPLACED, 0},
        {"entry_kick", 21, 1, WIRE_KICK_RECONNECT, 0},
        {"entry_kick", 21, 1, WIRE_KICK_RECONNECT + 1, -EPROTO},
        {"entry_gap", 16, 8, 20, 0}, /* from, with a to of 20 */
        {"entry_gap", 16, 8, 21, -EBADMSG},
        {"entry_claimed", 13, 1, WIRE_UNSURE, 0}, /* code */
        {"entry_claimed", 13, 1, WIRE_UNSURE + 1, -EPROTO},
        {"entry_ephemeral_send", 0, 1, WIRE_EPHEMERAL + 1, -EPROTO}, /* class */
        {"entry_move_ask", 0, 1, 0, -EPROTO},
        {"entry_move_ask", 0, 1, WIRE_MOVE_BEGIN, 0},
        {"entry_move_ask", 0, 1, WIRE_MOVE_BASE + 1, -EPROTO},
        {"entry_move_state", 17, 4, 0, -EBADMSG}, /* epoch */
    };
    assert_changes(changes, COUNT_OF(changes));
}

static void a_refused_claim_needs_no_home(void **state)
{
    (void)state;
    struct buffer message = golden_load("entry_claimed");
    golden_replace(&message, SIZE_AT, "sin", TEXT(""));
    assert_int_equal(decode_copy(&message), -EBADMSG);
    golden_patch(&message, HEAD_SIZE + 13, WIRE_REFUSED, 1);
    assert_int_equal(decode_copy(&message), 0);
    buffer_free(&message);
}

static void an_unknown_entry_is_passed_over(void **state)
{
    (void)state;
    static const uint8_t kinds[] = {0, 14, 31, 48, 255};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct buffer bytes = golden_load("frame");
        struct wire_frame frame;
        struct wire_entry entry = {.kind = 77};
        golden_patch(&bytes, FRAME_HEAD_SIZE, kinds[i], 1);
        golden_patch(&bytes, FRAME_HEAD_SIZE + 1, 9, 1); /* it may mean something there */
        assert_int_equal(wire_frame_read(bytes.data, bytes.size, &frame), 0);
        assert_int_equal(wire_entry_next(&frame, &entry), -EPROTO);
        assert_int_equal(entry.kind, 77);
        assert_int_equal(wire_entry_next(&frame, &entry), 0);
        assert_int_equal(entry.kind, WIRE_DELIVER);
        assert_int_equal(wire_entry_next(&frame, &entry), -ENODATA);
        buffer_free(&bytes);
    }
}

static void a_zero_that_is_none_ends_the_frame(void **state)
{
    (void)state;
    struct buffer bytes = golden_load("frame");
    struct wire_frame frame;
    struct wire_entry entry;
    golden_patch(&bytes, FRAME_HEAD_SIZE + 1, 9, 1);
    assert_int_equal(wire_frame_read(bytes.data, bytes.size, &frame), 0);
    assert_int_equal(wire_entry_next(&frame, &entry), -EBADMSG);
    assert_int_equal(wire_entry_next(&frame, &entry), -EBADMSG);
    buffer_free(&bytes);
}

static void a_body_has_its_limit(void **state)
{
    (void)state;
    char *body = calloc(1, WIRE_BODY_MAX + 1);
    assert_non_null(body);
    struct wire_entry entry = deliver_of_file();
    entry.deliver.body = (struct text){body, WIRE_BODY_MAX};
    struct buffer out = {0};
    struct wire_frame_writer writer;
    wire_frame_begin(&writer, &out, &head);
    wire_entry_write(&writer, &entry);
    buffer_consume(&out, FRAME_HEAD_SIZE);
    assert_int_equal(decode_copy(&out), 0);

    size_t body_at = out.size - WIRE_BODY_MAX - 4;
    golden_append(&out, SIZE_AT, 0);
    golden_patch(&out, body_at, WIRE_BODY_MAX + 1, 4);
    assert_int_equal(decode_copy(&out), -EBADMSG);
    buffer_free(&out);
    free(body);
}

static void a_token_fills_its_field(void **state)
{
    (void)state;
    char token[UINT16_MAX];
    memset(token, 't', sizeof token);
    struct wire_entry entry = {
        .kind = WIRE_ATTACH,
        .attach = {.user = TEXT("bob"), .device = TEXT("d"), .token = {token, sizeof token}}};
    struct buffer out = {0};
    struct wire_frame_writer writer;
    struct wire_frame frame;
    wire_frame_begin(&writer, &out, &head);
    wire_entry_write(&writer, &entry);
    entry.attach.token = TEXT("");
    wire_entry_write(&writer, &entry);
    assert_int_equal(wire_frame_end(&writer), 0);
    assert_int_equal(wire_frame_read(out.data, out.size, &frame), 0);
    assert_int_equal(wire_entry_next(&frame, &entry), 0);
    assert_int_equal(entry.attach.token.size, sizeof token);
    assert_int_equal(wire_entry_next(&frame, &entry), 0);
    assert_int_equal(entry.attach.token.size, 0);
    buffer_free(&out);
}

static void a_frame_has_room_for_4096_entries(void **state)
{
    (void)state;
    struct buffer out = {0};
    struct wire_frame_writer writer;
    struct wire_entry entry = {.kind = WIRE_LANE_ASK, .lane_ask = {.source = TEXT("sin")}};
    wire_frame_begin(&writer, &out, &head);
    for (size_t i = 0; i < WIRE_FRAME_ENTRIES_MAX; i++) {
        assert_true(wire_frame_has_room(&writer, 4));
        wire_entry_write(&writer, &entry);
    }
    assert_false(wire_frame_has_room(&writer, 4));
    assert_int_equal(wire_frame_end(&writer), 0);
    struct wire_frame frame;
    assert_int_equal(wire_frame_read(out.data, out.size, &frame), 0);
    assert_int_equal(frame.count, WIRE_FRAME_ENTRIES_MAX);
    size_t count = 0;
    while (wire_entry_next(&frame, &entry) == 0)
        count++;
    assert_int_equal(count, WIRE_FRAME_ENTRIES_MAX);
    buffer_free(&out);
}

static void a_frame_has_room_for_its_bytes(void **state)
{
    (void)state;
    enum { ROOM = WIRE_FRAME_SIZE_MAX - FRAME_HEAD_SIZE - HEAD_SIZE };
    struct buffer out = {0};
    struct wire_frame_writer writer;
    wire_frame_begin(&writer, &out, &head);
    assert_true(wire_frame_has_room(&writer, ROOM));
    assert_false(wire_frame_has_room(&writer, ROOM + 1));
    assert_false(wire_frame_has_room(&writer, SIZE_MAX));

    uint8_t *rest = buffer_reserve(&out, ROOM + HEAD_SIZE + 1);
    assert_non_null(rest);
    memset(rest, 0, ROOM + HEAD_SIZE + 1);
    assert_int_equal(read_head(out.data, WIRE_FRAME_SIZE_MAX), 0);
    assert_int_equal(read_head(out.data, WIRE_FRAME_SIZE_MAX + 1), -EBADMSG);
    buffer_free(&out);
}

static void says_when_memory_was_short(void **state)
{
    (void)state;
    struct buffer out = {0};
    struct wire_frame_writer writer;
    struct wire_entry entry = acked_of_file();
    wire_frame_begin(&writer, &out, &head);
    out.failed = true;
    wire_entry_write(&writer, &entry);
    assert_false(wire_frame_has_room(&writer, 1));
    assert_int_equal(wire_frame_end(&writer), -ENOMEM);
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_every_truncation_of_an_entry),
        cmocka_unit_test(refuses_every_truncation_of_a_frame),
        cmocka_unit_test(refuses_bytes_left_over),
        cmocka_unit_test(texts_are_held_to_their_bounds),
        cmocka_unit_test(the_head_is_held_to_its_bounds),
        cmocka_unit_test(numbers_are_held_to_their_bounds),
        cmocka_unit_test(a_refused_claim_needs_no_home),
        cmocka_unit_test(an_unknown_entry_is_passed_over),
        cmocka_unit_test(a_zero_that_is_none_ends_the_frame),
        cmocka_unit_test(a_body_has_its_limit),
        cmocka_unit_test(a_token_fills_its_field),
        cmocka_unit_test(a_frame_has_room_for_4096_entries),
        cmocka_unit_test(a_frame_has_room_for_its_bytes),
        cmocka_unit_test(says_when_memory_was_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
