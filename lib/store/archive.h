/* The archive: the central database, where every message of every mailbox is kept for longer than
 * the logs keep it. PostgreSQL, or a SQLite file, behind one interface.
 *
 * A log's rows go in by their order. How far they are in stands beside them and moves by
 * compare-and-set in the transaction that stores the rows, so two who archive the same log, or one
 * that comes back, neither repeat nor skip: the second gets -ESTALE and asks again where it stands.
 *
 * One thread uses an archive; archive_cancel() is for all. Calls wait for the database, within the
 * timeouts. Errors besides those named:
 *   -ENOTCONN   the connection is gone; whether the last append was stored is not known. Connect
 *               again and ask for the position.
 *   -ETIMEDOUT  the same, by our patience
 *   -ECANCELED  by archive_cancel()
 *   -ENOSPC, -EACCES, -EIO   what the database says; nothing was stored */
#pragma once

#include "base/buffer.h"
#include "base/error_text.h"
#include "base/macros.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

struct archive; /* opaque, see archive.c */

enum { ARCHIVE_URL_MAX = 1024 };

struct archive_settings {
    /* "postgresql://..." (what it leaves out comes from PGHOST and the like), or "sqlite:PATH" */
    const char *url;
    const char *program; /* as the database shows it */
    int64_t connect_timeout_ms;
    int64_t statement_timeout_ms;
    bool may_migrate; /* PostgreSQL: a missing or old schema is made; a SQLite file's always is */
};

/* An empty URL is none. */
bool archive_url_is_good(struct text url);
/* Does not connect. NULL: the URL is no good, or memory is short. */
MUST_USE struct archive *archive_new(const struct archive_settings *settings,
                                     struct error_text *reterr_why);
void archive_free(struct archive *archive); /* NULL is fine */
/* Where it is, without user and password: for logs. Borrowed. */
const char *archive_place(const struct archive *archive);
/* From any thread: what waits, and all that comes after, ends with -ECANCELED. */
void archive_cancel(struct archive *archive);

/* Connects, and checks that the schema is the one this program knows. -ENOENT: there is no schema,
 * or an old one; -EPROTO: a newer one. Connected already: nothing. */
MUST_USE int archive_connect(struct archive *archive, struct error_text *reterr_why);
void archive_disconnect(struct archive *archive);
/* Connects and brings the schema up to this program's version. */
MUST_USE int archive_migrate(struct archive *archive, unsigned *ret_from, unsigned *ret_to,
                             struct error_text *reterr_why);

/* A log, and how far it is archived. */
struct archive_log {
    char region[TEXT_REGION_MAX + 1];
    unsigned shard;
    uint8_t incarnation[16];
    int64_t id;        /* the database's; archive_locate() sets these three */
    uint64_t last_row; /* of the shard's view */
    uint64_t position; /* of the log, of that row */
};
/* Asks where region, shard and incarnation stand; a log that the archive does not know begins. */
MUST_USE int archive_locate(struct archive *archive, struct archive_log *log,
                            struct error_text *reterr_why);

struct archive_row { /* borrowed */
    uint64_t row;
    uint64_t position;
    struct text recipient;
    uint32_t epoch;
    uint64_t seq;
    int64_t at_ms;
    int64_t created_ms;
    uint32_t ttl_s;
    uint16_t flags;
    uint8_t trace[16];
    struct text sender;
    struct text device;
    struct text id;
    struct text body;
};

/* Rows on their way, in their order, copied. Zero-initialise; free with archive_batch_free(). */
struct archive_batch {
    struct archive_row *rows; /* texts are offsets into `bytes`: see archive_batch_row() */
    size_t count;
    size_t capacity;
    struct buffer bytes;
    uint64_t last_row; /* what the log's position is after it: past rows that were left out, too */
    uint64_t last_position;
};
void archive_batch_clear(struct archive_batch *batch);
void archive_batch_free(struct archive_batch *batch);
MUST_USE int archive_batch_add(struct archive_batch *batch, const struct archive_row *row);
struct archive_row archive_batch_row(const struct archive_batch *batch, size_t at); /* borrowed */

struct archive_outcome { /* added to, not set */
    uint64_t stored;
    uint64_t repeated;         /* were there already */
    uint64_t parked;           /* refused by the database, kept beside with the reason */
    uint64_t lost;             /* refused, and refused there too: noted as a gap */
    struct error_text refusal; /* of the last of them */
};
/* Stores the rows and moves `log`. A row that the database refuses is parked, the others go on.
 * -ESTALE: somebody else has moved it. After a failure a part may be stored, up to log->last_row,
 * or (-ENOTCONN, -ETIMEDOUT) further. */
MUST_USE int archive_append(struct archive *archive, struct archive_log *log,
                            const struct archive_batch *batch, struct archive_outcome *outcome,
                            struct error_text *reterr_why);
/* Rows up to `row` are not to be had: notes the gap and moves the log. -ESTALE. */
MUST_USE int archive_skip(struct archive *archive, struct archive_log *log, uint64_t row,
                          uint64_t position, const char *reason, struct error_text *reterr_why);

struct archive_cursor {
    uint32_t epoch;
    uint64_t seq;
};
struct archive_range {
    struct archive_cursor after;  /* gives what comes next, in rising order; or, when zero... */
    struct archive_cursor before; /* ...what came last before, in falling order; zero: the end */
    uint32_t rows_max;
};
typedef void archive_on_row(void *context, const struct archive_row *row);
/* A user's messages, over all epochs. Of a cursor that is there twice (a log was lost and begun
 * again) the younger one. */
MUST_USE int archive_history(struct archive *archive, struct text user,
                             const struct archive_range *range, archive_on_row *on_row,
                             void *context, struct error_text *reterr_why);
/* Deletes a user's mailbox, and what is parked of it; with `sent` also what it sent to others,
 * which looks at every message of the archive. */
MUST_USE int archive_erase(struct archive *archive, struct text user, bool sent,
                           uint64_t *ret_deleted, struct error_text *reterr_why);
/* Deletes what is older, in PostgreSQL by dropping months that are older as a whole. */
MUST_USE int archive_expire(struct archive *archive, int64_t before_ms, uint64_t *ret_deleted,
                            struct error_text *reterr_why);

struct archive_totals {
    uint64_t parked;
    uint64_t gap_rows;
};
typedef void archive_on_log(void *context, const struct archive_log *log,
                            const struct archive_totals *totals);
MUST_USE int archive_each_log(struct archive *archive, archive_on_log *on_log, void *context,
                              struct error_text *reterr_why);
