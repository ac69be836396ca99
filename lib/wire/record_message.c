#include "wire/record_message.h"

#include <assert.h>
#include <errno.h>

enum { WANTS_KNOWN = WIRE_WANT_STORED | WIRE_WANT_DELIVERED | WIRE_WANT_READ };
enum { FLAGS_KNOWN = WIRE_FLAG_PLAIN | WIRE_FLAG_NOTICE };

bool wire_is_person(struct text user)
{
    return text_is_user_id(user) && !text_equal(user, TEXT(WIRE_NOTICE_SENDER));
}

static bool is_device_or_empty(struct text text)
{
    return text.size == 0 || text_is_device_id(text);
}

/* Message:
 *   u8 class, u8 wants, u16 flags, u32 ttl_s, i64 created_ms, 16 bytes trace,
 *   text8 sender, text8 device, text8 id,
 *   u16 count of recipients, each: u8 kind, text8 name,
 *   text32 body */
enum { MESSAGE_FIXED_SIZE = 32 + 3 + 2 + 4, RECIPIENT_FIXED_SIZE = 2 };

static struct wire_cursor read_recipients(struct wire_cursor *in, size_t count, bool *known)
{
    struct wire_cursor walk = *in;
    for (size_t i = 0; i < count && !walk.failed; i++) {
        uint8_t kind = wire_read_u8(&walk);
        struct text name = wire_read_text8(&walk);
        if (kind != WIRE_USER)
            *known = false;
        else if (!text_is_user_id(name))
            wire_fail(&walk);
    }
    return wire_read_walked(in, &walk);
}

bool wire_message_read(struct wire_cursor *in, struct wire_message *message)
{
    message->message_class = wire_read_u8(in);
    message->wants = wire_read_u8(in);
    message->flags = wire_read_u16(in);
    message->ttl_s = wire_read_u32(in);
    message->created_ms = wire_read_i64(in);
    wire_read_bytes(in, message->trace, sizeof message->trace);
    message->sender = wire_read_checked(in, text_is_user_id);
    message->device = wire_read_checked(in, is_device_or_empty);
    message->id = wire_read_checked(in, text_is_message_id);
    message->recipient_count = wire_read_u16(in);
    if (message->recipient_count == 0 || message->recipient_count > WIRE_RECIPIENTS_MAX)
        wire_fail(in);
    bool known = message->message_class <= WIRE_EPHEMERAL && (message->wants & ~WANTS_KNOWN) == 0 &&
                 (message->flags & ~FLAGS_KNOWN) == 0;
    message->recipients = read_recipients(in, message->recipient_count, &known);
    message->body = wire_read_text32(in);
    if (message->body.size > WIRE_BODY_MAX)
        wire_fail(in);
    return known;
}

int wire_message_decode(struct wire_cursor payload, struct wire_message *ret_message)
{
    struct wire_message message;
    bool known = wire_message_read(&payload, &message);
    if (!wire_done(&payload))
        return -EBADMSG;
    if (!known)
        return -EPROTO;
    *ret_message = message;
    return 0;
}

bool wire_recipient_next(struct wire_cursor *recipients, struct wire_recipient *ret_recipient)
{
    if (recipients->failed || recipients->left == 0)
        return false;
    struct wire_recipient recipient = {.kind = wire_read_u8(recipients)};
    recipient.name = wire_read_text8(recipients);
    if (recipients->failed)
        return false;
    *ret_recipient = recipient;
    return true;
}

size_t wire_message_size(const struct wire_message *message,
                         const struct wire_recipient *recipients, size_t recipient_count)
{
    size_t size = MESSAGE_FIXED_SIZE + message->sender.size + message->device.size +
                  message->id.size + message->body.size;
    for (size_t i = 0; i < recipient_count; i++)
        size += RECIPIENT_FIXED_SIZE + recipients[i].name.size;
    return size;
}

void wire_message_encode(struct buffer *out, const struct wire_message *message,
                         const struct wire_recipient *recipients, size_t recipient_count)
{
    assert(message->message_class <= WIRE_EPHEMERAL);
    assert((message->wants & ~WANTS_KNOWN) == 0 && (message->flags & ~FLAGS_KNOWN) == 0);
    assert(recipient_count >= 1 && recipient_count <= WIRE_RECIPIENTS_MAX);
    assert(message->body.size <= WIRE_BODY_MAX);
    wire_write_u8(out, message->message_class);
    wire_write_u8(out, message->wants);
    wire_write_u16(out, message->flags);
    wire_write_u32(out, message->ttl_s);
    wire_write_i64(out, message->created_ms);
    buffer_append(out, message->trace, sizeof message->trace);
    wire_write_checked(out, message->sender, text_is_user_id);
    wire_write_checked(out, message->device, is_device_or_empty);
    wire_write_checked(out, message->id, text_is_message_id);
    wire_write_u16(out, (uint16_t)recipient_count);
    for (size_t i = 0; i < recipient_count; i++) {
        assert(recipients[i].kind == WIRE_USER);
        wire_write_u8(out, recipients[i].kind);
        wire_write_checked(out, recipients[i].name, text_is_user_id);
    }
    wire_write_text32(out, message->body);
}
