#include "cli/directory.h"

#include "cli/beats.h"
#include "cli/catalogue_choice.h"
#include "cli/census.h"
#include "cli/entry.h"
#include "cli/scan.h"
#include "cli/user_link.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

enum { PATIENCE_MS = 5000 };

int cli_directory_get(const struct cli_arguments *arguments)
{
    struct error_text why = {0};
    struct cli_user_link to = {0};
    struct cli_entry entry;
    int err = cli_user_link_open(&to, CLI_LINK_ANY, arguments, &why);

    if (err == 0)
        err = cli_entry_find(&to.link, to.user, to.catalogue->directory_buckets, &entry, &why);
    if (err == 0)
        printf("%s %" PRIu32 " revision %" PRIu64 "\n", entry.home, entry.epoch, entry.revision);
    return cli_user_link_close(&to, arguments, err, &why);
}

static int read_number(const struct cli_arguments *arguments, const char *option, uint64_t min,
                       uint64_t max, uint64_t *ret_number, struct error_text *reterr_why)
{
    const char *value = cli_value(arguments, option);
    uint64_t number = 0;

    if (value != NULL && (text_to_u64(text_of(value), max, &number) < 0 || number < min))
        return error_text_set(reterr_why, -EINVAL, "--%s is a number from %" PRIu64 " to %" PRIu64,
                              option, min, max);
    *ret_number = number;
    return 0;
}

static int read_change(const struct cli_arguments *arguments, const struct catalogue *catalogue,
                       struct cli_entry_change *ret_change, struct error_text *reterr_why)
{
    struct cli_entry_change change = {.home = arguments->operands[1],
                                      .force = cli_flag(arguments, "force"),
                                      .if_revision = cli_flag(arguments, "if-revision")};
    uint64_t epoch;

    if (catalogue_region(catalogue, text_of(change.home)) == NULL)
        return error_text_set(reterr_why, -EINVAL, "the catalogue has no region '%s'", change.home);
    int err = read_number(arguments, "epoch", 1, UINT32_MAX, &epoch, reterr_why);
    if (err == 0)
        err = read_number(arguments, "if-revision", 0, INT64_MAX, &change.revision, reterr_why);
    if (err < 0)
        return err;
    change.epoch = (uint32_t)epoch;
    *ret_change = change;
    return 0;
}

static void tell_set(const struct cli_user_link *to, const struct cli_entry *before,
                     const struct cli_entry *after)
{
    printf("%.*s is at home in %s (epoch %" PRIu32 ", revision %" PRIu64 ")\n", TEXT_ARGS(to->user),
           after->home, after->epoch, after->revision);
    if (before->revision != 0 && !before->damaged && after->epoch > before->epoch)
        printf("no message was moved: what is in %s stays there\n", before->home);
}

static int set_home(struct cli_user_link *to, const struct cli_entry_change *change,
                    struct error_text *reterr_why)
{
    struct cli_jetstream js = {.link = &to->link, .patience_ms = PATIENCE_MS};
    unsigned buckets = to->catalogue->directory_buckets;
    struct cli_entry before, after = {0};
    int err = cli_entry_get(&to->link, to->user, buckets, &before, reterr_why);

    if (err == 0)
        err = cli_entry_judge(&before, change, &after.epoch, reterr_why);
    if (err == 1)
        err = cli_entry_put(&js, to->user, buckets, change->home, after.epoch, before.revision,
                            &after.revision, reterr_why);
    else if (err == 0)
        after.revision = before.revision;
    if (err < 0)
        return err;
    if (after.revision != before.revision)
        cli_entry_tell(&to->link, to->user); /* edges may have believed otherwise */
    (void)!text_put(after.home, sizeof after.home, text_of(change->home));
    tell_set(to, &before, &after);
    return 0;
}

int cli_directory_set(const struct cli_arguments *arguments)
{
    struct error_text why = {0};
    struct cli_user_link to = {0};
    struct cli_entry_change change;
    int err = cli_user_link_open(&to, CLI_LINK_PRIMARY, arguments, &why);

    if (err == 0)
        err = read_change(arguments, to.catalogue, &change, &why);
    if (err == 0)
        err = set_home(&to, &change, &why);
    return cli_user_link_close(&to, arguments, err, &why);
}

static int count_bucket(struct cli_link *link, struct wire_bucket bucket, struct cli_census *census,
                        struct error_text *reterr_why)
{
    struct wire_name stream = wire_directory_stream(bucket), users = wire_directory_users(bucket);
    struct cli_scan scan;
    int err = cli_scan_open(&scan, link, stream.text, users.text, 1, reterr_why);

    if (err < 0)
        return err;
    while ((err = cli_scan_next(&scan, reterr_why)) == 1) {
        for (size_t i = 0; i < scan.count; i++) {
            struct cli_scan_entry entry = cli_scan_at(&scan, i);
            cli_census_take(census, entry.position, entry.subject, entry.data);
        }
    }
    cli_scan_close(&scan);
    return err;
}

static int count(struct cli_link *link, const struct catalogue *catalogue,
                 struct error_text *reterr_why)
{
    struct wire_bucket bucket = {.of = catalogue->directory_buckets};
    struct cli_census census = {0};
    struct buffer lines = {0};
    int err = 0;

    for (size_t i = 0; i < catalogue->region_count; i++)
        cli_census_expect(&census, catalogue->regions[i].name);
    for (; bucket.number < bucket.of && err == 0; bucket.number++)
        err = count_bucket(link, bucket, &census, reterr_why);
    if (err == 0) {
        cli_census_print(&census, &lines);
        fwrite(lines.data, 1, lines.size, stdout);
    }
    if (err == 0 && census.damaged > 0)
        err = error_text_set(reterr_why, -EBADMSG, "not every entry can be read");
    buffer_free(&lines);
    return err;
}

/* At the origin; a mirror, which may be a moment behind, when the primary does not answer. */
static int open_for_count(struct cli_link *link, const struct catalogue *catalogue,
                          struct error_text *reterr_why)
{
    if (cli_link_open(link, catalogue_primary(catalogue), PATIENCE_MS, reterr_why) == 0)
        return 0;
    fprintf(stderr, "%s: another region is asked\n", reterr_why->text);
    return cli_link_open_any(link, catalogue, reterr_why);
}

int cli_directory_count(const struct cli_arguments *arguments)
{
    struct error_text why = {0};
    struct cli_link link = {0};
    struct catalogue *catalogue = cli_catalogue_choose(arguments, &why);
    int err = catalogue == NULL ? -ENOENT : open_for_count(&link, catalogue, &why);

    if (err == 0)
        err = count(&link, catalogue, &why);
    if (err < 0)
        fprintf(stderr, "meridian directory count: %s\n", why.text);
    cli_link_close(&link);
    catalogue_free(catalogue);
    return err == 0 ? CLI_OK : CLI_FAILED;
}
