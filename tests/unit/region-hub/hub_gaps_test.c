/* What a device is told of messages it will not get: which, and why. With a real NATS server. */
#include "hub_lab.h"

#include "store/view.h"

#include <errno.h>
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

/* The next delivery or gap is this gap. */
static void must_announce(struct lab *lab, uint64_t from, uint64_t to, const char *reason)
{
    const struct lab_heard *heard = lab_wait_for_either(lab, WIRE_GAP, WIRE_DELIVER);
    assert_int_equal(heard->kind, WIRE_GAP);
    assert_string_equal(heard->text, reason);
    assert_int_equal(heard->from, from);
    assert_int_equal(heard->seq, to);
}

static void stop_hub(struct lab *lab)
{
    lab_hub_stop(lab, &lab->hubs[0], true);
}

static void start_hub(struct lab *lab)
{
    lab_hub_start(lab, &lab->hubs[0], "sin-h1");
    LAB_WAIT(lab, strcmp(hub_shard_status(lab->hubs[0].shard).state, "serving") == 0);
}

static const uint8_t at_cursor = WIRE_ATTACH_HAS_CURSOR;

static void what_is_over_is_not_delivered(void **state)
{
    struct lab *lab = *state;
    start_hub(lab);
    lab_send_ttl(lab, LOG, "bob", "a", 3, 1);
    lab_send_ttl(lab, LOG, "bob", "b", 1, 0);
    lab_send_ttl(lab, LOG, "bob", "c", 1, 1);
    lab_send_ttl(lab, LOG, "bob", "d", 1, 1);
    lab_send_ttl(lab, LOG, "bob", "e", 1, 3600);
    lab_send_ttl(lab, LOG, "bob", "f", 2, 1);
    lab_turn(lab, 1500); /* no record need come for that */
    uint64_t attach = lab_attach(lab, "bob", "phone", 0, 0, 0);
    for (int round = 0; round < 2; round++) { /* lost on the way, it comes again */
        must_announce(lab, 1, 3, "ttl");
        must_deliver(lab, 4, 4);
        must_announce(lab, 5, 6, "ttl");
        must_deliver(lab, 7, 7);
        must_announce(lab, 8, 9, "ttl");
    }
    lab_report(lab, "bob", "phone", attach, 9, 8); /* acks go across */
    while (lab_wait_for(lab, WIRE_ACKED)->seq != 8)
        ;
    lab_must_not_hear(lab, WIRE_GAP, 600);
    lab_send_ttl(lab, LOG, "bob", "g", 1, 1); /* live it is in time, with the next cursor */
    must_deliver(lab, 10, 10);
    stop_hub(lab);
}

static void each_part_has_its_reason(void **state)
{
    struct lab *lab = *state;
    lab_configure(lab, 2, 10);
    start_hub(lab);
    (void)lab_attach(lab, "bob", "phone", 0, 0, 0);
    (void)lab_attach(lab, "bob", "phone", 0, at_cursor, 0);
    lab_send(lab, LOG, "bob", "a", 5);
    must_deliver(lab, 1, 5);
    lab_turn(lab, 4500); /* the ticks take the time along */
    lab_send(lab, LOG, "bob", "b", 15);
    (void)lab_attach(lab, "bob", "phone", 0, at_cursor, 0);
    must_announce(lab, 1, 5, "retention");
    must_announce(lab, 6, 10, "mailbox_full");
    must_deliver(lab, 11, 20);
    (void)lab_attach(lab, "bob", "phone", 0, at_cursor, 7);
    must_announce(lab, 8, 10, "mailbox_full");
    must_deliver(lab, 11, 20);
    (void)lab_attach(lab, "bob", "phone", 0, at_cursor, 10); /* just not */
    must_deliver(lab, 11, 20);
    /* A new device misses nothing of what was gone before it came. */
    (void)lab_attach(lab, "bob", "desk", 0, 0, 0);
    assert_int_equal(lab->heard[lab->shown - 1].seq, 10);
    assert_int_equal(lab_wait_for_either(lab, WIRE_GAP, WIRE_DELIVER)->seq, 11);
    stop_hub(lab);
}

