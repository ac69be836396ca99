/* What hubs write, but for messages: one record at a time, of a batch that was found good. */
#include "mailbox_internal.h"

#include <string.h>

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
        mailbox_tell_passed(effects, input, MAILBOX_DEPOSED, "expects a generation that is over");
        return;
    }
    if (mailbox->generation > 0 && mailbox->time_ms - mailbox->heard_ms >= MAILBOX_PAUSE_MS)
        mailbox->returned_ms = mailbox->time_ms;
    mailbox->heard_ms = mailbox->time_ms;
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
    if (user != NULL && !mailbox_moves_is_here(user))
        return "ack of a mailbox that moves or has moved";
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
        mailbox_notices_dropped(mailbox, user, device);
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
        mailbox_tell_passed(effects, input, MAILBOX_DEPOSED, "ack of a generation that is over");
        return;
    }
    const char *refused = refuse_ack(mailbox, ack);
    if (refused != NULL) {
        mailbox_tell_passed(effects, input, MAILBOX_REFUSED, refused);
        return;
    }
    struct mailbox_user_entry *user = mailbox_users_take(mailbox, ack->user);
    const bool is_new = mailbox_user_device(user, ack->device) == NULL;
    struct mailbox_device_entry *device = take_device(mailbox, user, ack->device, effects);
    const uint64_t before = is_new ? ack->seq : device->seq;
    device->used_ms = mailbox->time_ms;
    if (ack->seq < device->seq) /* cursors never move back */
        return;
    device->seq = ack->seq;
    mailbox_notices_acked(mailbox, user, before, ack->seq);
    if (effects->acked != NULL)
        effects->acked(effects->context, ack->user, ack->device, device->epoch, device->seq);
}

/* Why a read record is of no use here, or NULL. */
static const char *refuse_read(const struct mailbox *mailbox, const struct wire_read *read)
{
    if (hash_shard(read->user, mailbox->shards) != mailbox->shard)
        return "read by another shard's user";
    const struct mailbox_user_entry *user = mailbox_users_find(mailbox, read->user);
    if (user == NULL || read->epoch != user->epoch || read->seq > user->head)
        return "read of what is not in the mailbox";
    if (!mailbox_moves_is_here(user))
        return "read of a mailbox that moves or has moved";
    return NULL;
}

static void apply_read(struct mailbox *mailbox, const struct mailbox_input *input,
                       const struct wire_read *read, const struct mailbox_effects *effects)
{
    const char *refused = refuse_read(mailbox, read);
    if (refused != NULL) {
        mailbox_tell_passed(effects, input, MAILBOX_REFUSED, refused);
        return;
    }
    mailbox_notices_read(mailbox, mailbox_users_find(mailbox, read->user), read);
    if (effects->read != NULL)
        effects->read(effects->context, read);
}

/* What came with a level above 1: while the log's level is lower, it has no effect on any hub.
 * False: it is not to be applied. */
static bool is_current(const struct mailbox *mailbox, const struct mailbox_input *input,
                       uint8_t level, uint64_t generation, const struct mailbox_effects *effects)
{
    if (mailbox->config.level < level)
        mailbox_tell_passed(effects, input, MAILBOX_REFUSED, "a kind above the level of the log");
    else if (generation != mailbox->generation)
        mailbox_tell_passed(effects, input, MAILBOX_DEPOSED, "of a generation that is over");
    else
        return true;
    return false;
}

static void apply_of_level_2(struct mailbox *mailbox, const struct mailbox_input *input,
                             const struct wire_record *record,
                             const struct mailbox_effects *effects)
{
    if (record->kind == WIRE_CHECKPOINT) {
        if (!is_current(mailbox, input, 2, record->checkpoint.generation, effects))
            return;
        mailbox->checkpoint_position = mailbox->position;
        mailbox->checkpoint_ms = mailbox->time_ms;
    } else if (record->kind == WIRE_NOTICED) {
        if (is_current(mailbox, input, 2, record->noticed.generation, effects) &&
            !mailbox_notices_remove(mailbox, record->noticed.number))
            mailbox_tell_passed(effects, input, MAILBOX_REFUSED, "no notice has that number yet");
    } else if (is_current(mailbox, input, 2, record->read.generation, effects)) {
        apply_read(mailbox, input, &record->read, effects);
    }
}

static void apply_move(struct mailbox *mailbox, const struct mailbox_input *input,
                       const struct wire_record *record, const struct mailbox_effects *effects)
{
    const uint64_t generation = record->kind == WIRE_FREEZE     ? record->freeze.generation
                                : record->kind == WIRE_MOVE_ROW ? record->move_row.generation
                                : record->kind == WIRE_MOVE_IN  ? record->move_in.generation
                                                                : record->move_end.generation;
    if (is_current(mailbox, input, 3, generation, effects))
        mailbox_moves_apply(mailbox, input, record, effects);
}

/* A level that was raised stays: whoever writes a config may not have heard of it yet, and what was
 * written since counts. */
static void apply_config(struct mailbox *mailbox, const struct wire_config *config)
{
    const uint8_t level = mailbox->config.level;
    mailbox->config = *config;
    if (mailbox->config.level < level)
        mailbox->config.level = level;
}

void mailbox_records_apply(struct mailbox *mailbox, const struct mailbox_input *input,
                           const struct wire_record *record, const struct mailbox_effects *effects)
{
    switch (record->kind) {
    case WIRE_GENESIS:
        apply_genesis(mailbox, &record->genesis);
        break;
    case WIRE_CONFIG:
        apply_config(mailbox, &record->config);
        break;
    case WIRE_OWN:
        apply_own(mailbox, input, &record->own, effects);
        break;
    case WIRE_ACK:
        apply_ack(mailbox, input, &record->ack, effects);
        break;
    case WIRE_CHECKPOINT:
    case WIRE_NOTICED:
    case WIRE_READ:
        apply_of_level_2(mailbox, input, record, effects);
        break;
    case WIRE_TICK: /* its hash was compared in the first pass */
        if (record->tick.generation != mailbox->generation)
            mailbox_tell_passed(effects, input, MAILBOX_DEPOSED,
                                "tick of a generation that is over");
        else
            mailbox->heard_ms = mailbox->time_ms;
        break;
    case WIRE_FREEZE:
    case WIRE_MOVE_ROW:
    case WIRE_MOVE_IN:
    case WIRE_MOVE_END:
        apply_move(mailbox, input, record, effects);
        break;
    default:
        abort(); /* the first pass lets no other kind through */
    }
}
