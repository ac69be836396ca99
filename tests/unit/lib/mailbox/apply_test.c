#include "tests/support/mailbox/world.h"

#include <errno.h>

static void begins_with_a_genesis(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    const struct mailbox_state now = mailbox_state(world.mailbox);
    assert_int_equal(now.position, 1);
    assert_true(text_equal(now.region, TEXT("dub")));
    assert_int_equal(now.shards, 1);
    assert_memory_equal(now.incarnation, "incarnation 0001", 16);
    assert_int_equal(now.time_ms, WORLD_START_MS);
    assert_int_equal(now.generation, 0);
    world_done(&world);
}

static void has_defaults_until_a_config_comes(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    struct wire_config config = mailbox_state(world.mailbox).config;
    assert_int_equal(config.level, 1);
    assert_int_equal(config.dedupe_window_s, 96 * 3600);
    assert_int_equal(config.retention_s, 7 * 24 * 3600);
    assert_int_equal(config.mailbox_max_messages, 100000);
    assert_int_equal(config.mailbox_max_bytes, 268435456);
    assert_int_equal(config.devices_max, 32);
    config = world_config();
    log_begin(&world.log);
    log_config(&world.log, &config);
    log_by_hub(&world.log);
    world_expect(&world, "");
    assert_int_equal(mailbox_state(world.mailbox).config.devices_max, 3);
    world_done(&world);
}

/* A mailbox that has applied nothing, and a log that is to begin with something else. */
static void expect_no_beginning(struct log *log)
{
    struct mailbox *mailbox = mailbox_new();
    struct buffer trace = {0};
    const struct mailbox_effects effects = trace_effects(&trace);
    const struct mailbox_input input = log_input(log, 0);
    struct error_text why;
    assert_int_equal(mailbox_apply(mailbox, &input, &effects, &why), -EPROTO);
    assert_int_equal(mailbox_state(mailbox).position, 0);
    assert_int_equal(trace.size, 0);
    mailbox_free(mailbox);
    log_free(log);
}

static void refuses_a_log_without_a_genesis(void **state)
{
    (void)state;
    struct log log = {0};
    log_begin(&log);
    log_message(&log, "alice", "m1", "bob");
    log_by_edge(&log);
    expect_no_beginning(&log);

    struct wire_genesis genesis = world_genesis();
    log_begin(&log);
    log_genesis(&log, &genesis);
    log_by_edge(&log);
    expect_no_beginning(&log);

    log_begin(&log);
    log_genesis(&log, &genesis);
    log_by_hub(&log);
    log.entries[0].data[WIRE_BATCH_HEADER_SIZE] ^= 1;
    expect_no_beginning(&log);

    log_begin(&log);
    log_genesis(&log, &genesis);
    log_genesis(&log, &genesis);
    log_by_hub(&log);
    expect_no_beginning(&log);
}

static void refuses_a_genesis_of_an_outbox_or_another_hash(void **state)
{
    (void)state;
    struct log log = {0};
    struct wire_genesis genesis = world_genesis();
    genesis.stream = 1;
    genesis.destination = TEXT("sin");
    log_begin(&log);
    log_genesis(&log, &genesis);
    log_by_hub(&log);
    expect_no_beginning(&log);

    genesis = world_genesis();
    genesis.hash_name = TEXT("murmur");
    log_begin(&log);
    log_genesis(&log, &genesis);
    log_by_hub(&log);
    expect_no_beginning(&log);

    genesis = world_genesis();
    genesis.hash_version++;
    log_begin(&log);
    log_genesis(&log, &genesis);
    log_by_hub(&log);
    expect_no_beginning(&log);
}

static void refuses_a_later_genesis_of_another_log(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    struct wire_genesis others[4];
    for (size_t i = 0; i < COUNT_OF(others); i++)
        others[i] = world_genesis();
    others[0].incarnation[3] ^= 1;
    others[1].region = TEXT("sin");
    others[2].shards = 2;
    others[3].shards = 2;
    others[3].shard = 1;
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        log_begin(&world.log);
        log_message(&world.log, "alice", "m1", "bob");
        log_genesis(&world.log, &others[i]);
        log_by_hub(&world.log);
        world_expect_stop(&world, -EPROTO);
    }
    const struct wire_genesis same = world_genesis();
    log_begin(&world.log);
    log_genesis(&world.log, &same);
    log_by_hub(&world.log);
    world_expect(&world, "");
    world_done(&world);
}

