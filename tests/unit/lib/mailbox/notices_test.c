#include "tests/support/mailbox/world.h"

#include <inttypes.h>
#include <stdio.h>

enum { GENERATION = 3 };

/* At level 2, owned at position 3. */
static void start(struct world *world)
{
    struct wire_config config = world_config();
    config.level = 2;
    config.mailbox_max_messages = 0;
    world_init(world, &config);
    log_begin(&world->log);
    log_own(&world->log, "hub-1", 11, 0);
    log_by_hub(&world->log);
    world_expect(world, "owned 3 by hub-1/11\n");
}

static void send(struct world *world, const char *id, const char *recipient, uint8_t wants)
{
    world->log.wants = wants;
    log_begin(&world->log);
    log_message(&world->log, "alice", id, recipient);
    log_by_edge(&world->log);
}

static void ack(struct world *world, const char *user, const char *device, uint64_t seq)
{
    log_begin(&world->log);
    log_ack(&world->log, GENERATION, user, device, 1, seq);
    log_by_hub(&world->log);
}

static void noticed(struct world *world, uint64_t generation, uint64_t number)
{
    log_begin(&world->log);
    log_noticed(&world->log, generation, number);
    log_by_hub(&world->log);
}

static void has_read(struct world *world, const char *user, const char *of, uint64_t seq)
{
    log_begin(&world->log);
    log_read(&world->log, GENERATION, user, of, 1, seq);
    log_by_hub(&world->log);
}

static void start_again(struct world *world)
{
    struct mailbox *loaded = saved_and_loaded(world->mailbox);
    mailbox_free(world->mailbox);
    world->mailbox = loaded;
}

static void none_wait_at_first(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    world_expect_notices(&world, "");
    assert_int_equal(mailbox_state(world.mailbox).notices_first, 1);
    assert_int_equal(mailbox_state(world.mailbox).notices_last, 0);
    world_done(&world);
}

static void a_row_that_wants_it_makes_one_of_its_being_stored(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    send(&world, "m1", "bob", 0);
    send(&world, "m2", "bob", WIRE_WANT_STORED);
    send(&world, "m2", "bob", WIRE_WANT_STORED); /* a repeat */
    static const char *const both[] = {"bob", "carol"};
    log_begin(&world.log);
    log_message_to(&world.log, "alice", "m3", both, 2);
    log_by_lane(&world.log, "sin", 'a', 1, 0);
    send(&world, "m4", "bob", WIRE_WANT_DELIVERED | WIRE_WANT_READ);
    world_expect_notices(&world, "1 stored bob/ 1:2-2 row 2\n2 stored bob/ 1:3-3 row 3\n"
                                 "3 stored carol/ 1:1-1 row 4\n");
    world_done(&world);
}

static void the_first_ack_of_what_wants_it_makes_one_of_its_delivery(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    for (int i = 1; i <= 12; i++) {
        char id[16];
        snprintf(id, sizeof id, "m%d", i);
        send(&world, id, "bob", i == 3 || i == 5 || i == 8 ? WIRE_WANT_DELIVERED : 0);
    }
    ack(&world, "bob", "phone", 2); /* before the first that wants it */
    world_expect_notices(&world, "");
    ack(&world, "bob", "phone", 4);
    ack(&world, "bob", "tablet", 4); /* nothing new */
    ack(&world, "bob", "phone", 6);
    ack(&world, "bob", "phone", 5); /* back: passed over */
    world_expect_notices(&world, "1 delivered bob/ 1:3-4 row 0\n2 delivered bob/ 1:5-6 row 0\n");
    start_again(&world);
    ack(&world, "bob", "tablet", 12); /* to the last that wants it */
    ack(&world, "bob", "phone", 12);
    send(&world, "m13", "bob", 0);
    ack(&world, "bob", "phone", 13);
    send(&world, "m14", "bob", WIRE_WANT_DELIVERED);
    ack(&world, "bob", "phone", 14);
    world_expect_notices(&world, "1 delivered bob/ 1:3-4 row 0\n2 delivered bob/ 1:5-6 row 0\n"
                                 "3 delivered bob/ 1:7-8 row 0\n4 delivered bob/ 1:14-14 row 0\n");
    world_done(&world);
}

static void what_a_new_device_begins_behind_is_not_delivered(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    for (int i = 1; i <= 9; i++) {
        char id[16];
        snprintf(id, sizeof id, "m%d", i);
        send(&world, id, "bob", WIRE_WANT_DELIVERED);
    }
    ack(&world, "bob", "phone", 2);  /* it begins there */
    ack(&world, "bob", "laptop", 7); /* and this one at what is the head to it */
    world_expect_notices(&world, "");
    ack(&world, "bob", "laptop", 8); /* passes 1 to 7 by */
    start_again(&world);
    ack(&world, "bob", "phone", 4); /* the first to have them */
    ack(&world, "bob", "phone", 9);
    ack(&world, "bob", "laptop", 9);
    ack(&world, "bob", "tablet", 0);
    ack(&world, "bob", "tablet", 9); /* 1 and 2 are given up: no device was before them */
    world_expect_notices(&world, "1 delivered bob/ 1:8-8 row 0\n2 delivered bob/ 1:3-4 row 0\n"
                                 "3 delivered bob/ 1:5-7 row 0\n4 delivered bob/ 1:9-9 row 0\n");
    world_done(&world);
}

