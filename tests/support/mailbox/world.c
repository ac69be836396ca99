#include "tests/support/mailbox/world.h"

#include <inttypes.h>

void log_begin(struct log *log)
{
    buffer_clear(&log->out);
    wire_batch_begin(&log->writer, &log->out);
}

static struct wire_message make_message(const struct log *log, const char *sender, const char *id)
{
    static char long_body[WIRE_BODY_MAX];
    memset(long_body, '1', log->body_size);
    struct wire_message message = {.wants = log->wants,
                                   .flags = log->flags,
                                   .sender = text_of(sender),
                                   .device = TEXT("phone"),
                                   .id = text_of(id),
                                   .body = TEXT("{\"text\":\"hello\"}"),
                                   .created_ms = 77};
    if (log->body_size > 0)
        message.body = (struct text){long_body, log->body_size};
    return message;
}

void log_message_to(struct log *log, const char *sender, const char *id,
                    const char *const *recipients, size_t count)
{
    struct wire_recipient list[WIRE_RECIPIENTS_MAX];
    for (size_t i = 0; i < count; i++)
        list[i] = (struct wire_recipient){.kind = WIRE_USER, .name = text_of(recipients[i])};
    const struct wire_message message = make_message(log, sender, id);
    wire_message_write(&log->writer, &message, list, count);
}

void log_message(struct log *log, const char *sender, const char *id, const char *recipient)
{
    log_message_to(log, sender, id, &recipient, 1);
}

void log_ack(struct log *log, uint64_t generation, const char *user, const char *device,
             uint32_t epoch, uint64_t seq)
{
    wire_ack_write(&log->writer, &(struct wire_ack){.generation = generation,
                                                    .user = text_of(user),
                                                    .device = text_of(device),
                                                    .epoch = epoch,
                                                    .seq = seq});
}

void log_own(struct log *log, const char *hub, uint64_t start, uint64_t expects)
{
    wire_own_write(&log->writer,
                   &(struct wire_own){.hub = text_of(hub), .start = start, .expects = expects});
}

void log_tick(struct log *log, uint64_t generation, uint64_t position, struct fingerprint hash)
{
    wire_tick_write(
        &log->writer,
        &(struct wire_tick){.generation = generation, .position = position, .hash = hash});
}

void log_checkpoint(struct log *log, uint64_t generation)
{
    wire_checkpoint_write(&log->writer, &(struct wire_checkpoint){.generation = generation});
}

void log_noticed(struct log *log, uint64_t generation, uint64_t number)
{
    wire_noticed_write(&log->writer,
                       &(struct wire_noticed){.generation = generation, .number = number});
}

void log_read(struct log *log, uint64_t generation, const char *user, const char *of,
              uint32_t epoch, uint64_t seq)
{
    wire_read_write(&log->writer, &(struct wire_read){.generation = generation,
                                                      .user = text_of(user),
                                                      .of = text_of(of),
                                                      .epoch = epoch,
                                                      .seq = seq});
}

void log_freeze(struct log *log, uint64_t generation, uint64_t move, const char *user,
                const char *to)
{
    wire_freeze_write(&log->writer, &(struct wire_freeze){.generation = generation,
                                                          .move = move,
                                                          .user = text_of(user),
                                                          .to = text_of(to)});
}

static uint32_t epoch_of(const struct log *log)
{
    return log->epoch == 0 ? 1 : log->epoch;
}

void log_move_row(struct log *log, uint64_t generation, uint64_t move, const char *user,
                  uint64_t seq, const char *sender, const char *id)
{
    wire_move_row_write(&log->writer,
                        &(struct wire_move_row){.generation = generation,
                                                .move = move,
                                                .epoch = epoch_of(log),
                                                .seq = seq,
                                                .at_ms = 5,
                                                .user = text_of(user),
                                                .message = make_message(log, sender, id)});
}

void log_move_in(struct log *log, uint64_t generation, uint64_t move, const char *user,
                 const char *from, uint64_t head, uint64_t oldest, uint64_t acked)
{
    struct buffer devices = {0};
    wire_mailbox_device_write(
        &devices, &(struct wire_mailbox_device){.name = TEXT("d0"), .seq = acked, .used_ms = 3});
    const struct wire_move_in move_in = {
        .generation = generation,
        .move = move,
        .user = text_of(user),
        .from = text_of(from),
        .mailbox = {.epoch = epoch_of(log),
                    .head = head,
                    .oldest = oldest,
                    .asked = log->wants != 0,
                    .delivered = log->wants != 0 ? acked : 0,
                    .delivered_to = log->wants != 0 ? head : 0,
                    .base = log->base,
                    .device_count = 1,
                    .devices = wire_cursor_of(devices.data, devices.size)}};
    wire_move_in_write(&log->writer, &move_in);
    buffer_free(&devices);
}

