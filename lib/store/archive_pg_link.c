/* The connection to PostgreSQL: libpq without blocking, so that every wait has an end of ours and
 * can be cancelled. (Resolving a host's name is the exception: libpq does it as the system does.)
 */
#include "store/archive_pg.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GRACE_MS = 1000 }; /* the server's own timeout comes first: its connection stays */

/* --- waiting --- */

static int wait_for(struct pg *pg, short events, int64_t due_ms, struct error_text *reterr_why)
{
    for (;;) {
        if (atomic_load(&pg->archive.canceled))
            return error_text_set(reterr_why, -ECANCELED, "cancelled");
        const int64_t left_ms = due_ms - clock_monotonic_ms();
        if (left_ms <= 0)
            return error_text_set(reterr_why, -ETIMEDOUT, "no answer from %s in time",
                                  pg->archive.place);
        struct pollfd polled[] = {{.fd = PQsocket(pg->connection), .events = events},
                                  {.fd = pg->wake, .events = POLLIN}};
        int count = poll(polled, COUNT_OF(polled), left_ms > 60000 ? 60000 : (int)left_ms);
        if (count < 0 && errno != EINTR)
            return error_text_set(reterr_why, -EIO, "cannot wait: %s", strerror(errno));
        if (count > 0 && polled[0].revents != 0)
            return 0;
    }
}

/* The first line of what libpq says. */
static int say(int err, const char *said, struct error_text *reterr_why)
{
    const size_t size = strcspn(said, "\n");
    return error_text_set(reterr_why, err, "%.*s", (int)size, size == 0 ? "no reason given" : said);
}

static int lost(struct pg *pg, struct error_text *reterr_why)
{
    return say(-ENOTCONN, PQerrorMessage(pg->connection), reterr_why);
}

/* --- errors --- */

static bool is_class(const char *state, const char *of)
{
    return strncmp(state, of, strlen(of)) == 0;
}

/* What a row's content can cause: it is refused whenever it comes. All else passes, or is repaired
 * by somebody. */
static bool is_refusal(const char *state)
{
    static const char *const classes[] = {"22", "23", "44", "54", "P0"};
    for (size_t i = 0; i < COUNT_OF(classes); i++)
        if (is_class(state, classes[i]))
            return true;
    return false;
}

static int error_of(struct pg *pg, const PGresult *result, struct error_text *reterr_why)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *said = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (state == NULL || PQstatus(pg->connection) == CONNECTION_BAD || is_class(state, "57P"))
        return say(-ENOTCONN, said == NULL ? PQresultErrorMessage(result) : said, reterr_why);
    int err = -EIO;
    if (is_refusal(state))
        err = ARCHIVE_REFUSED;
    else if (is_class(state, "53100"))
        err = -ENOSPC;
    else if (is_class(state, "42501") || is_class(state, "28"))
        err = -EACCES;
    return say(err, said == NULL ? "" : said, reterr_why);
}

/* --- connecting --- */

static void on_notice(void *context, const char *message)
{
    (void)context;
    (void)message; /* "already exists, skipping" */
}

static int finish_connecting(struct pg *pg, int64_t due_ms, struct error_text *reterr_why)
{
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    while (next != PGRES_POLLING_OK) {
        if (next == PGRES_POLLING_FAILED)
            return lost(pg, reterr_why);
        int err =
            wait_for(pg, next == PGRES_POLLING_READING ? POLLIN : POLLOUT, due_ms, reterr_why);
        if (err != 0)
            return err;
        next = PQconnectPoll(pg->connection);
    }
    const char *encoding = PQparameterStatus(pg->connection, "server_encoding");
    if (encoding == NULL || strcmp(encoding, "UTF8") != 0)
        return error_text_set(reterr_why, -EIO, "the database's encoding is %s, must be UTF8",
                              encoding == NULL ? "not known" : encoding);
    return PQsetnonblocking(pg->connection, 1) == 0 ? 0 : lost(pg, reterr_why);
}

