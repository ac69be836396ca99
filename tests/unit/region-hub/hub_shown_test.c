/* What a device shows without its attach: by whichever edge it counts, no further than it can be
 * true, and is answered once it is in the log. With a real NATS server. */
#include "hub_lab.h"

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
}

static void show(struct lab *lab, const char *user, const char *device, const char *of,
                 uint32_t epoch, uint64_t seq)
{
    const struct wire_entry entry = {.kind = WIRE_SHOW,
                                     .show = {.request = ++lab->requests,
                                              .user = text_of(user),
                                              .device = text_of(device),
                                              .of = text_of(of),
                                              .epoch = epoch,
                                              .seq = seq}};
    lab_say(lab, "ack", &entry);
}

static void must_answer(struct lab *lab, enum wire_answer code, uint64_t seq)
{
    const struct lab_heard *shown = lab_wait_for(lab, WIRE_SHOWN);
    assert_int_equal(shown->code, code);
    if (code == WIRE_OK)
        assert_int_equal(shown->seq, seq);
}

static void must_deliver(struct lab *lab, uint64_t from, uint64_t to)
{
    for (uint64_t seq = from; seq <= to; seq++)
        assert_int_equal(lab_wait_for(lab, WIRE_DELIVER)->seq, seq);
}

/* Its edge has reported nothing, and gets nothing beyond its credit until somebody shows more. */
static void an_ack_lets_deliveries_go_on(void **state)
{
    struct lab *lab = *state;
    start_hub(lab);
    uint64_t attach = lab_attach(lab, "bob", "phone", 0, 0, 0);
    lab_send(lab, LOG, "bob", "a", 300);
    must_deliver(lab, 1, 256);
    lab_must_not_hear(lab, WIRE_DELIVER, 100);
    show(lab, "bob", "phone", "", 1, 100);
    must_deliver(lab, 257, 300);
    must_answer(lab, WIRE_OK, 100);
    lab_report(lab, "bob", "phone", attach, 300, 50); /* a late report takes nothing back */
    show(lab, "bob", "phone", "", 1, 100);
    must_answer(lab, WIRE_OK, 100);
    lab_hub_stop(lab, &lab->hubs[0], true);
}

static void the_attached_edge_is_told(void **state)
{
    struct lab *lab = *state;
    start_hub(lab);
    uint64_t attach = lab_attach(lab, "bob", "phone", 0, 0, 0);
    while (lab_wait_for(lab, WIRE_ACKED)->attach != attach)
        ;
    lab_send(lab, LOG, "bob", "a", 3);
    must_deliver(lab, 1, 3);
    show(lab, "bob", "phone", "", 1, 2);
    assert_int_equal(lab_wait_for(lab, WIRE_ACKED)->seq, 2);
    must_answer(lab, WIRE_OK, 2);
    lab_hub_stop(lab, &lab->hubs[0], true);
}

static void a_device_that_is_not_attached_may_show_what_it_has(void **state)
{
    struct lab *lab = *state;
    start_hub(lab);
    uint64_t attach = lab_attach(lab, "bob", "phone", 0, 0, 0);
    while (lab_wait_for(lab, WIRE_ACKED)->attach != attach)
        ;
    lab_send(lab, LOG, "bob", "a", 5);
    must_deliver(lab, 1, 5);
    const struct wire_entry detach = {
        .kind = WIRE_DETACH,
        .detach = {.user = TEXT("bob"), .device = TEXT("phone"), .attach = attach}};
    lab_say(lab, "detach", &detach);
    LAB_WAIT(lab, lab->beat_attached == 0);
    show(lab, "bob", "phone", "", 1, 4);
    must_answer(lab, WIRE_OK, 4);
    show(lab, "bob", "phone", "", 1, 2); /* it never goes back */
    must_answer(lab, WIRE_OK, 4);
    (void)lab_attach(lab, "bob", "phone", 0, 0, 0);
    assert_int_equal(lab_wait_for(lab, WIRE_DELIVER)->seq, 5);
    lab_hub_stop(lab, &lab->hubs[0], true);
}

