/* Home moves: a mailbox that is frozen takes nothing, and hands itself over; one that is copied
 * here becomes the user's own; and what comes for a user who is elsewhere is passed on. */
#include "mailbox_internal.h"

#include <assert.h>
#include <string.h>

enum { SAVED_HELD_SIZE = 31 };

/* A message that came while the mailbox was frozen: it has no seq. */
struct held {
    uint64_t row;
    struct fingerprint print;
    uint32_t bytes;
    uint16_t flags;
    uint8_t wants;
};

struct mailbox_move_entry {
    struct list link; /* of those that move; not of those that are away */
    struct mailbox_user_entry *user;
    uint64_t move;
    int64_t since_ms;
    uint64_t first; /* the first seq that was copied; 0: none */
    struct held *held;
    size_t held_first; /* those before it are forgotten */
    size_t held_count;
    size_t held_capacity;
    uint8_t where;
    char region[TEXT_REGION_MAX + 1]; /* may be empty while rows are copied */
};

static struct text name_of(const struct mailbox_user_entry *user)
{
    return (struct text){user->name, user->name_size};
}

static enum mailbox_where where_of(const struct mailbox_user_entry *user)
{
    return user->move == NULL ? MAILBOX_AT_HOME : (enum mailbox_where)user->move->where;
}

static void set_region(struct mailbox_move_entry *move, struct text region)
{
    memset(move->region, 0, sizeof move->region);
    if (region.size > 0)
        memcpy(move->region, region.data, region.size); /* the decoder's bound */
}

static struct mailbox_move_entry *take_move(struct mailbox *mailbox,
                                            struct mailbox_user_entry *user)
{
    if (user->move == NULL) {
        user->move = mailbox_allocate(NULL, sizeof *user->move);
        *user->move = (struct mailbox_move_entry){.user = user};
        mailbox->move_count++;
    }
    return user->move;
}

static void set_where(struct mailbox *mailbox, struct mailbox_move_entry *move,
                      enum mailbox_where where)
{
    move->where = (uint8_t)where;
    move->since_ms = mailbox->time_ms;
    if (where == MAILBOX_AWAY)
        list_remove(&move->link);
    else if (!list_linked(&move->link))
        list_push(&mailbox->moving, &move->link);
}

static void free_move(struct mailbox_user_entry *user)
{
    if (user->move == NULL)
        return;
    list_remove(&user->move->link);
    free(user->move->held);
    free(user->move);
    user->move = NULL;
}

void mailbox_moves_free_user(struct mailbox_user_entry *user)
{
    free_move(user);
}

static void end_move(struct mailbox *mailbox, struct mailbox_user_entry *user)
{
    free_move(user);
    mailbox->move_count--;
}

static void tell(const struct mailbox *mailbox, const struct mailbox_user_entry *user,
                 const struct mailbox_effects *effects)
{
    struct mailbox_move move = {.where = MAILBOX_AT_HOME, .user = name_of(user)};
    if (effects->moved == NULL)
        return;
    (void)mailbox_move_of(mailbox, name_of(user), &move);
    effects->moved(effects->context, &move);
}

static void refuse(const struct mailbox_input *input, const struct mailbox_effects *effects,
                   const char *reason)
{
    mailbox_tell_passed(effects, input, MAILBOX_REFUSED, reason);
}

/* --- messages --- */

bool mailbox_moves_is_here(const struct mailbox_user_entry *user)
{
    const enum mailbox_where where = where_of(user);
    return where == MAILBOX_AT_HOME || where == MAILBOX_ARRIVED;
}

static void add_held(struct mailbox_move_entry *move, const struct held *held, size_t max)
{
    if (move->held_count - move->held_first == max)
        move->held_first++; /* as the cap would have it */
    if (move->held_first > move->held_capacity / 2) {
        move->held_count -= move->held_first;
        memmove(move->held, move->held + move->held_first, move->held_count * sizeof *held);
        move->held_first = 0;
    }
    if (move->held_count == move->held_capacity) {
        move->held_capacity = move->held_capacity == 0 ? 16 : 2 * move->held_capacity;
        move->held = mailbox_allocate(move->held, move->held_capacity * sizeof *held);
    }
    move->held[move->held_count++] = *held;
}

static size_t held_max(const struct mailbox *mailbox)
{
    const uint32_t max = mailbox->config.mailbox_max_messages;
    return max == 0 || max > MAILBOX_NOTICES_MAX ? MAILBOX_NOTICES_MAX : max;
}

