/* What is said of a home move, in records and in frames, as pinned. Their bounds are tried in
 * record_test.c and frame_test.c. */
#include "golden.h"
#include "wire/frame.h"
#include "wire/record.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint64_t move = UINT64_C(0x1122334455667788);
static const struct wire_frame head = {
    .generation = 4712, .shard = 3, .region = {"dub", 3}, .from = {"dub-hub-1", 9}};

static void assert_text(struct text text, const char *expected)
{
    assert_int_equal(text.size, strlen(expected));
    assert_memory_equal(text.data, expected, text.size);
}

static struct wire_mailbox make_mailbox(struct buffer *devices)
{
    const struct wire_mailbox_device both[] = {
        {.name = TEXT("phone-1"), .seq = 80, .used_ms = 1700000000123},
        {.name = TEXT("tablet-2"), .seq = 0, .used_ms = 1700000000456}};
    for (size_t i = 0; i < COUNT_OF(both); i++)
        wire_mailbox_device_write(devices, &both[i]);
    return (struct wire_mailbox){.epoch = 2,
                                 .head = 90,
                                 .oldest = 12,
                                 .asked = true,
                                 .delivered = 80,
                                 .delivered_to = 88,
                                 .read_to = 70,
                                 .skipped_from = 40,
                                 .skipped_to = 42,
                                 .base = 50,
                                 .device_count = 2,
                                 .devices = wire_cursor_of(devices->data, devices->size)};
}

static void check_mailbox(const struct wire_mailbox *mailbox)
{
    assert_int_equal(mailbox->epoch, 2);
    assert_int_equal(mailbox->head, 90);
    assert_int_equal(mailbox->oldest, 12);
    assert_true(mailbox->asked);
    assert_int_equal(mailbox->delivered, 80);
    assert_int_equal(mailbox->delivered_to, 88);
    assert_int_equal(mailbox->read_to, 70);
    assert_int_equal(mailbox->skipped_from, 40);
    assert_int_equal(mailbox->skipped_to, 42);
    assert_int_equal(mailbox->base, 50);
    assert_int_equal(mailbox->device_count, 2);
    struct wire_cursor devices = mailbox->devices;
    struct wire_mailbox_device device;
    assert_true(wire_mailbox_device_next(&devices, &device));
    assert_text(device.name, "phone-1");
    assert_int_equal(device.seq, 80);
    assert_int_equal(device.used_ms, 1700000000123);
    assert_true(wire_mailbox_device_next(&devices, &device));
    assert_text(device.name, "tablet-2");
    assert_false(wire_mailbox_device_next(&devices, &device));
}

static struct wire_move_row make_row(void)
{
    struct wire_move_row row = {.generation = 4717,
                                .move = move,
                                .epoch = 1,
                                .seq = 57,
                                .at_ms = 1700000000789,
                                .user = TEXT("bob"),
                                .message = {.wants = WIRE_WANT_STORED | WIRE_WANT_DELIVERED,
                                            .flags = WIRE_FLAG_PLAIN,
                                            .ttl_s = 60,
                                            .created_ms = 1700000000001,
                                            .sender = TEXT("alice"),
                                            .device = TEXT("laptop"),
                                            .id = TEXT("m-0001"),
                                            .body = TEXT("{\"text\":\"hi\"}")}};
    for (uint8_t i = 0; i < sizeof row.message.trace; i++)
        row.message.trace[i] = (uint8_t)(0xa0 + i);
    return row;
}

static void check_row(const struct wire_move_row *row)
{
    assert_int_equal(row->generation, 4717);
    assert_true(row->move == move);
    assert_int_equal(row->epoch, 1);
    assert_int_equal(row->seq, 57);
    assert_int_equal(row->at_ms, 1700000000789);
    assert_text(row->user, "bob");
    assert_text(row->message.sender, "alice");
    assert_text(row->message.device, "laptop");
    assert_text(row->message.id, "m-0001");
    assert_text(row->message.body, "{\"text\":\"hi\"}");
    assert_int_equal(row->message.ttl_s, 60);
}

