/* Marks of a user: now and then the row of a seq, and what all messages up to it weigh. Rows are
 * found from the nearest mark, and the cap of bytes counts from mark to mark. */
#include "mailbox_internal.h"

#include <string.h>

static uint64_t newest_marked_seq(const struct mailbox_user_entry *user)
{
    return user->mark_count > 0 ? user->marks[user->mark_count - 1].seq : 0;
}

/* Of all messages there ever were. */
static uint64_t bytes_of(const struct mailbox_user_entry *user)
{
    return user->bytes_since + (user->mark_count > 0 ? user->marks[user->mark_count - 1].bytes : 0);
}

/* Those of messages that are no longer kept, but for the newest mark of all: bytes and seqs count
 * on from there. Called before one is added. */
static void drop_old_marks(struct mailbox_user_entry *user)
{
    uint32_t gone = 0;
    while (gone < user->mark_count && user->marks[gone].seq < user->oldest)
        gone++;
    if (gone == 0)
        return;
    user->mark_count -= gone;
    memmove(user->marks, user->marks + gone, user->mark_count * sizeof *user->marks);
}

/* Most users have few messages and no mark; the array is as long as the next power of two. */
static void add_mark(struct mailbox_user_entry *user)
{
    const struct mailbox_mark mark = {
        .seq = user->head, .row = user->last_row, .bytes = bytes_of(user)};
    drop_old_marks(user);
    if ((user->mark_count & (user->mark_count - 1)) == 0) {
        const size_t capacity = user->mark_count == 0 ? 1 : 2 * (size_t)user->mark_count;
        user->marks = mailbox_allocate(user->marks, capacity * sizeof *user->marks);
    }
    user->marks[user->mark_count++] = mark;
    user->bytes_since = 0;
}

/* Behind the last mark since which more than the cap has come. */
static void keep_bytes(struct mailbox_user_entry *user, uint64_t bytes_max)
{
    const uint64_t bytes = bytes_of(user);
    uint32_t behind = 0;
    while (behind < user->mark_count && bytes - user->marks[behind].bytes > bytes_max)
        behind++;
    if (behind > 0 && user->marks[behind - 1].seq >= user->oldest)
        user->oldest = user->marks[behind - 1].seq + 1;
}

void mailbox_user_append(struct mailbox_user_entry *user, uint64_t row, uint32_t bytes,
                         uint32_t messages_max, uint64_t bytes_max)
{
    user->head++;
    user->last_row = row;
    user->bytes_since += bytes;
    if (messages_max > 0 && user->head - user->oldest >= messages_max)
        user->oldest = user->head - messages_max + 1;
    if (bytes_max > 0)
        keep_bytes(user, bytes_max);
    if (user->head - newest_marked_seq(user) >= MAILBOX_MARK_EVERY ||
        user->bytes_since >= MAILBOX_BYTES_GRAIN)
        add_mark(user);
}

void mailbox_user_mark_head(struct mailbox_user_entry *user)
{
    if (user->head > 0)
        add_mark(user);
}

/* The first mark at or after the seq, or the row; mark_count when there is none. */
static uint32_t find_mark(const struct mailbox_user_entry *user, uint64_t seq, uint64_t row)
{
    uint32_t low = 0;
    uint32_t high = user->mark_count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (user->marks[middle].seq < seq || user->marks[middle].row < row)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint64_t mailbox_row_near(const struct mailbox_user *user, uint64_t seq)
{
    const struct mailbox_user_entry *entry = user->internal;
    if (seq < entry->oldest)
        seq = entry->oldest;
    if (seq > entry->head)
        return 0;
    const uint32_t mark = find_mark(entry, seq, 0);
    return mark < entry->mark_count ? entry->marks[mark].row : entry->last_row;
}

uint64_t mailbox_seq_after_row(const struct mailbox_user *user, uint64_t row)
{
    const struct mailbox_user_entry *entry = user->internal;
    if (entry->last_row <= row)
        return entry->head + 1;
    const uint32_t mark = find_mark(entry, 0, row + 1);
    const uint64_t seq = mark < entry->mark_count ? entry->marks[mark].seq : entry->head;
    return seq < entry->oldest ? entry->oldest : seq;
}