static void refuses_positions_that_do_not_follow(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    log_begin(&world.log);
    log_message(&world.log, "alice", "m1", "bob");
    log_by_edge(&world.log);
    const struct mailbox_effects effects = trace_effects(&world.trace);
    static const uint64_t wrong[] = {0, 1, 3, 4, UINT64_MAX};
    struct mailbox_input input = log_input(&world.log, 1);
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        input.position = wrong[i];
        assert_int_equal(mailbox_apply(world.mailbox, &input, &effects, &world.why), -ESTALE);
    }
    assert_int_equal(world.trace.size, 0);
    assert_int_equal(mailbox_state(world.mailbox).position, 1);
    world_expect(&world, "row 1<0 bob 1:1 alice/m1\n");
    world_done(&world);
}

static int64_t time_after(struct world *world, int64_t now_ms)
{
    world->log.now_ms = now_ms;
    log_begin(&world->log);
    log_own(&world->log, "hub-1", 1, 999); /* of no effect */
    log_by_hub(&world->log);
    assert_int_equal(world_apply(world), 0);
    return mailbox_state(world->mailbox).time_ms - WORLD_START_MS;
}

static void log_time_never_goes_back_and_takes_a_minute_at_most(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    assert_int_equal(time_after(&world, 5000), 5000);
    assert_int_equal(time_after(&world, 4999), 5000);
    assert_int_equal(time_after(&world, -WORLD_START_MS - 5), 5000);
    assert_int_equal(time_after(&world, 65000), 65000);
    assert_int_equal(time_after(&world, 125001), 125000);
    assert_int_equal(time_after(&world, INT64_MAX - WORLD_START_MS), 185000);
    world_done(&world);
}

static void log_time_counts_also_where_a_batch_is_passed_over(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    const struct fingerprint before = mailbox_state(world.mailbox).hash;
    world.log.now_ms = 1234;
    log_begin(&world.log);
    log_message(&world.log, "alice", "m1", "bob");
    log_by_edge(&world.log);
    log_last(&world.log)->data[0] ^= 1;
    world_expect(&world, "passed 2: quarantined\n");
    const struct mailbox_state now = mailbox_state(world.mailbox);
    assert_int_equal(now.time_ms, WORLD_START_MS + 1234);
    assert_int_equal(now.position, 2);
    assert_memory_not_equal(now.hash.bytes, before.bytes, sizeof before.bytes);
    world_done(&world);
}

static void a_batch_applies_whole_or_not_at_all(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    for (size_t at = 0; at < 400; at++) {
        log_begin(&world.log);
        log_message(&world.log, "alice", "m1", "bob");
        log_message(&world.log, "alice", "m2", "bob");
        log_message(&world.log, "alice", "m3", "bob");
        log_by_edge(&world.log);
        struct log_entry *entry = log_last(&world.log);
        if (at >= entry->size) {
            log_pop(&world.log);
            break;
        }
        if (at == 4) { /* the version: see below */
            log_pop(&world.log);
            continue;
        }
        entry->data[at] ^= 0x10;
        assert_int_equal(world_apply(&world), 0);
        assert_int_equal(mailbox_state(world.mailbox).rows, 0);
        assert_int_equal(mailbox_state(world.mailbox).dedupe_entries, 0);
    }
    assert_true(mailbox_state(world.mailbox).position > 150);
    world_done(&world);
}

static void every_truncation_is_quarantined(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    log_begin(&world.log);
    log_message(&world.log, "alice", "m1", "bob");
    log_by_edge(&world.log);
    const size_t whole = log_last(&world.log)->size;
    log_last(&world.log)->size = 0;
    world_expect(&world, "passed 2: quarantined\n");
    world.log.entries[1].size = whole;
    for (size_t size = 1; size < whole; size++) {
        log_copy(&world.log, 1);
        log_last(&world.log)->size = size;
        assert_int_equal(world_apply(&world), 0);
    }
    assert_int_equal(mailbox_state(world.mailbox).rows, 0);
    assert_int_equal(mailbox_state(world.mailbox).position, whole + 1);
    world_done(&world);
}

