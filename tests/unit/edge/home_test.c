/* Attaching, delivering, acknowledging; what comes at fault. */
#include "home_owner.h"

static void asks_until_it_is_answered(void **state)
{
    (void)state;
    beat_as(GENERATION, 0);
    it.attach.flags = WIRE_ATTACH_HAS_CURSOR;
    it.attach.epoch = 1;
    it.attach.next = 8;
    it.dropping = true;
    assert_int_equal(edge_home_attach(it.home, &it.attach, 0, it.now_ms), 0);
    expect_sent("");
    it.dropping = false;
    pass(999);
    expect_sent("");
    pass(1);
    expect_sent("attach 0 at 1:7\n");
    uint64_t request = it.request;
    pass(1000);
    expect_sent("attach 0 at 1:7\n");
    assert_int_equal(it.request, request); /* a repeat, not another */
    struct wire_entry entry = attached(7, 9);
    owner_says(&entry);
    owner_says(&entry);
    expect_told("attached 1:7\n");
    pass_with_beats(5000);
    expect_sent("");
}

static void another_answer_is_another_end(void **state)
{
    (void)state;
    static const struct {
        uint8_t code;
        const char *told;
    } rows[] = {{WIRE_NOT_HOME, "lost: not home\n"},
                {WIRE_REFUSED, "lost: refused\n"},
                {WIRE_UNAUTHORIZED, "lost: unauthorized\n"},
                {WIRE_BUSY, ""},
                {WIRE_UNSURE, ""}};
    beat_as(GENERATION, 0);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(edge_home_attach(it.home, &it.attach, 0, it.now_ms), 0);
        expect_sent("attach 0\n");
        struct wire_entry entry = attached(0, 0);
        entry.attached.code = rows[i].code;
        owner_says(&entry);
        expect_told(rows[i].told);
        edge_home_detach(it.home, &it.attach);
        expect_sent("");
    }
}

static void the_token_goes_with_each_attach(void **state)
{
    (void)state;
    beat_as(GENERATION, 0);
    it.token = "a.b.c";
    edge_home_renew(it.home, &it.attach); /* not attached yet */
    assert_int_equal(edge_home_attach(it.home, &it.attach, 0, it.now_ms), 0);
    expect_sent("attach 0 with a.b.c\n");
    struct wire_entry entry = attached(7, 7);
    owner_says(&entry);
    expect_told("attached 1:7\n");
    it.token = "d.e.f";
    edge_home_renew(it.home, &it.attach);
    expect_sent("attach 77 at 1:7 with d.e.f\n");
    deliver(8); /* nothing waits for the answer */
    expect_told("msg 8\n");
    owner_says(&entry);
    expect_told("attached 1:8 again\n");
    entry = (struct wire_entry){.kind = WIRE_KICK,
                                .kick = {.user = TEXT("bob"),
                                         .device = TEXT("phone"),
                                         .attach = 77,
                                         .reason = WIRE_KICK_REVOKED}};
    owner_says(&entry);
    expect_told("lost: unauthorized\n");
}

static void who_has_gone_meanwhile_is_detached(void **state)
{
    (void)state;
    assert_int_equal(edge_home_attach(it.home, &it.attach, 0, it.now_ms), 0);
    expect_sent("attach 0\n");
    edge_home_detach(it.home, &it.attach);
    expect_sent("");
    struct wire_entry entry = attached(0, 0);
    owner_says(&entry);
    expect_told("");
    expect_sent("detach 77\n");
}

static void writes_in_order_and_fetches_what_is_missing(void **state)
{
    (void)state;
    attach_bob();
    deliver(11);
    expect_told("msg 11\n");
    expect_sent("report 11 acked 10\n");
    pass(20);
    deliver(13);
    deliver(14);
    expect_told("");
    expect_sent("fetch 12\n"); /* once */
    pass(999);
    expect_sent("");
    pass(1);
    expect_sent("fetch 12\n");
    deliver(12);
    deliver(13);
    expect_told("msg 12\nmsg 13\n");
    expect_sent("report 13 acked 10\n");
    pass_with_beats(5000);
    expect_sent("");
}