void log_move_end(struct log *log, uint64_t generation, uint64_t move, const char *user, bool done,
                  const char *home)
{
    wire_move_end_write(&log->writer, &(struct wire_move_end){.generation = generation,
                                                              .move = move,
                                                              .user = text_of(user),
                                                              .outcome = done,
                                                              .home = text_of(home),
                                                              .from = log->from});
}

void log_config(struct log *log, const struct wire_config *config)
{
    wire_config_write(&log->writer, config);
}

void log_genesis(struct log *log, const struct wire_genesis *genesis)
{
    wire_genesis_write(&log->writer, genesis);
}

static struct log_entry *add(struct log *log, const void *data, size_t size)
{
    if (log->count == log->capacity) {
        log->capacity = log->capacity == 0 ? 16 : 2 * log->capacity;
        log->entries = realloc(log->entries, log->capacity * sizeof *log->entries);
        assert_non_null(log->entries);
    }
    struct log_entry *entry = &log->entries[log->count++];
    *entry = (struct log_entry){.time_ms = WORLD_START_MS + log->now_ms, .size = size};
    entry->data = malloc(size + 1);
    assert_non_null(entry->data);
    if (size > 0)
        memcpy(entry->data, data, size);
    return entry;
}

static struct log_entry *end(struct log *log, enum wire_writer writer)
{
    assert_int_equal(wire_batch_end(&log->writer), 0);
    struct log_entry *entry = add(log, log->out.data, log->out.size);
    entry->writer = writer;
    return entry;
}

void log_by_edge(struct log *log)
{
    end(log, WIRE_BY_EDGE);
}

void log_by_hub(struct log *log)
{
    end(log, WIRE_BY_HUB);
}

void log_by_lane(struct log *log, const char *source, char incarnation, uint64_t sequence,
                 uint64_t previous)
{
    struct log_entry *entry = end(log, WIRE_BY_LANE);
    struct wire_stamp stamp = {.sequence = sequence, .previous = previous};
    memset(stamp.incarnation, incarnation, sizeof stamp.incarnation);
    wire_batch_stamp(entry->data, &stamp);
    assert_int_equal(text_put(entry->source, sizeof entry->source, text_of(source)), 0);
}

void log_copy(struct log *log, size_t index)
{
    const struct log_entry from = log->entries[index];
    struct log_entry *entry = add(log, from.data, from.size);
    entry->writer = from.writer;
    memcpy(entry->source, from.source, sizeof entry->source);
}

struct mailbox_input log_input(const struct log *log, size_t index)
{
    const struct log_entry *entry = &log->entries[index];
    return (struct mailbox_input){.position = index + 1,
                                  .time_ms = entry->time_ms,
                                  .writer = entry->writer,
                                  .source = text_of(entry->source),
                                  .data = entry->data,
                                  .size = entry->size};
}

struct log_entry *log_last(struct log *log)
{
    return &log->entries[log->count - 1];
}

void log_pop(struct log *log)
{
    free(log->entries[--log->count].data);
}

void log_free(struct log *log)
{
    while (log->count > 0)
        log_pop(log);
    free(log->entries);
    buffer_free(&log->out);
    *log = (struct log){0};
}

struct wire_genesis world_genesis(void)
{
    return (struct wire_genesis){.incarnation = "incarnation 0001",
                                 .region = TEXT("dub"),
                                 .destination = TEXT(""),
                                 .shard = 0,
                                 .shards = 1,
                                 .hash_name = TEXT(HASH_SHARD_NAME),
                                 .hash_version = HASH_SHARD_VERSION};
}

struct wire_config world_config(void)
{
    return (struct wire_config){.level = 1,
                                .dedupe_window_s = 800,
                                .retention_s = 3600,
                                .mailbox_max_messages = 5,
                                .mailbox_max_bytes = 1 << 20,
                                .devices_max = 3,
                                .dedupe_key = "a key of 16 byte"};
}