void mailbox_moves_hold(struct mailbox *mailbox, struct mailbox_user_entry *user,
                        const struct wire_message *message, const struct fingerprint *print,
                        const struct mailbox_effects *effects)
{
    const struct held held = {.row = ++mailbox->rows,
                              .print = *print,
                              .bytes = (uint32_t)message->body.size + MAILBOX_MESSAGE_BYTES,
                              .flags = message->flags,
                              .wants = message->wants};
    if (where_of(user) == MAILBOX_FROZEN)
        add_held(user->move, &held, held_max(mailbox));
    else
        mailbox_notices_pass_on(mailbox, user, held.row);
    if (effects->held == NULL)
        return;
    const struct mailbox_row row = {.row = held.row,
                                    .position = mailbox->position,
                                    .user = name_of(user),
                                    .at_ms = mailbox->time_ms,
                                    .message = message};
    effects->held(effects->context, &row);
}

/* One that was held is appended after all, as a new row. */
static void release(struct mailbox *mailbox, struct mailbox_user_entry *user,
                    const struct held *held, const struct mailbox_effects *effects)
{
    uint32_t epoch;
    uint64_t seq;
    if (held->row <= mailbox->retention.expired_rows)
        return; /* it is too old for anybody */
    const int found = mailbox_dedupe_find(&mailbox->dedupe, &held->print, &epoch, &seq);
    if (found < 0)
        mailbox->broken = true;
    if (found != 0)
        return;
    const struct mailbox_row row = mailbox_append_row(mailbox, user, held->bytes, mailbox->time_ms);
    mailbox_dedupe_add(&mailbox->dedupe, mailbox->time_ms, mailbox->config.dedupe_window_s,
                       &held->print, row.epoch, row.seq);
    mailbox_notices_appended(mailbox, user,
                             &(struct wire_message){.wants = held->wants, .flags = held->flags});
    if (effects->released != NULL)
        effects->released(effects->context, &row, held->row);
}

/* --- records --- */

static void apply_freeze(struct mailbox *mailbox, const struct mailbox_input *input,
                         const struct wire_freeze *freeze, const struct mailbox_effects *effects)
{
    struct mailbox_user_entry *user = mailbox_users_take(mailbox, freeze->user);
    const enum mailbox_where where = where_of(user);
    if (where == MAILBOX_FROZEN)
        return; /* the first one counts */
    if (where != MAILBOX_AT_HOME || text_equal(freeze->to, text_of(mailbox->region))) {
        refuse(input, effects, "freeze of a mailbox that is not here, or has just come");
        return;
    }
    struct mailbox_move_entry *move = take_move(mailbox, user);
    move->move = freeze->move;
    set_region(move, freeze->to);
    set_where(mailbox, move, MAILBOX_FROZEN);
    tell(mailbox, user, effects);
}

/* Nothing of the mailbox is left: another region has said what it is. */
static void clear_user(struct mailbox_user_entry *user)
{
    while (user->devices != NULL)
        free(mailbox_user_pop_stalest(user));
    free(user->marks);
    free(user->wants);
    user->marks = NULL;
    user->wants = NULL;
    user->mark_count = 0;
    user->bytes_since = 0;
    user->base = 0;
    user->last_row = 0;
}

/* The user is copied anew, from `seq` on. */
static void stage(struct mailbox *mailbox, struct mailbox_user_entry *user, uint64_t move,
                  uint32_t epoch, uint64_t seq, const struct mailbox_effects *effects)
{
    struct mailbox_move_entry *entry = take_move(mailbox, user);
    clear_user(user);
    user->epoch = epoch;
    user->head = seq - 1;
    user->oldest = seq;
    entry->move = move;
    entry->first = 0;
    set_where(mailbox, entry, MAILBOX_STAGED);
    tell(mailbox, user, effects);
}

/* Why nothing may be copied into this mailbox, or NULL. */
static const char *refuse_staging(const struct mailbox_user_entry *user)
{
    const enum mailbox_where where = where_of(user);
    if (where == MAILBOX_FROZEN || where == MAILBOX_ARRIVED)
        return "the mailbox moves otherwise";
    if (where == MAILBOX_AT_HOME && user->head > 0)
        return "the mailbox is at home here";
    return NULL;
}

static bool is_of(const struct mailbox_user_entry *user, enum mailbox_where where, uint64_t move)
{
    return where_of(user) == where && user->move->move == move;
}

