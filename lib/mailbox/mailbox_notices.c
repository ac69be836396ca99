/* Notices: a ring of what somebody is to be told, made while the log is applied and taken out again
 * by the log, so that it is the same on every hub. */
#include "mailbox_internal.h"

#include <assert.h>
#include <string.h>

enum { CAPACITY_MIN = 64, SAVED_SIZE_MIN = 31 };

/* Users are never freed; the other name may be of one that this shard does not know. */
struct mailbox_notice_entry {
    const struct mailbox_user_entry *user;
    char *other; /* its size in the first byte; NULL: none */
    uint64_t from;
    uint64_t to;
    uint64_t row;
    uint32_t epoch;
    uint8_t kind;
};
_Static_assert(sizeof(struct mailbox_notice_entry) == 48, "a notice is dense");

static struct mailbox_notice_entry *entry_at(const struct mailbox_notices *notices, uint64_t number)
{
    return &notices->ring[number & (notices->capacity - 1)];
}

static void remove_first(struct mailbox_notices *notices)
{
    if (entry_at(notices, notices->first)->kind == MAILBOX_NOTICE_PASS_ON)
        notices->to_pass_on--;
    free(entry_at(notices, notices->first++)->other);
}

static void grow(struct mailbox_notices *notices)
{
    struct mailbox_notices grown = *notices;
    grown.capacity = notices->capacity == 0 ? CAPACITY_MIN : 2 * notices->capacity;
    grown.ring = mailbox_allocate(NULL, grown.capacity * sizeof *grown.ring);
    for (uint64_t number = notices->first; number <= notices->last; number++)
        *entry_at(&grown, number) = *entry_at(notices, number);
    free(notices->ring);
    *notices = grown;
}

static void add(struct mailbox_notices *notices, const struct mailbox_notice_entry *entry)
{
    if (notices->last - notices->first + 1 == MAILBOX_NOTICES_MAX) {
        remove_first(notices);
        notices->dropped++;
    }
    if (notices->last - notices->first + 1 == notices->capacity)
        grow(notices);
    *entry_at(notices, ++notices->last) = *entry;
    if (entry->kind == MAILBOX_NOTICE_PASS_ON)
        notices->to_pass_on++;
}

static char *keep_other(struct text other)
{
    assert(other.size <= UINT8_MAX);
    char *kept = mailbox_allocate(NULL, 1 + other.size);
    kept[0] = (char)(uint8_t)other.size;
    memcpy(kept + 1, other.data, other.size);
    return kept;
}

static struct text other_of(const struct mailbox_notice_entry *entry)
{
    if (entry->other == NULL)
        return TEXT("");
    return (struct text){.data = entry->other + 1, .size = (uint8_t)entry->other[0]};
}

static struct mailbox_user_wants *take_wants(struct mailbox_user_entry *user)
{
    if (user->wants == NULL) {
        user->wants = mailbox_allocate(NULL, sizeof *user->wants);
        *user->wants = (struct mailbox_user_wants){.delivered = user->head - 1};
    }
    return user->wants;
}

/* What is wanted is kept at any level, so that raising it finds what is still undelivered. */
void mailbox_notices_appended(struct mailbox *mailbox, struct mailbox_user_entry *user,
                              const struct wire_message *message)
{
    if (message->wants == 0 || (message->flags & WIRE_FLAG_NOTICE) != 0)
        return;
    if ((message->wants & WIRE_WANT_DELIVERED) != 0)
        take_wants(user)->delivered_to = user->head;
    if ((message->wants & WIRE_WANT_READ) != 0)
        take_wants(user)->read_to = user->head;
    if ((message->wants & WIRE_WANT_STORED) != 0 && mailbox_at_level_2(mailbox))
        add(&mailbox->notices, &(struct mailbox_notice_entry){.kind = MAILBOX_NOTICE_STORED,
                                                              .user = user,
                                                              .epoch = user->epoch,
                                                              .from = user->head,
                                                              .to = user->head,
                                                              .row = user->last_row});
}

