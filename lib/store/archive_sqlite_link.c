/* The file of a SQLite archive: opening it, its schema, and how a query is run. */
#include "store/archive_sqlite.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    APPLICATION_ID = 0x4d724172, /* "MrAr" */
    BUSY_NAP_MS = 10,
    STEPS = 1000, /* of SQLite's machine, between two looks at the clock */
};

#define COLUMNS "recipient, epoch, seq, at, created, row, log, ttl_s, flags, sender, device, id, "
#define HISTORY                                                                                    \
    "SELECT recipient, epoch, seq, max(at), created, row, log, ttl_s, flags, sender, device, id,"  \
    " trace, body FROM messages WHERE recipient = ?1 AND "

static const char *const texts[ASK_QUERIES] = {
    [ASK_BEGIN] = "BEGIN IMMEDIATE",
    [ASK_COMMIT] = "COMMIT",
    [ASK_ROLLBACK] = "ROLLBACK",
    [ASK_FIND_LOG] = "SELECT id, last_row, position FROM logs"
                     " WHERE region = ? AND shard = ? AND incarnation = ?",
    [ASK_ADD_LOG] = "INSERT INTO logs (region, shard, incarnation) VALUES (?, ?, ?)"
                    " ON CONFLICT DO NOTHING",
    [ASK_MOVE] = "UPDATE logs SET last_row = ?3, position = ?4, updated = ?5"
                 " WHERE id = ?1 AND last_row = ?2",
    [ASK_ADD] = "INSERT INTO messages (" COLUMNS "trace, body)"
                " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING",
    [ASK_PARK] =
        "INSERT INTO parked (log, row, epoch, seq, at_ms, recipient, sender, device, id, body,"
        " reason) VALUES (?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING",
    [ASK_NOTE_GAP] = "INSERT INTO gaps (log, first_row, last_row, reason) VALUES (?,?,?,?)"
                     " ON CONFLICT DO NOTHING",
    [ASK_AFTER] =
        HISTORY "(epoch, seq) > (?2, ?3) GROUP BY epoch, seq ORDER BY epoch, seq LIMIT ?4",
    [ASK_BEFORE] = HISTORY "(epoch, seq) < (?2, ?3) GROUP BY epoch, seq"
                           " ORDER BY epoch DESC, seq DESC LIMIT ?4",
    [ASK_ERASE] = "DELETE FROM messages WHERE recipient = ?1",
    [ASK_ERASE_SENT] = "DELETE FROM messages WHERE sender = ?1",
    [ASK_UNPARK] = "DELETE FROM parked WHERE recipient = ?1 OR ?2 AND sender = ?1",
    [ASK_EXPIRE] = "DELETE FROM messages WHERE at < ?1",
    [ASK_LOGS] = "SELECT id, region, shard, incarnation, last_row, position,"
                 " (SELECT count(*) FROM parked WHERE log = logs.id),"
                 " (SELECT coalesce(sum(gaps.last_row - first_row + 1), 0) FROM gaps"
                 " WHERE log = logs.id) FROM logs ORDER BY region, shard, id",
    [ASK_ADD_BUCKET] = "INSERT INTO directory_buckets (bucket, buckets, made) VALUES (?1, ?2, ?3)"
                       " ON CONFLICT DO NOTHING",
    [ASK_FIND_BUCKET] = "SELECT position FROM directory_buckets"
                        " WHERE bucket = ?1 AND buckets = ?2 AND made = ?3",
    [ASK_MOVE_BUCKET] = "UPDATE directory_buckets SET position = ?5, updated = ?6"
                        " WHERE bucket = ?1 AND buckets = ?2 AND made = ?3 AND position = ?4",
    [ASK_PUT_HOME] = "INSERT INTO directory AS old (user_id, home, epoch, revision)"
                     " VALUES (?1, ?2, ?3, ?4) ON CONFLICT (user_id) DO UPDATE SET"
                     " home = excluded.home, epoch = excluded.epoch, revision = excluded.revision"
                     " WHERE (excluded.epoch, excluded.revision) > (old.epoch, old.revision)",
    [ASK_HOMES] = "SELECT user_id, home, epoch, revision FROM directory"
                  " WHERE user_id > ?1 ORDER BY user_id LIMIT ?2",
    /* From recipient to recipient by the index, whatever messages each has. */
    [ASK_HOMELESS] =
        "WITH RECURSIVE step (u) AS (SELECT min(recipient) FROM messages WHERE recipient > ?1"
        " UNION ALL SELECT (SELECT min(recipient) FROM messages WHERE recipient > step.u)"
        " FROM step WHERE step.u IS NOT NULL) SELECT u FROM step WHERE u IS NOT NULL AND NOT EXISTS"
        " (SELECT 1 FROM directory WHERE user_id = u) LIMIT ?2",
    [ASK_BUCKETS] = "SELECT bucket, buckets, max(made), position FROM directory_buckets"
                    " GROUP BY buckets, bucket ORDER BY buckets, bucket",
};

