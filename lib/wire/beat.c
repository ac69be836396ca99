#include "wire/beat.h"

#include "base/hash.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* Hub beat:
 *   4 bytes "MRH1", u8 version 2, u8 level, u16 shard, u16 shards, u16 log_permille, u32 lag_ms,
 *   u64 start, u64 generation, u64 applied, u64 head, 16 bytes incarnation, text8 hub,
 *   u16 count of lanes, u16 count of outboxes, u16 count of edges,
 *   lanes:    text8 source, 16 bytes incarnation, u64 sequence
 *   outboxes: text8 destination, u16 permille, u32 oldest_s
 *   edges:    text8 edge, u32 attached, u64 digest
 * Version 1 of it is the same without digests; it is read and not written.
 * Edge beat:
 *   4 bytes "MRE1", u8 version 1, u8 zero, u64 start, u64 number, u32 connections,
 *   text8 edge, text8 region */
enum { MAGIC_SIZE = 4, HUB_VERSION = 2, HUB_VERSION_MIN = 1, EDGE_VERSION = 1 };
static const uint8_t hub_magic[MAGIC_SIZE] = {'M', 'R', 'H', '1'};
static const uint8_t edge_magic[MAGIC_SIZE] = {'M', 'R', 'E', '1'};

static int read_start(struct wire_cursor *in, const uint8_t *magic, uint8_t *ret_version)
{
    uint8_t start[MAGIC_SIZE];
    wire_read_bytes(in, start, sizeof start);
    uint8_t version = wire_read_u8(in);
    if (in->failed || memcmp(start, magic, sizeof start) != 0)
        return -EBADMSG;
    *ret_version = version;
    return 0;
}

static void write_start(struct buffer *out, const uint8_t *magic, uint8_t version)
{
    buffer_append(out, magic, MAGIC_SIZE);
    wire_write_u8(out, version);
}

static struct wire_lane read_lane(struct wire_cursor *in)
{
    struct wire_lane lane = {.source = wire_read_checked(in, text_is_region_name)};
    wire_read_bytes(in, lane.incarnation, sizeof lane.incarnation);
    lane.sequence = wire_read_u64(in);
    return lane;
}

static struct wire_outbox read_outbox(struct wire_cursor *in)
{
    struct wire_outbox outbox = {.destination = wire_read_checked(in, text_is_region_name)};
    outbox.permille = wire_read_u16(in);
    outbox.oldest_s = wire_read_u32(in);
    return outbox;
}

static struct wire_edge_count read_edge_count(struct wire_cursor *in, uint8_t version)
{
    struct wire_edge_count count = {.edge = wire_read_checked(in, text_is_process_name)};
    count.attached = wire_read_u32(in);
    count.digest = version >= 2 ? wire_read_u64(in) : 0;
    return count;
}

static struct wire_cursor read_lanes(struct wire_cursor *in, size_t count)
{
    struct wire_cursor walk = *in;
    for (size_t i = 0; i < count; i++)
        (void)read_lane(&walk);
    return wire_read_walked(in, &walk);
}

static struct wire_cursor read_outboxes(struct wire_cursor *in, size_t count)
{
    struct wire_cursor walk = *in;
    for (size_t i = 0; i < count; i++)
        (void)read_outbox(&walk);
    return wire_read_walked(in, &walk);
}

static struct wire_cursor read_edge_counts(struct wire_cursor *in, size_t count, uint8_t version)
{
    struct wire_cursor walk = *in;
    for (size_t i = 0; i < count; i++)
        (void)read_edge_count(&walk, version);
    return wire_read_walked(in, &walk);
}

bool wire_lane_next(struct wire_cursor *lanes, struct wire_lane *ret_lane)
{
    if (lanes->failed || lanes->left == 0)
        return false;
    struct wire_lane lane = read_lane(lanes);
    if (!lanes->failed)
        *ret_lane = lane;
    return !lanes->failed;
}

bool wire_outbox_next(struct wire_cursor *outboxes, struct wire_outbox *ret_outbox)
{
    if (outboxes->failed || outboxes->left == 0)
        return false;
    struct wire_outbox outbox = read_outbox(outboxes);
    if (!outboxes->failed)
        *ret_outbox = outbox;
    return !outboxes->failed;
}

bool wire_edge_count_next(struct wire_hub_beat *beat, struct wire_edge_count *ret_count)
{
    struct wire_cursor *edges = &beat->edges;
    if (edges->failed || edges->left == 0)
        return false;
    struct wire_edge_count count = read_edge_count(edges, beat->version);
    if (!edges->failed)
        *ret_count = count;
    return !edges->failed;
}

static size_t put_text(uint8_t *to, struct text text)
{
    assert(text.size <= UINT8_MAX);
    to[0] = (uint8_t)text.size;
    if (text.size > 0)
        memcpy(to + 1, text.data, text.size);
    return 1 + text.size;
}

uint64_t wire_attach_digest(struct text user, struct text device, uint64_t attach)
{
    static const uint8_t key[16] = "attached devices";
    uint8_t bytes[2 * (1 + UINT8_MAX) + 8];
    size_t size = put_text(bytes, user);
    size += put_text(bytes + size, device);
    for (size_t i = 0; i < 8; i++)
        bytes[size++] = (uint8_t)(attach >> (8 * i));
    struct fingerprint print = hash_fingerprint(key, bytes, size);
    uint64_t digest = 0;
    for (size_t i = 0; i < 8; i++)
        digest |= (uint64_t)print.bytes[i] << (8 * i);
    return digest;
}

