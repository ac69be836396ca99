#include "golden.h"
#include "wire/batch.h"
#include "wire/record.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

enum { HEADER_CRC_AT = 48 };

static struct wire_tick tick_of_file(void)
{
    struct wire_tick tick = {.generation = 4712, .position = 0x1122334455667788};
    for (uint8_t i = 0; i < 16; i++)
        tick.hash.bytes[i] = (uint8_t)(0x40 + i);
    return tick;
}

static void write_message_of_file(struct wire_batch_writer *writer)
{
    struct wire_message message = {
        .wants = WIRE_WANT_STORED | WIRE_WANT_DELIVERED,
        .flags = WIRE_FLAG_PLAIN,
        .ttl_s = 86400,
        .created_ms = 1700000000123,
        .sender = TEXT("alice"),
        .device = TEXT("phone-1"),
        .id = TEXT("m-0001"),
        .body = TEXT("{\"hi\":\"ß\"}"),
    };
    for (uint8_t i = 0; i < 16; i++)
        message.trace[i] = (uint8_t)(0xa0 + i);
    struct wire_recipient recipients[] = {{WIRE_USER, TEXT("bob")}, {WIRE_USER, TEXT("chloé")}};
    wire_message_write(writer, &message, recipients, 2);
}

static struct wire_stamp stamp_of_file(void)
{
    struct wire_stamp stamp = {.sequence = 9000, .previous = 8998};
    for (uint8_t i = 0; i < 16; i++)
        stamp.incarnation[i] = (uint8_t)(0x20 + i);
    return stamp;
}

static void renew_header_crc(struct buffer *batch)
{
    golden_patch(batch, HEADER_CRC_AT, crc32_z(0, batch->data, HEADER_CRC_AT), 4);
}

static int read_copy(const struct buffer *bytes, size_t size, struct wire_batch *ret_batch)
{
    uint8_t *exact = golden_exact(bytes->data, size);
    int error = wire_batch_read(exact, size, ret_batch);
    struct wire_batch header = {.count = 99};
    int header_error = wire_batch_read_header(exact, size, &header);
    assert_int_equal(header_error, error == -EILSEQ ? 0 : error);
    assert_int_equal(header.count, header_error == 0 ? ret_batch->count : 99);
    free(exact);
    return error;
}

static void writes_batches_as_pinned(void **state)
{
    (void)state;
    struct buffer out = {0};
    struct wire_batch_writer writer;
    struct wire_tick tick = tick_of_file();
    wire_batch_begin(&writer, &out);
    wire_tick_write(&writer, &tick);
    write_message_of_file(&writer);
    assert_int_equal(wire_batch_end(&writer), 0);
    golden_assert_equal("batch", out.data, out.size);

    buffer_clear(&out);
    struct wire_stamp stamp = stamp_of_file();
    wire_batch_begin(&writer, &out);
    write_message_of_file(&writer);
    assert_int_equal(wire_batch_end(&writer), 0);
    wire_batch_stamp(out.data, &stamp);
    golden_assert_equal("batch_lane", out.data, out.size);
    buffer_free(&out);
}

static void reads_batches_as_pinned(void **state)
{
    (void)state;
    struct buffer bytes = golden_load("batch");
    struct wire_batch batch;
    struct wire_record record;
    assert_int_equal(wire_batch_read(bytes.data, bytes.size, &batch), 0);
    assert_int_equal(batch.version, 1);
    assert_int_equal(batch.count, 2);
    assert_true(batch.stamp.sequence == 0 && batch.stamp.previous == 0);
    assert_int_equal(wire_batch_check(&batch), 0);
    assert_int_equal(wire_record_next(&batch.body, &record), 0);
    assert_int_equal(record.kind, WIRE_TICK);
    assert_int_equal(wire_record_next(&batch.body, &record), 0);
    assert_int_equal(record.kind, WIRE_MESSAGE);
    assert_int_equal(wire_record_next(&batch.body, &record), -ENODATA);
    buffer_free(&bytes);

    bytes = golden_load("batch_lane");
    struct wire_stamp stamp = stamp_of_file();
    assert_int_equal(wire_batch_read(bytes.data, bytes.size, &batch), 0);
    assert_memory_equal(batch.stamp.incarnation, stamp.incarnation, 16);
    assert_true(batch.stamp.sequence == 9000 && batch.stamp.previous == 8998);
    assert_int_equal(wire_batch_check(&batch), 0);
    buffer_free(&bytes);
}

