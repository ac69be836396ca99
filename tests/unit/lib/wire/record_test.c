#include "golden.h"
#include "wire/record.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SIZE_AT = 4, HEAD_SIZE = 8 }; /* of a record */

static const char *const golden_files[] = {
    "record_message", "record_genesis_log", "record_genesis_outbox",
    "record_config",  "record_own",         "record_tick",
    "record_ack",     "record_checkpoint",  "record_noticed",
    "record_read",    "record_freeze",      "record_move_row",
    "record_move_in", "record_move_end",
};

static void assert_text(struct text text, const char *expected)
{
    assert_int_equal(text.size, strlen(expected));
    assert_memory_equal(text.data, expected, text.size);
}

/* Sixteen bytes that count up. */
static void assert_counts_up(const uint8_t *bytes, uint8_t first)
{
    for (uint8_t i = 0; i < 16; i++)
        assert_int_equal(bytes[i], first + i);
}

static void count_up(uint8_t *bytes, uint8_t first)
{
    for (uint8_t i = 0; i < 16; i++)
        bytes[i] = (uint8_t)(first + i);
}

static void assert_written(struct buffer *out, const char *file)
{
    golden_assert_equal(file, out->data + WIRE_BATCH_HEADER_SIZE,
                        out->size - WIRE_BATCH_HEADER_SIZE);
    buffer_free(out);
}

static uint8_t level_of(uint8_t kind)
{
    const bool moves = (kind >= WIRE_FREEZE && kind <= WIRE_MOVE_END) || kind == WIRE_MOVE_ROW;
    return kind <= WIRE_ACK ? 1 : moves ? 3 : 2;
}

/* Decodes a file that is one record. */
static struct wire_record decode_file(const char *file, struct buffer *bytes)
{
    *bytes = golden_load(file);
    struct wire_cursor body = wire_cursor_of(bytes->data, bytes->size);
    struct wire_record record;
    assert_int_equal(wire_record_next(&body, &record), 0);
    assert_int_equal(wire_record_next(&body, &record), -ENODATA);
    assert_int_equal(record.level, level_of(record.kind));
    return record;
}

static int decode(const void *bytes, size_t size)
{
    struct wire_cursor body = wire_cursor_of(bytes, size);
    struct wire_record record;
    return wire_record_next(&body, &record);
}

static int decode_copy(const struct buffer *message)
{
    uint8_t *exact = golden_exact(message->data, message->size);
    int error = decode(exact, message->size);
    free(exact);
    return error;
}

static void writes_a_message_as_pinned(void **state)
{
    (void)state;
    struct wire_message message = {
        .message_class = WIRE_DURABLE,
        .wants = WIRE_WANT_STORED | WIRE_WANT_DELIVERED,
        .flags = WIRE_FLAG_PLAIN,
        .ttl_s = 86400,
        .created_ms = 1700000000123,
        .sender = TEXT("alice"),
        .device = TEXT("phone-1"),
        .id = TEXT("m-0001"),
        .body = TEXT("{\"hi\":\"ß\"}"),
    };
    count_up(message.trace, 0xa0);
    struct wire_recipient recipients[] = {{WIRE_USER, TEXT("bob")}, {WIRE_USER, TEXT("chloé")}};
    struct buffer out = {0};
    struct wire_batch_writer writer;
    wire_batch_begin(&writer, &out);
    wire_message_write(&writer, &message, recipients, 2);
    assert_int_equal(out.size, WIRE_BATCH_HEADER_SIZE + HEAD_SIZE +
                                   wire_message_size(&message, recipients, 2));
    assert_written(&out, "record_message");
}

