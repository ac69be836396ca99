/* What the beats of owners say: who serves, whether both sides have the same devices attached, and
 * how full the ways are. */
#include "edge/edge_home_internal.h"

#include <errno.h>
#include <string.h>

enum {
    LOWER_BELIEVED_MS = 10000, /* an owner of a lower generation that is all that is heard */
    BEAT_IS_NEWS_MS = 5000,    /* what older beats said of fullness is not believed */
};

static void home_take_outboxes(struct edge_home *home, const struct wire_hub_beat *beat)
{
    struct wire_cursor outboxes = beat->outboxes;
    struct wire_outbox outbox;
    size_t regions = home->settings.catalogue->region_count;
    while (wire_outbox_next(&outboxes, &outbox)) {
        size_t region;
        if (catalogue_region_index(home->settings.catalogue, outbox.destination, &region) == 0)
            home->outboxes[beat->shard * regions + region] =
                (struct edge_home_outbox){.permille = outbox.permille, .oldest_s = outbox.oldest_s};
    }
}

static void place_compare(struct edge_home *home, struct edge_home_place *place,
                          const struct wire_hub_beat *beat)
{
    enum edge_compared compared =
        edge_compare_beat(&place->compare, beat, text_of(home->settings.edge), place->pending > 0);
    if (compared == EDGE_COMPARED_SAME)
        return;
    static struct log_limit limit;
    log_limited(&limit, LOG_LEVEL_WARNING, "an owner has other devices attached than this edge",
                LOG_TEXT("hub", beat->hub), LOG_U64("shard", beat->shard),
                LOG_U64("here", place->compare.attached));
    if (compared == EDGE_COMPARED_ORPHANS)
        home->settings.on_orphans(home->settings.context);
    edge_home_place_attach_again(home, place);
}

/* False: the owners of the region count its shards otherwise than our catalogue does. */
static bool home_shards_agree(struct edge_home *home, struct text region,
                              const struct wire_hub_beat *beat)
{
    size_t index;
    if (catalogue_region_index(home->settings.catalogue, region, &index) != 0)
        return false;
    uint32_t ours = home->settings.catalogue->regions[index].shards;
    if (edge_shards_hear(&home->shards[index], ours, beat->shards, home->now_ms))
        log_error("a region has another number of shards than the catalogue says: "
                  "nothing is sent to it",
                  LOG_TEXT("region", region), LOG_TEXT("hub", beat->hub),
                  LOG_U64("catalogue", ours), LOG_U64("region_has", beat->shards));
    return beat->shards == ours;
}

/* False: the beat is of another log than the one known, whose owner is still heard. */
static bool place_log_is_same(struct edge_home *home, struct edge_home_place *place,
                              const struct wire_hub_beat *beat)
{
    static struct log_limit limit;
    bool same = memcmp(place->incarnation, beat->incarnation, sizeof place->incarnation) == 0;
    if (place->heard && !same) {
        bool over = home->now_ms - place->beat_ms >= EDGE_HOME_SILENT_MS;
        log_limited(&limit, over ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR,
                    over ? "a log was begun anew: its owner is believed from now on"
                         : "two owners of a shard serve different logs: the second is not believed",
                    LOG_TEXT("hub", beat->hub), LOG_U64("shard", beat->shard));
        if (!over)
            return false;
        place->generation = 0; /* what is known of generations is of another log */
    }
    memcpy(place->incarnation, beat->incarnation, sizeof place->incarnation);
    return true;
}

/* False: the beat is of an owner that was deposed. Who goes on for long while nobody else is heard
 * was not: then the log was put back to an older state, and its generations with it. */
static bool place_owner_counts(struct edge_home *home, struct edge_home_place *place,
                               const struct wire_hub_beat *beat)
{
    if (beat->generation >= place->generation) {
        place->lower_ms = 0;
        return true;
    }
    if (home->now_ms - place->beat_ms < EDGE_HOME_SILENT_MS) {
        place->lower_ms = 0;
        return false;
    }
    if (place->lower_ms == 0)
        place->lower_ms = home->now_ms;
    if (home->now_ms - place->lower_ms < LOWER_BELIEVED_MS)
        return false;
    log_warning("only an owner of a lower generation is heard: its log was put back, and it is "
                "believed from now on",
                LOG_TEXT("hub", beat->hub), LOG_U64("shard", beat->shard));
    place->lower_ms = 0;
    place->generation = 0;
    return true;
}

void edge_home_beat(struct edge_home *home, struct text region, const struct wire_hub_beat *beat,
                    int64_t now_ms)
{
    home->now_ms = now_ms;
    struct edge_home_place *place = home_shards_agree(home, region, beat)
                                        ? edge_home_place_named(home, region, beat->shard)
                                        : NULL;
    if (place == NULL || !place_log_is_same(home, place, beat) ||
        !place_owner_counts(home, place, beat))
        return;
    bool was_silent = place->silent;
    bool same = beat->generation == place->generation;
    place->heard = true;
    place->silent = false;
    place->beat_ms = now_ms;
    place->log_permille = beat->log_permille;
    place->lag_ms = beat->lag_ms;
    if (text_equal(region, text_of(home->settings.region->name)))
        home_take_outboxes(home, beat);
    if (!edge_home_place_hear(home, place, beat->generation))
        return;
    if (was_silent && same)
        edge_home_place_attach_again(home, place);
    else if (same)
        place_compare(home, place, beat);
}

enum edge_route edge_home_route(const struct edge_home *home, size_t region, uint32_t shard,
                                const struct edge_route_limits *limits, int64_t now_ms)
{
    if (home->shards[region].differ)
        return EDGE_ROUTE_SHARDS_DIFFER;
    uint32_t shards = home->settings.region->shards;
    bool is_here = region == home->here;
    uint32_t speaker = is_here ? shard : shard % shards;
    const struct edge_home_place *place =
        &home->places[edge_places_of(&home->numbers, home->here, speaker)];
    if (!place->heard || now_ms - place->beat_ms > BEAT_IS_NEWS_MS)
        return EDGE_ROUTE_OPEN;
    if (is_here) {
        if (place->log_permille >= limits->full_permille)
            return EDGE_ROUTE_FULL;
        return place->lag_ms > limits->lag_max_ms ? EDGE_ROUTE_LAGGING : EDGE_ROUTE_OPEN;
    }
    const struct edge_home_outbox *outbox =
        &home->outboxes[speaker * home->settings.catalogue->region_count + region];
    if (outbox->permille >= limits->full_permille)
        return EDGE_ROUTE_FULL;
    if ((int64_t)outbox->oldest_s * 1000 >= limits->backlog_ms)
        return EDGE_ROUTE_BACKLOGGED;
    return EDGE_ROUTE_OPEN;
}

int edge_home_silent_shard(const struct edge_home *home, int64_t now_ms, int64_t silent_ms)
{
    for (uint32_t shard = 0; shard < home->settings.region->shards; shard++) {
        const struct edge_home_place *place =
            &home->places[edge_places_of(&home->numbers, home->here, shard)];
        if (!place->heard || now_ms - place->beat_ms >= silent_ms)
            return (int)shard;
    }
    return -ENOENT;
}

bool edge_home_shards_differ(const struct edge_home *home, size_t region)
{
    return home->shards[region].differ;
}
