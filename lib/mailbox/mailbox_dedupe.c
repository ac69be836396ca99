/* Dedupe: an open segment and closed ones, by log time; see mailbox_segments.h. A fingerprint is in
 * one segment at most, for one that is found is not added, so they may be asked in any order. */
#include "mailbox_internal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum { GENERATIONS = 8 /* in a window */, SEGMENT_SIZE = 45 /* in a saved state */ };

struct fingerprint mailbox_dedupe_print(const uint8_t key[16], struct text recipient,
                                        struct text sender, struct text id)
{
    uint8_t bytes[3 + 3 * UINT8_MAX];
    size_t size = 0;
    const struct text parts[] = {recipient, sender, id};
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        assert(parts[i].size <= UINT8_MAX); /* the decoder's bounds are lower */
        bytes[size++] = (uint8_t)parts[i].size;
        if (parts[i].size > 0)
            memcpy(bytes + size, parts[i].data, parts[i].size);
        size += parts[i].size;
    }
    return hash_fingerprint(key, bytes, size);
}

/* --- finding --- */

static void prefetch(const struct mailbox_dedupe *dedupe, const struct fingerprint *print)
{
    if (dedupe->store.prefetch == NULL)
        return;
    for (size_t i = 0; i < dedupe->count; i++) {
        const struct mailbox_dedupe_segment *segment = &dedupe->segments[i];
        if (segment->info.is_stored && segment->info.handle != NULL)
            dedupe->store.prefetch(dedupe->store.context, segment->info.handle, print);
    }
}

static int find_in(const struct mailbox_dedupe *dedupe,
                   const struct mailbox_dedupe_segment *segment, const struct fingerprint *print,
                   uint32_t *ret_epoch, uint64_t *ret_seq)
{
    if (!segment->info.is_stored)
        return mailbox_held_find(segment->held, print, ret_epoch, ret_seq) ? 1 : 0;
    if (dedupe->store.find == NULL || segment->info.handle == NULL)
        return -ENOENT; /* nobody has said where it is: not the same as "not in it" */
    return dedupe->store.find(dedupe->store.context, segment->info.handle, print, ret_epoch,
                              ret_seq);
}

int mailbox_dedupe_find(const struct mailbox_dedupe *dedupe, const struct fingerprint *print,
                        uint32_t *ret_epoch, uint64_t *ret_seq)
{
    prefetch(dedupe, print);
    if (mailbox_held_find(dedupe->open.held, print, ret_epoch, ret_seq))
        return 1;
    int found = 0;
    for (size_t i = dedupe->count; i-- > 0 && found == 0;) /* most repeats come soon */
        found = find_in(dedupe, &dedupe->segments[i], print, ret_epoch, ret_seq);
    return found;
}

/* --- opening, closing, dropping --- */

static struct mailbox_dedupe_segment *push(struct mailbox_dedupe *dedupe)
{
    if (dedupe->count == dedupe->capacity) {
        dedupe->capacity += GENERATIONS + dedupe->capacity;
        dedupe->segments =
            mailbox_allocate(dedupe->segments, dedupe->capacity * sizeof *dedupe->segments);
    }
    return &dedupe->segments[dedupe->count++];
}

/* What is open becomes the newest of the closed; the generation goes on, with nothing in it. */
static void close_open(struct mailbox_dedupe *dedupe)
{
    struct mailbox_segment *open = &dedupe->open.info;
    open->count = mailbox_held_count(dedupe->open.held);
    if (open->count == 0)
        return;
    open->id = ++dedupe->last_id;
    *push(dedupe) = dedupe->open;
    dedupe->open = (struct mailbox_dedupe_segment){
        .info = {.start_ms = open->start_ms, .end_ms = open->end_ms}};
}

/* The generation that `time_ms` belongs to. A window changed meanwhile counts from the next on. */
static void open_at(struct mailbox_dedupe *dedupe, int64_t time_ms, uint32_t window_s)
{
    struct mailbox_segment *open = &dedupe->open.info;
    if (time_ms < open->end_ms)
        return;
    int64_t length_ms = (int64_t)window_s * 1000 / GENERATIONS;
    if (length_ms == 0)
        length_ms = 1;
    open->start_ms = time_ms / length_ms * length_ms;
    open->end_ms = open->start_ms > INT64_MAX - length_ms ? INT64_MAX : open->start_ms + length_ms;
}

