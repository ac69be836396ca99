#include "wire/batch.h"
#include "wire/record.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <zlib.h>

/* The layout is in batch.h. */
static const uint8_t magic[4] = {'M', 'R', 'B', '1'};

enum {
    STAMP_AT = 16, /* offsets in the header */
    HEADER_CRC_AT = 48,
    RECORD_HEAD_SIZE = 8,
};

/* What the header says of the body. */
struct body_claim {
    uint32_t size;
    uint32_t crc;
};

static uint32_t crc_of(struct wire_cursor in)
{
    return (uint32_t)crc32_z(0, in.next, in.left);
}

static void read_stamp(struct wire_cursor *in, struct wire_stamp *stamp)
{
    wire_read_bytes(in, stamp->incarnation, sizeof stamp->incarnation);
    stamp->sequence = wire_read_u64(in);
    stamp->previous = wire_read_u64(in);
}

static int read_header(struct wire_cursor *in, struct wire_batch *batch, struct body_claim *claim)
{
    struct wire_cursor covered = *in; /* by the header's CRC */
    covered = wire_read_part(&covered, HEADER_CRC_AT);
    uint8_t start[sizeof magic];
    wire_read_bytes(in, start, sizeof start);
    batch->version = wire_read_u8(in);
    if (in->failed || memcmp(start, magic, sizeof magic) != 0)
        return -EBADMSG;
    if (batch->version != WIRE_BATCH_VERSION) /* may be laid out differently from here on */
        return -EPROTO;
    uint8_t flags = wire_read_u8(in);
    batch->count = wire_read_u16(in);
    claim->size = wire_read_u32(in);
    claim->crc = wire_read_u32(in);
    read_stamp(in, &batch->stamp);
    uint32_t crc = wire_read_u32(in);
    if (in->failed || crc != crc_of(covered))
        return -EBADMSG;
    if (batch->count == 0 || batch->count > WIRE_BATCH_RECORDS_MAX ||
        claim->size > WIRE_BATCH_BODY_MAX)
        return -EBADMSG;
    return flags == 0 ? 0 : -EPROTO;
}

int wire_batch_read_header(const void *bytes, size_t size, struct wire_batch *ret_batch)
{
    struct wire_cursor in = wire_cursor_of(bytes, size);
    struct wire_batch batch = {0};
    struct body_claim claim;
    int error = read_header(&in, &batch, &claim);
    if (error == 0)
        *ret_batch = batch;
    return error;
}

int wire_batch_read(const void *bytes, size_t size, struct wire_batch *ret_batch)
{
    struct wire_cursor in = wire_cursor_of(bytes, size);
    struct wire_batch batch = {0};
    struct body_claim claim;
    int error = read_header(&in, &batch, &claim);
    if (error != 0)
        return error;
    bool whole = in.left == claim.size && crc_of(in) == claim.crc;
    if (whole)
        batch.body = in;
    *ret_batch = batch; /* the stamp is good also when the body is not */
    return whole ? 0 : -EILSEQ;
}

int wire_batch_check(const struct wire_batch *batch)
{
    struct wire_cursor body = batch->body;
    struct wire_record record;
    size_t count = 0;
    bool unknown = false;
    int error;
    while ((error = wire_record_next(&body, &record)) == 0 || error == -EPROTO) {
        unknown = unknown || error == -EPROTO;
        count++;
    }
    if (error != -ENODATA || count != batch->count)
        return -EBADMSG;
    return unknown ? -EPROTO : 0;
}

void wire_batch_begin(struct wire_batch_writer *writer, struct buffer *out)
{
    static const uint8_t room[WIRE_BATCH_HEADER_SIZE];
    *writer = (struct wire_batch_writer){.out = out, .start = out->size};
    buffer_append(out, room, sizeof room);
}

bool wire_batch_has_room(const struct wire_batch_writer *writer, size_t size)
{
    if (writer->out->failed || writer->count >= WIRE_BATCH_RECORDS_MAX)
        return false;
    size_t used = writer->out->size - writer->start - WIRE_BATCH_HEADER_SIZE + RECORD_HEAD_SIZE;
    return used <= WIRE_BATCH_BODY_MAX && size <= WIRE_BATCH_BODY_MAX - used;
}

static struct wire_cursor body_of(const struct wire_batch_writer *writer)
{
    struct wire_cursor body = wire_cursor_of(writer->out->data, writer->out->size);
    (void)wire_read_part(&body, writer->start + WIRE_BATCH_HEADER_SIZE);
    return body;
}

int wire_batch_end(struct wire_batch_writer *writer)
{
    if (writer->out->failed)
        return -ENOMEM;
    struct wire_cursor body = body_of(writer);
    assert(writer->count >= 1 && writer->count <= WIRE_BATCH_RECORDS_MAX);
    assert(!body.failed && body.left <= WIRE_BATCH_BODY_MAX);
    struct buffer header = wire_rewrite(writer->out, writer->start, WIRE_BATCH_HEADER_SIZE);
    buffer_append(&header, magic, sizeof magic);
    wire_write_u8(&header, WIRE_BATCH_VERSION);
    wire_write_u8(&header, 0);
    wire_write_u16(&header, writer->count);
    wire_write_u32(&header, (uint32_t)body.left);
    wire_write_u32(&header, crc_of(body));
    wire_batch_stamp(header.data, &(struct wire_stamp){0});
    return 0;
}

void wire_batch_stamp(uint8_t *batch, const struct wire_stamp *stamp)
{
    struct buffer header = {.data = batch, .size = STAMP_AT, .capacity = WIRE_BATCH_HEADER_SIZE};
    buffer_append(&header, stamp->incarnation, sizeof stamp->incarnation);
    wire_write_u64(&header, stamp->sequence);
    wire_write_u64(&header, stamp->previous);
    wire_write_u32(&header, crc_of(wire_cursor_of(batch, HEADER_CRC_AT)));
}
