/* What both databases have in common: the URL, the schema's version, and how a row that is refused
 * is found and put aside. */
#include "store/archive.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/archive_internal.h"

static const char sqlite_scheme[] = "sqlite:";
static const char *const postgresql_schemes[] = {"postgresql://", "postgres://"};

static bool begins_with(struct text text, const char *with)
{
    const size_t size = strlen(with);
    return text.size >= size && memcmp(text.data, with, size) == 0;
}

static bool is_postgresql(struct text url)
{
    for (size_t i = 0; i < COUNT_OF(postgresql_schemes); i++)
        if (begins_with(url, postgresql_schemes[i]))
            return true;
    return false;
}

bool archive_url_is_good(struct text url)
{
    return is_postgresql(url) ||
           (begins_with(url, sqlite_scheme) && url.size > sizeof sqlite_scheme - 1);
}

struct archive *archive_new(const struct archive_settings *settings, struct error_text *reterr_why)
{
    const struct text url = text_of(settings->url);
    if (!archive_url_is_good(url)) {
        error_text_set(reterr_why, -EINVAL,
                       "the archive's URL must be postgresql://... or sqlite:PATH");
        return NULL;
    }
    struct archive *archive =
        is_postgresql(url)
            ? archive_postgresql_new(settings->url, reterr_why)
            : archive_sqlite_new(settings->url + sizeof sqlite_scheme - 1, reterr_why);
    if (archive == NULL)
        return NULL;
    archive->settings = *settings;
    archive->settings.url = text_copy(url);
    archive->settings.program = text_copy(text_of(settings->program));
    if (archive->settings.url == NULL || archive->settings.program == NULL) {
        archive_free(archive);
        error_text_set(reterr_why, -ENOMEM, "memory is short");
        return NULL;
    }
    return archive;
}

static void free_text(const char *text)
{
    free((void *)(uintptr_t)text); /* ours, by text_copy() */
}

void archive_free(struct archive *archive)
{
    if (archive == NULL)
        return;
    archive_disconnect(archive);
    free_text(archive->settings.url);
    free_text(archive->settings.program);
    free(archive->place);
    archive->kind->free(archive);
}

const char *archive_place(const struct archive *archive)
{
    return archive->place;
}

void archive_cancel(struct archive *archive)
{
    atomic_store(&archive->canceled, true);
    archive->kind->cancel(archive);
}

void archive_disconnect(struct archive *archive)
{
    archive->kind->disconnect(archive);
    archive->connected = false;
}

/* --- the schema --- */

static unsigned known_version(const struct archive *archive)
{
    unsigned version = 0;
    while (archive->kind->schema[version] != NULL)
        version++;
    return version;
}

static int migrate(struct archive *archive, unsigned from, struct error_text *reterr_why)
{
    int err = 0;
    for (unsigned at = from; err == 0 && archive->kind->schema[at] != NULL; at++)
        err = archive->kind->migrate(archive, at + 1, archive->kind->schema[at], reterr_why);
    return err;
}

static int open_checked(struct archive *archive, bool may_migrate, unsigned *ret_from,
                        struct error_text *reterr_why)
{
    const unsigned known = known_version(archive);
    unsigned version = 0;
    int err = archive->kind->connect(archive, reterr_why);
    if (err == 0)
        err = archive->kind->version(archive, &version, reterr_why);
    *ret_from = version;
    if (err != 0)
        return err;
    if (version > known)
        return error_text_set(reterr_why, -EPROTO,
                              "the archive's schema has version %u, this program knows only %u: "
                              "it needs a newer program",
                              version, known);
    if (version == known)
        return 0;
    if (may_migrate || archive->kind->migrates_itself)
        return migrate(archive, version, reterr_why);
    return error_text_set(reterr_why, -ENOENT,
                          version == 0 ? "the archive has no schema yet: `meridian archive "
                                         "migrate` makes it"
                                       : "the archive's schema is old: `meridian archive migrate` "
                                         "brings it up to date");
}

int archive_connect(struct archive *archive, struct error_text *reterr_why)
{
    unsigned from;
    if (archive->connected)
        return 0;
    int err = open_checked(archive, archive->settings.may_migrate, &from, reterr_why);
    archive->connected = err == 0;
    if (err != 0)
        archive_disconnect(archive);
    return err;
}

int archive_migrate(struct archive *archive, unsigned *ret_from, unsigned *ret_to,
                    struct error_text *reterr_why)
{
    archive_disconnect(archive);
    int err = open_checked(archive, true, ret_from, reterr_why);
    *ret_to = known_version(archive);
    archive->connected = err == 0;
    if (err != 0)
        archive_disconnect(archive);
    return err;
}

/* --- calls: one that has lost the connection ends it --- */

int archive_call_end(struct archive *archive, int err)
{
    if (err == -ENOTCONN || err == -ETIMEDOUT || err == -ECANCELED)
        archive_disconnect(archive);
    return err;
}

