#include "tests/support/mailbox/world.h"

#include <errno.h>
#include <stdio.h>

static void send(struct world *world, char incarnation, uint64_t sequence, uint64_t previous)
{
    char id[16];
    snprintf(id, sizeof id, "%c%d", incarnation, (int)sequence);
    log_begin(&world->log);
    log_message(&world->log, "alice", id, "bob");
    log_by_lane(&world->log, "sin", incarnation, sequence, previous);
}

static void expect_lane(const struct world *world, char incarnation, uint64_t sequence)
{
    uint8_t expected[16];
    memset(expected, incarnation, sizeof expected);
    uint8_t is[16];
    uint64_t at;
    assert_true(mailbox_lane(world->mailbox, TEXT("sin"), is, &at));
    assert_memory_equal(is, expected, sizeof is);
    assert_int_equal(at, sequence);
}

static void applies_only_the_next_batch(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    uint8_t incarnation[16];
    uint64_t sequence;
    assert_false(mailbox_lane(world.mailbox, TEXT("sin"), incarnation, &sequence));
    send(&world, 'a', 7, 4); /* out of order: the second first */
    send(&world, 'a', 4, 0);
    send(&world, 'a', 9, 7); /* 7 is not applied */
    send(&world, 'a', 7, 4);
    send(&world, 'a', 7, 4); /* stored twice */
    send(&world, 'a', 9, 7);
    world_expect(&world, "passed 2: lane hole\n"
                         "row 1<0 bob 1:1 alice/a4\nlane sin at 4\n"
                         "passed 4: lane hole\n"
                         "row 2<1 bob 1:2 alice/a7\nlane sin at 7\n"
                         "passed 6: lane repeat\n"
                         "row 3<2 bob 1:3 alice/a9\nlane sin at 9\n");
    expect_lane(&world, 'a', 9);
    world_done(&world);
}

static void a_new_forwarder_repeats_from_behind(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    for (uint64_t i = 1; i <= 4; i++)
        send(&world, 'a', i, i - 1);
    assert_int_equal(world_apply(&world), 0);
    buffer_clear(&world.trace);
    for (uint64_t i = 2; i <= 5; i++)
        send(&world, 'a', i, i - 1);
    send(&world, 'a', 5, 4); /* the old one is still there */
    send(&world, 'a', 6, 5);
    world_expect(&world, "passed 6: lane repeat\npassed 7: lane repeat\npassed 8: lane repeat\n"
                         "row 5<4 bob 1:5 alice/a5\nlane sin at 5\npassed 10: lane repeat\n"
                         "row 6<5 bob 1:6 alice/a6\nlane sin at 6\n");
    world_done(&world);
}

static void a_stamp_that_contradicts_is_a_hole(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    send(&world, 'a', 2, 0);
    send(&world, 'a', 4, 2);
    send(&world, 'a', 6, 3); /* previous is neither ahead nor what was applied last */
    send(&world, 'a', 6, 0);
    world_expect(&world, "row 1<0 bob 1:1 alice/a2\nlane sin at 2\n"
                         "row 2<1 bob 1:2 alice/a4\nlane sin at 4\n"
                         "passed 4: lane hole\npassed 5: lane hole\n");
    world_done(&world);
}

static void an_impossible_stamp_is_quarantined(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    send(&world, 'a', 0, 0);
    send(&world, 'a', 3, 3);
    send(&world, 'a', 3, 4);
    log_begin(&world.log);
    log_message(&world.log, "alice", "m1", "bob");
    log_by_lane(&world.log, "sin", '\0', 1, 0);
    world_expect(&world, "passed 2: quarantined\npassed 3: quarantined\npassed 4: quarantined\n"
                         "passed 5: quarantined\n");
    uint8_t incarnation[16];
    uint64_t sequence;
    assert_false(mailbox_lane(world.mailbox, TEXT("sin"), incarnation, &sequence));
    world_done(&world);
}

static void a_new_incarnation_starts_at_its_start(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    send(&world, 'a', 5, 0);
    send(&world, 'b', 3, 2);
    send(&world, 'b', 2, 0);
    send(&world, 'b', 3, 2);
    world_expect(&world, "row 1<0 bob 1:1 alice/a5\nlane sin at 5\npassed 3: lane hole\n"
                         "row 2<1 bob 1:2 alice/b2\nlane sin at 2\n"
                         "row 3<2 bob 1:3 alice/b3\nlane sin at 3\n");
    expect_lane(&world, 'b', 3);
    world_done(&world);
}

static void an_old_incarnation_does_not_come_back(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    for (int i = 'a'; i <= 'i'; i++) /* i is current, 8 are over */
        send(&world, (char)i, 1, 0);
    assert_int_equal(world_apply(&world), 0);
    buffer_clear(&world.trace);
    for (int i = 'a'; i <= 'h'; i++) {
        send(&world, (char)i, 1, 0);
        send(&world, (char)i, 2, 1);
    }
    assert_int_equal(world_apply(&world), 0);
    expect_lane(&world, 'i', 1);
    assert_int_equal(mailbox_state(world.mailbox).rows, 9);
    send(&world, 'j', 1, 0);
    send(&world, 'b', 3, 0); /* one of the last eight */
    assert_int_equal(world_apply(&world), 0);
    expect_lane(&world, 'j', 1);
    send(&world, 'a', 3, 0); /* one before them */
    assert_int_equal(world_apply(&world), 0);
    expect_lane(&world, 'a', 3);
    world_done(&world);
}