static void all_is_out_and_new_ones_come(void **state)
{
    struct lab *lab = *state;
    lab_configure(lab, 2, 1000);
    start_hub(lab);
    lab_send(lab, LOG, "bob", "a", 300); /* the state knows the row of the 256th */
    lab_turn(lab, 4500);
    uint64_t attach = lab_attach(lab, "bob", "phone", 0, at_cursor, 0);
    must_announce(lab, 1, 300, "retention");
    lab_report(lab, "bob", "phone", attach, 300, 0);
    uint64_t desk = lab_attach(lab, "bob", "desk", 0, 0, 0);
    assert_int_equal(lab->heard[lab->shown - 1].seq, 300);
    assert_int_equal(lab->heard[lab->shown - 1].head, 300);
    lab_send(lab, LOG, "bob", "b", 10);
    must_deliver(lab, 301, 310); /* to both: one entry for the edge */
    lab_report(lab, "bob", "phone", attach, 310, 0);
    lab_report(lab, "bob", "desk", desk, 310, 0);
    (void)lab_attach(lab, "bob", "pad", 0, 0, 0);
    assert_int_equal(lab->heard[lab->shown - 1].seq, 300);
    must_deliver(lab, 301, 310);
    (void)lab_attach(lab, "bob", "phone", 0, at_cursor, 280);
    must_announce(lab, 281, 300, "retention");
    must_deliver(lab, 301, 310);
    stop_hub(lab);
    /* Nor are the rows there any more. */
    struct view *view;
    struct view_link link;
    struct error_text why = {0};
    char path[600];
    snprintf(path, sizeof path, "%s/sin-0.view", lab->hubs[0].settings.data);
    assert_int_equal(view_open(path, &view, &why), 0);
    assert_int_equal(view_walk(view, 300, 0, 1, &link), -ENOENT);
    assert_int_equal(view_walk(view, 310, 0, 1000, &link), 0);
    assert_int_equal(link.seq, 301);
    view_close(view);
}

/* Takes rows away that should be there. */
static void damage_view(struct lab *lab, uint64_t below_row)
{
    struct view *view;
    struct error_text why = {0};
    bool more;
    char path[600];
    stop_hub(lab);
    snprintf(path, sizeof path, "%s/sin-0.view", lab->hubs[0].settings.data);
    assert_int_equal(view_open(path, &view, &why), 0);
    assert_int_equal(view_trim(view, below_row, 100000, &more), 0);
    view_close(view);
    start_hub(lab);
}

static void what_should_be_there_and_is_not_is_lost(void **state)
{
    struct lab *lab = *state;
    start_hub(lab);
    for (int i = 0; i < 3; i++) {
        char prefix[16];
        snprintf(prefix, sizeof prefix, "m%d-", i);
        lab_send(lab, LOG, "bob", prefix, 200);
    }
    damage_view(lab, 400);
    uint64_t attach = lab_attach(lab, "bob", "phone", 0, at_cursor, 3);
    must_announce(lab, 4, 399, "lost");
    must_deliver(lab, 400, 600); /* a gap takes no credit */
    lab_report(lab, "bob", "phone", attach, 600, 600);
    damage_view(lab, 601); /* all of it */
    (void)lab_attach(lab, "bob", "phone", 0, at_cursor, 599);
    must_announce(lab, 600, 600, "lost");
    (void)lab_attach(lab, "bob", "phone", 0, at_cursor, 3);
    must_announce(lab, 4, 600, "lost");
    lab_send(lab, LOG, "bob", "n", 1);
    must_deliver(lab, 601, 601);
    stop_hub(lab);
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
        WITH_LAB(what_is_over_is_not_delivered),
        WITH_LAB(each_part_has_its_reason),
        WITH_LAB(all_is_out_and_new_ones_come),
        WITH_LAB(what_should_be_there_and_is_not_is_lost),
    };
    return RUN_GROUP_WITH_SERVER(tests);
}