void mailbox_dedupe_add(struct mailbox_dedupe *dedupe, int64_t time_ms, uint32_t window_s,
                        const struct fingerprint *print, uint32_t epoch, uint64_t seq)
{
    open_at(dedupe, time_ms, window_s);
    struct mailbox_dedupe_segment *open = &dedupe->open;
    if (open->held == NULL)
        open->held = mailbox_held_new();
    mailbox_held_add(open->held, print, epoch, seq, &open->info.sum);
    dedupe->entries++;
    dedupe->in_memory++;
    if (mailbox_held_count(open->held) == MAILBOX_SEGMENT_ENTRIES)
        close_open(dedupe);
}

static void drop(struct mailbox_dedupe *dedupe, struct mailbox_dedupe_segment *segment)
{
    const struct mailbox_segment *info = &segment->info;
    dedupe->entries -= info->count;
    if (!info->is_stored)
        dedupe->in_memory -= info->count;
    else if (info->handle != NULL && dedupe->store.dropped != NULL)
        dedupe->store.dropped(dedupe->store.context, info->id, info->handle);
    mailbox_held_release(segment->held);
}

void mailbox_dedupe_expire(struct mailbox_dedupe *dedupe, int64_t time_ms, uint32_t window_s)
{
    if (time_ms >= dedupe->open.info.end_ms)
        close_open(dedupe);
    size_t gone = 0;
    while (gone < dedupe->count &&
           dedupe->segments[gone].info.end_ms <= time_ms - (int64_t)window_s * 1000)
        drop(dedupe, &dedupe->segments[gone++]);
    if (gone == 0)
        return;
    dedupe->count -= gone;
    memmove(dedupe->segments, dedupe->segments + gone, dedupe->count * sizeof *dedupe->segments);
}

void mailbox_dedupe_free(struct mailbox_dedupe *dedupe)
{
    for (size_t i = 0; i < dedupe->count; i++)
        mailbox_held_release(dedupe->segments[i].held);
    mailbox_held_release(dedupe->open.held);
    free(dedupe->segments);
    *dedupe = (struct mailbox_dedupe){0};
}

/* --- for the owner of the mailbox --- */

static struct mailbox_dedupe_segment *find_segment(const struct mailbox_dedupe *dedupe, uint64_t id)
{
    for (size_t i = 0; i < dedupe->count; i++) {
        if (dedupe->segments[i].info.id == id)
            return &dedupe->segments[i];
    }
    return NULL;
}

bool mailbox_segment_at(const struct mailbox *mailbox, size_t index,
                        struct mailbox_segment *ret_segment)
{
    if (index >= mailbox->dedupe.count)
        return false;
    *ret_segment = mailbox->dedupe.segments[index].info;
    return true;
}

void mailbox_set_store(struct mailbox *mailbox, const struct mailbox_store *store)
{
    mailbox->dedupe.store = *store;
}

int mailbox_segment_stored(struct mailbox *mailbox, uint64_t id, void *handle)
{
    struct mailbox_dedupe_segment *segment = find_segment(&mailbox->dedupe, id);
    if (segment == NULL)
        return -ENOENT;
    if (!segment->info.is_stored)
        mailbox->dedupe.in_memory -= segment->info.count;
    segment->info.is_stored = true;
    segment->info.handle = handle;
    mailbox_held_release(segment->held);
    segment->held = NULL;
    return 0;
}

struct mailbox_held *mailbox_segment_hold(const struct mailbox *mailbox, uint64_t id)
{
    const struct mailbox_dedupe_segment *segment = find_segment(&mailbox->dedupe, id);
    return segment == NULL || segment->held == NULL ? NULL : mailbox_held_hold(segment->held);
}

/* --- saving: u64 the last id, i64 and i64 the bounds of the open segment, u32 its count, 16 bytes
 * its sum, u32 how many closed ones; for each id, bounds, count, sum, and u8 whether its entries
 * are contained. Then all entries that are: those of the closed ones, those of the open one. --- */

static bool is_contained(const struct mailbox_dedupe *dedupe,
                         const struct mailbox_dedupe_segment *segment)
{
    return dedupe->store.find == NULL && !segment->info.is_stored;
}