static void reads_a_message_as_pinned(void **state)
{
    (void)state;
    struct buffer bytes;
    struct wire_record record = decode_file("record_message", &bytes);
    assert_int_equal(record.kind, WIRE_MESSAGE);
    struct wire_message *message = &record.message;
    assert_int_equal(message->message_class, WIRE_DURABLE);
    assert_int_equal(message->wants, WIRE_WANT_STORED | WIRE_WANT_DELIVERED);
    assert_int_equal(message->flags, WIRE_FLAG_PLAIN);
    assert_int_equal(message->ttl_s, 86400);
    assert_true(message->created_ms == 1700000000123);
    assert_counts_up(message->trace, 0xa0);
    assert_text(message->sender, "alice");
    assert_text(message->device, "phone-1");
    assert_text(message->id, "m-0001");
    assert_text(message->body, "{\"hi\":\"ß\"}");
    assert_int_equal(message->recipient_count, 2);
    struct wire_recipient recipient;
    assert_true(wire_recipient_next(&message->recipients, &recipient));
    assert_int_equal(recipient.kind, WIRE_USER);
    assert_text(recipient.name, "bob");
    assert_true(wire_recipient_next(&message->recipients, &recipient));
    assert_text(recipient.name, "chloé");
    assert_false(wire_recipient_next(&message->recipients, &recipient));
    assert_text(recipient.name, "chloé"); /* untouched at the end */
    assert_true(wire_done(&message->recipients));
    buffer_free(&bytes);
}

static void writes_and_reads_the_genesis_of_a_log_as_pinned(void **state)
{
    (void)state;
    struct wire_genesis genesis = {
        .stream = 0,
        .region = TEXT("dub"),
        .destination = TEXT(""),
        .shard = 3,
        .shards = 4,
        .hash_name = TEXT(HASH_SHARD_NAME),
        .hash_version = HASH_SHARD_VERSION,
    };
    count_up(genesis.incarnation, 0x10);
    struct buffer out = {0};
    struct wire_batch_writer writer;
    wire_batch_begin(&writer, &out);
    wire_genesis_write(&writer, &genesis);
    assert_written(&out, "record_genesis_log");

    struct buffer bytes;
    struct wire_record record = decode_file("record_genesis_log", &bytes);
    assert_int_equal(record.kind, WIRE_GENESIS);
    assert_int_equal(record.genesis.stream, 0);
    assert_counts_up(record.genesis.incarnation, 0x10);
    assert_text(record.genesis.region, "dub");
    assert_text(record.genesis.destination, "");
    assert_int_equal(record.genesis.shard, 3);
    assert_int_equal(record.genesis.shards, 4);
    assert_text(record.genesis.hash_name, "siphash24");
    assert_int_equal(record.genesis.hash_version, 1);
    buffer_free(&bytes);
}

static void writes_and_reads_the_genesis_of_an_outbox_as_pinned(void **state)
{
    (void)state;
    struct wire_genesis genesis = {
        .stream = 1,
        .region = TEXT("sin"),
        .destination = TEXT("dub"),
        .shards = 4,
        .hash_name = TEXT(HASH_SHARD_NAME),
        .hash_version = HASH_SHARD_VERSION,
    };
    count_up(genesis.incarnation, 0x20);
    struct buffer out = {0};
    struct wire_batch_writer writer;
    wire_batch_begin(&writer, &out);
    wire_genesis_write(&writer, &genesis);
    assert_written(&out, "record_genesis_outbox");

    struct buffer bytes;
    struct wire_record record = decode_file("record_genesis_outbox", &bytes);
    assert_int_equal(record.genesis.stream, 1);
    assert_text(record.genesis.region, "sin");
    assert_text(record.genesis.destination, "dub");
    assert_int_equal(record.genesis.shard, 0);
    assert_int_equal(record.genesis.shards, 4);
    buffer_free(&bytes);
}