static void append_copy(struct mailbox *mailbox, struct mailbox_user_entry *user,
                        const struct wire_move_row *copy, const struct mailbox_effects *effects)
{
    const struct wire_message *message = &copy->message;
    const struct fingerprint print =
        mailbox_dedupe_print(mailbox->config.dedupe_key, copy->user, message->sender, message->id);
    uint32_t epoch;
    uint64_t seq;
    const int found = mailbox_dedupe_find(&mailbox->dedupe, &print, &epoch, &seq);
    if (found < 0) {
        mailbox->broken = true;
        return;
    }
    struct mailbox_row row = mailbox_append_row(
        mailbox, user, (uint32_t)message->body.size + MAILBOX_MESSAGE_BYTES, copy->at_ms);
    row.message = message;
    if (found == 0) /* else the user was here before, and it has the same cursor */
        mailbox_dedupe_add(&mailbox->dedupe, mailbox->time_ms, mailbox->config.dedupe_window_s,
                           &print, row.epoch, row.seq);
    if (user->move->first == 0)
        user->move->first = row.seq;
    if (effects->appended != NULL)
        effects->appended(effects->context, &row);
}

static void apply_move_row(struct mailbox *mailbox, const struct mailbox_input *input,
                           const struct wire_move_row *copy, const struct mailbox_effects *effects)
{
    struct mailbox_user_entry *user = mailbox_users_take(mailbox, copy->user);
    if (is_of(user, MAILBOX_ARRIVED, copy->move))
        return;
    const char *refused = refuse_staging(user);
    if (refused != NULL) {
        refuse(input, effects, refused);
        return;
    }
    if (!is_of(user, MAILBOX_STAGED, copy->move))
        stage(mailbox, user, copy->move, copy->epoch, copy->seq, effects);
    if (copy->seq <= user->head && copy->epoch == user->epoch)
        return; /* a repeat */
    if (copy->seq != user->head + 1 || copy->epoch != user->epoch)
        refuse(input, effects, "a copied row behind one that is missing");
    else
        append_copy(mailbox, user, copy, effects);
}

static void take_devices(struct mailbox_user_entry *user, struct wire_cursor devices)
{
    struct wire_mailbox_device device;
    while (wire_mailbox_device_next(&devices, &device)) {
        if (mailbox_user_device(user, device.name) != NULL)
            continue;
        struct mailbox_device_entry *entry = mailbox_user_add_device(user, device.name);
        entry->epoch = user->epoch;
        entry->seq = device.seq;
        entry->used_ms = device.used_ms;
    }
}

static void take_mailbox(struct mailbox_user_entry *user, const struct wire_mailbox *mailbox)
{
    if (user->move->first == 0) { /* no message is left of it */
        user->oldest = mailbox->oldest;
        mailbox_user_mark_head(user);
    } else if (user->oldest == user->move->first || mailbox->oldest > user->oldest) {
        user->oldest = mailbox->oldest; /* else our caps are lower */
    }
    user->base = mailbox->base;
    take_devices(user, mailbox->devices);
    if (!mailbox->asked)
        return;
    user->wants = mailbox_allocate(NULL, sizeof *user->wants);
    *user->wants = (struct mailbox_user_wants){.delivered = mailbox->delivered,
                                               .delivered_to = mailbox->delivered_to,
                                               .read_to = mailbox->read_to,
                                               .skipped_from = mailbox->skipped_from,
                                               .skipped_to = mailbox->skipped_to};
}

static void apply_move_in(struct mailbox *mailbox, const struct mailbox_input *input,
                          const struct wire_move_in *move, const struct mailbox_effects *effects)
{
    const struct wire_mailbox *handed = &move->mailbox;
    struct mailbox_user_entry *user = mailbox_users_take(mailbox, move->user);
    if (is_of(user, MAILBOX_ARRIVED, move->move))
        return;
    const char *refused = refuse_staging(user);
    if (refused == NULL && text_equal(move->from, text_of(mailbox->region)))
        refused = "a mailbox that comes from here";
    if (refused == NULL && !is_of(user, MAILBOX_STAGED, move->move))
        stage(mailbox, user, move->move, handed->epoch, handed->head + 1, effects);
    if (refused == NULL && (user->head != handed->head || user->epoch != handed->epoch))
        refused = "a mailbox whose last rows were not copied";
    if (refused != NULL) {
        refuse(input, effects, refused);
        return;
    }
    take_mailbox(user, handed);
    set_region(user->move, move->from);
    set_where(mailbox, user->move, MAILBOX_ARRIVED);
    tell(mailbox, user, effects);
}