static void save_info(const struct mailbox_segment *info, struct buffer *out)
{
    wire_write_i64(out, info->start_ms);
    wire_write_i64(out, info->end_ms);
    wire_write_u32(out, info->count);
    buffer_append(out, info->sum.bytes, sizeof info->sum.bytes);
}

void mailbox_dedupe_save(const struct mailbox_dedupe *dedupe, struct buffer *out)
{
    struct mailbox_segment open = dedupe->open.info;
    open.count = mailbox_held_count(dedupe->open.held);
    wire_write_u64(out, dedupe->last_id);
    save_info(&open, out);
    wire_write_u32(out, (uint32_t)dedupe->count);
    for (size_t i = 0; i < dedupe->count; i++) {
        wire_write_u64(out, dedupe->segments[i].info.id);
        save_info(&dedupe->segments[i].info, out);
        wire_write_u8(out, is_contained(dedupe, &dedupe->segments[i]));
    }
    for (size_t i = 0; i < dedupe->count; i++) {
        if (is_contained(dedupe, &dedupe->segments[i]))
            mailbox_held_save(dedupe->segments[i].held, out);
    }
    mailbox_held_save(dedupe->open.held, out);
}

static void load_info(struct mailbox_segment *info, struct wire_cursor *in)
{
    info->start_ms = wire_read_i64(in);
    info->end_ms = wire_read_i64(in);
    info->count = wire_read_u32(in);
    wire_read_bytes(in, info->sum.bytes, sizeof info->sum.bytes);
    if (info->count > MAILBOX_SEGMENT_ENTRIES || info->start_ms < 0 ||
        info->end_ms < info->start_ms)
        wire_fail(in);
}

static void load_closed(struct mailbox_segment *info, uint64_t after_id, uint64_t last_id,
                        struct wire_cursor *in)
{
    *info = (struct mailbox_segment){.id = wire_read_u64(in)};
    load_info(info, in);
    info->is_stored = wire_read_u8(in) == 0;
    if (info->id <= after_id || info->id > last_id || info->count == 0)
        wire_fail(in);
}

static void load_held(struct mailbox_dedupe *dedupe, struct mailbox_dedupe_segment *segment,
                      struct wire_cursor *in)
{
    dedupe->entries += segment->info.count;
    if (segment->info.is_stored || segment->info.count == 0)
        return;
    segment->held = mailbox_held_new();
    mailbox_held_load(segment->held, segment->info.count, in);
    dedupe->in_memory += segment->info.count;
}

bool mailbox_dedupe_load(struct mailbox_dedupe *dedupe, struct wire_cursor *in)
{
    dedupe->last_id = wire_read_u64(in);
    load_info(&dedupe->open.info, in);
    const uint32_t count = wire_read_u32(in);
    if (count > in->left / SEGMENT_SIZE || dedupe->open.info.count >= MAILBOX_SEGMENT_ENTRIES)
        wire_fail(in);
    uint64_t id = 0;
    for (uint32_t i = 0; i < count && !in->failed; i++) {
        struct mailbox_dedupe_segment *segment = push(dedupe);
        *segment = (struct mailbox_dedupe_segment){0};
        load_closed(&segment->info, id, dedupe->last_id, in);
        id = segment->info.id;
    }
    for (size_t i = 0; i < dedupe->count && !in->failed; i++)
        load_held(dedupe, &dedupe->segments[i], in);
    load_held(dedupe, &dedupe->open, in);
    dedupe->open.info.count = 0; /* it is in the entries */
    return !in->failed;
}

int mailbox_saved_segments(const void *bytes, size_t size, void *context,
                           void (*on_segment)(void *context, const struct mailbox_segment *segment))
{
    struct wire_cursor in;
    if (!mailbox_save_open(bytes, size, &in))
        return -EBADMSG;
    const uint64_t last_id = wire_read_u64(&in);
    struct mailbox_segment segment = {0};
    load_info(&segment, &in);
    const uint32_t count = wire_read_u32(&in);
    for (uint32_t i = 0; i < count && !in.failed; i++) {
        const uint64_t id = i == 0 ? 0 : segment.id;
        load_closed(&segment, id, last_id, &in);
        if (!in.failed && segment.is_stored)
            on_segment(context, &segment);
    }
    return in.failed ? -EBADMSG : 0;
}
