/* Opening: is this a view, and is it whole? What is looked at before it is believed:
 *  - the file's header, SQLite's own size of it, application_id and user_version, the tables;
 *  - the marks and the last row, by their checksums;
 *  - with a file of at most 32 MiB, all pages by quick_check (about 0.1 s). With a larger one that
 *    would hold up a take-over; there the checksum that each row carries tells when it is read. */
#include "store/view_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    APPLICATION_ID = 0x4d725677, /* "MrVw" */
    SCHEMA_VERSION = 1,
    BUSY_MS = 2000, /* a hub that is just going away */
    QUICK_CHECK_MAX_BYTES = 32 * 1024 * 1024,
    PATH_MAX_BYTES = 4096,
};

static const char schema[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE rows(row INTEGER PRIMARY KEY, previous_row INTEGER NOT NULL,"
    " position INTEGER NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " at_ms INTEGER NOT NULL, created_ms INTEGER NOT NULL, ttl_s INTEGER NOT NULL,"
    " flags INTEGER NOT NULL, wants INTEGER NOT NULL, crc INTEGER NOT NULL, trace BLOB NOT NULL,"
    " user TEXT NOT NULL, sender TEXT NOT NULL, device TEXT NOT NULL, id TEXT NOT NULL,"
    " body BLOB NOT NULL);"
    "CREATE TABLE marks(mark INTEGER PRIMARY KEY, position INTEGER NOT NULL,"
    " size INTEGER NOT NULL, content_crc INTEGER NOT NULL, crc INTEGER NOT NULL);"
    "CREATE TABLE state(part INTEGER PRIMARY KEY, bytes BLOB NOT NULL);"
    "CREATE TABLE quarantine(position INTEGER PRIMARY KEY, reason TEXT NOT NULL,"
    " bytes BLOB NOT NULL);"
    "PRAGMA application_id = 1299338871;" /* APPLICATION_ID */
    "PRAGMA user_version = 1;"            /* SCHEMA_VERSION */
    "COMMIT;";

static const char settings[] = "PRAGMA synchronous = NORMAL;"
                               "PRAGMA wal_autocheckpoint = 4096;"     /* pages: 16 MiB */
                               "PRAGMA journal_size_limit = 67108864;" /* bytes */
                               "PRAGMA cache_size = -16384;"           /* KiB */
                               "PRAGMA temp_store = MEMORY;";

static const char *const query_texts[VIEW_QUERIES] = {
    [VIEW_BEGIN] = "BEGIN IMMEDIATE",
    [VIEW_BEGIN_READ] = "BEGIN",
    [VIEW_COMMIT] = "COMMIT",
    [VIEW_ROLLBACK] = "ROLLBACK",
    [VIEW_ROW_PUT] = "INSERT OR REPLACE INTO rows(" VIEW_ROW_COLUMNS ")"
                     " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [VIEW_ROW_GET] = "SELECT " VIEW_ROW_COLUMNS " FROM rows WHERE row = ?",
    [VIEW_ROW_LINK] = "SELECT previous_row, epoch, seq FROM rows WHERE row = ?",
    [VIEW_ROW_LAST] = "SELECT max(row) FROM rows",
    [VIEW_ROW_TRIM] = "DELETE FROM rows WHERE row < min(?1, (SELECT min(row) FROM rows) + ?2)",
    [VIEW_MARK_PUT] = "INSERT OR REPLACE INTO marks(mark, position, size, content_crc, crc)"
                      " VALUES (?,?,?,?,?)",
    [VIEW_MARK_GET] = "SELECT position, size, content_crc, crc FROM marks WHERE mark = ?",
    [VIEW_STATE_PUT] = "INSERT OR REPLACE INTO state(part, bytes) VALUES (?,?)",
    [VIEW_STATE_GET] = "SELECT bytes FROM state WHERE part = ?",
    [VIEW_STATE_CUT] = "DELETE FROM state WHERE part >= ?",
    [VIEW_QUARANTINE_PUT] =
        "INSERT OR REPLACE INTO quarantine(position, reason, bytes) VALUES (?,?,?)",
    [VIEW_QUARANTINE_CUT] = "DELETE FROM quarantine WHERE position IN"
                            " (SELECT position FROM quarantine ORDER BY position LIMIT ?)",
    [VIEW_QUARANTINE_COUNT] = "SELECT count(*), max(position) FROM quarantine",
};

static int refuse(struct view *view, int error, const char *path, struct error_text *reterr_why)
{
    return error_text_set(reterr_why, error, "view %s: %s", path, sqlite3_errmsg(view->database));
}

/* The first column of the first row as a number. */
static int ask_number(struct view *view, const char *sql, int64_t *ret_number)
{
    sqlite3_stmt *query;
    int code = sqlite3_prepare_v2(view->database, sql, -1, &query, NULL);
    if (code == SQLITE_OK) {
        code = sqlite3_step(query);
        if (code == SQLITE_ROW)
            *ret_number = sqlite3_column_int64(query, 0);
        (void)sqlite3_finalize(query);
    }
    return view_error(code);
}

static int check_kind(struct view *view, const char *path, struct error_text *reterr_why)
{
    int64_t application = 0;
    int64_t version = 0;
    int error = ask_number(view, "PRAGMA application_id", &application);
    if (error == 0)
        error = ask_number(view, "PRAGMA user_version", &version);
    if (error != 0)
        return refuse(view, error, path, reterr_why);
    if (application != APPLICATION_ID)
        return error_text_set(reterr_why, -EILSEQ, "view %s: a database, but not a view", path);
    if (version != SCHEMA_VERSION)
        return error_text_set(reterr_why, -EILSEQ, "view %s: of another version", path);
    return 0;
}

/* SQLite itself notices missing pages, but takes a part of the last one for a whole. */
static int check_size(struct view *view, const char *path, int64_t file_size,
                      struct error_text *reterr_why)
{
    int64_t page_size = 0;
    int error = ask_number(view, "PRAGMA page_size", &page_size);
    if (error != 0)
        return refuse(view, error, path, reterr_why);
    if (page_size <= 0 || file_size % page_size != 0)
        return error_text_set(reterr_why, -EILSEQ, "view %s: the file is cut off", path);
    return 0;
}

static int check_pages(struct view *view, const char *path, struct error_text *reterr_why)
{
    sqlite3_stmt *query;
    int code = sqlite3_prepare_v2(view->database, "PRAGMA quick_check(1)", -1, &query, NULL);
    if (code != SQLITE_OK)
        return refuse(view, view_error(code), path, reterr_why);
    int error = view_error(sqlite3_step(query));
    const char *verdict = (const char *)sqlite3_column_text(query, 0);
    if (error == 0 && (verdict == NULL || strcmp(verdict, "ok") != 0))
        error = error_text_set(reterr_why, -EILSEQ, "view %s: %.200s", path,
                               verdict == NULL ? "quick_check says nothing" : verdict);
    else if (error != 0)
        refuse(view, error, path, reterr_why);
    (void)sqlite3_finalize(query);
    return error;
}

/* Also checks the tables: each column is named in some query. */
static int prepare(struct view *view, const char *path, struct error_text *reterr_why)
{
    for (size_t i = 0; i < VIEW_QUERIES; i++) {
        int code = sqlite3_prepare_v3(view->database, query_texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                                      &view->queries[i], NULL);
        if (code != SQLITE_OK)
            return refuse(view, view_error(code), path, reterr_why);
    }
    return 0;
}

static int run_script(struct view *view, const char *script)
{
    return view_error(sqlite3_exec(view->database, script, NULL, NULL, NULL));
}

static int read_marks(struct view *view, const char *path, struct error_text *reterr_why)
{
    struct view_mark_values mark = {0};
    int error = view_mark_get(view, VIEW_MARK_POSITION, &mark);
    view->position = mark.position;
    if (error == 0 || error == -ENOENT)
        error = view_count_quarantined(view, &view->quarantined);
    if (error == 0)
        error = view_check_last(view);
    if (error == -EILSEQ)
        return error_text_set(reterr_why, error, "view %s: a checksum does not match", path);
    return error == 0 ? 0 : refuse(view, error, path, reterr_why);
}

static int set_up(struct view *view, const char *path, bool is_new, int64_t file_size,
                  struct error_text *reterr_why)
{
    (void)sqlite3_extended_result_codes(view->database, 1);
    (void)sqlite3_busy_timeout(view->database, BUSY_MS);
    int error = is_new ? run_script(view, schema) : check_kind(view, path, reterr_why);
    if (error != 0)
        return is_new ? refuse(view, error, path, reterr_why) : error;
    if ((error = run_script(view, "PRAGMA journal_mode = WAL;")) != 0 ||
        (error = run_script(view, settings)) != 0)
        return refuse(view, error, path, reterr_why);
    if (!is_new)
        error = check_size(view, path, file_size, reterr_why);
    if (error == 0 && !is_new && file_size <= QUICK_CHECK_MAX_BYTES)
        error = check_pages(view, path, reterr_why);
    if (error == 0)
        error = prepare(view, path, reterr_why);
    return error == 0 ? read_marks(view, path, reterr_why) : error;
}

/* SQLite takes an empty file for a new one; here something has gone wrong with it. */
static int look_at_file(const char *path, bool *ret_is_new, int64_t *ret_size,
                        struct error_text *reterr_why)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        *ret_is_new = true;
        *ret_size = 0;
        return errno == ENOENT ? 0 : error_text_set(reterr_why, -EIO, "view %s: %m", path);
    }
    if (status.st_size == 0)
        return error_text_set(reterr_why, -EILSEQ, "view %s: the file is empty", path);
    *ret_is_new = false;
    *ret_size = status.st_size;
    return 0;
}

