/* The directory in PostgreSQL. A batch is one statement, which moves the bucket's position too. */
#include "store/archive_pg.h"

#include <errno.h>

enum { OID_INT8 = 20, OID_TEXT = 25, OID_INT8_ARRAY = 1016, OID_TEXT_ARRAY = 1009 };
enum { USER, HOME, EPOCH, REVISION, COLUMNS };

static const struct {
    Oid element;
    Oid array;
} types[COLUMNS] = {
    [USER] = {OID_TEXT, OID_TEXT_ARRAY},
    [HOME] = {OID_TEXT, OID_TEXT_ARRAY},
    [EPOCH] = {OID_INT8, OID_INT8_ARRAY},
    [REVISION] = {OID_INT8, OID_INT8_ARRAY},
};

static struct pg *pg_of(struct archive *archive)
{
    return container_of(archive, struct pg, archive);
}

static void add_bucket(struct pg_params *params, const struct archive_bucket *bucket)
{
    pg_add_i64(params, bucket->number);
    pg_add_i64(params, bucket->of);
    pg_add_text(params, text_of(bucket->made));
}

int pg_locate_bucket(struct archive *archive, struct archive_bucket *bucket,
                     struct error_text *reterr_why)
{
    struct pg_params params = {0};
    int64_t position;
    PGresult *result;
    add_bucket(&params, bucket);
    int err = pg_ask(pg_of(archive),
                     "INSERT INTO meridian.directory_buckets (bucket, buckets, made)"
                     " VALUES ($1::bigint, $2::bigint, $3) ON CONFLICT DO NOTHING",
                     &params, &result, reterr_why);
    if (err != 0)
        return err;
    PQclear(result);
    err = pg_ask_numbers(pg_of(archive),
                         "SELECT position FROM meridian.directory_buckets"
                         " WHERE bucket = $1 AND buckets = $2 AND made = $3",
                         &params, &position, 1, reterr_why);
    if (err == 0)
        bucket->position = (uint64_t)position;
    return err;
}

static int fill_columns(struct pg *pg, const struct archive_home *homes, size_t count)
{
    bool failed = false;
    for (size_t i = 0; i < COLUMNS; i++)
        pg_begin_column(&pg->columns[i], types[i].element, count);
    for (size_t i = 0; i < count; i++) {
        pg_put_text_element(&pg->columns[USER], homes[i].user);
        pg_put_text_element(&pg->columns[HOME], homes[i].home);
        pg_put_i64_element(&pg->columns[EPOCH], homes[i].epoch);
        pg_put_i64_element(&pg->columns[REVISION], homes[i].revision);
    }
    for (size_t i = 0; i < COLUMNS; i++)
        failed = failed || pg->columns[i].failed;
    return failed ? -ENOMEM : 0;
}

/* An entry that was changed while it was read is in a batch twice; one statement may touch a row
 * only once. */
static const char put_sql[] =
    "WITH moved AS (UPDATE meridian.directory_buckets SET position = $5, updated = now()"
    " WHERE bucket = $1 AND buckets = $2 AND made = $3 AND position = $4 RETURNING 1),"
    " put AS (INSERT INTO meridian.directory AS old (user_id, home, epoch, revision)"
    " SELECT DISTINCT ON (new.u) new.* FROM moved,"
    " unnest($6::text[], $7::text[], $8::bigint[], $9::bigint[]) AS new (u, h, e, r)"
    " ORDER BY new.u, new.e DESC, new.r DESC"
    " ON CONFLICT (user_id) DO UPDATE SET home = excluded.home, epoch = excluded.epoch,"
    " revision = excluded.revision, updated = now()"
    " WHERE (excluded.epoch, excluded.revision) > (old.epoch, old.revision) RETURNING 1)"
    " SELECT (SELECT count(*) FROM moved), (SELECT count(*) FROM put)";

