#include "tests/support/mailbox/world.h"

#include <stdio.h>

/* world_config(): a window of 800 s, so generations of 100 s; log time starts at a bound of one. */
enum { WINDOW_MS = 800 * 1000, GENERATION_MS = 100 * 1000 };

static void send(struct world *world, int64_t at_ms, const char *id)
{
    world->log.now_ms = at_ms;
    log_begin(&world->log);
    log_message(&world->log, "alice", id, "bob");
    log_by_edge(&world->log);
}

/* Log time takes a minute at most with each batch. */
static void let_time_pass(struct world *world, int64_t until_ms)
{
    int64_t now_ms;
    while ((now_ms = mailbox_state(world->mailbox).time_ms - WORLD_START_MS) < until_ms) {
        world->log.now_ms = now_ms + 60000 < until_ms ? now_ms + 60000 : until_ms;
        log_begin(&world->log);
        log_own(&world->log, "hub-1", 1, 999);
        log_by_hub(&world->log);
        assert_int_equal(world_apply(world), 0);
    }
    buffer_clear(&world->trace);
}

static void a_repeat_gets_the_cursor_of_the_first(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    log_begin(&world.log);
    log_message(&world.log, "alice", "m1", "bob");
    log_message(&world.log, "alice", "m2", "bob");
    log_message(&world.log, "alice", "m1", "bob");
    log_by_edge(&world.log);
    log_begin(&world.log);
    log_message(&world.log, "alice", "m2", "bob");
    log_message(&world.log, "alice", "m3", "bob");
    log_by_edge(&world.log);
    world_expect(&world, "row 1<0 bob 1:1 alice/m1\nrow 2<1 bob 1:2 alice/m2\n"
                         "repeat bob 1:1 alice/m1\nrepeat bob 1:2 alice/m2\n"
                         "row 3<2 bob 1:3 alice/m3\n");
    assert_int_equal(mailbox_state(world.mailbox).dedupe_entries, 3);
    world_done(&world);
}

static void only_recipient_sender_and_id_make_a_repeat(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    log_begin(&world.log);
    log_message(&world.log, "alice", "m1", "bob");
    log_message(&world.log, "alice", "m1", "carol");
    log_message(&world.log, "dave", "m1", "bob");
    log_message(&world.log, "alice", "m", "bob");
    log_message(&world.log, "alic", "em1", "bob"); /* lengths are part of it */
    log_by_edge(&world.log);
    world_expect(&world, "row 1<0 bob 1:1 alice/m1\nrow 2<0 carol 1:1 alice/m1\n"
                         "row 3<1 bob 1:2 dave/m1\nrow 4<3 bob 1:3 alice/m\n"
                         "row 5<4 bob 1:4 alic/em1\n");
    world_done(&world);
}

static void each_recipient_of_a_list_is_looked_at_alone(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    log_begin(&world.log);
    log_message(&world.log, "alice", "m1", "bob");
    log_by_edge(&world.log);
    const char *const list[] = {"carol", "bob", "carol", "dave"};
    log_begin(&world.log);
    log_message_to(&world.log, "alice", "m1", list, COUNT_OF(list));
    log_by_edge(&world.log);
    world_expect(&world, "row 1<0 bob 1:1 alice/m1\nrow 2<0 carol 1:1 alice/m1\n"
                         "repeat bob 1:1 alice/m1\nrepeat carol 1:1 alice/m1\n"
                         "row 3<0 dave 1:1 alice/m1\n");
    world_done(&world);
}

static void a_batch_stored_twice_is_all_repeats(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    log_begin(&world.log);
    log_message(&world.log, "alice", "m1", "bob");
    log_message(&world.log, "alice", "m1", "carol");
    log_by_edge(&world.log);
    log_copy(&world.log, 1);
    world_expect(&world, "row 1<0 bob 1:1 alice/m1\nrow 2<0 carol 1:1 alice/m1\n"
                         "repeat bob 1:1 alice/m1\nrepeat carol 1:1 alice/m1\n");
    world_done(&world);
}

static void the_window_holds_at_its_bound_and_not_one_past(void **state)
{
    (void)state;
    const struct wire_config config = world_config();
    for (int past = 0; past <= 1; past++) {
        struct world world;
        world_init(&world, &config);
        let_time_pass(&world, GENERATION_MS - 1);
        send(&world, GENERATION_MS - 1, "m1"); /* the last of its generation */
        assert_int_equal(world_apply(&world), 0);
        let_time_pass(&world, GENERATION_MS - 1 + WINDOW_MS - 1);
        send(&world, GENERATION_MS - 1 + WINDOW_MS + past, "m1");
        world_expect(&world, past ? "row 2<1 bob 1:2 alice/m1\n" : "repeat bob 1:1 alice/m1\n");
        assert_int_equal(mailbox_state(world.mailbox).dedupe_entries, 1);
        world_done(&world);
    }
}

