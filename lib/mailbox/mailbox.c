#include "mailbox_internal.h"

#include <errno.h>
#include <string.h>

enum { TIME_STEP_MAX_MS = 60 * 1000 }; /* how far one batch moves log time */

/* What counts before the first config record. */
static const struct wire_config config_default = {
    .level = 1,
    .dedupe_window_s = 96 * 60 * 60,
    .retention_s = 7 * 24 * 60 * 60,
    .mailbox_max_messages = 100000,
    .mailbox_max_bytes = 256ull * 1024 * 1024,
    .devices_max = 32,
};

void *mailbox_allocate(void *old, size_t size)
{
    void *memory = realloc(old, size);
    if (memory == NULL)
        abort();
    return memory;
}

struct mailbox *mailbox_new(void)
{
    struct mailbox *mailbox = calloc(1, sizeof *mailbox);
    if (mailbox == NULL)
        return NULL;
    mailbox->config = config_default;
    mailbox->hashes_from = 1;
    return mailbox;
}

void mailbox_free(struct mailbox *mailbox)
{
    if (mailbox == NULL)
        return;
    mailbox_users_free(mailbox);
    mailbox_dedupe_free(&mailbox->dedupe);
    free(mailbox);
}

static int64_t next_time(const struct mailbox *mailbox, int64_t stream_ms)
{
    if (stream_ms <= mailbox->time_ms)
        return mailbox->time_ms;
    if (mailbox->position > 0 && stream_ms - mailbox->time_ms > TIME_STEP_MAX_MS)
        return mailbox->time_ms + TIME_STEP_MAX_MS;
    return stream_ms;
}

static void put_u64(uint8_t *to, uint64_t value)
{
    for (size_t i = 0; i < 8; i++)
        to[i] = (uint8_t)(value >> (8 * i));
}

/* The hash of the log up to here: that of the data under the hash until now is the key for that of
 * (position, time, writer, source), so that nothing is copied and no two inputs read the same. */
static struct fingerprint next_hash(const struct mailbox *mailbox,
                                    const struct mailbox_input *input)
{
    const struct fingerprint data = hash_fingerprint(mailbox->hash.bytes, input->data, input->size);
    const struct text source =
        input->writer == WIRE_BY_LANE ? input->source : (struct text){.data = "", .size = 0};
    uint8_t head[17 + TEXT_REGION_MAX + 1] = {0};
    put_u64(head, input->position);
    put_u64(head + 8, (uint64_t)input->time_ms);
    head[16] = (uint8_t)input->writer;
    /* One longer than a name can be is no lane: enough to tell it from a good one. */
    const size_t size = source.size <= TEXT_REGION_MAX ? source.size : TEXT_REGION_MAX + 1;
    if (size > 0)
        memcpy(head + 17, source.data, size);
    return hash_fingerprint(data.bytes, head, 17 + size);
}

/* Every position counts for the time, the hash and what the window forgets, also one that is passed
 * over. */
static void advance(struct mailbox *mailbox, const struct mailbox_input *input)
{
    mailbox->time_ms = next_time(mailbox, input->time_ms);
    mailbox->hash = next_hash(mailbox, input);
    mailbox->position = input->position;
    mailbox->hashes[input->position % MAILBOX_HASHES] = mailbox->hash;
    if (input->position - mailbox->hashes_from >= MAILBOX_HASHES)
        mailbox->hashes_from = input->position - MAILBOX_HASHES + 1;
    mailbox_dedupe_expire(&mailbox->dedupe, mailbox->time_ms, mailbox->config.dedupe_window_s);
}

static void tell_passed(const struct mailbox_effects *effects, const struct mailbox_input *input,
                        enum mailbox_passed why, const char *reason)
{
    if (effects->passed != NULL)
        effects->passed(effects->context, input, why, reason);
}

static void append(struct mailbox *mailbox, const struct wire_message *message, struct text name,
                   const struct fingerprint *print, const struct mailbox_effects *effects)
{
    struct mailbox_user_entry *user = mailbox_users_take(mailbox, name);
    const uint64_t previous_row = user->last_row;
    mailbox_user_append(user, ++mailbox->rows, mailbox->config.mailbox_max_messages);
    mailbox_dedupe_add(&mailbox->dedupe, mailbox->time_ms, mailbox->config.dedupe_window_s, print,
                       user->epoch, user->head);
    if (effects->appended == NULL)
        return;
    const struct mailbox_row row = {.row = mailbox->rows,
                                    .previous_row = previous_row,
                                    .position = mailbox->position,
                                    .user = name,
                                    .epoch = user->epoch,
                                    .seq = user->head,
                                    .at_ms = mailbox->time_ms,
                                    .message = message};
    effects->appended(effects->context, &row);
}

