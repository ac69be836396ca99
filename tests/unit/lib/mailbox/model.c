#include "model.h"
#include "model_internal.h"

#include "mailbox/mailbox.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct model_name model_name(const char *prefix, int number)
{
    struct model_name name;
    snprintf(name.text, sizeof name.text, "%.3s%d", prefix, number);
    return name;
}

struct model_name model_sender_name(int sender)
{
    struct model_name name = model_name("u", sender);
    if (sender == MODEL_NOTICE_SENDER)
        snprintf(name.text, sizeof name.text, "%s", WIRE_NOTICE_SENDER);
    return name;
}

void *model_grow(void *items, size_t count, size_t size)
{
    void *grown = realloc(items, count * size);
    if (grown == NULL)
        abort();
    return grown;
}

static bool at_level_2(const struct model *model)
{
    return model->config.level >= 2;
}

void model_pass(struct model *model, const char *why)
{
    buffer_printf(model->trace, "passed %" PRIu64 ": %s\n", model->position, why);
}

static void forget(struct model *model)
{
    size_t kept = 0;
    for (size_t i = 0; i < model->seen_count; i++) {
        const int64_t age_ms = model->time_ms - model->seen[i].end_ms;
        if (age_ms < (int64_t)model->config.dedupe_window_s * 1000)
            model->seen[kept++] = model->seen[i];
    }
    model->seen_count = kept;
}

static void note_time(struct model *model)
{
    const int64_t part_ms = ((int64_t)model->config.retention_s * 1000 + 8191) / 8192;
    const struct model_time *last =
        model->time_count > 0 ? &model->times[model->time_count - 1] : NULL;
    if (model->rows == (last == NULL ? model->expired_rows : last->row) ||
        (last != NULL && model->time_ms - last->time_ms < (part_ms < 1000 ? 1000 : part_ms)))
        return;
    model->times = model_grow(model->times, model->time_count + 1, sizeof *model->times);
    model->times[model->time_count++] =
        (struct model_time){.time_ms = model->time_ms, .row = model->rows};
}

static void expire(struct model *model, int64_t time_ms)
{
    if (!at_level_2(model) || model->config.retention_s == 0)
        return;
    if (time_ms > model->time_ms)
        note_time(model);
    size_t kept = 0;
    for (size_t i = 0; i < model->time_count; i++) {
        if (time_ms - model->times[i].time_ms >= (int64_t)model->config.retention_s * 1000)
            model->expired_rows = model->times[i].row;
        else
            model->times[kept++] = model->times[i];
    }
    model->time_count = kept;
}

void model_note(struct model *model, const struct model_notice *notice)
{
    if (!at_level_2(model))
        return;
    model->notices = model_grow(model->notices, model->notice_count + 1, sizeof *model->notices);
    model->notices[model->notice_count] = *notice;
    model->notices[model->notice_count++].epoch = model->users[notice->user].epoch;
}

const struct model_seen *model_seen(const struct model *model, const struct model_record *record,
                                    int recipient)
{
    for (size_t i = 0; i < model->seen_count; i++) {
        const struct model_seen *it = &model->seen[i];
        if (it->recipient == recipient && it->sender == record->sender && it->id == record->id &&
            it->key == model->config.dedupe_key[0])
            return it;
    }
    return NULL;
}

void model_remember(struct model *model, const struct model_record *record, int recipient,
                    uint64_t seq)
{
    if (model->time_ms >= model->generation_end_ms) {
        const int64_t length_ms = (int64_t)model->config.dedupe_window_s * 1000 / 8;
        model->generation_end_ms = (model->time_ms / length_ms + 1) * length_ms;
    }
    model->seen = model_grow(model->seen, model->seen_count + 1, sizeof *model->seen);
    model->seen[model->seen_count++] = (struct model_seen){.recipient = recipient,
                                                           .sender = record->sender,
                                                           .id = record->id,
                                                           .key = model->config.dedupe_key[0],
                                                           .epoch = model->users[recipient].epoch,
                                                           .seq = seq,
                                                           .end_ms = model->generation_end_ms};
}

struct model_user *model_take_user(struct model *model, int number)
{
    struct model_user *user = &model->users[number];
    if (!user->exists)
        *user = (struct model_user){.exists = true, .epoch = 1, .oldest = 1};
    return user;
}

bool model_is_ours(const struct model *model, int number)
{
    const struct model_name name = model_name("u", number);
    return hash_shard(text_of(name.text), model->shards) == model->shard;
}

