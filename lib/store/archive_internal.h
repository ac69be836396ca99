/* What the files of the archive share: one database is one table of functions. */
#pragma once

#include "store/archive_directory.h"

#include <errno.h>
#include <stdatomic.h>

/* A refusal of a row, as the databases say it; the caller tries with fewer rows. */
enum { ARCHIVE_REFUSED = -EBADMSG };

struct archive_kind {
    int (*connect)(struct archive *archive, struct error_text *reterr_why);
    void (*disconnect)(struct archive *archive);
    void (*free)(struct archive *archive);
    void (*cancel)(struct archive *archive); /* from any thread, after `canceled` is set */
    /* Connected; 0 when there is none. */
    int (*version)(struct archive *archive, unsigned *ret_version, struct error_text *reterr_why);
    int (*migrate)(struct archive *archive, unsigned to, const char *sql,
                   struct error_text *reterr_why);
    int (*locate)(struct archive *archive, struct archive_log *log, struct error_text *reterr_why);
    /* Rows first to end of the batch, and the log from log->last_row to (row, position), in one
     * transaction. ARCHIVE_REFUSED, -ESTALE. */
    int (*append)(struct archive *archive, const struct archive_log *log,
                  const struct archive_batch *batch, size_t first, size_t end, uint64_t row,
                  uint64_t position, uint64_t *ret_stored, struct error_text *reterr_why);
    int (*park)(struct archive *archive, const struct archive_log *log,
                const struct archive_row *row, const char *reason, struct error_text *reterr_why);
    int (*skip)(struct archive *archive, const struct archive_log *log, uint64_t row,
                uint64_t position, const char *reason, struct error_text *reterr_why);
    int (*history)(struct archive *archive, struct text user, const struct archive_range *range,
                   archive_on_row *on_row, void *context, struct error_text *reterr_why);
    int (*erase)(struct archive *archive, struct text user, bool sent, uint64_t *ret_deleted,
                 struct error_text *reterr_why);
    int (*expire)(struct archive *archive, int64_t before_ms, uint64_t *ret_deleted,
                  struct error_text *reterr_why);
    int (*each_log)(struct archive *archive, archive_on_log *on_log, void *context,
                    struct error_text *reterr_why);
    int (*locate_bucket)(struct archive *archive, struct archive_bucket *bucket,
                         struct error_text *reterr_why);
    /* As append: the rows and the bucket from bucket->position to `position`. */
    int (*put_homes)(struct archive *archive, const struct archive_bucket *bucket,
                     const struct archive_home *homes, size_t count, uint64_t position,
                     uint64_t *ret_stored, struct error_text *reterr_why);
    int (*homes_after)(struct archive *archive, struct text after, size_t max,
                       archive_on_home *on_home, void *context, struct error_text *reterr_why);
    int (*homeless_after)(struct archive *archive, struct text after, size_t max,
                          archive_on_home *on_home, void *context, struct error_text *reterr_why);
    int (*each_bucket)(struct archive *archive, archive_on_bucket *on_bucket, void *context,
                       struct error_text *reterr_why);
    const char *const *schema; /* [0] makes version 1, and so on; NULL ends it */
    bool migrates_itself;
};

struct archive {
    const struct archive_kind *kind;
    struct archive_settings settings; /* url and program are our copies */
    char *place;
    bool connected;
    _Atomic bool canceled;
};

/* Around each call: one that has lost the connection ends it. */
MUST_USE int archive_call_begin(struct archive *archive, struct error_text *reterr_why);
int archive_call_end(struct archive *archive, int err); /* returns `err` */

/* Each makes a struct that begins with a struct archive, and sets `place`. */
struct archive *archive_postgresql_new(const char *url, struct error_text *reterr_why);
struct archive *archive_sqlite_new(const char *path, struct error_text *reterr_why);

/* Made by the build from deploy/sql. */
extern const char *const archive_schema_postgresql[];
extern const char *const archive_schema_sqlite[];
