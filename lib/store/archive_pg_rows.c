/* Messages into PostgreSQL and out of it. A batch is one statement: its columns travel as arrays,
 * and the log's position moves in the same statement, so there is no transaction to leave open. */
#include "store/archive_pg.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { OID_INT4 = 23 };
enum { OID_BYTEA = 17, OID_INT8 = 20, OID_TEXT = 25, OID_TIMESTAMPTZ = 1184 };

enum column {
    AT,
    CREATED,
    SEQ,
    ROW,
    EPOCH,
    TTL,
    FLAGS,
    RECIPIENT,
    SENDER,
    DEVICE,
    ID,
    TRACE,
    BODY
};

/* Element and array types, in the order of the columns. */
static const struct {
    Oid element;
    Oid array;
} column_types[] = {
    [AT] = {OID_TIMESTAMPTZ, 1185}, [CREATED] = {OID_TIMESTAMPTZ, 1185},
    [SEQ] = {OID_INT8, 1016},       [ROW] = {OID_INT8, 1016},
    [EPOCH] = {OID_INT8, 1016},     [TTL] = {OID_INT8, 1016},
    [FLAGS] = {OID_INT4, 1007},     [RECIPIENT] = {OID_TEXT, 1009},
    [SENDER] = {OID_TEXT, 1009},    [DEVICE] = {OID_TEXT, 1009},
    [ID] = {OID_TEXT, 1009},        [TRACE] = {OID_BYTEA, 1001},
    [BODY] = {OID_BYTEA, 1001},
};
static_assert(COUNT_OF(column_types) <= PG_COLUMNS, "there is a buffer for each");

#define MOVE                                                                                       \
    "WITH moved AS (UPDATE meridian.logs SET last_row = $3, position = $4, updated = now()"        \
    " WHERE id = $1 AND last_row = $2 RETURNING id)"

static const char append_sql[] =
    MOVE ", added AS (INSERT INTO meridian.messages (at, created, seq, row, epoch, ttl_s, flags,"
         " recipient, sender, device, id, trace, body, log)"
         " SELECT new.*, moved.id FROM moved, unnest($5::timestamptz[], $6::timestamptz[],"
         " $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::integer[], $12::text[],"
         " $13::text[], $14::text[], $15::text[], $16::bytea[], $17::bytea[]) AS new"
         " ON CONFLICT DO NOTHING RETURNING 1)"
         " SELECT (SELECT count(*) FROM moved), (SELECT count(*) FROM added)";

static const char move_sql[] = MOVE " SELECT count(*), 0::bigint FROM moved";

static const char park_sql[] =
    MOVE ", kept AS (INSERT INTO meridian.parked (log, row, epoch, seq, at_ms, recipient, sender,"
         " device, id, body, reason)"
         " SELECT moved.id, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14 FROM moved"
         " ON CONFLICT DO NOTHING)"
         " SELECT count(*) FROM moved";

static int stale(const struct archive_log *log, struct error_text *reterr_why)
{
    return error_text_set(reterr_why, -ESTALE,
                          "somebody else has moved the archive of %s shard %u from row %" PRIu64,
                          log->region, log->shard, log->last_row);
}

/* --- columns --- */

static void put_trace(struct buffer *out, const uint8_t trace[16])
{
    static const uint8_t none[16];
    if (memcmp(trace, none, sizeof none) == 0)
        pg_put_u32(out, UINT32_MAX); /* NULL */
    else
        pg_put_text_element(out, (struct text){(const char *)trace, 16});
}

