#include "model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct model_name model_name(const char *prefix, int number)
{
    struct model_name name;
    snprintf(name.text, sizeof name.text, "%.3s%d", prefix, number);
    return name;
}

static void pass(struct model *model, const char *why)
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

static const struct model_seen *seen(const struct model *model, const struct model_record *record,
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

static void remember(struct model *model, const struct model_record *record, int recipient,
                     uint64_t seq)
{
    if (model->time_ms >= model->generation_end_ms) {
        const int64_t length_ms = (int64_t)model->config.dedupe_window_s * 1000 / 8;
        model->generation_end_ms = (model->time_ms / length_ms + 1) * length_ms;
    }
    model->seen = realloc(model->seen, (model->seen_count + 1) * sizeof *model->seen);
    if (model->seen == NULL)
        abort();
    model->seen[model->seen_count++] = (struct model_seen){.recipient = recipient,
                                                           .sender = record->sender,
                                                           .id = record->id,
                                                           .key = model->config.dedupe_key[0],
                                                           .seq = seq,
                                                           .end_ms = model->generation_end_ms};
}

static struct model_user *take_user(struct model *model, int number)
{
    struct model_user *user = &model->users[number];
    if (!user->exists)
        *user = (struct model_user){.exists = true, .oldest = 1};
    return user;
}

static bool is_ours(const struct model *model, int number)
{
    const struct model_name name = model_name("u", number);
    return hash_shard(text_of(name.text), model->shards) == model->shard;
}

static void apply_message(struct model *model, const struct model_record *record)
{
    for (size_t i = 0; i < record->recipient_count; i++) {
        const int to = record->recipients[i];
        const struct model_seen *first = seen(model, record, to);
        if (!is_ours(model, to)) {
            buffer_printf(model->trace, "misrouted u%d u%d/m%d\n", to, record->sender, record->id);
        } else if (first != NULL) {
            buffer_printf(model->trace, "repeat u%d 1:%" PRIu64 " u%d/m%d\n", to, first->seq,
                          record->sender, record->id);
        } else {
            struct model_user *user = take_user(model, to);
            const uint64_t row = ++model->rows;
            user->head++;
            while (user->head - user->oldest + 1 > model->config.mailbox_max_messages)
                user->oldest++;
            buffer_printf(model->trace, "row %" PRIu64 "<%" PRIu64 " u%d 1:%" PRIu64 " u%d/m%d\n",
                          row, user->last_row, to, user->head, record->sender, record->id);
            user->last_row = row;
            remember(model, record, to, user->head);
        }
    }
}

static struct model_device *take_device(struct model *model, int number, int device)
{
    struct model_user *user = take_user(model, number);
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
        buffer_printf(model->trace, "dropped u%d/d%d\n", number, user->devices[stalest].device);
        for (size_t i = stalest; i + 1 < user->device_count; i++)
            user->devices[i] = user->devices[i + 1];
        user->device_count--;
    }
    user->devices[user->device_count] = (struct model_device){.device = device};
    return &user->devices[user->device_count++];
}

static void apply_ack(struct model *model, const struct model_record *record)
{
    const struct model_user *user = &model->users[record->user];
    if (record->generation != model->generation) {
        pass(model, "deposed");
    } else if (!is_ours(model, record->user) || record->epoch != 1 ||
               record->seq > (user->exists ? user->head : 0)) {
        pass(model, "refused");
    } else {
        struct model_device *device = take_device(model, record->user, record->device);
        device->used_ms = model->time_ms;
        if (record->seq >= device->seq) {
            device->seq = record->seq;
            buffer_printf(model->trace, "acked u%d/d%d 1:%" PRIu64 "\n", record->user,
                          record->device, device->seq);
        }
    }
}

static void apply_record(struct model *model, const struct model_record *record)
{
    if (record->kind == WIRE_MESSAGE) {
        apply_message(model, record);
    } else if (record->kind == WIRE_ACK) {
        apply_ack(model, record);
    } else if (record->kind == WIRE_CONFIG) {
        model->config = record->config;
    } else if (record->generation != model->generation) {
        pass(model, "deposed");
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

static bool is_bad(const struct model_batch *batch)
{
    bool bad = batch->damage != MODEL_GOOD;
    for (size_t i = 0; i < batch->count; i++)
        bad = bad || (batch->writer != WIRE_BY_HUB && batch->records[i].kind != WIRE_MESSAGE);
    return bad;
}

void model_apply(struct model *model, const struct model_batch *batch)
{
    model->position++;
    if (batch->time_ms > model->time_ms + 60000)
        model->time_ms += 60000;
    else if (batch->time_ms > model->time_ms)
        model->time_ms = batch->time_ms;
    forget(model);

    const bool lane = batch->writer == WIRE_BY_LANE && batch->damage != MODEL_HEADER_DAMAGED;
    const char *refused = lane ? lane_refuses(&model->lanes[batch->source], batch) : NULL;
    if (refused != NULL) {
        pass(model, refused);
        return;
    }
    if (is_bad(batch))
        pass(model, "quarantined");
    for (size_t i = 0; i < batch->count && !is_bad(batch); i++)
        apply_record(model, &batch->records[i]);
    if (lane)
        move_lane(model, batch);
}