static void refuses_every_truncation(void **state)
{
    (void)state;
    struct buffer whole = golden_load("batch_lane");
    for (size_t size = 0; size < WIRE_BATCH_HEADER_SIZE; size++) {
        struct wire_batch batch, before;
        memset(&batch, 0xA5, sizeof batch);
        before = batch;
        assert_int_equal(read_copy(&whole, size, &batch), -EBADMSG);
        assert_memory_equal(&batch, &before, sizeof batch);
    }
    for (size_t size = WIRE_BATCH_HEADER_SIZE; size < whole.size; size++) {
        struct wire_batch batch;
        assert_int_equal(read_copy(&whole, size, &batch), -EILSEQ);
        assert_true(batch.stamp.sequence == 9000); /* the stamp is good, there is no body */
        assert_int_equal(batch.body.left, 0);
    }
    buffer_free(&whole);
}

static void refuses_bytes_left_over(void **state)
{
    (void)state;
    struct buffer bytes = golden_load("batch");
    struct wire_batch batch;
    golden_append(&bytes, GOLDEN_NO_SIZE, 0);
    assert_int_equal(read_copy(&bytes, bytes.size, &batch), -EILSEQ);
    buffer_free(&bytes);
}

static void refuses_every_flipped_bit(void **state)
{
    (void)state;
    struct buffer bytes = golden_load("batch_lane");
    for (size_t bit = 0; bit < bytes.size * 8; bit++) {
        struct wire_batch batch;
        bytes.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        int expected = bit / 8 == 4 ? -EPROTO : -EBADMSG; /* byte 4 is the version */
        if (bit / 8 >= WIRE_BATCH_HEADER_SIZE)
            expected = -EILSEQ;
        assert_int_equal(read_copy(&bytes, bytes.size, &batch), expected);
        bytes.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    buffer_free(&bytes);
}

static void an_unknown_flag_is_not_ignored(void **state)
{
    (void)state;
    struct buffer bytes = golden_load("batch");
    struct wire_batch batch;
    golden_patch(&bytes, 5, 1, 1);
    renew_header_crc(&bytes);
    assert_int_equal(read_copy(&bytes, bytes.size, &batch), -EPROTO);
    buffer_free(&bytes);
}

static void counts_and_sizes_have_limits(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        size_t size;
        uint64_t value;
        int expected;
    } changes[] = {
        {6, 2, 0, -EBADMSG},
        {6, 2, WIRE_BATCH_RECORDS_MAX, 0},
        {6, 2, WIRE_BATCH_RECORDS_MAX + 1, -EBADMSG},
        {8, 4, WIRE_BATCH_BODY_MAX, -EILSEQ}, /* allowed, though there is less */
        {8, 4, WIRE_BATCH_BODY_MAX + 1, -EBADMSG},
    };
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        struct buffer bytes = golden_load("batch");
        struct wire_batch batch;
        golden_patch(&bytes, changes[i].at, changes[i].value, changes[i].size);
        renew_header_crc(&bytes);
        assert_int_equal(read_copy(&bytes, bytes.size, &batch), changes[i].expected);
        buffer_free(&bytes);
    }
}

/* What wire_batch_check() says of "batch" when byte `at` of its body is changed. */
static int check_changed(size_t at, uint8_t value)
{
    struct buffer bytes = golden_load("batch");
    struct wire_batch batch;
    assert_int_equal(wire_batch_read(bytes.data, bytes.size, &batch), 0);
    golden_patch(&bytes, WIRE_BATCH_HEADER_SIZE + at, value, 1);
    int error = wire_batch_check(&batch);
    buffer_free(&bytes);
    return error;
}

