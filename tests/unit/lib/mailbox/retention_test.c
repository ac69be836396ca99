#include "tests/support/mailbox/world.h"

#include <inttypes.h>
#include <stdio.h>

enum { POSITIONS_MAX = 4000 };

static void write_config(struct world *world, uint8_t level, uint32_t retention_s)
{
    struct wire_config config = world_config();
    config.level = level;
    config.retention_s = retention_s;
    log_begin(&world->log);
    log_config(&world->log, &config);
    log_by_hub(&world->log);
}

static void start(struct world *world, uint32_t retention_s)
{
    world_init(world, NULL);
    write_config(world, 2, retention_s);
    world_expect(world, "");
}

static void apply(struct world *world)
{
    assert_int_equal(world_apply(world), 0);
    buffer_clear(&world->trace);
}

static void send_at(struct world *world, int64_t at_ms)
{
    static uint64_t number;
    char id[32];
    snprintf(id, sizeof id, "n%" PRIu64, number++);
    world->log.now_ms = at_ms;
    log_begin(&world->log);
    log_message(&world->log, "alice", id, "bob");
    log_by_edge(&world->log);
    apply(world);
}

static void tick_at(struct world *world, int64_t at_ms)
{
    const struct mailbox_state now = mailbox_state(world->mailbox);
    world->log.now_ms = at_ms;
    log_begin(&world->log);
    log_tick(&world->log, now.generation, now.position, now.hash);
    log_by_hub(&world->log);
    apply(world);
}

static uint64_t expired(const struct world *world)
{
    return mailbox_state(world->mailbox).expired_rows;
}

static void a_row_expires_when_it_is_as_old_as_the_retention(void **state)
{
    (void)state;
    struct world world;
    start(&world, 10);
    send_at(&world, 5000);
    send_at(&world, 5000);
    send_at(&world, 6000);
    send_at(&world, 14999);
    assert_int_equal(expired(&world), 0);
    tick_at(&world, 15000); /* ticks move it too */
    assert_int_equal(expired(&world), 2);
    tick_at(&world, 15999);
    assert_int_equal(expired(&world), 2);
    send_at(&world, 16000);
    assert_int_equal(expired(&world), 3);
    tick_at(&world, 12000); /* log time does not go back, nor do they come back */
    assert_int_equal(expired(&world), 3);
    tick_at(&world, 26000);
    assert_int_equal(expired(&world), 5);
    assert_int_equal(mailbox_state(world.mailbox).rows, 5);
    struct mailbox_user user;
    assert_true(mailbox_find_user(world.mailbox, TEXT("bob"), &user));
    assert_int_equal(user.oldest, 1); /* of 5 */
    world_done(&world);
}

static void what_is_passed_over_moves_it_too(void **state)
{
    (void)state;
    struct world world;
    start(&world, 2);
    send_at(&world, 0);
    world.log.now_ms = 2000;
    log_copy(&world.log, 2);
    log_last(&world.log)->data[WIRE_BATCH_HEADER_SIZE] ^= 1;
    world_expect(&world, "passed 4: quarantined\n");
    assert_int_equal(expired(&world), 1);
    world_done(&world);
}

static void none_expire_when_the_retention_is_0(void **state)
{
    (void)state;
    struct world world;
    start(&world, 0);
    for (int64_t i = 0; i < 100; i++)
        send_at(&world, i * 60000);
    assert_int_equal(expired(&world), 0);
    write_config(&world, 2, 60); /* as far as anybody knows, all came with the last one */
    tick_at(&world, 100 * 60000 - 1);
    assert_int_equal(expired(&world), 0);
    tick_at(&world, 100 * 60000);
    assert_int_equal(expired(&world), 100);
    world_done(&world);
}

static void none_expire_below_level_2(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    write_config(&world, 1, 2);
    for (int64_t i = 0; i < 10; i++)
        send_at(&world, i * 10000);
    assert_int_equal(expired(&world), 0);
    write_config(&world, 2, 2);
    send_at(&world, 91000);
    tick_at(&world, 91999);
    assert_int_equal(expired(&world), 0);
    tick_at(&world, 92000); /* 2 s after the last one at the level before */
    assert_int_equal(expired(&world), 10);
    tick_at(&world, 93000);
    assert_int_equal(expired(&world), 11);
    world_done(&world);
}

static void another_retention_counts_from_the_next_position(void **state)
{
    (void)state;
    struct world world;
    start(&world, 100);
    for (int64_t i = 0; i <= 20; i++)
        send_at(&world, i * 1000);
    write_config(&world, 2, 5);
    apply(&world);
    assert_int_equal(expired(&world), 0);
    tick_at(&world, 20001);
    assert_int_equal(expired(&world), 16); /* that of 15 s */
    write_config(&world, 2, 100);
    tick_at(&world, 30000);
    assert_int_equal(expired(&world), 16);
    tick_at(&world, 80000);
    tick_at(&world, 118999);
    assert_int_equal(expired(&world), 19);
    world_done(&world);
}

/* Rows and ticks at uneven times: no row expires too early, and each in time. */
static void check_grain(uint32_t retention_s, int64_t grain_ms, int64_t step_ms)
{
    static int64_t at_ms[POSITIONS_MAX];
    struct world world;
    start(&world, retention_s);
    uint64_t rows = 0;
    uint64_t expired_before = 0;
    int64_t now_ms = 0;
    for (uint64_t i = 0; i < POSITIONS_MAX; i++) {
        now_ms += (int64_t)(i * 7919 % 17) * step_ms / 8;
        if (i % 3 == 0) {
            tick_at(&world, now_ms);
        } else {
            send_at(&world, now_ms);
            at_ms[++rows] = now_ms;
        }
        if (i % 500 == 0) {
            struct mailbox *loaded = saved_and_loaded(world.mailbox);
            mailbox_free(world.mailbox);
            world.mailbox = loaded;
        }
        const uint64_t gone = expired(&world);
        assert_true(gone >= expired_before && gone <= rows);
        assert_true(gone == 0 || at_ms[gone] <= now_ms - (int64_t)retention_s * 1000);
        assert_true(gone == rows || at_ms[gone + 1] > now_ms - (int64_t)retention_s * 1000 -
                                                          grain_ms - 4 * step_ms);
        expired_before = gone;
    }
    assert_true(expired_before > rows / 3);
    world_done(&world);
}

static void rows_expire_within_the_grain(void **state)
{
    (void)state;
    check_grain(2, 1000, 100);
    check_grain(300, 1000, 300);
    check_grain(16384, 2000, 20000);
    check_grain(40000, 4883, 30000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_expires_when_it_is_as_old_as_the_retention),
        cmocka_unit_test(what_is_passed_over_moves_it_too),
        cmocka_unit_test(none_expire_when_the_retention_is_0),
        cmocka_unit_test(none_expire_below_level_2),
        cmocka_unit_test(another_retention_counts_from_the_next_position),
        cmocka_unit_test(rows_expire_within_the_grain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
