/* Home moves, seen from the old home and from the new one. */
#include "tests/support/mailbox/world.h"

#include <stdio.h>

enum { MOVE = 77 };

/* At generation 3, with bob's m1 and m2, and his device at the first. */
static void begin(struct world *world)
{
    struct wire_config config = world_config();
    config.level = 3;
    world_init(world, &config);
    log_begin(&world->log);
    log_own(&world->log, "hub-1", 11, 0);
    log_message(&world->log, "alice", "m1", "bob");
    log_message(&world->log, "alice", "m2", "bob");
    log_ack(&world->log, 3, "bob", "phone", 1, 1);
    log_by_hub(&world->log);
    world_expect(world, "owned 3 by hub-1/11\nrow 1<0 bob 1:1 alice/m1\nrow 2<1 bob 1:2 alice/m2\n"
                        "acked bob/phone 1:1\n");
}

static void send(struct world *world, const char *id)
{
    log_begin(&world->log);
    log_message(&world->log, "alice", id, "bob");
    log_by_edge(&world->log);
}

static void freeze(struct world *world)
{
    log_begin(&world->log);
    log_freeze(&world->log, 3, MOVE, "bob", "sin");
    log_by_hub(&world->log);
}

static void end(struct world *world, uint64_t move, bool done, const char *home)
{
    log_begin(&world->log);
    log_move_end(&world->log, 3, move, "bob", done, home);
    log_by_hub(&world->log);
}

static void what_comes_while_frozen_is_passed_on(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    freeze(&world);
    freeze(&world); /* says nothing new */
    send(&world, "m3");
    send(&world, "m1");
    send(&world, "m3"); /* not known to be a repeat: the new home will know */
    world_expect(&world, "bob is frozen/sin 77\nheld 3 bob alice/m3\nrepeat bob 1:1 alice/m1\n"
                         "held 4 bob alice/m3\n");
    world_expect_notices(&world, "");
    end(&world, 76, true, "sin");
    end(&world, MOVE, true, "dub"); /* this is dub */
    end(&world, MOVE, true, "sin");
    end(&world, MOVE, true, "sin");
    send(&world, "m4");
    world_expect(&world, "passed 9: refused\npassed 10: refused\nbob is away/sin 77\n"
                         "held 5 bob alice/m4\n");
    world_expect_notices(&world, "1 pass on bob/ 1:0-0 row 3\n2 pass on bob/ 1:0-0 row 4\n"
                                 "3 pass on bob/ 1:0-0 row 5\n");
    log_begin(&world.log);
    log_noticed(&world.log, 3, 2);
    log_by_hub(&world.log);
    world_expect_notices(&world, "3 pass on bob/ 1:0-0 row 5\n");
    mailbox_free(saved_and_loaded(world.mailbox));
    world_done(&world);
}

static void what_came_while_frozen_is_appended_after_an_abort(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    freeze(&world);
    world.log.wants = WIRE_WANT_STORED;
    send(&world, "m3");
    world.log.wants = 0;
    send(&world, "m3");
    send(&world, "m4");
    world_expect(&world, "bob is frozen/sin 77\nheld 3 bob alice/m3\nheld 4 bob alice/m3\n"
                         "held 5 bob alice/m4\n");
    mailbox_free(saved_and_loaded(world.mailbox));
    end(&world, MOVE, false, "dub");
    send(&world, "m4");
    send(&world, "m5");
    world_expect(&world, "released 3 as 6<2 bob 1:3\nreleased 5 as 7<6 bob 1:4\nbob is at home/ 0\n"
                         "repeat bob 1:4 alice/m4\nrow 8<7 bob 1:5 alice/m5\n");
    world_expect_notices(&world, "1 stored bob/ 1:3-3 row 6\n");
    end(&world, MOVE, false, "dub");
    world_expect(&world, "passed 11: refused\n");
    struct mailbox_move move;
    assert_false(mailbox_move_of(world.mailbox, TEXT("bob"), &move));
    world_done(&world);
}

static void acks_of_what_is_not_here_are_refused(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    freeze(&world);
    log_begin(&world.log);
    log_ack(&world.log, 3, "bob", "phone", 1, 2);
    log_read(&world.log, 3, "bob", "alice", 1, 2);
    log_by_hub(&world.log);
    world_expect(&world, "bob is frozen/sin 77\npassed 5: refused\npassed 5: refused\n");
    struct mailbox_user user;
    struct buffer devices = {0};
    struct wire_mailbox handed;
    struct wire_mailbox_device device;
    assert_true(mailbox_find_user(world.mailbox, TEXT("bob"), &user));
    mailbox_hand_over(&user, &devices, &handed);
    assert_true(handed.epoch == 1 && handed.head == 2 && handed.oldest == 1 && !handed.asked);
    assert_int_equal(handed.device_count, 1);
    assert_true(wire_mailbox_device_next(&handed.devices, &device));
    assert_true(text_equal(device.name, TEXT("phone")) && device.seq == 1);
    buffer_free(&devices);
    world_done(&world);
}

