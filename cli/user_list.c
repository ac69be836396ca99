#include "cli/user_list.h"

#include "cli/scan.h"
#include "wire/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct listing {
    struct text region;
    FILE *list;
    void *context;
    void (*on_user)(void *context, struct text user);
};

/* What cannot be read is nobody's home: `meridian directory count` tells of it. */
static void take(const struct listing *listing, const struct cli_scan_entry *entry)
{
    struct wire_directory_entry value;
    char name[TEXT_USER_MAX + 1];
    if (wire_directory_entry_read(entry->data.data, entry->data.size, &value) != 0 ||
        wire_directory_user(entry->subject, name) != 0 || !text_equal(value.home, listing->region))
        return;
    fprintf(listing->list, "%s\n", name);
    listing->on_user(listing->context, text_of(name));
}

static int list_bucket(struct cli_link *link, struct wire_bucket bucket,
                       const struct listing *listing, struct error_text *reterr_why)
{
    struct wire_name stream = wire_directory_stream(bucket);
    struct wire_name users = wire_directory_users(bucket);
    struct cli_scan *scan = malloc(sizeof *scan); /* a page is large */
    if (scan == NULL)
        return error_text_set(reterr_why, -ENOMEM, "out of memory");
    int err = cli_scan_open(scan, link, stream.text, users.text, 1, reterr_why);
    if (err < 0) {
        free(scan);
        return err;
    }
    while ((err = cli_scan_next(scan, reterr_why)) == 1) {
        for (size_t i = 0; i < scan->count; i++) {
            const struct cli_scan_entry entry = cli_scan_at(scan, i);
            take(listing, &entry);
        }
    }
    cli_scan_close(scan);
    free(scan);
    return err;
}

int cli_user_list_of(struct cli_link *link, const struct catalogue *catalogue,
                     const struct catalogue_region *region, void *context,
                     void (*on_user)(void *context, struct text user), FILE **ret_list,
                     struct error_text *reterr_why)
{
    const struct listing listing = {
        .region = text_of(region->name), .list = tmpfile(), .context = context, .on_user = on_user};
    int err = 0;
    if (listing.list == NULL)
        return error_text_set(reterr_why, -EIO, "cannot make a file of users: %s", strerror(errno));
    for (unsigned i = 0; i < catalogue->directory_buckets && err == 0; i++) {
        const struct wire_bucket bucket = {.number = i, .of = catalogue->directory_buckets};
        err = list_bucket(link, bucket, &listing, reterr_why);
    }
    if (err == 0 && (fflush(listing.list) != 0 || ferror(listing.list) != 0))
        err = error_text_set(reterr_why, -EIO, "cannot write a file of users: %s", strerror(errno));
    if (err < 0)
        fclose(listing.list);
    else
        *ret_list = listing.list;
    return err;
}

bool cli_user_lines_next(struct cli_user_lines *lines, struct text *ret_user)
{
    ssize_t size;
    while ((size = getline(&lines->line, &lines->capacity, lines->file)) >= 0) {
        while (size > 0 && (lines->line[size - 1] == '\n' || lines->line[size - 1] == '\r'))
            size--;
        if (size == 0)
            continue;
        *ret_user = (struct text){lines->line, (size_t)size};
        return true;
    }
    return false;
}

void cli_user_lines_done(struct cli_user_lines *lines)
{
    free(lines->line);
    *lines = (struct cli_user_lines){0};
}