static void leave(struct mailbox *mailbox, struct mailbox_user_entry *user,
                  const struct wire_move_end *end)
{
    struct mailbox_move_entry *move = user->move;
    if (end->from > 0)
        mailbox_notices_pass_on_from(mailbox, user, end->from);
    for (size_t i = move->held_first; i < move->held_count; i++)
        mailbox_notices_pass_on(mailbox, user, move->held[i].row);
    free(move->held);
    move->held = NULL;
    move->held_first = move->held_count = move->held_capacity = 0;
    set_region(move, end->home);
    set_where(mailbox, move, MAILBOX_AWAY);
}

static void stay(struct mailbox *mailbox, struct mailbox_user_entry *user,
                 const struct mailbox_effects *effects)
{
    struct mailbox_move_entry *move = user->move;
    for (size_t i = move->held_first; i < move->held_count && !mailbox->broken; i++)
        release(mailbox, user, &move->held[i], effects);
    end_move(mailbox, user);
}

static void apply_move_end(struct mailbox *mailbox, const struct mailbox_input *input,
                           const struct wire_move_end *end, const struct mailbox_effects *effects)
{
    struct mailbox_user_entry *user = mailbox_users_find(mailbox, end->user);
    const bool done = end->outcome == WIRE_MOVE_DONE;
    const bool here = text_equal(end->home, text_of(mailbox->region));
    if (user == NULL || user->move == NULL || user->move->move != end->move) {
        refuse(input, effects, "the end of a move that is not known");
        return;
    }
    const enum mailbox_where where = where_of(user);
    if (where == MAILBOX_AWAY)
        return; /* a repeat */
    if (here && where == MAILBOX_FROZEN && !done)
        stay(mailbox, user, effects);
    else if (here && where == MAILBOX_ARRIVED && done)
        end_move(mailbox, user);
    else if (!here && done == (where == MAILBOX_FROZEN))
        leave(mailbox, user, end);
    else {
        refuse(input, effects, "an end that is not this move's");
        return;
    }
    tell(mailbox, user, effects);
}

void mailbox_moves_apply(struct mailbox *mailbox, const struct mailbox_input *input,
                         const struct wire_record *record, const struct mailbox_effects *effects)
{
    const struct text user = record->kind == WIRE_FREEZE     ? record->freeze.user
                             : record->kind == WIRE_MOVE_ROW ? record->move_row.user
                             : record->kind == WIRE_MOVE_IN  ? record->move_in.user
                                                             : record->move_end.user;
    if (hash_shard(user, mailbox->shards) != mailbox->shard)
        refuse(input, effects, "a move of another shard's user");
    else if (record->kind == WIRE_FREEZE)
        apply_freeze(mailbox, input, &record->freeze, effects);
    else if (record->kind == WIRE_MOVE_ROW)
        apply_move_row(mailbox, input, &record->move_row, effects);
    else if (record->kind == WIRE_MOVE_IN)
        apply_move_in(mailbox, input, &record->move_in, effects);
    else
        apply_move_end(mailbox, input, &record->move_end, effects);
}

/* --- for whoever moves them --- */

static struct mailbox_move describe(const struct mailbox_move_entry *move)
{
    return (struct mailbox_move){.where = (enum mailbox_where)move->where,
                                 .move = move->move,
                                 .user = name_of(move->user),
                                 .region = text_of(move->region),
                                 .since_ms = move->since_ms,
                                 .copied_from = move->first,
                                 .held = move->held_count - move->held_first};
}

bool mailbox_move_of(const struct mailbox *mailbox, struct text name, struct mailbox_move *ret_move)
{
    const struct mailbox_user_entry *user =
        mailbox->move_count == 0 ? NULL : mailbox_users_find(mailbox, name);
    if (user == NULL || user->move == NULL)
        return false;
    *ret_move = describe(user->move);
    return true;
}

void mailbox_each_moving(const struct mailbox *mailbox, void *context,
                         void (*on_move)(void *context, const struct mailbox_move *move))
{
    for (struct list *at = mailbox->moving.next; at != &mailbox->moving; at = at->next) {
        const struct mailbox_move move =
            describe(container_of(at, struct mailbox_move_entry, link));
        on_move(context, &move);
    }
}

