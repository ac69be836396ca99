/* The archive in PostgreSQL: what is not about messages. The tables: deploy/sql/postgresql. */
#include "store/archive_pg.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { MIGRATION_MS = 600000 };

static struct pg *pg_of(struct archive *archive)
{
    return container_of(archive, struct pg, archive);
}

/* --- life --- */

static int on_connect(struct archive *archive, struct error_text *reterr_why)
{
    return pg_connect(pg_of(archive), reterr_why);
}

static void on_disconnect(struct archive *archive)
{
    pg_disconnect(pg_of(archive));
}

static void on_free(struct archive *archive)
{
    struct pg *pg = pg_of(archive);
    for (size_t i = 0; i < COUNT_OF(pg->columns); i++)
        buffer_free(&pg->columns[i]);
    if (pg->wake >= 0)
        close(pg->wake);
    free(pg);
}

static void on_cancel(struct archive *archive)
{
    const uint64_t one = 1;
    if (write(pg_of(archive)->wake, &one, sizeof one) < 0)
        return; /* it is full, so it is readable */
}

/* --- the schema --- */

static int ask_version(struct archive *archive, unsigned *ret_version,
                       struct error_text *reterr_why)
{
    int64_t number;
    struct pg *pg = pg_of(archive);
    *ret_version = 0;
    int err =
        pg_ask_numbers(pg, "SELECT (to_regclass('meridian.schema_versions') IS NOT NULL)::int",
                       NULL, &number, 1, reterr_why);
    if (err != 0 || number == 0)
        return err;
    err = pg_ask_numbers(pg, "SELECT coalesce(max(version), 0) FROM meridian.schema_versions", NULL,
                         &number, 1, reterr_why);
    if (err == 0)
        *ret_version = (unsigned)number;
    return err;
}

static int migrate_locked(struct archive *archive, unsigned to, const char *sql,
                          struct error_text *reterr_why)
{
    struct buffer script = {0};
    unsigned version;
    int err = ask_version(archive, &version, reterr_why);
    if (err != 0 || version >= to) /* somebody else has done it meanwhile */
        return err;
    buffer_printf(&script, "%s; INSERT INTO meridian.schema_versions (version) VALUES (%u)", sql,
                  to);
    buffer_append(&script, "", 1);
    err = script.failed
              ? error_text_set(reterr_why, -ENOMEM, "memory is short")
              : pg_script(pg_of(archive), (const char *)script.data, MIGRATION_MS, reterr_why);
    buffer_free(&script);
    return err;
}

/* What fails leaves its transaction to the end of the connection. */
static int on_migrate(struct archive *archive, unsigned to, const char *sql,
                      struct error_text *reterr_why)
{
    struct pg *pg = pg_of(archive);
    int err = pg_script(pg,
                        "BEGIN; SET LOCAL statement_timeout = 0;"
                        "SELECT pg_advisory_xact_lock(557019330854)",
                        MIGRATION_MS, reterr_why);
    if (err == 0)
        err = migrate_locked(archive, to, sql, reterr_why);
    return err == 0 ? pg_script(pg, "COMMIT", MIGRATION_MS, reterr_why) : err;
}

/* --- logs --- */

static void add_key(struct pg_params *params, const struct archive_log *log)
{
    pg_add_text(params, text_of(log->region));
    pg_add_i64(params, log->shard);
    pg_add_bytes(params, (struct text){(const char *)log->incarnation, sizeof log->incarnation});
}

static int find_log(struct pg *pg, struct archive_log *log, bool *ret_found,
                    struct error_text *reterr_why)
{
    struct pg_params params = {0};
    PGresult *result;
    add_key(&params, log);
    int err = pg_ask(pg,
                     "SELECT id, last_row, position FROM meridian.logs"
                     " WHERE region = $1 AND shard = $2 AND incarnation = $3",
                     &params, &result, reterr_why);
    if (err != 0)
        return err;
    *ret_found = PQntuples(result) == 1;
    if (*ret_found) {
        log->id = pg_i64(result, 0, 0);
        log->last_row = (uint64_t)pg_i64(result, 0, 1);
        log->position = (uint64_t)pg_i64(result, 0, 2);
    }
    PQclear(result);
    return 0;
}

static int on_locate(struct archive *archive, struct archive_log *log,
                     struct error_text *reterr_why)
{
    struct pg *pg = pg_of(archive);
    struct pg_params params = {0};
    PGresult *result;
    bool found = false;
    int err = find_log(pg, log, &found, reterr_why);
    if (err != 0 || found)
        return err;
    add_key(&params, log);
    err = pg_ask(pg,
                 "INSERT INTO meridian.logs (region, shard, incarnation)"
                 " VALUES ($1, $2::bigint, $3) ON CONFLICT DO NOTHING",
                 &params, &result, reterr_why);
    if (err != 0)
        return err;
    PQclear(result);
    err = find_log(pg, log, &found, reterr_why);
    return err != 0 || found ? err : error_text_set(reterr_why, -EIO, "a log cannot be noted");
}

static int on_skip(struct archive *archive, const struct archive_log *log, uint64_t row,
                   uint64_t position, const char *reason, struct error_text *reterr_why)
{
    struct pg_params params = {0};
    int64_t count;
    pg_add_i64(&params, log->id);
    pg_add_i64(&params, (int64_t)log->last_row);
    pg_add_i64(&params, (int64_t)row);
    pg_add_i64(&params, (int64_t)position);
    pg_add_text(&params, text_of(reason));
    int err = pg_ask_numbers(
        pg_of(archive),
        "WITH moved AS (UPDATE meridian.logs SET last_row = $3, position = $4, updated = now()"
        " WHERE id = $1 AND last_row = $2 RETURNING id), noted AS"
        " (INSERT INTO meridian.gaps (log, first_row, last_row, reason)"
        " SELECT id, $2 + 1, $3, $5 FROM moved ON CONFLICT DO NOTHING) SELECT count(*) FROM moved",
        &params, &count, 1, reterr_why);
    if (err != 0)
        return err;
    return count == 1 ? 0 : error_text_set(reterr_why, -ESTALE, "somebody else has moved it");
}