static void whole_generations_are_forgotten(void **state)
{
    (void)state;
    const struct wire_config config = world_config();
    struct world world;
    world_init(&world, &config);
    send(&world, 0, "first"); /* kept as long as the last of its generation */
    send(&world, GENERATION_MS / 2, "middle");
    assert_int_equal(world_apply(&world), 0);
    let_time_pass(&world, GENERATION_MS - 1 + WINDOW_MS);
    assert_int_equal(mailbox_state(world.mailbox).dedupe_entries, 2);
    let_time_pass(&world, GENERATION_MS + WINDOW_MS);
    assert_int_equal(mailbox_state(world.mailbox).dedupe_entries, 0);
    world_done(&world);
}

static void a_window_made_shorter_or_longer_counts_from_then_on(void **state)
{
    (void)state;
    struct wire_config config = world_config();
    struct world world;
    world_init(&world, &config);
    send(&world, 0, "m1");
    config.dedupe_window_s = 80;
    log_begin(&world.log);
    log_config(&world.log, &config);
    log_by_hub(&world.log);
    assert_int_equal(world_apply(&world), 0);
    let_time_pass(&world, GENERATION_MS + 80 * 1000 - 1);
    assert_int_equal(mailbox_state(world.mailbox).dedupe_entries, 1);
    let_time_pass(&world, GENERATION_MS + 80 * 1000);
    assert_int_equal(mailbox_state(world.mailbox).dedupe_entries, 0);
    send(&world, 180000, "m2"); /* in a generation of 10 s now */
    config.dedupe_window_s = UINT32_MAX;
    log_begin(&world.log);
    log_config(&world.log, &config);
    log_by_hub(&world.log);
    assert_int_equal(world_apply(&world), 0);
    let_time_pass(&world, 10 * WINDOW_MS);
    send(&world, 10 * WINDOW_MS, "m2");
    world_expect(&world, "repeat bob 1:2 alice/m2\n");
    world_done(&world);
}

static void another_key_knows_nothing_of_the_past(void **state)
{
    (void)state;
    struct wire_config config = world_config();
    struct world world;
    world_init(&world, &config);
    send(&world, 0, "m1");
    config.dedupe_key[0] ^= 1;
    log_begin(&world.log);
    log_config(&world.log, &config);
    log_by_hub(&world.log);
    send(&world, 0, "m1");
    world_expect(&world, "row 1<0 bob 1:1 alice/m1\nrow 2<1 bob 1:2 alice/m1\n");
    world_done(&world);
}

static void many_entries_in_several_generations_are_all_found(void **state)
{
    (void)state;
    const struct wire_config config = world_config();
    struct world world;
    world_init(&world, &config);
    char id[16];
    for (int i = 0; i < 12000; i++) {
        snprintf(id, sizeof id, "m%d", i);
        send(&world, i / 4000 * 60000, id);
    }
    assert_int_equal(world_apply(&world), 0);
    assert_int_equal(mailbox_state(world.mailbox).dedupe_entries, 12000);
    struct mailbox *loaded = saved_and_loaded(world.mailbox);
    mailbox_free(world.mailbox);
    world.mailbox = loaded;
    buffer_clear(&world.trace);
    for (int i = 0; i < 12000; i++) {
        snprintf(id, sizeof id, "m%d", i);
        send(&world, 130000, id);
    }
    assert_int_equal(world_apply(&world), 0);
    assert_int_equal(mailbox_state(world.mailbox).rows, 12000);
    world_done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_repeat_gets_the_cursor_of_the_first),
        cmocka_unit_test(only_recipient_sender_and_id_make_a_repeat),
        cmocka_unit_test(each_recipient_of_a_list_is_looked_at_alone),
        cmocka_unit_test(a_batch_stored_twice_is_all_repeats),
        cmocka_unit_test(the_window_holds_at_its_bound_and_not_one_past),
        cmocka_unit_test(whole_generations_are_forgotten),
        cmocka_unit_test(a_window_made_shorter_or_longer_counts_from_then_on),
        cmocka_unit_test(another_key_knows_nothing_of_the_past),
        cmocka_unit_test(many_entries_in_several_generations_are_all_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
