#include "wire/record.h"

#include <assert.h>
#include <errno.h>

/* Layout of a record: u8 kind, u8 level, u16 zero, u32 size, then the payload of `size` bytes.
 * Bounds hold on both sides: checked when read, asserted when written. */

enum { WANTS_KNOWN = WIRE_WANT_STORED | WIRE_WANT_DELIVERED | WIRE_WANT_READ };
enum { FLAGS_KNOWN = WIRE_FLAG_PLAIN | WIRE_FLAG_NOTICE };

bool wire_is_person(struct text user)
{
    return text_is_user_id(user) && !text_equal(user, TEXT(WIRE_NOTICE_SENDER));
}
enum { STREAM_LOG = 0, STREAM_OUTBOX = 1 };

static bool is_device_or_empty(struct text text)
{
    return text.size == 0 || text_is_device_id(text);
}

static bool is_process_or_empty(struct text text)
{
    return text.size == 0 || text_is_process_name(text);
}

static bool is_region_or_empty(struct text text)
{
    return text.size == 0 || text_is_region_name(text);
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

/* The readers return false for a value this program does not know; what is malformed fails the
 * cursor. */
static bool read_message(struct wire_cursor *in, struct wire_message *message)
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
    bool known = read_message(&payload, &message);
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

/* Genesis:
 *   u8 stream, 16 bytes incarnation, text8 region, text8 destination, u16 shard, u16 shards,
 *   text8 hash name, u8 hash version */
static bool is_genesis_consistent(const struct wire_genesis *genesis)
{
    if (genesis->stream == STREAM_OUTBOX)
        return genesis->destination.size > 0 && genesis->shard == 0 && genesis->shards > 0;
    return genesis->destination.size == 0 && genesis->shard < genesis->shards;
}

static bool read_genesis(struct wire_cursor *in, struct wire_record *record)
{
    struct wire_genesis *genesis = &record->genesis;
    genesis->stream = wire_read_u8(in);
    wire_read_bytes(in, genesis->incarnation, sizeof genesis->incarnation);
    genesis->region = wire_read_checked(in, text_is_region_name);
    genesis->destination = wire_read_checked(in, is_region_or_empty);
    genesis->shard = wire_read_u16(in);
    genesis->shards = wire_read_u16(in);
    genesis->hash_name = wire_read_checked(in, text_is_process_name);
    genesis->hash_version = wire_read_u8(in);
    if (genesis->stream > STREAM_OUTBOX)
        return false;
    if (!is_genesis_consistent(genesis))
        wire_fail(in);
    return true;
}

static void write_genesis(struct buffer *out, const struct wire_genesis *genesis)
{
    assert(genesis->stream <= STREAM_OUTBOX && is_genesis_consistent(genesis));
    wire_write_u8(out, genesis->stream);
    buffer_append(out, genesis->incarnation, sizeof genesis->incarnation);
    wire_write_checked(out, genesis->region, text_is_region_name);
    wire_write_checked(out, genesis->destination, is_region_or_empty);
    wire_write_u16(out, genesis->shard);
    wire_write_u16(out, genesis->shards);
    wire_write_checked(out, genesis->hash_name, text_is_process_name);
    wire_write_u8(out, genesis->hash_version);
}

/* Config:
 *   u8 level, u32 dedupe_window_s, u32 retention_s, u32 mailbox_max_messages,
 *   u64 mailbox_max_bytes, u16 devices_max, 16 bytes dedupe key */
static bool read_config(struct wire_cursor *in, struct wire_record *record)
{
    struct wire_config *config = &record->config;
    config->level = wire_read_u8(in);
    config->dedupe_window_s = wire_read_u32(in);
    config->retention_s = wire_read_u32(in);
    config->mailbox_max_messages = wire_read_u32(in);
    config->mailbox_max_bytes = wire_read_u64(in);
    config->devices_max = wire_read_u16(in);
    wire_read_bytes(in, config->dedupe_key, sizeof config->dedupe_key);
    if (config->level == 0)
        wire_fail(in);
    return config->level <= WIRE_LEVEL;
}

static void write_config(struct buffer *out, const struct wire_config *config)
{
    assert(config->level >= 1);
    wire_write_u8(out, config->level);
    wire_write_u32(out, config->dedupe_window_s);
    wire_write_u32(out, config->retention_s);
    wire_write_u32(out, config->mailbox_max_messages);
    wire_write_u64(out, config->mailbox_max_bytes);
    wire_write_u16(out, config->devices_max);
    buffer_append(out, config->dedupe_key, sizeof config->dedupe_key);
}

/* Own: text8 hub, u64 start, u64 expects */
static bool read_own(struct wire_cursor *in, struct wire_record *record)
{
    struct wire_own *own = &record->own;
    own->hub = wire_read_checked(in, is_process_or_empty);
    own->start = wire_read_u64(in);
    own->expects = wire_read_u64(in);
    return true;
}

static void write_own(struct buffer *out, const struct wire_own *own)
{
    wire_write_checked(out, own->hub, is_process_or_empty);
    wire_write_u64(out, own->start);
    wire_write_u64(out, own->expects);
}

/* Tick: u64 generation, u64 position, 16 bytes hash */
static bool read_tick(struct wire_cursor *in, struct wire_record *record)
{
    struct wire_tick *tick = &record->tick;
    tick->generation = wire_read_u64(in);
    tick->position = wire_read_u64(in);
    wire_read_bytes(in, tick->hash.bytes, sizeof tick->hash.bytes);
    return true;
}

static void write_tick(struct buffer *out, const struct wire_tick *tick)
{
    wire_write_u64(out, tick->generation);
    wire_write_u64(out, tick->position);
    buffer_append(out, tick->hash.bytes, sizeof tick->hash.bytes);
}

/* Ack: u64 generation, text8 user, text8 device, u32 epoch, u64 seq */
static bool read_ack(struct wire_cursor *in, struct wire_record *record)
{
    struct wire_ack *ack = &record->ack;
    ack->generation = wire_read_u64(in);
    ack->user = wire_read_checked(in, text_is_user_id);
    ack->device = wire_read_checked(in, text_is_device_id);
    ack->epoch = wire_read_u32(in);
    ack->seq = wire_read_u64(in);
    return true;
}

static void write_ack(struct buffer *out, const struct wire_ack *ack)
{
    wire_write_u64(out, ack->generation);
    wire_write_checked(out, ack->user, text_is_user_id);
    wire_write_checked(out, ack->device, text_is_device_id);
    wire_write_u32(out, ack->epoch);
    wire_write_u64(out, ack->seq);
}

/* Checkpoint: u64 generation */
static bool read_checkpoint(struct wire_cursor *in, struct wire_record *record)
{
    struct wire_checkpoint *checkpoint = &record->checkpoint;
    checkpoint->generation = wire_read_u64(in);
    return true;
}

static void write_checkpoint(struct buffer *out, const struct wire_checkpoint *checkpoint)
{
    wire_write_u64(out, checkpoint->generation);
}

/* Noticed: u64 generation, u64 number */
static bool read_noticed(struct wire_cursor *in, struct wire_record *record)
{
    struct wire_noticed *noticed = &record->noticed;
    noticed->generation = wire_read_u64(in);
    noticed->number = wire_read_u64(in);
    return true;
}

static void write_noticed(struct buffer *out, const struct wire_noticed *noticed)
{
    wire_write_u64(out, noticed->generation);
    wire_write_u64(out, noticed->number);
}

/* Read: u64 generation, text8 user, text8 of, u32 epoch, u64 seq */
static bool read_read(struct wire_cursor *in, struct wire_record *record)
{
    struct wire_read *read = &record->read;
    read->generation = wire_read_u64(in);
    read->user = wire_read_checked(in, text_is_user_id);
    read->of = wire_read_checked(in, text_is_user_id);
    read->epoch = wire_read_u32(in);
    read->seq = wire_read_u64(in);
    return true;
}

static void write_read(struct buffer *out, const struct wire_read *read)
{
    wire_write_u64(out, read->generation);
    wire_write_checked(out, read->user, text_is_user_id);
    wire_write_checked(out, read->of, text_is_user_id);
    wire_write_u32(out, read->epoch);
    wire_write_u64(out, read->seq);
}

/* Move row: u64 generation, u64 move, u32 epoch, u64 seq, i64 at_ms, then the message, whose one
 * recipient is the user */
bool wire_move_row_read(struct wire_cursor *in, struct wire_move_row *row)
{
    row->generation = wire_read_u64(in);
    row->move = wire_read_u64(in);
    row->epoch = wire_read_u32(in);
    row->seq = wire_read_u64(in);
    row->at_ms = wire_read_i64(in);
    if (!read_message(in, &row->message))
        return false;
    struct wire_cursor recipients = row->message.recipients;
    struct wire_recipient to = {0};
    if (row->message.recipient_count != 1 || !wire_recipient_next(&recipients, &to) ||
        row->message.message_class != WIRE_DURABLE || row->epoch == 0 || row->seq == 0)
        wire_fail(in);
    row->user = to.name;
    return true;
}

void wire_move_row_put(struct buffer *out, const struct wire_move_row *row)
{
    const struct wire_recipient to = {.kind = WIRE_USER, .name = row->user};
    assert(row->message.message_class == WIRE_DURABLE && row->epoch > 0 && row->seq > 0);
    wire_write_u64(out, row->generation);
    wire_write_u64(out, row->move);
    wire_write_u32(out, row->epoch);
    wire_write_u64(out, row->seq);
    wire_write_i64(out, row->at_ms);
    wire_message_encode(out, &row->message, &to, 1);
}

static bool read_message_record(struct wire_cursor *in, struct wire_record *record)
{
    return read_message(in, &record->message);
}

static bool read_freeze(struct wire_cursor *in, struct wire_record *record)
{
    return wire_freeze_read(in, &record->freeze);
}

static bool read_move_row(struct wire_cursor *in, struct wire_record *record)
{
    return wire_move_row_read(in, &record->move_row);
}

static bool read_move_in(struct wire_cursor *in, struct wire_record *record)
{
    return wire_move_in_read(in, &record->move_in);
}

static bool read_move_end(struct wire_cursor *in, struct wire_record *record)
{
    return wire_move_end_read(in, &record->move_end);
}

/* The level that a hub must know to apply a kind; 0: a kind that is not known here. */
static const struct record_format {
    uint8_t level;
    bool (*read)(struct wire_cursor *in, struct wire_record *record);
} formats[] = {
    [WIRE_MESSAGE] = {1, read_message_record},
    [WIRE_GENESIS] = {1, read_genesis},
    [WIRE_CONFIG] = {1, read_config},
    [WIRE_OWN] = {1, read_own},
    [WIRE_TICK] = {1, read_tick},
    [WIRE_ACK] = {1, read_ack},
    [WIRE_CHECKPOINT] = {2, read_checkpoint},
    [WIRE_NOTICED] = {2, read_noticed},
    [WIRE_READ] = {2, read_read},
    [WIRE_FREEZE] = {3, read_freeze},
    [WIRE_MOVE_ROW] = {3, read_move_row},
    [WIRE_MOVE_IN] = {3, read_move_in},
    [WIRE_MOVE_END] = {3, read_move_end},
};

static uint8_t level_of(uint8_t kind)
{
    return kind < COUNT_OF(formats) ? formats[kind].level : 0;
}

static bool is_known(const struct wire_record *record)
{
    return record->level <= WIRE_LEVEL && level_of(record->kind) != 0;
}

static int unknown(const struct wire_record *record, struct wire_record *ret_record)
{
    ret_record->kind = record->kind;
    ret_record->level = record->level;
    return -EPROTO;
}

int wire_record_next(struct wire_cursor *body, struct wire_record *ret_record)
{
    if (wire_done(body))
        return -ENODATA;
    struct wire_record record;
    record.kind = wire_read_u8(body);
    record.level = wire_read_u8(body);
    uint16_t zero = wire_read_u16(body);
    struct wire_cursor payload = wire_read_part(body, wire_read_u32(body));
    if (!body->failed && !is_known(&record)) /* laid out in a way we do not know */
        return unknown(&record, ret_record);
    if (record.level < level_of(record.kind) || zero != 0)
        wire_fail(body);
    bool known = !body->failed && formats[record.kind].read(&payload, &record);
    if (body->failed || !wire_done(&payload)) {
        wire_fail(body);
        return -EBADMSG;
    }
    if (!known)
        return unknown(&record, ret_record);
    *ret_record = record;
    return 0;
}

/* Returns where the payload starts. */
static size_t begin_record(struct wire_batch_writer *writer, enum wire_kind kind)
{
    wire_write_u8(writer->out, (uint8_t)kind);
    wire_write_u8(writer->out, level_of((uint8_t)kind));
    wire_write_u16(writer->out, 0);
    wire_write_u32(writer->out, 0); /* the size, see end_record() */
    return writer->out->size;
}

static void end_record(struct wire_batch_writer *writer, size_t start)
{
    writer->count++;
    if (!writer->out->failed)
        wire_patch_u32(writer->out, start - 4, (uint32_t)(writer->out->size - start));
}

void wire_message_write(struct wire_batch_writer *writer, const struct wire_message *message,
                        const struct wire_recipient *recipients, size_t recipient_count)
{
    size_t start = begin_record(writer, WIRE_MESSAGE);
    wire_message_encode(writer->out, message, recipients, recipient_count);
    end_record(writer, start);
}

void wire_genesis_write(struct wire_batch_writer *writer, const struct wire_genesis *genesis)
{
    size_t start = begin_record(writer, WIRE_GENESIS);
    write_genesis(writer->out, genesis);
    end_record(writer, start);
}

void wire_config_write(struct wire_batch_writer *writer, const struct wire_config *config)
{
    size_t start = begin_record(writer, WIRE_CONFIG);
    write_config(writer->out, config);
    end_record(writer, start);
}

void wire_own_write(struct wire_batch_writer *writer, const struct wire_own *own)
{
    size_t start = begin_record(writer, WIRE_OWN);
    write_own(writer->out, own);
    end_record(writer, start);
}

void wire_tick_write(struct wire_batch_writer *writer, const struct wire_tick *tick)
{
    size_t start = begin_record(writer, WIRE_TICK);
    write_tick(writer->out, tick);
    end_record(writer, start);
}

void wire_ack_write(struct wire_batch_writer *writer, const struct wire_ack *ack)
{
    size_t start = begin_record(writer, WIRE_ACK);
    write_ack(writer->out, ack);
    end_record(writer, start);
}

void wire_checkpoint_write(struct wire_batch_writer *writer,
                           const struct wire_checkpoint *checkpoint)
{
    size_t start = begin_record(writer, WIRE_CHECKPOINT);
    write_checkpoint(writer->out, checkpoint);
    end_record(writer, start);
}

void wire_noticed_write(struct wire_batch_writer *writer, const struct wire_noticed *noticed)
{
    size_t start = begin_record(writer, WIRE_NOTICED);
    write_noticed(writer->out, noticed);
    end_record(writer, start);
}

void wire_read_write(struct wire_batch_writer *writer, const struct wire_read *read)
{
    size_t start = begin_record(writer, WIRE_READ);
    write_read(writer->out, read);
    end_record(writer, start);
}

void wire_freeze_write(struct wire_batch_writer *writer, const struct wire_freeze *freeze)
{
    size_t start = begin_record(writer, WIRE_FREEZE);
    wire_freeze_put(writer->out, freeze);
    end_record(writer, start);
}

void wire_move_row_write(struct wire_batch_writer *writer, const struct wire_move_row *row)
{
    size_t start = begin_record(writer, WIRE_MOVE_ROW);
    wire_move_row_put(writer->out, row);
    end_record(writer, start);
}

void wire_move_in_write(struct wire_batch_writer *writer, const struct wire_move_in *move)
{
    size_t start = begin_record(writer, WIRE_MOVE_IN);
    wire_move_in_put(writer->out, move);
    end_record(writer, start);
}

void wire_move_end_write(struct wire_batch_writer *writer, const struct wire_move_end *end)
{
    size_t start = begin_record(writer, WIRE_MOVE_END);
    wire_move_end_put(writer->out, end);
    end_record(writer, start);
}
