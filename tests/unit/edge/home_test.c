/* The edge's side of presence, with an owner played by the test. */
#include "edge/edge_home.h"

#include "base/buffer.h"
#include "base/hash.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { GENERATION = 5 };

static struct {
    struct catalogue *catalogue;
    struct edge_home *home;
    int64_t now_ms;
    uint32_t shard;
    bool dropping;    /* what is published is lost */
    char sent[2048];  /* what went out since the last look, in words */
    char told[2048];  /* what the device was told */
    uint64_t request; /* of the last attach that went out */
    uint8_t log;      /* its incarnation */
    int orphans;
    struct edge_attach attach;
} it;

static void note(char *into, size_t size, const char *format, ...) PRINTF_LIKE(3, 4);
static void note(char *into, size_t size, const char *format, ...)
{
    size_t used = strlen(into);
    va_list args;
    va_start(args, format);
    vsnprintf(into + used, size - used, format, args);
    va_end(args);
}
#define SENT(...) note(it.sent, sizeof it.sent, __VA_ARGS__)
#define TOLD(...) note(it.told, sizeof it.told, __VA_ARGS__)
#define U(n) ((unsigned long long)(n))

static void note_entry(const struct wire_entry *entry)
{
    const struct wire_attach *attach = &entry->attach;
    switch (entry->kind) {
    case WIRE_ATTACH:
        it.request = attach->request;
        SENT("attach %llu", U(attach->attach));
        if ((attach->flags & WIRE_ATTACH_HAS_CURSOR) != 0)
            SENT(" at %u:%llu", attach->epoch, U(attach->seq));
        SENT("\n");
        break;
    case WIRE_DETACH:
        SENT("detach %llu\n", U(entry->detach.attach));
        break;
    case WIRE_REPORT:
        SENT("report %llu acked %llu\n", U(entry->report.received), U(entry->report.acked));
        break;
    case WIRE_READ_UP_TO:
        assert_int_equal(entry->read_up_to.attach, 77);
        SENT("read %.*s %llu\n", TEXT_ARGS(entry->read_up_to.of), U(entry->read_up_to.seq));
        break;
    case WIRE_FETCH:
        SENT("fetch %llu\n", U(entry->fetch.from));
        break;
    case WIRE_EPHEMERAL_SEND:
        SENT("ephemeral %.*s\n", TEXT_ARGS(entry->ephemeral.id));
        break;
    default:
        SENT("?\n");
        break;
    }
}

static int on_publish(void *context, const char *subject, const void *data, size_t size)
{
    struct wire_frame frame;
    struct wire_entry entry;
    (void)context;
    assert_non_null(strstr(subject, "hub.local."));
    assert_int_equal(wire_frame_read(data, size, &frame), 0);
    assert_true(text_equal(frame.from, TEXT("local-1")));
    while (!it.dropping && wire_entry_next(&frame, &entry) == 0)
        note_entry(&entry);
    return it.dropping ? -ENOTCONN : 0;
}

static void on_wake(void *context, int64_t delay_ms)
{
    (void)context;
    (void)delay_ms;
}

static void on_orphans(void *context)
{
    (void)context;
    it.orphans++;
}

static void on_claimed(void *context, const struct wire_claimed *claimed)
{
    (void)context;
    TOLD("claimed %llu\n", U(claimed->request));
}

static void on_attached(struct edge_attach *attach, const struct wire_attached *attached,
                        bool again, bool resync)
{
    (void)attached;
    TOLD("attached %u:%llu%s%s\n", attach->epoch, U(attach->next - 1), again ? " again" : "",
         resync ? " resync" : "");
}

static void on_deliver(struct edge_attach *attach, const struct wire_deliver *deliver)
{
    (void)attach;
    TOLD("msg %llu\n", U(deliver->seq));
}

static void on_confirmed(struct edge_attach *attach)
{
    TOLD("confirmed %llu\n", U(attach->confirmed));
}

static void on_gap(struct edge_attach *attach, const struct wire_gap *gap)
{
    (void)attach;
    TOLD("gap %llu-%llu\n", U(gap->from), U(gap->to));
}

static void on_lost(struct edge_attach *attach, enum edge_lost lost)
{
    static const char *const names[] = {"replaced", "refused", "not home", "dropped"};
    assert_int_equal(attach->state, EDGE_DETACHED);
    TOLD("lost: %s\n", names[lost]);
}

static void on_reachable(struct edge_attach *attach, bool reachable)
{
    (void)attach;
    TOLD("%s\n", reachable ? "reachable" : "unreachable");
}

static const struct edge_attach_ops ops = {on_attached, on_deliver, on_confirmed,
                                           on_gap,      on_lost,    on_reachable};

