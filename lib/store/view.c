#include "store/view_internal.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

int view_error(int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR: /* our queries are right, so the tables are not */
        return -EILSEQ;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_NOMEM:
        return -ENOMEM;
    default:
        return -EIO;
    }
}

static void roll_back(struct view *view)
{
    if (!view->in_transaction)
        return;
    view->in_transaction = false;
    if (!sqlite3_get_autocommit(view->database)) {
        (void)sqlite3_step(view->queries[VIEW_ROLLBACK]); /* what fails here, closing ends */
        (void)sqlite3_reset(view->queries[VIEW_ROLLBACK]);
    }
    uint64_t quarantined;
    if (view_count_quarantined(view, &quarantined) == 0)
        view->quarantined = quarantined;
}

void view_rollback(struct view *view)
{
    roll_back(view);
}

int view_step(struct view *view, enum view_query which)
{
    const int code = sqlite3_step(view->queries[which]);
    if (code == SQLITE_ROW)
        return 1;
    view_end(view, which);
    return view_error(code);
}

void view_end(struct view *view, enum view_query which)
{
    (void)sqlite3_reset(view->queries[which]); /* repeats what step has said */
    (void)sqlite3_clear_bindings(view->queries[which]);
}

int view_run(struct view *view, enum view_query which)
{
    int error = view_step(view, which);
    assert(error <= 0);
    if (error != 0)
        roll_back(view);
    return error;
}

int view_begin(struct view *view)
{
    assert(!view->in_transaction);
    int error = view_run(view, VIEW_BEGIN);
    view->in_transaction = error == 0;
    return error;
}

int view_commit(struct view *view, uint64_t position)
{
    assert(view->in_transaction);
    /* What is applied again from an older state takes nothing away. */
    const struct view_mark_values mark = {.position = position > view->position ? position
                                                                                : view->position};
    int error = view_mark_put(view, VIEW_MARK_POSITION, &mark);
    if (error == 0)
        error = view_run(view, VIEW_COMMIT);
    if (error != 0)
        return error;
    view->in_transaction = false;
    view->position = mark.position;
    return 0;
}

int view_begin_inner(struct view *view, bool *ret_began)
{
    *ret_began = !view->in_transaction;
    return view->in_transaction ? 0 : view_begin(view);
}

int view_end_inner(struct view *view, bool began, int error)
{
    if (!began)
        return error;
    if (error == 0)
        error = view_run(view, VIEW_COMMIT);
    if (error == 0)
        view->in_transaction = false;
    else
        roll_back(view);
    return error;
}

uint64_t view_position(const struct view *view)
{
    return view->position;
}

uint64_t view_quarantined(const struct view *view)
{
    return view->quarantined;
}

uint64_t view_quarantined_last(const struct view *view)
{
    return view->quarantined_last;
}

void view_bind_u64(sqlite3_stmt *query, int at, uint64_t value)
{
    (void)sqlite3_bind_int64(query, at, (sqlite3_int64)value);
}

/* Not copied: the statement is run before the caller's bytes go. */
void view_bind_blob(sqlite3_stmt *query, int at, const void *bytes, size_t size)
{
    (void)sqlite3_bind_blob64(query, at, size == 0 ? "" : bytes, size, SQLITE_STATIC);
}

void view_bind_text(sqlite3_stmt *query, int at, struct text text)
{
    (void)sqlite3_bind_text64(query, at, text.size == 0 ? "" : text.data, text.size, SQLITE_STATIC,
                              SQLITE_UTF8);
}

uint64_t view_column_u64(sqlite3_stmt *query, int at)
{
    return (uint64_t)sqlite3_column_int64(query, at);
}

struct text view_column_text(sqlite3_stmt *query, int at)
{
    const char *data = sqlite3_column_blob(query, at); /* text as it stands, and blobs */
    return (struct text){.data = data == NULL ? "" : data,
                         .size = data == NULL ? 0 : (size_t)sqlite3_column_bytes(query, at)};
}