static void a_repeat_is_not_written_and_reported(void **state)
{
    (void)state;
    attach_bob();
    deliver(11);
    expect_sent("report 11 acked 10\n");
    expect_told("msg 11\n");
    pass(2000);
    deliver(11); /* the owner has not heard of it */
    expect_told("");
    expect_sent("report 11 acked 10\n");
}

static void reports_are_gathered(void **state)
{
    (void)state;
    attach_bob();
    deliver(11);
    expect_sent("report 11 acked 10\n"); /* the first at once */
    deliver(12);
    deliver(13);
    it.now_ms += 19;
    expect_sent("");
    it.now_ms += 1;
    expect_sent("report 13 acked 10\n");
}

static void an_ack_is_for_what_was_written(void **state)
{
    (void)state;
    attach_bob();
    deliver(11);
    pass(20);
    expect_sent("report 11 acked 10\n");
    assert_int_equal(edge_home_ack(it.home, &it.attach, 1, 12), -EINVAL);
    assert_int_equal(edge_home_ack(it.home, &it.attach, 2, 11), -EINVAL);
    assert_int_equal(edge_home_ack(it.home, &it.attach, 1, 9), 0); /* older: nothing new */
    expect_sent("");
    pass(20);
    assert_int_equal(edge_home_ack(it.home, &it.attach, 1, 11), 0);
    expect_sent("report 11 acked 11\n");
    pass_with_beats(2999);
    expect_sent("");
    pass(1);
    expect_sent("report 11 acked 11\n"); /* nobody has confirmed it */
    struct wire_entry entry = {
        .kind = WIRE_ACKED,
        .acked = {
            .user = TEXT("bob"), .device = TEXT("phone"), .attach = 77, .epoch = 1, .seq = 11}};
    owner_says(&entry);
    owner_says(&entry);
    expect_told("msg 11\nconfirmed 11\n");
    pass_with_beats(5000);
    expect_sent("");
}

static void the_last_report_goes_before_the_detach(void **state)
{
    (void)state;
    attach_bob();
    deliver(11);
    expect_sent("report 11 acked 10\n");
    assert_int_equal(edge_home_ack(it.home, &it.attach, 1, 11), 0); /* within 20 ms */
    edge_home_detach(it.home, &it.attach);
    expect_sent("report 11 acked 11\ndetach 77\n");
}

static void a_new_owner_is_attached_to_again(void **state)
{
    (void)state;
    attach_bob();
    deliver(11);
    expect_sent("report 11 acked 10\n");
    beat_as(GENERATION + 4, 0);
    expect_sent("attach 77 at 1:11\n");
    deliver(12); /* of the old owner: not heard any more */
    expect_told("msg 11\n");
    struct wire_entry entry = attached(11, 20);
    owner_says(&entry);
    expect_told("");
    owner_says_as(GENERATION + 4, &entry);
    expect_told("attached 1:11 again\n");
}

static void a_new_owner_that_knows_less_resyncs(void **state)
{
    (void)state;
    attach_bob();
    beat_as(GENERATION + 4, 0);
    expect_sent("attach 77 at 1:10\n");
    struct wire_entry entry = attached(3, 3);
    entry.attached.flags = WIRE_ATTACHED_RESYNC;
    entry.attached.epoch = 2;
    owner_says_as(GENERATION + 4, &entry);
    expect_told("attached 2:3 again resync\n");
}

/* The same messages under other cursors: nothing is told, and what was written may be acknowledged
 * by both. */
