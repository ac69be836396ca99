#include "wire/frame.h"

#include "wire/frame_history.h"
#include "wire/frame_show.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* The layouts of the head of a frame and of an entry are in frame.h. One pair of functions a kind
 * follows, and a row each in the table below them. Bounds hold on both sides: checked when read,
 * asserted when written. A reader returns false for a value this program does not know; what is
 * malformed fails the cursor. */
static const uint8_t magic[4] = {'M', 'R', 'F', '1'};

enum {
    FRAME_VERSION = 1,
    COUNT_AT = 6, /* offset in a frame */
    ENTRY_HEAD_SIZE = 6,
};

static bool is_region_or_empty(struct text text)
{
    return text.size == 0 || text_is_region_name(text);
}

/* Attach: u64 request, text8 user, text8 device, u64 attach, u8 flags, u32 epoch, u64 seq,
 * text16 token */
enum { ATTACH_FLAGS = WIRE_ATTACH_HAS_CURSOR | WIRE_ATTACH_FROM_HEAD };

static bool read_attach(struct wire_cursor *in, struct wire_entry *entry)
{
    struct wire_attach *attach = &entry->attach;
    attach->request = wire_read_u64(in);
    attach->user = wire_read_checked(in, text_is_user_id);
    attach->device = wire_read_checked(in, text_is_device_id);
    attach->attach = wire_read_u64(in);
    attach->flags = wire_read_u8(in);
    attach->epoch = wire_read_u32(in);
    attach->seq = wire_read_u64(in);
    attach->token = wire_read_text16(in);
    return (attach->flags & ~ATTACH_FLAGS) == 0;
}

static void write_attach(struct buffer *out, const struct wire_entry *entry)
{
    const struct wire_attach *attach = &entry->attach;
    assert((attach->flags & ~ATTACH_FLAGS) == 0);
    wire_write_u64(out, attach->request);
    wire_write_checked(out, attach->user, text_is_user_id);
    wire_write_checked(out, attach->device, text_is_device_id);
    wire_write_u64(out, attach->attach);
    wire_write_u8(out, attach->flags);
    wire_write_u32(out, attach->epoch);
    wire_write_u64(out, attach->seq);
    wire_write_text16(out, attach->token);
}

/* Detach: text8 user, text8 device, u64 attach */
static bool read_detach(struct wire_cursor *in, struct wire_entry *entry)
{
    struct wire_detach *detach = &entry->detach;
    detach->user = wire_read_checked(in, text_is_user_id);
    detach->device = wire_read_checked(in, text_is_device_id);
    detach->attach = wire_read_u64(in);
    return true;
}

static void write_detach(struct buffer *out, const struct wire_entry *entry)
{
    const struct wire_detach *detach = &entry->detach;
    wire_write_checked(out, detach->user, text_is_user_id);
    wire_write_checked(out, detach->device, text_is_device_id);
    wire_write_u64(out, detach->attach);
}

/* Report: text8 user, text8 device, u64 attach, u32 epoch, u64 received, u64 acked */
static bool read_report(struct wire_cursor *in, struct wire_entry *entry)
{
    struct wire_report *report = &entry->report;
    report->user = wire_read_checked(in, text_is_user_id);
    report->device = wire_read_checked(in, text_is_device_id);
    report->attach = wire_read_u64(in);
    report->epoch = wire_read_u32(in);
    report->received = wire_read_u64(in);
    report->acked = wire_read_u64(in);
    return true;
}

static void write_report(struct buffer *out, const struct wire_entry *entry)
{
    const struct wire_report *report = &entry->report;
    wire_write_checked(out, report->user, text_is_user_id);
    wire_write_checked(out, report->device, text_is_device_id);
    wire_write_u64(out, report->attach);
    wire_write_u32(out, report->epoch);
    wire_write_u64(out, report->received);
    wire_write_u64(out, report->acked);
}

/* Fetch: text8 user, text8 device, u64 attach, u32 epoch, u64 from */
static bool read_fetch(struct wire_cursor *in, struct wire_entry *entry)
{
    struct wire_fetch *fetch = &entry->fetch;
    fetch->user = wire_read_checked(in, text_is_user_id);
    fetch->device = wire_read_checked(in, text_is_device_id);
    fetch->attach = wire_read_u64(in);
    fetch->epoch = wire_read_u32(in);
    fetch->from = wire_read_u64(in);
    return true;
}