static void writes_and_reads_a_config_as_pinned(void **state)
{
    (void)state;
    struct wire_config config = {
        .level = 1,
        .dedupe_window_s = 345600,
        .retention_s = 604800,
        .mailbox_max_messages = 100000,
        .mailbox_max_bytes = UINT64_C(1) << 33,
        .devices_max = 32,
    };
    count_up(config.dedupe_key, 0x30);
    struct buffer out = {0};
    struct wire_batch_writer writer;
    wire_batch_begin(&writer, &out);
    wire_config_write(&writer, &config);
    assert_written(&out, "record_config");

    struct buffer bytes;
    struct wire_record record = decode_file("record_config", &bytes);
    assert_int_equal(record.kind, WIRE_CONFIG);
    assert_int_equal(record.config.level, 1);
    assert_int_equal(record.config.dedupe_window_s, 345600);
    assert_int_equal(record.config.retention_s, 604800);
    assert_int_equal(record.config.mailbox_max_messages, 100000);
    assert_true(record.config.mailbox_max_bytes == UINT64_C(1) << 33);
    assert_int_equal(record.config.devices_max, 32);
    assert_counts_up(record.config.dedupe_key, 0x30);
    buffer_free(&bytes);
}

static void writes_and_reads_an_own_as_pinned(void **state)
{
    (void)state;
    struct wire_own own = {.hub = TEXT("dub-hub-1"), .start = 0x0102030405060708, .expects = 4711};
    struct buffer out = {0};
    struct wire_batch_writer writer;
    wire_batch_begin(&writer, &out);
    wire_own_write(&writer, &own);
    assert_written(&out, "record_own");

    struct buffer bytes;
    struct wire_record record = decode_file("record_own", &bytes);
    assert_int_equal(record.kind, WIRE_OWN);
    assert_text(record.own.hub, "dub-hub-1");
    assert_true(record.own.start == 0x0102030405060708);
    assert_true(record.own.expects == 4711);
    buffer_free(&bytes);
}

static void writes_and_reads_a_tick_as_pinned(void **state)
{
    (void)state;
    struct wire_tick tick = {.generation = 4712, .position = 0x1122334455667788};
    count_up(tick.hash.bytes, 0x40);
    struct buffer out = {0};
    struct wire_batch_writer writer;
    wire_batch_begin(&writer, &out);
    wire_tick_write(&writer, &tick);
    assert_written(&out, "record_tick");

    struct buffer bytes;
    struct wire_record record = decode_file("record_tick", &bytes);
    assert_int_equal(record.kind, WIRE_TICK);
    assert_true(record.tick.generation == 4712);
    assert_true(record.tick.position == 0x1122334455667788);
    assert_counts_up(record.tick.hash.bytes, 0x40);
    buffer_free(&bytes);
}

static void writes_and_reads_an_ack_as_pinned(void **state)
{
    (void)state;
    struct wire_ack ack = {
        .generation = 4712,
        .user = TEXT("bob"),
        .device = TEXT("tablet-2"),
        .epoch = 5,
        .seq = UINT64_C(1) << 40,
    };
    struct buffer out = {0};
    struct wire_batch_writer writer;
    wire_batch_begin(&writer, &out);
    wire_ack_write(&writer, &ack);
    assert_written(&out, "record_ack");

    struct buffer bytes;
    struct wire_record record = decode_file("record_ack", &bytes);
    assert_int_equal(record.kind, WIRE_ACK);
    assert_true(record.ack.generation == 4712);
    assert_text(record.ack.user, "bob");
    assert_text(record.ack.device, "tablet-2");
    assert_int_equal(record.ack.epoch, 5);
    assert_true(record.ack.seq == UINT64_C(1) << 40);
    buffer_free(&bytes);
}

static void writes_and_reads_a_checkpoint_as_pinned(void **state)
{
    (void)state;
    struct wire_checkpoint checkpoint = {.generation = 4713};
    struct buffer out = {0};
    struct wire_batch_writer writer;
    wire_batch_begin(&writer, &out);
    wire_checkpoint_write(&writer, &checkpoint);
    assert_written(&out, "record_checkpoint");

    struct buffer bytes;
    struct wire_record record = decode_file("record_checkpoint", &bytes);
    assert_int_equal(record.kind, WIRE_CHECKPOINT);
    assert_true(record.checkpoint.generation == 4713);
    buffer_free(&bytes);
}