static int begin(void **state)
{
    (void)state;
    memset(&it, 0, sizeof it);
    it.catalogue = catalogue_load_file(MERIDIAN_SOURCE_DIR "/config/single.yaml", NULL);
    if (it.catalogue == NULL)
        return -1;
    it.now_ms = 1000000;
    it.shard = hash_shard(TEXT("bob"), it.catalogue->regions[0].shards);
    it.home = edge_home_new(&(struct edge_home_settings){.catalogue = it.catalogue,
                                                         .region = &it.catalogue->regions[0],
                                                         .edge = "local-1",
                                                         .reads_max = 5,
                                                         .reads_one_max = 3,
                                                         .publish = on_publish,
                                                         .wake = on_wake,
                                                         .on_claimed = on_claimed,
                                                         .on_orphans = on_orphans});
    it.attach = (struct edge_attach){
        .ops = &ops, .user = "bob", .user_size = 3, .device = "phone", .device_size = 5};
    return it.home == NULL ? -1 : 0;
}

static int end(void **state)
{
    (void)state;
    edge_home_detach(it.home, &it.attach);
    edge_home_free(it.home);
    catalogue_free(it.catalogue);
    return 0;
}

/* What has gone out, and what the device was told, since the last time. */
static void expect_sent(const char *words)
{
    edge_home_flush(it.home, it.now_ms);
    assert_string_equal(it.sent, words);
    it.sent[0] = '\0';
}

static void expect_told(const char *words)
{
    assert_string_equal(it.told, words);
    it.told[0] = '\0';
}

static void pass(int64_t ms)
{
    it.now_ms += ms;
    edge_home_tick(it.home, it.now_ms);
}

static void owner_says_as(uint64_t generation, const struct wire_entry *entry)
{
    struct buffer bytes = {0};
    struct wire_frame_writer writer;
    wire_frame_begin(&writer, &bytes,
                     &(struct wire_frame){.generation = generation,
                                          .shard = (uint16_t)it.shard,
                                          .region = TEXT("local"),
                                          .from = TEXT("local-hub-1")});
    wire_entry_write(&writer, entry);
    assert_int_equal(wire_frame_end(&writer), 0);
    edge_home_frame(it.home, bytes.data, bytes.size, it.now_ms);
    buffer_free(&bytes);
}

static void owner_says(const struct wire_entry *entry)
{
    owner_says_as(GENERATION, entry);
}

static struct wire_entry attached(uint64_t seq, uint64_t head)
{
    return (struct wire_entry){.kind = WIRE_ATTACHED,
                               .attached = {.request = it.request,
                                            .user = TEXT("bob"),
                                            .device = TEXT("phone"),
                                            .attach = 77,
                                            .epoch = 1,
                                            .seq = seq,
                                            .head = head,
                                            .acked = seq}};
}

static void deliver(uint64_t seq)
{
    owner_says(&(struct wire_entry){.kind = WIRE_DELIVER,
                                    .deliver = {.attach = 77,
                                                .user = TEXT("bob"),
                                                .epoch = 1,
                                                .seq = seq,
                                                .sender = TEXT("alice"),
                                                .id = TEXT("m"),
                                                .body = TEXT("1")}});
}

static void beat_told(uint64_t generation, const struct wire_edge_count *count)
{
    struct buffer bytes = {0};
    struct wire_hub_beat beat = {.hub = TEXT("local-hub-1"),
                                 .generation = generation,
                                 .shard = (uint16_t)it.shard,
                                 .shards = (uint16_t)it.catalogue->regions[0].shards,
                                 .level = 1};
    memset(beat.incarnation, it.log, sizeof beat.incarnation);
    assert_int_equal(wire_hub_beat_write(&bytes, &beat, NULL, 0, NULL, 0, count, 1), 0);
    assert_int_equal(wire_hub_beat_read(bytes.data, bytes.size, &beat), 0);
    edge_home_beat(it.home, TEXT("local"), &beat, it.now_ms);
    buffer_free(&bytes);
}

/* Bob's phone and, when there are more, others. */
static void beat_as(uint64_t generation, uint32_t attached_here)
{
    struct wire_edge_count count = {.edge = TEXT("local-1"), .attached = attached_here};
    if (attached_here > 0)
        count.digest = wire_attach_digest(TEXT("bob"), TEXT("phone"), 77);
    for (uint32_t i = 1; i < attached_here; i++)
        count.digest ^= wire_attach_digest(TEXT("eve"), TEXT("phone"), i);
    beat_told(generation, &count);
}