/* Rewrites bytes of the last batch's body, and its checksums with them. */
static void rewrite(struct log *log, size_t at, uint8_t value)
{
    struct log_entry *entry = log_last(log);
    struct wire_batch batch;
    assert_int_equal(wire_batch_read(entry->data, entry->size, &batch), 0);
    struct buffer out = {0};
    struct wire_batch_writer writer;
    wire_batch_begin(&writer, &out);
    buffer_append(&out, batch.body.next, batch.body.left);
    out.data[WIRE_BATCH_HEADER_SIZE + at] = value;
    writer.count = batch.count;
    assert_int_equal(wire_batch_end(&writer), 0);
    assert_int_equal(out.size, entry->size);
    wire_batch_stamp(out.data, &batch.stamp);
    memcpy(entry->data, out.data, out.size);
    buffer_free(&out);
}

static void an_unknown_kind_level_or_version_of_a_hub_stops(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    static const struct {
        size_t at;
        uint8_t value;
    } unknown[] = {{0, 99}, {0, WIRE_SKIP}, {1, WIRE_LEVEL + 1}};
    for (size_t i = 0; i < COUNT_OF(unknown); i++) {
        log_begin(&world.log);
        log_message(&world.log, "alice", "m1", "bob");
        log_by_hub(&world.log);
        rewrite(&world.log, unknown[i].at, unknown[i].value);
        world_expect_stop(&world, -EPROTO);
    }
    log_begin(&world.log);
    log_message(&world.log, "alice", "m1", "bob");
    log_by_hub(&world.log);
    log_last(&world.log)->data[4]++; /* the batch's version */
    world_expect_stop(&world, -EPROTO);
    log_begin(&world.log);
    log_message(&world.log, "alice", "m1", "bob");
    log_by_lane(&world.log, "sin", 'a', 1, 0);
    log_last(&world.log)->data[4]++; /* its stamp cannot be read: the lane could not move on */
    world_expect_stop(&world, -EPROTO);
    world_done(&world);
}

/* An edge that was broken into must not be able to stop a shard, nor to hide behind a number. */
static void an_unknown_kind_level_or_value_of_an_edge_is_quarantined(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    static const struct {
        size_t at;
        uint8_t value;
    } unknown[] = {
        {0, 99}, {0, WIRE_FREEZE}, {1, WIRE_LEVEL} /* the log is at 1 */, {1, WIRE_LEVEL + 1},
        {8, 9}, /* the class of a message */
    };
    uint64_t sequence = 0;
    for (size_t i = 0; i < COUNT_OF(unknown); i++) {
        log_begin(&world.log);
        log_message(&world.log, "alice", "m1", "bob");
        log_by_edge(&world.log);
        rewrite(&world.log, unknown[i].at, unknown[i].value);
        assert_int_equal(world_apply(&world), 0);
        log_begin(&world.log);
        log_message(&world.log, "alice", "m1", "bob");
        log_by_lane(&world.log, "sin", 'a', sequence + 1, sequence);
        rewrite(&world.log, unknown[i].at, unknown[i].value);
        assert_int_equal(world_apply(&world), 0);
        uint8_t incarnation[16];
        uint64_t moved = 0;
        assert_true(mailbox_lane(world.mailbox, TEXT("sin"), incarnation, &moved));
        assert_int_equal(moved, ++sequence); /* the lane goes on */
        buffer_append(&world.trace, "", 1);
        const char *first = strstr((const char *)world.trace.data, "quarantined");
        assert_non_null(first);
        assert_non_null(strstr(first + 1, "quarantined"));
        assert_null(strstr((const char *)world.trace.data, "row"));
        buffer_clear(&world.trace);
    }
    log_begin(&world.log);
    log_message(&world.log, "alice", "m1", "bob");
    log_by_edge(&world.log);
    log_last(&world.log)->data[4]++; /* the batch's version */
    assert_int_equal(world_apply(&world), 0);
    buffer_clear(&world.trace);
    log_begin(&world.log);
    log_message(&world.log, "alice", "m1", "bob");
    log_by_edge(&world.log);
    world_expect(&world, "row 1<0 bob 1:1 alice/m1\n"); /* nothing has stopped */
    world_done(&world);
}

static void a_config_of_a_higher_level_stops(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    struct wire_config config = world_config();
    config.level = WIRE_LEVEL + 1;
    log_begin(&world.log);
    log_message(&world.log, "alice", "m1", "bob");
    log_config(&world.log, &config);
    log_by_hub(&world.log);
    world_expect_stop(&world, -EPROTO);
    world_done(&world);
}

