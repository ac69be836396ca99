/* Reads what mailbox_save.c writes. Counts are checked against what is left before anything is made
 * of them: bytes that happen to pass the check cost no more than their own size. */
#include "mailbox_internal.h"

#include <errno.h>
#include <string.h>

enum { DEVICE_SIZE_MIN = 21, USER_SIZE_MIN = 49 };

static void read_name(struct wire_cursor *in, char *to, size_t to_size)
{
    if (text_put(to, to_size, wire_read_text8(in)) != 0)
        in->failed = true;
}

static void load_shard(struct mailbox *mailbox, struct wire_cursor *in)
{
    mailbox->position = wire_read_u64(in);
    wire_read_bytes(in, mailbox->hash.bytes, sizeof mailbox->hash.bytes);
    mailbox->time_ms = wire_read_i64(in);
    wire_read_bytes(in, mailbox->incarnation, sizeof mailbox->incarnation);
    read_name(in, mailbox->region, sizeof mailbox->region);
    mailbox->shard = wire_read_u16(in);
    mailbox->shards = wire_read_u16(in);
    mailbox->generation = wire_read_u64(in);
    read_name(in, mailbox->owner, sizeof mailbox->owner);
    mailbox->owner_start = wire_read_u64(in);
    mailbox->heard_ms = wire_read_i64(in);
    mailbox->returned_ms = wire_read_i64(in);
    mailbox->rows = wire_read_u64(in);
    mailbox->checkpoint_position = wire_read_u64(in);
    mailbox->checkpoint_ms = wire_read_i64(in);
    if (mailbox->time_ms < 0 || (mailbox->position > 0 && mailbox->shard >= mailbox->shards))
        in->failed = true;
    mailbox->hashes_from = mailbox->position > 0 ? mailbox->position : 1;
    mailbox->hashes[mailbox->position % MAILBOX_HASHES] = mailbox->hash;
}

static void load_config(struct wire_config *config, struct wire_cursor *in)
{
    config->level = wire_read_u8(in);
    if (config->level == 0 || config->level > WIRE_LEVEL)
        in->failed = true;
    config->dedupe_window_s = wire_read_u32(in);
    config->retention_s = wire_read_u32(in);
    config->mailbox_max_messages = wire_read_u32(in);
    config->mailbox_max_bytes = wire_read_u64(in);
    config->devices_max = wire_read_u16(in);
    wire_read_bytes(in, config->dedupe_key, sizeof config->dedupe_key);
}

static void load_lane(struct mailbox_lane_entry *lane, struct wire_cursor *in)
{
    read_name(in, lane->source, sizeof lane->source);
    wire_read_bytes(in, lane->incarnation, sizeof lane->incarnation);
    lane->sequence = wire_read_u64(in);
    lane->past_count = wire_read_u8(in);
    if (lane->past_count > MAILBOX_PAST_MAX)
        in->failed = true;
    else
        wire_read_bytes(in, lane->past, lane->past_count * sizeof lane->past[0]);
}

static void load_lanes(struct mailbox *mailbox, struct wire_cursor *in)
{
    const uint8_t count = wire_read_u8(in);
    if (count > MAILBOX_LANES_MAX)
        in->failed = true;
    for (size_t i = 0; i < count && !in->failed; i++)
        load_lane(&mailbox->lanes[mailbox->lane_count++], in);
}

/* The newest mark is where bytes and seqs count on from. */
static bool is_after(const struct mailbox_mark *mark, const struct mailbox_mark *before)
{
    return mark->seq > before->seq && mark->seq - before->seq <= MAILBOX_MARK_EVERY &&
           mark->row > before->row && mark->bytes > before->bytes;
}

static void load_marks(struct mailbox_user_entry *user, struct wire_cursor *in)
{
    user->bytes_since = wire_read_u32(in);
    const uint32_t count = wire_read_u32(in);
    if (in->failed || count > in->left / sizeof *user->marks ||
        user->bytes_since >= MAILBOX_BYTES_GRAIN) {
        in->failed = true;
        return;
    }
    size_t capacity = 1; /* as it had grown to: the next power of two */
    while (capacity < count)
        capacity *= 2;
    if (count > 0)
        user->marks = mailbox_allocate(NULL, capacity * sizeof *user->marks);
    struct mailbox_mark newest = {0};
    for (user->mark_count = 0; user->mark_count < count; user->mark_count++) {
        struct mailbox_mark *mark = &user->marks[user->mark_count];
        mark->seq = wire_read_u64(in);
        mark->row = wire_read_u64(in);
        mark->bytes = wire_read_u64(in);
        if (user->mark_count > 0 && !is_after(mark, &newest))
            in->failed = true;
        newest = *mark;
    }
    if (newest.seq > user->head || user->head - newest.seq >= MAILBOX_MARK_EVERY ||
        newest.row > user->last_row)
        in->failed = true;
}

