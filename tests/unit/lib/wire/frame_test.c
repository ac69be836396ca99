#include "golden.h"
#include "wire/frame.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SIZE_AT = 2, HEAD_SIZE = 6 }; /* of an entry */

static const struct wire_frame head = {
    .generation = 4712, .shard = 3, .region = {"dub", 3}, .from = {"dub-hub-1", 9}};
enum { FRAME_HEAD_SIZE = 18 + 4 + 10 }; /* of that one */

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

static void assert_written(const struct wire_entry *entry, const char *file)
{
    struct buffer out = {0};
    struct wire_frame_writer writer;
    wire_frame_begin(&writer, &out, &head);
    assert_int_equal(out.size, FRAME_HEAD_SIZE);
    wire_entry_write(&writer, entry);
    golden_assert_equal(file, out.data + FRAME_HEAD_SIZE, out.size - FRAME_HEAD_SIZE);
    buffer_free(&out);
}

static int decode_to(const void *bytes, size_t size, struct wire_entry *ret_entry)
{
    struct wire_frame frame = {.count = 1, .entries = wire_cursor_of(bytes, size)};
    return wire_entry_next(&frame, ret_entry);
}

static int decode(const void *bytes, size_t size)
{
    struct wire_entry entry;
    return decode_to(bytes, size, &entry);
}

static int decode_copy(const struct buffer *message)
{
    uint8_t *exact = golden_exact(message->data, message->size);
    int error = decode(exact, message->size);
    free(exact);
    return error;
}

/* Decodes a file that is one entry. */
static struct wire_entry decode_file(const char *file, uint8_t kind, struct buffer *bytes)
{
    struct wire_entry entry;
    *bytes = golden_load(file);
    assert_int_equal(decode_to(bytes->data, bytes->size, &entry), 0);
    assert_int_equal(entry.kind, kind);
    return entry;
}

static void pins_attach(void **state)
{
    (void)state;
    struct wire_entry entry = {.kind = WIRE_ATTACH,
                               .attach = {.request = 0x0a0b0c0d0e0f0102,
                                          .user = TEXT("bob"),
                                          .device = TEXT("tablet-2"),
                                          .attach = 0x5000001,
                                          .flags = WIRE_ATTACH_HAS_CURSOR | WIRE_ATTACH_FROM_HEAD,
                                          .epoch = 5,
                                          .seq = 57,
                                          .token = TEXT("eyJh.eyJz.c2ln")}};
    assert_written(&entry, "entry_attach");

    struct buffer bytes;
    entry = decode_file("entry_attach", WIRE_ATTACH, &bytes);
    assert_true(entry.attach.request == 0x0a0b0c0d0e0f0102);
    assert_text(entry.attach.user, "bob");
    assert_text(entry.attach.device, "tablet-2");
    assert_true(entry.attach.attach == 0x5000001);
    assert_int_equal(entry.attach.flags, 3);
    assert_int_equal(entry.attach.epoch, 5);
    assert_true(entry.attach.seq == 57);
    assert_text(entry.attach.token, "eyJh.eyJz.c2ln");
    buffer_free(&bytes);
}

static void pins_detach(void **state)
{
    (void)state;
    struct wire_entry entry = {
        .kind = WIRE_DETACH,
        .detach = {.user = TEXT("bob"), .device = TEXT("tablet-2"), .attach = 0x5000001}};
    assert_written(&entry, "entry_detach");

    struct buffer bytes;
    entry = decode_file("entry_detach", WIRE_DETACH, &bytes);
    assert_text(entry.detach.user, "bob");
    assert_text(entry.detach.device, "tablet-2");
    assert_true(entry.detach.attach == 0x5000001);
    buffer_free(&bytes);
}

static void pins_report(void **state)
{
    (void)state;
    struct wire_entry entry = {.kind = WIRE_REPORT,
                               .report = {.user = TEXT("bob"),
                                          .device = TEXT("tablet-2"),
                                          .attach = 0x5000001,
                                          .epoch = 5,
                                          .received = 60,
                                          .acked = 58}};
    assert_written(&entry, "entry_report");

    struct buffer bytes;
    entry = decode_file("entry_report", WIRE_REPORT, &bytes);
    assert_text(entry.report.user, "bob");
    assert_text(entry.report.device, "tablet-2");
    assert_true(entry.report.attach == 0x5000001);
    assert_int_equal(entry.report.epoch, 5);
    assert_true(entry.report.received == 60);
    assert_true(entry.report.acked == 58);
    buffer_free(&bytes);
}