static void writes_and_reads_a_noticed_as_pinned(void **state)
{
    (void)state;
    struct wire_noticed noticed = {.generation = 4714, .number = UINT64_C(1) << 33};
    struct buffer out = {0};
    struct wire_batch_writer writer;
    wire_batch_begin(&writer, &out);
    wire_noticed_write(&writer, &noticed);
    assert_written(&out, "record_noticed");

    struct buffer bytes;
    struct wire_record record = decode_file("record_noticed", &bytes);
    assert_int_equal(record.kind, WIRE_NOTICED);
    assert_true(record.noticed.generation == 4714);
    assert_true(record.noticed.number == UINT64_C(1) << 33);
    buffer_free(&bytes);
}

static void writes_and_reads_a_read_as_pinned(void **state)
{
    (void)state;
    struct wire_read read = {
        .generation = 4715, .user = TEXT("bob"), .of = TEXT("alice"), .epoch = 6, .seq = 1234};
    struct buffer out = {0};
    struct wire_batch_writer writer;
    wire_batch_begin(&writer, &out);
    wire_read_write(&writer, &read);
    assert_written(&out, "record_read");

    struct buffer bytes;
    struct wire_record record = decode_file("record_read", &bytes);
    assert_int_equal(record.kind, WIRE_READ);
    assert_true(record.read.generation == 4715);
    assert_text(record.read.user, "bob");
    assert_text(record.read.of, "alice");
    assert_int_equal(record.read.epoch, 6);
    assert_true(record.read.seq == 1234);
    buffer_free(&bytes);
}

/* Cuts the record short, and also its payload with the size set right. */
static void refuse_truncations(const char *file)
{
    struct buffer whole = golden_load(file);
    for (size_t size = 1; size < whole.size; size++) {
        uint8_t *exact = golden_exact(whole.data, size);
        struct wire_cursor body = wire_cursor_of(exact, size);
        struct wire_record record, before;
        memset(&record, 0xA5, sizeof record);
        before = record;
        assert_int_equal(wire_record_next(&body, &record), -EBADMSG);
        assert_memory_equal(&record, &before, sizeof record);
        assert_int_equal(wire_record_next(&body, &record), -EBADMSG); /* it sticks */
        free(exact);
    }
    for (size_t by = 1; by <= whole.size - HEAD_SIZE; by++) {
        struct buffer cut = golden_load(file);
        golden_shorten(&cut, SIZE_AT, by);
        assert_int_equal(decode_copy(&cut), -EBADMSG);
        buffer_free(&cut);
    }
    buffer_free(&whole);
}

static void refuses_every_truncation(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(golden_files); i++)
        refuse_truncations(golden_files[i]);
    assert_int_equal(decode("", 0), -ENODATA);
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
}

static void texts_are_held_to_their_bounds(void **state)
{
    (void)state;
    static const struct golden_field fields[] = {
        {"record_message", "alice", GOLDEN_USER},
        {"record_message", "phone-1", GOLDEN_DEVICE_OR_EMPTY},
        {"record_message", "m-0001", GOLDEN_ID},
        {"record_message", "bob", GOLDEN_USER},
        {"record_message", "chloé", GOLDEN_USER},
        {"record_genesis_log", "dub", GOLDEN_REGION},
        {"record_genesis_log", "siphash24", GOLDEN_PROCESS},
        {"record_genesis_outbox", "sin", GOLDEN_REGION},
        {"record_genesis_outbox", "dub", GOLDEN_REGION},
        {"record_own", "dub-hub-1", GOLDEN_PROCESS_OR_EMPTY},
        {"record_ack", "bob", GOLDEN_USER},
        {"record_ack", "tablet-2", GOLDEN_DEVICE},
        {"record_read", "bob", GOLDEN_USER},
        {"record_read", "alice", GOLDEN_USER},
        {"record_freeze", "bob", GOLDEN_USER},
        {"record_freeze", "sin", GOLDEN_REGION},
        {"record_move_row", "bob", GOLDEN_USER},
        {"record_move_row", "alice", GOLDEN_USER},
        {"record_move_row", "m-0001", GOLDEN_ID},
        {"record_move_in", "bob", GOLDEN_USER},
        {"record_move_in", "dub", GOLDEN_REGION},
        {"record_move_in", "tablet-2", GOLDEN_DEVICE},
        {"record_move_end", "bob", GOLDEN_USER},
        {"record_move_end", "sin", GOLDEN_REGION},
    };
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        golden_check_field(&fields[i], SIZE_AT, decode);
}