/* The oldest is behind the last marked seq since which more than the cap has come; then: is this
 * one to be marked? */
void model_weigh(const struct model *model, struct model_user *user, size_t body_size)
{
    struct model_message *all = user->messages;
    uint64_t marked = 0;
    all[user->head].bytes =
        all[user->head - 1].bytes + (body_size > 0 ? body_size : 16) + MAILBOX_MESSAGE_BYTES;
    for (uint64_t seq = 1; seq < user->head; seq++) {
        if (!all[seq].marked)
            continue;
        marked = seq;
        if (at_level_2(model) && model->config.mailbox_max_bytes > 0 && seq >= user->oldest &&
            all[user->head].bytes - all[seq].bytes > model->config.mailbox_max_bytes)
            user->oldest = seq + 1;
    }
    all[user->head].marked = user->head - marked >= 256 ||
                             all[user->head].bytes - all[marked].bytes >= MAILBOX_BYTES_GRAIN;
}

void model_ask(struct model *model, const struct model_record *record, int number)
{
    struct model_user *user = &model->users[number];
    if ((record->flags & WIRE_FLAG_NOTICE) != 0)
        return;
    if ((record->wants & (WIRE_WANT_DELIVERED | WIRE_WANT_READ)) != 0 && !user->asked) {
        user->asked = true;
        user->delivered = user->head - 1;
    }
    if ((record->wants & WIRE_WANT_DELIVERED) != 0)
        user->delivered_to = user->head;
    if ((record->wants & WIRE_WANT_READ) != 0)
        user->read_to = user->head;
    if ((record->wants & WIRE_WANT_STORED) != 0)
        model_note(model, &(struct model_notice){.kind = "stored",
                                                 .user = number,
                                                 .from = user->head,
                                                 .to = user->head,
                                                 .row = user->last_row});
}

static void append(struct model *model, const struct model_record *record, int to)
{
    struct model_user *user = model_take_user(model, to);
    if (user->where == MAILBOX_FROZEN || user->where == MAILBOX_STAGED ||
        user->where == MAILBOX_AWAY) {
        model_hold(model, record, to);
        return;
    }
    const uint64_t row = ++model->rows;
    user->head++;
    user->messages = model_grow(user->messages, user->head + 1, sizeof *user->messages);
    user->messages[0] = (struct model_message){0};
    user->messages[user->head] = (struct model_message){.row = row};
    while (model->config.mailbox_max_messages > 0 &&
           user->head - user->oldest + 1 > model->config.mailbox_max_messages)
        user->oldest++;
    model_weigh(model, user, record->body_size);
    buffer_printf(model->trace, "row %" PRIu64 "<%" PRIu64 " u%d %u:%" PRIu64 " %s/m%d\n", row,
                  user->last_row, to, user->epoch, user->head,
                  model_sender_name(record->sender).text, record->id);
    user->last_row = row;
    model_remember(model, record, to, user->head);
    model_ask(model, record, to);
}

static void apply_message(struct model *model, const struct model_record *record)
{
    for (size_t i = 0; i < record->recipient_count; i++) {
        const int to = record->recipients[i];
        const struct model_seen *first = model_seen(model, record, to);
        if (!model_is_ours(model, to)) {
            buffer_printf(model->trace, "misrouted u%d %s/m%d\n", to,
                          model_sender_name(record->sender).text, record->id);
        } else if (first != NULL) {
            buffer_printf(model->trace, "repeat u%d %u:%" PRIu64 " %s/m%d\n", to, first->epoch,
                          first->seq, model_sender_name(record->sender).text, record->id);
        } else {
            append(model, record, to);
        }
    }
}

static bool has_device(const struct model_user *user, int device)
{
    for (size_t i = 0; i < user->device_count; i++)
        if (user->devices[i].device == device)
            return true;
    return false;
}

static struct model_device *take_device(struct model *model, int number, int device)
{
    struct model_user *user = model_take_user(model, number);
    for (size_t i = 0; i < user->device_count; i++) {
        if (user->devices[i].device == device)
            return &user->devices[i];
    }
    while (user->device_count > 0 && user->device_count >= model->config.devices_max) {
        size_t stalest = 0;
        for (size_t i = 0; i < user->device_count; i++) {
            if (user->devices[i].used_ms < user->devices[stalest].used_ms)
                stalest = i;
        }
        const struct model_device *gone = &user->devices[stalest];
        buffer_printf(model->trace, "dropped u%d/d%d\n", number, gone->device);
        model_note(model, &(struct model_notice){.kind = "dropped",
                                                 .user = number,
                                                 .other = model_name("d", gone->device),
                                                 .from = gone->seq,
                                                 .to = gone->seq});
        for (size_t i = stalest; i + 1 < user->device_count; i++)
            user->devices[i] = user->devices[i + 1];
        user->device_count--;
    }
    user->devices[user->device_count] = (struct model_device){.device = device};
    return &user->devices[user->device_count++];
}

