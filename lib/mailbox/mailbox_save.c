/* The saved state: u32 magic, u32 version, then in this order the dedupe set (mailbox_dedupe.c says
 * how), the shard, the config, the lanes, the users with their devices, marks and moves, the
 * notices, the time marks; last 16 bytes of check over all of it.
 *
 * The hashes that ticks are compared with are not in it: they change nothing that apply decides but
 * to stop, and the chain goes on from the saved hash, so that the first tick of a position after it
 * proves the whole log before it again. */
#include "mailbox_internal.h"

#include <errno.h>

struct fingerprint mailbox_save_check(const void *bytes, size_t size)
{
    static const uint8_t key[16] = "meridian mailbox"; /* against accidents, not against people */
    return hash_fingerprint(key, bytes, size);
}

static void save_shard(const struct mailbox *mailbox, struct buffer *out)
{
    wire_write_u64(out, mailbox->position);
    buffer_append(out, mailbox->hash.bytes, sizeof mailbox->hash.bytes);
    wire_write_i64(out, mailbox->time_ms);
    buffer_append(out, mailbox->incarnation, sizeof mailbox->incarnation);
    wire_write_text8(out, text_of(mailbox->region));
    wire_write_u16(out, mailbox->shard);
    wire_write_u16(out, mailbox->shards);
    wire_write_u64(out, mailbox->generation);
    wire_write_text8(out, text_of(mailbox->owner));
    wire_write_u64(out, mailbox->owner_start);
    wire_write_i64(out, mailbox->heard_ms);
    wire_write_i64(out, mailbox->returned_ms);
    wire_write_u64(out, mailbox->rows);
    wire_write_u64(out, mailbox->checkpoint_position);
    wire_write_i64(out, mailbox->checkpoint_ms);
}

static void save_config(const struct wire_config *config, struct buffer *out)
{
    wire_write_u8(out, config->level);
    wire_write_u32(out, config->dedupe_window_s);
    wire_write_u32(out, config->retention_s);
    wire_write_u32(out, config->mailbox_max_messages);
    wire_write_u64(out, config->mailbox_max_bytes);
    wire_write_u16(out, config->devices_max);
    buffer_append(out, config->dedupe_key, sizeof config->dedupe_key);
}

static void save_lane(const struct mailbox_lane_entry *lane, struct buffer *out)
{
    wire_write_text8(out, text_of(lane->source));
    buffer_append(out, lane->incarnation, sizeof lane->incarnation);
    wire_write_u64(out, lane->sequence);
    wire_write_u8(out, lane->past_count);
    buffer_append(out, lane->past, lane->past_count * sizeof lane->past[0]);
}

static void save_device(const struct mailbox_device_entry *device, struct buffer *out)
{
    wire_write_text8(out, (struct text){device->name, device->name_size});
    wire_write_u32(out, device->epoch);
    wire_write_u64(out, device->seq);
    wire_write_i64(out, device->used_ms);
}

static void save_wants(const struct mailbox_user_wants *wants, struct buffer *out)
{
    wire_write_u8(out, wants != NULL);
    if (wants == NULL)
        return;
    wire_write_u64(out, wants->delivered);
    wire_write_u64(out, wants->delivered_to);
    wire_write_u64(out, wants->read_to);
    wire_write_u64(out, wants->skipped_from);
    wire_write_u64(out, wants->skipped_to);
}

static void save_user(const struct mailbox_user_entry *user, struct buffer *out)
{
    wire_write_text8(out, (struct text){user->name, user->name_size});
    wire_write_u32(out, user->epoch);
    wire_write_u64(out, user->head);
    wire_write_u64(out, user->oldest);
    wire_write_u64(out, user->base);
    wire_write_u64(out, user->last_row);
    wire_write_u32(out, user->bytes_since);
    wire_write_u32(out, user->mark_count);
    for (uint32_t i = 0; i < user->mark_count; i++) {
        wire_write_u64(out, user->marks[i].seq);
        wire_write_u64(out, user->marks[i].row);
        wire_write_u64(out, user->marks[i].bytes);
    }
    wire_write_u16(out, user->device_count);
    for (const struct mailbox_device_entry *at = user->devices; at != NULL; at = at->next)
        save_device(at, out);
    save_wants(user->wants, out);
    mailbox_moves_save_user(user, out);
}

int mailbox_save(const struct mailbox *mailbox, struct buffer *out)
{
    if (mailbox->broken)
        return -EIO;
    const size_t start = out->size;
    wire_write_u32(out, MAILBOX_SAVE_MAGIC);
    wire_write_u32(out, MAILBOX_SAVE_VERSION);
    mailbox_dedupe_save(&mailbox->dedupe, out);
    save_shard(mailbox, out);
    save_config(&mailbox->config, out);
    wire_write_u8(out, (uint8_t)mailbox->lane_count);
    for (size_t i = 0; i < mailbox->lane_count; i++)
        save_lane(&mailbox->lanes[i], out);
    wire_write_u32(out, HASH_COUNT(mailbox->users));
    for (const struct mailbox_user_entry *at = mailbox->users; at != NULL; at = at->hh.next)
        save_user(at, out);
    mailbox_notices_save(mailbox, out);
    mailbox_retention_save(&mailbox->retention, out);
    if (out->failed)
        return -ENOMEM;
    const struct fingerprint check = mailbox_save_check(out->data + start, out->size - start);
    buffer_append(out, check.bytes, sizeof check.bytes);
    return out->failed ? -ENOMEM : 0;
}