struct sqlite_file *sqlite_file_of(struct archive *archive)
{
    return container_of(archive, struct sqlite_file, archive);
}

/* --- errors and patience --- */

static int error_of(struct sqlite_file *file, int code)
{
    if (atomic_load(&file->archive.canceled))
        return -ECANCELED;
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_CONSTRAINT:
    case SQLITE_TOOBIG:
    case SQLITE_MISMATCH:
        return ARCHIVE_REFUSED;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
        return -EACCES;
    case SQLITE_BUSY:
    case SQLITE_INTERRUPT:
        return -ETIMEDOUT;
    default:
        return -EIO;
    }
}

int sqlite_fail(struct sqlite_file *file, int code, struct error_text *reterr_why)
{
    return error_text_set(reterr_why, error_of(file, code), "%s: %s", file->archive.place,
                          sqlite3_errmsg(file->database));
}

static bool is_over(const struct sqlite_file *file)
{
    return atomic_load(&file->archive.canceled) || clock_monotonic_ms() > file->due_ms;
}

static int on_busy(void *context, int count)
{
    struct sqlite_file *file = context;
    (void)count;
    if (is_over(file))
        return 0;
    (void)sqlite3_sleep(BUSY_NAP_MS);
    return 1;
}

static int on_progress(void *context)
{
    return is_over(context);
}

void sqlite_start_call(struct sqlite_file *file)
{
    file->due_ms = clock_monotonic_ms() + file->archive.settings.statement_timeout_ms;
}

/* --- queries --- */

void sqlite_bind_u64(sqlite3_stmt *query, int at, uint64_t value)
{
    (void)sqlite3_bind_int64(query, at, (sqlite3_int64)value);
}

void sqlite_bind_text(sqlite3_stmt *query, int at, struct text text)
{
    (void)sqlite3_bind_text64(query, at, text.size == 0 ? "" : text.data, text.size, SQLITE_STATIC,
                              SQLITE_UTF8);
}

void sqlite_bind_bytes(sqlite3_stmt *query, int at, struct text bytes)
{
    (void)sqlite3_bind_blob64(query, at, bytes.size == 0 ? "" : bytes.data, bytes.size,
                              SQLITE_STATIC);
}

struct text sqlite_column(sqlite3_stmt *query, int at)
{
    const char *data = sqlite3_column_blob(query, at);
    if (data == NULL)
        return TEXT("");
    return (struct text){data, (size_t)sqlite3_column_bytes(query, at)};
}

uint64_t sqlite_column_u64(sqlite3_stmt *query, int at)
{
    return (uint64_t)sqlite3_column_int64(query, at);
}

int sqlite_run(struct sqlite_file *file, enum sqlite_query which, uint64_t *ret_changes,
               struct error_text *reterr_why)
{
    sqlite3_stmt *query = file->queries[which];
    const int code = sqlite3_step(query);
    int err = code == SQLITE_DONE || code == SQLITE_ROW ? 0 : sqlite_fail(file, code, reterr_why);
    if (err == 0 && ret_changes != NULL)
        *ret_changes = (uint64_t)sqlite3_changes(file->database);
    (void)sqlite3_reset(query);
    (void)sqlite3_clear_bindings(query);
    return err;
}

int sqlite_begin(struct sqlite_file *file, struct error_text *reterr_why)
{
    sqlite_start_call(file);
    return sqlite_run(file, ASK_BEGIN, NULL, reterr_why);
}

static void roll_back(struct sqlite_file *file)
{
    if (sqlite_run(file, ASK_ROLLBACK, NULL, NULL) != 0)
        return; /* closing the file does it */
}

int sqlite_end(struct sqlite_file *file, int err, struct error_text *reterr_why)
{
    if (err == 0)
        err = sqlite_run(file, ASK_COMMIT, NULL, reterr_why);
    if (err != 0 && sqlite3_get_autocommit(file->database) == 0)
        roll_back(file);
    return err;
}