static void note_delivered(struct model *model, int number, uint64_t from, uint64_t to)
{
    const uint64_t wanted = model->users[number].delivered_to;
    if (from <= to && from <= wanted)
        model_note(model, &(struct model_notice){.kind = "delivered",
                                                 .user = number,
                                                 .from = from,
                                                 .to = to < wanted ? to : wanted});
}

/* A device goes on over the seqs `from` to `to`. */
static void deliver(struct model *model, int number, uint64_t from, uint64_t to)
{
    struct model_user *user = &model->users[number];
    uint64_t first = 0;
    uint64_t last = 0;
    if (!user->asked)
        return;
    for (uint64_t seq = from; seq <= to; seq++) {
        if (seq <= user->skipped_from || seq > user->skipped_to)
            continue;
        first = first == 0 ? seq : first;
        last = seq;
    }
    if (first != 0) {
        note_delivered(model, number, first, last);
        user->skipped_from = last;
    }
    if (from > to || to <= user->delivered)
        return;
    if (from > user->delivered + 1 && user->delivered_to > user->delivered) {
        user->skipped_from = user->delivered;
        user->skipped_to = from - 1;
    }
    from = from > user->delivered ? from : user->delivered + 1;
    user->delivered = to;
    note_delivered(model, number, from, to);
}

static void apply_ack(struct model *model, const struct model_record *record)
{
    const struct model_user *user = &model->users[record->user];
    if (record->generation != model->generation) {
        model_pass(model, "deposed");
    } else if (!model_is_ours(model, record->user) || !model_is_here(user) ||
               record->epoch != (user->exists ? user->epoch : 1) ||
               record->seq > (user->exists ? user->head : 0)) {
        model_pass(model, "refused");
    } else {
        const bool is_new = !has_device(user, record->device);
        struct model_device *device = take_device(model, record->user, record->device);
        const uint64_t before = is_new ? record->seq : device->seq;
        device->used_ms = model->time_ms;
        if (record->seq >= device->seq) {
            device->seq = record->seq;
            buffer_printf(model->trace, "acked u%d/d%d %u:%" PRIu64 "\n", record->user,
                          record->device, user->epoch, device->seq);
            deliver(model, record->user, before + 1, device->seq);
        }
    }
}

static void apply_read(struct model *model, const struct model_record *record)
{
    const struct model_user *user = &model->users[record->user];
    const struct model_name of = model_sender_name(record->sender);
    if (!model_is_ours(model, record->user) || !user->exists || record->epoch != user->epoch ||
        !model_is_here(user) || record->seq > user->head) {
        model_pass(model, "refused");
        return;
    }
    buffer_printf(model->trace, "read u%d of %s %u:%" PRIu64 "\n", record->user, of.text,
                  user->epoch, record->seq);
    if (user->read_to > 0)
        model_note(model, &(struct model_notice){.kind = "read",
                                                 .user = record->user,
                                                 .other = of,
                                                 .from = record->seq,
                                                 .to = record->seq});
}

static void apply_noticed(struct model *model, uint64_t number)
{
    if (number > model->notices_gone + model->notice_count) {
        model_pass(model, "refused");
        return;
    }
    while (model->notices_gone < number) {
        model->notices_gone++;
        model->notice_count--;
        for (size_t i = 0; i < model->notice_count; i++)
            model->notices[i] = model->notices[i + 1];
    }
}

static void apply_gated(struct model *model, const struct model_record *record)
{
    if (model->config.level < (model_is_move(record->kind) ? 3 : 2))
        model_pass(model, "refused");
    else if (record->generation != model->generation)
        model_pass(model, "deposed");
    else if (record->kind == WIRE_CHECKPOINT)
        model->checkpoint_position = model->position;
    else if (record->kind == WIRE_NOTICED)
        apply_noticed(model, record->number);
    else if (record->kind != WIRE_READ)
        model_apply_move(model, record);
    else
        apply_read(model, record);
}

