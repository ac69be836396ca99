/* What stands in a view of mailboxes that move, and that a view which is made again from the log is
 * the same. With a real NATS server. */
#include "hub_lab.h"

#include "store/view_scan.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define LOG "log.sin.0.e"

static void start_hub(struct lab *lab)
{
    lab_hub_start(lab, &lab->hubs[0], "sin-h1");
    LAB_WAIT(lab, strcmp(hub_shard_status(lab->hubs[0].shard).state, "serving") == 0);
    const uint64_t generation = hub_shard_status(lab->hubs[0].shard).generation;
    LAB_WAIT(lab, lab->beat_generation == generation);
}

static void must_deliver(struct lab *lab, uint64_t from, uint64_t to)
{
    for (uint64_t seq = from; seq <= to; seq++)
        assert_int_equal(lab_wait_for(lab, WIRE_DELIVER)->seq, seq);
}

/* The answer to the last attach. */
static const struct lab_heard *attached(const struct lab *lab)
{
    return &lab->heard[lab->shown - 1];
}

static bool print_row(void *context, const struct view_row *row)
{
    buffer_printf(context, "%" PRIu64 "<%" PRIu64 " %.*s %" PRIu32 ":%" PRIu64 " %.*s", row->row,
                  row->previous_row, TEXT_ARGS(row->user), row->epoch, row->seq,
                  TEXT_ARGS(row->id));
    if (row->at_ms < 2 * (int64_t)LAB_COPIED_AT_MS)
        buffer_printf(context, " %" PRId64 " %" PRIu32 " %u", row->at_ms, row->ttl_s, row->wants);
    buffer_printf(context, " %.*s\n", TEXT_ARGS(row->body));
    return true;
}

/* Of the hub's view, which was stopped. */
static void expect_rows(const struct lab *lab, const char *expected)
{
    char path[600];
    struct buffer is = {0};
    snprintf(path, sizeof path, "%s/sin-0.view", lab->hubs[0].settings.data);
    struct view_scan *scan = view_scan_new(path);
    assert_non_null(scan);
    assert_int_equal(view_scan_read(scan, 1, 1000, SIZE_MAX, print_row, &is), 0);
    buffer_append(&is, "", 1);
    assert_string_equal((const char *)is.data, expected);
    view_scan_free(scan);
    buffer_free(&is);
}

/* Once as it was made, and once made again from the log: the two are equal. */
static void stop_and_expect_rows(struct lab *lab, const char *expected)
{
    char path[600];
    lab_hub_stop(lab, &lab->hubs[0], true);
    expect_rows(lab, expected);
    snprintf(path, sizeof path, "%s/sin-0.view", lab->hubs[0].settings.data);
    assert_int_equal(view_remove(path), 0);
    start_hub(lab);
    lab_hub_stop(lab, &lab->hubs[0], true);
    expect_rows(lab, expected);
}

static void who_stays_after_all_gets_what_was_held(void **state)
{
    struct lab *lab = *state;
    start_hub(lab);
    lab_send(lab, LOG, "bob", "a", 2);
    uint64_t phone = lab_attach(lab, "bob", "phone", 0, 0, 0);
    must_deliver(lab, 1, 2);
    (void)lab_wait_for(lab, WIRE_ACKED); /* where it begins */
    lab_freeze(lab, "bob");
    lab_send(lab, LOG, "bob", "h", 3);
    lab_report(lab, "bob", "phone", phone, 2, 1); /* no cursor is taken */
    lab_must_not_hear(lab, WIRE_ACKED, 300);
    uint64_t desk = lab_attach(lab, "bob", "desk", 0, 0, 0); /* it is still read */
    assert_int_equal(attached(lab)->code, WIRE_OK);
    must_deliver(lab, 1, 2);
    lab_report(lab, "bob", "desk", desk, 2, 0);
    lab_move_end(lab, "bob", WIRE_MOVE_ABORTED, "sin");
    must_deliver(lab, 3, 5); /* once for both: they are at one edge */
    lab_report(lab, "bob", "phone", phone, 5, 5);
    lab_report(lab, "bob", "desk", desk, 5, 4);
    bool phone_acked = false;
    bool desk_acked = false;
    while (!phone_acked || !desk_acked) {
        const struct lab_heard *acked = lab_wait_for(lab, WIRE_ACKED);
        phone_acked = phone_acked || (acked->attach == phone && acked->seq == 5);
        desk_acked = desk_acked || (acked->attach == desk && acked->seq == 4);
    }
    lab_send(lab, LOG, "bob", "h", 3); /* repeats */
    lab_send(lab, LOG, "bob", "b", 1);
    must_deliver(lab, 6, 6);
    stop_and_expect_rows(lab, "1<0 bob 1:1 a1 \"a1\"\n2<1 bob 1:2 a2 \"a2\"\n"
                              "3<0 bob 0:0 h1 \"h1\"\n4<0 bob 0:0 h2 \"h2\"\n"
                              "5<0 bob 0:0 h3 \"h3\"\n6<2 bob 1:3 h1 \"h1\"\n"
                              "7<6 bob 1:4 h2 \"h2\"\n8<7 bob 1:5 h3 \"h3\"\n"
                              "9<8 bob 1:6 b1 \"b1\"\n");
}

