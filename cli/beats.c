#include "cli/beats.h"

#include "base/clock.h"
#include "bus/bus_stream.h"
#include "wire/drains.h"
#include "wire/names.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LISTEN_MS = 2500, CONNECT_MS = 2000, GET_MS = 2000 };

/* Where the region's first shard stands in the array of all. */
static size_t first_shard(const struct catalogue *catalogue, const struct catalogue_region *region)
{
    size_t at = 0;
    for (const struct catalogue_region *r = catalogue->regions; r != region; r++)
        at += r->shards;
    return at;
}

/* The region in beat.hub.<r>.<s> or beat.edge.<r>.<edge>. */
static const struct catalogue_region *region_of(const struct catalogue *catalogue,
                                                struct text subject)
{
    const char *at = subject.data, *end = subject.data + subject.size;
    for (int dots = 0; dots < 2; dots++) {
        at = memchr(at, '.', (size_t)(end - at));
        if (at++ == NULL)
            return NULL;
    }
    const char *dot = memchr(at, '.', (size_t)(end - at));
    return dot == NULL ? NULL : catalogue_region(catalogue, (struct text){at, (size_t)(dot - at)});
}

static void on_hub_beat(void *context, const struct bus_message *message)
{
    struct cli_beats *beats = context;
    const struct catalogue_region *region = region_of(beats->catalogue, message->subject);
    struct wire_hub_beat beat;
    struct wire_edge_count count;

    if (region == NULL || wire_hub_beat_read(message->data, message->size, &beat) < 0 ||
        beat.shard >= region->shards)
        return;
    struct cli_shard_beat *shard =
        &beats->shards[first_shard(beats->catalogue, region) + beat.shard];
    if (shard->heard && beat.generation < shard->generation)
        return; /* a deposed owner that does not know it yet */
    *shard = (struct cli_shard_beat){.heard = true,
                                     .generation = beat.generation,
                                     .applied = beat.applied,
                                     .head = beat.head,
                                     .lag_ms = beat.lag_ms,
                                     .log_permille = beat.log_permille};
    snprintf(shard->hub, sizeof shard->hub, "%.*s", TEXT_ARGS(beat.hub));
    while (wire_edge_count_next(&beat, &count))
        shard->attached += count.attached;
}

static void on_member_beat(void *context, const struct bus_message *message)
{
    struct cli_beats *beats = context;
    const struct catalogue_region *region = region_of(beats->catalogue, message->subject);
    if (region != NULL)
        cli_members_hear(&beats->members, region, message->data, message->size);
}

static void on_edge_beat(void *context, const struct bus_message *message)
{
    struct cli_beats *beats = context;
    struct wire_edge_beat beat;
    size_t at;

    if (wire_edge_beat_read(message->data, message->size, &beat) < 0 ||
        catalogue_process_index(beats->catalogue, beat.edge, &at) != 0)
        return;
    beats->edges[at] = (struct cli_edge_beat){.heard = true, .connections = beat.connections};
}

static bool heard_all(const struct cli_beats *beats)
{
    for (size_t i = 0; i < beats->shard_count; i++) {
        if (!beats->shards[i].heard)
            return false;
    }
    for (size_t i = 0; i < beats->edge_count; i++) {
        if (!beats->edges[i].heard)
            return false;
    }
    return !beats->with_members || cli_members_heard_all(&beats->members);
}

int cli_beats_listen(struct cli_beats *beats, struct cli_link *link,
                     const struct catalogue *catalogue, bool with_members, int64_t listen_ms)
{
    int64_t until_ms = clock_monotonic_ms() + listen_ms;

    *beats = (struct cli_beats){.catalogue = catalogue, .with_members = with_members};
    for (size_t i = 0; i < catalogue->region_count; i++) {
        beats->shard_count += catalogue->regions[i].shards;
        beats->edge_count += catalogue_processes(&catalogue->regions[i]);
    }
    assert(beats->shard_count > 0 && beats->edge_count > 0); /* the catalogue has seen to it */
    beats->shards = calloc(beats->shard_count, sizeof *beats->shards);
    beats->edges = calloc(beats->edge_count, sizeof *beats->edges);
    struct bus_subscription *hubs = bus_subscribe(link->bus, WIRE_HUB_BEATS, on_hub_beat, beats);
    struct bus_subscription *edges = bus_subscribe(link->bus, WIRE_EDGE_BEATS, on_edge_beat, beats);
    struct bus_subscription *members = NULL;
    bool good = beats->shards != NULL && beats->edges != NULL && hubs != NULL && edges != NULL;
    if (good && with_members) {
        members = bus_subscribe(link->bus, WIRE_MEMBER_BEATS, on_member_beat, beats);
        good = members != NULL && cli_members_init(&beats->members, catalogue) == 0;
    }

    for (int64_t left = listen_ms; good && left > 0 && !heard_all(beats);
         left = until_ms - clock_monotonic_ms())
        loop_turn(link->loop, (int)left);
    bus_unsubscribe(hubs);
    bus_unsubscribe(edges);
    bus_unsubscribe(members);
    return good ? 0 : -ENOMEM;
}

