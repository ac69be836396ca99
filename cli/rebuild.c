#include "cli/rebuild.h"

#include "base/clock.h"
#include "cli/archive.h"
#include "cli/catalogue_choice.h"
#include "cli/mirrors.h"
#include "cli/restore.h"
#include "store/archive_directory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { CONNECT_MS = 10000, PATIENCE_MS = 60000, PROGRESS_MS = 5000, HOMELESS_SHOWN_MAX = 100 };

struct rebuild {
    struct catalogue *catalogue;
    struct cli_link link;
    struct archive *archive;
    struct cli_restore_page *page;
    struct cli_restoring restoring;
    char last[TEXT_USER_MAX + 1]; /* the user read last from the archive */
    size_t read;                  /* of this page */
    uint64_t odd;                 /* rows that are no entry */
    uint64_t homeless;
    int64_t told_ms;
};

static void note_last(struct rebuild *rebuild, struct text user)
{
    rebuild->read++;
    (void)!text_put(rebuild->last, sizeof rebuild->last, user);
}

static void on_home(void *context, const struct archive_home *home)
{
    struct rebuild *rebuild = context;
    note_last(rebuild, home->user);
    if (!cli_restore_page_add(rebuild->page, home->user, home->home, home->epoch))
        rebuild->odd++;
}

static void tell_progress(struct rebuild *rebuild)
{
    uint64_t done = 0;
    if (clock_monotonic_ms() - rebuild->told_ms < PROGRESS_MS)
        return;
    rebuild->told_ms = clock_monotonic_ms();
    for (size_t i = 0; i < CLI_RESTORE_VERDICTS; i++)
        done += rebuild->restoring.counts[i];
    fprintf(stderr, "%" PRIu64 " users so far, the last is '%s'\n", done, rebuild->last);
}

static int restore_all(struct rebuild *rebuild, struct error_text *reterr_why)
{
    int err = 0;
    rebuild->last[0] = '\0';
    do {
        rebuild->read = 0;
        err = archive_homes_after(rebuild->archive, text_of(rebuild->last), CLI_RESTORE_PAGE,
                                  on_home, rebuild, reterr_why);
        if (err == 0)
            err = cli_restore_page(&rebuild->restoring, rebuild->page, reterr_why);
        tell_progress(rebuild);
    } while (err == 0 && rebuild->read > 0);
    return err;
}

/* --- users that have messages, and of whom the archive does not know where they live --- */

struct suspects {
    struct rebuild *rebuild;
    size_t count;
    char users[CLI_RESTORE_PAGE][TEXT_USER_MAX + 1];
};

static void on_homeless(void *context, const struct archive_home *home)
{
    struct suspects *suspects = context;
    note_last(suspects->rebuild, home->user);
    if (suspects->count < CLI_RESTORE_PAGE && text_is_user_id(home->user) &&
        text_put(suspects->users[suspects->count], sizeof suspects->users[0], home->user) == 0)
        suspects->count++;
}

/* The directory may have one that is not archived yet. */
static int judge_suspect(struct rebuild *rebuild, const char *user, struct error_text *reterr_why)
{
    struct cli_entry entry;
    int err = cli_entry_get(&rebuild->link, text_of(user), rebuild->restoring.buckets, &entry,
                            reterr_why);
    if (err == 0 && entry.revision == 0 && ++rebuild->homeless <= HOMELESS_SHOWN_MAX)
        printf("'%s' has messages in the archive and no home\n", user);
    return err;
}

static int tell_homeless(struct rebuild *rebuild, struct error_text *reterr_why)
{
    static struct suspects suspects;
    int err = 0;
    suspects.rebuild = rebuild;
    rebuild->last[0] = '\0';
    do {
        rebuild->read = 0;
        suspects.count = 0;
        err = archive_homeless_after(rebuild->archive, text_of(rebuild->last), CLI_RESTORE_PAGE,
                                     on_homeless, &suspects, reterr_why);
        for (size_t i = 0; i < suspects.count && err == 0; i++)
            err = judge_suspect(rebuild, suspects.users[i], reterr_why);
    } while (err == 0 && rebuild->read > 0);
    return err;
}

/* --- mirrors of the directory that was lost --- */

static int renew_mirrors(struct rebuild *rebuild, struct error_text *reterr_why)
{
    struct cli_jetstream js = {.link = &rebuild->link, .patience_ms = PATIENCE_MS};
    struct cli_mirrors mirrors = {.js = &js,
                                  .catalogue = rebuild->catalogue,
                                  .origin = catalogue_primary(rebuild->catalogue),
                                  .dry_run = rebuild->restoring.dry_run};
    int err = 0;
    for (size_t which = 0; err == 0 && cli_bucket_is_directory(rebuild->catalogue, which); which++)
        err = cli_mirrors_renew(&mirrors, which, reterr_why);
    return err;
}

static int run(struct rebuild *rebuild, struct error_text *reterr_why)
{
    rebuild->told_ms = clock_monotonic_ms();
    rebuild->restoring.link = &rebuild->link;
    rebuild->restoring.buckets = rebuild->catalogue->directory_buckets;
    rebuild->page = cli_restore_page_new();
    if (rebuild->page == NULL)
        return error_text_set(reterr_why, -ENOMEM, "out of memory");
    int err = restore_all(rebuild, reterr_why);
    cli_restore_print(&rebuild->restoring);
    if (rebuild->odd > 0)
        printf("%" PRIu64 " rows of the archive are no entries, and were passed over\n",
               rebuild->odd);
    if (err == 0)
        err = renew_mirrors(rebuild, reterr_why);
    if (err == 0)
        err = tell_homeless(rebuild, reterr_why);
    if (rebuild->homeless > 0)
        printf("%" PRIu64
               " users have messages in the archive and no home: `meridian directory set` "
               "gives them one\n",
               rebuild->homeless);
    return err;
}

int cli_directory_rebuild(const struct cli_arguments *arguments)
{
    struct error_text why = {0};
    struct rebuild rebuild = {.restoring.dry_run = cli_flag(arguments, "dry-run")};
    int err = 0;

    rebuild.archive = cli_archive_open(arguments, &why);
    if (rebuild.archive == NULL)
        err = -EINVAL;
    if (err == 0)
        err = archive_connect(rebuild.archive, &why);
    if (err == 0 && (rebuild.catalogue = cli_catalogue_choose(arguments, &why)) == NULL)
        err = -ENOENT;
    if (err == 0)
        err = cli_link_open(&rebuild.link, catalogue_primary(rebuild.catalogue), CONNECT_MS, &why);
    if (err == 0)
        err = run(&rebuild, &why);
    if (err < 0)
        fprintf(stderr, "meridian directory rebuild: %s\n", why.text);
    cli_restore_page_free(rebuild.page);
    cli_link_close(&rebuild.link);
    catalogue_free(rebuild.catalogue);
    archive_free(rebuild.archive);
    return err == 0 ? CLI_OK : err == -EINVAL ? CLI_USAGE : CLI_FAILED;
}
