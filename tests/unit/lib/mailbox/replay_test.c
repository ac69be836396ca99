/* One log, applied in different chunks, with crashes in the middle: the states, the rows, all
 * effects, the notices and the bytes saved at each checkpoint must be the same. */
#include "tests/support/mailbox/hub.h"

#include <stdio.h>

enum { BATCHES = 400, CRASHES_MAX = 12, GENERATION = 2, RAISED_AT = 40 };

static const char *const users[] = {"bob", "carol", "dave", "erin", "frank", "grace", "heidi"};

static struct wire_config config_of(uint8_t level)
{
    struct wire_config config = world_config();
    config.level = level;
    config.retention_s = 300;
    config.mailbox_max_messages = 200;
    config.mailbox_max_bytes = 700 * 1000;
    config.devices_max = 2;
    return config;
}

/* What the owner writes, most of it of level 2, which counts from batch RAISED_AT on. */
static void write_of_owner(struct log *log, uint64_t i, const char *user)
{
    static const char *const devices[] = {"phone", "tablet", "watch"};
    const struct wire_config raised = config_of(2);
    log_ack(log, GENERATION, user, devices[i % 7 % COUNT_OF(devices)], 1, i / 50);
    log_read(log, GENERATION, user, "alice", 1, i / 60);
    if (i % 5 == 0)
        log_noticed(log, GENERATION, i < 200 ? i / 4 : 50 + i / 10);
    if (i % 20 == 2)
        log_checkpoint(log, GENERATION);
    if (i == RAISED_AT + 1)
        log_config(log, &raised);
}

static void write_log(struct log *log)
{
    const struct wire_genesis genesis = world_genesis();
    const struct wire_config config = config_of(1);
    log_begin(log);
    log_genesis(log, &genesis);
    log_by_hub(log);
    log_begin(log);
    log_config(log, &config);
    log_own(log, "hub-1", 11, 0);
    log_by_hub(log);
    for (uint64_t i = 0; i < BATCHES; i++) {
        char id[16];
        const char *user = NULL;
        log->now_ms += 3000;
        log_begin(log);
        for (uint64_t j = 0; j < 1 + i % 4; j++) {
            snprintf(id, sizeof id, "m%d", (int)(i * 3 + j));
            user = users[(i + j * j) % COUNT_OF(users)];
            log->wants = (uint8_t)(i % 8);
            log->body_size = i % 11 == 0 ? 40000 : 0;
            log_message(log, "alice", id, user);
        }
        if (i % 3 == 0)
            log_by_edge(log);
        else if (i % 3 == 1)
            log_by_lane(log, "sin", 'a', i + 1, i < 3 ? 0 : i - 2);
        else {
            write_of_owner(log, i, user);
            log_by_hub(log);
        }
        if (i % 29 == 0)
            log_last(log)->data[WIRE_BATCH_HEADER_SIZE] ^= 1;
    }
}

static void run(struct test_hub *hub, size_t chunk, size_t save_every, size_t crash_every)
{
    for (size_t i = 1; mailbox_state(hub->mailbox).position < hub->log->count; i++) {
        test_hub_apply(hub, chunk);
        if (save_every > 0 && i % save_every == 0)
            test_hub_save(hub);
        if (crash_every > 0 && i % crash_every == 0 && i / crash_every <= CRASHES_MAX)
            test_hub_crash(hub);
    }
}

/* The log is worth the trouble. */
static void check_what_happened(struct mailbox_state now, struct buffer *effects)
{
    static const char *const kinds[] = {" stored ", " delivered ", " read ", " dropped "};
    assert_true(now.rows > BATCHES);
    assert_true(now.expired_rows > BATCHES / 2);
    assert_true(now.checkpoint_position > BATCHES - 60);
    assert_true(now.notices_first > 1 && now.notices_last > now.notices_first);
    buffer_append(effects, "", 1);
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        assert_non_null(strstr((const char *)effects->data, kinds[i]));
    effects->size--;
}

static void chunks_and_crashes_change_nothing(void **state)
{
    (void)state;
    struct log log = {0};
    write_log(&log);
    struct test_hub *at_once = test_hub_new(&log, "once");
    run(at_once, log.count, 0, 0);
    struct buffer expected = {0};
    test_hub_tell(at_once, users, COUNT_OF(users), &expected);
    check_what_happened(mailbox_state(at_once->mailbox), &expected);

    static const size_t ways[][3] = {{1, 0, 0},  {7, 3, 0},  {5, 2, 3}, {5, 3, 4},
                                     {13, 1, 1}, {60, 0, 6}, {64, 2, 3}};
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        struct test_hub *hub = test_hub_new(&log, "chunks");
        run(hub, ways[i][0], ways[i][1], ways[i][2]);
        assert_equal_states(hub->mailbox, at_once->mailbox);
        struct buffer lines = {0};
        test_hub_tell(hub, users, COUNT_OF(users), &lines);
        assert_int_equal(lines.size, expected.size);
        assert_memory_equal(lines.data, expected.data, expected.size);
        buffer_free(&lines);
        test_hub_free(hub);
    }
    buffer_free(&expected);
    test_hub_free(at_once);
    log_free(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(chunks_and_crashes_change_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
