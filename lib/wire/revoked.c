#include "wire/revoked.h"

#include <assert.h>
#include <errno.h>

/* Revocation: u8 version 1, u8 kind, i64 at_s, i64 until_s, then by kind
 *   user:   text8 user
 *   device: text8 user, text8 device
 *   token:  text8 id
 *   before: text8 user, i64 before_s
 *   all before: i64 before_s */
enum { REVOKED_VERSION = 1 };
static const int64_t seconds_max = 253402300799;

static bool is_time(int64_t seconds)
{
    return seconds >= 0 && seconds <= seconds_max;
}

static bool are_times(const struct wire_revoked *revoked)
{
    return is_time(revoked->at_s) && is_time(revoked->until_s) && is_time(revoked->before_s) &&
           revoked->at_s < revoked->until_s;
}

static bool has_before(enum wire_revoked_kind kind)
{
    return kind == WIRE_REVOKED_BEFORE || kind == WIRE_REVOKED_ALL_BEFORE;
}

static void read_subject(struct wire_cursor *in, struct wire_revoked *revoked)
{
    if (revoked->kind == WIRE_REVOKED_TOKEN)
        revoked->token_id = wire_read_checked(in, text_is_message_id);
    else if (revoked->kind != WIRE_REVOKED_ALL_BEFORE)
        revoked->user = wire_read_checked(in, text_is_user_id);
    if (revoked->kind == WIRE_REVOKED_DEVICE)
        revoked->device = wire_read_checked(in, text_is_device_id);
    if (has_before(revoked->kind))
        revoked->before_s = wire_read_i64(in);
}

int wire_revoked_read(const void *bytes, size_t size, struct wire_revoked *ret_revoked)
{
    struct wire_cursor in = wire_cursor_of(bytes, size);
    struct wire_revoked revoked = {0};
    if (wire_read_u8(&in) != REVOKED_VERSION)
        return in.failed ? -EBADMSG : -EPROTO;
    uint8_t kind = wire_read_u8(&in);
    if (in.failed)
        return -EBADMSG;
    if (kind < WIRE_REVOKED_USER || kind > WIRE_REVOKED_ALL_BEFORE)
        return -EPROTO;
    revoked.kind = (enum wire_revoked_kind)kind;
    revoked.at_s = wire_read_i64(&in);
    revoked.until_s = wire_read_i64(&in);
    read_subject(&in, &revoked);
    if (!wire_done(&in) || !are_times(&revoked))
        return -EBADMSG;
    *ret_revoked = revoked;
    return 0;
}

int wire_revoked_write(struct buffer *out, const struct wire_revoked *revoked)
{
    assert(are_times(revoked));
    wire_write_u8(out, REVOKED_VERSION);
    wire_write_u8(out, (uint8_t)revoked->kind);
    wire_write_i64(out, revoked->at_s);
    wire_write_i64(out, revoked->until_s);
    if (revoked->kind == WIRE_REVOKED_TOKEN)
        wire_write_checked(out, revoked->token_id, text_is_message_id);
    else if (revoked->kind != WIRE_REVOKED_ALL_BEFORE)
        wire_write_checked(out, revoked->user, text_is_user_id);
    if (revoked->kind == WIRE_REVOKED_DEVICE)
        wire_write_checked(out, revoked->device, text_is_device_id);
    if (has_before(revoked->kind))
        wire_write_i64(out, revoked->before_s);
    return out->failed ? -ENOMEM : 0;
}
