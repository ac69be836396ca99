/* Home moves, as plainly as can be. */
#include "model_internal.h"

#include <inttypes.h>
#include <stdlib.h>

bool model_is_here(const struct model_user *user)
{
    return user->where == MAILBOX_AT_HOME || user->where == MAILBOX_ARRIVED;
}

bool model_is_move(enum wire_kind kind)
{
    return kind == WIRE_FREEZE || kind == WIRE_MOVE_ROW || kind == WIRE_MOVE_IN ||
           kind == WIRE_MOVE_END;
}

void model_free_user(struct model_user *user)
{
    free(user->messages);
    free(user->held);
}

static void pass_on(struct model *model, int number, uint64_t row)
{
    model_note(model, &(struct model_notice){.kind = "pass on", .user = number, .row = row});
}

/* The row at or after each end: that of the next marked seq. */
static void pass_on_from(struct model *model, int number, uint64_t from)
{
    const struct model_user *user = &model->users[number];
    if (from == 0)
        return;
    for (uint64_t to, seq = from < user->oldest ? user->oldest : from; seq <= user->head;
         seq = to + 1) {
        to = seq + 255 < user->head ? seq + 255 : user->head;
        uint64_t marked = to;
        while (marked <= user->head && !user->messages[marked].marked)
            marked++;
        model_note(model,
                   &(struct model_notice){.kind = "pass on",
                                          .user = number,
                                          .from = seq,
                                          .to = to,
                                          .row = marked > user->head ? user->last_row
                                                                     : user->messages[marked].row});
    }
}

void model_hold(struct model *model, const struct model_record *record, int to)
{
    struct model_user *user = &model->users[to];
    const uint64_t row = ++model->rows;
    buffer_printf(model->trace, "held %" PRIu64 " u%d %s/m%d\n", row, to,
                  model_sender_name(record->sender).text, record->id);
    if (user->where != MAILBOX_FROZEN) {
        pass_on(model, to, row);
        return;
    }
    if (model->config.mailbox_max_messages > 0 &&
        user->held_count == model->config.mailbox_max_messages) {
        user->held_count--;
        for (size_t i = 0; i < user->held_count; i++)
            user->held[i] = user->held[i + 1];
    }
    user->held = model_grow(user->held, user->held_count + 1, sizeof *user->held);
    user->held[user->held_count++] =
        (struct model_held){.record = *record, .row = row, .key = model->config.dedupe_key[0]};
}

static void tell(struct model *model, int number)
{
    static const char *const names[] = {"at home", "frozen", "staged", "arrived", "away"};
    const struct model_user *user = &model->users[number];
    const bool nowhere = user->where == MAILBOX_AT_HOME;
    buffer_printf(model->trace, "u%d is %s/%s %" PRIu64 "\n", number, names[user->where],
                  user->region_known ? "sin" : "", nowhere ? 0 : user->move);
}

/* The next seq, in the next row. */
static uint64_t append(struct model *model, struct model_user *user, size_t body_size)
{
    const uint64_t before = user->last_row;
    user->last_row = ++model->rows;
    user->head++;
    user->messages = model_grow(user->messages, user->head + 1, sizeof *user->messages);
    user->messages[user->head] = (struct model_message){.row = user->last_row};
    if (model->config.mailbox_max_messages > 0 &&
        user->head - user->oldest + 1 > model->config.mailbox_max_messages)
        user->oldest = user->head - model->config.mailbox_max_messages + 1;
    model_weigh(model, user, body_size);
    return before;
}

static void freeze(struct model *model, const struct model_record *record)
{
    struct model_user *user = model_take_user(model, record->user);
    if (user->where == MAILBOX_FROZEN)
        return;
    if (user->where != MAILBOX_AT_HOME || record->here) {
        model_pass(model, "refused");
        return;
    }
    user->where = MAILBOX_FROZEN;
    user->region_known = true;
    user->move = record->move;
    tell(model, record->user);
}

static bool may_stage(const struct model_user *user)
{
    return user->where == MAILBOX_STAGED || user->where == MAILBOX_AWAY ||
           (user->where == MAILBOX_AT_HOME && user->head == 0);
}

static void stage(struct model *model, int number, uint64_t move, uint32_t epoch, uint64_t seq)
{
    struct model_user *user = &model->users[number];
    user->where = MAILBOX_STAGED;
    user->move = move;
    user->epoch = epoch;
    user->base = 0;
    user->first = 0;
    user->head = seq - 1;
    user->oldest = seq;
    user->last_row = 0;
    user->device_count = 0;
    user->asked = false;
    user->delivered = user->delivered_to = user->read_to = 0;
    user->skipped_from = user->skipped_to = 0;
    user->messages = model_grow(user->messages, seq, sizeof *user->messages);
    for (uint64_t i = 0; i < seq; i++)
        user->messages[i] = (struct model_message){0};
    tell(model, number);
}