static void each_seq_is_delivered_once_however_devices_pass_each_other(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    for (int i = 1; i <= 9; i++) {
        char id[16];
        snprintf(id, sizeof id, "m%d", i);
        send(&world, id, "bob", WIRE_WANT_DELIVERED);
    }
    ack(&world, "bob", "phone", 0);
    ack(&world, "bob", "laptop", 6);
    ack(&world, "bob", "laptop", 7);
    ack(&world, "bob", "phone", 3);
    ack(&world, "bob", "phone", 9); /* 4 to 6 of what was passed by, 8 and 9 new */
    world_expect_notices(&world, "1 delivered bob/ 1:7-7 row 0\n2 delivered bob/ 1:1-3 row 0\n"
                                 "3 delivered bob/ 1:4-6 row 0\n4 delivered bob/ 1:8-9 row 0\n");
    world_done(&world);
}

static void reading_makes_one_when_anybody_has_asked(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    send(&world, "m1", "bob", WIRE_WANT_DELIVERED);
    has_read(&world, "bob", "alice", 1);
    world_expect(&world, "row 1<0 bob 1:1 alice/m1\nread bob of alice 1:1\n");
    world_expect_notices(&world, "");
    send(&world, "m2", "bob", WIRE_WANT_READ);
    start_again(&world);
    has_read(&world, "bob", "alice", 2);
    has_read(&world, "bob", "somebody else", 1);
    has_read(&world, "bob", "alice", 3);  /* above the head */
    has_read(&world, "erin", "alice", 0); /* not known */
    log_begin(&world.log);
    log_read(&world.log, 2, "bob", "alice", 1, 2);
    log_read(&world.log, GENERATION, "bob", "alice", 2, 2);
    log_by_hub(&world.log);
    world_expect(&world, "row 2<1 bob 1:2 alice/m2\nread bob of alice 1:2\n"
                         "read bob of somebody else 1:1\npassed 9: refused\npassed 10: refused\n"
                         "passed 11: deposed\npassed 11: refused\n");
    start_again(&world);
    world_expect_notices(&world, "1 read bob/alice 1:2-2 row 0\n"
                                 "2 read bob/somebody else 1:1-1 row 0\n");
    world_done(&world);
}

static void a_dropped_device_makes_one(void **state)
{
    (void)state;
    struct world world;
    start(&world); /* 3 devices */
    send(&world, "m1", "bob", 0);
    ack(&world, "bob", "a", 1);
    ack(&world, "bob", "b", 0);
    ack(&world, "bob", "c", 0);
    world_expect_notices(&world, "");
    ack(&world, "bob", "d", 0);
    struct wire_config config = mailbox_state(world.mailbox).config;
    config.devices_max = 1;
    log_begin(&world.log);
    log_config(&world.log, &config);
    log_by_hub(&world.log);
    ack(&world, "bob", "e", 0);
    world_expect_notices(&world, "1 dropped bob/a 1:1-1 row 0\n2 dropped bob/b 1:0-0 row 0\n"
                                 "3 dropped bob/c 1:0-0 row 0\n4 dropped bob/d 1:0-0 row 0\n");
    world_done(&world);
}

static void what_is_noticed_waits_no_more(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    send(&world, "m1", "bob", WIRE_WANT_STORED);
    send(&world, "m2", "bob", WIRE_WANT_STORED);
    send(&world, "m3", "bob", WIRE_WANT_STORED);
    assert_int_equal(world_apply(&world), 0);
    buffer_clear(&world.trace);
    noticed(&world, GENERATION, 2);
    noticed(&world, GENERATION, 1); /* once more: nothing */
    noticed(&world, GENERATION, 0);
    noticed(&world, GENERATION, 4);
    noticed(&world, GENERATION, UINT64_MAX);
    noticed(&world, 2, 3);
    world_expect(&world, "passed 10: refused\npassed 11: refused\npassed 12: deposed\n");
    world_expect_notices(&world, "3 stored bob/ 1:3-3 row 3\n");
    noticed(&world, GENERATION, 3);
    world_expect_notices(&world, "");
    assert_int_equal(mailbox_state(world.mailbox).notices_first, 4);
    start_again(&world);
    send(&world, "m4", "bob", WIRE_WANT_STORED);
    world_expect_notices(&world, "4 stored bob/ 1:4-4 row 4\n");
    assert_int_equal(mailbox_state(world.mailbox).notices_dropped, 0);
    world_done(&world);
}

