/* The archive in a SQLite file: the same tables as in PostgreSQL, made when the file is opened.
 * Several processes may use it at once; one that waits for another does so within the statement's
 * timeout. */
#include "store/archive_sqlite.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

/* --- logs --- */

static void bind_key(sqlite3_stmt *query, const struct archive_log *log)
{
    sqlite_bind_text(query, 1, text_of(log->region));
    sqlite_bind_u64(query, 2, log->shard);
    sqlite_bind_bytes(query, 3,
                      (struct text){(const char *)log->incarnation, sizeof log->incarnation});
}

static int find_log(struct sqlite_file *file, struct archive_log *log, bool *ret_found,
                    struct error_text *reterr_why)
{
    sqlite3_stmt *query = file->queries[ASK_FIND_LOG];
    bind_key(query, log);
    const int code = sqlite3_step(query);
    *ret_found = code == SQLITE_ROW;
    if (*ret_found) {
        log->id = sqlite3_column_int64(query, 0);
        log->last_row = sqlite_column_u64(query, 1);
        log->position = sqlite_column_u64(query, 2);
    }
    int err = code == SQLITE_ROW || code == SQLITE_DONE ? 0 : sqlite_fail(file, code, reterr_why);
    (void)sqlite3_reset(query);
    (void)sqlite3_clear_bindings(query);
    return err;
}

static int on_locate(struct archive *archive, struct archive_log *log,
                     struct error_text *reterr_why)
{
    struct sqlite_file *file = sqlite_file_of(archive);
    bool found = false;
    sqlite_start_call(file);
    int err = find_log(file, log, &found, reterr_why);
    if (err != 0 || found)
        return err;
    bind_key(file->queries[ASK_ADD_LOG], log);
    err = sqlite_run(file, ASK_ADD_LOG, NULL, reterr_why);
    if (err == 0)
        err = find_log(file, log, &found, reterr_why);
    return err != 0 || found ? err : error_text_set(reterr_why, -EIO, "a log cannot be noted");
}

/* Inside a transaction. */
static int move(struct sqlite_file *file, const struct archive_log *log, uint64_t row,
                uint64_t position, struct error_text *reterr_why)
{
    sqlite3_stmt *query = file->queries[ASK_MOVE];
    uint64_t changes = 0;
    sqlite_bind_u64(query, 1, (uint64_t)log->id);
    sqlite_bind_u64(query, 2, log->last_row);
    sqlite_bind_u64(query, 3, row);
    sqlite_bind_u64(query, 4, position);
    sqlite_bind_u64(query, 5, (uint64_t)clock_wall_ms());
    int err = sqlite_run(file, ASK_MOVE, &changes, reterr_why);
    if (err == 0 && changes == 0)
        err = error_text_set(reterr_why, -ESTALE, "somebody else has moved the archive of %s %u",
                             log->region, log->shard);
    return err;
}

/* --- messages --- */

static int add(struct sqlite_file *file, const struct archive_log *log,
               const struct archive_row *row, uint64_t *stored, struct error_text *reterr_why)
{
    static const uint8_t none[16];
    sqlite3_stmt *query = file->queries[ASK_ADD];
    uint64_t changes = 0;
    sqlite_bind_text(query, 1, row->recipient);
    sqlite_bind_u64(query, 2, row->epoch);
    sqlite_bind_u64(query, 3, row->seq);
    sqlite_bind_u64(query, 4, (uint64_t)row->at_ms);
    sqlite_bind_u64(query, 5, (uint64_t)row->created_ms);
    sqlite_bind_u64(query, 6, row->row);
    sqlite_bind_u64(query, 7, (uint64_t)log->id);
    sqlite_bind_u64(query, 8, row->ttl_s);
    sqlite_bind_u64(query, 9, row->flags);
    sqlite_bind_text(query, 10, row->sender);
    sqlite_bind_text(query, 11, row->device);
    sqlite_bind_text(query, 12, row->id);
    if (memcmp(row->trace, none, sizeof none) != 0)
        sqlite_bind_bytes(query, 13, (struct text){(const char *)row->trace, sizeof row->trace});
    sqlite_bind_bytes(query, 14, row->body);
    int err = sqlite_run(file, ASK_ADD, &changes, reterr_why);
    *stored += changes;
    return err;
}