static void copy(struct world *world, uint64_t move, uint64_t seq, const char *id)
{
    log_begin(&world->log);
    log_move_row(&world->log, 3, move, "carol", seq, "alice", id);
    log_by_hub(&world->log);
}

static void arrive(struct world *world, uint64_t move, uint64_t head, uint64_t oldest)
{
    log_begin(&world->log);
    log_move_in(&world->log, 3, move, "carol", "sin", head, oldest, 40);
    log_by_hub(&world->log);
}

static void send_to_carol(struct world *world, const char *id)
{
    log_begin(&world->log);
    log_message(&world->log, "alice", id, "carol");
    log_by_edge(&world->log);
}

static void a_mailbox_that_comes_goes_on_where_it_was(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    copy(&world, MOVE, 41, "m41");
    copy(&world, MOVE, 42, "m42");
    copy(&world, MOVE, 41, "m41"); /* sent again */
    copy(&world, MOVE, 44, "m44");
    arrive(&world, MOVE, 44, 38);
    copy(&world, MOVE, 43, "m43");
    arrive(&world, MOVE, 43, 38);
    copy(&world, MOVE, 43, "m43");
    arrive(&world, MOVE, 43, 38);
    world_expect(&world, "carol is staged/ 77\nrow 3<0 carol 1:41 alice/m41\n"
                         "row 4<3 carol 1:42 alice/m42\npassed 7: refused\npassed 8: refused\nrow "
                         "5<4 carol 1:43 alice/m43\n"
                         "carol is arrived/sin 77\n");
    struct mailbox_user user;
    struct mailbox_device device;
    assert_true(mailbox_find_user(world.mailbox, TEXT("carol"), &user));
    assert_true(user.head == 43 && user.oldest == 38 && user.epoch == 1 && user.last_row == 5);
    assert_true(mailbox_find_device(&user, TEXT("d0"), &device) && device.seq == 40);
    mailbox_free(saved_and_loaded(world.mailbox));
    log_begin(&world.log);
    log_message(&world.log, "alice", "m42", "carol");
    log_message(&world.log, "alice", "m44", "carol");
    log_by_edge(&world.log);
    log_begin(&world.log);
    log_move_end(&world.log, 3, MOVE, "carol", true, "dub");
    log_by_hub(&world.log);
    world_expect(&world, "repeat carol 1:42 alice/m42\nrow 6<5 carol 1:44 alice/m44\n"
                         "carol is at home/ 0\n");
    world_done(&world);
}

static void a_copy_of_another_freeze_begins_anew(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    copy(&world, MOVE, 41, "m41");
    copy(&world, MOVE, 42, "m42");
    copy(&world, 78, 42, "m42");
    copy(&world, 78, 43, "m43");
    arrive(&world, 78, 43, 42);
    arrive(&world, 79, 43, 42); /* the first must end before */
    world_expect(&world, "carol is staged/ 77\nrow 3<0 carol 1:41 alice/m41\n"
                         "row 4<3 carol 1:42 alice/m42\ncarol is staged/ 78\n"
                         "row 5<0 carol 1:42 alice/m42\nrow 6<5 carol 1:43 alice/m43\n"
                         "carol is arrived/sin 78\npassed 9: refused\n");
    log_begin(&world.log); /* it was decided otherwise */
    log_move_end(&world.log, 3, 78, "carol", false, "sin");
    log_message(&world.log, "alice", "m44", "carol");
    log_by_hub(&world.log);
    world_expect(&world, "carol is away/sin 78\nheld 7 carol alice/m44\n");
    world_expect_notices(&world, "1 pass on carol/ 1:0-0 row 7\n");
    copy(&world, 80, 42, "m42"); /* and again, with success */
    copy(&world, 80, 43, "m43");
    arrive(&world, 80, 43, 42);
    world_expect(
        &world,
        "carol is staged/sin 80\nrow 8<0 carol 1:42 alice/m42\nrow 9<8 carol 1:43 alice/m43\n"
        "carol is arrived/sin 80\n");
    mailbox_free(saved_and_loaded(world.mailbox));
    world_done(&world);
}

static void a_mailbox_without_messages_comes_too(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    arrive(&world, MOVE, 900, 901);
    log_begin(&world.log);
    log_message(&world.log, "alice", "m901", "carol");
    log_by_edge(&world.log);
    world_expect(&world, "carol is staged/ 77\ncarol is arrived/sin 77\n"
                         "row 3<0 carol 1:901 alice/m901\n");
    mailbox_free(saved_and_loaded(world.mailbox));
    world_done(&world);
}