static void who_has_moved_is_attached_no_more(void **state)
{
    struct lab *lab = *state;
    start_hub(lab);
    lab_send(lab, LOG, "bob", "a", 1);
    uint64_t phone = lab_attach(lab, "bob", "phone", 0, 0, 0);
    uint64_t desk = lab_attach(lab, "bob", "desk", 0, 0, 0);
    (void)lab_attach(lab, "eve", "phone", 0, 0, 0);
    lab_freeze(lab, "bob");
    lab_must_not_hear(lab, WIRE_KICK, 200);
    lab_move_end(lab, "bob", WIRE_MOVE_DONE, "dub");
    uint64_t kicked = 0;
    for (int i = 0; i < 2; i++) {
        const struct lab_heard *kick = lab_wait_for(lab, WIRE_KICK);
        assert_int_equal(kick->code, WIRE_KICK_MOVED);
        kicked += kick->attach;
    }
    assert_int_equal(kicked, phone + desk);
    LAB_WAIT(lab, lab->beat_attached == 1); /* eve */
    lab_report(lab, "bob", "phone", phone, 1, 1);
    assert_int_equal(lab_wait_for(lab, WIRE_UNATTACHED)->attach, phone);
    (void)lab_attach(lab, "bob", "phone", phone, 0, 0);
    assert_int_equal(attached(lab)->code, WIRE_NOT_HOME);
    lab_send(lab, LOG, "bob", "h", 1);
    lab_must_not_hear(lab, WIRE_DELIVER, 200);
    stop_and_expect_rows(lab, "1<0 bob 1:1 a1 \"a1\"\n2<0 bob 0:0 h1 \"h1\"\n");
}

static void who_comes_is_served_when_all_is_there(void **state)
{
    struct lab *lab = *state;
    start_hub(lab);
    lab_move_rows(lab, "carol", 41, 42);
    LAB_WAIT(lab, hub_shard_status(lab->hubs[0].shard).position >= lab->stored);
    (void)lab_attach(lab, "carol", "phone", 0, 0, 0);
    assert_int_equal(attached(lab)->code, WIRE_NOT_HOME);
    lab_move_rows(lab, "carol", 42, 43);
    lab_must_not_hear(lab, WIRE_DELIVER, 200);
    lab_move_in(lab, "carol", 43, 41);
    LAB_WAIT(lab, (lab_attach(lab, "carol", "phone", 0, WIRE_ATTACH_HAS_CURSOR, 41),
                   attached(lab)->code == WIRE_OK));
    assert_true((attached(lab)->flags & WIRE_ATTACHED_RESUMED) != 0);
    assert_int_equal(attached(lab)->head, 43);
    must_deliver(lab, 42, 43);
    lab_move_end(lab, "carol", WIRE_MOVE_DONE, "sin");
    lab_send(lab, LOG, "carol", "n", 1);
    must_deliver(lab, 44, 44);
    stop_and_expect_rows(
        lab, "1<0 carol 1:41 c41 1600000041 4000000000 4 \"copied\"\n"
             "2<1 carol 1:42 c42 1600000042 4000000000 4 \"copied\"\n"
             "3<2 carol 1:43 c43 1600000043 4000000000 4 \"copied\"\n4<3 carol 1:44 n1 \"n1\"\n");
}

/* As nobody knew of her here: what is copied is not delivered before all of it is there. */
static void who_was_early_is_sent_away(void **state)
{
    struct lab *lab = *state;
    start_hub(lab);
    const uint64_t early = lab_attach(lab, "carol", "phone", 0, 0, 0);
    lab_move_rows(lab, "carol", 1, 2);
    const struct lab_heard *kick = lab_wait_for_either(lab, WIRE_KICK, WIRE_DELIVER);
    assert_int_equal(kick->kind, WIRE_KICK);
    assert_int_equal(kick->code, WIRE_KICK_MOVED);
    assert_int_equal(kick->attach, early);
    lab_must_not_hear(lab, WIRE_DELIVER, 200);
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
        WITH_LAB(who_stays_after_all_gets_what_was_held),
        WITH_LAB(who_has_moved_is_attached_no_more),
        WITH_LAB(who_comes_is_served_when_all_is_there),
        WITH_LAB(who_was_early_is_sent_away),
    };
    return RUN_GROUP_WITH_SERVER(tests);
}