static int on_append(struct archive *archive, const struct archive_log *log,
                     const struct archive_batch *batch, size_t first, size_t end_at, uint64_t row,
                     uint64_t position, uint64_t *ret_stored, struct error_text *reterr_why)
{
    struct sqlite_file *file = sqlite_file_of(archive);
    uint64_t stored = 0;
    int err = sqlite_begin(file, reterr_why);
    if (err != 0)
        return err;
    err = move(file, log, row, position, reterr_why);
    for (size_t at = first; err == 0 && at < end_at; at++) {
        const struct archive_row added = archive_batch_row(batch, at);
        err = add(file, log, &added, &stored, reterr_why);
    }
    err = sqlite_end(file, err, reterr_why);
    if (err == 0)
        *ret_stored = stored;
    return err;
}

static int on_park(struct archive *archive, const struct archive_log *log,
                   const struct archive_row *row, const char *reason, struct error_text *reterr_why)
{
    struct sqlite_file *file = sqlite_file_of(archive);
    sqlite3_stmt *query = file->queries[ASK_PARK];
    int err = sqlite_begin(file, reterr_why);
    if (err != 0)
        return err;
    err = move(file, log, row->row, row->position, reterr_why);
    sqlite_bind_u64(query, 1, (uint64_t)log->id);
    sqlite_bind_u64(query, 2, row->row);
    sqlite_bind_u64(query, 3, row->epoch);
    sqlite_bind_u64(query, 4, row->seq);
    sqlite_bind_u64(query, 5, (uint64_t)row->at_ms);
    sqlite_bind_bytes(query, 6, row->recipient);
    sqlite_bind_bytes(query, 7, row->sender);
    sqlite_bind_bytes(query, 8, row->device);
    sqlite_bind_bytes(query, 9, row->id);
    sqlite_bind_bytes(query, 10, row->body);
    sqlite_bind_text(query, 11, text_of(reason));
    if (err == 0)
        err = sqlite_run(file, ASK_PARK, NULL, reterr_why);
    return sqlite_end(file, err, reterr_why);
}

static int on_skip(struct archive *archive, const struct archive_log *log, uint64_t row,
                   uint64_t position, const char *reason, struct error_text *reterr_why)
{
    struct sqlite_file *file = sqlite_file_of(archive);
    sqlite3_stmt *query = file->queries[ASK_NOTE_GAP];
    int err = sqlite_begin(file, reterr_why);
    if (err != 0)
        return err;
    err = move(file, log, row, position, reterr_why);
    sqlite_bind_u64(query, 1, (uint64_t)log->id);
    sqlite_bind_u64(query, 2, log->last_row + 1);
    sqlite_bind_u64(query, 3, row);
    sqlite_bind_text(query, 4, text_of(reason));
    if (err == 0)
        err = sqlite_run(file, ASK_NOTE_GAP, NULL, reterr_why);
    return sqlite_end(file, err, reterr_why);
}

static void give(sqlite3_stmt *query, archive_on_row *on_row, void *context)
{
    struct archive_row row = {
        .recipient = sqlite_column(query, 0),
        .epoch = (uint32_t)sqlite_column_u64(query, 1),
        .seq = sqlite_column_u64(query, 2),
        .at_ms = (int64_t)sqlite_column_u64(query, 3),
        .created_ms = (int64_t)sqlite_column_u64(query, 4),
        .row = sqlite_column_u64(query, 5),
        .ttl_s = (uint32_t)sqlite_column_u64(query, 7),
        .flags = (uint16_t)sqlite_column_u64(query, 8),
        .sender = sqlite_column(query, 9),
        .device = sqlite_column(query, 10),
        .id = sqlite_column(query, 11),
        .body = sqlite_column(query, 13),
    };
    const struct text trace = sqlite_column(query, 12);
    if (trace.size == sizeof row.trace)
        memcpy(row.trace, trace.data, sizeof row.trace);
    on_row(context, &row);
}

static int on_history(struct archive *archive, struct text user, const struct archive_range *range,
                      archive_on_row *on_row, void *context, struct error_text *reterr_why)
{
    struct sqlite_file *file = sqlite_file_of(archive);
    const bool rises = range->after.epoch != 0;
    const bool from_end = !rises && range->before.epoch == 0;
    const struct archive_cursor from = rises ? range->after : range->before;
    sqlite3_stmt *query = file->queries[rises ? ASK_AFTER : ASK_BEFORE];
    sqlite_start_call(file);
    sqlite_bind_text(query, 1, user);
    sqlite_bind_u64(query, 2, from_end ? INT64_MAX : from.epoch);
    sqlite_bind_u64(query, 3, from.seq);
    sqlite_bind_u64(query, 4, range->rows_max);
    int code;
    while ((code = sqlite3_step(query)) == SQLITE_ROW)
        give(query, on_row, context);
    int err = code == SQLITE_DONE ? 0 : sqlite_fail(file, code, reterr_why);
    (void)sqlite3_reset(query);
    (void)sqlite3_clear_bindings(query);
    return err;
}