static int sqlite_script(struct sqlite_file *file, const char *sql, struct error_text *reterr_why)
{
    const int code = sqlite3_exec(file->database, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? 0 : sqlite_fail(file, code, reterr_why);
}

/* --- life --- */

int sqlite_connect(struct archive *archive, struct error_text *reterr_why)
{
    struct sqlite_file *file = sqlite_file_of(archive);
    if (atomic_load(&archive->canceled))
        return error_text_set(reterr_why, -ECANCELED, "cancelled");
    sqlite_start_call(file);
    int code =
        sqlite3_open_v2(file->path, &file->database,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code != SQLITE_OK)
        return sqlite_fail(file, code, reterr_why);
    (void)sqlite3_extended_result_codes(file->database, 1);
    (void)sqlite3_busy_handler(file->database, on_busy, file);
    sqlite3_progress_handler(file->database, STEPS, on_progress, file);
    return sqlite_script(file,
                         "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
                         "PRAGMA cache_size = -16384; PRAGMA journal_size_limit = 67108864",
                         reterr_why);
}

void sqlite_disconnect(struct archive *archive)
{
    struct sqlite_file *file = sqlite_file_of(archive);
    for (size_t i = 0; i < ASK_QUERIES; i++) {
        (void)sqlite3_finalize(file->queries[i]);
        file->queries[i] = NULL;
    }
    (void)sqlite3_close_v2(file->database);
    file->database = NULL;
}

void sqlite_free(struct archive *archive)
{
    free(sqlite_file_of(archive)->path);
    free(sqlite_file_of(archive));
}

void sqlite_cancel(struct archive *archive)
{
    (void)archive; /* those who wait or work look at `canceled` */
}

/* --- the schema --- */

static int ask_number(struct sqlite_file *file, const char *sql, int64_t *ret_number,
                      struct error_text *reterr_why)
{
    sqlite3_stmt *query;
    int code = sqlite3_prepare_v2(file->database, sql, -1, &query, NULL);
    if (code == SQLITE_OK) {
        code = sqlite3_step(query);
        if (code == SQLITE_ROW)
            *ret_number = sqlite3_column_int64(query, 0);
        (void)sqlite3_finalize(query);
    }
    return code == SQLITE_ROW || code == SQLITE_DONE ? 0 : sqlite_fail(file, code, reterr_why);
}

static int prepare(struct sqlite_file *file, struct error_text *reterr_why)
{
    for (size_t i = 0; i < ASK_QUERIES; i++) {
        int code = sqlite3_prepare_v3(file->database, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                                      &file->queries[i], NULL);
        if (code != SQLITE_OK)
            return sqlite_fail(file, code, reterr_why);
    }
    return 0;
}

static unsigned last_version(void)
{
    unsigned version = 0;
    while (archive_schema_sqlite[version] != NULL)
        version++;
    return version;
}

int sqlite_version(struct archive *archive, unsigned *ret_version, struct error_text *reterr_why)
{
    struct sqlite_file *file = sqlite_file_of(archive);
    int64_t version = 0;
    int64_t application = 0;
    int64_t tables = 0;
    int err = ask_number(file, "PRAGMA user_version", &version, reterr_why);
    if (err == 0)
        err = ask_number(file, "PRAGMA application_id", &application, reterr_why);
    if (err == 0)
        err = ask_number(file, "SELECT count(*) FROM sqlite_schema", &tables, reterr_why);
    if (err == 0 && application != APPLICATION_ID && (tables > 0 || version > 0))
        err =
            error_text_set(reterr_why, -EIO, "%s: a database, but not an archive", archive->place);
    if (err == 0 && version == last_version())
        err = prepare(file, reterr_why);
    *ret_version = (unsigned)version;
    return err;
}

int sqlite_migrate(struct archive *archive, unsigned to, const char *sql,
                   struct error_text *reterr_why)
{
    struct sqlite_file *file = sqlite_file_of(archive);
    char mark[96];
    int64_t version = 0;
    sqlite_start_call(file);
    snprintf(mark, sizeof mark, "PRAGMA application_id = %d; PRAGMA user_version = %u; COMMIT",
             APPLICATION_ID, to);
    int err = sqlite_script(file, "BEGIN IMMEDIATE", reterr_why);
    if (err == 0)
        err = ask_number(file, "PRAGMA user_version", &version, reterr_why);
    if (err == 0 && version < to)
        err = sqlite_script(file, sql, reterr_why);
    if (err == 0)
        err = sqlite_script(file, version < to ? mark : "ROLLBACK", reterr_why);
    return err == 0 && to == last_version() ? prepare(file, reterr_why) : err;
}