struct mailbox_moving mailbox_moving(const struct mailbox *mailbox)
{
    struct mailbox_moving moving = {.to_pass_on = mailbox->notices.to_pass_on};
    for (struct list *at = mailbox->moving.next; at != &mailbox->moving; at = at->next) {
        const struct mailbox_move_entry *move = container_of(at, struct mailbox_move_entry, link);
        const size_t held = move->held_count - move->held_first;
        moving.users++;
        moving.held += held;
        if (held > 0 && (moving.held_since_ms == 0 || move->since_ms < moving.held_since_ms))
            moving.held_since_ms = move->since_ms;
    }
    return moving;
}

void mailbox_hand_over(const struct mailbox_user *user, struct buffer *devices,
                       struct wire_mailbox *ret_mailbox)
{
    const struct mailbox_user_entry *entry = user->internal;
    struct wire_mailbox mailbox = {
        .epoch = entry->epoch, .head = entry->head, .oldest = entry->oldest, .base = entry->base};
    for (const struct mailbox_device_entry *at = entry->devices;
         at != NULL && mailbox.device_count < UINT8_MAX; at = at->next) {
        const struct wire_mailbox_device device = {
            .name = {at->name, at->name_size}, .seq = at->seq, .used_ms = at->used_ms};
        if (at->epoch != entry->epoch)
            continue;
        wire_mailbox_device_write(devices, &device);
        mailbox.device_count++;
    }
    if (entry->wants != NULL) {
        mailbox.asked = true;
        mailbox.delivered = entry->wants->delivered;
        mailbox.delivered_to = entry->wants->delivered_to;
        mailbox.read_to = entry->wants->read_to;
        mailbox.skipped_from = entry->wants->skipped_from;
        mailbox.skipped_to = entry->wants->skipped_to;
    }
    mailbox.devices = wire_cursor_of(devices->data, devices->failed ? 0 : devices->size);
    *ret_mailbox = mailbox;
}

/* --- saving: u8 where (0: at home, and no more), u64 move, text8 region, i64 since_ms, u64 first,
 * u32 how many are held; each: u64 row, 16 bytes print, u32 bytes, u16 flags, u8 wants --- */

void mailbox_moves_save_user(const struct mailbox_user_entry *user, struct buffer *out)
{
    const struct mailbox_move_entry *move = user->move;
    wire_write_u8(out, (uint8_t)where_of(user));
    if (move == NULL)
        return;
    wire_write_u64(out, move->move);
    wire_write_text8(out, text_of(move->region));
    wire_write_i64(out, move->since_ms);
    wire_write_u64(out, move->first);
    wire_write_u32(out, (uint32_t)(move->held_count - move->held_first));
    for (size_t i = move->held_first; i < move->held_count; i++) {
        const struct held *held = &move->held[i];
        wire_write_u64(out, held->row);
        buffer_append(out, held->print.bytes, sizeof held->print.bytes);
        wire_write_u32(out, held->bytes);
        wire_write_u16(out, held->flags);
        wire_write_u8(out, held->wants);
    }
}

static void load_held(const struct mailbox *mailbox, struct mailbox_move_entry *move,
                      struct wire_cursor *in)
{
    const uint32_t count = wire_read_u32(in);
    uint64_t last = 0;
    if (count > in->left / SAVED_HELD_SIZE || (count > 0 && move->where != MAILBOX_FROZEN))
        in->failed = true;
    for (uint32_t i = 0; i < count && !in->failed; i++) {
        struct held held = {.row = wire_read_u64(in)};
        wire_read_bytes(in, held.print.bytes, sizeof held.print.bytes);
        held.bytes = wire_read_u32(in);
        held.flags = wire_read_u16(in);
        held.wants = wire_read_u8(in);
        if (held.row <= last || held.row > mailbox->rows)
            in->failed = true;
        last = held.row;
        add_held(move, &held, SIZE_MAX);
    }
}

void mailbox_moves_load_user(struct mailbox *mailbox, struct mailbox_user_entry *user,
                             struct wire_cursor *in)
{
    const uint8_t where = wire_read_u8(in);
    if (where > MAILBOX_AWAY)
        in->failed = true;
    if (in->failed || where == MAILBOX_AT_HOME)
        return;
    struct mailbox_move_entry *move = take_move(mailbox, user);
    move->where = where;
    move->move = wire_read_u64(in);
    if (text_put(move->region, sizeof move->region, wire_read_text8(in)) != 0)
        in->failed = true;
    move->since_ms = wire_read_i64(in);
    move->first = wire_read_u64(in);
    if (where != MAILBOX_AWAY)
        list_push(&mailbox->moving, &move->link);
    load_held(mailbox, move, in);
}