int archive_call_begin(struct archive *archive, struct error_text *reterr_why)
{
    if (atomic_load(&archive->canceled))
        return error_text_set(reterr_why, -ECANCELED, "cancelled");
    return archive->connected
               ? 0
               : error_text_set(reterr_why, -ENOTCONN, "the archive is not connected");
}

int archive_locate(struct archive *archive, struct archive_log *log, struct error_text *reterr_why)
{
    int err = archive_call_begin(archive, reterr_why);
    if (err == 0)
        err = archive->kind->locate(archive, log, reterr_why);
    return archive_call_end(archive, err);
}

struct appending {
    struct archive *archive;
    struct archive_log *log;
    const struct archive_batch *batch;
    struct archive_outcome *outcome;
    struct error_text *reterr_why;
};

static void moved(struct archive_log *log, uint64_t row, uint64_t position)
{
    log->last_row = row;
    log->position = position;
}

/* The row at `at`, which the database has refused: beside the others, or else as a gap. */
static int put_aside(struct appending *appending, size_t at, const struct error_text *refusal)
{
    struct archive *archive = appending->archive;
    const struct archive_row row = archive_batch_row(appending->batch, at);
    appending->outcome->refusal = *refusal;
    int err =
        archive->kind->park(archive, appending->log, &row, refusal->text, appending->reterr_why);
    if (err == 0)
        appending->outcome->parked++;
    if (err == ARCHIVE_REFUSED) {
        err = archive->kind->skip(archive, appending->log, row.row, row.position,
                                  "refused by the database", appending->reterr_why);
        appending->outcome->lost += err == 0;
    }
    if (err == 0)
        moved(appending->log, row.row, row.position);
    return err;
}

/* Halves what is refused until it is one row: with few such rows that costs little. */
static int append_range(struct appending *appending, size_t first, size_t end)
{
    const struct archive_batch *batch = appending->batch;
    const bool last = end == batch->count;
    const uint64_t row = last ? batch->last_row : batch->rows[end - 1].row;
    const uint64_t position = last ? batch->last_position : batch->rows[end - 1].position;
    struct error_text refusal = {0};
    uint64_t stored = 0;
    int err = appending->archive->kind->append(appending->archive, appending->log, batch, first,
                                               end, row, position, &stored, &refusal);
    if (err == 0) {
        appending->outcome->stored += stored;
        appending->outcome->repeated += end - first - stored;
        moved(appending->log, row, position);
        return 0;
    }
    if (err != ARCHIVE_REFUSED || end == first)
        return error_text_set(appending->reterr_why, err, "%s", refusal.text);
    if (end - first == 1)
        return put_aside(appending, first, &refusal);
    const size_t middle = first + (end - first) / 2;
    err = append_range(appending, first, middle);
    return err == 0 ? append_range(appending, middle, end) : err;
}

int archive_append(struct archive *archive, struct archive_log *log,
                   const struct archive_batch *batch, struct archive_outcome *outcome,
                   struct error_text *reterr_why)
{
    struct appending appending = {archive, log, batch, outcome, reterr_why};
    int err = archive_call_begin(archive, reterr_why);
    if (err == 0)
        err = append_range(&appending, 0, batch->count);
    /* The last row was put aside, and rows that are not archived follow it. */
    if (err == 0 && log->last_row < batch->last_row)
        err = append_range(&appending, batch->count, batch->count);
    return archive_call_end(archive, err);
}

int archive_skip(struct archive *archive, struct archive_log *log, uint64_t row, uint64_t position,
                 const char *reason, struct error_text *reterr_why)
{
    int err = archive_call_begin(archive, reterr_why);
    if (err == 0)
        err = archive->kind->skip(archive, log, row, position, reason, reterr_why);
    if (err == 0)
        moved(log, row, position);
    return archive_call_end(archive, err);
}

int archive_history(struct archive *archive, struct text user, const struct archive_range *range,
                    archive_on_row *on_row, void *context, struct error_text *reterr_why)
{
    int err = archive_call_begin(archive, reterr_why);
    if (err == 0)
        err = archive->kind->history(archive, user, range, on_row, context, reterr_why);
    return archive_call_end(archive, err);
}

int archive_erase(struct archive *archive, struct text user, bool sent, uint64_t *ret_deleted,
                  struct error_text *reterr_why)
{
    int err = archive_call_begin(archive, reterr_why);
    if (err == 0)
        err = archive->kind->erase(archive, user, sent, ret_deleted, reterr_why);
    return archive_call_end(archive, err);
}

int archive_expire(struct archive *archive, int64_t before_ms, uint64_t *ret_deleted,
                   struct error_text *reterr_why)
{
    int err = archive_call_begin(archive, reterr_why);
    if (err == 0)
        err = archive->kind->expire(archive, before_ms, ret_deleted, reterr_why);
    return archive_call_end(archive, err);
}

int archive_each_log(struct archive *archive, archive_on_log *on_log, void *context,
                     struct error_text *reterr_why)
{
    int err = archive_call_begin(archive, reterr_why);
    if (err == 0)
        err = archive->kind->each_log(archive, on_log, context, reterr_why);
    return archive_call_end(archive, err);
}
