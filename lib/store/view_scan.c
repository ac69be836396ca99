#include "store/view_scan.h"

#include "store/view_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { SCAN_BUSY_MS = 100 };

static const char query_text[] =
    "SELECT " VIEW_ROW_COLUMNS " FROM rows WHERE row >= ?1 ORDER BY row LIMIT ?2";

struct view_scan {
    char *path;
    sqlite3 *database; /* NULL: not open */
    sqlite3_stmt *query;
    dev_t device; /* of the file that is open */
    ino_t inode;
};

struct view_scan *view_scan_new(const char *path)
{
    struct view_scan *scan = calloc(1, sizeof *scan);
    if (scan != NULL && (scan->path = text_copy(text_of(path))) == NULL) {
        free(scan);
        return NULL;
    }
    return scan;
}

static void close_file(struct view_scan *scan)
{
    (void)sqlite3_finalize(scan->query);
    (void)sqlite3_close_v2(scan->database);
    scan->query = NULL;
    scan->database = NULL;
}

void view_scan_free(struct view_scan *scan)
{
    if (scan == NULL)
        return;
    close_file(scan);
    free(scan->path);
    free(scan);
}

static int open_file(struct view_scan *scan, const struct stat *status)
{
    int code = sqlite3_open_v2(scan->path, &scan->database,
                               SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    if (code == SQLITE_OK) {
        (void)sqlite3_extended_result_codes(scan->database, 1);
        (void)sqlite3_busy_timeout(scan->database, SCAN_BUSY_MS);
        (void)sqlite3_exec(scan->database, "PRAGMA cache_size = -2048", NULL, NULL, NULL);
        code = sqlite3_prepare_v3(scan->database, query_text, -1, SQLITE_PREPARE_PERSISTENT,
                                  &scan->query, NULL);
    }
    scan->device = status->st_dev;
    scan->inode = status->st_ino;
    if (code == SQLITE_OK)
        return 0;
    close_file(scan);
    /* A file that is just being made has no tables yet. */
    return (code & 0xff) == SQLITE_ERROR || (code & 0xff) == SQLITE_BUSY ? -EBUSY
                                                                         : view_error(code);
}

static int open_when_needed(struct view_scan *scan)
{
    struct stat status;
    if (stat(scan->path, &status) != 0) {
        close_file(scan);
        return -ENOENT;
    }
    if (scan->database != NULL && scan->device == status.st_dev && scan->inode == status.st_ino)
        return 0;
    close_file(scan);
    return open_file(scan, &status);
}

static int scan_rows(struct view_scan *scan, size_t bytes_max, view_on_row *on_row, void *context)
{
    size_t bytes = 0;
    int code;
    while ((code = sqlite3_step(scan->query)) == SQLITE_ROW) {
        struct view_row row;
        int err = view_read_row(scan->query, &row);
        if (err != 0)
            return err;
        bytes += row.body.size;
        if (!on_row(context, &row) || bytes >= bytes_max)
            return 0;
    }
    return (code & 0xff) == SQLITE_BUSY ? -EBUSY : view_error(code);
}

int view_scan_read(struct view_scan *scan, uint64_t from_row, size_t rows_max, size_t bytes_max,
                   view_on_row *on_row, void *context)
{
    int err = open_when_needed(scan);
    if (err != 0)
        return err;
    view_bind_u64(scan->query, 1, from_row);
    view_bind_u64(scan->query, 2, rows_max);
    err = scan_rows(scan, bytes_max, on_row, context);
    (void)sqlite3_reset(scan->query);
    if (err != 0 && err != -EBUSY)
        close_file(scan);
    return err;
}