static void apply_record(struct model *model, const struct model_record *record)
{
    if (record->kind == WIRE_MESSAGE) {
        apply_message(model, record);
    } else if (record->kind == WIRE_ACK) {
        apply_ack(model, record);
    } else if (record->kind == WIRE_CONFIG) {
        const uint8_t level = model->config.level; /* it is never lowered */
        model->config = record->config;
        if (model->config.level < level)
            model->config.level = level;
    } else if (record->kind == WIRE_CHECKPOINT || record->kind == WIRE_NOTICED ||
               record->kind == WIRE_READ || model_is_move(record->kind)) {
        apply_gated(model, record);
    } else if (record->generation != model->generation) {
        model_pass(model, "deposed");
    } else if (record->kind == WIRE_OWN) {
        model->generation = model->position;
        buffer_printf(model->trace, "owned %" PRIu64 " by hub-%" PRIu64 "/%" PRIu64 "\n",
                      model->position, record->start, record->start);
    }
}

/* NULL when it is the lane's next one. */
static const char *lane_refuses(const struct model_lane *lane, const struct model_batch *batch)
{
    if (lane->exists && lane->over[batch->incarnation])
        return "lane old";
    if (!lane->exists || batch->incarnation != lane->incarnation)
        return batch->previous == 0 ? NULL : "lane hole";
    if (batch->sequence <= lane->sequence)
        return "lane repeat";
    return batch->previous == lane->sequence ? NULL : "lane hole";
}

static void move_lane(struct model *model, const struct model_batch *batch)
{
    struct model_lane *lane = &model->lanes[batch->source];
    if (lane->exists && lane->incarnation != batch->incarnation)
        lane->over[lane->incarnation] = true;
    lane->exists = true;
    lane->incarnation = batch->incarnation;
    lane->sequence = batch->sequence;
    buffer_printf(model->trace, "lane r%d at %" PRIu64 "\n", batch->source, batch->sequence);
}

static bool is_forged(enum wire_writer writer, const struct model_record *record)
{
    const bool notice = (record->flags & WIRE_FLAG_NOTICE) != 0;
    return record->kind == WIRE_MESSAGE && (notice != (record->sender == MODEL_NOTICE_SENDER) ||
                                            (notice && writer == WIRE_BY_EDGE));
}

static bool is_bad(const struct model *model, const struct model_batch *batch)
{
    bool bad = batch->damage != MODEL_GOOD;
    for (size_t i = 0; i < batch->count; i++)
        bad = bad || (batch->writer != WIRE_BY_HUB && batch->records[i].kind != WIRE_MESSAGE) ||
              (at_level_2(model) && is_forged(batch->writer, &batch->records[i]));
    return bad;
}

void model_apply(struct model *model, const struct model_batch *batch)
{
    model->position++;
    int64_t time_ms = batch->time_ms > model->time_ms ? batch->time_ms : model->time_ms;
    if (time_ms > model->time_ms + 60000)
        time_ms = model->time_ms + 60000;
    expire(model, time_ms);
    model->time_ms = time_ms;
    forget(model);

    const bool lane = batch->writer == WIRE_BY_LANE && batch->damage != MODEL_HEADER_DAMAGED;
    const char *refused = lane ? lane_refuses(&model->lanes[batch->source], batch) : NULL;
    if (refused != NULL) {
        model_pass(model, refused);
        return;
    }
    const bool bad = is_bad(model, batch);
    if (bad)
        model_pass(model, "quarantined");
    for (size_t i = 0; i < batch->count && !bad; i++)
        apply_record(model, &batch->records[i]);
    if (lane)
        move_lane(model, batch);
    if (model->checkpoint_position == model->position)
        buffer_printf(model->trace, "checkpoint %" PRIu64 "\n", model->position);
}

void model_tell_notices(const struct model *model, struct buffer *lines)
{
    for (size_t i = 0; i < model->notice_count; i++) {
        const struct model_notice *it = &model->notices[i];
        buffer_printf(lines, "%" PRIu64 " %s u%d/%s %u:%" PRIu64 "-%" PRIu64 " row %" PRIu64 "\n",
                      model->notices_gone + i + 1, it->kind, it->user, it->other.text, it->epoch,
                      it->from, it->to, it->row);
    }
}

void model_free(struct model *model)
{
    for (size_t i = 0; i < MODEL_USERS; i++)
        model_free_user(&model->users[i]);
    free(model->seen);
    free(model->notices);
    free(model->times);
}
