#include "cli/archive.h"

#include "base/clock.h"
#include "cli/archive_directory.h"
#include "store/archive.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { CONNECT_MS = 10000, STATEMENT_MS = 600000, DAYS_MAX = 36500 };

static const int64_t day_ms = 86400000;

/* The URL may hold a password, which everybody on the machine could read on a command line. */
struct archive *cli_archive_open(const struct cli_arguments *arguments,
                                 struct error_text *reterr_why)
{
    const char *url = cli_value_or(arguments, "url", getenv("MERIDIAN_ARCHIVE_URL"));
    if (url == NULL) {
        error_text_set(reterr_why, -EINVAL,
                       "which archive? Set MERIDIAN_ARCHIVE_URL, or give --url");
        return NULL;
    }
    return archive_new(&(struct archive_settings){.url = url,
                                                  .program = "meridian",
                                                  .connect_timeout_ms = CONNECT_MS,
                                                  .statement_timeout_ms = STATEMENT_MS},
                       reterr_why);
}

/* Tells the failure, frees, and returns the exit code. */
static int close_archive(struct archive *archive, const struct cli_arguments *arguments, int err,
                         const struct error_text *why)
{
    if (err < 0)
        fprintf(stderr, "meridian %s: %s\n", arguments->command->name, why->text);
    archive_free(archive);
    return err == 0 ? CLI_OK : err == -EINVAL ? CLI_USAGE : CLI_FAILED;
}

int cli_archive_migrate(const struct cli_arguments *arguments)
{
    struct error_text why = {0};
    unsigned from = 0;
    unsigned to = 0;
    struct archive *archive = cli_archive_open(arguments, &why);
    int err = archive == NULL ? -EINVAL : archive_migrate(archive, &from, &to, &why);
    if (err == 0 && from == to)
        printf("the schema has version %u already\n", to);
    else if (err == 0)
        printf("the schema has version %u now, it had %u\n", to, from);
    return close_archive(archive, arguments, err, &why);
}

static void on_log(void *context, const struct archive_log *log,
                   const struct archive_totals *totals)
{
    bool *any = context;
    *any = true;
    printf("%s %u  log ", log->region, log->shard);
    for (size_t i = 0; i < 4; i++) /* enough to tell two apart */
        printf("%02x", log->incarnation[i]);
    printf("  row %" PRIu64 "  position %" PRIu64 "  parked %" PRIu64 "  gap %" PRIu64 "\n",
           log->last_row, log->position, totals->parked, totals->gap_rows);
}

int cli_archive_status(const struct cli_arguments *arguments)
{
    struct error_text why = {0};
    bool any = false;
    struct archive *archive = cli_archive_open(arguments, &why);
    int err = archive == NULL ? -EINVAL : archive_connect(archive, &why);
    if (err == 0)
        err = archive_each_log(archive, on_log, &any, &why);
    if (err == 0 && !any)
        printf("nothing is archived yet\n");
    if (err == 0)
        err = cli_archive_directory_print(archive, arguments, &why);
    return close_archive(archive, arguments, err, &why);
}

int cli_archive_expire(const struct cli_arguments *arguments)
{
    struct error_text why = {0};
    uint64_t days = 0;
    uint64_t deleted = 0;
    struct archive *archive = cli_archive_open(arguments, &why);
    int err = archive == NULL ? -EINVAL : 0;
    if (err == 0 && (text_to_u64(text_of(arguments->operands[0]), DAYS_MAX, &days) != 0))
        err = error_text_set(&why, -EINVAL, "DAYS must be a number up to %d", DAYS_MAX);
    if (err == 0)
        err = archive_connect(archive, &why);
    if (err == 0)
        err = archive_expire(archive, clock_wall_ms() - (int64_t)days * day_ms, &deleted, &why);
    if (err == 0)
        printf("dropped %" PRIu64 "\n", deleted);
    return close_archive(archive, arguments, err, &why);
}

int cli_user_erase(const struct cli_arguments *arguments)
{
    struct error_text why = {0};
    uint64_t deleted = 0;
    const struct text user = text_of(arguments->operands[0]);
    struct archive *archive = cli_archive_open(arguments, &why);
    int err = archive == NULL ? -EINVAL : 0;
    if (err == 0 && !text_is_user_id(user))
        err = error_text_set(&why, -EINVAL,
                             "a user id is 1 to 128 bytes of UTF-8 without control characters");
    if (err == 0)
        err = archive_connect(archive, &why);
    if (err == 0)
        err = archive_erase(archive, user, cli_flag(arguments, "sent"), &deleted, &why);
    if (err == 0)
        printf("deleted %" PRIu64 " messages from the archive; logs and views forget by their "
               "retention\n",
               deleted);
    return close_archive(archive, arguments, err, &why);
}