static void a_new_epoch_goes_on_where_it_was(void **state)
{
    (void)state;
    attach_bob();
    assert_int_equal(edge_home_read(it.home, &it.attach, TEXT("alice"), 1, 9), 0);
    expect_sent("read alice 9\n");
    beat_as(GENERATION + 4, 0);
    expect_sent("attach 77 at 1:10\n");
    struct wire_entry entry = attached(10, 10);
    entry.attached.flags = WIRE_ATTACHED_RESUMED;
    entry.attached.epoch = 2;
    entry.attached.acked = 0;
    owner_says_as(GENERATION + 4, &entry);
    expect_told("attached 2:10 again\n");
    expect_sent("report 10 acked 10\n");
    owner_says_as(
        GENERATION + 4,
        &(struct wire_entry){
            .kind = WIRE_READ_NOTED,
            .read_noted = {.user = TEXT("bob"), .of = TEXT("alice"), .epoch = 2, .seq = 9}});
    pass(1000);
    entry = (struct wire_entry){.kind = WIRE_DELIVER,
                                .deliver = {.attach = 77,
                                            .user = TEXT("bob"),
                                            .epoch = 2,
                                            .seq = 11,
                                            .sender = TEXT("alice"),
                                            .id = TEXT("m"),
                                            .body = TEXT("1")}};
    owner_says_as(GENERATION + 4, &entry);
    expect_told("msg 11\n");
    expect_sent("report 11 acked 10\n"); /* and nothing was read that is not known */
    pass(20);
    assert_int_equal(edge_home_ack(it.home, &it.attach, 1, 10), 0);
    assert_int_equal(edge_home_ack(it.home, &it.attach, 1, 11), -EINVAL);
    assert_int_equal(edge_home_ack(it.home, &it.attach, 0, 10), -EINVAL);
    assert_int_equal(edge_home_ack(it.home, &it.attach, 3, 10), -EINVAL);
    assert_int_equal(edge_home_read(it.home, &it.attach, TEXT("carol"), 1, 11), -EINVAL);
    expect_sent("");
    assert_int_equal(edge_home_read(it.home, &it.attach, TEXT("carol"), 1, 10), 0);
    assert_int_equal(edge_home_ack(it.home, &it.attach, 2, 11), 0);
    expect_sent("report 11 acked 11\nread carol 10\n");
}

static void a_new_epoch_elsewhere_resyncs(void **state)
{
    (void)state;
    static const struct {
        uint32_t epoch;
        uint64_t seq;
    } rows[] = {{2, 9}, {3, 10}, {2, 11}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        attach_bob();
        beat_as(GENERATION + 4, 0);
        expect_sent("attach 77 at 1:10\n");
        struct wire_entry entry = attached(rows[i].seq, 20);
        entry.attached.flags = WIRE_ATTACHED_RESUMED;
        entry.attached.epoch = rows[i].epoch;
        owner_says_as(GENERATION + 4, &entry);
        assert_non_null(strstr(it.told, "again resync"));
        assert_int_equal(edge_home_ack(it.home, &it.attach, rows[i].epoch - 1, 1), -EINVAL);
        (void)end(state);
        (void)begin(state);
    }
}

static void a_cursor_of_the_epoch_before_may_be_resumed(void **state)
{
    (void)state;
    it.attach.flags = WIRE_ATTACH_HAS_CURSOR;
    it.attach.epoch = 1;
    it.attach.next = 11;
    beat_as(GENERATION, 0);
    assert_int_equal(edge_home_attach(it.home, &it.attach, 0, it.now_ms), 0);
    expect_sent("attach 0 at 1:10\n");
    struct wire_entry entry = attached(10, 10);
    entry.attached.flags = WIRE_ATTACHED_RESUMED;
    entry.attached.epoch = 2;
    entry.attached.acked = 0;
    owner_says(&entry);
    expect_told("attached 2:10\n");
    assert_int_equal(edge_home_ack(it.home, &it.attach, 1, 10), 0); /* the last one, once more */
    expect_sent("report 10 acked 10\n");
}