static void on_appended(void *context, const struct mailbox_row *row)
{
    buffer_printf(context, "row %" PRIu64 "<%" PRIu64 " %.*s %u:%" PRIu64 " %.*s/%.*s\n", row->row,
                  row->previous_row, TEXT_ARGS(row->user), row->epoch, row->seq,
                  TEXT_ARGS(row->message->sender), TEXT_ARGS(row->message->id));
}

static void on_repeated(void *context, struct text user, const struct wire_message *message,
                        uint32_t epoch, uint64_t seq)
{
    buffer_printf(context, "repeat %.*s %u:%" PRIu64 " %.*s/%.*s\n", TEXT_ARGS(user), epoch, seq,
                  TEXT_ARGS(message->sender), TEXT_ARGS(message->id));
}

static void on_acked(void *context, struct text user, struct text device, uint32_t epoch,
                     uint64_t seq)
{
    buffer_printf(context, "acked %.*s/%.*s %u:%" PRIu64 "\n", TEXT_ARGS(user), TEXT_ARGS(device),
                  epoch, seq);
}

static void on_device_dropped(void *context, struct text user, struct text device)
{
    buffer_printf(context, "dropped %.*s/%.*s\n", TEXT_ARGS(user), TEXT_ARGS(device));
}

static void on_owned(void *context, uint64_t generation, struct text hub, uint64_t start)
{
    buffer_printf(context, "owned %" PRIu64 " by %.*s/%" PRIu64 "\n", generation, TEXT_ARGS(hub),
                  start);
}

static void on_lane_moved(void *context, struct text source, uint64_t sequence)
{
    buffer_printf(context, "lane %.*s at %" PRIu64 "\n", TEXT_ARGS(source), sequence);
}

static void on_passed(void *context, const struct mailbox_input *input, enum mailbox_passed why,
                      const char *reason)
{
    static const char *const names[] = {"quarantined", "lane repeat", "lane hole",
                                        "lane old",    "deposed",     "refused"};
    assert_true(why < COUNT_OF(names) && reason != NULL);
    buffer_printf(context, "passed %" PRIu64 ": %s\n", input->position, names[why]);
}

static void on_misrouted(void *context, struct text user, const struct wire_message *message)
{
    buffer_printf(context, "misrouted %.*s %.*s/%.*s\n", TEXT_ARGS(user),
                  TEXT_ARGS(message->sender), TEXT_ARGS(message->id));
}

static void on_checkpoint(void *context, uint64_t position)
{
    buffer_printf(context, "checkpoint %" PRIu64 "\n", position);
}

static void on_read(void *context, const struct wire_read *read)
{
    buffer_printf(context, "read %.*s of %.*s %u:%" PRIu64 "\n", TEXT_ARGS(read->user),
                  TEXT_ARGS(read->of), read->epoch, read->seq);
}

static void on_held(void *context, const struct mailbox_row *row)
{
    assert_true(row->epoch == 0 && row->seq == 0 && row->previous_row == 0);
    buffer_printf(context, "held %" PRIu64 " %.*s %.*s/%.*s\n", row->row, TEXT_ARGS(row->user),
                  TEXT_ARGS(row->message->sender), TEXT_ARGS(row->message->id));
}

static void on_released(void *context, const struct mailbox_row *row, uint64_t held_row)
{
    assert_null(row->message);
    buffer_printf(context, "released %" PRIu64 " as %" PRIu64 "<%" PRIu64 " %.*s %u:%" PRIu64 "\n",
                  held_row, row->row, row->previous_row, TEXT_ARGS(row->user), row->epoch,
                  row->seq);
}

static void on_moved(void *context, const struct mailbox_move *move)
{
    static const char *const names[] = {"at home", "frozen", "staged", "arrived", "away"};
    buffer_printf(context, "%.*s is %s/%.*s %" PRIu64 "\n", TEXT_ARGS(move->user),
                  names[move->where], TEXT_ARGS(move->region), move->move);
}

struct mailbox_effects trace_effects(struct buffer *trace)
{
    return (struct mailbox_effects){.context = trace,
                                    .appended = on_appended,
                                    .repeated = on_repeated,
                                    .acked = on_acked,
                                    .device_dropped = on_device_dropped,
                                    .owned = on_owned,
                                    .lane_moved = on_lane_moved,
                                    .passed = on_passed,
                                    .misrouted = on_misrouted,
                                    .checkpoint = on_checkpoint,
                                    .read = on_read,
                                    .held = on_held,
                                    .released = on_released,
                                    .moved = on_moved};
}