/* The one record of a file, borrowed from `bytes`; and what was written is that file. */
static struct wire_record check_record(struct buffer *out, const char *file, struct buffer *bytes)
{
    golden_assert_equal(file, out->data + WIRE_BATCH_HEADER_SIZE,
                        out->size - WIRE_BATCH_HEADER_SIZE);
    buffer_free(out);
    *bytes = golden_load(file);
    struct wire_cursor body = wire_cursor_of(bytes->data, bytes->size);
    struct wire_record record;
    assert_int_equal(wire_record_next(&body, &record), 0);
    assert_int_equal(record.level, 3);
    return record;
}

static void pins_the_freeze(void **state)
{
    (void)state;
    struct buffer out = {0};
    struct buffer bytes;
    struct wire_batch_writer writer;
    wire_batch_begin(&writer, &out);
    wire_freeze_write(
        &writer, &(struct wire_freeze){
                     .generation = 4716, .move = move, .user = TEXT("bob"), .to = TEXT("sin")});
    const struct wire_record record = check_record(&out, "record_freeze", &bytes);
    assert_int_equal(record.kind, WIRE_FREEZE);
    assert_int_equal(record.freeze.generation, 4716);
    assert_true(record.freeze.move == move);
    assert_text(record.freeze.user, "bob");
    assert_text(record.freeze.to, "sin");
    buffer_free(&bytes);
}

static void pins_the_row(void **state)
{
    (void)state;
    struct buffer out = {0};
    struct buffer bytes;
    struct wire_batch_writer writer;
    const struct wire_move_row row = make_row();
    wire_batch_begin(&writer, &out);
    wire_move_row_write(&writer, &row);
    const struct wire_record record = check_record(&out, "record_move_row", &bytes);
    assert_int_equal(record.kind, WIRE_MOVE_ROW);
    check_row(&record.move_row);
    buffer_free(&bytes);
}

static void pins_the_arrival(void **state)
{
    (void)state;
    struct buffer out = {0};
    struct buffer devices = {0};
    struct buffer bytes;
    struct wire_batch_writer writer;
    wire_batch_begin(&writer, &out);
    wire_move_in_write(&writer, &(struct wire_move_in){.generation = 4718,
                                                       .move = move,
                                                       .user = TEXT("bob"),
                                                       .from = TEXT("dub"),
                                                       .mailbox = make_mailbox(&devices)});
    buffer_free(&devices);
    const struct wire_record record = check_record(&out, "record_move_in", &bytes);
    assert_int_equal(record.kind, WIRE_MOVE_IN);
    assert_int_equal(record.move_in.generation, 4718);
    assert_true(record.move_in.move == move);
    assert_text(record.move_in.user, "bob");
    assert_text(record.move_in.from, "dub");
    check_mailbox(&record.move_in.mailbox);
    buffer_free(&bytes);
}

static void pins_the_end(void **state)
{
    (void)state;
    struct buffer out = {0};
    struct buffer bytes;
    struct wire_batch_writer writer;
    wire_batch_begin(&writer, &out);
    wire_move_end_write(&writer, &(struct wire_move_end){.generation = 4719,
                                                         .move = move,
                                                         .user = TEXT("bob"),
                                                         .outcome = WIRE_MOVE_DONE,
                                                         .home = TEXT("sin"),
                                                         .from = 51});
    const struct wire_record record = check_record(&out, "record_move_end", &bytes);
    assert_int_equal(record.kind, WIRE_MOVE_END);
    assert_int_equal(record.move_end.generation, 4719);
    assert_true(record.move_end.move == move);
    assert_text(record.move_end.user, "bob");
    assert_int_equal(record.move_end.outcome, WIRE_MOVE_DONE);
    assert_text(record.move_end.home, "sin");
    assert_int_equal(record.move_end.from, 51);
    buffer_free(&bytes);
}