/* --- forgetting --- */

static int forget(struct sqlite_file *file, enum sqlite_query which, struct text user,
                  uint64_t *deleted, struct error_text *reterr_why)
{
    uint64_t changes = 0;
    sqlite_bind_text(file->queries[which], 1, user);
    int err = sqlite_run(file, which, &changes, reterr_why);
    *deleted += changes;
    return err;
}

static int on_erase(struct archive *archive, struct text user, bool sent, uint64_t *ret_deleted,
                    struct error_text *reterr_why)
{
    struct sqlite_file *file = sqlite_file_of(archive);
    uint64_t deleted = 0;
    uint64_t unparked = 0;
    int err = sqlite_begin(file, reterr_why);
    if (err != 0)
        return err;
    err = forget(file, ASK_ERASE, user, &deleted, reterr_why);
    if (err == 0 && sent)
        err = forget(file, ASK_ERASE_SENT, user, &deleted, reterr_why);
    sqlite_bind_bytes(file->queries[ASK_UNPARK], 1, user);
    sqlite_bind_u64(file->queries[ASK_UNPARK], 2, sent);
    if (err == 0)
        err = sqlite_run(file, ASK_UNPARK, &unparked, reterr_why);
    err = sqlite_end(file, err, reterr_why);
    if (err == 0)
        *ret_deleted = deleted + unparked;
    return err;
}

static int on_expire(struct archive *archive, int64_t before_ms, uint64_t *ret_deleted,
                     struct error_text *reterr_why)
{
    struct sqlite_file *file = sqlite_file_of(archive);
    sqlite_start_call(file);
    sqlite_bind_u64(file->queries[ASK_EXPIRE], 1, (uint64_t)before_ms);
    return sqlite_run(file, ASK_EXPIRE, ret_deleted, reterr_why);
}

static int on_each_log(struct archive *archive, archive_on_log *on_log, void *context,
                       struct error_text *reterr_why)
{
    struct sqlite_file *file = sqlite_file_of(archive);
    sqlite3_stmt *query = file->queries[ASK_LOGS];
    int code;
    sqlite_start_call(file);
    while ((code = sqlite3_step(query)) == SQLITE_ROW) {
        struct archive_log log = {.id = sqlite3_column_int64(query, 0),
                                  .shard = (unsigned)sqlite_column_u64(query, 2),
                                  .last_row = sqlite_column_u64(query, 4),
                                  .position = sqlite_column_u64(query, 5)};
        const struct archive_totals totals = {sqlite_column_u64(query, 6),
                                              sqlite_column_u64(query, 7)};
        const struct text incarnation = sqlite_column(query, 3);
        if (text_put(log.region, sizeof log.region, sqlite_column(query, 1)) != 0 ||
            incarnation.size != sizeof log.incarnation)
            continue; /* not written by us */
        memcpy(log.incarnation, incarnation.data, sizeof log.incarnation);
        on_log(context, &log, &totals);
    }
    int err = code == SQLITE_DONE ? 0 : sqlite_fail(file, code, reterr_why);
    (void)sqlite3_reset(query);
    return err;
}

static const struct archive_kind kind = {
    .connect = sqlite_connect,
    .disconnect = sqlite_disconnect,
    .free = sqlite_free,
    .cancel = sqlite_cancel,
    .version = sqlite_version,
    .migrate = sqlite_migrate,
    .locate = on_locate,
    .append = on_append,
    .park = on_park,
    .skip = on_skip,
    .history = on_history,
    .erase = on_erase,
    .expire = on_expire,
    .each_log = on_each_log,
    .locate_bucket = sqlite_locate_bucket,
    .put_homes = sqlite_put_homes,
    .homes_after = sqlite_homes_after,
    .homeless_after = sqlite_homeless_after,
    .each_bucket = sqlite_each_bucket,
    .schema = archive_schema_sqlite,
    .migrates_itself = true,
};

struct archive *archive_sqlite_new(const char *path, struct error_text *reterr_why)
{
    struct sqlite_file *file = calloc(1, sizeof *file);
    struct buffer place = {0};
    if (file == NULL) {
        error_text_set(reterr_why, -ENOMEM, "memory is short");
        return NULL;
    }
    buffer_printf(&place, "sqlite:%s", path);
    file->archive.kind = &kind;
    file->archive.place = place.failed ? NULL : text_copy(buffer_text(&place));
    file->path = text_copy(text_of(path));
    buffer_free(&place);
    if (file->archive.place != NULL && file->path != NULL)
        return &file->archive;
    error_text_set(reterr_why, -ENOMEM, "memory is short");
    archive_free(&file->archive);
    return NULL;
}
