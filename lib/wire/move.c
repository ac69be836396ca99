#include "wire/move.h"

#include <assert.h>

/* Device: text8 name, u64 seq, i64 used_ms */
bool wire_mailbox_device_next(struct wire_cursor *devices, struct wire_mailbox_device *ret_device)
{
    if (devices->failed || devices->left == 0)
        return false;
    struct wire_mailbox_device device = {.name = wire_read_checked(devices, text_is_device_id)};
    device.seq = wire_read_u64(devices);
    device.used_ms = wire_read_i64(devices);
    if (devices->failed)
        return false;
    *ret_device = device;
    return true;
}

void wire_mailbox_device_write(struct buffer *out, const struct wire_mailbox_device *device)
{
    wire_write_checked(out, device->name, text_is_device_id);
    wire_write_u64(out, device->seq);
    wire_write_i64(out, device->used_ms);
}

static bool is_consistent(const struct wire_mailbox *mailbox)
{
    const bool nothing = mailbox->delivered == 0 && mailbox->delivered_to == 0 &&
                         mailbox->read_to == 0 && mailbox->skipped_to == 0;
    return mailbox->epoch > 0 && mailbox->oldest > 0 && mailbox->head < UINT64_MAX &&
           mailbox->oldest <= mailbox->head + 1 && mailbox->skipped_from <= mailbox->skipped_to &&
           mailbox->skipped_to <= mailbox->delivered && mailbox->delivered <= mailbox->head &&
           mailbox->delivered_to <= mailbox->head && mailbox->read_to <= mailbox->head &&
           mailbox->base <= mailbox->head && (mailbox->epoch > 1 || mailbox->base == 0) &&
           (mailbox->asked || nothing);
}

static struct wire_cursor read_devices(struct wire_cursor *in, uint8_t count, uint64_t head)
{
    struct wire_cursor walk = *in;
    for (uint8_t i = 0; i < count && !walk.failed; i++) {
        struct wire_mailbox_device device = {0};
        if (!wire_mailbox_device_next(&walk, &device) || device.seq > head)
            wire_fail(&walk);
    }
    return wire_read_walked(in, &walk);
}

/* Mailbox: u32 epoch, u64 head, u64 oldest, u8 asked (0 or 1), u64 delivered, u64 delivered_to,
 * u64 read_to, u64 skipped_from, u64 skipped_to, u64 base, u8 count of devices, each as above */
bool wire_mailbox_read(struct wire_cursor *in, struct wire_mailbox *mailbox)
{
    mailbox->epoch = wire_read_u32(in);
    mailbox->head = wire_read_u64(in);
    mailbox->oldest = wire_read_u64(in);
    const uint8_t asked = wire_read_u8(in);
    mailbox->asked = asked != 0;
    mailbox->delivered = wire_read_u64(in);
    mailbox->delivered_to = wire_read_u64(in);
    mailbox->read_to = wire_read_u64(in);
    mailbox->skipped_from = wire_read_u64(in);
    mailbox->skipped_to = wire_read_u64(in);
    mailbox->base = wire_read_u64(in);
    mailbox->device_count = wire_read_u8(in);
    mailbox->devices = read_devices(in, mailbox->device_count, mailbox->head);
    if (!is_consistent(mailbox))
        wire_fail(in);
    return asked <= 1;
}

void wire_mailbox_write(struct buffer *out, const struct wire_mailbox *mailbox)
{
    assert(is_consistent(mailbox) && !mailbox->devices.failed);
    wire_write_u32(out, mailbox->epoch);
    wire_write_u64(out, mailbox->head);
    wire_write_u64(out, mailbox->oldest);
    wire_write_u8(out, mailbox->asked);
    wire_write_u64(out, mailbox->delivered);
    wire_write_u64(out, mailbox->delivered_to);
    wire_write_u64(out, mailbox->read_to);
    wire_write_u64(out, mailbox->skipped_from);
    wire_write_u64(out, mailbox->skipped_to);
    wire_write_u64(out, mailbox->base);
    wire_write_u8(out, mailbox->device_count);
    if (mailbox->devices.left > 0)
        buffer_append(out, mailbox->devices.next, mailbox->devices.left);
}

/* Freeze: u64 generation, u64 move, text8 user, text8 to */
bool wire_freeze_read(struct wire_cursor *in, struct wire_freeze *freeze)
{
    freeze->generation = wire_read_u64(in);
    freeze->move = wire_read_u64(in);
    freeze->user = wire_read_checked(in, text_is_user_id);
    freeze->to = wire_read_checked(in, text_is_region_name);
    return true;
}