/* One number of a file set to another value. */
struct change {
    const char *file;
    size_t at; /* in the payload */
    size_t size;
    uint64_t value;
    int expected;
};

static void numbers_are_held_to_their_bounds(void **state)
{
    (void)state;
    static const struct change changes[] = {
        {"record_message", 0, 1, WIRE_EPHEMERAL, 0}, /* class */
        {"record_message", 0, 1, WIRE_EPHEMERAL + 1, -EPROTO},
        {"record_message", 1, 1, 7, 0}, /* wants */
        {"record_message", 1, 1, 8, -EPROTO},
        {"record_message", 2, 2, 3, 0}, /* flags */
        {"record_message", 2, 2, 4, -EPROTO},
        {"record_message", 55, 1, WIRE_GROUP, -EPROTO}, /* kind of the first recipient */
        {"record_message", 55, 1, WIRE_CONNECTION, -EPROTO},
        {"record_message", 55, 1, 255, -EPROTO},
        {"record_message", 53, 2, 0, -EBADMSG}, /* count of recipients */
        {"record_message", 53, 2, 1, -EBADMSG},
        {"record_message", 53, 2, 3, -EBADMSG},
        {"record_genesis_log", 0, 1, 1, -EBADMSG}, /* an outbox without destination */
        {"record_genesis_log", 0, 1, 2, -EPROTO},
        {"record_genesis_log", 22, 2, 4, -EBADMSG},    /* shard 4 of 4 */
        {"record_genesis_log", 24, 2, 0, -EBADMSG},    /* shard 3 of 0 */
        {"record_genesis_outbox", 0, 1, 0, -EBADMSG},  /* a log with a destination */
        {"record_genesis_outbox", 25, 2, 1, -EBADMSG}, /* an outbox with a shard */
        {"record_genesis_outbox", 27, 2, 0, -EBADMSG},
        {"record_config", 0, 1, 0, -EBADMSG}, /* level */
        {"record_config", 0, 1, WIRE_LEVEL + 1, -EPROTO},
        {"record_move_row", 16, 4, 0, -EBADMSG}, /* epoch */
        {"record_move_row", 20, 8, 0, -EBADMSG}, /* seq */
        {"record_move_row", 36, 1, WIRE_EPHEMERAL, -EBADMSG},
        {"record_move_row", 36, 1, WIRE_EPHEMERAL + 1, -EPROTO},
        {"record_move_row", 37, 1, 8, -EPROTO},  /* wants */
        {"record_move_in", 24, 4, 0, -EBADMSG},  /* epoch */
        {"record_move_in", 28, 8, 79, -EBADMSG}, /* head below delivered */
        {"record_move_in", 28, 8, UINT64_MAX, -EBADMSG},
        {"record_move_in", 36, 8, 0, -EBADMSG}, /* oldest */
        {"record_move_in", 36, 8, 91, 0},
        {"record_move_in", 36, 8, 92, -EBADMSG},
        {"record_move_in", 44, 1, 0, -EBADMSG}, /* not asked, and yet delivered */
        {"record_move_in", 44, 1, 2, -EPROTO},
        {"record_move_in", 53, 8, 91, -EBADMSG}, /* delivered_to */
        {"record_move_in", 61, 8, 91, -EBADMSG}, /* read_to */
        {"record_move_in", 69, 8, 43, -EBADMSG}, /* skipped_from */
        {"record_move_in", 77, 8, 81, -EBADMSG}, /* skipped_to */
        {"record_move_in", 85, 8, 90, 0},        /* base */
        {"record_move_in", 85, 8, 91, -EBADMSG},
        {"record_move_in", 24, 4, 1, -EBADMSG},   /* the first epoch, and a base */
        {"record_move_in", 93, 1, 3, -EBADMSG},   /* devices */
        {"record_move_in", 102, 8, 91, -EBADMSG}, /* the first one's seq */
        {"record_move_end", 20, 1, WIRE_MOVE_ABORTED, 0},
        {"record_move_end", 20, 1, WIRE_MOVE_DONE + 1, -EPROTO},
    };
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        struct buffer message = golden_load(changes[i].file);
        golden_patch(&message, HEAD_SIZE + changes[i].at, changes[i].value, changes[i].size);
        int error = decode_copy(&message);
        if (error != changes[i].expected)
            fail_msg("change %zu, of %s: %d", i, changes[i].file, error);
        buffer_free(&message);
    }
}