void cli_beats_done(struct cli_beats *beats)
{
    free(beats->shards);
    free(beats->edges);
    cli_members_done(&beats->members);
    *beats = (struct cli_beats){0};
}

const struct cli_shard_beat *cli_beats_shard(const struct cli_beats *beats,
                                             const struct catalogue_region *region, unsigned shard)
{
    return shard < region->shards ? &beats->shards[first_shard(beats->catalogue, region) + shard]
                                  : NULL;
}

static void print_shards(const struct cli_beats *beats, bool *all)
{
    printf("%-8s %5s  %-16s %10s %10s %10s %8s %8s %5s %8s\n", "region", "shard", "owner",
           "generation", "applied", "stored", "lag ms", "log full", "level", "devices");
    for (size_t r = 0; r < beats->catalogue->region_count; r++) {
        const struct catalogue_region *region = &beats->catalogue->regions[r];
        for (unsigned s = 0; s < region->shards; s++) {
            const struct cli_shard_beat *beat = cli_beats_shard(beats, region, s);
            if (beat->heard)
                printf("%-8s %5u  %-16s %10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %8" PRIu32
                       " %6u.%u%% %5u %8" PRIu32 "\n",
                       region->name, s, beat->hub, beat->generation, beat->applied, beat->head,
                       beat->lag_ms, beat->log_permille / 10u, beat->log_permille % 10u,
                       cli_members_log_level(&beats->members, region, s), beat->attached);
            else
                printf("%-8s %5u  no owner is heard\n", region->name, s);
            *all = *all && beat->heard;
        }
    }
}

static void print_edge(const char *region, const char *name, const struct cli_edge_beat *beat)
{
    if (beat->heard)
        printf("%-8s %-16s %" PRIu32 "\n", region, name, beat->connections);
    else
        printf("%-8s %-16s is not heard\n", region, name);
}

static void print_edges(const struct cli_beats *beats, bool *all)
{
    const struct cli_edge_beat *beat = beats->edges;

    printf("\n%-8s %-16s %s\n", "region", "edge", "connections");
    for (size_t r = 0; r < beats->catalogue->region_count; r++) {
        const struct catalogue_region *region = &beats->catalogue->regions[r];
        for (size_t i = 0; i < region->edge_count; i++) {
            const struct catalogue_edge *edge = &region->edges[i];
            for (uint32_t number = 1; number <= edge->processes; number++, beat++) {
                print_edge(region->name, catalogue_process(edge, number).name, beat);
                *all = *all && beat->heard;
            }
        }
    }
}

static int on_drains(void *context, const struct bus_message *answer)
{
    struct bus_entry entry;
    int err = bus_entry_read(answer, &entry, NULL);
    return err == 0 ? wire_edge_drains_read(entry.data, entry.size, context) : err;
}

/* Whoever has forgotten about one finds it here. */
static void print_drains(struct cli_link *link, const struct catalogue *catalogue)
{
    const struct wire_bucket first = {.of = catalogue->directory_buckets};
    struct wire_edge_drains drains = {.count = 0};
    int err =
        cli_link_get_last(link, wire_directory_stream(first).text,
                          wire_directory_edge_drains(first.of).text, GET_MS, on_drains, &drains);
    if (err != 0 && err != -ENOENT)
        printf("which edges are out of use cannot be read: %s\n", strerror(-err));
    for (size_t i = 0; i < drains.count; i++)
        printf("%s is out of use for %" PRIi64 " s, until `meridian undrain edge %s`\n",
               drains.each[i].edge, (clock_wall_ms() - drains.each[i].since_ms) / 1000,
               drains.each[i].edge);
}

int cli_link_open_any(struct cli_link *link, const struct catalogue *catalogue,
                      struct error_text *reterr_why)
{
    int err = -ETIMEDOUT;
    for (size_t i = 0; i < catalogue->region_count && err < 0; i++)
        err = cli_link_open(link, &catalogue->regions[i], CONNECT_MS, reterr_why);
    return err;
}

int cli_beats_print(const struct catalogue *catalogue, struct error_text *reterr_why)
{
    struct cli_link link = {0};
    struct cli_beats beats = {0};
    bool all = true;
    int err = cli_link_open_any(&link, catalogue, reterr_why);

    if (err == 0)
        err = cli_beats_listen(&beats, &link, catalogue, true, LISTEN_MS);
    if (err == 0) {
        print_shards(&beats, &all);
        print_edges(&beats, &all);
        print_drains(&link, catalogue);
        printf("\n");
        struct cli_members_judged judged = cli_members_print(&beats.members, stdout);
        if (judged.silent + judged.errors + judged.warnings == 0)
            printf("no alarms\n");
        if (judged.errors > 0)
            err = error_text_set(reterr_why, -EAGAIN, "%zu alarms are errors", judged.errors);
        else if (!all || judged.silent > 0)
            err = error_text_set(reterr_why, -EAGAIN, "not everything is heard");
    }
    cli_beats_done(&beats);
    cli_link_close(&link);
    return err;
}
