/* What a device of a user is promised: where it begins, when it goes, whose acks count. With a real
 * NATS server; at most four devices are kept. */
#include "hub_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define LOG "log.sin.0.e"

static void must_deliver(struct lab *lab, uint64_t from, uint64_t to)
{
    for (uint64_t seq = from; seq <= to; seq++)
        assert_int_equal(lab_wait_for(lab, WIRE_DELIVER)->seq, seq);
}

static const struct lab_heard *last_answer(const struct lab *lab)
{
    return &lab->heard[lab->shown - 1];
}

static void say_attach(struct lab *lab, uint64_t request, uint64_t attach, uint32_t epoch,
                       uint64_t seq)
{
    const struct wire_entry entry = {
        .kind = WIRE_ATTACH,
        .attach = {.request = request,
                   .user = TEXT("bob"),
                   .device = TEXT("phone"),
                   .attach = attach,
                   .flags = WIRE_ATTACH_HAS_CURSOR,
                   .epoch = epoch,
                   .seq = seq},
    };
    lab_say(lab, "attach", &entry);
}

static void start_hub(struct lab *lab)
{
    lab_hub_start(lab, &lab->hubs[0], "sin-h1");
    LAB_WAIT(lab, strcmp(hub_shard_status(lab->hubs[0].shard).state, "serving") == 0);
}

/* Attaches a device and waits until the log knows it. */
static uint64_t attach_known(struct lab *lab, const char *device)
{
    uint64_t attach = lab_attach(lab, "bob", device, 0, 0, 0);
    while (lab_wait_for(lab, WIRE_ACKED)->attach != attach)
        ;
    lab_turn(lab, 20); /* log time is in milliseconds */
    return attach;
}

static void the_stalest_device_is_dropped(void **state)
{
    struct lab *lab = *state;
    uint64_t attach[4];
    start_hub(lab);
    for (int i = 0; i < 4; i++) {
        char device[16];
        snprintf(device, sizeof device, "d%d", i);
        attach[i] = attach_known(lab, device);
    }
    lab_send(lab, LOG, "bob", "a", 2);
    must_deliver(lab, 1, 2);
    lab_report(lab, "bob", "d0", attach[0], 2, 1); /* now d1 is the stalest */
    while (lab_wait_for(lab, WIRE_ACKED)->seq != 1)
        ;
    (void)lab_attach(lab, "bob", "d4", 0, 0, 0);
    const struct lab_heard *kick = lab_wait_for(lab, WIRE_KICK);
    assert_int_equal(kick->code, WIRE_KICK_DROPPED);
    assert_int_equal(kick->attach, attach[1]);
    LAB_WAIT(lab, lab->beat_attached == 4);
    /* It comes back as a new one... */
    lab_report(lab, "bob", "d1", attach[1], 2, 2);
    assert_int_equal(lab_wait_for(lab, WIRE_UNATTACHED)->attach, attach[1]);
    (void)lab_attach(lab, "bob", "d1", 0, 0, 0);
    assert_int_equal(last_answer(lab)->flags, 0);
    assert_int_equal(last_answer(lab)->seq, 0);
    assert_int_equal(lab_wait_for(lab, WIRE_KICK)->attach, attach[2]);
    /* ...unless it knows where it was. */
    (void)lab_attach(lab, "bob", "d2", 0, WIRE_ATTACH_HAS_CURSOR, 1);
    assert_int_equal(last_answer(lab)->flags, WIRE_ATTACHED_RESUMED);
    assert_int_equal(last_answer(lab)->seq, 1);
    assert_int_equal(lab_wait_for(lab, WIRE_KICK)->attach, attach[3]);
    lab_hub_stop(lab, &lab->hubs[0], true);
}