void trace_notices(const struct mailbox *mailbox, struct buffer *trace)
{
    static const char *const kinds[] = {"stored", "delivered", "read", "dropped", "pass on"};
    const struct mailbox_state state = mailbox_state(mailbox);
    struct mailbox_notice notice;
    for (uint64_t number = state.notices_first; number <= state.notices_last; number++) {
        assert_true(mailbox_notice(mailbox, number, &notice) && notice.kind < COUNT_OF(kinds));
        buffer_printf(trace,
                      "%" PRIu64 " %s %.*s/%.*s %u:%" PRIu64 "-%" PRIu64 " row %" PRIu64 "\n",
                      number, kinds[notice.kind], TEXT_ARGS(notice.user), TEXT_ARGS(notice.other),
                      notice.epoch, notice.from, notice.to, notice.row);
    }
    assert_false(mailbox_notice(mailbox, state.notices_first - 1, &notice));
    assert_false(mailbox_notice(mailbox, state.notices_last + 1, &notice));
}

void world_expect_notices(struct world *world, const char *lines)
{
    assert_int_equal(world_apply(world), 0);
    buffer_clear(&world->trace);
    trace_notices(world->mailbox, &world->trace);
    buffer_append(&world->trace, "", 1);
    assert_string_equal((const char *)world->trace.data, lines);
    buffer_clear(&world->trace);
}

void world_init(struct world *world, const struct wire_config *config)
{
    *world = (struct world){.mailbox = mailbox_new()};
    assert_non_null(world->mailbox);
    const struct wire_genesis genesis = world_genesis();
    log_begin(&world->log);
    log_genesis(&world->log, &genesis);
    log_by_hub(&world->log);
    if (config != NULL) {
        log_begin(&world->log);
        log_config(&world->log, config);
        log_by_hub(&world->log);
    }
    world_expect(world, "");
}

void world_done(struct world *world)
{
    mailbox_free(world->mailbox);
    log_free(&world->log);
    buffer_free(&world->trace);
}

int world_apply(struct world *world)
{
    const struct mailbox_effects effects = trace_effects(&world->trace);
    for (size_t i = mailbox_state(world->mailbox).position; i < world->log.count; i++) {
        const struct mailbox_input input = log_input(&world->log, i);
        int error = mailbox_apply(world->mailbox, &input, &effects, &world->why);
        if (error != 0)
            return error;
    }
    return 0;
}

void world_expect(struct world *world, const char *lines)
{
    assert_int_equal(world_apply(world), 0);
    buffer_append(&world->trace, "", 1);
    assert_string_equal((const char *)world->trace.data, lines);
    buffer_clear(&world->trace);
}

void world_expect_stop(struct world *world, int error)
{
    struct buffer before = {0};
    struct buffer after = {0};
    assert_int_equal(mailbox_save(world->mailbox, &before), 0);
    world->why.text[0] = '\0';
    assert_int_equal(world_apply(world), error);
    assert_true(world->why.text[0] != '\0');
    assert_int_equal(world->trace.size, 0);
    assert_int_equal(mailbox_save(world->mailbox, &after), 0);
    assert_int_equal(before.size, after.size);
    assert_memory_equal(before.data, after.data, before.size);
    buffer_free(&before);
    buffer_free(&after);
    log_pop(&world->log);
}

void assert_equal_states(const struct mailbox *a, const struct mailbox *b)
{
    struct buffer of_a = {0};
    struct buffer of_b = {0};
    assert_int_equal(mailbox_save(a, &of_a), 0);
    assert_int_equal(mailbox_save(b, &of_b), 0);
    assert_int_equal(of_a.size, of_b.size);
    assert_memory_equal(of_a.data, of_b.data, of_a.size);
    buffer_free(&of_a);
    buffer_free(&of_b);
}

struct mailbox *saved_and_loaded(const struct mailbox *mailbox)
{
    struct buffer bytes = {0};
    struct mailbox *loaded = NULL;
    assert_int_equal(mailbox_save(mailbox, &bytes), 0);
    assert_int_equal(mailbox_load(bytes.data, bytes.size, &loaded), 0);
    buffer_free(&bytes);
    assert_equal_states(mailbox, loaded);
    return loaded;
}
