/* What the files of this folder share. Only here and in them: SQLite. */
#pragma once

#include "store/view.h"

#include <sqlite3.h>

/* Prepared once; their text is in view_open.c. */
enum view_query {
    VIEW_BEGIN,
    VIEW_BEGIN_READ,
    VIEW_COMMIT,
    VIEW_ROLLBACK,
    VIEW_ROW_PUT,
    VIEW_ROW_GET,
    VIEW_ROW_LINK,
    VIEW_ROW_LAST,
    VIEW_ROW_TRIM,
    VIEW_MARK_PUT,
    VIEW_MARK_GET,
    VIEW_STATE_PUT,
    VIEW_STATE_GET,
    VIEW_STATE_CUT,
    VIEW_QUARANTINE_PUT,
    VIEW_QUARANTINE_CUT,
    VIEW_QUARANTINE_COUNT,
    VIEW_QUERIES,
};

/* Of the table `rows`, as view_read_row() expects them. */
#define VIEW_ROW_COLUMNS                                                                           \
    "row, previous_row, position, epoch, seq, at_ms, created_ms, ttl_s, flags, wants, crc, "       \
    "trace, user, sender, device, id, body"

enum view_mark { VIEW_MARK_POSITION = 1, VIEW_MARK_STATE = 2 }; /* rows of the table `marks` */

struct view {
    sqlite3 *database;
    sqlite3_stmt *queries[VIEW_QUERIES];
    bool in_transaction;
    uint64_t position;    /* of the last commit */
    uint64_t quarantined; /* rows kept, with those of the open transaction */
    uint64_t quarantined_last;
    uint64_t *walked; /* view_read(): the rows on the way back */
    size_t walked_capacity;
};

/* Ours for SQLite's: 0 for OK, ROW and DONE. */
int view_error(int code);
/* Runs a query that gives no rows and resets it. A failure ends the open transaction: SQLite may or
 * may not have kept it, so nothing of it is kept. */
MUST_USE int view_run(struct view *view, enum view_query which);
/* Steps once. 1: there is a row, to be ended by view_end(); 0: there is none; or negative. */
MUST_USE int view_step(struct view *view, enum view_query which);
void view_end(struct view *view, enum view_query which);

/* A transaction of its own when none is open. */
MUST_USE int view_begin_inner(struct view *view, bool *ret_began);
MUST_USE int view_end_inner(struct view *view, bool began, int error);

/* Three numbers with a checksum: a position and what belongs to it. */
struct view_mark_values {
    uint64_t position;
    uint64_t size;
    uint32_t crc;
};
MUST_USE int view_mark_put(struct view *view, enum view_mark which,
                           const struct view_mark_values *values);
/* -ENOENT: not there. */
MUST_USE int view_mark_get(struct view *view, enum view_mark which,
                           struct view_mark_values *ret_values);
MUST_USE int view_count_quarantined(struct view *view, uint64_t *ret_count);
/* Fills `row` with what the query stands on, borrowed until it moves. -EILSEQ. */
MUST_USE int view_read_row(sqlite3_stmt *query, struct view_row *row);
/* Verifies the last row. */
MUST_USE int view_check_last(struct view *view);

void view_bind_u64(sqlite3_stmt *query, int at, uint64_t value);
void view_bind_blob(sqlite3_stmt *query, int at, const void *bytes, size_t size);
void view_bind_text(sqlite3_stmt *query, int at, struct text text);
uint64_t view_column_u64(sqlite3_stmt *query, int at);
struct text view_column_text(sqlite3_stmt *query, int at);