/* The same for an entry. */
static struct wire_entry check_entry(const struct wire_entry *entry, const char *file,
                                     struct buffer *bytes)
{
    struct buffer out = {0};
    struct wire_frame_writer writer;
    struct wire_entry read;
    wire_frame_begin(&writer, &out, &head);
    const size_t start = out.size;
    wire_entry_write(&writer, entry);
    golden_assert_equal(file, out.data + start, out.size - start);
    buffer_free(&out);
    *bytes = golden_load(file);
    struct wire_frame frame = {.count = 1, .entries = wire_cursor_of(bytes->data, bytes->size)};
    assert_int_equal(wire_entry_next(&frame, &read), 0);
    assert_int_equal(read.kind, entry->kind);
    return read;
}

static void pins_what_is_asked(void **state)
{
    (void)state;
    struct buffer bytes;
    const struct wire_entry ask = {.kind = WIRE_MOVE_ASK,
                                   .move_ask = {.what = WIRE_MOVE_ROWS,
                                                .move = move,
                                                .user = TEXT("bob"),
                                                .region = TEXT("sin"),
                                                .from = 58}};
    const struct wire_entry read = check_entry(&ask, "entry_move_ask", &bytes);
    assert_int_equal(read.move_ask.what, WIRE_MOVE_ROWS);
    assert_true(read.move_ask.move == move);
    assert_text(read.move_ask.user, "bob");
    assert_text(read.move_ask.region, "sin");
    assert_int_equal(read.move_ask.from, 58);
    buffer_free(&bytes);
}

static void pins_what_is_answered(void **state)
{
    (void)state;
    struct buffer bytes;
    struct buffer devices = {0};
    const struct wire_entry answer = {.kind = WIRE_MOVE_STATE,
                                      .move_state = {.code = WIRE_MOVE_FROZEN,
                                                     .move = move,
                                                     .user = TEXT("bob"),
                                                     .region = TEXT("sin"),
                                                     .mailbox = make_mailbox(&devices)}};
    struct wire_entry read = check_entry(&answer, "entry_move_state", &bytes);
    buffer_free(&devices);
    assert_int_equal(read.move_state.code, WIRE_MOVE_FROZEN);
    assert_text(read.move_state.region, "sin");
    check_mailbox(&read.move_state.mailbox);
    bytes.data[6] = WIRE_MOVE_KEPT; /* the other code that a mailbox follows */
    struct wire_frame frame = {.count = 1, .entries = wire_cursor_of(bytes.data, bytes.size)};
    assert_int_equal(wire_entry_next(&frame, &read), 0);
    assert_int_equal(read.move_state.code, WIRE_MOVE_KEPT);
    check_mailbox(&read.move_state.mailbox);
    buffer_free(&bytes);

    const struct wire_entry row = {.kind = WIRE_MOVE_ROW_COPY, .move_row = make_row()};
    read = check_entry(&row, "entry_move_row", &bytes);
    check_row(&read.move_row);
    buffer_free(&bytes);
}

static void a_state_without_a_mailbox_is_short(void **state)
{
    (void)state;
    struct buffer out = {0};
    struct wire_frame_writer writer;
    wire_frame_begin(&writer, &out, &head);
    const size_t start = out.size;
    const struct wire_entry answer = {
        .kind = WIRE_MOVE_STATE,
        .move_state = {.code = WIRE_MOVE_WAIT, .user = TEXT("bob"), .region = TEXT("")}};
    wire_entry_write(&writer, &answer);
    struct wire_entry read;
    struct wire_frame frame = {.count = 1,
                               .entries = wire_cursor_of(out.data + start, out.size - start)};
    assert_int_equal(wire_entry_next(&frame, &read), 0);
    assert_int_equal(read.move_state.code, WIRE_MOVE_WAIT);
    assert_int_equal(read.move_state.mailbox.epoch, 0);
    out.data[start + 6] = WIRE_MOVE_CODES;
    frame = (struct wire_frame){.count = 1,
                                .entries = wire_cursor_of(out.data + start, out.size - start)};
    assert_int_equal(wire_entry_next(&frame, &read), -EPROTO);
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pins_the_freeze),
        cmocka_unit_test(pins_the_row),
        cmocka_unit_test(pins_the_arrival),
        cmocka_unit_test(pins_the_end),
        cmocka_unit_test(pins_what_is_asked),
        cmocka_unit_test(pins_what_is_answered),
        cmocka_unit_test(a_state_without_a_mailbox_is_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