static void write_fetch(struct buffer *out, const struct wire_entry *entry)
{
    const struct wire_fetch *fetch = &entry->fetch;
    wire_write_checked(out, fetch->user, text_is_user_id);
    wire_write_checked(out, fetch->device, text_is_device_id);
    wire_write_u64(out, fetch->attach);
    wire_write_u32(out, fetch->epoch);
    wire_write_u64(out, fetch->from);
}

/* Ephemeral send: a message, as in a record; written by wire_ephemeral_write() */
static bool read_ephemeral(struct wire_cursor *in, struct wire_entry *entry)
{
    struct wire_cursor payload = wire_read_part(in, in->left);
    int error = wire_message_decode(payload, &entry->ephemeral);
    if (error == -EBADMSG)
        wire_fail(in);
    return error == 0;
}

/* Claim: u64 request, text8 user, text8 home */
static bool read_claim(struct wire_cursor *in, struct wire_entry *entry)
{
    struct wire_claim *claim = &entry->claim;
    claim->request = wire_read_u64(in);
    claim->user = wire_read_checked(in, text_is_user_id);
    claim->home = wire_read_checked(in, text_is_region_name);
    return true;
}

static void write_claim(struct buffer *out, const struct wire_entry *entry)
{
    const struct wire_claim *claim = &entry->claim;
    wire_write_u64(out, claim->request);
    wire_write_checked(out, claim->user, text_is_user_id);
    wire_write_checked(out, claim->home, text_is_region_name);
}

/* Lane ask: text8 source */
static bool read_lane_ask(struct wire_cursor *in, struct wire_entry *entry)
{
    entry->lane_ask.source = wire_read_checked(in, text_is_region_name);
    return true;
}

static void write_lane_ask(struct buffer *out, const struct wire_entry *entry)
{
    wire_write_checked(out, entry->lane_ask.source, text_is_region_name);
}

/* Attached: u64 request, text8 user, text8 device, u64 attach, u8 code, u8 flags, u32 epoch,
 * u64 seq, u64 head, u64 acked */
enum { ATTACHED_FLAGS = WIRE_ATTACHED_RESUMED | WIRE_ATTACHED_RESYNC };

static bool read_attached(struct wire_cursor *in, struct wire_entry *entry)
{
    struct wire_attached *attached = &entry->attached;
    attached->request = wire_read_u64(in);
    attached->user = wire_read_checked(in, text_is_user_id);
    attached->device = wire_read_checked(in, text_is_device_id);
    attached->attach = wire_read_u64(in);
    attached->code = wire_read_u8(in);
    attached->flags = wire_read_u8(in);
    attached->epoch = wire_read_u32(in);
    attached->seq = wire_read_u64(in);
    attached->head = wire_read_u64(in);
    attached->acked = wire_read_u64(in);
    return attached->code <= WIRE_UNSURE && (attached->flags & ~ATTACHED_FLAGS) == 0;
}

static void write_attached(struct buffer *out, const struct wire_entry *entry)
{
    const struct wire_attached *attached = &entry->attached;
    assert(attached->code <= WIRE_UNSURE && (attached->flags & ~ATTACHED_FLAGS) == 0);
    wire_write_u64(out, attached->request);
    wire_write_checked(out, attached->user, text_is_user_id);
    wire_write_checked(out, attached->device, text_is_device_id);
    wire_write_u64(out, attached->attach);
    wire_write_u8(out, attached->code);
    wire_write_u8(out, attached->flags);
    wire_write_u32(out, attached->epoch);
    wire_write_u64(out, attached->seq);
    wire_write_u64(out, attached->head);
    wire_write_u64(out, attached->acked);
}

/* Deliver: u64 attach, text8 user, u32 epoch, u64 seq, i64 at_ms, u16 flags, 16 bytes trace,
 * text8 sender, text8 id, text32 body */
enum { DELIVER_FLAGS = WIRE_FLAG_PLAIN | WIRE_FLAG_NOTICE };