static void who_is_unattached_attaches_again(void **state)
{
    (void)state;
    attach_bob();
    struct wire_entry entry = {
        .kind = WIRE_UNATTACHED,
        .unattached = {.user = TEXT("bob"), .device = TEXT("phone"), .attach = 77}};
    owner_says(&entry);
    owner_says(&entry);
    expect_sent("attach 77 at 1:10\n"); /* once */
    entry.unattached.attach = 78;
    owner_says(&entry); /* of somebody else */
    expect_sent("");
}

static struct wire_entry kick_bob(uint64_t attach, enum wire_kick_reason reason)
{
    return (struct wire_entry){
        .kind = WIRE_KICK,
        .kick = {.user = TEXT("bob"), .device = TEXT("phone"), .attach = attach, .reason = reason}};
}

static void the_same_device_elsewhere_replaces(void **state)
{
    (void)state;
    attach_bob();
    struct wire_entry entry = kick_bob(76, WIRE_KICK_REPLACED);
    owner_says(&entry); /* an earlier attach */
    expect_told("");
    entry.kick.attach = 77;
    owner_says(&entry);
    expect_told("lost: replaced\n");
    expect_sent(""); /* the owner knows */
    assert_int_equal(edge_home_attached(it.home), 0);
}

static void a_device_that_was_dropped_is_lost(void **state)
{
    (void)state;
    attach_bob();
    struct wire_entry entry = kick_bob(77, WIRE_KICK_DROPPED);
    owner_says(&entry);
    expect_told("lost: dropped\n");
    expect_sent("");
}

static void a_device_that_is_disconnected_is_lost_and_told_whether_for_good(void **state)
{
    (void)state;
    attach_bob();
    struct wire_entry entry = kick_bob(76, WIRE_KICK_ENDED);
    owner_says(&entry); /* an earlier attach: it has come back since */
    expect_told("");
    entry.kick.attach = 77;
    owner_says(&entry);
    expect_told("lost: ended\n");
    expect_sent("");
}

static void a_device_that_may_come_again_is_told_so(void **state)
{
    (void)state;
    attach_bob();
    struct wire_entry entry = kick_bob(77, WIRE_KICK_RECONNECT);
    owner_says(&entry);
    expect_told("lost: reconnect\n");
    expect_sent("");
}

static void a_gap_is_passed_over(void **state)
{
    (void)state;
    attach_bob();
    struct wire_entry entry = {.kind = WIRE_GAP,
                               .gap = {.attach = 77,
                                       .user = TEXT("bob"),
                                       .epoch = 1,
                                       .from = 11,
                                       .to = 20,
                                       .reason = TEXT("retention")}};
    owner_says(&entry);
    owner_says(&entry);
    deliver(21);
    expect_told("gap 11-20\nmsg 21\n");
    expect_sent("report 21 acked 10\n");
    pass(20);
    owner_says(&entry); /* the report was lost, so the gap came again */
    expect_told("");
    expect_sent("report 21 acked 10\n");
    entry.gap.from = 20;
    entry.gap.to = 24;
    owner_says(&entry);
    expect_told("gap 22-24\n"); /* not of what the device has */
    pass(20);
    expect_sent("report 24 acked 10\n");
    assert_int_equal(edge_home_ack(it.home, &it.attach, 1, 24), 0); /* across the gap */
    deliver(25);
    expect_told("msg 25\n");
    pass(20);
    expect_sent("report 25 acked 24\n");
    entry.gap.from = 29;
    entry.gap.to = 30;
    owner_says(&entry); /* 26 to 28 are not lost, but missing */
    expect_told("");
    expect_sent("fetch 26\n");
}