static void edges_write_messages_only(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    const struct wire_genesis genesis = world_genesis();
    const struct wire_config config = world_config();
    for (size_t i = 0; i < 5; i++) {
        log_begin(&world.log);
        log_message(&world.log, "alice", "m1", "bob");
        if (i == 0)
            log_own(&world.log, "hub-1", 1, 0);
        else if (i == 1)
            log_ack(&world.log, 0, "bob", "phone", 1, 0);
        else if (i == 2)
            log_tick(&world.log, 0, 1, mailbox_state(world.mailbox).hash);
        else if (i == 3)
            log_config(&world.log, &config);
        else
            log_genesis(&world.log, &genesis);
        log_by_edge(&world.log);
        assert_int_equal(world_apply(&world), 0);
    }
    world_expect(&world, "passed 2: quarantined\npassed 3: quarantined\npassed 4: quarantined\n"
                         "passed 5: quarantined\npassed 6: quarantined\n");
    assert_int_equal(mailbox_state(world.mailbox).generation, 0);
    assert_int_equal(mailbox_state(world.mailbox).rows, 0);
    world_done(&world);
}

static void an_ephemeral_message_is_quarantined(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    log_begin(&world.log);
    log_message(&world.log, "alice", "m1", "bob");
    log_by_edge(&world.log);
    rewrite(&world.log, 8, WIRE_EPHEMERAL);
    world_expect(&world, "passed 2: quarantined\n");
    world_done(&world);
}

static void a_hub_writes_notices(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    log_begin(&world.log);
    log_message(&world.log, "$meridian", "stored.1", "bob");
    log_by_hub(&world.log);
    world_expect(&world, "row 1<0 bob 1:1 $meridian/stored.1\n");
    world_done(&world);
}

static void users_of_another_shard_are_passed_on(void **state)
{
    (void)state;
    struct world world = {.mailbox = mailbox_new()};
    struct wire_genesis genesis = world_genesis();
    genesis.shards = 2;
    genesis.shard = (uint16_t)hash_shard(TEXT("bob"), 2);
    log_begin(&world.log);
    log_genesis(&world.log, &genesis);
    log_by_hub(&world.log);
    static const char *const names[] = {"u0", "u1", "u2", "u3", "u4", "u5", "u6", "u7"};
    const char *other = NULL;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (hash_shard(text_of(names[i]), 2) != genesis.shard)
            other = names[i];
    }
    assert_non_null(other);
    const char *const both[] = {other, "bob"};
    log_begin(&world.log);
    log_message_to(&world.log, "alice", "m1", both, 2);
    log_by_edge(&world.log);
    log_begin(&world.log);
    log_ack(&world.log, 0, other, "phone", 1, 0);
    log_by_hub(&world.log);
    struct buffer lines = {0};
    buffer_printf(&lines, "misrouted %s alice/m1\nrow 1<0 bob 1:1 alice/m1\npassed 3: refused\n",
                  other);
    world_expect(&world, (const char *)lines.data);
    assert_int_equal(mailbox_state(world.mailbox).users, 1);
    buffer_free(&lines);
    world_done(&world);
}

static void own_applies_only_when_it_expects_the_current_generation(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    log_begin(&world.log);
    log_own(&world.log, "hub-1", 11, 5);
    log_by_hub(&world.log);
    log_begin(&world.log);
    log_own(&world.log, "hub-1", 11, 0);
    log_own(&world.log, "hub-2", 22, 0);
    log_by_hub(&world.log);
    log_begin(&world.log);
    log_own(&world.log, "hub-2", 22, 0);
    log_by_hub(&world.log);
    world_expect(&world, "passed 2: deposed\nowned 3 by hub-1/11\npassed 3: deposed\n"
                         "passed 4: deposed\n");
    assert_true(text_equal(mailbox_state(world.mailbox).owner, TEXT("hub-1")));
    log_begin(&world.log);
    log_own(&world.log, "hub-2", 22, 3);
    log_by_hub(&world.log);
    log_begin(&world.log);
    log_own(&world.log, "", 0, 5);
    log_by_hub(&world.log);
    world_expect(&world, "owned 5 by hub-2/22\nowned 6 by /0\n");
    assert_int_equal(mailbox_state(world.mailbox).generation, 6);
    assert_int_equal(mailbox_state(world.mailbox).owner.size, 0);
    world_done(&world);
}