static bool read_deliver(struct wire_cursor *in, struct wire_entry *entry)
{
    struct wire_deliver *deliver = &entry->deliver;
    deliver->attach = wire_read_u64(in);
    deliver->user = wire_read_checked(in, text_is_user_id);
    deliver->epoch = wire_read_u32(in);
    deliver->seq = wire_read_u64(in);
    deliver->at_ms = wire_read_i64(in);
    deliver->flags = wire_read_u16(in);
    wire_read_bytes(in, deliver->trace, sizeof deliver->trace);
    deliver->sender = wire_read_checked(in, text_is_user_id);
    deliver->id = wire_read_checked(in, text_is_message_id);
    deliver->body = wire_read_text32(in);
    if (deliver->body.size > WIRE_BODY_MAX)
        wire_fail(in);
    return (deliver->flags & ~DELIVER_FLAGS) == 0;
}

static void write_deliver(struct buffer *out, const struct wire_entry *entry)
{
    const struct wire_deliver *deliver = &entry->deliver;
    assert((deliver->flags & ~DELIVER_FLAGS) == 0 && deliver->body.size <= WIRE_BODY_MAX);
    wire_write_u64(out, deliver->attach);
    wire_write_checked(out, deliver->user, text_is_user_id);
    wire_write_u32(out, deliver->epoch);
    wire_write_u64(out, deliver->seq);
    wire_write_i64(out, deliver->at_ms);
    wire_write_u16(out, deliver->flags);
    buffer_append(out, deliver->trace, sizeof deliver->trace);
    wire_write_checked(out, deliver->sender, text_is_user_id);
    wire_write_checked(out, deliver->id, text_is_message_id);
    wire_write_text32(out, deliver->body);
}

/* Acked: text8 user, text8 device, u64 attach, u32 epoch, u64 seq */
static bool read_acked(struct wire_cursor *in, struct wire_entry *entry)
{
    struct wire_acked *acked = &entry->acked;
    acked->user = wire_read_checked(in, text_is_user_id);
    acked->device = wire_read_checked(in, text_is_device_id);
    acked->attach = wire_read_u64(in);
    acked->epoch = wire_read_u32(in);
    acked->seq = wire_read_u64(in);
    return true;
}

static void write_acked(struct buffer *out, const struct wire_entry *entry)
{
    const struct wire_acked *acked = &entry->acked;
    wire_write_checked(out, acked->user, text_is_user_id);
    wire_write_checked(out, acked->device, text_is_device_id);
    wire_write_u64(out, acked->attach);
    wire_write_u32(out, acked->epoch);
    wire_write_u64(out, acked->seq);
}

/* Kick: text8 user, text8 device, u64 attach, u8 reason */
static bool is_kick_reason(uint8_t reason)
{
    return reason >= WIRE_KICK_REPLACED && reason <= WIRE_KICK_DROPPED;
}

static bool read_kick(struct wire_cursor *in, struct wire_entry *entry)
{
    struct wire_kick *kick = &entry->kick;
    kick->user = wire_read_checked(in, text_is_user_id);
    kick->device = wire_read_checked(in, text_is_device_id);
    kick->attach = wire_read_u64(in);
    kick->reason = wire_read_u8(in);
    return is_kick_reason(kick->reason);
}

static void write_kick(struct buffer *out, const struct wire_entry *entry)
{
    const struct wire_kick *kick = &entry->kick;
    assert(is_kick_reason(kick->reason));
    wire_write_checked(out, kick->user, text_is_user_id);
    wire_write_checked(out, kick->device, text_is_device_id);
    wire_write_u64(out, kick->attach);
    wire_write_u8(out, kick->reason);
}

/* Gap: u64 attach, text8 user, u32 epoch, u64 from, u64 to, text8 reason (as a message id: 1 to 64
 * printable ASCII) */
static bool read_gap(struct wire_cursor *in, struct wire_entry *entry)
{
    struct wire_gap *gap = &entry->gap;
    gap->attach = wire_read_u64(in);
    gap->user = wire_read_checked(in, text_is_user_id);
    gap->epoch = wire_read_u32(in);
    gap->from = wire_read_u64(in);
    gap->to = wire_read_u64(in);
    gap->reason = wire_read_checked(in, text_is_message_id);
    if (gap->from > gap->to)
        wire_fail(in);
    return true;
}