static void what_cannot_be_is_refused(void **state)
{
    struct lab *lab = *state;
    static const struct {
        const char *user, *device, *of;
        uint32_t epoch;
        uint64_t seq;
        enum wire_answer code;
    } rows[] = {
        {"bob", "phone", "", 1, 3, WIRE_OK},
        {"bob", "phone", "", 1, 4, WIRE_REFUSED}, /* above the head */
        {"bob", "phone", "", 0, 1, WIRE_REFUSED},
        {"bob", "phone", "", 2, 1, WIRE_REFUSED},
        {"bob", "tablet", "", 1, 0, WIRE_OK},
        {"bob", "phone", "alice", 1, 0, WIRE_REFUSED},
        {"bob", "phone", "alice", 1, 4, WIRE_REFUSED},
        {"bob", "tablet", "alice", 1, 1, WIRE_REFUSED}, /* nothing is known of it */
        {"bob", "tablet", "", 1, 1, WIRE_OK},           /* it got that and has gone since */
        {"bob", "phone", "alice", 1, 3, WIRE_OK},
    };
    start_hub(lab);
    (void)lab_attach(lab, "bob", "phone", 0, 0, 0);
    lab_send(lab, LOG, "bob", "a", 3);
    must_deliver(lab, 1, 3);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        show(lab, rows[i].user, rows[i].device, rows[i].of, rows[i].epoch, rows[i].seq);
        must_answer(lab, rows[i].code, rows[i].seq);
    }
    lab_hub_stop(lab, &lab->hubs[0], true);
}

static void what_is_not_sent_yet_waits(void **state)
{
    struct lab *lab = *state;
    start_hub(lab);
    (void)lab_attach(lab, "bob", "phone", 0, 0, 0);
    lab_send(lab, LOG, "bob", "a", 300);
    must_deliver(lab, 1, 256);
    show(lab, "bob", "phone", "", 1, 257);
    lab_must_not_hear(lab, WIRE_SHOWN, 100);
    show(lab, "bob", "phone", "", 1, 256);
    must_answer(lab, WIRE_OK, 256);
    must_deliver(lab, 257, 300);
    show(lab, "bob", "phone", "", 1, 257); /* asked again */
    must_answer(lab, WIRE_OK, 257);
    lab_hub_stop(lab, &lab->hubs[0], true);
}

static void a_repeat_of_a_read_is_answered(void **state)
{
    struct lab *lab = *state;
    start_hub(lab);
    (void)lab_attach(lab, "bob", "phone", 0, 0, 0);
    lab_send(lab, LOG, "bob", "a", 3);
    must_deliver(lab, 1, 3);
    for (int i = 0; i < 2; i++) {
        show(lab, "bob", "phone", "alice", 1, 2);
        must_answer(lab, WIRE_OK, 2);
    }
    lab_hub_stop(lab, &lab->hubs[0], true);
}

static void a_mailbox_that_moves_takes_nothing(void **state)
{
    struct lab *lab = *state;
    start_hub(lab);
    (void)lab_attach(lab, "bob", "phone", 0, 0, 0);
    lab_send(lab, LOG, "bob", "a", 2);
    must_deliver(lab, 1, 2);
    lab_freeze(lab, "bob");
    LAB_WAIT(lab, hub_shard_status(lab->hubs[0].shard).position >= lab->stored);
    show(lab, "bob", "phone", "", 1, 1);
    show(lab, "bob", "phone", "alice", 1, 1);
    lab_must_not_hear(lab, WIRE_SHOWN, 100);
    lab_move_end(lab, "bob", WIRE_MOVE_DONE, "dub");
    LAB_WAIT(lab, lab->beat_attached == 0);
    show(lab, "bob", "phone", "", 1, 1);
    must_answer(lab, WIRE_NOT_HOME, 0);
    lab_hub_stop(lab, &lab->hubs[0], true);
}

static void set_bound(struct hub_settings *settings)
{
    settings->shown_max = 1;
}

/* Past the bound all are taken, and who is not told asks again. */
static void who_waits_is_bounded(void **state)
{
    struct lab *lab = *state;
    lab->adjust = set_bound;
    start_hub(lab);
    (void)lab_attach(lab, "bob", "phone", 0, 0, 0);
    (void)lab_attach(lab, "bob", "tablet", 0, 0, 0);
    lab_send(lab, LOG, "bob", "a", 2);
    must_deliver(lab, 1, 2);
    show(lab, "bob", "phone", "", 1, 2);
    show(lab, "bob", "tablet", "", 1, 2);
    must_answer(lab, WIRE_OK, 2);
    lab_must_not_hear(lab, WIRE_SHOWN, 100);
    show(lab, "bob", "tablet", "", 1, 2);
    must_answer(lab, WIRE_OK, 2);
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
        WITH_LAB(an_ack_lets_deliveries_go_on),
        WITH_LAB(the_attached_edge_is_told),
        WITH_LAB(a_device_that_is_not_attached_may_show_what_it_has),
        WITH_LAB(what_cannot_be_is_refused),
        WITH_LAB(what_is_not_sent_yet_waits),
        WITH_LAB(a_repeat_of_a_read_is_answered),
        WITH_LAB(a_mailbox_that_moves_takes_nothing),
        WITH_LAB(who_waits_is_bounded),
    };
    return RUN_GROUP_WITH_SERVER(tests);
}