static void apply_recipient(struct mailbox *mailbox, const struct wire_message *message,
                            struct text name, const struct mailbox_effects *effects)
{
    if (hash_shard(name, mailbox->shards) != mailbox->shard) {
        if (effects->misrouted != NULL)
            effects->misrouted(effects->context, name, message);
        return;
    }
    const struct fingerprint print =
        mailbox_dedupe_print(mailbox->config.dedupe_key, name, message->sender, message->id);
    uint32_t epoch;
    uint64_t seq;
    if (!mailbox_dedupe_find(&mailbox->dedupe, &print, &epoch, &seq))
        append(mailbox, message, name, &print, effects);
    else if (effects->repeated != NULL)
        effects->repeated(effects->context, name, message, epoch, seq);
}

static void apply_message(struct mailbox *mailbox, const struct wire_message *message,
                          const struct mailbox_effects *effects)
{
    struct wire_cursor recipients = message->recipients;
    struct wire_recipient recipient;
    while (wire_recipient_next(&recipients, &recipient))
        apply_recipient(mailbox, message, recipient.name, effects);
}

static void apply_genesis(struct mailbox *mailbox, const struct wire_genesis *genesis)
{
    if (mailbox->position > 1) /* the same once more */
        return;
    memcpy(mailbox->incarnation, genesis->incarnation, sizeof mailbox->incarnation);
    memcpy(mailbox->region, genesis->region.data, genesis->region.size);
    mailbox->shard = genesis->shard;
    mailbox->shards = genesis->shards;
}

static void apply_own(struct mailbox *mailbox, const struct mailbox_input *input,
                      const struct wire_own *own, const struct mailbox_effects *effects)
{
    if (own->expects != mailbox->generation) {
        tell_passed(effects, input, MAILBOX_DEPOSED, "expects a generation that is over");
        return;
    }
    mailbox->generation = mailbox->position;
    mailbox->owner_start = own->start;
    memset(mailbox->owner, 0, sizeof mailbox->owner);
    if (own->hub.size > 0)
        memcpy(mailbox->owner, own->hub.data, own->hub.size);
    if (effects->owned != NULL)
        effects->owned(effects->context, mailbox->generation, own->hub, own->start);
}

/* Why an ack is of no use here, or NULL. Such an ack leaves no trace. */
static const char *refuse_ack(const struct mailbox *mailbox, const struct wire_ack *ack)
{
    if (hash_shard(ack->user, mailbox->shards) != mailbox->shard)
        return "ack of another shard's user";
    const struct mailbox_user_entry *user = mailbox_users_find(mailbox, ack->user);
    if (ack->epoch != (user == NULL ? 1 : user->epoch))
        return "ack of another epoch";
    if (ack->seq > (user == NULL ? 0 : user->head))
        return "ack above the head";
    return NULL;
}

static struct mailbox_device_entry *take_device(struct mailbox *mailbox,
                                                struct mailbox_user_entry *user, struct text name,
                                                const struct mailbox_effects *effects)
{
    struct mailbox_device_entry *device = mailbox_user_device(user, name);
    if (device != NULL)
        return device;
    while (user->devices != NULL && user->device_count >= mailbox->config.devices_max) {
        device = mailbox_user_pop_stalest(user);
        if (effects->device_dropped != NULL)
            effects->device_dropped(effects->context, (struct text){user->name, user->name_size},
                                    (struct text){device->name, device->name_size});
        free(device);
    }
    device = mailbox_user_add_device(user, name);
    device->epoch = user->epoch;
    return device;
}

static void apply_ack(struct mailbox *mailbox, const struct mailbox_input *input,
                      const struct wire_ack *ack, const struct mailbox_effects *effects)
{
    if (ack->generation != mailbox->generation) {
        tell_passed(effects, input, MAILBOX_DEPOSED, "ack of a generation that is over");
        return;
    }
    const char *refused = refuse_ack(mailbox, ack);
    if (refused != NULL) {
        tell_passed(effects, input, MAILBOX_REFUSED, refused);
        return;
    }
    struct mailbox_user_entry *user = mailbox_users_take(mailbox, ack->user);
    struct mailbox_device_entry *device = take_device(mailbox, user, ack->device, effects);
    device->used_ms = mailbox->time_ms;
    if (ack->seq < device->seq) /* cursors never move back */
        return;
    device->seq = ack->seq;
    if (effects->acked != NULL)
        effects->acked(effects->context, ack->user, ack->device, device->epoch, device->seq);
}

static void apply_checkpoint(struct mailbox *mailbox, const struct mailbox_input *input,
                             const struct wire_checkpoint *checkpoint,
                             const struct mailbox_effects *effects)
{
    if (checkpoint->generation != mailbox->generation) {
        tell_passed(effects, input, MAILBOX_DEPOSED, "checkpoint of a generation that is over");
        return;
    }
    mailbox->checkpoint_position = mailbox->position;
    mailbox->checkpoint_ms = mailbox->time_ms;
}

/* Why a read record is of no use here, or NULL. */
static const char *refuse_read(const struct mailbox *mailbox, const struct wire_read *read)
{
    if (hash_shard(read->user, mailbox->shards) != mailbox->shard)
        return "read by another shard's user";
    const struct mailbox_user_entry *user = mailbox_users_find(mailbox, read->user);
    if (user == NULL || read->epoch != user->epoch || read->seq > user->head)
        return "read of what is not in the mailbox";
    return NULL;
}

