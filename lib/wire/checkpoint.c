#include "wire/checkpoint.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* 4 bytes "MRC1", u8 version 1, u8 zero, u16 count of segments, u64 position, u64 size, u32 parts,
 * 16 bytes incarnation, 16 bytes fingerprint,
 * segments: u64 id, u32 count, 16 bytes sum */
enum { MAGIC_SIZE = 4, STORED_VERSION = 1 };
static const uint8_t magic[MAGIC_SIZE] = {'M', 'R', 'C', '1'};
static const uint64_t size_max = (uint64_t)WIRE_PARTS_MAX * WIRE_PART_SIZE;

uint32_t wire_parts_of(uint64_t size)
{
    assert(size <= size_max);
    return (uint32_t)((size + WIRE_PART_SIZE - 1) / WIRE_PART_SIZE);
}

struct fingerprint wire_stored_fingerprint(const void *bytes, size_t size)
{
    static const uint8_t key[16] = "meridian stored";
    return hash_fingerprint(key, bytes, size);
}

static bool is_size(uint64_t size)
{
    return size > 0 && size <= size_max;
}

static struct wire_segment read_segment(struct wire_cursor *in)
{
    struct wire_segment segment = {.id = wire_read_u64(in)};
    segment.count = wire_read_u32(in);
    wire_read_bytes(in, segment.sum.bytes, sizeof segment.sum.bytes);
    if (segment.count == 0)
        wire_fail(in);
    return segment;
}

static struct wire_cursor read_segments(struct wire_cursor *in, size_t count)
{
    struct wire_cursor walk = *in;
    for (size_t i = 0; i < count; i++)
        (void)read_segment(&walk);
    return wire_read_walked(in, &walk);
}

bool wire_segment_next(struct wire_cursor *segments, struct wire_segment *ret_segment)
{
    if (segments->failed || segments->left == 0)
        return false;
    struct wire_segment segment = read_segment(segments);
    if (!segments->failed)
        *ret_segment = segment;
    return !segments->failed;
}

int wire_stored_read(const void *bytes, size_t size, struct wire_stored *ret_stored)
{
    struct wire_cursor in = wire_cursor_of(bytes, size);
    uint8_t start[MAGIC_SIZE];
    wire_read_bytes(&in, start, sizeof start);
    uint8_t version = wire_read_u8(&in);
    if (in.failed || memcmp(start, magic, sizeof start) != 0)
        return -EBADMSG;
    if (version != STORED_VERSION)
        return -EPROTO;
    uint8_t zero = wire_read_u8(&in);
    struct wire_stored stored = {.segment_count = wire_read_u16(&in)};
    stored.position = wire_read_u64(&in);
    stored.size = wire_read_u64(&in);
    stored.parts = wire_read_u32(&in);
    wire_read_bytes(&in, stored.incarnation, sizeof stored.incarnation);
    wire_read_bytes(&in, stored.fingerprint.bytes, sizeof stored.fingerprint.bytes);
    if (zero != 0 || stored.segment_count > WIRE_SEGMENTS_MAX || !is_size(stored.size) ||
        stored.parts != wire_parts_of(stored.size))
        return -EBADMSG;
    stored.segments = read_segments(&in, stored.segment_count);
    if (!wire_done(&in))
        return -EBADMSG;
    *ret_stored = stored;
    return 0;
}

static void write_segment(struct buffer *out, const struct wire_segment *segment)
{
    assert(segment->count > 0);
    wire_write_u64(out, segment->id);
    wire_write_u32(out, segment->count);
    buffer_append(out, segment->sum.bytes, sizeof segment->sum.bytes);
}

int wire_stored_write(struct buffer *out, const struct wire_stored *stored,
                      const struct wire_segment *segments, size_t segment_count)
{
    assert(is_size(stored->size) && segment_count <= WIRE_SEGMENTS_MAX);
    buffer_append(out, magic, sizeof magic);
    wire_write_u8(out, STORED_VERSION);
    wire_write_u8(out, 0);
    wire_write_u16(out, (uint16_t)segment_count);
    wire_write_u64(out, stored->position);
    wire_write_u64(out, stored->size);
    wire_write_u32(out, wire_parts_of(stored->size));
    buffer_append(out, stored->incarnation, sizeof stored->incarnation);
    buffer_append(out, stored->fingerprint.bytes, sizeof stored->fingerprint.bytes);
    for (size_t i = 0; i < segment_count; i++)
        write_segment(out, &segments[i]);
    return out->failed ? -ENOMEM : 0;
}