void wire_freeze_put(struct buffer *out, const struct wire_freeze *freeze)
{
    wire_write_u64(out, freeze->generation);
    wire_write_u64(out, freeze->move);
    wire_write_checked(out, freeze->user, text_is_user_id);
    wire_write_checked(out, freeze->to, text_is_region_name);
}

/* Move in: u64 generation, u64 move, text8 user, text8 from, mailbox */
bool wire_move_in_read(struct wire_cursor *in, struct wire_move_in *move)
{
    move->generation = wire_read_u64(in);
    move->move = wire_read_u64(in);
    move->user = wire_read_checked(in, text_is_user_id);
    move->from = wire_read_checked(in, text_is_region_name);
    return wire_mailbox_read(in, &move->mailbox);
}

void wire_move_in_put(struct buffer *out, const struct wire_move_in *move)
{
    wire_write_u64(out, move->generation);
    wire_write_u64(out, move->move);
    wire_write_checked(out, move->user, text_is_user_id);
    wire_write_checked(out, move->from, text_is_region_name);
    wire_mailbox_write(out, &move->mailbox);
}

/* Move end: u64 generation, u64 move, text8 user, u8 outcome, text8 home, u64 from */
bool wire_move_end_read(struct wire_cursor *in, struct wire_move_end *end)
{
    end->generation = wire_read_u64(in);
    end->move = wire_read_u64(in);
    end->user = wire_read_checked(in, text_is_user_id);
    end->outcome = wire_read_u8(in);
    end->home = wire_read_checked(in, text_is_region_name);
    end->from = wire_read_u64(in);
    return end->outcome <= WIRE_MOVE_DONE;
}

void wire_move_end_put(struct buffer *out, const struct wire_move_end *end)
{
    assert(end->outcome <= WIRE_MOVE_DONE);
    wire_write_u64(out, end->generation);
    wire_write_u64(out, end->move);
    wire_write_checked(out, end->user, text_is_user_id);
    wire_write_u8(out, end->outcome);
    wire_write_checked(out, end->home, text_is_region_name);
    wire_write_u64(out, end->from);
}

/* Move ask: u8 what, u64 move, text8 user, text8 region, u64 from */
static bool is_what(uint8_t what)
{
    return what >= WIRE_MOVE_BEGIN && what <= WIRE_MOVE_BASE;
}

bool wire_move_ask_read(struct wire_cursor *in, struct wire_move_ask *ask)
{
    ask->what = wire_read_u8(in);
    ask->move = wire_read_u64(in);
    ask->user = wire_read_checked(in, text_is_user_id);
    ask->region = wire_read_checked(in, text_is_region_name);
    ask->from = wire_read_u64(in);
    return is_what(ask->what);
}

void wire_move_ask_put(struct buffer *out, const struct wire_move_ask *ask)
{
    assert(is_what(ask->what));
    wire_write_u8(out, ask->what);
    wire_write_u64(out, ask->move);
    wire_write_checked(out, ask->user, text_is_user_id);
    wire_write_checked(out, ask->region, text_is_region_name);
    wire_write_u64(out, ask->from);
}

static bool is_region_or_empty(struct text text)
{
    return text.size == 0 || text_is_region_name(text);
}

static bool has_mailbox(uint8_t code)
{
    return code == WIRE_MOVE_FROZEN || code == WIRE_MOVE_KEPT;
}

/* Move state: u8 code, u64 move, text8 user, text8 region; when it has one: mailbox */
bool wire_move_state_read(struct wire_cursor *in, struct wire_move_state *state)
{
    state->code = wire_read_u8(in);
    state->move = wire_read_u64(in);
    state->user = wire_read_checked(in, text_is_user_id);
    state->region = wire_read_checked(in, is_region_or_empty);
    state->mailbox = (struct wire_mailbox){0};
    if (has_mailbox(state->code))
        return wire_mailbox_read(in, &state->mailbox);
    return state->code < WIRE_MOVE_CODES;
}

void wire_move_state_put(struct buffer *out, const struct wire_move_state *state)
{
    assert(state->code < WIRE_MOVE_CODES);
    wire_write_u8(out, state->code);
    wire_write_u64(out, state->move);
    wire_write_checked(out, state->user, text_is_user_id);
    wire_write_checked(out, state->region, is_region_or_empty);
    if (has_mailbox(state->code))
        wire_mailbox_write(out, &state->mailbox);
}
