#include "cli/mirrors.h"

#include "cli/restore.h"
#include "cli/scan.h"

#include <errno.h>
#include <stdio.h>

static int restore_scanned(struct cli_scan *scan, struct cli_restoring *restoring,
                           struct cli_restore_page *page, struct error_text *reterr_why)
{
    int err;
    while ((err = cli_scan_next(scan, reterr_why)) == 1) {
        for (size_t i = 0; i < scan->count; i++) {
            struct cli_scan_entry found = cli_scan_at(scan, i);
            struct wire_directory_entry entry;
            char user[TEXT_USER_MAX + 1];
            if (wire_directory_user(found.subject, user) == 0 &&
                wire_directory_entry_read(found.data.data, found.data.size, &entry) == 0)
                (void)cli_restore_page_add(page, text_of(user), entry.home, entry.epoch);
        }
        err = cli_restore_page(restoring, page, reterr_why);
        if (err < 0)
            break;
    }
    return err;
}

/* A mirror may have heard what the origin's last words were when another has not. */
static int put_back(struct cli_mirrors *mirrors, size_t which, const char *mirror,
                    struct error_text *reterr_why)
{
    struct wire_bucket bucket = {.number = (unsigned)which,
                                 .of = mirrors->catalogue->directory_buckets};
    struct wire_name users = wire_directory_users(bucket);
    struct cli_restoring restoring = {.link = mirrors->js->link,
                                      .buckets = mirrors->catalogue->directory_buckets};
    struct cli_restore_page *page = cli_restore_page_new();
    struct cli_scan scan = {0};
    int err = page == NULL
                  ? error_text_set(reterr_why, -ENOMEM, "out of memory")
                  : cli_scan_open(&scan, restoring.link, mirror, users.text, 1, reterr_why);

    if (err == 0)
        err = restore_scanned(&scan, &restoring, page, reterr_why);
    if (err == 0) {
        printf("  what %s has: ", mirror);
        cli_restore_print(&restoring);
    }
    cli_scan_close(&scan);
    cli_restore_page_free(page);
    return err;
}

static int make_anew(struct cli_mirrors *mirrors, size_t which, const struct cli_stream *mirror,
                     struct error_text *reterr_why)
{
    int err = 0;
    printf("%s%s is of an origin that is no more: what it alone has is put back, and it is made "
           "anew\n",
           mirrors->dry_run ? "would: " : "", mirror->name.text);
    if (mirrors->dry_run)
        return 0;
    if (cli_bucket_is_directory(mirrors->catalogue, which))
        err = put_back(mirrors, which, mirror->name.text, reterr_why);
    if (err == 0)
        err = cli_stream_delete(mirrors->js, mirror->name.text, reterr_why);
    return err == 0 ? cli_stream_call(mirrors->js, "CREATE", mirror, reterr_why) : err;
}

static int renew_in(struct cli_mirrors *mirrors, size_t which, int64_t origin_ns,
                    const struct catalogue_region *region, struct error_text *reterr_why)
{
    struct cli_stream mirror = cli_bucket_mirror(mirrors->catalogue, region, which);
    struct cli_look look;
    int err = cli_look(mirrors->js, mirror.name.text, &look, reterr_why);

    if (err < 0)
        return err;
    if (look.state == CLI_LOOK_GONE) {
        printf("%s is missing: `meridian provision` makes it\n", mirror.name.text);
    } else if (look.state == CLI_LOOK_SILENT) {
        mirrors->waiting++;
        printf("%s does not answer: run this again when region %s is back\n", mirror.name.text,
               region->name);
    } else if (look.made_ns < origin_ns) {
        return make_anew(mirrors, which, &mirror, reterr_why);
    }
    return 0;
}

int cli_mirrors_renew(struct cli_mirrors *mirrors, size_t which, struct error_text *reterr_why)
{
    struct cli_stream origin = cli_bucket(mirrors->catalogue, mirrors->origin, which);
    struct cli_look look;
    int err = cli_look(mirrors->js, origin.name.text, &look, reterr_why);

    if (err == 0 && look.state != CLI_LOOK_THERE)
        err = error_text_set(reterr_why, -ENOENT, "%s does not answer", origin.name.text);
    for (size_t i = 0; i < mirrors->catalogue->region_count && err == 0; i++)
        if (&mirrors->catalogue->regions[i] != mirrors->origin)
            err =
                renew_in(mirrors, which, look.made_ns, &mirrors->catalogue->regions[i], reterr_why);
    return err;
}