static void read_hub_fields(struct wire_cursor *in, struct wire_hub_beat *beat)
{
    beat->level = wire_read_u8(in);
    beat->shard = wire_read_u16(in);
    beat->shards = wire_read_u16(in);
    beat->log_permille = wire_read_u16(in);
    beat->lag_ms = wire_read_u32(in);
    beat->start = wire_read_u64(in);
    beat->generation = wire_read_u64(in);
    beat->applied = wire_read_u64(in);
    beat->head = wire_read_u64(in);
    wire_read_bytes(in, beat->incarnation, sizeof beat->incarnation);
    beat->hub = wire_read_checked(in, text_is_process_name);
    beat->lane_count = wire_read_u16(in);
    beat->outbox_count = wire_read_u16(in);
    beat->edge_count = wire_read_u16(in);
}

int wire_hub_beat_read(const void *bytes, size_t size, struct wire_hub_beat *ret_beat)
{
    struct wire_cursor in = wire_cursor_of(bytes, size);
    struct wire_hub_beat beat = {0};
    int error = read_start(&in, hub_magic, &beat.version);
    if (error == 0 && (beat.version < HUB_VERSION_MIN || beat.version > HUB_VERSION))
        error = -EPROTO;
    if (error != 0)
        return error;
    read_hub_fields(&in, &beat);
    if (beat.shard >= beat.shards || beat.lane_count > WIRE_BEAT_LANES_MAX ||
        beat.outbox_count > WIRE_BEAT_LANES_MAX || beat.edge_count > WIRE_BEAT_EDGES_MAX)
        return -EBADMSG;
    beat.lanes = read_lanes(&in, beat.lane_count);
    beat.outboxes = read_outboxes(&in, beat.outbox_count);
    beat.edges = read_edge_counts(&in, beat.edge_count, beat.version);
    if (!wire_done(&in))
        return -EBADMSG;
    *ret_beat = beat;
    return 0;
}

static void write_lane(struct buffer *out, const struct wire_lane *lane)
{
    wire_write_checked(out, lane->source, text_is_region_name);
    buffer_append(out, lane->incarnation, sizeof lane->incarnation);
    wire_write_u64(out, lane->sequence);
}

static void write_outbox(struct buffer *out, const struct wire_outbox *outbox)
{
    wire_write_checked(out, outbox->destination, text_is_region_name);
    wire_write_u16(out, outbox->permille);
    wire_write_u32(out, outbox->oldest_s);
}

static void write_edge_count(struct buffer *out, const struct wire_edge_count *count)
{
    wire_write_checked(out, count->edge, text_is_process_name);
    wire_write_u32(out, count->attached);
    wire_write_u64(out, count->digest);
}

int wire_hub_beat_write(struct buffer *out, const struct wire_hub_beat *beat,
                        const struct wire_lane *lanes, size_t lane_count,
                        const struct wire_outbox *outboxes, size_t outbox_count,
                        const struct wire_edge_count *edges, size_t edge_count)
{
    assert(beat->shard < beat->shards);
    assert(lane_count <= WIRE_BEAT_LANES_MAX && outbox_count <= WIRE_BEAT_LANES_MAX);
    assert(edge_count <= WIRE_BEAT_EDGES_MAX);
    write_start(out, hub_magic, HUB_VERSION);
    wire_write_u8(out, beat->level);
    wire_write_u16(out, beat->shard);
    wire_write_u16(out, beat->shards);
    wire_write_u16(out, beat->log_permille);
    wire_write_u32(out, beat->lag_ms);
    wire_write_u64(out, beat->start);
    wire_write_u64(out, beat->generation);
    wire_write_u64(out, beat->applied);
    wire_write_u64(out, beat->head);
    buffer_append(out, beat->incarnation, sizeof beat->incarnation);
    wire_write_checked(out, beat->hub, text_is_process_name);
    wire_write_u16(out, (uint16_t)lane_count);
    wire_write_u16(out, (uint16_t)outbox_count);
    wire_write_u16(out, (uint16_t)edge_count);
    for (size_t i = 0; i < lane_count; i++)
        write_lane(out, &lanes[i]);
    for (size_t i = 0; i < outbox_count; i++)
        write_outbox(out, &outboxes[i]);
    for (size_t i = 0; i < edge_count; i++)
        write_edge_count(out, &edges[i]);
    return out->failed ? -ENOMEM : 0;
}

int wire_edge_beat_read(const void *bytes, size_t size, struct wire_edge_beat *ret_beat)
{
    struct wire_cursor in = wire_cursor_of(bytes, size);
    struct wire_edge_beat beat;
    uint8_t version = 0;
    int error = read_start(&in, edge_magic, &version);
    if (error == 0 && version != EDGE_VERSION)
        error = -EPROTO;
    if (error != 0)
        return error;
    uint8_t zero = wire_read_u8(&in);
    beat.start = wire_read_u64(&in);
    beat.number = wire_read_u64(&in);
    beat.connections = wire_read_u32(&in);
    beat.edge = wire_read_checked(&in, text_is_process_name);
    beat.region = wire_read_checked(&in, text_is_region_name);
    if (!wire_done(&in) || zero != 0)
        return -EBADMSG;
    *ret_beat = beat;
    return 0;
}

int wire_edge_beat_write(struct buffer *out, const struct wire_edge_beat *beat)
{
    write_start(out, edge_magic, EDGE_VERSION);
    wire_write_u8(out, 0);
    wire_write_u64(out, beat->start);
    wire_write_u64(out, beat->number);
    wire_write_u32(out, beat->connections);
    wire_write_checked(out, beat->edge, text_is_process_name);
    wire_write_checked(out, beat->region, text_is_region_name);
    return out->failed ? -ENOMEM : 0;
}
