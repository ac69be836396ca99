#include "region-hub/hub_forwarder_internal.h"

#include <stdlib.h>
#include <string.h>

/* --- from outside --- */

uint64_t hub_forwarder_regressed(const struct hub_forwarder *forwarder)
{
    uint64_t count = 0;
    for (size_t i = 0; i < forwarder->outbox_count; i++)
        count += hub_outbox_is_regressed(&forwarder->outboxes[i]);
    return count;
}

void hub_forwarder_connected(struct hub_forwarder *forwarder)
{
    for (size_t i = 0; i < forwarder->outbox_count; i++)
        forwarder->outboxes[i].info_ms =
            hub_forwarder_now_ms(forwarder) - forwarder->settings.settings->stream_info_ms;
    for (size_t i = 0; i < forwarder->lane_count; i++)
        if (forwarder->lanes[i].reroute != NULL)
            hub_reroute_connected(forwarder->lanes[i].reroute);
}

void hub_forwarder_tick(struct hub_forwarder *forwarder)
{
    for (size_t i = 0; i < forwarder->outbox_count; i++)
        hub_outbox_ask(&forwarder->outboxes[i]);
    for (size_t i = 0; i < forwarder->lane_count; i++) {
        hub_lane_tick(&forwarder->lanes[i].lane, hub_forwarder_now_ms(forwarder));
        hub_forwarder_follow(&forwarder->lanes[i]);
        hub_outbox_trim(&forwarder->lanes[i]);
        hub_forwarder_watch(&forwarder->lanes[i]);
    }
}

void hub_forwarder_heard(struct hub_forwarder *forwarder, struct text region,
                         const struct wire_hub_beat *beat)
{
    static const uint8_t nothing[16];
    const uint8_t *incarnation = nothing;
    uint64_t sequence = 0;
    struct wire_lane at;
    struct wire_cursor lanes = beat->lanes;
    while (wire_lane_next(&lanes, &at)) {
        if (!text_equal(at.source, text_of(forwarder->settings.region->name)))
            continue;
        incarnation = at.incarnation;
        sequence = at.sequence;
        break;
    }
    for (size_t i = 0; i < forwarder->lane_count; i++) {
        struct hub_forwarder_lane *lane = &forwarder->lanes[i];
        if (lane->shard != beat->shard || !text_equal(text_of(lane->outbox->to->name), region))
            continue;
        hub_lane_heard(&lane->lane, beat->applied, incarnation, sequence,
                       hub_forwarder_now_ms(forwarder));
        hub_forwarder_follow(lane);
    }
}

bool hub_forwarder_puback(struct hub_forwarder *forwarder, uint64_t number,
                          const struct bus_puback *ack)
{
    uint64_t place = number >> HUB_FORWARDER_TAG_SHIFT;
    for (size_t i = 0; place == 0 && i < forwarder->lane_count; i++)
        if (forwarder->lanes[i].reroute != NULL &&
            hub_reroute_puback(forwarder->lanes[i].reroute, number, ack))
            return true;
    if (place == 0 || place > forwarder->lane_count)
        return false;
    struct hub_forwarder_lane *lane = &forwarder->lanes[place - 1];
    if (ack->position == 0)
        log_limited(&lane->limit, LOG_LEVEL_WARNING, "a home refused a batch",
                    LOG_STRING("to", lane->to.text), LOG_I64("err_code", ack->err_code),
                    LOG_STRING("why", ack->description));
    hub_lane_puback(&lane->lane, number, ack->position, hub_forwarder_now_ms(forwarder));
    hub_forwarder_follow(lane);
    return true;
}

size_t hub_forwarder_outboxes(const struct hub_forwarder *forwarder, int64_t wall_ms,
                              struct wire_outbox *ret_outboxes, size_t max)
{
    size_t count = forwarder->outbox_count < max ? forwarder->outbox_count : max;
    for (size_t i = 0; i < count; i++) {
        const struct hub_outbox *outbox = &forwarder->outboxes[i];
        int64_t oldest_ms = 0;
        for (size_t j = 0; j < forwarder->lane_count; j++) {
            int64_t lane_ms = hub_lane_oldest_ms(&forwarder->lanes[j].lane);
            if (forwarder->lanes[j].outbox == outbox && lane_ms != 0 &&
                (oldest_ms == 0 || lane_ms < oldest_ms))
                oldest_ms = lane_ms;
        }
        ret_outboxes[i] = (struct wire_outbox){
            .destination = text_of(outbox->to->name),
            .permille = hub_outbox_is_regressed(outbox) ? 1000 : outbox->permille,
            .oldest_s = oldest_ms == 0 || oldest_ms > wall_ms
                            ? 0
                            : (uint32_t)((wall_ms - oldest_ms) / 1000),
        };
    }
    return count;
}

/* --- making and freeing --- */

static bool open_outbox(struct hub_forwarder *forwarder, const struct catalogue_region *to)
{
    const struct catalogue_region *here = forwarder->settings.region;
    struct hub_outbox *outbox = &forwarder->outboxes[forwarder->outbox_count++];
    hub_outbox_open(forwarder, outbox, to);
    bool opened = true;
    for (unsigned shard = 0; shard < to->shards && opened; shard++)
        if (shard % here->shards == forwarder->settings.shard)
            opened = hub_forwarder_open_lane(forwarder, outbox, shard);
    return opened;
}

struct hub_forwarder *hub_forwarder_new(const struct hub_forwarder_settings *settings)
{
    const struct catalogue *catalogue = settings->catalogue;
    struct hub_forwarder *forwarder = calloc(1, sizeof *forwarder);
    if (forwarder == NULL)
        return NULL;
    forwarder->settings = *settings;
    forwarder->outboxes = calloc(catalogue->region_count, sizeof forwarder->outboxes[0]);
    forwarder->lanes =
        calloc(catalogue->region_count * CATALOGUE_SHARDS_MAX, sizeof forwarder->lanes[0]);
    bool opened = forwarder->outboxes != NULL && forwarder->lanes != NULL;
    for (size_t i = 0; i < catalogue->region_count && opened; i++)
        if (strcmp(catalogue->regions[i].name, settings->region->name) != 0)
            opened = open_outbox(forwarder, &catalogue->regions[i]);
    if (!opened) {
        hub_forwarder_free(forwarder);
        return NULL;
    }
    for (size_t i = 0; i < forwarder->lane_count; i++)
        hub_forwarder_follow(&forwarder->lanes[i]);
    return forwarder;
}

void hub_forwarder_free(struct hub_forwarder *forwarder)
{
    if (forwarder == NULL)
        return;
    for (size_t i = 0; forwarder->lanes != NULL && i < forwarder->lane_count; i++)
        hub_forwarder_close_lane(&forwarder->lanes[i]);
    for (size_t i = 0; forwarder->outboxes != NULL && i < forwarder->outbox_count; i++)
        hub_outbox_close(&forwarder->outboxes[i]);
    free(forwarder->lanes);
    free(forwarder->outboxes);
    free(forwarder);
}