static void a_lane_goes_on_past_a_damaged_body(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    send(&world, 'a', 1, 0);
    send(&world, 'a', 2, 1);
    log_last(&world.log)->data[WIRE_BATCH_HEADER_SIZE + 9] ^= 1;
    send(&world, 'a', 2, 1); /* it was quarantined: this is a repeat */
    send(&world, 'a', 3, 2);
    send(&world, 'a', 5, 4);
    log_last(&world.log)->data[WIRE_BATCH_HEADER_SIZE + 9] ^= 1; /* not its turn: no quarantine */
    world_expect(&world, "row 1<0 bob 1:1 alice/a1\nlane sin at 1\n"
                         "passed 3: quarantined\nlane sin at 2\n"
                         "passed 4: lane repeat\n"
                         "row 2<1 bob 1:2 alice/a3\nlane sin at 3\npassed 6: lane hole\n");
    world_done(&world);
}

static void a_damaged_body_may_start_an_incarnation(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    send(&world, 'a', 1, 0);
    log_last(&world.log)->size--;
    send(&world, 'a', 2, 1);
    world_expect(&world, "passed 2: quarantined\nlane sin at 1\n"
                         "row 1<0 bob 1:1 alice/a2\nlane sin at 2\n");
    world_done(&world);
}

static void a_damaged_header_does_not_move_a_lane(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    send(&world, 'a', 1, 0);
    log_last(&world.log)->data[20] ^= 1; /* in the stamp */
    send(&world, 'a', 1, 0);
    world_expect(&world, "passed 2: quarantined\nrow 1<0 bob 1:1 alice/a1\nlane sin at 1\n");
    world_done(&world);
}

static void a_lane_goes_on_past_kinds_it_may_not_write(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    log_begin(&world.log);
    log_message(&world.log, "alice", "m1", "bob");
    log_own(&world.log, "hub-1", 11, 0);
    log_by_lane(&world.log, "sin", 'a', 1, 0);
    send(&world, 'a', 2, 1);
    world_expect(&world, "passed 2: quarantined\nlane sin at 1\n"
                         "row 1<0 bob 1:1 alice/a2\nlane sin at 2\n");
    assert_int_equal(mailbox_state(world.mailbox).generation, 0);
    world_done(&world);
}

static void count_lane(void *context, struct text source, const uint8_t incarnation[16],
                       uint64_t sequence)
{
    buffer_printf(context, "%.*s %c %d\n", TEXT_ARGS(source), incarnation[0], (int)sequence);
}

static void lanes_of_regions_are_apart(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    log_begin(&world.log);
    log_message(&world.log, "alice", "m1", "bob");
    log_by_lane(&world.log, "sin", 'a', 1, 0);
    log_begin(&world.log);
    log_message(&world.log, "alice", "m2", "bob");
    log_by_lane(&world.log, "iad", 'b', 4, 0);
    send(&world, 'a', 2, 1);
    assert_int_equal(world_apply(&world), 0);
    struct buffer lines = {0};
    mailbox_each_lane(world.mailbox, &lines, count_lane);
    assert_true(text_equal(buffer_text(&lines), TEXT("sin a 2\niad b 4\n")));
    buffer_free(&lines);
    world_done(&world);
}

static void lanes_have_a_bound(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    char region[16];
    for (int i = 0; i < 65; i++) {
        snprintf(region, sizeof region, "r%d", i);
        log_begin(&world.log);
        log_message(&world.log, region, "m1", "bob");
        log_by_lane(&world.log, region, 'a', 1, 0);
    }
    assert_int_equal(world_apply(&world), 0);
    uint8_t incarnation[16];
    uint64_t sequence;
    assert_true(mailbox_lane(world.mailbox, TEXT("r63"), incarnation, &sequence));
    assert_false(mailbox_lane(world.mailbox, TEXT("r64"), incarnation, &sequence));
    assert_int_equal(mailbox_state(world.mailbox).rows, 64);
    world_done(&world);
}

static void a_name_that_is_no_region_has_no_lane(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    send(&world, 'a', 1, 0);
    struct mailbox_input input = log_input(&world.log, 1);
    input.source = TEXT("a-name-longer-than-any-region-may-have");
    const struct mailbox_effects effects = trace_effects(&world.trace);
    assert_int_equal(mailbox_apply(world.mailbox, &input, &effects, &world.why), 0);
    world_expect(&world, "passed 2: quarantined\n");
    world_done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(applies_only_the_next_batch),
        cmocka_unit_test(a_new_forwarder_repeats_from_behind),
        cmocka_unit_test(a_stamp_that_contradicts_is_a_hole),
        cmocka_unit_test(an_impossible_stamp_is_quarantined),
        cmocka_unit_test(a_new_incarnation_starts_at_its_start),
        cmocka_unit_test(an_old_incarnation_does_not_come_back),
        cmocka_unit_test(a_lane_goes_on_past_a_damaged_body),
        cmocka_unit_test(a_damaged_body_may_start_an_incarnation),
        cmocka_unit_test(a_damaged_header_does_not_move_a_lane),
        cmocka_unit_test(a_lane_goes_on_past_kinds_it_may_not_write),
        cmocka_unit_test(lanes_of_regions_are_apart),
        cmocka_unit_test(lanes_have_a_bound),
        cmocka_unit_test(a_name_that_is_no_region_has_no_lane),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
