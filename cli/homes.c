#include "cli/homes.h"

#include "base/hash.h"
#include "bus/bus_stream.h"
#include "cli/beats.h"
#include "cli/catalogue_choice.h"
#include "cli/jetstream.h"
#include "wire/names.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { GET_MS = 2000, LISTEN_MS = 1500, PATIENCE_MS = 5000, FLUSH_MS = 100 };

/* What a command about one user needs. */
struct homes {
    struct catalogue *catalogue;
    struct cli_link link;
    struct text user;
};

struct home {
    char region[TEXT_REGION_MAX + 1];
    uint32_t epoch;
};

static int open_homes(struct homes *homes, const struct cli_arguments *arguments,
                      struct error_text *reterr_why)
{
    homes->user = text_of(arguments->operands[0]);
    if (!text_is_user_id(homes->user))
        return error_text_set(reterr_why, -EINVAL,
                              "a user id is 1 to 128 bytes of UTF-8 without control characters");
    homes->catalogue = cli_catalogue_choose(arguments, reterr_why);
    if (homes->catalogue == NULL)
        return -ENOENT;
    return cli_link_open_any(&homes->link, homes->catalogue, reterr_why);
}

/* Tells the failure, frees, and returns the exit code. */
static int close_homes(struct homes *homes, const struct cli_arguments *arguments, int err,
                       const struct error_text *why)
{
    if (err < 0)
        fprintf(stderr, "meridian %s: %s\n", arguments->command->name, why->text);
    cli_link_close(&homes->link);
    catalogue_free(homes->catalogue);
    return err == 0 ? CLI_OK : err == -EINVAL ? CLI_USAGE : CLI_FAILED;
}

static int on_home(void *context, const struct bus_message *answer)
{
    struct home *home = context;
    struct bus_entry entry;
    struct wire_directory_entry value;
    int err = bus_entry_read(answer, &entry, NULL);

    if (err < 0)
        return err;
    if (wire_directory_entry_read(entry.data, entry.size, &value) < 0 ||
        text_put(home->region, sizeof home->region, value.home) < 0)
        return -EBADMSG;
    home->epoch = value.epoch;
    return 0;
}

/* -ENOENT: nobody has this user; without a sentence. */
static int look_up(struct homes *homes, struct home *ret_home, struct error_text *reterr_why)
{
    unsigned buckets = homes->catalogue->directory_buckets;
    struct wire_name subject = wire_directory_subject(homes->user, buckets);
    struct wire_name stream = wire_directory_stream(wire_directory_bucket(homes->user, buckets));
    int err = cli_link_get_last(&homes->link, stream.text, subject.text, GET_MS, on_home, ret_home);

    if (err < 0 && err != -ENOENT)
        error_text_set(reterr_why, -EIO, "cannot read the directory: %s", strerror(-err));
    return err == 0 || err == -ENOENT ? err : -EIO;
}

static int tell_unknown(const struct homes *homes, struct error_text *reterr_why)
{
    return error_text_set(reterr_why, -ENOENT, "nobody has seen '%.*s' yet",
                          TEXT_ARGS(homes->user));
}

int cli_directory_get(const struct cli_arguments *arguments)
{
    struct error_text why = {0};
    struct homes homes = {0};
    struct home home;
    int err = open_homes(&homes, arguments, &why);

    if (err == 0 && (err = look_up(&homes, &home, &why)) == -ENOENT)
        tell_unknown(&homes, &why);
    if (err == 0)
        printf("%s %" PRIu32 "\n", home.region, home.epoch);
    return close_homes(&homes, arguments, err, &why);
}

static int tell_owner(struct homes *homes, const struct catalogue_region *region, unsigned shard,
                      struct error_text *reterr_why)
{
    struct cli_beats beats = {0};
    int err = cli_beats_listen(&beats, &homes->link, homes->catalogue, false, LISTEN_MS);