static void put_row(struct buffer *columns, const struct archive_row *row)
{
    pg_put_i64_element(&columns[AT], pg_time_of(row->at_ms));
    pg_put_i64_element(&columns[CREATED], pg_time_of(row->created_ms));
    pg_put_i64_element(&columns[SEQ], row->seq);
    pg_put_i64_element(&columns[ROW], row->row);
    pg_put_i64_element(&columns[EPOCH], row->epoch);
    pg_put_i64_element(&columns[TTL], row->ttl_s);
    pg_put_u32(&columns[FLAGS], 4);
    pg_put_u32(&columns[FLAGS], row->flags);
    pg_put_text_element(&columns[RECIPIENT], row->recipient);
    pg_put_text_element(&columns[SENDER], row->sender);
    pg_put_text_element(&columns[DEVICE], row->device);
    pg_put_text_element(&columns[ID], row->id);
    put_trace(&columns[TRACE], row->trace);
    pg_put_text_element(&columns[BODY], row->body);
}

static int fill_columns(struct pg *pg, const struct archive_batch *batch, size_t first, size_t end)
{
    bool failed = false;
    for (size_t i = 0; i < COUNT_OF(column_types); i++)
        pg_begin_column(&pg->columns[i], column_types[i].element, end - first);
    for (size_t at = first; at < end; at++) {
        const struct archive_row row = archive_batch_row(batch, at);
        put_row(pg->columns, &row);
    }
    for (size_t i = 0; i < COUNT_OF(column_types); i++)
        failed = failed || pg->columns[i].failed;
    return failed ? -ENOMEM : 0;
}

/* --- partitions --- */

static int cover(struct pg *pg, const struct archive_batch *batch, size_t first, size_t end,
                 struct error_text *reterr_why)
{
    static const char sql[] = "SELECT meridian.make_partitions($1, $2::timestamptz + '1 month')";
    int64_t from_ms = INT64_MAX;
    int64_t to_ms = INT64_MIN;
    for (size_t at = first; at < end; at++) {
        const int64_t at_ms = batch->rows[at].at_ms;
        from_ms = at_ms < from_ms ? at_ms : from_ms;
        to_ms = at_ms > to_ms ? at_ms : to_ms;
    }
    if (from_ms >= pg->covered_from_ms && to_ms < pg->covered_to_ms)
        return 0;
    struct pg_params params = {0};
    pg_add_time(&params, from_ms);
    pg_add_time(&params, to_ms);
    int err = pg_ask_numbers(pg, sql, &params, &pg->covered_to_ms, 1, reterr_why);
    pg->covered_from_ms = err == 0 ? from_ms : 0;
    return err;
}

/* --- append and park --- */

static void add_move(struct pg_params *params, const struct archive_log *log, uint64_t row,
                     uint64_t position)
{
    pg_add_i64(params, log->id);
    pg_add_i64(params, (int64_t)log->last_row);
    pg_add_i64(params, (int64_t)row);
    pg_add_i64(params, (int64_t)position);
}

int pg_append(struct archive *archive, const struct archive_log *log,
              const struct archive_batch *batch, size_t first, size_t end, uint64_t row,
              uint64_t position, uint64_t *ret_stored, struct error_text *reterr_why)
{
    struct pg *pg = container_of(archive, struct pg, archive);
    struct pg_params params = {0};
    int64_t counts[2];
    int err = 0;
    add_move(&params, log, row, position);
    if (end > first) {
        err = cover(pg, batch, first, end, reterr_why);
        if (err == 0)
            err = fill_columns(pg, batch, first, end);
        for (size_t i = 0; i < COUNT_OF(column_types); i++)
            pg_add_array(&params, column_types[i].array, &pg->columns[i]);
    }
    if (err == 0)
        err =
            pg_ask_numbers(pg, end > first ? append_sql : move_sql, &params, counts, 2, reterr_why);
    if (err == ARCHIVE_REFUSED)
        pg->covered_from_ms = pg->covered_to_ms = 0; /* perhaps a month was dropped meanwhile */
    if (err != 0)
        return err;
    *ret_stored = (uint64_t)counts[1];
    return counts[0] == 1 ? 0 : stale(log, reterr_why);
}