static void a_cursor_is_honoured_or_resynced(void **state)
{
    struct lab *lab = *state;
    start_hub(lab);
    lab_send(lab, LOG, "bob", "a", 5);
    static const struct {
        uint32_t epoch;
        uint64_t seq;
        uint8_t flags;
        uint64_t begins;
    } rows[] = {
        {1, 5, WIRE_ATTACHED_RESUMED, 5}, /* the head */
        {1, 0, WIRE_ATTACHED_RESUMED, 0},
        {1, 6, WIRE_ATTACHED_RESYNC, 5}, /* where its own first attach has put it */
        {1, UINT64_MAX, WIRE_ATTACHED_RESYNC, 5},
        {2, 3, WIRE_ATTACHED_RESYNC, 5},
        {0, 3, WIRE_ATTACHED_RESYNC, 5},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        say_attach(lab, 100 + i, 0, rows[i].epoch, rows[i].seq);
        const struct lab_heard *answer = lab_wait_for(lab, WIRE_ATTACHED);
        assert_int_equal(answer->flags, rows[i].flags);
        assert_int_equal(answer->seq, rows[i].begins);
        assert_int_equal(answer->head, 5);
    }
    lab_hub_stop(lab, &lab->hubs[0], true);
}

static void a_resync_is_said_until_it_is_heard(void **state)
{
    struct lab *lab = *state;
    start_hub(lab);
    lab_send(lab, LOG, "bob", "a", 2);
    say_attach(lab, 500, 0, 1, 99);
    uint64_t attach = lab_wait_for(lab, WIRE_ATTACHED)->attach;
    say_attach(lab, 500, 0, 1, 99); /* the answer was lost */
    assert_int_equal(lab_wait_for(lab, WIRE_ATTACHED)->flags, WIRE_ATTACHED_RESYNC);
    say_attach(lab, 500, attach, 1, 0); /* it was heard: not a second jump */
    const struct lab_heard *answer = lab_wait_for(lab, WIRE_ATTACHED);
    assert_int_equal(answer->flags, 0);
    assert_int_equal(answer->attach, attach);
    lab_hub_stop(lab, &lab->hubs[0], true);
}

static void what_was_written_is_not_acknowledged(void **state)
{
    struct lab *lab = *state;
    start_hub(lab);
    lab_send(lab, LOG, "bob", "a", 5);
    /* From an owner before, which had not logged the device: it was written 3, and acked none. */
    uint64_t before = lab->beat_generation << 20;
    assert_int_equal(lab_attach(lab, "bob", "phone", before + 1, WIRE_ATTACH_HAS_CURSOR, 3),
                     before + 1);
    must_deliver(lab, 4, 5);
    assert_int_equal(lab_wait_for(lab, WIRE_ACKED)->seq, 0);
    (void)lab_attach(lab, "bob", "phone", 0, 0, 0);
    assert_int_equal(last_answer(lab)->seq, 0);
    must_deliver(lab, 1, 5);
    lab_hub_stop(lab, &lab->hubs[0], true);
}

static void acks_that_cannot_be_change_nothing(void **state)
{
    struct lab *lab = *state;
    start_hub(lab);
    lab_send(lab, LOG, "bob", "a", 5);
    uint64_t attach = lab_attach(lab, "bob", "phone", 0, 0, 0);
    must_deliver(lab, 1, 5);
    lab_report(lab, "bob", "phone", attach, 5, 4);
    while (lab_wait_for(lab, WIRE_ACKED)->seq != 4)
        ;
    lab_report(lab, "bob", "phone", attach, 5, 2); /* back: answered where it is */
    assert_int_equal(lab_wait_for(lab, WIRE_ACKED)->seq, 4);
    lab_report(lab, "bob", "phone", attach, 5, 6);   /* above what was received */
    lab_report(lab, "bob", "phone", attach, 600, 6); /* and above the head */
    struct wire_entry other = {
        .kind = WIRE_REPORT,
        .report = {TEXT("bob"), TEXT("phone"), attach, .epoch = 2, .received = 5, .acked = 5},
    };
    lab_say(lab, "ack", &other);
    lab_must_not_hear(lab, WIRE_ACKED, 500);
    (void)lab_attach(lab, "bob", "phone", 0, 0, 0);
    assert_int_equal(last_answer(lab)->seq, 4);
    must_deliver(lab, 5, 5);
    lab_hub_stop(lab, &lab->hubs[0], true);
}