static void who_is_at_home_here_is_not_copied_here(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    log_begin(&world.log);
    log_move_row(&world.log, 3, MOVE, "bob", 3, "alice", "m3");
    log_move_in(&world.log, 3, MOVE, "bob", "sin", 2, 1, 0);
    log_freeze(&world.log, 2, MOVE, "bob", "sin"); /* by an owner that is not any more */
    log_freeze(&world.log, 3, MOVE, "bob", "dub");
    log_move_end(&world.log, 3, MOVE, "nobody", true, "sin");
    log_by_hub(&world.log);
    world_expect(&world, "passed 4: refused\npassed 4: refused\npassed 4: deposed\n"
                         "passed 4: refused\npassed 4: refused\n");
    world_done(&world);
}

static void nothing_moves_below_level_2(void **state)
{
    (void)state;
    struct world world;
    struct wire_config config = world_config();
    world_init(&world, &config);
    log_begin(&world.log);
    log_freeze(&world.log, 0, MOVE, "bob", "sin");
    log_move_row(&world.log, 0, MOVE, "carol", 1, "alice", "m1");
    log_by_hub(&world.log);
    world_expect(&world, "passed 3: refused\npassed 3: refused\n");
    assert_int_equal(mailbox_state(world.mailbox).users, 0);
    world_done(&world);
}

static void no_more_is_held_than_a_mailbox_keeps(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    freeze(&world);
    char id[8] = "x0";
    for (int i = 0; i < 9; i++) { /* the cap is 5 */
        id[1] = (char)('0' + i);
        send(&world, id);
    }
    assert_int_equal(world_apply(&world), 0);
    buffer_clear(&world.trace);
    end(&world, MOVE, true, "sin");
    world_expect(&world, "bob is away/sin 77\n");
    world_expect_notices(&world, "1 pass on bob/ 1:0-0 row 7\n2 pass on bob/ 1:0-0 row 8\n"
                                 "3 pass on bob/ 1:0-0 row 9\n4 pass on bob/ 1:0-0 row 10\n"
                                 "5 pass on bob/ 1:0-0 row 11\n");
    world_done(&world);
}