static void a_malformed_message_is_not_merely_unknown(void **state)
{
    (void)state;
    struct buffer message = golden_load("record_message");
    golden_patch(&message, HEAD_SIZE, 9, 1); /* an unknown class */
    assert_int_equal(decode_copy(&message), -EPROTO);
    golden_shorten(&message, SIZE_AT, 1);
    assert_int_equal(decode_copy(&message), -EBADMSG);
    buffer_free(&message);
}

static void an_unknown_kind_or_level_is_passed_over(void **state)
{
    (void)state;
    static const uint8_t heads[][2] = {
        {0, 1},
        {2, 1},
        {15, 1},
        {WIRE_SKIP, 1},
        {29, 1},
        {255, 1},
        {30, 0},
        {WIRE_TICK, WIRE_LEVEL + 1},
        {WIRE_MESSAGE, 255},
    };
    for (size_t i = 0; i < COUNT_OF(heads); i++) {
        struct buffer two = golden_load("record_tick");
        struct buffer ack = golden_load("record_ack");
        golden_patch(&two, 0, heads[i][0], 1);
        golden_patch(&two, 1, heads[i][1], 1);
        buffer_append(&two, ack.data, ack.size);
        struct wire_cursor body = wire_cursor_of(two.data, two.size);
        struct wire_record record = {.tick = {.position = 99}};
        assert_int_equal(wire_record_next(&body, &record), -EPROTO);
        assert_int_equal(record.kind, heads[i][0]);
        assert_int_equal(record.level, heads[i][1]);
        assert_true(record.tick.position == 99);
        assert_int_equal(wire_record_next(&body, &record), 0);
        assert_int_equal(record.kind, WIRE_ACK);
        assert_int_equal(wire_record_next(&body, &record), -ENODATA);
        buffer_free(&two);
        buffer_free(&ack);
    }
}

static void refuses_level_0_and_a_zero_that_is_none(void **state)
{
    (void)state;
    struct buffer message = golden_load("record_tick");
    golden_patch(&message, 1, 0, 1);
    assert_int_equal(decode_copy(&message), -EBADMSG);
    golden_patch(&message, 1, 1, 1);
    assert_int_equal(decode_copy(&message), 0);
    golden_patch(&message, 2, 1, 2);
    assert_int_equal(decode_copy(&message), -EBADMSG);
    buffer_free(&message);
}

static int decode_payload(const struct buffer *payload)
{
    uint8_t *exact = golden_exact(payload->data, payload->size);
    struct wire_message message = {.ttl_s = 99};
    int error = wire_message_decode(wire_cursor_of(exact, payload->size), &message);
    if (error != 0)
        assert_int_equal(message.ttl_s, 99);
    free(exact);
    return error;
}

