/* The view of a shard: what a hub has made of its log, in one SQLite file. It is never the truth:
 * when it is damaged or gone it is made again from the log.
 *
 * Rows are appended in apply order and found by number; each knows the row before it of the same
 * user, so a mailbox is read by walking back (mailbox_row_near() says from where). A row of seq 0
 * is in no mailbox: it waits for the end of a home move. Beside them: the mailbox's state as saved
 * at some position, and what was quarantined. Positions: rows up to view_position() are stored; the
 * state may be older, and the log between is applied again, which rewrites equal rows.
 *
 * One thread uses a view. SQLite's errors become: -EILSEQ damaged (delete and make again), -ENOSPC
 * disk full, -EIO else. */
#pragma once

#include "base/buffer.h"
#include "base/error_text.h"
#include "base/macros.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

struct view; /* opaque, see view.c */

/* Opens or creates. -EILSEQ when the file is damaged or not a view; see view_discard(). */
MUST_USE int view_open(const char *path, struct view **ret_view, struct error_text *reterr_why);
void view_close(struct view *view); /* rolls back what is not committed; NULL is fine */
/* Renames a damaged file to <path>.damaged (replacing an older one) and removes its companions. */
MUST_USE int view_discard(const char *path);
/* Removes a file that is no longer of use, and its companions. */
MUST_USE int view_remove(const char *path);

struct view_row {
    uint64_t row;
    uint64_t previous_row;
    uint64_t position;
    struct text user;
    uint32_t epoch;
    uint64_t seq;
    int64_t at_ms;
    int64_t created_ms;
    uint32_t ttl_s;
    uint16_t flags;
    uint8_t wants;
    uint8_t trace[16];
    struct text sender;
    struct text device;
    struct text id;
    struct text body;
};

/* A transaction holds many rows. Appending a row that is there already replaces it. When one of
 * these fails, nothing of the transaction is kept and none is open. */
MUST_USE int view_begin(struct view *view);
void view_rollback(struct view *view); /* nothing when none is open */
MUST_USE int view_append(struct view *view, const struct view_row *row);
MUST_USE int view_quarantine(struct view *view, uint64_t position, const char *reason,
                             const void *bytes, size_t size); /* at most 1,000 kept, oldest go */
MUST_USE int view_commit(struct view *view, uint64_t position);
uint64_t view_position(const struct view *view);    /* the highest committed; 0 in a new file */
uint64_t view_quarantined(const struct view *view); /* rows kept */
uint64_t view_quarantined_last(const struct view *view); /* the highest position; 0: none */

/* The mailbox's state, stored with its position and checked by a checksum when loaded. */
MUST_USE int view_save_state(struct view *view, uint64_t position, const void *bytes, size_t size);
/* -ENOENT when none was saved. */
MUST_USE int view_load_state(struct view *view, uint64_t *ret_position, struct buffer *ret_bytes);

/* False: enough. The row is borrowed for the call, which must not use the view. */
typedef bool view_on_row(void *context, const struct view_row *row);
/* From `start_row` (of a user, at or after from_seq) walks back to from_seq of that user and epoch,
 * then gives rows in rising order, at most rows_max and about bytes_max of bodies (at least one).
 * Stops early where the chain ends (older rows were trimmed). Every row's checksum is verified. */
MUST_USE int view_read(struct view *view, uint64_t start_row, uint64_t from_seq, size_t rows_max,
                       size_t bytes_max, view_on_row *on_row, void *context);
/* Gives one row, by its number. -ENOENT: it is not there (any more). */
MUST_USE int view_get(struct view *view, uint64_t row, view_on_row *on_row, void *context);
/* Appends `copy` with what row `from` holds: of `copy` only row, previous_row, position, epoch, seq
 * and at_ms count. -ENOENT: there is no such row; a transaction that is open stays so. */
MUST_USE int view_copy(struct view *view, uint64_t from, const struct view_row *copy);
/* The other way round: from `start_row` walks back along its user's rows of the same epoch, and
 * gives those below before_seq in falling order, steps_max steps at most. `ret_next` is the row to
 * go on from; 0 when the chain has ended there, or on_row has said enough. */
MUST_USE int view_read_back(struct view *view, uint64_t start_row, uint64_t before_seq,
                            size_t steps_max, view_on_row *on_row, void *context,
                            uint64_t *ret_next);
struct view_link {
    uint64_t row;
    uint64_t previous_row; /* of the same user; 0: none */
    uint32_t epoch;
    uint64_t seq;
};
/* From `start_row` walks back along its user's rows as long as they are above `after_row`, are
 * there and of the same epoch, steps_max at most: `ret_link` is the last one. -ENOENT: there is no
 * `start_row`. Bodies are not read, nor checksums verified. */
MUST_USE int view_walk(struct view *view, uint64_t start_row, uint64_t after_row, size_t steps_max,
                       struct view_link *ret_link);
/* Removes rows below `row`, the oldest first and at most rows_max of them; `ret_more`: some went,
 * so there may be more. Their room in the file is used again. Local: apply never sees it. */
MUST_USE int view_trim(struct view *view, uint64_t row, uint64_t rows_max, bool *ret_more);
