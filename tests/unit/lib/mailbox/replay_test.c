/* One log, applied in different chunks, with crashes in the middle: the states, the rows and all
 * effects must be the same. */
#include "tests/support/mailbox/hub.h"

#include <stdio.h>

enum { BATCHES = 400, CRASHES_MAX = 12 };

static const char *const users[] = {"bob", "carol", "dave", "erin", "frank", "grace", "heidi"};

static void write_log(struct log *log)
{
    const struct wire_genesis genesis = world_genesis();
    struct wire_config config = world_config();
    config.mailbox_max_messages = 200;
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
            log_message(log, "alice", id, user);
        }
        if (i % 3 == 0)
            log_by_edge(log);
        else if (i % 3 == 1)
            log_by_lane(log, "sin", 'a', i + 1, i < 3 ? 0 : i - 2);
        else {
            log_ack(log, 2, user, "phone", 1, i / 50);
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

static void chunks_and_crashes_change_nothing(void **state)
{
    (void)state;
    struct log log = {0};
    write_log(&log);
    struct test_hub *at_once = test_hub_new(&log, "once");
    run(at_once, log.count, 0, 0);
    struct buffer expected = {0};
    test_hub_tell(at_once, users, COUNT_OF(users), &expected);
    assert_true(mailbox_state(at_once->mailbox).rows > BATCHES);

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
