/* What the files of SQLite's side of the archive share. Only here and in them (and the view's):
 * SQLite. */
#pragma once

#include "store/archive_internal.h"

#include <sqlite3.h>

enum sqlite_query {
    ASK_BEGIN,
    ASK_COMMIT,
    ASK_ROLLBACK,
    ASK_FIND_LOG,
    ASK_ADD_LOG,
    ASK_MOVE,
    ASK_ADD,
    ASK_PARK,
    ASK_NOTE_GAP,
    ASK_AFTER,
    ASK_BEFORE,
    ASK_ERASE,
    ASK_ERASE_SENT,
    ASK_UNPARK,
    ASK_EXPIRE,
    ASK_LOGS,
    ASK_ADD_BUCKET,
    ASK_FIND_BUCKET,
    ASK_MOVE_BUCKET,
    ASK_PUT_HOME,
    ASK_HOMES,
    ASK_HOMELESS,
    ASK_BUCKETS,
    ASK_QUERIES,
};

struct sqlite_file {
    struct archive archive; /* first */
    char *path;
    sqlite3 *database;
    sqlite3_stmt *queries[ASK_QUERIES];
    int64_t due_ms; /* of the call that runs */
};

struct sqlite_file *sqlite_file_of(struct archive *archive);

/* Ours for SQLite's, with its words. */
int sqlite_fail(struct sqlite_file *file, int code, struct error_text *reterr_why);
/* From here on the patience counts. */
void sqlite_start_call(struct sqlite_file *file);
void sqlite_bind_u64(sqlite3_stmt *query, int at, uint64_t value);
void sqlite_bind_text(sqlite3_stmt *query, int at, struct text text);
void sqlite_bind_bytes(sqlite3_stmt *query, int at, struct text bytes);
uint64_t sqlite_column_u64(sqlite3_stmt *query, int at);
struct text sqlite_column(sqlite3_stmt *query, int at);
/* Runs a query without rows; `ret_changes` may be NULL. */
MUST_USE int sqlite_run(struct sqlite_file *file, enum sqlite_query which, uint64_t *ret_changes,
                        struct error_text *reterr_why);
MUST_USE int sqlite_begin(struct sqlite_file *file, struct error_text *reterr_why);
/* Commits, or keeps nothing of it when `err` says so. */
MUST_USE int sqlite_end(struct sqlite_file *file, int err, struct error_text *reterr_why);

int sqlite_connect(struct archive *archive, struct error_text *reterr_why);
void sqlite_disconnect(struct archive *archive);
void sqlite_free(struct archive *archive);
void sqlite_cancel(struct archive *archive);
int sqlite_version(struct archive *archive, unsigned *ret_version, struct error_text *reterr_why);
int sqlite_migrate(struct archive *archive, unsigned to, const char *sql,
                   struct error_text *reterr_why);

/* archive_sqlite_directory.c */
int sqlite_locate_bucket(struct archive *archive, struct archive_bucket *bucket,
                         struct error_text *reterr_why);
int sqlite_put_homes(struct archive *archive, const struct archive_bucket *bucket,
                     const struct archive_home *homes, size_t count, uint64_t position,
                     uint64_t *ret_stored, struct error_text *reterr_why);
int sqlite_homes_after(struct archive *archive, struct text after, size_t max,
                       archive_on_home *on_home, void *context, struct error_text *reterr_why);
int sqlite_homeless_after(struct archive *archive, struct text after, size_t max,
                          archive_on_home *on_home, void *context, struct error_text *reterr_why);
int sqlite_each_bucket(struct archive *archive, archive_on_bucket *on_bucket, void *context,
                       struct error_text *reterr_why);
