/* What stands beside the rows: the positions, the mailbox's saved state, and the quarantine. */
#include "store/view_internal.h"

#include <errno.h>
#include <zlib.h>

enum {
    STATE_PART_BYTES = 4 * 1024 * 1024, /* SQLite's largest blob is far below what a state can be */
    QUARANTINE_MAX = 1000,
};

static uint32_t crc_of_mark(enum view_mark which, const struct view_mark_values *values)
{
    const uint64_t numbers[] = {which, values->position, values->size, values->crc};
    return (uint32_t)crc32_z(0, (const uint8_t *)numbers, sizeof numbers);
}

int view_mark_put(struct view *view, enum view_mark which, const struct view_mark_values *values)
{
    sqlite3_stmt *query = view->queries[VIEW_MARK_PUT];
    view_bind_u64(query, 1, which);
    view_bind_u64(query, 2, values->position);
    view_bind_u64(query, 3, values->size);
    view_bind_u64(query, 4, values->crc);
    view_bind_u64(query, 5, crc_of_mark(which, values));
    return view_run(view, VIEW_MARK_PUT);
}

int view_mark_get(struct view *view, enum view_mark which, struct view_mark_values *ret_values)
{
    sqlite3_stmt *query = view->queries[VIEW_MARK_GET];
    view_bind_u64(query, 1, which);
    int found = view_step(view, VIEW_MARK_GET);
    if (found <= 0)
        return found < 0 ? found : -ENOENT;
    const struct view_mark_values values = {.position = view_column_u64(query, 0),
                                            .size = view_column_u64(query, 1),
                                            .crc = (uint32_t)view_column_u64(query, 2)};
    const uint64_t crc = view_column_u64(query, 3);
    view_end(view, VIEW_MARK_GET);
    if (crc != crc_of_mark(which, &values))
        return -EILSEQ;
    *ret_values = values;
    return 0;
}

static int put_parts(struct view *view, const uint8_t *bytes, size_t size)
{
    uint64_t part = 0;
    for (size_t at = 0; at < size; at += STATE_PART_BYTES) {
        const size_t left = size - at;
        view_bind_u64(view->queries[VIEW_STATE_PUT], 1, part++);
        view_bind_blob(view->queries[VIEW_STATE_PUT], 2, bytes + at,
                       left < STATE_PART_BYTES ? left : STATE_PART_BYTES);
        int error = view_run(view, VIEW_STATE_PUT);
        if (error != 0)
            return error;
    }
    view_bind_u64(view->queries[VIEW_STATE_CUT], 1, part); /* what a longer one has left */
    return view_run(view, VIEW_STATE_CUT);
}

int view_save_state(struct view *view, uint64_t position, const void *bytes, size_t size)
{
    const struct view_mark_values mark = {
        .position = position, .size = size, .crc = (uint32_t)crc32_z(0, bytes, size)};
    bool began;
    int error = view_begin_inner(view, &began);
    if (error != 0)
        return error;
    error = put_parts(view, bytes, size);
    if (error == 0)
        error = view_mark_put(view, VIEW_MARK_STATE, &mark);
    return view_end_inner(view, began, error);
}

/* 1: a part was appended to `bytes`; 0: there is none; or negative. */
static int get_part(struct view *view, uint64_t part, struct buffer *bytes)
{
    view_bind_u64(view->queries[VIEW_STATE_GET], 1, part);
    int found = view_step(view, VIEW_STATE_GET);
    if (found <= 0)
        return found;
    buffer_append_text(bytes, view_column_text(view->queries[VIEW_STATE_GET], 0));
    view_end(view, VIEW_STATE_GET);
    return bytes->failed ? -ENOMEM : 1;
}

static int get_parts(struct view *view, const struct view_mark_values *mark, struct buffer *bytes)
{
    int found = 1;
    for (uint64_t part = 0; found > 0 && bytes->size <= mark->size; part++)
        found = get_part(view, part, bytes);
    if (found < 0)
        return found;
    const bool whole =
        bytes->size == mark->size && (uint32_t)crc32_z(0, bytes->data, bytes->size) == mark->crc;
    return whole ? 0 : -EILSEQ;
}

int view_load_state(struct view *view, uint64_t *ret_position, struct buffer *ret_bytes)
{
    struct view_mark_values mark;
    int error = view_mark_get(view, VIEW_MARK_STATE, &mark);
    if (error != 0)
        return error;
    struct buffer bytes = {0};
    error = get_parts(view, &mark, &bytes);
    if (error == 0) {
        buffer_append(ret_bytes, bytes.data, bytes.size);
        error = ret_bytes->failed ? -ENOMEM : 0;
    }
    buffer_free(&bytes);
    if (error == 0)
        *ret_position = mark.position;
    return error;
}

int view_count_quarantined(struct view *view, uint64_t *ret_count)
{
    int found = view_step(view, VIEW_QUARANTINE_COUNT);
    if (found <= 0)
        return found < 0 ? found : -EIO;
    *ret_count = view_column_u64(view->queries[VIEW_QUARANTINE_COUNT], 0);
    view->quarantined_last = view_column_u64(view->queries[VIEW_QUARANTINE_COUNT], 1);
    view_end(view, VIEW_QUARANTINE_COUNT);
    return 0;
}

static int cut_quarantine(struct view *view)
{
    uint64_t count;
    int error = view_count_quarantined(view, &count);
    if (error == 0 && count > QUARANTINE_MAX) {
        view_bind_u64(view->queries[VIEW_QUARANTINE_CUT], 1, count - QUARANTINE_MAX);
        error = view_run(view, VIEW_QUARANTINE_CUT);
        count = QUARANTINE_MAX;
    }
    if (error == 0)
        view->quarantined = count;
    return error;
}

int view_quarantine(struct view *view, uint64_t position, const char *reason, const void *bytes,
                    size_t size)
{
    sqlite3_stmt *query = view->queries[VIEW_QUARANTINE_PUT];
    view_bind_u64(query, 1, position);
    view_bind_text(query, 2, text_of(reason));
    view_bind_blob(query, 3, bytes, size);
    int error = view_run(view, VIEW_QUARANTINE_PUT);
    if (error == 0)
        error = cut_quarantine(view);
    if (error != 0)
        view_rollback(view);
    return error;
}