/* The seqs after `after` up to `to` are delivered. */
static void add_delivered(struct mailbox *mailbox, const struct mailbox_user_entry *user,
                          uint64_t after, uint64_t to)
{
    const uint64_t wanted_to = user->wants->delivered_to;
    if (wanted_to <= after || !mailbox_at_level_2(mailbox))
        return;
    add(&mailbox->notices, &(struct mailbox_notice_entry){.kind = MAILBOX_NOTICE_DELIVERED,
                                                          .user = user,
                                                          .epoch = user->epoch,
                                                          .from = after + 1,
                                                          .to = to < wanted_to ? to : wanted_to});
}

/* A device goes on from `before` to `seq`: what of it others have passed by is delivered now. */
static void take_skipped(struct mailbox *mailbox, struct mailbox_user_entry *user, uint64_t before,
                         uint64_t seq)
{
    struct mailbox_user_wants *wants = user->wants;
    const uint64_t after = before > wants->skipped_from ? before : wants->skipped_from;
    const uint64_t to = seq < wants->skipped_to ? seq : wants->skipped_to;
    if (after >= to)
        return;
    add_delivered(mailbox, user, after, to);
    wants->skipped_from = to; /* what is below is given up: no device is known to go over it */
    if (wants->skipped_from == wants->skipped_to)
        wants->skipped_from = wants->skipped_to = 0;
}

/* A device that is new begins somewhere: that delivers nothing. What a device has begun behind, and
 * no other has acked, is delivered when one does. */
void mailbox_notices_acked(struct mailbox *mailbox, struct mailbox_user_entry *user,
                           uint64_t before, uint64_t seq)
{
    struct mailbox_user_wants *wants = user->wants;
    if (wants == NULL || seq <= before)
        return;
    take_skipped(mailbox, user, before, seq);
    if (seq <= wants->delivered)
        return;
    const uint64_t after = before > wants->delivered ? before : wants->delivered;
    if (after > wants->delivered && wants->delivered_to > wants->delivered) {
        wants->skipped_from = wants->delivered;
        wants->skipped_to = after;
    }
    wants->delivered = seq;
    add_delivered(mailbox, user, after, seq);
}

void mailbox_notices_read(struct mailbox *mailbox, const struct mailbox_user_entry *user,
                          const struct wire_read *read)
{
    if (user->wants == NULL || user->wants->read_to == 0)
        return;
    add(&mailbox->notices, &(struct mailbox_notice_entry){.kind = MAILBOX_NOTICE_READ,
                                                          .user = user,
                                                          .other = keep_other(read->of),
                                                          .epoch = user->epoch,
                                                          .from = read->seq,
                                                          .to = read->seq});
}

void mailbox_notices_dropped(struct mailbox *mailbox, const struct mailbox_user_entry *user,
                             const struct mailbox_device_entry *device)
{
    if (!mailbox_at_level_2(mailbox))
        return;
    const struct text name = {device->name, device->name_size};
    add(&mailbox->notices, &(struct mailbox_notice_entry){.kind = MAILBOX_NOTICE_DROPPED,
                                                          .user = user,
                                                          .other = keep_other(name),
                                                          .epoch = device->epoch,
                                                          .from = device->seq,
                                                          .to = device->seq});
}

void mailbox_notices_pass_on(struct mailbox *mailbox, const struct mailbox_user_entry *user,
                             uint64_t row)
{
    add(&mailbox->notices,
        &(struct mailbox_notice_entry){
            .kind = MAILBOX_NOTICE_PASS_ON, .user = user, .epoch = user->epoch, .row = row});
}

void mailbox_notices_pass_on_from(struct mailbox *mailbox, struct mailbox_user_entry *user,
                                  uint64_t from)
{
    const struct mailbox_user known = {.head = user->head, .internal = user};
    uint64_t to;
    if (from < user->oldest)
        from = user->oldest;
    for (; from <= user->head; from = to + 1) {
        to = user->head - from < MAILBOX_MARK_EVERY ? user->head : from + MAILBOX_MARK_EVERY - 1;
        add(&mailbox->notices, &(struct mailbox_notice_entry){.kind = MAILBOX_NOTICE_PASS_ON,
                                                              .user = user,
                                                              .epoch = user->epoch,
                                                              .from = from,
                                                              .to = to,
                                                              .row = mailbox_row_near(&known, to)});
    }
}

