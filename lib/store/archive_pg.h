/* What the files of PostgreSQL's side share. Only here and in them: libpq. */
#pragma once

#include "store/archive_internal.h"

#include <libpq-fe.h>

enum { PG_PARAMS_MAX = 20, PG_COLUMNS = 14 }; /* of the table messages */

struct pg {
    struct archive archive; /* first */
    PGconn *connection;
    int wake; /* eventfd: archive_cancel() makes it readable, for good */
    /* Times whose partitions are known to be there. */
    int64_t covered_from_ms;
    int64_t covered_to_ms;
    struct buffer columns[PG_COLUMNS]; /* an append's parameters, kept for the next */
};

/* Parameters of a statement, all binary. Borrows what it is given until the statement is done. */
struct pg_params {
    int count;
    Oid types[PG_PARAMS_MAX];
    const char *values[PG_PARAMS_MAX];
    int lengths[PG_PARAMS_MAX];
    int formats[PG_PARAMS_MAX];
    uint8_t numbers[PG_PARAMS_MAX][8];
};
void pg_add_i64(struct pg_params *params, int64_t value);
void pg_add_time(struct pg_params *params, int64_t ms);
void pg_add_text(struct pg_params *params, struct text text);
void pg_add_bytes(struct pg_params *params, struct text bytes);
void pg_add_array(struct pg_params *params, Oid type, const struct buffer *bytes);

/* Builds the parameter of an array: its beginning, then each element. */
void pg_begin_column(struct buffer *out, Oid element, size_t rows);
void pg_put_i64_element(struct buffer *out, uint64_t value);
void pg_put_text_element(struct buffer *out, struct text text);

void pg_put_u32(struct buffer *out, uint32_t value);
void pg_put_u64(struct buffer *out, uint64_t value);
uint64_t pg_time_of(int64_t ms); /* as PostgreSQL counts: microseconds since 2000 */

/* Connects within the patience; the socket never blocks afterwards. */
MUST_USE int pg_connect(struct pg *pg, struct error_text *reterr_why);
void pg_disconnect(struct pg *pg);
/* Runs one statement. On 0 the result has rows or none; PQclear() it. */
MUST_USE int pg_ask(struct pg *pg, const char *sql, const struct pg_params *params,
                    PGresult **ret_result, struct error_text *reterr_why);
/* Several statements in one text, without results. */
MUST_USE int pg_script(struct pg *pg, const char *sql, int64_t timeout_ms,
                       struct error_text *reterr_why);
/* One statement whose answer is a row of numbers. */
MUST_USE int pg_ask_numbers(struct pg *pg, const char *sql, const struct pg_params *params,
                            int64_t *ret_numbers, int count, struct error_text *reterr_why);

int64_t pg_i64(const PGresult *result, int row, int column);
int64_t pg_ms(const PGresult *result, int row, int column);
struct text pg_bytes(const PGresult *result, int row, int column); /* borrowed */

/* archive_pg_rows.c */
int pg_append(struct archive *archive, const struct archive_log *log,
              const struct archive_batch *batch, size_t first, size_t end, uint64_t row,
              uint64_t position, uint64_t *ret_stored, struct error_text *reterr_why);
int pg_park(struct archive *archive, const struct archive_log *log, const struct archive_row *row,
            const char *reason, struct error_text *reterr_why);
int pg_history(struct archive *archive, struct text user, const struct archive_range *range,
               archive_on_row *on_row, void *context, struct error_text *reterr_why);

/* archive_pg_directory.c */
int pg_locate_bucket(struct archive *archive, struct archive_bucket *bucket,
                     struct error_text *reterr_why);
int pg_put_homes(struct archive *archive, const struct archive_bucket *bucket,
                 const struct archive_home *homes, size_t count, uint64_t position,
                 uint64_t *ret_stored, struct error_text *reterr_why);
int pg_homes_after(struct archive *archive, struct text after, size_t max, archive_on_home *on_home,
                   void *context, struct error_text *reterr_why);
int pg_homeless_after(struct archive *archive, struct text after, size_t max,
                      archive_on_home *on_home, void *context, struct error_text *reterr_why);
int pg_each_bucket(struct archive *archive, archive_on_bucket *on_bucket, void *context,
                   struct error_text *reterr_why);
