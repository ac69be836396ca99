#include "region-hub/hub_move_rows.h"

#include "store/view.h"

#include <string.h>

enum { READ_ROWS_MAX = 256, ROW_BYTES = 128 }; /* what a row takes beside its texts */

struct page {
    struct wire_frame_writer *frame;
    const struct mailbox_user *user;
    uint64_t move;
    uint64_t expired_rows;
    uint64_t next; /* seq */
    size_t left;
    bool any;
    bool full;
};

static bool on_row(void *context, const struct view_row *row)
{
    struct page *page = context;
    if (row->epoch != page->user->epoch || row->seq < page->next)
        return true;
    const size_t size = ROW_BYTES + row->user.size + row->sender.size + row->device.size +
                        row->id.size + row->body.size;
    if (row->row > page->expired_rows) {
        if (page->any && (size > page->left || !wire_frame_has_room(page->frame, size))) {
            page->full = true;
            return false;
        }
        struct wire_entry entry = {
            .kind = WIRE_MOVE_ROW_COPY,
            .move_row = {.move = page->move,
                         .epoch = row->epoch,
                         .seq = row->seq,
                         .at_ms = row->at_ms,
                         .user = row->user,
                         .message = {.wants = row->wants,
                                     .flags = row->flags,
                                     .ttl_s = row->ttl_s,
                                     .created_ms = row->created_ms,
                                     .sender = row->sender,
                                     .device = row->device,
                                     .id = row->id,
                                     .body = row->body}},
        };
        memcpy(entry.move_row.message.trace, row->trace, sizeof row->trace);
        wire_entry_write(page->frame, &entry);
        page->left -= size < page->left ? size : page->left;
        page->any = true;
    }
    page->next = row->seq + 1;
    return true;
}

/* The seq after those that are read from the same row. */
static uint64_t after_start(const struct mailbox_user *user, uint64_t seq)
{
    const uint64_t start = mailbox_row_near(user, seq);
    while (seq <= user->head && mailbox_row_near(user, seq) == start)
        seq++;
    return seq;
}

int hub_move_rows_add(struct wire_frame_writer *frame, const struct hub_apply *apply,
                      const struct mailbox_user *user, uint64_t move, uint64_t from)
{
    struct page page = {
        .frame = frame,
        .user = user,
        .move = move,
        .expired_rows = mailbox_state(hub_apply_mailbox(apply)).expired_rows,
        .next = from > user->oldest ? from : user->oldest,
        .left = HUB_MOVE_PAGE_BYTES,
    };
    uint64_t seq = page.next;
    while (seq <= user->head && !page.full) {
        int err = view_read(hub_apply_view(apply), mailbox_row_near(user, seq), seq, READ_ROWS_MAX,
                            HUB_MOVE_PAGE_BYTES, on_row, &page);
        if (err != 0)
            return err;
        seq = page.next > seq ? page.next : after_start(user, seq);
    }
    return 0;
}