bool mailbox_notices_remove(struct mailbox *mailbox, uint64_t number)
{
    struct mailbox_notices *notices = &mailbox->notices;
    if (number > notices->last)
        return false;
    while (notices->first <= number)
        remove_first(notices);
    return true;
}

bool mailbox_notice(const struct mailbox *mailbox, uint64_t number,
                    struct mailbox_notice *ret_notice)
{
    const struct mailbox_notices *notices = &mailbox->notices;
    if (number < notices->first || number > notices->last)
        return false;
    const struct mailbox_notice_entry *entry = entry_at(notices, number);
    *ret_notice = (struct mailbox_notice){.kind = (enum mailbox_notice_kind)entry->kind,
                                          .user = {entry->user->name, entry->user->name_size},
                                          .other = other_of(entry),
                                          .epoch = entry->epoch,
                                          .from = entry->from,
                                          .to = entry->to,
                                          .row = entry->row};
    return true;
}

void mailbox_notices_free(struct mailbox *mailbox)
{
    while (mailbox->notices.first <= mailbox->notices.last)
        remove_first(&mailbox->notices);
    free(mailbox->notices.ring);
}

void mailbox_notices_save(const struct mailbox *mailbox, struct buffer *out)
{
    const struct mailbox_notices *notices = &mailbox->notices;
    wire_write_u64(out, notices->first);
    wire_write_u64(out, notices->last);
    wire_write_u64(out, notices->dropped);
    for (uint64_t number = notices->first; number <= notices->last; number++) {
        const struct mailbox_notice_entry *entry = entry_at(notices, number);
        wire_write_u8(out, entry->kind);
        wire_write_text8(out, (struct text){entry->user->name, entry->user->name_size});
        wire_write_text8(out, other_of(entry));
        wire_write_u32(out, entry->epoch);
        wire_write_u64(out, entry->from);
        wire_write_u64(out, entry->to);
        wire_write_u64(out, entry->row);
    }
}

static void load_notice(struct mailbox *mailbox, struct wire_cursor *in)
{
    struct mailbox_notice_entry entry = {.kind = wire_read_u8(in)};
    const struct text user = wire_read_text8(in);
    const struct text other = wire_read_text8(in);
    entry.epoch = wire_read_u32(in);
    entry.from = wire_read_u64(in);
    entry.to = wire_read_u64(in);
    entry.row = wire_read_u64(in);
    if (!in->failed)
        entry.user = mailbox_users_find(mailbox, user);
    /* `to` may be above the head of a mailbox that came from elsewhere since. */
    if (entry.user == NULL || entry.kind > MAILBOX_NOTICE_PASS_ON || entry.from > entry.to ||
        entry.row > mailbox->rows || other.size > TEXT_USER_MAX) {
        in->failed = true;
        return;
    }
    entry.other = other.size > 0 ? keep_other(other) : NULL;
    add(&mailbox->notices, &entry);
}

void mailbox_notices_load(struct mailbox *mailbox, struct wire_cursor *in)
{
    struct mailbox_notices *notices = &mailbox->notices;
    const uint64_t first = wire_read_u64(in);
    const uint64_t last = wire_read_u64(in);
    notices->dropped = wire_read_u64(in);
    if (first == 0 || first - 1 > last || last - (first - 1) > MAILBOX_NOTICES_MAX ||
        last - (first - 1) > in->left / SAVED_SIZE_MIN) {
        in->failed = true;
        return;
    }
    notices->first = first;
    notices->last = first - 1; /* each that is added moves it */
    while (notices->last < last && !in->failed)
        load_notice(mailbox, in);
}
