#include "cli/homes.h"

#include "base/hash.h"
#include "cli/beats.h"
#include "cli/entry.h"
#include "cli/user_link.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LISTEN_MS = 1500 };

static int tell_owner(struct cli_user_link *to, const struct catalogue_region *region,
                      unsigned shard, struct error_text *reterr_why)
{
    struct cli_beats beats = {0};
    int err = cli_beats_listen(&beats, &to->link, to->catalogue, false, LISTEN_MS);

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

static int tell_where(struct cli_user_link *to, const struct cli_entry *entry,
                      struct error_text *reterr_why)
{
    const struct catalogue_region *region = catalogue_region(to->catalogue, text_of(entry->home));

    printf("user   %.*s\nhome   %s (epoch %" PRIu32 ")\n", TEXT_ARGS(to->user), entry->home,
           entry->epoch);
    if (region == NULL)
        return error_text_set(reterr_why, -ENOENT, "the catalogue has no region '%s'", entry->home);
    unsigned shard = hash_shard(to->user, region->shards);
    printf("shard  %u of %u\n", shard, region->shards);
    return tell_owner(to, region, shard, reterr_why);
}

int cli_where(const struct cli_arguments *arguments)
{
    struct error_text why = {0};
    struct cli_user_link to = {0};
    struct cli_entry entry;
    int err = cli_user_link_open(&to, CLI_LINK_ANY, arguments, &why);

    if (err == 0)
        err = cli_entry_find(&to.link, to.user, to.catalogue->directory_buckets, &entry, &why);
    if (err == 0)
        err = tell_where(&to, &entry, &why);
    return cli_user_link_close(&to, arguments, err, &why);
}