/* The owner beats meanwhile, and counts as we do. */
static void pass_with_beats(int64_t ms)
{
    for (; ms > 500; ms -= 500) {
        pass(500);
        beat_as(GENERATION, (uint32_t)edge_home_attached(it.home));
    }
    pass(ms);
}

/* Attached at 1:10, and everything that goes with it looked at. */
static void attach_bob(void)
{
    beat_as(GENERATION, 0);
    assert_int_equal(edge_home_attach(it.home, &it.attach, 0, it.now_ms), 0);
    expect_sent("attach 0\n");
    struct wire_entry entry = attached(10, 10);
    owner_says(&entry);
    expect_told("attached 1:10\n");
    expect_sent("");
    pass(100);
}

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

static void the_same_device_elsewhere_replaces(void **state)
{
    (void)state;
    attach_bob();
    struct wire_entry entry = {.kind = WIRE_KICK,
                               .kick = {.user = TEXT("bob"),
                                        .device = TEXT("phone"),
                                        .attach = 76,
                                        .reason = WIRE_KICK_REPLACED}};
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
    struct wire_entry entry = {.kind = WIRE_KICK,
                               .kick = {.user = TEXT("bob"),
                                        .device = TEXT("phone"),
                                        .attach = 77,
                                        .reason = WIRE_KICK_DROPPED}};
    owner_says(&entry);
    expect_told("lost: dropped\n");
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

static void a_count_that_differs_twice_attaches_again(void **state)
{
    (void)state;
    attach_bob();
    beat_as(GENERATION, 1); /* after the change: only looked at */
    beat_as(GENERATION, 0);
    expect_sent("");
    beat_as(GENERATION, 1);
    beat_as(GENERATION, 0);
    expect_sent(""); /* not two in a row */
    beat_as(GENERATION, 0);
    expect_sent("attach 77 at 1:10\n");
}

/* As many devices, but others: Mallory's has never left there, and Bob's is not known. */
static void a_set_that_differs_with_equal_counts_is_found_and_cured(void **state)
{
    (void)state;
    const struct wire_edge_count other = {
        .edge = TEXT("local-1"),
        .attached = 1,
        .digest = wire_attach_digest(TEXT("mallory"), TEXT("phone"), 70)};
    attach_bob();
    beat_as(GENERATION, 1);
    beat_told(GENERATION, &other);
    expect_sent("");
    beat_told(GENERATION, &other);
    expect_sent("attach 77 at 1:10\n"); /* now Bob's is known there */
    struct wire_entry entry = attached(10, 10);
    owner_says(&entry);
    assert_int_equal(it.orphans, 0);
    beat_as(GENERATION, 2); /* after the change: only looked at */
    beat_as(GENERATION, 2);
    beat_as(GENERATION, 2); /* and Mallory's is an orphan */
    assert_int_equal(it.orphans, 1);
}

static void a_log_begun_anew_is_believed_when_the_old_owner_is_silent(void **state)
{
    (void)state;
    attach_bob();
    beat_as(GENERATION, 1);
    it.log = 9;
    beat_as(1, 0);
    beat_as(GENERATION + 1, 0);
    expect_sent(""); /* the owner of the log that is known was heard just now */
    pass(2999);
    beat_as(1, 0);
    expect_sent("");
    it.now_ms += 1;
    beat_as(1, 0); /* its generations begin anew */
    expect_sent("attach 77 at 1:10\n");
}

static void a_lower_generation_is_believed_when_it_is_all_that_is_heard_for_long(void **state)
{
    (void)state;
    attach_bob();
    beat_as(GENERATION, 1);
    for (int ms = 0; ms < 20000; ms += 500) { /* a deposed owner, beside the one that counts */
        it.now_ms += 500;
        beat_as(GENERATION, 1);
        beat_as(GENERATION - 1, 0);
    }
    for (int ms = 0; ms < 2500 + 10000; ms += 500) { /* silent from 3 s on */
        it.now_ms += 500;
        beat_as(GENERATION - 1, 0);
    }
    expect_sent("");
    it.now_ms += 500;
    beat_as(GENERATION - 1, 0);
    expect_sent("attach 77 at 1:10\n");
}

static void a_region_of_another_number_of_shards_is_sent_nothing(void **state)
{
    (void)state;
    const struct edge_route_limits limits = {
        .full_permille = 850, .backlog_ms = 48 * 3600 * 1000, .lag_max_ms = 2000};
    uint16_t ours = (uint16_t)it.catalogue->regions[0].shards;
    struct wire_hub_beat beat = {.version = 2,
                                 .hub = TEXT("local-hub-1"),
                                 .generation = GENERATION,
                                 .shard = ours, /* no shard of ours */
                                 .shards = (uint16_t)(ours + 1)};
    assert_false(edge_home_shards_differ(it.home, 0));
    edge_home_beat(it.home, TEXT("local"), &beat, it.now_ms);
    assert_true(edge_home_shards_differ(it.home, 0));
    assert_int_equal(edge_home_route(it.home, 0, it.shard, &limits, it.now_ms),
                     EDGE_ROUTE_SHARDS_DIFFER);
    beat_as(GENERATION, 0); /* one hub agrees, the other may be right */
    assert_true(edge_home_shards_differ(it.home, 0));
    assert_int_equal(edge_home_route(it.home, 0, it.shard, &limits, it.now_ms + 3600000),
                     EDGE_ROUTE_SHARDS_DIFFER); /* silence is no news */
    it.now_ms += 5000;
    beat_as(GENERATION, 0);
    assert_false(edge_home_shards_differ(it.home, 0));
    assert_int_equal(edge_home_route(it.home, 0, it.shard, &limits, it.now_ms), EDGE_ROUTE_OPEN);
}

static void a_silent_home_is_told_and_attached_to_when_it_speaks(void **state)
{
    (void)state;
    attach_bob();
    beat_as(GENERATION, 1);
    pass(2999);
    expect_told("");
    pass(1);
    expect_told("unreachable\n");
    expect_sent("attach 77 at 1:10\n");
    pass(10000);
    expect_sent(""); /* nobody would hear it */
    expect_told("");
    beat_as(GENERATION, 1);
    expect_sent("attach 77 at 1:10\n");
    struct wire_entry entry = attached(10, 10);
    owner_says(&entry);
    expect_told("reachable\nattached 1:10 again\n");
}

static void ephemeral_messages_go_to_the_owner(void **state)
{
    (void)state;
    struct wire_message message = {.message_class = WIRE_EPHEMERAL,
                                   .sender = TEXT("alice"),
                                   .id = TEXT("e1"),
                                   .body = TEXT("1")};
    struct wire_recipient bob = {.kind = WIRE_USER, .name = TEXT("bob")};
    edge_home_ephemeral(it.home, 0, it.shard, &message, &bob, 1);
    expect_sent("ephemeral e1\n");
    attach_bob();
    deliver(0);
    expect_told("msg 0\n");
    expect_sent(""); /* it has no place in the order */
}

static void routes_are_as_the_last_beat_says(void **state)
{
    (void)state;
    const struct edge_route_limits limits = {
        .full_permille = 850, .backlog_ms = 48 * 3600 * 1000, .lag_max_ms = 2000};
    static const struct {
        uint16_t log_permille;
        uint32_t lag_ms;
        enum edge_route route;
    } rows[] = {
        {849, 2000, EDGE_ROUTE_OPEN}, {850, 0, EDGE_ROUTE_FULL}, {0, 2001, EDGE_ROUTE_LAGGING}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct wire_hub_beat beat = {.hub = TEXT("local-hub-1"),
                                     .generation = GENERATION,
                                     .shard = (uint16_t)it.shard,
                                     .shards = (uint16_t)it.catalogue->regions[0].shards,
                                     .log_permille = rows[i].log_permille,
                                     .lag_ms = rows[i].lag_ms};
        edge_home_beat(it.home, TEXT("local"), &beat, it.now_ms);
        assert_int_equal(edge_home_route(it.home, 0, it.shard, &limits, it.now_ms), rows[i].route);
    }
    /* What was said long ago is no reason to refuse. */
    assert_int_equal(edge_home_route(it.home, 0, it.shard, &limits, it.now_ms + 5001),
                     EDGE_ROUTE_OPEN);
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

static int read_of(const char *of, uint64_t seq)
{
    return edge_home_read(it.home, &it.attach, text_of(of), 1, seq);
}

static void noted(const char *of, uint64_t seq)
{
    owner_says(&(struct wire_entry){
        .kind = WIRE_READ_NOTED,
        .read_noted = {.user = TEXT("bob"), .of = text_of(of), .epoch = 1, .seq = seq}});
}

static void what_was_read_is_told_until_it_is_noted(void **state)
{
    (void)state;
    attach_bob();
    assert_int_equal(read_of("alice", 10), 0);
    expect_sent("read alice 10\n");
    pass_with_beats(900);
    expect_sent("");
    pass_with_beats(100);
    expect_sent("read alice 10\n");
    noted("carol", 10);
    noted("alice", 9); /* an older one */
    pass_with_beats(1000);
    expect_sent("read alice 10\n");
    noted("alice", 10);
    pass_with_beats(5000);
    expect_sent("");
}

static void a_later_read_waits_its_turn_and_takes_the_place_of_an_earlier_one(void **state)
{
    (void)state;
    attach_bob();
    assert_int_equal(read_of("alice", 3), 0);
    expect_sent("read alice 3\n");
    for (uint64_t seq = 4; seq <= 10; seq++)
        assert_int_equal(read_of("alice", seq), 0);
    assert_int_equal(read_of("alice", 5), 0); /* says nothing new */
    noted("alice", 3);
    expect_sent(""); /* one a second */
    pass_with_beats(1000);
    expect_sent("read alice 10\n");
    noted("alice", 10);
    pass_with_beats(1000);
    assert_int_equal(read_of("alice", 10), 0); /* forgotten, so it is told again */
    expect_sent("read alice 10\n");
}

static void what_was_never_delivered_cannot_be_read(void **state)
{
    (void)state;
    assert_int_equal(read_of("alice", 1), -EINVAL);
    attach_bob();
    assert_int_equal(read_of("alice", 0), -EINVAL);
    assert_int_equal(read_of("alice", 11), -EINVAL);
    assert_int_equal(edge_home_read(it.home, &it.attach, TEXT("alice"), 2, 1), -EINVAL);
    expect_sent("");
    deliver(11);
    expect_told("msg 11\n");
    assert_int_equal(read_of("alice", 11), 0);
}

static void reads_that_wait_are_bounded(void **state)
{
    (void)state;
    attach_bob();
    assert_int_equal(read_of("a", 1), 0);
    assert_int_equal(read_of("b", 1), 0);
    assert_int_equal(read_of("c", 1), 0);
    assert_int_equal(read_of("d", 1), -ENOBUFS);
    assert_int_equal(read_of("c", 2), 0); /* of one that waits already */
    expect_sent("read a 1\nread b 1\nread c 1\n");
    noted("a", 1);
    assert_int_equal(read_of("d", 1), -ENOBUFS); /* it could be told many times a second */
    pass_with_beats(1000);
    assert_int_equal(read_of("d", 1), 0);
    expect_sent("read b 1\nread c 2\nread d 1\n");
}

static void reads_are_told_to_the_next_owner_and_before_the_device_leaves(void **state)
{
    (void)state;
    attach_bob();
    assert_int_equal(read_of("alice", 10), 0);
    expect_sent("read alice 10\n");
    beat_as(GENERATION + 1, 0);
    expect_sent("attach 77 at 1:10\n");
    struct wire_entry entry = attached(10, 10);
    owner_says_as(GENERATION + 1, &entry);
    expect_told("attached 1:10 again\n");
    pass(1000);
    expect_sent("report 10 acked 10\nread alice 10\n");
    edge_home_detach(it.home, &it.attach);
    expect_sent("read alice 10\ndetach 77\n");
    pass(3000);
    expect_sent("");
}

int main(void)
{
#define ROW(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        ROW(asks_until_it_is_answered),
        ROW(another_answer_is_another_end),
        ROW(who_has_gone_meanwhile_is_detached),
        ROW(writes_in_order_and_fetches_what_is_missing),
        ROW(a_repeat_is_not_written_and_reported),
        ROW(reports_are_gathered),
        ROW(an_ack_is_for_what_was_written),
        ROW(the_last_report_goes_before_the_detach),
        ROW(a_new_owner_is_attached_to_again),
        ROW(a_new_owner_that_knows_less_resyncs),
        ROW(who_is_unattached_attaches_again),
        ROW(the_same_device_elsewhere_replaces),
        ROW(a_device_that_was_dropped_is_lost),
        ROW(a_gap_is_passed_over),
        ROW(a_count_that_differs_twice_attaches_again),
        ROW(a_set_that_differs_with_equal_counts_is_found_and_cured),
        ROW(a_log_begun_anew_is_believed_when_the_old_owner_is_silent),
        ROW(a_lower_generation_is_believed_when_it_is_all_that_is_heard_for_long),
        ROW(a_region_of_another_number_of_shards_is_sent_nothing),
        ROW(a_silent_home_is_told_and_attached_to_when_it_speaks),
        ROW(ephemeral_messages_go_to_the_owner),
        ROW(routes_are_as_the_last_beat_says),
        ROW(bad_frames_change_nothing),
        ROW(frames_at_fault_trip_nothing),
        ROW(what_was_read_is_told_until_it_is_noted),
        ROW(a_later_read_waits_its_turn_and_takes_the_place_of_an_earlier_one),
        ROW(what_was_never_delivered_cannot_be_read),
        ROW(reads_that_wait_are_bounded),
        ROW(reads_are_told_to_the_next_owner_and_before_the_device_leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