static void a_deposed_owner_changes_nothing(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    log_begin(&world.log);
    log_own(&world.log, "hub-1", 11, 0);
    log_message(&world.log, "alice", "m1", "bob");
    log_by_hub(&world.log);
    log_begin(&world.log);
    log_own(&world.log, "hub-2", 22, 2);
    log_by_hub(&world.log);
    world_expect(&world, "owned 2 by hub-1/11\nrow 1<0 bob 1:1 alice/m1\nowned 3 by hub-2/22\n");
    log_begin(&world.log);
    log_ack(&world.log, 2, "bob", "phone", 1, 1);
    log_tick(&world.log, 2, 2, (struct fingerprint){.bytes = "wrong"});
    log_by_hub(&world.log);
    world_expect(&world, "passed 4: deposed\npassed 4: deposed\n");
    struct mailbox_user user;
    assert_true(mailbox_find_user(world.mailbox, TEXT("bob"), &user));
    assert_int_equal(mailbox_device_count(&user), 0);
    /* In one batch: the tick is of the generation that the record before it has ended. */
    log_begin(&world.log);
    log_own(&world.log, "hub-1", 12, 3);
    log_tick(&world.log, 3, 2, (struct fingerprint){.bytes = "wrong"});
    log_by_hub(&world.log);
    world_expect(&world, "owned 5 by hub-1/12\npassed 5: deposed\n");
    world_done(&world);
}

static void own_and_write_ticks(struct world *world, struct fingerprint *hashes, size_t count)
{
    log_begin(&world->log);
    log_own(&world->log, "hub-1", 11, 0);
    log_by_hub(&world->log);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(world_apply(world), 0);
        hashes[i] = mailbox_state(world->mailbox).hash; /* of position i + 2 */
        log_begin(&world->log);
        log_tick(&world->log, 2, i + 2, hashes[i]);
        log_by_hub(&world->log);
    }
    assert_int_equal(world_apply(world), 0);
    buffer_clear(&world->trace);
}

static void a_tick_compares_the_hash_of_the_log(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    struct fingerprint hashes[4];
    own_and_write_ticks(&world, hashes, 4);
    for (size_t i = 0; i < 4; i++) {
        log_begin(&world.log);
        log_message(&world.log, "alice", "m1", "bob");
        log_tick(&world.log, 2, i + 2, hashes[i]);
        log_by_hub(&world.log);
        assert_int_equal(world_apply(&world), 0);
    }
    buffer_clear(&world.trace);
    log_begin(&world.log);
    log_message(&world.log, "alice", "m2", "bob");
    log_tick(&world.log, 2, 4, hashes[1]);
    log_by_hub(&world.log);
    world_expect_stop(&world, -EILSEQ);
    world_done(&world);
}

static void a_tick_from_ahead_of_its_place_stops(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    struct fingerprint hashes[1];
    own_and_write_ticks(&world, hashes, 1);
    log_begin(&world.log);
    log_tick(&world.log, 2, 4, hashes[0]);
    log_by_hub(&world.log);
    world_expect_stop(&world, -EILSEQ);
    world_done(&world);
}

static void a_tick_of_a_hash_no_longer_remembered_is_passed_over(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, NULL);
    struct fingerprint hashes[4096];
    own_and_write_ticks(&world, hashes, 4096); /* the last is at position 4098 */
    const struct fingerprint wrong = {.bytes = "wrong"};
    log_begin(&world.log);
    log_tick(&world.log, 2, 3, wrong); /* 4096 positions, up to 4098, are remembered */
    log_by_hub(&world.log);
    world_expect_stop(&world, -EILSEQ);
    log_begin(&world.log);
    log_tick(&world.log, 2, 2, wrong);
    log_by_hub(&world.log);
    world_expect(&world, "");
    struct mailbox *loaded = saved_and_loaded(world.mailbox);
    mailbox_free(world.mailbox);
    world.mailbox = loaded;
    log_begin(&world.log);
    log_tick(&world.log, 2, 4098, wrong); /* before the state was saved */
    log_by_hub(&world.log);
    world_expect(&world, "");
    log_begin(&world.log);
    log_tick(&world.log, 2, 4099, wrong); /* where it was saved */
    log_by_hub(&world.log);
    world_expect_stop(&world, -EILSEQ);
    world_done(&world);
}