    if (err < 0) {
        error_text_set(reterr_why, err, "%s", strerror(-err));
    } else {
        const struct cli_shard_beat *beat = cli_beats_shard(&beats, region, shard);
        if (beat->heard)
            printf("owner  %s (generation %" PRIu64 ")\n", beat->hub, beat->generation);
        else
            printf("owner  none is heard\n");
    }
    cli_beats_done(&beats);
    return err;
}

static int tell_where(struct homes *homes, const struct home *home, struct error_text *reterr_why)
{
    const struct catalogue_region *region =
        catalogue_region(homes->catalogue, text_of(home->region));

    printf("user   %.*s\nhome   %s (epoch %" PRIu32 ")\n", TEXT_ARGS(homes->user), home->region,
           home->epoch);
    if (region == NULL)
        return error_text_set(reterr_why, -ENOENT, "the catalogue has no region '%s'",
                              home->region);
    unsigned shard = hash_shard(homes->user, region->shards);
    printf("shard  %u of %u\n", shard, region->shards);
    return tell_owner(homes, region, shard, reterr_why);
}

int cli_where(const struct cli_arguments *arguments)
{
    struct error_text why = {0};
    struct homes homes = {0};
    struct home home;
    int err = open_homes(&homes, arguments, &why);

    if (err == 0 && (err = look_up(&homes, &home, &why)) == -ENOENT)
        tell_unknown(&homes, &why);
    if (err == 0)
        err = tell_where(&homes, &home, &why);
    return close_homes(&homes, arguments, err, &why);
}

/* Writes the first entry of a user. -ESTALE: somebody was first. */
static int claim(struct homes *homes, const char *home, struct error_text *reterr_why)
{
    struct cli_jetstream js = {.link = &homes->link, .patience_ms = PATIENCE_MS};
    struct wire_name subject =
        wire_directory_subject(homes->user, homes->catalogue->directory_buckets);
    const struct wire_directory_entry entry = {.home = text_of(home), .epoch = 1};
    struct buffer bytes = {0};
    uint64_t position;

    wire_directory_entry_write(&bytes, &entry);
    int err = bytes.failed ? error_text_set(reterr_why, -ENOMEM, "out of memory")
                           : cli_js_publish_subject(&js, subject.text, 0, buffer_text(&bytes),
                                                    &position, reterr_why);
    buffer_free(&bytes);
    if (err < 0)
        return err;
    /* Edges may have believed a moment ago that nobody has this user. */
    err = bus_publish(homes->link.bus, WIRE_DIRECTORY_CHANGED, NULL, homes->user.data,
                      homes->user.size);
    cli_link_rest(&homes->link, FLUSH_MS);
    return err < 0 ? error_text_set(reterr_why, err, "written, but edges learn of it late") : 0;
}

static int set_home(struct homes *homes, const char *region, struct error_text *reterr_why)
{
    struct home home;

    if (catalogue_region(homes->catalogue, text_of(region)) == NULL)
        return error_text_set(reterr_why, -EINVAL, "the catalogue has no region '%s'", region);
    int err = look_up(homes, &home, reterr_why);
    if (err == -ENOENT)
        err = claim(homes, region, reterr_why);
    else if (err == 0 && strcmp(home.region, region) != 0)
        err = error_text_set(reterr_why, -EEXIST,
                             "'%.*s' is at home in %s (epoch %" PRIu32 "); a mailbox is not moved "
                             "by its directory entry",
                             TEXT_ARGS(homes->user), home.region, home.epoch);
    return err;
}

int cli_directory_set(const struct cli_arguments *arguments)
{
    struct error_text why = {0};
    struct homes homes = {0};
    int err = open_homes(&homes, arguments, &why);

    if (err == 0)
        err = set_home(&homes, arguments->operands[1], &why);
    if (err == 0)
        printf("%s is at home in %s\n", arguments->operands[0], arguments->operands[1]);
    return close_homes(&homes, arguments, err, &why);
}