static void pins_fetch(void **state)
{
    (void)state;
    struct wire_entry entry = {.kind = WIRE_FETCH,
                               .fetch = {.user = TEXT("bob"),
                                         .device = TEXT("tablet-2"),
                                         .attach = 0x5000001,
                                         .epoch = 5,
                                         .from = 59}};
    assert_written(&entry, "entry_fetch");

    struct buffer bytes;
    entry = decode_file("entry_fetch", WIRE_FETCH, &bytes);
    assert_text(entry.fetch.user, "bob");
    assert_text(entry.fetch.device, "tablet-2");
    assert_true(entry.fetch.attach == 0x5000001);
    assert_int_equal(entry.fetch.epoch, 5);
    assert_true(entry.fetch.from == 59);
    buffer_free(&bytes);
}

static void pins_ephemeral_send(void **state)
{
    (void)state;
    struct wire_message message = {
        .message_class = WIRE_EPHEMERAL,
        .created_ms = 1700000000456,
        .sender = TEXT("alice"),
        .device = TEXT(""),
        .id = TEXT("t1"),
        .body = TEXT("\"typing\""),
    };
    count_up(message.trace, 0xb0);
    struct wire_recipient bob = {WIRE_USER, TEXT("bob")};
    struct buffer out = {0};
    struct wire_frame_writer writer;
    wire_frame_begin(&writer, &out, &head);
    wire_ephemeral_write(&writer, &message, &bob, 1);
    golden_assert_equal("entry_ephemeral_send", out.data + FRAME_HEAD_SIZE,
                        out.size - FRAME_HEAD_SIZE);
    buffer_free(&out);

    struct buffer bytes;
    struct wire_entry entry = decode_file("entry_ephemeral_send", WIRE_EPHEMERAL_SEND, &bytes);
    assert_int_equal(entry.ephemeral.message_class, WIRE_EPHEMERAL);
    assert_true(entry.ephemeral.created_ms == 1700000000456);
    assert_counts_up(entry.ephemeral.trace, 0xb0);
    assert_text(entry.ephemeral.sender, "alice");
    assert_text(entry.ephemeral.device, "");
    assert_text(entry.ephemeral.id, "t1");
    assert_text(entry.ephemeral.body, "\"typing\"");
    assert_int_equal(entry.ephemeral.recipient_count, 1);
    assert_true(wire_recipient_next(&entry.ephemeral.recipients, &bob));
    assert_text(bob.name, "bob");
    buffer_free(&bytes);
}

static void pins_claim_and_claimed(void **state)
{
    (void)state;
    struct wire_entry entry = {.kind = WIRE_CLAIM,
                               .claim = {.request = 77, .user = TEXT("dave"), .home = TEXT("sin")}};
    assert_written(&entry, "entry_claim");

    struct buffer bytes;
    entry = decode_file("entry_claim", WIRE_CLAIM, &bytes);
    assert_true(entry.claim.request == 77);
    assert_text(entry.claim.user, "dave");
    assert_text(entry.claim.home, "sin");
    buffer_free(&bytes);

    entry = (struct wire_entry){
        .kind = WIRE_CLAIMED,
        .claimed = {
            .request = 77, .user = TEXT("dave"), .code = WIRE_OK, .home = TEXT("sin"), .epoch = 1}};
    assert_written(&entry, "entry_claimed");
    entry = decode_file("entry_claimed", WIRE_CLAIMED, &bytes);
    assert_true(entry.claimed.request == 77);
    assert_text(entry.claimed.user, "dave");
    assert_int_equal(entry.claimed.code, WIRE_OK);
    assert_text(entry.claimed.home, "sin");
    assert_int_equal(entry.claimed.epoch, 1);
    buffer_free(&bytes);
}

