#include "frame_file.h"

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

static void pins_shown(void **state)
{
    (void)state;
    static char longest[WIRE_TOKEN_MAX + 1];
    const struct wire_entry entry = {.kind = WIRE_TOKEN, .token = {TEXT("eyJh.eyJz.c2ln")}};
    assert_written(&entry, "entry_token");

    struct buffer bytes;
    assert_text(decode_file("entry_token", WIRE_TOKEN, &bytes).token.token, "eyJh.eyJz.c2ln");
    buffer_free(&bytes);

    static const struct {
        size_t size;
        int result;
    } rows[] = {{0, -EBADMSG}, {1, 0}, {WIRE_TOKEN_MAX, 0}, {WIRE_TOKEN_MAX + 1, -EBADMSG}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buffer made = {0};
        uint32_t size = (uint32_t)rows[i].size;
        const uint8_t begin[] = {WIRE_TOKEN, 0, (uint8_t)(size + 2), (uint8_t)((size + 2) >> 8),
                                 0,          0, (uint8_t)size,       (uint8_t)(size >> 8)};
        buffer_append(&made, begin, sizeof begin);
        buffer_append(&made, longest, rows[i].size);
        assert_int_equal(decode_copy(&made), rows[i].result);
        buffer_free(&made);
    }
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pins_attach),
        cmocka_unit_test(pins_shown),
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
