#include "region-hub/hub_page.h"

#include "wire/record.h"

static struct archive_cursor first_at(const struct wire_history_ask *ask)
{
    const struct archive_cursor asked = {ask->epoch, ask->seq};
    if ((ask->flags & WIRE_HISTORY_AFTER) != 0 && asked.epoch == 0)
        return (struct archive_cursor){.epoch = 1}; /* the first epoch */
    if (ask->flags == 0)
        return (struct archive_cursor){UINT32_MAX, UINT64_MAX};
    return asked;
}

void hub_page_init(struct hub_page *page, const struct wire_history_ask *ask, int64_t now_ms)
{
    *page = (struct hub_page){.request = ask->request,
                              .rises = (ask->flags & WIRE_HISTORY_AFTER) != 0,
                              .at = first_at(ask),
                              .rows_max = ask->rows_max,
                              .bytes_max = ask->bytes_max,
                              .now_ms = now_ms,
                              .reason = ""};
}

void hub_page_set_base(struct hub_page *page, struct archive_cursor base)
{
    page->base = base;
    page->rose_into = page->rises && page->at.epoch < base.epoch;
    page->lowest = page->at.epoch == base.epoch ? page->at.seq : UINT64_MAX;
}

/* Whether the other of two epochs has it, which is the one that counts here. */
static bool is_double(const struct hub_page *page, const struct archive_row *row)
{
    const struct archive_cursor base = page->base;
    if (base.seq == 0 || row->epoch > base.epoch)
        return false;
    if (row->epoch == base.epoch)
        return page->rose_into && row->seq <= base.seq;
    return (row->epoch == base.epoch - 1 && row->seq > base.seq) ||
           (!page->rises && row->seq >= page->lowest);
}

void hub_page_done(struct hub_page *page)
{
    archive_batch_free(&page->rows);
}

bool hub_page_is_at_end(const struct hub_page *page)
{
    return !page->rises && (page->at.epoch == 0 || (page->at.epoch == 1 && page->at.seq <= 1));
}

static bool is_shown(const struct hub_page *page, const struct archive_row *row)
{
    if ((row->flags & WIRE_FLAG_NOTICE) != 0)
        return false;
    return row->ttl_s == 0 || page->now_ms - row->at_ms < (int64_t)row->ttl_s * 1000;
}

static uint64_t size_of(const struct archive_row *row)
{
    return HUB_PAGE_ROW_BYTES + 2 * (row->sender.size + row->id.size) + row->body.size;
}

bool hub_page_take(struct hub_page *page, const struct archive_row *row)
{
    if (page->full || page->error != 0)
        return false;
    if (is_shown(page, row) && !is_double(page, row)) {
        const uint64_t size = size_of(row);
        page->full = page->rows.count == page->rows_max ||
                     (page->rows.count > 0 && page->bytes + size > page->bytes_max);
        if (!page->full)
            page->error = archive_batch_add(&page->rows, row);
        if (page->full || page->error != 0)
            return false;
        page->bytes += size;
    }
    page->at = (struct archive_cursor){row->epoch, row->seq};
    if (row->epoch == page->base.epoch)
        page->lowest = row->seq;
    return true;
}

void hub_page_miss(struct hub_page *page, const char *reason)
{
    if (page->reason[0] == '\0')
        page->reason = reason;
}

uint32_t hub_page_wants(const struct hub_page *page)
{
    return (uint32_t)(page->rows_max - page->rows.count + 1);
}

static void write_row(const struct archive_row *row, struct wire_frame_writer *frame)
{
    const struct wire_entry entry = {.kind = WIRE_HISTORY_ROW,
                                     .history_row = {.epoch = row->epoch,
                                                     .seq = row->seq,
                                                     .at_ms = row->at_ms,
                                                     .flags = row->flags,
                                                     .sender = row->sender,
                                                     .id = row->id,
                                                     .body = row->body}};
    wire_entry_write(frame, &entry);
}

void hub_page_write(const struct hub_page *page, enum wire_answer code,
                    struct wire_frame_writer *frame)
{
    const size_t count = code == WIRE_OK ? page->rows.count : 0;
    const struct wire_entry entry = {
        .kind = WIRE_HISTORY_PAGE,
        .history_page = {.request = page->request,
                         .code = (uint8_t)code,
                         .flags = page->full && code == WIRE_OK ? WIRE_HISTORY_MORE : 0,
                         .count = (uint16_t)count,
                         .reason = text_of(code == WIRE_OK ? page->reason : "")}};
    wire_entry_write(frame, &entry);
    for (size_t i = 0; i < count; i++) {
        const struct archive_row row =
            archive_batch_row(&page->rows, page->rises ? i : count - 1 - i);
        write_row(&row, frame);
    }
}
