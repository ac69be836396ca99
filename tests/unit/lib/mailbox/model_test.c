/* Logs made at random from a seed, applied by the mailbox and by the model: after each batch both
 * must have said the same, with a store of closed segments or without. MERIDIAN_SEED and
 * MERIDIAN_BATCHES choose others. */
#include "model.h"
#include "tests/support/mailbox/fake_store.h"
#include "tests/support/mailbox/world.h"

#include <inttypes.h>
#include <stdio.h>

enum { BATCHES = 10000, CHECK_EVERY = 250, TAKE_EVERY = 3 };

struct play {
    struct world world;
    struct model model;
    struct buffer lines; /* of the model */
    uint64_t random;
    struct fake_store *store; /* NULL: none */
};

/* splitmix64, by its published constants */
static uint64_t next(struct play *play)
{
    uint64_t z = play->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static int below(struct play *play, int bound)
{
    return (int)(next(play) % (uint64_t)bound);
}

static bool one_in(struct play *play, int bound)
{
    return below(play, bound) == 0;
}

static struct model_record make_message(struct play *play)
{
    struct model_record record = {.kind = WIRE_MESSAGE,
                                  .sender = below(play, 4),
                                  .id = below(play, 60),
                                  .wants = (uint8_t)(one_in(play, 2) ? below(play, 8) : 0),
                                  .recipient_count = 1 + (size_t)below(play, MODEL_RECIPIENTS_MAX)};
    if (one_in(play, 8))
        record.body_size = 1 + (size_t)below(play, one_in(play, 9) ? WIRE_BODY_MAX : 30000);
    if (one_in(play, 20)) {
        record.flags = WIRE_FLAG_NOTICE;
        record.sender = MODEL_NOTICE_SENDER;
    }
    if (one_in(play, 200))
        record.flags = WIRE_FLAG_NOTICE;
    if (one_in(play, 200))
        record.sender = MODEL_NOTICE_SENDER;
    for (size_t i = 0; i < record.recipient_count; i++)
        record.recipients[i] = below(play, MODEL_USERS);
    return record;
}

static struct model_record make_config(struct play *play)
{
    static const uint32_t windows[] = {8, 40, 80};
    static const uint32_t messages[] = {3, 100, 600, 0};
    static const uint64_t bytes[] = {0, 1, 300000, 1000000};
    static const uint32_t retentions[] = {0, 2, 100, 20000};
    struct model_record record = {.kind = WIRE_CONFIG, .config = world_config()};
    record.config.dedupe_window_s = windows[below(play, 3)];
    record.config.mailbox_max_messages = messages[below(play, 4)];
    record.config.mailbox_max_bytes = bytes[below(play, 4)];
    record.config.retention_s = retentions[below(play, 4)];
    record.config.level = one_in(play, 4) ? 1 : one_in(play, 3) ? 2 : 3;
    record.config.devices_max = (uint16_t)(1 + below(play, MODEL_DEVICES - 1));
    record.config.dedupe_key[0] = (uint8_t)(1 + below(play, 10) / 9);
    return record;
}

static struct model_record make_ack(struct play *play)
{
    struct model_record record = {
        .kind = WIRE_ACK, .user = below(play, MODEL_USERS), .device = below(play, MODEL_DEVICES)};
    const struct model_user *user = &play->model.users[record.user];
    record.epoch = (user->exists ? user->epoch : 1) + one_in(play, 20);
    record.seq = user->head == 0 ? 0 : user->head - (uint64_t)below(play, (int)user->head + 1);
    if (one_in(play, 20))
        record.seq = user->head + 1;
    return record;
}

static struct model_record make_read(struct play *play)
{
    struct model_record record = make_ack(play);
    record.kind = WIRE_READ;
    record.sender = below(play, 4);
    return record;
}

static struct model_record make_noticed(struct play *play)
{
    const struct model *model = &play->model;
    const int most = one_in(play, 3) ? (int)model->notice_count + 2 : 4;
    return (struct model_record){.kind = WIRE_NOTICED,
                                 .number = model->notices_gone + (uint64_t)below(play, most)};
}

/* Mostly what comes next in a move of this user. */
static void choose_move(struct play *play, struct model_record *record)
{
    static const enum wire_kind kinds[] = {WIRE_FREEZE, WIRE_MOVE_ROW, WIRE_MOVE_IN, WIRE_MOVE_END};
    const struct model_user *user = &play->model.users[record->user];
    record->kind = kinds[below(play, 4)];
    record->here = one_in(play, 2);
    record->done = one_in(play, 2);
    if (one_in(play, 8))
        return;
    switch (user->where) {
    case MAILBOX_AT_HOME:
        record->kind = user->head > 0 || one_in(play, 2) ? WIRE_FREEZE : WIRE_MOVE_ROW;
        record->here = false;
        break;
    case MAILBOX_FROZEN:
        record->kind = WIRE_MOVE_END;
        record->done = !record->here;
        break;
    case MAILBOX_STAGED:
        if (record->kind == WIRE_FREEZE)
            record->kind = WIRE_MOVE_ROW;
        record->here = record->done = false;
        break;
    case MAILBOX_ARRIVED:
        record->kind = WIRE_MOVE_END;
        record->done = record->here = !one_in(play, 4);
        break;
    case MAILBOX_AWAY:
        record->kind = one_in(play, 4) ? WIRE_MOVE_IN : WIRE_MOVE_ROW;
        record->here = false;
        break;
    }
}

static struct model_record make_move(struct play *play)
{
    struct model_record record = {.user = below(play, MODEL_USERS),
                                  .sender = below(play, 4),
                                  .id = below(play, 60),
                                  .wants = one_in(play, 2) ? WIRE_WANT_DELIVERED : 0};
    const struct model_user *user = &play->model.users[record.user];
    choose_move(play, &record);
    if (one_in(play, 8))
        record.body_size = 1 + (size_t)below(play, 30000);
    const bool known = user->where != MAILBOX_AT_HOME && user->where != MAILBOX_AWAY;
    record.move = known && !one_in(play, 12) ? user->move : 1 + next(play) % 1000;
    record.seq = user->head + 1;
    record.epoch = user->exists && !one_in(play, 20) ? user->epoch : 1;
    if (user->where == MAILBOX_AWAY && one_in(play, 2))
        record.epoch++;
    if (user->where == MAILBOX_AWAY || one_in(play, 12)) /* the rows begin somewhere */
        record.seq = 1 + user->head / 2 + next(play) % 20;
    if (record.kind == WIRE_MOVE_END && one_in(play, 2))
        record.seq = user->head < 3 ? 0 : 1 + next(play) % (user->head + 2);
    if (record.kind != WIRE_MOVE_IN)
        return record;
    record.seq--;
    record.oldest = record.seq + 1 - next(play) % (record.seq < 100 ? record.seq + 1 : 100);
    if (record.oldest == 0)
        record.oldest = 1;
    record.number = record.seq == 0 ? 0 : record.seq - next(play) % record.seq;
    record.base = record.epoch == 1 ? 0 : next(play) % (record.seq + 1);
    return record;
}

static struct model_record make_record(struct play *play, enum wire_writer writer)
{
    const int kind = writer == WIRE_BY_HUB || one_in(play, 60) ? below(play, 52) : 39;
    struct model_record record = {.kind = WIRE_TICK};
    if (kind == 0)
        record = make_config(play);
    else if (kind < 4)
        record = (struct model_record){.kind = WIRE_OWN, .start = next(play) % 5};
    else if (kind < 30)
        record = make_ack(play);
    else if (kind < 32)
        record = make_read(play);
    else if (kind == 32)
        record = make_noticed(play);
    else if (kind == 33)
        record = (struct model_record){.kind = WIRE_CHECKPOINT};
    else if (kind >= 40)
        record = make_move(play);
    else if (kind >= 36)
        record = make_message(play);
    record.generation =
        one_in(play, 8) ? next(play) % (play->model.position + 1) : play->model.generation;
    return record;
}

/* Mostly the next batch of the lane; else a repeat, a hole, or another incarnation. */
static void make_stamp(struct play *play, struct model_batch *batch)
{
    batch->source = below(play, MODEL_SOURCES);
    const struct model_lane *lane = &play->model.lanes[batch->source];
    batch->incarnation = lane->exists ? lane->incarnation : 0;
    batch->previous = lane->sequence;
    batch->sequence = lane->sequence + 1 + next(play) % 3;
    const int twist = below(play, 12);
    if (twist == 0 && lane->sequence > 4) {
        batch->sequence = lane->sequence - next(play) % 3;
        batch->previous = batch->sequence - 1;
    } else if (twist == 1) {
        batch->previous += 1;
        batch->sequence += 2;
    } else if (twist == 2 && one_in(play, 10)) {
        batch->incarnation = below(play, MODEL_INCARNATIONS);
        batch->previous = one_in(play, 2) ? 0 : lane->sequence;
    }
}

static struct model_batch make_batch(struct play *play)
{
    struct model_batch batch = {.time_ms = play->model.time_ms + below(play, 500) - 50,
                                .writer = (enum wire_writer)below(play, 3),
                                .count = 1 + (size_t)below(play, MODEL_RECORDS_MAX)};
    if (one_in(play, 300))
        batch.time_ms += 100000;
    if (batch.writer == WIRE_BY_LANE)
        make_stamp(play, &batch);
    if (one_in(play, 40))
        batch.damage = one_in(play, 2) ? MODEL_BODY_DAMAGED : MODEL_HEADER_DAMAGED;
    for (size_t i = 0; i < batch.count; i++)
        batch.records[i] = make_record(play, batch.writer);
    return batch;
}

static void write_message(struct log *log, const struct model_record *record)
{
    struct model_name names[MODEL_RECIPIENTS_MAX];
    const char *recipients[MODEL_RECIPIENTS_MAX];
    for (size_t i = 0; i < record->recipient_count; i++) {
        names[i] = model_name("u", record->recipients[i]);
        recipients[i] = names[i].text;
    }
    const struct model_name sender = model_sender_name(record->sender);
    log->wants = record->wants;
    log->flags = record->flags;
    log->body_size = record->body_size;
    log_message_to(log, sender.text, model_name("m", record->id).text, recipients,
                   record->recipient_count);
}

static void write_move(struct log *log, const struct model_record *record)
{
    const struct model_name user = model_name("u", record->user);
    const char *region = record->here ? "dub" : "sin";
    log->wants = record->wants;
    log->flags = 0;
    log->body_size = record->body_size;
    log->epoch = record->epoch;
    log->base = record->base;
    log->from = record->seq;
    if (record->kind == WIRE_FREEZE)
        log_freeze(log, record->generation, record->move, user.text, region);
    else if (record->kind == WIRE_MOVE_ROW)
        log_move_row(log, record->generation, record->move, user.text, record->seq,
                     model_sender_name(record->sender).text, model_name("m", record->id).text);
    else if (record->kind == WIRE_MOVE_IN)
        log_move_in(log, record->generation, record->move, user.text, region, record->seq,
                    record->oldest, record->number);
    else
        log_move_end(log, record->generation, record->move, user.text, record->done, region);
}

static void write_record(struct play *play, const struct model_record *record)
{
    struct log *log = &play->world.log;
    const struct mailbox_state now = mailbox_state(play->world.mailbox);
    if (record->kind == WIRE_MESSAGE)
        write_message(log, record);
    else if (record->kind == WIRE_FREEZE || record->kind == WIRE_MOVE_ROW ||
             record->kind == WIRE_MOVE_IN || record->kind == WIRE_MOVE_END)
        write_move(log, record);
    else if (record->kind == WIRE_CONFIG)
        log_config(log, &record->config);
    else if (record->kind == WIRE_ACK)
        log_ack(log, record->generation, model_name("u", record->user).text,
                model_name("d", record->device).text, record->epoch, record->seq);
    else if (record->kind == WIRE_READ)
        log_read(log, record->generation, model_name("u", record->user).text,
                 model_sender_name(record->sender).text, record->epoch, record->seq);
    else if (record->kind == WIRE_NOTICED)
        log_noticed(log, record->generation, record->number);
    else if (record->kind == WIRE_CHECKPOINT)
        log_checkpoint(log, record->generation);
    else if (record->kind == WIRE_TICK)
        log_tick(log, record->generation, now.position, now.hash);
    else {
        char hub[16];
        snprintf(hub, sizeof hub, "hub-%d", (int)record->start);
        log_own(log, hub, record->start, record->generation);
    }
}

static void write_batch(struct play *play, const struct model_batch *batch)
{
    struct log *log = &play->world.log;
    log->now_ms = batch->time_ms - WORLD_START_MS;
    log_begin(log);
    for (size_t i = 0; i < batch->count; i++)
        write_record(play, &batch->records[i]);
    if (batch->writer == WIRE_BY_EDGE)
        log_by_edge(log);
    else if (batch->writer == WIRE_BY_HUB)
        log_by_hub(log);
    else
        log_by_lane(log, model_name("r", batch->source).text, (char)('a' + batch->incarnation),
                    batch->sequence, batch->previous);
    struct log_entry *entry = log_last(log);
    if (batch->damage == MODEL_HEADER_DAMAGED)
        entry->data[5 + below(play, 44)] ^= 4; /* but for the magic and the version */
    else if (batch->damage == MODEL_BODY_DAMAGED)
        entry->data[WIRE_BATCH_HEADER_SIZE + next(play) % (entry->size - WIRE_BATCH_HEADER_SIZE)] ^=
            4;
}

static void check_device(const struct mailbox_user *user, const struct model_device *expected)
{
    struct mailbox_device device;
    const struct model_name name = model_name("d", expected->device);
    assert_true(mailbox_find_device(user, text_of(name.text), &device));
    assert_int_equal(device.seq, expected->seq);
    assert_int_equal(device.used_ms, expected->used_ms);
}

/* The row found for a seq is that of a seq less than 256 after it, and the other way round. */
static void check_rows(const struct mailbox_user *user, const struct model_user *expected)
{
    for (uint64_t seq = user->oldest; seq <= user->head; seq += 1 + seq % 7) {
        const uint64_t row = mailbox_row_near(user, seq);
        if (expected->messages[seq].row == 0) /* it was gone before the mailbox came here */
            continue;
        uint64_t at = seq;
        while (at < user->head && expected->messages[at].row != row)
            at++;
        assert_int_equal(expected->messages[at].row, row);
        assert_true(at - seq < 256);
        const uint64_t after = mailbox_seq_after_row(user, expected->messages[seq].row - 1);
        assert_true(after >= seq && after - seq < 256);
    }
    assert_int_equal(mailbox_seq_after_row(user, user->last_row), user->head + 1);
}

static void check_user(const struct play *play, int number)
{
    const struct model_user *expected = &play->model.users[number];
    const struct model_name name = model_name("u", number);
    struct mailbox_user user;
    assert_int_equal(mailbox_find_user(play->world.mailbox, text_of(name.text), &user),
                     expected->exists);
    if (!expected->exists)
        return;
    assert_int_equal(user.head, expected->head);
    assert_int_equal(user.oldest, expected->oldest);
    assert_int_equal(user.epoch, expected->epoch);
    assert_int_equal(user.base, expected->base);
    assert_int_equal(user.last_row, expected->last_row);
    assert_int_equal(mailbox_device_count(&user), expected->device_count);
    struct mailbox_move move = {.where = MAILBOX_AT_HOME};
    assert_int_equal(mailbox_move_of(play->world.mailbox, text_of(name.text), &move),
                     expected->where != MAILBOX_AT_HOME);
    assert_int_equal(move.where, expected->where);
    assert_int_equal(move.held, expected->held_count);
    for (size_t i = 0; i < expected->device_count; i++)
        check_device(&user, &expected->devices[i]);
    check_rows(&user, expected);
}

static void check_all(struct play *play)
{
    for (int i = 0; i < MODEL_USERS; i++)
        check_user(play, i);
    const struct mailbox_state now = mailbox_state(play->world.mailbox);
    assert_int_equal(now.rows, play->model.rows);
    assert_int_equal(now.time_ms, play->model.time_ms);
    assert_int_equal(now.dedupe_entries, play->model.seen_count);
    assert_int_equal(now.generation, play->model.generation);
    assert_int_equal(now.expired_rows, play->model.expired_rows);
    assert_int_equal(now.checkpoint_position, play->model.checkpoint_position);
    assert_int_equal(now.notices_first, play->model.notices_gone + 1);
    buffer_clear(&play->lines);
    model_tell_notices(&play->model, &play->lines);
    buffer_append(&play->lines, "", 1);
    world_expect_notices(&play->world, (const char *)play->lines.data);
    if (play->store != NULL)
        (void)fake_store_take(play->store, play->world.mailbox);
    struct mailbox *loaded = saved_and_loaded(play->world.mailbox);
    if (one_in(play, 2)) { /* a start of the hub */
        mailbox_free(play->world.mailbox);
        play->world.mailbox = loaded;
        if (play->store != NULL)
            fake_store_attach(play->store, loaded);
    } else {
        mailbox_free(loaded);
    }
}

static void play_batch(struct play *play)
{
    const struct model_batch batch = make_batch(play);
    write_batch(play, &batch);
    buffer_clear(&play->lines);
    model_apply(&play->model, &batch);
    buffer_append(&play->lines, "", 1);
    world_expect(&play->world, (const char *)play->lines.data);
}

static void play_init(struct play *play, uint64_t seed, struct fake_store *store)
{
    *play = (struct play){.world = {.mailbox = mailbox_new()}, .random = seed, .store = store};
    if (store != NULL)
        fake_store_attach(store, play->world.mailbox);
    struct wire_genesis genesis = world_genesis();
    genesis.shards = 2;
    log_begin(&play->world.log);
    log_genesis(&play->world.log, &genesis);
    log_by_hub(&play->world.log);
    struct wire_config config = world_config(); /* else the first generation outlasts the test */
    config.dedupe_window_s = 8;
    log_begin(&play->world.log);
    log_config(&play->world.log, &config);
    log_by_hub(&play->world.log);
    world_expect(&play->world, "");
    play->model = (struct model){.position = 2,
                                 .time_ms = WORLD_START_MS,
                                 .config = mailbox_state(play->world.mailbox).config,
                                 .shards = 2,
                                 .trace = &play->lines};
}

/* The whole log at once, without a start in between and with nothing in a store, makes the same
 * state. */
static void apply_once_more(const struct play *play)
{
    struct mailbox *again = mailbox_new();
    const struct mailbox_effects silent = {0};
    struct error_text why;
    for (size_t i = 0; i < play->world.log.count; i++) {
        const struct mailbox_input input = log_input(&play->world.log, i);
        assert_int_equal(mailbox_apply(again, &input, &silent, &why), 0);
    }
    if (play->store != NULL) /* so that it saves in the same form */
        fake_store_attach(play->store, again);
    assert_equal_states(again, play->world.mailbox);
    mailbox_free(again);
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
    const char *value = getenv(name);
    uint64_t number;
    return value != NULL && text_to_u64(text_of(value), UINT64_MAX, &number) == 0 ? number
                                                                                  : otherwise;
}

static void play_all(struct fake_store *store)
{
    const uint64_t seed = from_environment("MERIDIAN_SEED", 20261124);
    const uint64_t batches = from_environment("MERIDIAN_BATCHES", BATCHES);
    print_message("seed %" PRIu64 ", %" PRIu64 " batches\n", seed, batches);
    struct play play;
    play_init(&play, seed, store);
    for (uint64_t i = 1; i <= batches; i++) {
        play_batch(&play);
        if (store != NULL && i % TAKE_EVERY == 0)
            (void)fake_store_take(store, play.world.mailbox);
        if (i % CHECK_EVERY == 0)
            check_all(&play);
    }
    check_all(&play);
    apply_once_more(&play);
    assert_true(play.model.rows > batches / 20);
    assert_true(play.model.notices_gone > batches / 100);
    assert_true(play.model.expired_rows > 0 && play.model.checkpoint_position > 0);
    world_done(&play.world);
    buffer_free(&play.lines);
    model_free(&play.model);
}

static void the_mailbox_and_the_model_agree(void **state)
{
    (void)state;
    play_all(NULL);
}

static void they_agree_when_a_store_has_what_is_closed(void **state)
{
    (void)state;
    static struct fake_store store;
    play_all(&store);
    print_message("%d segments dropped, %d finds\n", (int)store.dropped, (int)store.finds);
    assert_true(store.dropped > 20 && store.finds > 1000);
    fake_store_free(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_mailbox_and_the_model_agree),
        cmocka_unit_test(they_agree_when_a_store_has_what_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