static void a_mailbox_that_leaves_takes_its_newest_along(void **state)
{
    (void)state;
    static const struct {
        uint64_t from;
        const char *notices;
    } rows[] = {
        {0, "1 pass on bob/ 1:0-0 row 3\n"},
        {1, "1 pass on bob/ 1:1-2 row 2\n2 pass on bob/ 1:0-0 row 3\n"},
        {2, "1 pass on bob/ 1:2-2 row 2\n2 pass on bob/ 1:0-0 row 3\n"},
        {3, "1 pass on bob/ 1:0-0 row 3\n"},
        {UINT64_MAX, "1 pass on bob/ 1:0-0 row 3\n"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct world world;
        begin(&world);
        freeze(&world);
        send(&world, "m3");
        world.log.from = rows[i].from;
        end(&world, MOVE, true, "nrt"); /* not where it was to go */
        assert_int_equal(world_apply(&world), 0);
        world_expect_notices(&world, rows[i].notices);
        mailbox_free(saved_and_loaded(world.mailbox));
        world_done(&world);
    }
}

/* One notice for so many seqs at most. */
static void what_leaves_is_told_of_in_parts(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    struct wire_config config = world_config();
    config.level = 3;
    config.mailbox_max_messages = 0;
    log_begin(&world.log);
    log_config(&world.log, &config);
    for (int i = 3; i <= 258; i++) {
        char id[16];
        snprintf(id, sizeof id, "m%d", i);
        log_message(&world.log, "alice", id, "bob");
    }
    log_by_hub(&world.log);
    freeze(&world);
    world.log.from = 2;
    end(&world, MOVE, true, "sin");
    assert_int_equal(world_apply(&world), 0);
    world_expect_notices(&world,
                         "1 pass on bob/ 1:2-257 row 258\n2 pass on bob/ 1:258-258 row 258\n");
    world_done(&world);
}

static void an_epoch_goes_on_with_the_seqs_of_the_one_before(void **state)
{
    (void)state;
    struct world world;
    struct mailbox_user user;
    begin(&world);
    world.log.epoch = 2;
    copy(&world, MOVE, 41, "m41");
    world.log.epoch = 3;
    copy(&world, MOVE, 42, "m42"); /* of another one than it began with */
    arrive(&world, MOVE, 41, 41);
    world.log.epoch = 2;
    world.log.base = 41;
    arrive(&world, MOVE, 41, 41);
    send_to_carol(&world, "m42");
    world_expect(
        &world,
        "carol is staged/ 77\nrow 3<0 carol 2:41 alice/m41\npassed 5: refused\npassed 6: refused\n"
        "carol is arrived/sin 77\nrow 4<3 carol 2:42 alice/m42\n");
    assert_true(mailbox_find_user(world.mailbox, TEXT("carol"), &user));
    assert_true(user.epoch == 2 && user.head == 42 && user.base == 41);
    mailbox_free(saved_and_loaded(world.mailbox));
    world.log.from = 0;
    log_begin(&world.log); /* and on, by plan: the base is handed over */
    log_move_end(&world.log, 3, MOVE, "carol", true, "dub");
    log_freeze(&world.log, 3, 78, "carol", "nrt");
    log_by_hub(&world.log);
    world_expect(&world, "carol is at home/ 0\ncarol is frozen/nrt 78\n");
    struct buffer devices = {0};
    struct wire_mailbox handed;
    assert_true(mailbox_find_user(world.mailbox, TEXT("carol"), &user));
    mailbox_hand_over(&user, &devices, &handed);
    assert_true(handed.epoch == 2 && handed.head == 42 && handed.base == 41);
    buffer_free(&devices);
    log_begin(&world.log); /* what comes back later begins without one */
    log_move_end(&world.log, 3, 78, "carol", true, "nrt");
    log_by_hub(&world.log);
    world.log.base = 0;
    copy(&world, 79, 42, "m42");
    world_expect(&world,
                 "carol is away/nrt 78\ncarol is staged/nrt 79\nrow 5<0 carol 2:42 alice/m42\n");
    assert_true(mailbox_find_user(world.mailbox, TEXT("carol"), &user));
    assert_true(user.base == 0);
    world_done(&world);
}

static void what_waits_is_counted(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    freeze(&world);
    assert_int_equal(world_apply(&world), 0);
    struct mailbox_moving moving = mailbox_moving(world.mailbox);
    assert_true(moving.users == 1 && moving.held == 0 && moving.held_since_ms == 0);
    const int64_t frozen_ms = mailbox_state(world.mailbox).time_ms;
    send(&world, "m3");
    send(&world, "m4");
    assert_int_equal(world_apply(&world), 0);
    struct mailbox *loaded = saved_and_loaded(world.mailbox);
    moving = mailbox_moving(loaded);
    assert_true(moving.users == 1 && moving.held == 2 && moving.held_since_ms == frozen_ms);
    assert_int_equal(moving.to_pass_on, 0);
    mailbox_free(loaded);
    end(&world, MOVE, true, "sin");
    assert_int_equal(world_apply(&world), 0);
    moving = mailbox_moving(world.mailbox);
    assert_true(moving.users == 0 && moving.held == 0 && moving.held_since_ms == 0);
    assert_int_equal(moving.to_pass_on, 2);
    world_done(&world);
}

static void count(void *context, const struct mailbox_move *move)
{
    size_t *counts = context;
    counts[move->where]++;
}

static void those_that_move_are_found(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    freeze(&world);
    copy(&world, MOVE, 41, "m41");
    assert_int_equal(world_apply(&world), 0);
    size_t counts[MAILBOX_AWAY + 1] = {0};
    mailbox_each_moving(world.mailbox, counts, count);
    assert_true(counts[MAILBOX_FROZEN] == 1 && counts[MAILBOX_STAGED] == 1);
    end(&world, MOVE, true, "sin");
    assert_int_equal(world_apply(&world), 0);
    memset(counts, 0, sizeof counts);
    struct mailbox *loaded = saved_and_loaded(world.mailbox);
    mailbox_each_moving(loaded, counts, count);
    assert_true(counts[MAILBOX_FROZEN] == 0 && counts[MAILBOX_STAGED] == 1);
    assert_int_equal(counts[MAILBOX_AWAY], 0);
    mailbox_free(loaded);
    world_done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_while_frozen_is_passed_on),
        cmocka_unit_test(what_came_while_frozen_is_appended_after_an_abort),
        cmocka_unit_test(acks_of_what_is_not_here_are_refused),
        cmocka_unit_test(a_mailbox_that_comes_goes_on_where_it_was),
        cmocka_unit_test(a_copy_of_another_freeze_begins_anew),
        cmocka_unit_test(a_mailbox_without_messages_comes_too),
        cmocka_unit_test(who_is_at_home_here_is_not_copied_here),
        cmocka_unit_test(nothing_moves_below_level_2),
        cmocka_unit_test(no_more_is_held_than_a_mailbox_keeps),
        cmocka_unit_test(a_mailbox_that_leaves_takes_its_newest_along),
        cmocka_unit_test(what_leaves_is_told_of_in_parts),
        cmocka_unit_test(an_epoch_goes_on_with_the_seqs_of_the_one_before),
        cmocka_unit_test(those_that_move_are_found),
        cmocka_unit_test(what_waits_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