int pg_park(struct archive *archive, const struct archive_log *log, const struct archive_row *row,
            const char *reason, struct error_text *reterr_why)
{
    struct pg *pg = container_of(archive, struct pg, archive);
    struct pg_params params = {0};
    int64_t count;
    add_move(&params, log, row->row, row->position);
    pg_add_i64(&params, (int64_t)row->row);
    pg_add_i64(&params, row->epoch);
    pg_add_i64(&params, (int64_t)row->seq);
    pg_add_i64(&params, row->at_ms);
    pg_add_bytes(&params, row->recipient);
    pg_add_bytes(&params, row->sender);
    pg_add_bytes(&params, row->device);
    pg_add_bytes(&params, row->id);
    pg_add_bytes(&params, row->body);
    pg_add_text(&params, text_of(reason));
    int err = pg_ask_numbers(pg, park_sql, &params, &count, 1, reterr_why);
    if (err != 0)
        return err;
    return count == 1 ? 0 : stale(log, reterr_why);
}

/* --- history --- */

#define HISTORY_COLUMNS                                                                            \
    "at, created, seq, row, epoch, ttl_s, flags, recipient, sender, device, id, trace, body"

/* The primary key gives cursors in rising order, but with the older row of a cursor first: asked as
 * before_sql is, the database would sort all that comes after. So the cursors first, then of each
 * the younger row. */
static const char after_sql[] =
    "SELECT found.* FROM (SELECT DISTINCT epoch, seq FROM meridian.messages"
    " WHERE recipient = $1 AND (epoch, seq) > ($2, $3) ORDER BY epoch, seq LIMIT $4) AS cursors"
    " CROSS JOIN LATERAL (SELECT " HISTORY_COLUMNS " FROM meridian.messages"
    " WHERE recipient = $1 AND epoch = cursors.epoch AND seq = cursors.seq"
    " ORDER BY at DESC LIMIT 1) AS found ORDER BY found.epoch, found.seq";
static const char before_sql[] =
    "SELECT DISTINCT ON (epoch, seq) " HISTORY_COLUMNS " FROM meridian.messages"
    " WHERE recipient = $1 AND (epoch, seq) < ($2, $3)"
    " ORDER BY epoch DESC, seq DESC, at DESC LIMIT $4";

static void give(const PGresult *result, int at, archive_on_row *on_row, void *context)
{
    struct archive_row row = {
        .row = (uint64_t)pg_i64(result, at, ROW),
        .recipient = pg_bytes(result, at, RECIPIENT),
        .epoch = (uint32_t)pg_i64(result, at, EPOCH),
        .seq = (uint64_t)pg_i64(result, at, SEQ),
        .at_ms = pg_ms(result, at, AT),
        .created_ms = pg_ms(result, at, CREATED),
        .ttl_s = (uint32_t)pg_i64(result, at, TTL),
        .flags = (uint16_t)pg_i64(result, at, FLAGS),
        .sender = pg_bytes(result, at, SENDER),
        .device = pg_bytes(result, at, DEVICE),
        .id = pg_bytes(result, at, ID),
        .body = pg_bytes(result, at, BODY),
    };
    const struct text trace = pg_bytes(result, at, TRACE);
    if (trace.size == sizeof row.trace)
        memcpy(row.trace, trace.data, sizeof row.trace);
    on_row(context, &row);
}

int pg_history(struct archive *archive, struct text user, const struct archive_range *range,
               archive_on_row *on_row, void *context, struct error_text *reterr_why)
{
    struct pg *pg = container_of(archive, struct pg, archive);
    const bool rises = range->after.epoch != 0;
    const bool from_end = !rises && range->before.epoch == 0;
    const struct archive_cursor from = rises ? range->after : range->before;
    struct pg_params params = {0};
    pg_add_text(&params, user);
    pg_add_i64(&params, from_end ? INT64_MAX : (int64_t)from.epoch);
    pg_add_i64(&params, (int64_t)from.seq);
    pg_add_i64(&params, range->rows_max);
    PGresult *result;
    int err = pg_ask(pg, rises ? after_sql : before_sql, &params, &result, reterr_why);
    if (err != 0)
        return err;
    for (int at = 0; at < PQntuples(result); at++)
        give(result, at, on_row, context);
    PQclear(result);
    return 0;
}
