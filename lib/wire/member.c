#include "wire/member.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* Member beat:
 *   4 bytes "MRM1", u8 version 1, u8 level, u8 log_level, u8 flags, u16 shard, u16 shards,
 *   u16 log_permille, u32 lag_ms, u64 start, u64 generation, u64 applied, u64 head,
 *   16 bytes incarnation, text8 hub, text8 trouble, u16 count of alarms,
 *   alarms: text8 name, u8 severity, u32 since_s, u64 count, u64 position */
enum {
    MAGIC_SIZE = 4,
    MEMBER_VERSION = 1,
    SEVERITY_MAX = 2,
    FLAGS = WIRE_MEMBER_SERVES | WIRE_MEMBER_READY | WIRE_MEMBER_STOPPED,
};
static const uint8_t magic[MAGIC_SIZE] = {'M', 'R', 'M', '1'};

static bool is_word_or_nothing(struct text text)
{
    return text.size == 0 || text_is_word(text);
}

static struct wire_alarm read_alarm(struct wire_cursor *in)
{
    struct wire_alarm alarm = {.name = wire_read_checked(in, text_is_word)};
    alarm.severity = wire_read_u8(in);
    if (alarm.severity < 1 || alarm.severity > SEVERITY_MAX)
        wire_fail(in);
    alarm.since_s = wire_read_u32(in);
    alarm.count = wire_read_u64(in);
    alarm.position = wire_read_u64(in);
    return alarm;
}

bool wire_alarm_next(struct wire_cursor *alarms, struct wire_alarm *ret_alarm)
{
    if (alarms->failed || alarms->left == 0)
        return false;
    struct wire_alarm alarm = read_alarm(alarms);
    if (!alarms->failed)
        *ret_alarm = alarm;
    return !alarms->failed;
}

static void read_fields(struct wire_cursor *in, struct wire_member_beat *beat)
{
    beat->level = wire_read_u8(in);
    beat->log_level = wire_read_u8(in);
    beat->flags = wire_read_u8(in);
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
    beat->trouble = wire_read_checked(in, is_word_or_nothing);
    beat->alarm_count = wire_read_u16(in);
}

int wire_member_beat_read(const void *bytes, size_t size, struct wire_member_beat *ret_beat)
{
    struct wire_cursor in = wire_cursor_of(bytes, size);
    struct wire_member_beat beat = {0};
    uint8_t start[MAGIC_SIZE];
    wire_read_bytes(&in, start, sizeof start);
    uint8_t version = wire_read_u8(&in);
    if (in.failed || memcmp(start, magic, sizeof start) != 0)
        return -EBADMSG;
    if (version != MEMBER_VERSION)
        return -EPROTO;
    read_fields(&in, &beat);
    if (beat.shard >= beat.shards || (beat.flags & ~FLAGS) != 0 ||
        beat.alarm_count > WIRE_MEMBER_ALARMS_MAX)
        return -EBADMSG;
    struct wire_cursor walk = in;
    for (size_t i = 0; i < beat.alarm_count; i++)
        (void)read_alarm(&walk);
    beat.alarms = wire_read_walked(&in, &walk);
    if (!wire_done(&in))
        return -EBADMSG;
    *ret_beat = beat;
    return 0;
}

static void write_alarm(struct buffer *out, const struct wire_alarm *alarm)
{
    assert(alarm->severity >= 1 && alarm->severity <= SEVERITY_MAX);
    wire_write_checked(out, alarm->name, text_is_word);
    wire_write_u8(out, alarm->severity);
    wire_write_u32(out, alarm->since_s);
    wire_write_u64(out, alarm->count);
    wire_write_u64(out, alarm->position);
}

int wire_member_beat_write(struct buffer *out, const struct wire_member_beat *beat,
                           const struct wire_alarm *alarms, size_t alarm_count)
{
    assert(beat->shard < beat->shards && (beat->flags & ~FLAGS) == 0);
    assert(alarm_count <= WIRE_MEMBER_ALARMS_MAX);
    buffer_append(out, magic, sizeof magic);
    wire_write_u8(out, MEMBER_VERSION);
    wire_write_u8(out, beat->level);
    wire_write_u8(out, beat->log_level);
    wire_write_u8(out, beat->flags);
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
    wire_write_checked(out, beat->trouble, is_word_or_nothing);
    wire_write_u16(out, (uint16_t)alarm_count);
    for (size_t i = 0; i < alarm_count; i++)
        write_alarm(out, &alarms[i]);
    return out->failed ? -ENOMEM : 0;
}