static const struct wire_message small = {.sender = {"alice", 5}, .id = {"1", 1}, .body = {"1", 1}};

static void a_message_has_256_recipients_at_most(void **state)
{
    (void)state;
    struct wire_recipient recipients[WIRE_RECIPIENTS_MAX];
    for (size_t i = 0; i < COUNT_OF(recipients); i++)
        recipients[i] = (struct wire_recipient){WIRE_USER, TEXT("bob")};
    struct buffer payload = {0};
    wire_message_encode(&payload, &small, recipients, COUNT_OF(recipients));
    assert_int_equal(payload.size, wire_message_size(&small, recipients, COUNT_OF(recipients)));
    assert_int_equal(decode_payload(&payload), 0);

    /* One more than what may be written: a body that is a recipient, and the real body behind. */
    buffer_clear(&payload);
    wire_message_encode(&payload, &small, recipients, COUNT_OF(recipients));
    golden_shorten(&payload, GOLDEN_NO_SIZE, 5);
    wire_write_u8(&payload, WIRE_USER);
    wire_write_text8(&payload, TEXT("bob"));
    wire_write_text32(&payload, TEXT("1"));
    size_t count_at = 32 + 6 + 1 + 2;
    golden_patch(&payload, count_at, WIRE_RECIPIENTS_MAX + 1, 2);
    assert_int_equal(decode_payload(&payload), -EBADMSG);
    buffer_free(&payload);
}

static void a_body_has_its_limit(void **state)
{
    (void)state;
    char *text = calloc(1, WIRE_BODY_MAX + 1);
    assert_non_null(text);
    struct wire_recipient bob = {WIRE_USER, TEXT("bob")};
    struct wire_message message = small;
    message.body = (struct text){text, WIRE_BODY_MAX};
    struct buffer payload = {0};
    wire_message_encode(&payload, &message, &bob, 1);
    assert_int_equal(decode_payload(&payload), 0);

    size_t body_at = payload.size - WIRE_BODY_MAX - 4;
    golden_append(&payload, GOLDEN_NO_SIZE, 0);
    golden_patch(&payload, body_at, WIRE_BODY_MAX + 1, 4);
    assert_int_equal(decode_payload(&payload), -EBADMSG);

    buffer_clear(&payload);
    message.body = TEXT("");
    wire_message_encode(&payload, &message, &bob, 1);
    assert_int_equal(decode_payload(&payload), 0);
    buffer_free(&payload);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_a_message_as_pinned),
        cmocka_unit_test(reads_a_message_as_pinned),
        cmocka_unit_test(writes_and_reads_the_genesis_of_a_log_as_pinned),
        cmocka_unit_test(writes_and_reads_the_genesis_of_an_outbox_as_pinned),
        cmocka_unit_test(writes_and_reads_a_config_as_pinned),
        cmocka_unit_test(writes_and_reads_an_own_as_pinned),
        cmocka_unit_test(writes_and_reads_a_tick_as_pinned),
        cmocka_unit_test(writes_and_reads_an_ack_as_pinned),
        cmocka_unit_test(writes_and_reads_a_checkpoint_as_pinned),
        cmocka_unit_test(writes_and_reads_a_noticed_as_pinned),
        cmocka_unit_test(writes_and_reads_a_read_as_pinned),
        cmocka_unit_test(refuses_every_truncation),
        cmocka_unit_test(refuses_bytes_left_over),
        cmocka_unit_test(texts_are_held_to_their_bounds),
        cmocka_unit_test(numbers_are_held_to_their_bounds),
        cmocka_unit_test(a_malformed_message_is_not_merely_unknown),
        cmocka_unit_test(an_unknown_kind_or_level_is_passed_over),
        cmocka_unit_test(refuses_level_0_and_a_zero_that_is_none),
        cmocka_unit_test(a_message_has_256_recipients_at_most),
        cmocka_unit_test(a_body_has_its_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