int pg_connect(struct pg *pg, struct error_text *reterr_why)
{
    const struct archive_settings *settings = &pg->archive.settings;
    const char *const keys[] = {"dbname", "fallback_application_name", "client_encoding", NULL};
    const char *const values[] = {settings->url, settings->program, "UTF8", NULL};
    char limits[128];
    pg_disconnect(pg);
    pg->connection = PQconnectStartParams(keys, values, 1);
    if (pg->connection == NULL)
        return error_text_set(reterr_why, -ENOMEM, "memory is short");
    if (PQstatus(pg->connection) == CONNECTION_BAD)
        return lost(pg, reterr_why);
    PQsetNoticeProcessor(pg->connection, on_notice, NULL);
    int err =
        finish_connecting(pg, clock_monotonic_ms() + settings->connect_timeout_ms, reterr_why);
    if (err != 0)
        return err;
    snprintf(limits, sizeof limits, "SET statement_timeout = %lld; SET lock_timeout = %lld",
             (long long)settings->statement_timeout_ms, (long long)settings->statement_timeout_ms);
    return pg_script(pg, limits, settings->statement_timeout_ms, reterr_why);
}

void pg_disconnect(struct pg *pg)
{
    PQfinish(pg->connection);
    pg->connection = NULL;
    pg->covered_from_ms = pg->covered_to_ms = 0;
}

/* --- statements --- */

static int flush(struct pg *pg, int64_t due_ms, struct error_text *reterr_why)
{
    int left;
    while ((left = PQflush(pg->connection)) == 1) {
        int err = wait_for(pg, POLLIN | POLLOUT, due_ms, reterr_why);
        if (err != 0)
            return err;
        if (PQconsumeInput(pg->connection) == 0) /* it may refuse before it has all */
            return lost(pg, reterr_why);
    }
    return left == 0 ? 0 : lost(pg, reterr_why);
}

static bool is_good(const PGresult *result)
{
    const ExecStatusType status = PQresultStatus(result);
    return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY;
}

/* The first failure, or the last result. */
static int collect(struct pg *pg, int64_t due_ms, PGresult **ret_result,
                   struct error_text *reterr_why)
{
    PGresult *kept = NULL;
    for (;;) {
        while (PQisBusy(pg->connection)) {
            int err = wait_for(pg, POLLIN, due_ms, reterr_why);
            if (err == 0 && PQconsumeInput(pg->connection) == 0)
                err = lost(pg, reterr_why);
            if (err != 0) {
                PQclear(kept);
                return err;
            }
        }
        PGresult *result = PQgetResult(pg->connection);
        if (result == NULL)
            break;
        if (kept != NULL && !is_good(kept)) {
            PQclear(result);
            continue;
        }
        PQclear(kept);
        kept = result;
    }
    if (kept == NULL)
        return lost(pg, reterr_why);
    int err = is_good(kept) ? 0 : error_of(pg, kept, reterr_why);
    if (err == 0 && ret_result != NULL)
        *ret_result = kept;
    else
        PQclear(kept);
    return err;
}

int pg_ask(struct pg *pg, const char *sql, const struct pg_params *params, PGresult **ret_result,
           struct error_text *reterr_why)
{
    static const struct pg_params none;
    const struct pg_params *with = params == NULL ? &none : params;
    const int64_t due_ms =
        clock_monotonic_ms() + pg->archive.settings.statement_timeout_ms + GRACE_MS;
    if (PQsendQueryParams(pg->connection, sql, with->count, with->types, with->values,
                          with->lengths, with->formats, 1) == 0)
        return lost(pg, reterr_why);
    int err = flush(pg, due_ms, reterr_why);
    return err == 0 ? collect(pg, due_ms, ret_result, reterr_why) : err;
}

int pg_script(struct pg *pg, const char *sql, int64_t timeout_ms, struct error_text *reterr_why)
{
    const int64_t due_ms = clock_monotonic_ms() + timeout_ms + GRACE_MS;
    if (PQsendQuery(pg->connection, sql) == 0)
        return lost(pg, reterr_why);
    int err = flush(pg, due_ms, reterr_why);
    return err == 0 ? collect(pg, due_ms, NULL, reterr_why) : err;
}

int pg_ask_numbers(struct pg *pg, const char *sql, const struct pg_params *params,
                   int64_t *ret_numbers, int count, struct error_text *reterr_why)
{
    PGresult *result;
    int err = pg_ask(pg, sql, params, &result, reterr_why);
    if (err != 0)
        return err;
    if (PQntuples(result) != 1 || PQnfields(result) != count)
        err = error_text_set(reterr_why, -EIO, "the archive gave an answer that is none");
    for (int i = 0; err == 0 && i < count; i++)
        ret_numbers[i] = pg_i64(result, 0, i);
    PQclear(result);
    return err;
}
