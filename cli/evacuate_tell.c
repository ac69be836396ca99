/* What an evacuation would do, in plain words. */
#include "cli/evacuate_internal.h"

#include "base/hash.h"
#include "store/archive.h"

#include <inttypes.h>
#include <stdlib.h>

enum { CONNECT_MS = 5000, STATEMENT_MS = 10000 };

bool cli_evacuate_is_heard(const struct cli_evacuate *evacuate, struct text user)
{
    const struct catalogue_region *from = evacuate->plan.from;
    const unsigned shard = hash_shard(user, from->shards);
    return cli_beats_shard(&evacuate->beats, from, shard)->heard;
}

static void on_log(void *context, const struct archive_log *log,
                   const struct archive_totals *totals)
{
    const struct cli_evacuate *evacuate = context;
    const struct catalogue_region *from = evacuate->plan.from;
    (void)totals;
    if (!text_equal(text_of(log->region), text_of(from->name)) || log->shard >= from->shards)
        return;
    const struct cli_shard_beat *beat = cli_beats_shard(&evacuate->beats, from, log->shard);
    printf("  shard %u is archived up to position %" PRIu64 " of its log", log->shard,
           log->position);
    if (beat->heard)
        printf(", which is at %" PRIu64 "\n", beat->head);
    else
        printf("; where the log ends is not known\n");
}

static void tell_archive(struct cli_evacuate *evacuate)
{
    const char *url = getenv("MERIDIAN_ARCHIVE_URL");
    struct error_text why = {0};
    if (url == NULL) {
        printf("  how far it is archived is not known here: set MERIDIAN_ARCHIVE_URL to be told\n");
        return;
    }
    struct archive *archive =
        archive_new(&(struct archive_settings){.url = url,
                                               .program = "meridian",
                                               .connect_timeout_ms = CONNECT_MS,
                                               .statement_timeout_ms = STATEMENT_MS},
                    &why);
    int err = archive == NULL ? -1 : archive_connect(archive, &why);
    if (err == 0)
        err = archive_each_log(archive, on_log, evacuate, &why);
    if (err != 0)
        printf("  the archive cannot be read from here: %s\n", why.text);
    archive_free(archive);
}

static void tell_dead(struct cli_evacuate *evacuate)
{
    const char *from = evacuate->plan.from->name;
    printf("with --dead, users whose shard is not heard are fetched out of the archive:\n");
    tell_archive(evacuate);
    printf(
        "  - what %s had accepted behind that comes when %s returns; it is lost if the disks of\n"
        "    %s are destroyed\n"
        "  - devices that keep a cursor of their own go on where they were, if that is archived,\n"
        "    and are told otherwise; those that keep none get again what they had\n",
        from, from, from);
}

void cli_evacuate_tell(struct cli_evacuate *evacuate)
{
    const struct cli_evacuate_plan *plan = &evacuate->plan;
    const uint32_t shards = plan->from->shards;
    printf("%" PRIu64 " users are at home in %s\n", evacuate->count, plan->from->name);
    for (size_t i = 0; i < plan->target_count; i++)
        printf("  %" PRIu64 " go to %s\n", evacuate->counts[i], plan->targets[i]->name);
    printf("%zu of the %" PRIu32 " shards of %s are heard\n", evacuate->heard, shards,
           plan->from->name);
    if (evacuate->heard > 0)
        printf("users whose shard is heard are moved with all their messages: nothing is lost\n");
    if (evacuate->heard < shards || cli_flag(evacuate->arguments, "force"))
        tell_dead(evacuate);
    printf("users who may not be at home where they would go stay, and are named\n");
}