static void checks_all_records_before_any_is_used(void **state)
{
    (void)state;
    enum { SECOND = 40 }; /* the first record is a tick: 8 bytes of head, 32 of payload */
    assert_int_equal(check_changed(0, WIRE_TICK), 0);
    assert_int_equal(check_changed(0, 200), -EPROTO);
    assert_int_equal(check_changed(SECOND, 200), -EPROTO);
    assert_int_equal(check_changed(SECOND + 1, 200), -EPROTO); /* level */
    assert_int_equal(check_changed(SECOND + 8, 9), -EPROTO);   /* class */
    assert_int_equal(check_changed(SECOND + 4, 1), -EBADMSG);  /* size */
    assert_int_equal(check_changed(2, 1), -EBADMSG);
}

static void malformed_weighs_more_than_unknown(void **state)
{
    (void)state;
    struct buffer bytes = golden_load("batch");
    struct wire_batch batch;
    assert_int_equal(wire_batch_read(bytes.data, bytes.size, &batch), 0);
    golden_patch(&bytes, WIRE_BATCH_HEADER_SIZE, 200, 1); /* unknown, then malformed */
    golden_patch(&bytes, WIRE_BATCH_HEADER_SIZE + 40 + 4, 1, 1);
    assert_int_equal(wire_batch_check(&batch), -EBADMSG);
    buffer_free(&bytes);
}

static void the_count_is_that_of_the_records(void **state)
{
    (void)state;
    struct buffer bytes = golden_load("batch");
    struct wire_batch batch;
    for (uint8_t count = 1; count <= 3; count++) {
        golden_patch(&bytes, 6, count, 2);
        renew_header_crc(&bytes);
        assert_int_equal(wire_batch_read(bytes.data, bytes.size, &batch), 0);
        assert_int_equal(wire_batch_check(&batch), count == 2 ? 0 : -EBADMSG);
    }
    buffer_free(&bytes);
}

static void a_batch_has_room_for_1024_records(void **state)
{
    (void)state;
    struct buffer out = {0};
    struct wire_batch_writer writer;
    struct wire_own own = {.hub = TEXT("")};
    wire_batch_begin(&writer, &out);
    for (size_t i = 0; i < WIRE_BATCH_RECORDS_MAX; i++) {
        assert_true(wire_batch_has_room(&writer, 17));
        wire_own_write(&writer, &own);
    }
    assert_false(wire_batch_has_room(&writer, 17));
    assert_int_equal(wire_batch_end(&writer), 0);
    struct wire_batch batch;
    assert_int_equal(wire_batch_read(out.data, out.size, &batch), 0);
    assert_int_equal(batch.count, WIRE_BATCH_RECORDS_MAX);
    assert_int_equal(wire_batch_check(&batch), 0);
    buffer_free(&out);
}

/* A message whose record payload has `size` bytes. */
static void write_message_of_size(struct wire_batch_writer *writer, const char *body, size_t size)
{
    struct wire_message message = {.sender = TEXT("alice"), .id = TEXT("1")};
    struct wire_recipient bob = {WIRE_USER, TEXT("bob")};
    message.body = (struct text){body, size - wire_message_size(&message, &bob, 1)};
    wire_message_write(writer, &message, &bob, 1);
}