static void write_gap(struct buffer *out, const struct wire_entry *entry)
{
    const struct wire_gap *gap = &entry->gap;
    assert(gap->from <= gap->to);
    wire_write_u64(out, gap->attach);
    wire_write_checked(out, gap->user, text_is_user_id);
    wire_write_u32(out, gap->epoch);
    wire_write_u64(out, gap->from);
    wire_write_u64(out, gap->to);
    wire_write_checked(out, gap->reason, text_is_message_id);
}

/* Unattached: text8 user, text8 device, u64 attach */
static bool read_unattached(struct wire_cursor *in, struct wire_entry *entry)
{
    struct wire_unattached *unattached = &entry->unattached;
    unattached->user = wire_read_checked(in, text_is_user_id);
    unattached->device = wire_read_checked(in, text_is_device_id);
    unattached->attach = wire_read_u64(in);
    return true;
}

static void write_unattached(struct buffer *out, const struct wire_entry *entry)
{
    const struct wire_unattached *unattached = &entry->unattached;
    wire_write_checked(out, unattached->user, text_is_user_id);
    wire_write_checked(out, unattached->device, text_is_device_id);
    wire_write_u64(out, unattached->attach);
}

/* Claimed: u64 request, text8 user, u8 code, text8 home (empty unless the code is OK), u32 epoch */
static bool read_claimed(struct wire_cursor *in, struct wire_entry *entry)
{
    struct wire_claimed *claimed = &entry->claimed;
    claimed->request = wire_read_u64(in);
    claimed->user = wire_read_checked(in, text_is_user_id);
    claimed->code = wire_read_u8(in);
    claimed->home = wire_read_checked(in, is_region_or_empty);
    claimed->epoch = wire_read_u32(in);
    if (claimed->code == WIRE_OK && claimed->home.size == 0)
        wire_fail(in);
    return claimed->code <= WIRE_UNSURE;
}

static void write_claimed(struct buffer *out, const struct wire_entry *entry)
{
    const struct wire_claimed *claimed = &entry->claimed;
    assert(claimed->code <= WIRE_UNSURE);
    assert(claimed->code != WIRE_OK || claimed->home.size > 0);
    wire_write_u64(out, claimed->request);
    wire_write_checked(out, claimed->user, text_is_user_id);
    wire_write_u8(out, claimed->code);
    wire_write_checked(out, claimed->home, is_region_or_empty);
    wire_write_u32(out, claimed->epoch);
}

/* Lane at: text8 source, 16 bytes incarnation, u64 sequence */
static bool read_lane_at(struct wire_cursor *in, struct wire_entry *entry)
{
    struct wire_lane_at *lane = &entry->lane_at;
    lane->source = wire_read_checked(in, text_is_region_name);
    wire_read_bytes(in, lane->incarnation, sizeof lane->incarnation);
    lane->sequence = wire_read_u64(in);
    return true;
}

static void write_lane_at(struct buffer *out, const struct wire_entry *entry)
{
    const struct wire_lane_at *lane = &entry->lane_at;
    wire_write_checked(out, lane->source, text_is_region_name);
    buffer_append(out, lane->incarnation, sizeof lane->incarnation);
    wire_write_u64(out, lane->sequence);
}

/* Read up to: text8 user, text8 device, u64 attach, text8 of, u32 epoch, u64 seq */
static bool read_read_up_to(struct wire_cursor *in, struct wire_entry *entry)
{
    struct wire_read_up_to *read = &entry->read_up_to;
    read->user = wire_read_checked(in, text_is_user_id);
    read->device = wire_read_checked(in, text_is_device_id);
    read->attach = wire_read_u64(in);
    read->of = wire_read_checked(in, text_is_user_id);
    read->epoch = wire_read_u32(in);
    read->seq = wire_read_u64(in);
    return true;
}

static void write_read_up_to(struct buffer *out, const struct wire_entry *entry)
{
    const struct wire_read_up_to *read = &entry->read_up_to;
    wire_write_checked(out, read->user, text_is_user_id);
    wire_write_checked(out, read->device, text_is_device_id);
    wire_write_u64(out, read->attach);
    wire_write_checked(out, read->of, text_is_user_id);
    wire_write_u32(out, read->epoch);
    wire_write_u64(out, read->seq);
}

/* Read noted: text8 user, text8 of, u32 epoch, u64 seq */
static bool read_read_noted(struct wire_cursor *in, struct wire_entry *entry)
{
    struct wire_read_noted *noted = &entry->read_noted;
    noted->user = wire_read_checked(in, text_is_user_id);
    noted->of = wire_read_checked(in, text_is_user_id);
    noted->epoch = wire_read_u32(in);
    noted->seq = wire_read_u64(in);
    return true;
}

