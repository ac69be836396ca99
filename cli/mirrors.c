#include "cli/mirrors.h"

#include "base/clock.h"
#include "bus/bus_stream.h"
#include "cli/restore.h"
#include "cli/scan.h"
#include "wire/revoked.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { GET_MS = 2000, TAKEN_BACK_S = 86400 };

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

static int put_back_homes(struct cli_mirrors *mirrors, struct cli_scan *scan, const char *mirror,
                          struct error_text *reterr_why)
{
    struct cli_restoring restoring = {.link = mirrors->js->link,
                                      .buckets = mirrors->catalogue->directory_buckets};
    struct cli_restore_page *page = cli_restore_page_new();
    int err = page == NULL ? error_text_set(reterr_why, -ENOMEM, "out of memory")
                           : restore_scanned(scan, &restoring, page, reterr_why);
    if (err == 0) {
        printf("  what %s has: ", mirror);
        cli_restore_print(&restoring);
    }
    cli_restore_page_free(page);
    return err;
}

static int on_position(void *context, const struct bus_message *answer)
{
    struct bus_entry entry;
    int err = bus_entry_read(answer, &entry, NULL);
    if (err == 0)
        *(uint64_t *)context = entry.position;
    return err == -ENOENT ? 0 : err;
}

/* How long what the bucket of revoked tokens holds is still needed, as `meridian token revoke` has
 * written it. */
static int64_t kept_s(struct text data)
{
    struct wire_revoked revoked;
    int64_t now_s = clock_wall_ms() / 1000;
    if (wire_revoked_read(data.data, data.size, &revoked) != 0)
        return 0;
    return revoked.until_s > now_s ? revoked.until_s - now_s : TAKEN_BACK_S;
}

/* Of one subject the higher position is the later word: a mirror keeps its origin's positions. */
static int put_back_later(struct cli_mirrors *mirrors, const char *origin,
                          const struct cli_scan_entry *entry, uint64_t *written,
                          struct error_text *reterr_why)
{
    uint64_t there = 0, position;
    char subject[WIRE_NAME_MAX];
    if (text_put(subject, sizeof subject, entry->subject) < 0)
        return 0; /* longer than any of ours */
    int err = cli_link_get_last(mirrors->js->link, origin, subject, GET_MS, on_position, &there);
    if (err < 0)
        return error_text_set(reterr_why, err, "cannot read %s: %s", origin, strerror(-err));
    if (there >= entry->position)
        return 0;
    err = cli_js_publish_for(mirrors->js, subject, there, kept_s(entry->data), entry->data,
                             &position, reterr_why);
    *written += err == 0;
    return err == -ESTALE ? 0 : err; /* somebody has said something newer meanwhile */
}

static int put_back_words(struct cli_mirrors *mirrors, struct cli_scan *scan, const char *origin,
                          const char *mirror, struct error_text *reterr_why)
{
    uint64_t written = 0;
    int err;
    while ((err = cli_scan_next(scan, reterr_why)) == 1) {
        for (size_t i = 0; i < scan->count && err >= 0; i++) {
            struct cli_scan_entry entry = cli_scan_at(scan, i);
            err = put_back_later(mirrors, origin, &entry, &written, reterr_why);
        }
        if (err < 0)
            break;
    }
    if (err == 0)
        printf("  what %s has: wrote %" PRIu64 " that were missing\n", mirror, written);
    return err;
}

/* A mirror may have heard what the origin's last words were when another has not. */
static int put_back(struct cli_mirrors *mirrors, size_t which, const char *mirror,
                    struct error_text *reterr_why)
{
    bool directory = cli_bucket_is_directory(mirrors->catalogue, which);
    struct cli_stream origin = cli_bucket(mirrors->catalogue, mirrors->origin, which);
    struct wire_bucket bucket = {.of = mirrors->catalogue->directory_buckets};
    struct cli_scan scan;

    bucket.number = directory ? (unsigned)which : 0;
    struct wire_name users = wire_directory_users(bucket);
    const char *filter = directory ? users.text : ">";
    int err = cli_scan_open(&scan, mirrors->js->link, mirror, filter, 1, reterr_why);
    if (err < 0)
        return err;
    err = directory ? put_back_homes(mirrors, &scan, mirror, reterr_why)
                    : put_back_words(mirrors, &scan, origin.name.text, mirror, reterr_why);
    cli_scan_close(&scan);
    return err;
}

static int make_anew(struct cli_mirrors *mirrors, size_t which, const struct cli_stream *mirror,
                     struct error_text *reterr_why)
{
    int err;
    printf("%s%s is of an origin that is no more: what it alone has is put back, and it is made "
           "anew\n",
           mirrors->dry_run ? "would: " : "", mirror->name.text);
    if (mirrors->dry_run)
        return 0;
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