static void apply_read(struct mailbox *mailbox, const struct mailbox_input *input,
                       const struct wire_read *read, const struct mailbox_effects *effects)
{
    const char *refused = refuse_read(mailbox, read);
    if (read->generation != mailbox->generation)
        tell_passed(effects, input, MAILBOX_DEPOSED, "read of a generation that is over");
    else if (refused != NULL)
        tell_passed(effects, input, MAILBOX_REFUSED, refused);
    else if (effects->read != NULL)
        effects->read(effects->context, read);
}

static void apply_record(struct mailbox *mailbox, const struct mailbox_input *input,
                         const struct wire_record *record, const struct mailbox_effects *effects)
{
    switch (record->kind) {
    case WIRE_MESSAGE:
        apply_message(mailbox, &record->message, effects);
        break;
    case WIRE_GENESIS:
        apply_genesis(mailbox, &record->genesis);
        break;
    case WIRE_CONFIG:
        mailbox->config = record->config;
        break;
    case WIRE_OWN:
        apply_own(mailbox, input, &record->own, effects);
        break;
    case WIRE_ACK:
        apply_ack(mailbox, input, &record->ack, effects);
        break;
    case WIRE_CHECKPOINT:
        apply_checkpoint(mailbox, input, &record->checkpoint, effects);
        break;
    case WIRE_NOTICED:
        if (record->noticed.generation != mailbox->generation)
            tell_passed(effects, input, MAILBOX_DEPOSED, "noticed by a generation that is over");
        break;
    case WIRE_READ:
        apply_read(mailbox, input, &record->read, effects);
        break;
    case WIRE_TICK: /* its hash was compared in the first pass */
        if (record->tick.generation != mailbox->generation)
            tell_passed(effects, input, MAILBOX_DEPOSED, "tick of a generation that is over");
        break;
    default:
        abort(); /* the first pass lets no other kind through */
    }
}

int mailbox_apply(struct mailbox *mailbox, const struct mailbox_input *input,
                  const struct mailbox_effects *effects, struct error_text *reterr_why)
{
    struct mailbox_verdict verdict;
    int error = mailbox_judge(mailbox, input, &verdict, reterr_why);
    if (error != 0)
        return error;

    advance(mailbox, input); /* from here on nothing fails */
    if (verdict.passed)
        tell_passed(effects, input, verdict.why, verdict.reason);
    for (size_t i = 0; i < verdict.count && !verdict.passed; i++)
        apply_record(mailbox, input, &mailbox->records[i], effects);
    if (verdict.lane_moves) {
        mailbox_lanes_move(mailbox, input->source, &verdict.stamp);
        if (effects->lane_moved != NULL)
            effects->lane_moved(effects->context, input->source, verdict.stamp.sequence);
    }
    if (mailbox->checkpoint_position == mailbox->position && effects->checkpoint != NULL)
        effects->checkpoint(effects->context, mailbox->position);
    return 0;
}

struct mailbox_state mailbox_state(const struct mailbox *mailbox)
{
    struct mailbox_state state = {
        .position = mailbox->position,
        .hash = mailbox->hash,
        .time_ms = mailbox->time_ms,
        .region = text_of(mailbox->region),
        .shard = mailbox->shard,
        .shards = mailbox->shards,
        .generation = mailbox->generation,
        .owner = text_of(mailbox->owner),
        .owner_start = mailbox->owner_start,
        .config = mailbox->config,
        .rows = mailbox->rows,
        .notices_first = 1,
        .checkpoint_position = mailbox->checkpoint_position,
        .checkpoint_ms = mailbox->checkpoint_ms,
        .users = HASH_COUNT(mailbox->users),
        .dedupe_entries = mailbox->dedupe.entries,
    };
    memcpy(state.incarnation, mailbox->incarnation, sizeof state.incarnation);
    return state;
}

bool mailbox_lane(const struct mailbox *mailbox, struct text source, uint8_t ret_incarnation[16],
                  uint64_t *ret_sequence)
{
    const struct mailbox_lane_entry *lane = mailbox_lanes_find(mailbox, source);
    if (lane == NULL)
        return false;
    memcpy(ret_incarnation, lane->incarnation, sizeof lane->incarnation);
    *ret_sequence = lane->sequence;
    return true;
}

void mailbox_each_lane(const struct mailbox *mailbox, void *context,
                       void (*on_lane)(void *context, struct text source,
                                       const uint8_t incarnation[16], uint64_t sequence))
{
    for (size_t i = 0; i < mailbox->lane_count; i++) {
        const struct mailbox_lane_entry *lane = &mailbox->lanes[i];
        on_lane(context, text_of(lane->source), lane->incarnation, lane->sequence);
    }
}

bool mailbox_notice(const struct mailbox *mailbox, uint64_t number,
                    struct mailbox_notice *ret_notice)
{
    (void)mailbox, (void)number, (void)ret_notice;
    return false; /* none is made yet */
}