static void pins_lane_ask_and_lane_at(void **state)
{
    (void)state;
    struct wire_entry entry = {.kind = WIRE_LANE_ASK, .lane_ask = {.source = TEXT("sin")}};
    assert_written(&entry, "entry_lane_ask");

    struct buffer bytes;
    entry = decode_file("entry_lane_ask", WIRE_LANE_ASK, &bytes);
    assert_text(entry.lane_ask.source, "sin");
    buffer_free(&bytes);

    entry = (struct wire_entry){.kind = WIRE_LANE_AT,
                                .lane_at = {.source = TEXT("sin"), .sequence = 9000}};
    count_up(entry.lane_at.incarnation, 0x20);
    assert_written(&entry, "entry_lane_at");
    entry = decode_file("entry_lane_at", WIRE_LANE_AT, &bytes);
    assert_text(entry.lane_at.source, "sin");
    assert_counts_up(entry.lane_at.incarnation, 0x20);
    assert_true(entry.lane_at.sequence == 9000);
    buffer_free(&bytes);
}

static void pins_attached(void **state)
{
    (void)state;
    struct wire_entry entry = {.kind = WIRE_ATTACHED,
                               .attached = {.request = 0x0a0b0c0d0e0f0102,
                                            .user = TEXT("bob"),
                                            .device = TEXT("tablet-2"),
                                            .attach = 0x5000002,
                                            .code = WIRE_OK,
                                            .flags = WIRE_ATTACHED_RESUMED,
                                            .epoch = 5,
                                            .seq = 57,
                                            .head = 99,
                                            .acked = 56}};
    assert_written(&entry, "entry_attached");

    struct buffer bytes;
    entry = decode_file("entry_attached", WIRE_ATTACHED, &bytes);
    assert_true(entry.attached.request == 0x0a0b0c0d0e0f0102);
    assert_text(entry.attached.user, "bob");
    assert_text(entry.attached.device, "tablet-2");
    assert_true(entry.attached.attach == 0x5000002);
    assert_int_equal(entry.attached.code, WIRE_OK);
    assert_int_equal(entry.attached.flags, WIRE_ATTACHED_RESUMED);
    assert_int_equal(entry.attached.epoch, 5);
    assert_true(entry.attached.seq == 57);
    assert_true(entry.attached.head == 99);
    assert_true(entry.attached.acked == 56);
    buffer_free(&bytes);
}

static struct wire_entry deliver_of_file(void)
{
    struct wire_entry entry = {.kind = WIRE_DELIVER,
                               .deliver = {.attach = 0x5000002,
                                           .user = TEXT("bob"),
                                           .epoch = 5,
                                           .seq = 58,
                                           .at_ms = 1700000000789,
                                           .flags = WIRE_FLAG_PLAIN,
                                           .sender = TEXT("alice"),
                                           .id = TEXT("m-0001"),
                                           .body = TEXT("{\"hi\":\"ß\"}")}};
    count_up(entry.deliver.trace, 0xa0);
    return entry;
}

static void pins_deliver(void **state)
{
    (void)state;
    struct wire_entry entry = deliver_of_file();
    assert_written(&entry, "entry_deliver");

    struct buffer bytes;
    entry = decode_file("entry_deliver", WIRE_DELIVER, &bytes);
    assert_true(entry.deliver.attach == 0x5000002);
    assert_text(entry.deliver.user, "bob");
    assert_int_equal(entry.deliver.epoch, 5);
    assert_true(entry.deliver.seq == 58);
    assert_true(entry.deliver.at_ms == 1700000000789);
    assert_int_equal(entry.deliver.flags, WIRE_FLAG_PLAIN);
    assert_counts_up(entry.deliver.trace, 0xa0);
    assert_text(entry.deliver.sender, "alice");
    assert_text(entry.deliver.id, "m-0001");
    assert_text(entry.deliver.body, "{\"hi\":\"ß\"}");
    buffer_free(&bytes);
}

static struct wire_entry acked_of_file(void)
{
    return (struct wire_entry){.kind = WIRE_ACKED,
                               .acked = {.user = TEXT("bob"),
                                         .device = TEXT("tablet-2"),
                                         .attach = 0x5000002,
                                         .epoch = 5,
                                         .seq = 58}};
}