/* One of each entry that an owner sends. */
static void write_entries(struct buffer *bytes)
{
    const struct text bob = TEXT("bob");
    const struct text phone = TEXT("phone");
    const struct wire_frame head = {.generation = GENERATION,
                                    .shard = (uint16_t)it.shard,
                                    .region = TEXT("local"),
                                    .from = TEXT("local-hub-1")};
    const struct wire_entry entries[] = {
        {.kind = WIRE_ATTACHED,
         .attached = {.request = it.request, .user = bob, .device = phone, .attach = 77}},
        {.kind = WIRE_DELIVER,
         .deliver = {.user = bob, .epoch = 1, .seq = 11, .sender = bob, .id = bob, .body = bob}},
        {.kind = WIRE_GAP, .gap = {77, bob, 1, 12, 14, TEXT("ttl")}},
        {.kind = WIRE_ACKED, .acked = {bob, phone, 77, 1, 12}},
        {.kind = WIRE_CLAIMED, .claimed = {1, bob, WIRE_OK, TEXT("local"), 1}},
        {.kind = WIRE_READ_NOTED, .read_noted = {bob, bob, 1, 1}},
        {.kind = WIRE_UNATTACHED, .unattached = {bob, phone, 77}},
        {.kind = WIRE_KICK, .kick = {bob, phone, 78, WIRE_KICK_DROPPED}},
    };
    struct wire_frame_writer frame;
    wire_frame_begin(&frame, bytes, &head);
    for (size_t i = 0; i < COUNT_OF(entries); i++)
        wire_entry_write(&frame, &entries[i]);
    assert_int_equal(wire_frame_end(&frame), 0);
}

/* What goes out in return is well-formed: on_publish() asserts it. */
static void frames_at_fault_trip_nothing(void **state)
{
    uint32_t random = 4711;
    for (int life = 0; life < 200; life++) {
        struct buffer bytes = {0};
        attach_bob();
        write_entries(&bytes);
        for (int round = 0; round < 50; round++) {
            uint8_t bad[512];
            assert_true(bytes.size <= sizeof bad);
            memcpy(bad, bytes.data, bytes.size);
            for (int flips = 0; flips <= round % 3; flips++) {
                random = random * 1664525 + 1013904223;
                bad[(random >> 8) % bytes.size] ^= (uint8_t)(1u << (random >> 29));
            }
            edge_home_frame(it.home, bad, bytes.size, it.now_ms);
            pass(25);
            edge_home_flush(it.home, it.now_ms);
        }
        buffer_free(&bytes);
        (void)end(state);
        (void)begin(state);
    }
}

static void bad_frames_change_nothing(void **state)
{
    (void)state;
    attach_bob();
    edge_home_frame(it.home, "nonsense", 8, it.now_ms);
    edge_home_frame(it.home, NULL, 0, it.now_ms);
    expect_told("");
    deliver(11);
    expect_told("msg 11\n");
}

int main(void)
{
#define ROW(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        ROW(asks_until_it_is_answered),
        ROW(another_answer_is_another_end),
        ROW(the_token_goes_with_each_attach),
        ROW(who_has_gone_meanwhile_is_detached),
        ROW(writes_in_order_and_fetches_what_is_missing),
        ROW(a_repeat_is_not_written_and_reported),
        ROW(reports_are_gathered),
        ROW(an_ack_is_for_what_was_written),
        ROW(the_last_report_goes_before_the_detach),
        ROW(a_new_owner_is_attached_to_again),
        ROW(a_new_owner_that_knows_less_resyncs),
        ROW(a_new_epoch_goes_on_where_it_was),
        ROW(a_new_epoch_elsewhere_resyncs),
        ROW(a_cursor_of_the_epoch_before_may_be_resumed),
        ROW(who_is_unattached_attaches_again),
        ROW(the_same_device_elsewhere_replaces),
        ROW(a_device_that_was_dropped_is_lost),
        ROW(a_device_that_is_disconnected_is_lost_and_told_whether_for_good),
        ROW(a_device_that_may_come_again_is_told_so),
        ROW(a_gap_is_passed_over),
        ROW(bad_frames_change_nothing),
        ROW(frames_at_fault_trip_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