static void write_read_noted(struct buffer *out, const struct wire_entry *entry)
{
    const struct wire_read_noted *noted = &entry->read_noted;
    wire_write_checked(out, noted->user, text_is_user_id);
    wire_write_checked(out, noted->of, text_is_user_id);
    wire_write_u32(out, noted->epoch);
    wire_write_u64(out, noted->seq);
}

static bool read_move_ask(struct wire_cursor *in, struct wire_entry *entry)
{
    return wire_move_ask_read(in, &entry->move_ask);
}

static void write_move_ask(struct buffer *out, const struct wire_entry *entry)
{
    wire_move_ask_put(out, &entry->move_ask);
}

static bool read_move_state(struct wire_cursor *in, struct wire_entry *entry)
{
    return wire_move_state_read(in, &entry->move_state);
}

static void write_move_state(struct buffer *out, const struct wire_entry *entry)
{
    wire_move_state_put(out, &entry->move_state);
}

static bool read_move_row(struct wire_cursor *in, struct wire_entry *entry)
{
    return wire_move_row_read(in, &entry->move_row);
}

static void write_move_row(struct buffer *out, const struct wire_entry *entry)
{
    wire_move_row_put(out, &entry->move_row);
}

static const struct entry_format {
    bool (*read)(struct wire_cursor *in, struct wire_entry *entry); /* NULL: no such kind */
    void (*write)(struct buffer *out, const struct wire_entry *entry);
} formats[] = {
    [WIRE_ATTACH] = {read_attach, write_attach},
    [WIRE_DETACH] = {read_detach, write_detach},
    [WIRE_REPORT] = {read_report, write_report},
    [WIRE_FETCH] = {read_fetch, write_fetch},
    [WIRE_EPHEMERAL_SEND] = {read_ephemeral, NULL},
    [WIRE_CLAIM] = {read_claim, write_claim},
    [WIRE_LANE_ASK] = {read_lane_ask, write_lane_ask},
    [WIRE_ATTACHED] = {read_attached, write_attached},
    [WIRE_DELIVER] = {read_deliver, write_deliver},
    [WIRE_ACKED] = {read_acked, write_acked},
    [WIRE_KICK] = {read_kick, write_kick},
    [WIRE_GAP] = {read_gap, write_gap},
    [WIRE_UNATTACHED] = {read_unattached, write_unattached},
    [WIRE_CLAIMED] = {read_claimed, write_claimed},
    [WIRE_LANE_AT] = {read_lane_at, write_lane_at},
    [WIRE_READ_UP_TO] = {read_read_up_to, write_read_up_to},
    [WIRE_READ_NOTED] = {read_read_noted, write_read_noted},
    [WIRE_MOVE_ASK] = {read_move_ask, write_move_ask},
    [WIRE_MOVE_STATE] = {read_move_state, write_move_state},
    [WIRE_MOVE_ROW_COPY] = {read_move_row, write_move_row},
    [WIRE_HISTORY_ASK] = {wire_history_ask_read, wire_history_ask_write},
    [WIRE_HISTORY_PAGE] = {wire_history_page_read, wire_history_page_write},
    [WIRE_HISTORY_ROW] = {wire_history_row_read, wire_history_row_write},
    [WIRE_SHOW] = {wire_show_read, wire_show_write},
    [WIRE_SHOWN] = {wire_shown_read, wire_shown_write},
};

static const struct entry_format *find_format(uint8_t kind)
{
    if (kind >= COUNT_OF(formats) || formats[kind].read == NULL)
        return NULL;
    return &formats[kind];
}