static int on_each_log(struct archive *archive, archive_on_log *on_log, void *context,
                       struct error_text *reterr_why)
{
    PGresult *result;
    int err = pg_ask(pg_of(archive),
                     "SELECT id, region, shard, incarnation, last_row, position,"
                     " (SELECT count(*) FROM meridian.parked WHERE log = logs.id),"
                     " (SELECT coalesce(sum(gaps.last_row - first_row + 1), 0)::bigint"
                     " FROM meridian.gaps WHERE log = logs.id)"
                     " FROM meridian.logs ORDER BY region, shard, id",
                     NULL, &result, reterr_why);
    for (int at = 0; err == 0 && at < PQntuples(result); at++) {
        struct archive_log log = {.id = pg_i64(result, at, 0),
                                  .shard = (unsigned)pg_i64(result, at, 2),
                                  .last_row = (uint64_t)pg_i64(result, at, 4),
                                  .position = (uint64_t)pg_i64(result, at, 5)};
        const struct archive_totals totals = {.parked = (uint64_t)pg_i64(result, at, 6),
                                              .gap_rows = (uint64_t)pg_i64(result, at, 7)};
        const struct text incarnation = pg_bytes(result, at, 3);
        if (text_put(log.region, sizeof log.region, pg_bytes(result, at, 1)) != 0 ||
            incarnation.size != sizeof log.incarnation)
            continue; /* not written by us */
        memcpy(log.incarnation, incarnation.data, sizeof log.incarnation);
        on_log(context, &log, &totals);
    }
    if (err == 0)
        PQclear(result);
    return err;
}

/* --- forgetting --- */

static int on_erase(struct archive *archive, struct text user, bool sent, uint64_t *ret_deleted,
                    struct error_text *reterr_why)
{
#define ERASE(whose)                                                                               \
    "WITH gone AS (DELETE FROM meridian.messages WHERE " whose(                                    \
        "$1") " RETURNING 1),"                                                                     \
              " unparked AS (DELETE FROM meridian.parked WHERE " whose(                            \
                  "$2") " RETURNING 1)"                                                            \
                        " SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM unparked)"
#define RECEIVED(user) "recipient = " user
#define RECEIVED_OR_SENT(user) "recipient = " user " OR sender = " user
    struct pg_params params = {0};
    int64_t count;
    pg_add_text(&params, user);
    pg_add_bytes(&params, user);
    int err = pg_ask_numbers(pg_of(archive), sent ? ERASE(RECEIVED_OR_SENT) : ERASE(RECEIVED),
                             &params, &count, 1, reterr_why);
    if (err == 0)
        *ret_deleted = (uint64_t)count;
    return err;
}

static int on_expire(struct archive *archive, int64_t before_ms, uint64_t *ret_deleted,
                     struct error_text *reterr_why)
{
    struct pg_params params = {0};
    int64_t count;
    pg_add_time(&params, before_ms);
    int err = pg_ask_numbers(pg_of(archive), "SELECT meridian.drop_partitions($1)", &params, &count,
                             1, reterr_why);
    if (err == 0)
        *ret_deleted = (uint64_t)count;
    return err;
}

static const struct archive_kind kind = {
    .connect = on_connect,
    .disconnect = on_disconnect,
    .free = on_free,
    .cancel = on_cancel,
    .version = ask_version,
    .migrate = on_migrate,
    .locate = on_locate,
    .append = pg_append,
    .park = pg_park,
    .skip = on_skip,
    .history = pg_history,
    .erase = on_erase,
    .expire = on_expire,
    .each_log = on_each_log,
    .locate_bucket = pg_locate_bucket,
    .put_homes = pg_put_homes,
    .homes_after = pg_homes_after,
    .homeless_after = pg_homeless_after,
    .each_bucket = pg_each_bucket,
    .schema = archive_schema_postgresql,
};

/* --- making --- */

static const char *option_of(const PQconninfoOption *options, const char *keyword)
{
    for (; options->keyword != NULL; options++)
        if (strcmp(options->keyword, keyword) == 0)
            return options->val == NULL ? "" : options->val;
    return "";
}

/* "postgresql://host:port/database", as far as the URL says it. What libpq has to say about a bad
 * URL would quote it, with its password. */
static char *place_of(const char *url)
{
    PQconninfoOption *options = PQconninfoParse(url, NULL);
    struct buffer place = {0};
    if (options == NULL)
        return NULL;
    const char *port = option_of(options, "port");
    buffer_printf(&place, "postgresql://%s%s%s/%s", option_of(options, "host"),
                  port[0] == '\0' ? "" : ":", port, option_of(options, "dbname"));
    PQconninfoFree(options);
    char *copy = place.failed ? NULL : text_copy(buffer_text(&place));
    buffer_free(&place);
    return copy;
}

struct archive *archive_postgresql_new(const char *url, struct error_text *reterr_why)
{
    struct pg *pg = calloc(1, sizeof *pg);
    if (pg == NULL) {
        error_text_set(reterr_why, -ENOMEM, "memory is short");
        return NULL;
    }
    pg->archive.kind = &kind;
    pg->archive.place = place_of(url);
    pg->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (pg->archive.place != NULL && pg->wake >= 0)
        return &pg->archive;
    error_text_set(reterr_why, -EINVAL, "the archive's URL cannot be understood");
    archive_free(&pg->archive);
    return NULL;
}