int pg_put_homes(struct archive *archive, const struct archive_bucket *bucket,
                 const struct archive_home *homes, size_t count, uint64_t position,
                 uint64_t *ret_stored, struct error_text *reterr_why)
{
    struct pg *pg = pg_of(archive);
    struct pg_params params = {0};
    int64_t counts[2];
    add_bucket(&params, bucket);
    pg_add_i64(&params, (int64_t)bucket->position);
    pg_add_i64(&params, (int64_t)position);
    int err = fill_columns(pg, homes, count);
    for (size_t i = 0; i < COLUMNS; i++)
        pg_add_array(&params, types[i].array, &pg->columns[i]);
    if (err == 0)
        err = pg_ask_numbers(pg, put_sql, &params, counts, 2, reterr_why);
    if (err != 0)
        return err;
    *ret_stored = (uint64_t)counts[1];
    return counts[0] == 1 ? 0
                          : error_text_set(reterr_why, -ESTALE,
                                           "somebody else has moved the directory's archive");
}

/* --- reading --- */

static const char homes_sql[] = "SELECT user_id, home, epoch, revision FROM meridian.directory"
                                " WHERE user_id > $1 ORDER BY user_id LIMIT $2";

/* From recipient to recipient by the index, whatever messages each has. */
static const char homeless_sql[] =
    "WITH RECURSIVE step AS ((SELECT min(recipient) AS u FROM meridian.messages"
    " WHERE recipient > $1) UNION ALL SELECT (SELECT min(recipient) FROM meridian.messages"
    " WHERE recipient > step.u) FROM step WHERE step.u IS NOT NULL)"
    " SELECT u FROM step WHERE u IS NOT NULL AND NOT EXISTS"
    " (SELECT FROM meridian.directory WHERE user_id = u) LIMIT $2";

static int give(struct pg *pg, const char *sql, struct text after, size_t max,
                archive_on_home *on_home, void *context, struct error_text *reterr_why)
{
    struct pg_params params = {0};
    PGresult *result;
    pg_add_text(&params, after);
    pg_add_i64(&params, (int64_t)max);
    int err = pg_ask(pg, sql, &params, &result, reterr_why);
    if (err != 0)
        return err;
    for (int at = 0; at < PQntuples(result); at++) {
        struct archive_home home = {.user = pg_bytes(result, at, USER)};
        if (PQnfields(result) > 1) {
            home.home = pg_bytes(result, at, HOME);
            home.epoch = (uint32_t)pg_i64(result, at, EPOCH);
            home.revision = (uint64_t)pg_i64(result, at, REVISION);
        }
        on_home(context, &home);
    }
    PQclear(result);
    return 0;
}

int pg_homes_after(struct archive *archive, struct text after, size_t max, archive_on_home *on_home,
                   void *context, struct error_text *reterr_why)
{
    return give(pg_of(archive), homes_sql, after, max, on_home, context, reterr_why);
}

int pg_homeless_after(struct archive *archive, struct text after, size_t max,
                      archive_on_home *on_home, void *context, struct error_text *reterr_why)
{
    return give(pg_of(archive), homeless_sql, after, max, on_home, context, reterr_why);
}

int pg_each_bucket(struct archive *archive, archive_on_bucket *on_bucket, void *context,
                   struct error_text *reterr_why)
{
    PGresult *result;
    int err = pg_ask(pg_of(archive),
                     "SELECT DISTINCT ON (buckets, bucket) bucket, buckets, made, position"
                     " FROM meridian.directory_buckets ORDER BY buckets, bucket, made DESC",
                     NULL, &result, reterr_why);
    if (err != 0)
        return err;
    for (int at = 0; at < PQntuples(result); at++) {
        struct archive_bucket bucket = {.number = (unsigned)pg_i64(result, at, 0),
                                        .of = (unsigned)pg_i64(result, at, 1),
                                        .position = (uint64_t)pg_i64(result, at, 3)};
        if (text_put(bucket.made, sizeof bucket.made, pg_bytes(result, at, 2)) == 0)
            on_bucket(context, &bucket);
    }
    PQclear(result);
    return 0;
}
