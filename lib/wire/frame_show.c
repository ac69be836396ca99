#include "wire/frame_show.h"

#include <assert.h>

static bool is_user_or_empty(struct text text)
{
    return text.size == 0 || text_is_user_id(text);
}

/* Show: u64 request, text8 user, text8 device, text8 of (a user, or empty), u32 epoch, u64 seq */
bool wire_show_read(struct wire_cursor *in, struct wire_entry *entry)
{
    struct wire_show *show = &entry->show;
    show->request = wire_read_u64(in);
    show->user = wire_read_checked(in, text_is_user_id);
    show->device = wire_read_checked(in, text_is_device_id);
    show->of = wire_read_checked(in, is_user_or_empty);
    show->epoch = wire_read_u32(in);
    show->seq = wire_read_u64(in);
    return true;
}

void wire_show_write(struct buffer *out, const struct wire_entry *entry)
{
    const struct wire_show *show = &entry->show;
    wire_write_u64(out, show->request);
    wire_write_checked(out, show->user, text_is_user_id);
    wire_write_checked(out, show->device, text_is_device_id);
    wire_write_checked(out, show->of, is_user_or_empty);
    wire_write_u32(out, show->epoch);
    wire_write_u64(out, show->seq);
}

/* Shown: u64 request, u8 code, u32 epoch, u64 seq */
bool wire_shown_read(struct wire_cursor *in, struct wire_entry *entry)
{
    struct wire_shown *shown = &entry->shown;
    shown->request = wire_read_u64(in);
    shown->code = wire_read_u8(in);
    shown->epoch = wire_read_u32(in);
    shown->seq = wire_read_u64(in);
    return shown->code <= WIRE_UNSURE;
}

void wire_shown_write(struct buffer *out, const struct wire_entry *entry)
{
    const struct wire_shown *shown = &entry->shown;
    assert(shown->code <= WIRE_UNSURE);
    wire_write_u64(out, shown->request);
    wire_write_u8(out, shown->code);
    wire_write_u32(out, shown->epoch);
    wire_write_u64(out, shown->seq);
}