int wire_frame_read(const void *bytes, size_t size, struct wire_frame *ret_frame)
{
    struct wire_cursor in = wire_cursor_of(bytes, size);
    struct wire_frame frame;
    uint8_t start[sizeof magic];
    wire_read_bytes(&in, start, sizeof start);
    uint8_t version = wire_read_u8(&in);
    if (in.failed || memcmp(start, magic, sizeof magic) != 0)
        return -EBADMSG;
    if (version != FRAME_VERSION) /* may be laid out differently from here on */
        return -EPROTO;
    uint8_t zero = wire_read_u8(&in);
    frame.count = wire_read_u16(&in);
    frame.generation = wire_read_u64(&in);
    frame.shard = wire_read_u16(&in);
    frame.region = wire_read_checked(&in, text_is_region_name);
    frame.from = wire_read_checked(&in, text_is_process_name);
    if (in.failed || zero != 0 || frame.count > WIRE_FRAME_ENTRIES_MAX ||
        size > WIRE_FRAME_SIZE_MAX)
        return -EBADMSG;
    frame.entries = in;
    *ret_frame = frame;
    return 0;
}

static int bad_entry(struct wire_frame *frame)
{
    wire_fail(&frame->entries);
    return -EBADMSG;
}

int wire_entry_next(struct wire_frame *frame, struct wire_entry *ret_entry)
{
    struct wire_cursor *in = &frame->entries;
    if (wire_done(in) && frame->count == 0)
        return -ENODATA;
    struct wire_entry entry;
    entry.kind = wire_read_u8(in);
    uint8_t zero = wire_read_u8(in);
    struct wire_cursor payload = wire_read_part(in, wire_read_u32(in));
    if (in->failed || frame->count == 0)
        return bad_entry(frame);
    const struct entry_format *format = find_format(entry.kind);
    bool known = format != NULL && format->read(&payload, &entry);
    if (format != NULL && (zero != 0 || !wire_done(&payload)))
        return bad_entry(frame);
    frame->count--;
    if (!known)
        return -EPROTO;
    *ret_entry = entry;
    return 0;
}

void wire_frame_begin(struct wire_frame_writer *writer, struct buffer *out,
                      const struct wire_frame *head)
{
    *writer = (struct wire_frame_writer){.out = out, .start = out->size};
    buffer_append(out, magic, sizeof magic);
    wire_write_u8(out, FRAME_VERSION);
    wire_write_u8(out, 0);
    wire_write_u16(out, 0); /* the count, see wire_frame_end() */
    wire_write_u64(out, head->generation);
    wire_write_u16(out, head->shard);
    wire_write_checked(out, head->region, text_is_region_name);
    wire_write_checked(out, head->from, text_is_process_name);
}

bool wire_frame_has_room(const struct wire_frame_writer *writer, size_t size)
{
    if (writer->out->failed || writer->count >= WIRE_FRAME_ENTRIES_MAX)
        return false;
    size_t used = writer->out->size - writer->start + ENTRY_HEAD_SIZE;
    return used <= WIRE_FRAME_SIZE_MAX && size <= WIRE_FRAME_SIZE_MAX - used;
}

/* Returns where the payload starts. */
static size_t begin_entry(struct wire_frame_writer *writer, uint8_t kind)
{
    wire_write_u8(writer->out, kind);
    wire_write_u8(writer->out, 0);
    wire_write_u32(writer->out, 0); /* the size, see end_entry() */
    return writer->out->size;
}

static void end_entry(struct wire_frame_writer *writer, size_t start)
{
    writer->count++;
    if (!writer->out->failed)
        wire_patch_u32(writer->out, start - 4, (uint32_t)(writer->out->size - start));
}

void wire_entry_write(struct wire_frame_writer *writer, const struct wire_entry *entry)
{
    const struct entry_format *format = find_format(entry->kind);
    assert(format != NULL && format->write != NULL);
    size_t start = begin_entry(writer, entry->kind);
    format->write(writer->out, entry);
    end_entry(writer, start);
}

void wire_ephemeral_write(struct wire_frame_writer *writer, const struct wire_message *message,
                          const struct wire_recipient *recipients, size_t recipient_count)
{
    size_t start = begin_entry(writer, WIRE_EPHEMERAL_SEND);
    wire_message_encode(writer->out, message, recipients, recipient_count);
    end_entry(writer, start);
}

int wire_frame_end(struct wire_frame_writer *writer)
{
    if (writer->out->failed)
        return -ENOMEM;
    assert(writer->count <= WIRE_FRAME_ENTRIES_MAX);
    assert(writer->out->size - writer->start <= WIRE_FRAME_SIZE_MAX);
    struct buffer count = wire_rewrite(writer->out, writer->start + COUNT_AT, 2);
    wire_write_u16(&count, writer->count);
    return 0;
}