static void a_notice_wants_nothing(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    world.log.flags = WIRE_FLAG_NOTICE;
    world.log.wants = WIRE_WANT_STORED | WIRE_WANT_DELIVERED | WIRE_WANT_READ;
    log_begin(&world.log);
    log_message(&world.log, WIRE_NOTICE_SENDER, "n1", "bob");
    log_by_hub(&world.log);
    log_begin(&world.log);
    log_message(&world.log, WIRE_NOTICE_SENDER, "n2", "bob");
    log_by_lane(&world.log, "sin", 'a', 1, 0);
    ack(&world, "bob", "phone", 2);
    has_read(&world, "bob", WIRE_NOTICE_SENDER, 2);
    world_expect(&world, "row 1<0 bob 1:1 $meridian/n1\nrow 2<1 bob 1:2 $meridian/n2\n"
                         "lane sin at 1\nacked bob/phone 1:2\nread bob of $meridian 1:2\n");
    world_expect_notices(&world, "");
    world_done(&world);
}

static void nobody_forges_a_notice(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    world.log.flags = WIRE_FLAG_NOTICE;
    log_begin(&world.log);
    log_message(&world.log, WIRE_NOTICE_SENDER, "n1", "bob");
    log_by_edge(&world.log);
    log_begin(&world.log);
    log_message(&world.log, "alice", "n2", "bob");
    log_by_hub(&world.log);
    log_begin(&world.log);
    log_message(&world.log, "alice", "n3", "bob");
    log_by_lane(&world.log, "sin", 'a', 1, 0);
    world.log.flags = 0;
    log_begin(&world.log);
    log_message(&world.log, "alice", "m1", "bob"); /* goes with it */
    log_message(&world.log, WIRE_NOTICE_SENDER, "n4", "bob");
    log_by_lane(&world.log, "sin", 'a', 2, 1);
    log_begin(&world.log);
    log_message(&world.log, WIRE_NOTICE_SENDER, "n5", "bob");
    log_by_edge(&world.log);
    world_expect(&world, "passed 4: quarantined\npassed 5: quarantined\npassed 6: quarantined\n"
                         "lane sin at 1\npassed 7: quarantined\nlane sin at 2\n"
                         "passed 8: quarantined\n");
    world_done(&world);
}

/* Each of the messages becomes 256 rows. */
static void send_to_256(struct world *world, uint64_t messages)
{
    static char names[256][8];
    static uint64_t number;
    const char *recipients[256];
    for (size_t i = 0; i < 256; i++) {
        snprintf(names[i], sizeof names[i], "u%zu", i);
        recipients[i] = names[i];
    }
    world->log.wants = WIRE_WANT_STORED;
    for (uint64_t i = 0; i < messages; i++) {
        char id[32];
        snprintf(id, sizeof id, "n%" PRIu64, number++);
        log_begin(&world->log);
        log_message_to(&world->log, "alice", id, recipients, 256);
        log_by_edge(&world->log);
        assert_int_equal(world_apply(world), 0);
        buffer_clear(&world->trace);
    }
}

static void beyond_the_bound_the_oldest_go(void **state)
{
    (void)state;
    struct world world;
    start(&world);
    send_to_256(&world, MAILBOX_NOTICES_MAX / 256);
    struct mailbox_state now = mailbox_state(world.mailbox);
    assert_int_equal(now.notices_first, 1);
    assert_int_equal(now.notices_last, MAILBOX_NOTICES_MAX);
    assert_int_equal(now.notices_dropped, 0);
    send(&world, "one-more", "bob", WIRE_WANT_STORED);
    assert_int_equal(world_apply(&world), 0);
    now = mailbox_state(world.mailbox);
    assert_int_equal(now.notices_first, 2);
    assert_int_equal(now.notices_last, MAILBOX_NOTICES_MAX + 1);
    assert_int_equal(now.notices_dropped, 1);
    start_again(&world);
    send_to_256(&world, 2);
    now = mailbox_state(world.mailbox);
    assert_int_equal(now.notices_dropped, 513);
    assert_int_equal(now.notices_last - now.notices_first + 1, MAILBOX_NOTICES_MAX);
    struct mailbox_notice notice;
    assert_false(mailbox_notice(world.mailbox, now.notices_first - 1, &notice));
    assert_true(mailbox_notice(world.mailbox, MAILBOX_NOTICES_MAX + 1, &notice));
    assert_true(text_equal(notice.user, TEXT("bob")));
    assert_true(mailbox_notice(world.mailbox, now.notices_last, &notice));
    assert_true(text_equal(notice.user, TEXT("u255")));
    noticed(&world, GENERATION, now.notices_last);
    world_expect_notices(&world, "");
    world_done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none_wait_at_first),
        cmocka_unit_test(a_row_that_wants_it_makes_one_of_its_being_stored),
        cmocka_unit_test(the_first_ack_of_what_wants_it_makes_one_of_its_delivery),
        cmocka_unit_test(what_a_new_device_begins_behind_is_not_delivered),
        cmocka_unit_test(each_seq_is_delivered_once_however_devices_pass_each_other),
        cmocka_unit_test(reading_makes_one_when_anybody_has_asked),
        cmocka_unit_test(a_dropped_device_makes_one),
        cmocka_unit_test(what_is_noticed_waits_no_more),
        cmocka_unit_test(a_notice_wants_nothing),
        cmocka_unit_test(nobody_forges_a_notice),
        cmocka_unit_test(beyond_the_bound_the_oldest_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