static void a_batch_has_room_for_its_bytes(void **state)
{
    (void)state;
    enum { HALF = WIRE_BATCH_BODY_MAX / 2, HEAD = 8 };
    char *body = calloc(1, WIRE_BODY_MAX);
    assert_non_null(body);
    struct buffer out = {0};
    struct wire_batch_writer writer;
    wire_batch_begin(&writer, &out);
    assert_true(wire_batch_has_room(&writer, WIRE_BATCH_BODY_MAX - HEAD));
    assert_false(wire_batch_has_room(&writer, WIRE_BATCH_BODY_MAX - HEAD + 1));
    assert_false(wire_batch_has_room(&writer, SIZE_MAX));
    write_message_of_size(&writer, body, HALF - HEAD);
    assert_true(wire_batch_has_room(&writer, HALF - HEAD));
    assert_false(wire_batch_has_room(&writer, HALF - HEAD + 1));
    write_message_of_size(&writer, body, HALF - HEAD);
    assert_false(wire_batch_has_room(&writer, 0));
    assert_int_equal(wire_batch_end(&writer), 0);
    assert_int_equal(out.size, WIRE_BATCH_HEADER_SIZE + WIRE_BATCH_BODY_MAX);
    struct wire_batch batch;
    assert_int_equal(wire_batch_read(out.data, out.size, &batch), 0);
    assert_int_equal(wire_batch_check(&batch), 0);
    buffer_free(&out);
    free(body);
}

static void a_batch_may_stand_behind_other_bytes(void **state)
{
    (void)state;
    struct buffer out = {0};
    struct wire_batch_writer writer;
    struct wire_tick tick = tick_of_file();
    buffer_append(&out, "before", 6);
    wire_batch_begin(&writer, &out);
    wire_tick_write(&writer, &tick);
    write_message_of_file(&writer);
    assert_int_equal(wire_batch_end(&writer), 0);
    assert_memory_equal(out.data, "before", 6);
    golden_assert_equal("batch", out.data + 6, out.size - 6);
    buffer_free(&out);
}

static void says_when_memory_was_short(void **state)
{
    (void)state;
    struct buffer out = {0};
    struct wire_batch_writer writer;
    struct wire_tick tick = tick_of_file();
    wire_batch_begin(&writer, &out);
    out.failed = true;
    wire_tick_write(&writer, &tick);
    write_message_of_file(&writer);
    assert_false(wire_batch_has_room(&writer, 1));
    assert_int_equal(wire_batch_end(&writer), -ENOMEM);
    buffer_free(&out);
}

static void a_stamp_leaves_the_body_as_it_is(void **state)
{
    (void)state;
    struct buffer bytes = golden_load("batch");
    struct buffer before = golden_load("batch");
    struct wire_stamp stamp = stamp_of_file();
    wire_batch_stamp(bytes.data, &stamp);
    struct wire_batch batch;
    assert_int_equal(wire_batch_read(bytes.data, bytes.size, &batch), 0);
    assert_true(batch.stamp.sequence == 9000 && batch.stamp.previous == 8998);
    assert_memory_equal(batch.stamp.incarnation, stamp.incarnation, 16);
    assert_memory_equal(bytes.data, before.data, 16);
    assert_memory_equal(bytes.data + WIRE_BATCH_HEADER_SIZE, before.data + WIRE_BATCH_HEADER_SIZE,
                        bytes.size - WIRE_BATCH_HEADER_SIZE);
    buffer_free(&bytes);
    buffer_free(&before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_batches_as_pinned),
        cmocka_unit_test(reads_batches_as_pinned),
        cmocka_unit_test(refuses_every_truncation),
        cmocka_unit_test(refuses_bytes_left_over),
        cmocka_unit_test(refuses_every_flipped_bit),
        cmocka_unit_test(an_unknown_flag_is_not_ignored),
        cmocka_unit_test(counts_and_sizes_have_limits),
        cmocka_unit_test(checks_all_records_before_any_is_used),
        cmocka_unit_test(malformed_weighs_more_than_unknown),
        cmocka_unit_test(the_count_is_that_of_the_records),
        cmocka_unit_test(a_batch_has_room_for_1024_records),
        cmocka_unit_test(a_batch_has_room_for_its_bytes),
        cmocka_unit_test(a_batch_may_stand_behind_other_bytes),
        cmocka_unit_test(says_when_memory_was_short),
        cmocka_unit_test(a_stamp_leaves_the_body_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
