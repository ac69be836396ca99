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
    mailbox->notices.first = 1;
    mailbox->level_max = WIRE_LEVEL;
    list_init(&mailbox->moving);
    return mailbox;
}

void mailbox_limit_level(struct mailbox *mailbox, uint8_t level)
{
    mailbox->level_max = level;
}

void mailbox_free(struct mailbox *mailbox)
{
    if (mailbox == NULL)
        return;
    mailbox_notices_free(mailbox);
    mailbox_retention_free(&mailbox->retention);
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

/* Every position counts for the time, the hash and what the retention and the window forget, also
 * one that is passed over. */
static void advance(struct mailbox *mailbox, const struct mailbox_input *input)
{
    const int64_t time_ms = next_time(mailbox, input->time_ms);
    mailbox_retention_advance(mailbox, time_ms);
    mailbox->time_ms = time_ms;
    mailbox->hash = next_hash(mailbox, input);
    mailbox->position = input->position;
    mailbox->hashes[input->position % MAILBOX_HASHES] = mailbox->hash;
    if (input->position - mailbox->hashes_from >= MAILBOX_HASHES)
        mailbox->hashes_from = input->position - MAILBOX_HASHES + 1;
    mailbox_dedupe_expire(&mailbox->dedupe, mailbox->time_ms, mailbox->config.dedupe_window_s);
}

void mailbox_tell_passed(const struct mailbox_effects *effects, const struct mailbox_input *input,
                         enum mailbox_passed why, const char *reason)
{
    if (effects->passed != NULL)
        effects->passed(effects->context, input, why, reason);
}

struct mailbox_row mailbox_append_row(struct mailbox *mailbox, struct mailbox_user_entry *user,
                                      uint32_t bytes, int64_t at_ms)
{
    const uint64_t previous_row = user->last_row;
    mailbox_user_append(user, ++mailbox->rows, bytes, mailbox->config.mailbox_max_messages,
                        mailbox_at_level_2(mailbox) ? mailbox->config.mailbox_max_bytes : 0);
    return (struct mailbox_row){.row = mailbox->rows,
                                .previous_row = previous_row,
                                .position = mailbox->position,
                                .user = {user->name, user->name_size},
                                .epoch = user->epoch,
                                .seq = user->head,
                                .at_ms = at_ms};
}

static void append(struct mailbox *mailbox, const struct wire_message *message, struct text name,
                   const struct fingerprint *print, const struct mailbox_effects *effects)
{
    struct mailbox_user_entry *user = mailbox_users_take(mailbox, name);
    if (!mailbox_moves_is_here(user)) {
        mailbox_moves_hold(mailbox, user, message, print, effects);
        return;
    }
    struct mailbox_row row = mailbox_append_row(
        mailbox, user, (uint32_t)message->body.size + MAILBOX_MESSAGE_BYTES, mailbox->time_ms);
    row.message = message;
    mailbox_dedupe_add(&mailbox->dedupe, mailbox->time_ms, mailbox->config.dedupe_window_s, print,
                       user->epoch, user->head);
    mailbox_notices_appended(mailbox, user, message);
    if (effects->appended != NULL)
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
    const int found = mailbox_dedupe_find(&mailbox->dedupe, &print, &epoch, &seq);
    if (found < 0)
        mailbox->broken = true;
    else if (found == 0)
        append(mailbox, message, name, &print, effects);
    else if (effects->repeated != NULL)
        effects->repeated(effects->context, name, message, epoch, seq);
}

static void apply_message(struct mailbox *mailbox, const struct wire_message *message,
                          const struct mailbox_effects *effects)
{
    struct wire_cursor recipients = message->recipients;
    struct wire_recipient recipient;
    while (!mailbox->broken && wire_recipient_next(&recipients, &recipient))
        apply_recipient(mailbox, message, recipient.name, effects);
}

static int fail_broken(struct error_text *reterr_why)
{
    return error_text_set(reterr_why, -EIO, "the stored part of the dedupe set cannot be read");
}

int mailbox_apply(struct mailbox *mailbox, const struct mailbox_input *input,
                  const struct mailbox_effects *effects, struct error_text *reterr_why)
{
    struct mailbox_verdict verdict;
    if (mailbox->broken)
        return fail_broken(reterr_why);
    int error = mailbox_judge(mailbox, input, &verdict, reterr_why);
    if (error != 0)
        return error;

    advance(mailbox, input); /* from here on nothing fails but a look-up */
    if (verdict.passed)
        mailbox_tell_passed(effects, input, verdict.why, verdict.reason);
    for (size_t i = 0; i < verdict.count && !verdict.passed && !mailbox->broken; i++) {
        const struct wire_record *record = &mailbox->records[i];
        if (record->kind == WIRE_MESSAGE)
            apply_message(mailbox, &record->message, effects);
        else
            mailbox_records_apply(mailbox, input, record, effects);
    }
    if (mailbox->broken)
        return fail_broken(reterr_why);
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
        .returned_ms = mailbox->returned_ms,
        .config = mailbox->config,
        .rows = mailbox->rows,
        .expired_rows = mailbox->retention.expired_rows,
        .notices_first = mailbox->notices.first,
        .notices_last = mailbox->notices.last,
        .notices_dropped = mailbox->notices.dropped,
        .checkpoint_position = mailbox->checkpoint_position,
        .checkpoint_ms = mailbox->checkpoint_ms,
        .users = HASH_COUNT(mailbox->users),
        .dedupe_entries = mailbox->dedupe.entries,
        .dedupe_in_memory = mailbox->dedupe.in_memory,
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