/* A frame with one of each entry that an edge sends; the ephemeral one is left to other tests. */
static void write_entries(struct buffer *bytes, uint64_t attach)
{
    const struct text bob = TEXT("bob");
    const struct text phone = TEXT("phone");
    const struct wire_frame head = {.region = TEXT("sin"), .from = TEXT("sin-1")};
    const struct wire_entry entries[] = {
        {.kind = WIRE_ATTACH, .attach = {.request = 9, .user = bob, .device = phone, .epoch = 1}},
        {.kind = WIRE_REPORT, .report = {bob, phone, attach, 1, 3, 2}},
        {.kind = WIRE_FETCH, .fetch = {bob, phone, attach, 1, 1}},
        {.kind = WIRE_READ_UP_TO, .read_up_to = {bob, phone, attach, TEXT("alice"), 1, 1}},
        {.kind = WIRE_LANE_ASK, .lane_ask = {TEXT("dub")}},
        {.kind = WIRE_DETACH, .detach = {bob, phone, attach}},
    };
    struct wire_frame_writer frame;
    wire_frame_begin(&frame, bytes, &head);
    for (size_t i = 0; i < COUNT_OF(entries); i++)
        wire_entry_write(&frame, &entries[i]);
    assert_int_equal(wire_frame_end(&frame), 0);
}

/* What the hub answers is well-formed: the lab's edge asserts it. */
static void frames_at_fault_trip_nothing(void **state)
{
    struct lab *lab = *state;
    start_hub(lab);
    lab_send(lab, LOG, "bob", "a", 5);
    uint64_t attach = lab_attach(lab, "bob", "phone", 0, 0, 0);
    struct buffer bytes = {0};
    write_entries(&bytes, attach);
    uint32_t random = 12345;
    for (int round = 0; round < 4000; round++) {
        uint8_t bad[512];
        assert_true(bytes.size <= sizeof bad);
        memcpy(bad, bytes.data, bytes.size);
        for (int flips = 0; flips <= round % 3; flips++) {
            random = random * 1664525 + 1013904223;
            bad[(random >> 8) % bytes.size] ^= (uint8_t)(1u << (random >> 29));
        }
        assert_int_equal(bus_publish(lab->bus, "hub.sin.0.attach", "nobody.asks", bad, bytes.size),
                         0);
        if (round % 100 == 0) {
            lab_turn(lab, 10);
            lab->heard_count = lab->shown = 0;
        }
    }
    buffer_free(&bytes);
    lab_turn(lab, 100);
    lab->heard_count = lab->shown = 0;
    (void)lab_attach(lab, "eve", "phone", 0, 0, 0);
    lab_send(lab, LOG, "eve", "b", 1);
    while (strcmp(lab_wait_for(lab, WIRE_DELIVER)->user, "eve") != 0)
        ;
    lab_hub_stop(lab, &lab->hubs[0], true);
}

static int set_up(void **state)
{
    *state = lab_new();
    return 0;
}

static int tear_down(void **state)
{
    lab_free(*state);
    return 0;
}

#define WITH_LAB(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LAB(the_stalest_device_is_dropped),
        WITH_LAB(a_cursor_is_honoured_or_resynced),
        WITH_LAB(a_resync_is_said_until_it_is_heard),
        WITH_LAB(what_was_written_is_not_acknowledged),
        WITH_LAB(acks_that_cannot_be_change_nothing),
        WITH_LAB(frames_at_fault_trip_nothing),
    };
    return RUN_GROUP_WITH_SERVER(tests);
}