static void move_row(struct model *model, const struct model_record *record)
{
    struct model_user *user = model_take_user(model, record->user);
    if (user->where == MAILBOX_ARRIVED && user->move == record->move)
        return;
    if (!may_stage(user)) {
        model_pass(model, "refused");
        return;
    }
    if (user->where != MAILBOX_STAGED || user->move != record->move)
        stage(model, record->user, record->move, record->epoch, record->seq);
    if (record->seq <= user->head && record->epoch == user->epoch)
        return;
    if (record->seq != user->head + 1 || record->epoch != user->epoch) {
        model_pass(model, "refused");
        return;
    }
    const bool known = model_seen(model, record, record->user) != NULL;
    const uint64_t before = append(model, user, record->body_size);
    if (!known)
        model_remember(model, record, record->user, user->head);
    user->first = user->first == 0 ? user->head : user->first;
    buffer_printf(model->trace, "row %" PRIu64 "<%" PRIu64 " u%d %u:%" PRIu64 " %s/m%d\n",
                  user->last_row, before, record->user, user->epoch, user->head,
                  model_sender_name(record->sender).text, record->id);
}

static void move_in(struct model *model, const struct model_record *record)
{
    struct model_user *user = model_take_user(model, record->user);
    if (user->where == MAILBOX_ARRIVED && user->move == record->move)
        return;
    const bool good = may_stage(user) && !record->here;
    if (good && (user->where != MAILBOX_STAGED || user->move != record->move))
        stage(model, record->user, record->move, record->epoch, record->seq + 1);
    if (!good || user->head != record->seq || user->epoch != record->epoch) {
        model_pass(model, "refused");
        return;
    }
    if (user->first == 0) {
        user->oldest = record->oldest;
        user->messages[user->head].marked = true;
    } else if (user->oldest == user->first || record->oldest > user->oldest) {
        user->oldest = record->oldest;
    }
    user->base = record->base;
    user->devices[0] = (struct model_device){.seq = record->number, .used_ms = 3};
    user->device_count = 1;
    user->asked = record->wants != 0;
    user->delivered = user->asked ? record->number : 0;
    user->delivered_to = user->asked ? user->head : 0;
    user->where = MAILBOX_ARRIVED;
    user->region_known = true;
    tell(model, record->user);
}

static void stay(struct model *model, int number)
{
    struct model_user *user = &model->users[number];
    for (size_t i = 0; i < user->held_count; i++) {
        const struct model_held *held = &user->held[i];
        const uint8_t key = model->config.dedupe_key[0];
        if (held->row <= model->expired_rows)
            continue;
        model->config.dedupe_key[0] = held->key;
        if (model_seen(model, &held->record, number) == NULL) {
            const uint64_t before = append(model, user, held->record.body_size);
            model_remember(model, &held->record, number, user->head);
            model_ask(model, &held->record, number);
            buffer_printf(model->trace,
                          "released %" PRIu64 " as %" PRIu64 "<%" PRIu64 " u%d %u:%" PRIu64 "\n",
                          held->row, user->last_row, before, number, user->epoch, user->head);
        }
        model->config.dedupe_key[0] = key;
    }
}

static void move_end(struct model *model, const struct model_record *record)
{
    struct model_user *user = &model->users[record->user];
    const bool moves = user->exists && user->where != MAILBOX_AT_HOME;
    if (!moves || user->move != record->move) {
        model_pass(model, "refused");
        return;
    }
    if (user->where == MAILBOX_AWAY)
        return;
    if (record->here && user->where == MAILBOX_FROZEN && !record->done) {
        stay(model, record->user);
        user->where = MAILBOX_AT_HOME;
    } else if (record->here && user->where == MAILBOX_ARRIVED && record->done) {
        user->where = MAILBOX_AT_HOME;
    } else if (!record->here && record->done == (user->where == MAILBOX_FROZEN)) {
        pass_on_from(model, record->user, record->seq);
        for (size_t i = 0; i < user->held_count; i++)
            pass_on(model, record->user, user->held[i].row);
        user->where = MAILBOX_AWAY;
    } else {
        model_pass(model, "refused");
        return;
    }
    user->held_count = 0;
    user->region_known = user->where == MAILBOX_AWAY;
    tell(model, record->user);
}

void model_apply_move(struct model *model, const struct model_record *record)
{
    if (!model_is_ours(model, record->user))
        model_pass(model, "refused");
    else if (record->kind == WIRE_FREEZE)
        freeze(model, record);
    else if (record->kind == WIRE_MOVE_ROW)
        move_row(model, record);
    else if (record->kind == WIRE_MOVE_IN)
        move_in(model, record);
    else
        move_end(model, record);
}