static void pins_acked(void **state)
{
    (void)state;
    struct wire_entry entry = acked_of_file();
    assert_written(&entry, "entry_acked");

    struct buffer bytes;
    entry = decode_file("entry_acked", WIRE_ACKED, &bytes);
    assert_text(entry.acked.user, "bob");
    assert_text(entry.acked.device, "tablet-2");
    assert_true(entry.acked.attach == 0x5000002);
    assert_int_equal(entry.acked.epoch, 5);
    assert_true(entry.acked.seq == 58);
    buffer_free(&bytes);
}

static void pins_kick(void **state)
{
    (void)state;
    struct wire_entry entry = {.kind = WIRE_KICK,
                               .kick = {.user = TEXT("bob"),
                                        .device = TEXT("tablet-2"),
                                        .attach = 0x5000001,
                                        .reason = WIRE_KICK_MOVED}};
    assert_written(&entry, "entry_kick");

    struct buffer bytes;
    entry = decode_file("entry_kick", WIRE_KICK, &bytes);
    assert_text(entry.kick.user, "bob");
    assert_text(entry.kick.device, "tablet-2");
    assert_true(entry.kick.attach == 0x5000001);
    assert_int_equal(entry.kick.reason, WIRE_KICK_MOVED);
    buffer_free(&bytes);
}

static void pins_gap(void **state)
{
    (void)state;
    struct wire_entry entry = {.kind = WIRE_GAP,
                               .gap = {.attach = 0x5000002,
                                       .user = TEXT("bob"),
                                       .epoch = 5,
                                       .from = 10,
                                       .to = 20,
                                       .reason = TEXT("retention")}};
    assert_written(&entry, "entry_gap");

    struct buffer bytes;
    entry = decode_file("entry_gap", WIRE_GAP, &bytes);
    assert_true(entry.gap.attach == 0x5000002);
    assert_text(entry.gap.user, "bob");
    assert_int_equal(entry.gap.epoch, 5);
    assert_true(entry.gap.from == 10);
    assert_true(entry.gap.to == 20);
    assert_text(entry.gap.reason, "retention");
    buffer_free(&bytes);
}

static void pins_unattached(void **state)
{
    (void)state;
    struct wire_entry entry = {
        .kind = WIRE_UNATTACHED,
        .unattached = {.user = TEXT("bob"), .device = TEXT("tablet-2"), .attach = 0x5000003}};
    assert_written(&entry, "entry_unattached");

    struct buffer bytes;
    entry = decode_file("entry_unattached", WIRE_UNATTACHED, &bytes);
    assert_text(entry.unattached.user, "bob");
    assert_text(entry.unattached.device, "tablet-2");
    assert_true(entry.unattached.attach == 0x5000003);
    buffer_free(&bytes);
}

static void pins_read_up_to(void **state)
{
    (void)state;
    struct wire_entry entry = {.kind = WIRE_READ_UP_TO,
                               .read_up_to = {.user = TEXT("bob"),
                                              .device = TEXT("tablet-2"),
                                              .attach = 0x5000003,
                                              .of = TEXT("alice"),
                                              .epoch = 6,
                                              .seq = 1234}};
    assert_written(&entry, "entry_read_up_to");

    struct buffer bytes;
    entry = decode_file("entry_read_up_to", WIRE_READ_UP_TO, &bytes);
    assert_text(entry.read_up_to.user, "bob");
    assert_text(entry.read_up_to.device, "tablet-2");
    assert_true(entry.read_up_to.attach == 0x5000003);
    assert_text(entry.read_up_to.of, "alice");
    assert_int_equal(entry.read_up_to.epoch, 6);
    assert_true(entry.read_up_to.seq == 1234);
    buffer_free(&bytes);
}

static void pins_read_noted(void **state)
{
    (void)state;
    struct wire_entry entry = {
        .kind = WIRE_READ_NOTED,
        .read_noted = {.user = TEXT("bob"), .of = TEXT("alice"), .epoch = 6, .seq = 1234}};
    assert_written(&entry, "entry_read_noted");

    struct buffer bytes;
    entry = decode_file("entry_read_noted", WIRE_READ_NOTED, &bytes);
    assert_text(entry.read_noted.user, "bob");
    assert_text(entry.read_noted.of, "alice");
    assert_int_equal(entry.read_noted.epoch, 6);
    assert_true(entry.read_noted.seq == 1234);
    buffer_free(&bytes);
}

