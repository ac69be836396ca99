/* What counts at which level of the log, and what a mailbox held to a lower level does with it. */
#include "tests/support/mailbox/world.h"

#include <errno.h>

static void write_config(struct world *world, uint8_t level)
{
    struct wire_config config = world_config();
    config.level = level;
    config.devices_max = 1;
    log_begin(&world->log);
    log_config(&world->log, &config);
    log_by_hub(&world->log);
}

static void write_all_of_level_2(struct world *world, const char *id)
{
    log_begin(&world->log);
    log_message(&world->log, "alice", id, "bob");
    log_ack(&world->log, 0, "bob", id, 1, 1); /* a device of that name */
    log_checkpoint(&world->log, 0);
    log_noticed(&world->log, 0, 0);
    log_read(&world->log, 0, "bob", "alice", 1, 1);
    log_by_hub(&world->log);
}

static void below_level_2_nothing_of_it_counts(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    write_config(&world, 1);
    world.log.wants = WIRE_WANT_STORED | WIRE_WANT_DELIVERED | WIRE_WANT_READ;
    write_all_of_level_2(&world, "m1");
    write_all_of_level_2(&world, "m2"); /* m1 is dropped */
    world_expect(&world, "row 1<0 bob 1:1 alice/m1\nacked bob/m1 1:1\npassed 3: refused\n"
                         "passed 3: refused\npassed 3: refused\n"
                         "row 2<1 bob 1:2 alice/m2\ndropped bob/m1\nacked bob/m2 1:1\n"
                         "passed 4: refused\npassed 4: refused\npassed 4: refused\n");
    world_expect_notices(&world, "");
    assert_int_equal(mailbox_state(world.mailbox).checkpoint_position, 0);
    world.log.flags = WIRE_FLAG_NOTICE;
    log_begin(&world.log);
    log_message(&world.log, "alice", "m3", "bob");
    log_by_edge(&world.log);
    world_expect(&world, "row 3<2 bob 1:3 alice/m3\n");
    world_done(&world);
}

static void write_a_freeze(struct world *world)
{
    log_begin(&world->log);
    log_freeze(&world->log, 0, 7, "bob", "sin");
    log_by_hub(&world->log);
}

static void a_mailbox_moves_from_level_3_on(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    write_config(&world, 2);
    write_a_freeze(&world);
    world_expect(&world, "passed 3: refused\n");
    write_config(&world, 3);
    write_a_freeze(&world);
    world_expect(&world, "bob is frozen/sin 7\n");
    world_done(&world);
}

static void it_counts_from_the_config_that_raises_the_level(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    write_config(&world, 1);
    world.log.wants = WIRE_WANT_STORED | WIRE_WANT_DELIVERED | WIRE_WANT_READ;
    write_all_of_level_2(&world, "m1");
    log_begin(&world.log);
    log_message(&world.log, "alice", "m2", "bob");
    log_by_edge(&world.log);
    assert_int_equal(world_apply(&world), 0);
    buffer_clear(&world.trace);
    write_config(&world, 2);
    write_all_of_level_2(&world, "m3");
    world_expect(&world, "row 3<2 bob 1:3 alice/m3\ndropped bob/m1\nacked bob/m3 1:1\n"
                         "read bob of alice 1:1\ncheckpoint 6\n");
    assert_int_equal(mailbox_state(world.mailbox).checkpoint_position, 6);
    log_begin(&world.log);
    log_ack(&world.log, 0, "bob", "m3", 1, 3); /* m2 was stored before and is delivered after */
    log_by_hub(&world.log);
    world_expect_notices(&world, "1 stored bob/ 1:3-3 row 3\n2 dropped bob/m1 1:1-1 row 0\n"
                                 "3 read bob/alice 1:1-1 row 0\n4 delivered bob/ 1:2-3 row 0\n");
    write_config(&world, 1); /* of somebody who has not heard of it: it stays raised */
    assert_int_equal(world_apply(&world), 0);
    assert_int_equal(mailbox_state(world.mailbox).config.level, 2);
    write_all_of_level_2(&world, "m4");
    world_expect(&world, "row 4<3 bob 1:4 alice/m4\ndropped bob/m3\nacked bob/m4 1:1\n"
                         "read bob of alice 1:1\ncheckpoint 9\n");
    world_done(&world);
}

static void a_limit_stops_at_what_is_above_it(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    mailbox_limit_level(world.mailbox, 1);
    write_config(&world, 1);
    world_expect(&world, "");
    write_config(&world, 2);
    world_expect_stop(&world, -EPROTO);
    write_all_of_level_2(&world, "m1");
    world_expect_stop(&world, -EPROTO);
    log_begin(&world.log);
    log_read(&world.log, 0, "bob", "alice", 1, 0);
    log_by_edge(&world.log); /* who must not write it, whoever knows it */
    world_expect(&world, "passed 3: quarantined\n");
    log_begin(&world.log);
    log_message(&world.log, "alice", "m1", "bob");
    log_by_edge(&world.log);
    world_expect(&world, "row 1<0 bob 1:1 alice/m1\n");
    mailbox_limit_level(world.mailbox, 2);
    write_config(&world, 2);
    world_expect(&world, "");
    world_done(&world);
}

static void a_state_above_the_limit_goes_no_further(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    write_config(&world, 2);
    world_expect(&world, "");
    mailbox_limit_level(world.mailbox, 1);
    log_begin(&world.log);
    log_message(&world.log, "alice", "m1", "bob");
    log_by_edge(&world.log);
    world_expect_stop(&world, -EPROTO);
    world_done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(below_level_2_nothing_of_it_counts),
        cmocka_unit_test(it_counts_from_the_config_that_raises_the_level),
        cmocka_unit_test(a_mailbox_moves_from_level_3_on),
        cmocka_unit_test(a_limit_stops_at_what_is_above_it),
        cmocka_unit_test(a_state_above_the_limit_goes_no_further),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
