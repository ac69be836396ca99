/* Which rows are older than the retention. A mark says: all rows up to this one were there at that
 * log time. One that has grown older than the retention is dropped, and its rows have expired. */
#include "mailbox_internal.h"

enum { CAPACITY_MIN = 16, MARKS_A_RETENTION = 8192, SPACING_MIN_MS = 1000, SAVED_SIZE = 16 };

static struct mailbox_time_mark *mark_at(const struct mailbox_retention *retention, uint32_t index)
{
    return &retention->ring[(retention->first + index) & (retention->capacity - 1)];
}

static void grow(struct mailbox_retention *retention)
{
    struct mailbox_retention grown = *retention;
    grown.capacity = retention->capacity == 0 ? CAPACITY_MIN : 2 * retention->capacity;
    if (grown.capacity < retention->capacity)
        abort(); /* memory ends long before */
    grown.ring = mailbox_allocate(NULL, grown.capacity * sizeof *grown.ring);
    grown.first = 0;
    for (uint32_t i = 0; i < retention->count; i++)
        grown.ring[i] = *mark_at(retention, i);
    free(retention->ring);
    *retention = grown;
}

static void add(struct mailbox_retention *retention, int64_t time_ms, uint64_t row)
{
    if (retention->count == retention->capacity)
        grow(retention);
    *mark_at(retention, retention->count++) =
        (struct mailbox_time_mark){.time_ms = time_ms, .row = row};
}

static int64_t spacing_ms(uint32_t retention_s)
{
    const int64_t spacing =
        ((int64_t)retention_s * 1000 + MARKS_A_RETENTION - 1) / MARKS_A_RETENTION;
    return spacing < SPACING_MIN_MS ? SPACING_MIN_MS : spacing;
}

/* The rows until now came at mailbox->time_ms or before. */
static void mark(struct mailbox *mailbox)
{
    struct mailbox_retention *retention = &mailbox->retention;
    uint64_t marked = retention->expired_rows;
    if (retention->count > 0) {
        const struct mailbox_time_mark *last = mark_at(retention, retention->count - 1);
        if (mailbox->time_ms - last->time_ms < spacing_ms(mailbox->config.retention_s))
            return;
        marked = last->row;
    }
    if (mailbox->rows > marked)
        add(retention, mailbox->time_ms, mailbox->rows);
}

void mailbox_retention_advance(struct mailbox *mailbox, int64_t time_ms)
{
    struct mailbox_retention *retention = &mailbox->retention;
    if (mailbox->config.retention_s == 0 || !mailbox_at_level_2(mailbox))
        return;
    if (time_ms > mailbox->time_ms)
        mark(mailbox);
    const int64_t until_ms = time_ms - (int64_t)mailbox->config.retention_s * 1000;
    while (retention->count > 0 && mark_at(retention, 0)->time_ms <= until_ms) {
        retention->expired_rows = mark_at(retention, 0)->row;
        retention->first = (retention->first + 1) & (retention->capacity - 1);
        retention->count--;
    }
}

void mailbox_retention_free(struct mailbox_retention *retention)
{
    free(retention->ring);
}

void mailbox_retention_save(const struct mailbox_retention *retention, struct buffer *out)
{
    wire_write_u64(out, retention->expired_rows);
    wire_write_u32(out, retention->count);
    for (uint32_t i = 0; i < retention->count; i++) {
        wire_write_i64(out, mark_at(retention, i)->time_ms);
        wire_write_u64(out, mark_at(retention, i)->row);
    }
}

void mailbox_retention_load(struct mailbox *mailbox, struct wire_cursor *in)
{
    struct mailbox_retention *retention = &mailbox->retention;
    retention->expired_rows = wire_read_u64(in);
    const uint32_t count = wire_read_u32(in);
    if (retention->expired_rows > mailbox->rows || count > in->left / SAVED_SIZE)
        in->failed = true;
    struct mailbox_time_mark last = {.time_ms = -1, .row = retention->expired_rows};
    for (uint32_t i = 0; i < count && !in->failed; i++) {
        const int64_t time_ms = wire_read_i64(in);
        const uint64_t row = wire_read_u64(in);
        if (time_ms <= last.time_ms || time_ms > mailbox->time_ms || row <= last.row ||
            row > mailbox->rows)
            in->failed = true;
        add(retention, time_ms, row);
        last = (struct mailbox_time_mark){.time_ms = time_ms, .row = row};
    }
}