static void pins_a_whole_frame(void **state)
{
    (void)state;
    struct wire_entry acked = acked_of_file();
    struct wire_entry deliver = deliver_of_file();
    struct buffer out = {0};
    struct wire_frame_writer writer;
    buffer_append(&out, "before", 6);
    wire_frame_begin(&writer, &out, &head);
    wire_entry_write(&writer, &acked);
    wire_entry_write(&writer, &deliver);
    assert_int_equal(wire_frame_end(&writer), 0);
    golden_assert_equal("frame", out.data + 6, out.size - 6);
    buffer_free(&out);

    struct buffer bytes = golden_load("frame");
    struct wire_frame frame;
    struct wire_entry entry;
    assert_int_equal(wire_frame_read(bytes.data, bytes.size, &frame), 0);
    assert_true(frame.generation == 4712);
    assert_int_equal(frame.shard, 3);
    assert_text(frame.region, "dub");
    assert_text(frame.from, "dub-hub-1");
    assert_int_equal(frame.count, 2);
    assert_int_equal(wire_entry_next(&frame, &entry), 0);
    assert_int_equal(entry.kind, WIRE_ACKED);
    assert_int_equal(wire_entry_next(&frame, &entry), 0);
    assert_int_equal(entry.kind, WIRE_DELIVER);
    assert_int_equal(wire_entry_next(&frame, &entry), -ENODATA);
    assert_int_equal(frame.count, 0);
    buffer_free(&bytes);
}

static const char *const golden_files[] = {
    "entry_attach",         "entry_detach", "entry_report",     "entry_fetch",
    "entry_ephemeral_send", "entry_claim",  "entry_lane_ask",   "entry_attached",
    "entry_deliver",        "entry_acked",  "entry_read_up_to", "entry_read_noted",
    "entry_kick",           "entry_gap",    "entry_unattached", "entry_claimed",
    "entry_lane_at",
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
    static const struct {
        const char *file;
        size_t at; /* in the payload */
        size_t size;
        uint64_t value;
        int expected;
    } changes[] = {
        {"entry_attach", 29, 1, 0, 0}, /* flags */
        {"entry_attach", 29, 1, 4, -EPROTO},
        {"entry_attached", 29, 1, WIRE_UNSURE, 0}, /* code */
        {"entry_attached", 29, 1, WIRE_UNSURE + 1, -EPROTO},
        {"entry_attached", 30, 1, 3, 0}, /* flags */
        {"entry_attached", 30, 1, 4, -EPROTO},
        {"entry_deliver", 32, 2, 3, 0}, /* flags */
        {"entry_deliver", 32, 2, 4, -EPROTO},
        {"entry_kick", 21, 1, WIRE_KICK_REPLACED - 1, -EPROTO},
        {"entry_kick", 21, 1, WIRE_KICK_REPLACED, 0},
        {"entry_kick", 21, 1, WIRE_KICK_DROPPED, 0},
        {"entry_kick", 21, 1, WIRE_KICK_DROPPED + 1, -EPROTO},
        {"entry_gap", 16, 8, 20, 0}, /* from, with a to of 20 */
        {"entry_gap", 16, 8, 21, -EBADMSG},
        {"entry_claimed", 13, 1, WIRE_UNSURE, 0}, /* code */
        {"entry_claimed", 13, 1, WIRE_UNSURE + 1, -EPROTO},
        {"entry_ephemeral_send", 0, 1, WIRE_EPHEMERAL + 1, -EPROTO}, /* class */
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
    static const uint8_t kinds[] = {0, 9, 31, 41, 255};
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
        cmocka_unit_test(pins_attach),
        cmocka_unit_test(pins_detach),
        cmocka_unit_test(pins_report),
        cmocka_unit_test(pins_fetch),
        cmocka_unit_test(pins_ephemeral_send),
        cmocka_unit_test(pins_claim_and_claimed),
        cmocka_unit_test(pins_lane_ask_and_lane_at),
        cmocka_unit_test(pins_attached),
        cmocka_unit_test(pins_deliver),
        cmocka_unit_test(pins_acked),
        cmocka_unit_test(pins_kick),
        cmocka_unit_test(pins_gap),
        cmocka_unit_test(pins_unattached),
        cmocka_unit_test(pins_read_up_to),
        cmocka_unit_test(pins_read_noted),
        cmocka_unit_test(pins_a_whole_frame),
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