static void load_devices(struct mailbox_user_entry *user, struct wire_cursor *in)
{
    const uint16_t count = wire_read_u16(in);
    if (count > in->left / DEVICE_SIZE_MIN)
        in->failed = true;
    for (size_t i = 0; i < count && !in->failed; i++) {
        struct mailbox_device_entry *device = mailbox_user_add_device(user, wire_read_text8(in));
        device->epoch = wire_read_u32(in);
        device->seq = wire_read_u64(in);
        device->used_ms = wire_read_i64(in);
    }
}

static void load_wants(struct mailbox_user_entry *user, struct wire_cursor *in)
{
    const uint8_t wants = wire_read_u8(in);
    if (wants > 1)
        in->failed = true;
    if (wants != 1 || in->failed)
        return;
    user->wants = mailbox_allocate(NULL, sizeof *user->wants);
    user->wants->delivered = wire_read_u64(in);
    user->wants->delivered_to = wire_read_u64(in);
    user->wants->read_to = wire_read_u64(in);
    user->wants->skipped_from = wire_read_u64(in);
    user->wants->skipped_to = wire_read_u64(in);
    if (user->wants->skipped_from > user->wants->skipped_to ||
        user->wants->skipped_to > user->wants->delivered || user->wants->delivered > user->head ||
        user->wants->delivered_to > user->head || user->wants->read_to > user->head)
        in->failed = true;
}

static void load_user(struct mailbox *mailbox, struct wire_cursor *in)
{
    const struct text name = wire_read_text8(in);
    if (in->failed || !text_is_user_id(name) || mailbox_users_find(mailbox, name) != NULL) {
        in->failed = true;
        return;
    }
    struct mailbox_user_entry *user = mailbox_users_take(mailbox, name);
    user->epoch = wire_read_u32(in);
    user->head = wire_read_u64(in);
    user->oldest = wire_read_u64(in);
    user->base = wire_read_u64(in);
    user->last_row = wire_read_u64(in);
    if (user->oldest == 0 || user->oldest > user->head + 1 || user->base > user->head)
        in->failed = true;
    load_marks(user, in);
    load_devices(user, in);
    load_wants(user, in);
    mailbox_moves_load_user(mailbox, user, in);
}

static void load_users(struct mailbox *mailbox, struct wire_cursor *in)
{
    const uint32_t count = wire_read_u32(in);
    if (count > in->left / USER_SIZE_MIN)
        in->failed = true;
    for (uint32_t i = 0; i < count && !in->failed; i++)
        load_user(mailbox, in);
}

static bool load_all(struct mailbox *mailbox, struct wire_cursor *in)
{
    if (!mailbox_dedupe_load(&mailbox->dedupe, in))
        return false;
    load_shard(mailbox, in);
    load_config(&mailbox->config, in);
    load_lanes(mailbox, in);
    load_users(mailbox, in);
    mailbox_notices_load(mailbox, in);
    mailbox_retention_load(mailbox, in);
    return wire_done(in);
}

static bool is_whole(const uint8_t *bytes, size_t size)
{
    if (size < MAILBOX_SAVE_CHECK_SIZE)
        return false;
    const size_t covered = size - MAILBOX_SAVE_CHECK_SIZE;
    const struct fingerprint check = mailbox_save_check(bytes, covered);
    return memcmp(check.bytes, bytes + covered, MAILBOX_SAVE_CHECK_SIZE) == 0;
}

bool mailbox_save_open(const void *bytes, size_t size, struct wire_cursor *ret_in)
{
    if (!is_whole(bytes, size))
        return false;
    *ret_in = wire_cursor_of(bytes, size - MAILBOX_SAVE_CHECK_SIZE);
    return wire_read_u32(ret_in) == MAILBOX_SAVE_MAGIC &&
           wire_read_u32(ret_in) == MAILBOX_SAVE_VERSION;
}

int mailbox_load(const void *bytes, size_t size, struct mailbox **ret_mailbox)
{
    struct wire_cursor in;
    if (!mailbox_save_open(bytes, size, &in))
        return -EBADMSG;
    struct mailbox *mailbox = mailbox_new();
    if (mailbox == NULL)
        return -ENOMEM;
    if (!load_all(mailbox, &in)) {
        mailbox_free(mailbox);
        return -EBADMSG;
    }
    *ret_mailbox = mailbox;
    return 0;
}