static void the_hash_tells_logs_apart(void **state)
{
    (void)state;
    struct fingerprint hashes[4];
    for (size_t i = 0; i < COUNT_OF(hashes); i++) {
        struct world world;
        world_init(&world, NULL);
        log_begin(&world.log);
        log_message(&world.log, "alice", i == 3 ? "m2" : "m1", "bob");
        if (i == 1)
            world.log.now_ms = 1;
        if (i == 2)
            log_by_hub(&world.log);
        else
            log_by_edge(&world.log);
        assert_int_equal(world_apply(&world), 0);
        hashes[i] = mailbox_state(world.mailbox).hash;
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(hashes[i].bytes, hashes[j].bytes, sizeof hashes[i].bytes);
        world_done(&world);
    }
}

static int64_t returned(struct world *world)
{
    assert_int_equal(world_apply(world), 0);
    mailbox_free(saved_and_loaded(world->mailbox));
    const int64_t returned_ms = mailbox_state(world->mailbox).returned_ms;
    return returned_ms == 0 ? 0 : returned_ms - WORLD_START_MS;
}

static void own_at(struct world *world, int64_t now_ms, uint64_t expects)
{
    world->log.now_ms = now_ms;
    log_begin(&world->log);
    log_own(&world->log, "hub-1", 11, expects);
    log_by_hub(&world->log);
}

/* Whether nobody owned it for long. What others write is no sign of an owner. */
static void the_log_shows_when_an_owner_was_away(void **state)
{
    (void)state;
    struct world world;
    struct wire_config config = world_config();
    world_init(&world, &config);
    own_at(&world, 50000, 0); /* the first of all */
    assert_int_equal(returned(&world), 0);
    own_at(&world, 50000 + MAILBOX_PAUSE_MS - 1, 3);
    assert_int_equal(returned(&world), 0);
    int64_t now_ms = world.log.now_ms += MAILBOX_PAUSE_MS - 1;
    const struct mailbox_state before = mailbox_state(world.mailbox);
    log_begin(&world.log);
    log_tick(&world.log, 4, before.position, before.hash);
    log_by_hub(&world.log);
    world.log.now_ms += MAILBOX_PAUSE_MS - 1;
    log_begin(&world.log);
    log_message(&world.log, "alice", "m1", "bob");
    log_by_edge(&world.log);
    own_at(&world, now_ms + MAILBOX_PAUSE_MS, 4);
    assert_int_equal(returned(&world), now_ms + MAILBOX_PAUSE_MS);
    own_at(&world, now_ms + MAILBOX_PAUSE_MS + 5, 7); /* and that it was, the next one knows too */
    assert_int_equal(returned(&world), now_ms + MAILBOX_PAUSE_MS);
    world_done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(begins_with_a_genesis),
        cmocka_unit_test(the_log_shows_when_an_owner_was_away),
        cmocka_unit_test(has_defaults_until_a_config_comes),
        cmocka_unit_test(refuses_a_log_without_a_genesis),
        cmocka_unit_test(refuses_a_genesis_of_an_outbox_or_another_hash),
        cmocka_unit_test(refuses_a_later_genesis_of_another_log),
        cmocka_unit_test(refuses_positions_that_do_not_follow),
        cmocka_unit_test(log_time_never_goes_back_and_takes_a_minute_at_most),
        cmocka_unit_test(log_time_counts_also_where_a_batch_is_passed_over),
        cmocka_unit_test(a_batch_applies_whole_or_not_at_all),
        cmocka_unit_test(every_truncation_is_quarantined),
        cmocka_unit_test(an_unknown_kind_level_or_version_of_a_hub_stops),
        cmocka_unit_test(an_unknown_kind_level_or_value_of_an_edge_is_quarantined),
        cmocka_unit_test(a_config_of_a_higher_level_stops),
        cmocka_unit_test(edges_write_messages_only),
        cmocka_unit_test(an_ephemeral_message_is_quarantined),
        cmocka_unit_test(a_hub_writes_notices),
        cmocka_unit_test(users_of_another_shard_are_passed_on),
        cmocka_unit_test(own_applies_only_when_it_expects_the_current_generation),
        cmocka_unit_test(a_deposed_owner_changes_nothing),
        cmocka_unit_test(a_tick_compares_the_hash_of_the_log),
        cmocka_unit_test(a_tick_from_ahead_of_its_place_stops),
        cmocka_unit_test(a_tick_of_a_hash_no_longer_remembered_is_passed_over),
        cmocka_unit_test(the_hash_tells_logs_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
