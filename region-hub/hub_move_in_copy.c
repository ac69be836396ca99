/* The rows of a mailbox that comes here: from the old home's pages to the own log. */
#include "region-hub/hub_move_in_internal.h"

#include <errno.h>

void hub_move_in_copy_free(struct hub_move_in *in)
{
    buffer_free(&in->devices);
    buffer_free(&in->page);
    in->has_handed = false;
}

void hub_move_in_copy_resume(struct hub_move_in *in)
{
    const struct mailbox *mailbox = hub_apply_mailbox(in->owner->settings.apply);
    const struct mailbox_move found = hub_move_of(in->owner, hub_move_in_user(in));
    struct mailbox_user user;
    buffer_free(&in->page);
    in->has_hole = false;
    in->has_copied = found.where == MAILBOX_STAGED && found.move == in->move &&
                     mailbox_find_user(mailbox, hub_move_in_user(in), &user);
    in->copied = in->has_copied ? user.head : 0;
}

uint64_t hub_move_in_copy_from(const struct hub_move_in *in)
{
    return in->has_copied ? in->copied + 1 : 0;
}

bool hub_move_in_copy_is_whole(const struct hub_move_in *in)
{
    return in->has_handed && in->has_copied && in->copied == in->handed.head;
}

bool hub_move_in_copy_mailbox(struct hub_move_in *in, const struct wire_move_state *state)
{
    const struct wire_mailbox *mailbox = &state->mailbox;
    in->move = state->move;
    if (in->copied_move != in->move)
        hub_move_in_copy_resume(in);
    in->copied_move = in->move;
    buffer_clear(&in->devices);
    if (mailbox->devices.left > 0)
        buffer_append(&in->devices, mailbox->devices.next, mailbox->devices.left);
    in->handed = *mailbox;
    in->handed.devices = wire_cursor_of(in->devices.data, in->devices.size);
    in->has_handed = !in->devices.failed;
    return in->has_handed;
}

bool hub_move_in_copy_page(struct hub_move_in *in, const struct bus_message *message)
{
    buffer_clear(&in->page);
    buffer_append(&in->page, message->data, message->size);
    if (in->page.failed)
        buffer_free(&in->page);
    return in->page.size > 0;
}

/* 0: handed over, or not wanted. -ENOBUFS: later. */
static int copy_row(struct hub_move_in *in, struct wire_move_row *row)
{
    const struct hub_move_settings *settings = &in->owner->settings;
    const size_t most = settings->settings->writer_queue_max_bytes / 2; /* acks go on */
    if (!text_equal(row->user, hub_move_in_user(in)) || row->move != in->move ||
        row->epoch != in->handed.epoch || row->seq > in->handed.head ||
        (in->has_copied && row->seq <= in->copied))
        return 0;
    if (in->has_copied && row->seq != in->copied + 1) {
        in->has_hole = true;
        return 0;
    }
    row->generation = settings->generation;
    if (hub_writer_queued_bytes(settings->writer) > most)
        return -ENOBUFS;
    int err = hub_writer_move_row(settings->writer, row);
    if (err == 0) {
        in->has_copied = true;
        in->copied = row->seq;
    }
    return err;
}

/* Copies what is in the page. -ENODATA: all of it was looked at; `ret_rows`: so many were there. */
static int copy_page(struct hub_move_in *in, size_t *ret_rows)
{
    struct wire_frame frame;
    struct wire_entry entry;
    int err = wire_frame_read(in->page.data, in->page.size, &frame);
    *ret_rows = 0;
    while (err == 0 && !in->has_hole && (err = wire_entry_next(&frame, &entry)) == 0) {
        if (entry.kind != WIRE_MOVE_ROW_COPY)
            continue;
        ++*ret_rows;
        err = copy_row(in, &entry.move_row);
    }
    return err;
}

bool hub_move_in_copy_go_on(struct hub_move_in *in)
{
    size_t rows;
    if (in->page.size == 0)
        return true;
    const int err = copy_page(in, &rows);
    if (err == -ENOBUFS)
        return false;
    buffer_free(&in->page);
    if (err != -ENODATA || rows > 0)
        return true;      /* the next page begins behind what was copied */
    if (in->has_copied) { /* there was more, and it is not there any more */
        in->has_hole = true;
    } else { /* no message is left of it */
        in->has_copied = true;
        in->copied = in->handed.head;
    }
    return true;
}

bool hub_move_in_copy_end(struct hub_move_in *in)
{
    const struct hub_move_settings *settings = &in->owner->settings;
    const struct wire_move_in record = {.generation = settings->generation,
                                        .move = in->move,
                                        .user = hub_move_in_user(in),
                                        .from = text_of(in->known.home),
                                        .mailbox = in->handed};
    return hub_writer_move_in(settings->writer, &record) == 0;
}