int view_open(const char *path, struct view **ret_view, struct error_text *reterr_why)
{
    bool is_new = false;
    int64_t file_size = 0;
    int error = look_at_file(path, &is_new, &file_size, reterr_why);
    if (error != 0)
        return error;
    struct view *view = calloc(1, sizeof *view);
    if (view == NULL)
        return error_text_set(reterr_why, -ENOMEM, "view %s: memory is short", path);
    int code =
        sqlite3_open_v2(path, &view->database,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    error = code == SQLITE_OK ? set_up(view, path, is_new, file_size, reterr_why)
                              : refuse(view, view_error(code), path, reterr_why);
    if (error != 0) {
        view_close(view);
        return error;
    }
    *ret_view = view;
    return 0;
}

void view_close(struct view *view)
{
    if (view == NULL)
        return;
    for (size_t i = 0; i < VIEW_QUERIES; i++)
        (void)sqlite3_finalize(view->queries[i]);
    (void)sqlite3_close_v2(view->database); /* rolls back */
    free(view->walked);
    free(view);
}

static int remove_companion(const char *path, const char *suffix)
{
    char name[PATH_MAX_BYTES];
    if (snprintf(name, sizeof name, "%s%s", path, suffix) >= (int)sizeof name)
        return -ENAMETOOLONG;
    return unlink(name) == 0 || errno == ENOENT ? 0 : -errno;
}

/* Before the file itself: a new one must never meet an old journal. */
static int remove_companions(const char *path)
{
    static const char *const suffixes[] = {"-wal", "-shm", "-journal"};
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        int error = remove_companion(path, suffixes[i]);
        if (error != 0)
            return error;
    }
    return 0;
}

int view_remove(const char *path)
{
    int error = remove_companions(path);
    return error == 0 ? remove_companion(path, "") : error;
}

int view_discard(const char *path)
{
    char damaged[PATH_MAX_BYTES];
    if (snprintf(damaged, sizeof damaged, "%s.damaged", path) >= (int)sizeof damaged)
        return -ENAMETOOLONG;
    int error = remove_companions(path);
    if (error != 0)
        return error;
    return rename(path, damaged) == 0 || errno == ENOENT ? 0 : -errno;
}
