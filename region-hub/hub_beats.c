#include "region-hub/hub_beats.h"

#include "base/clock.h"
#include "bus/bus.h"
#include "loop/loop.h"
#include "region-hub/hub_apply.h"
#include "region-hub/hub_forwarder.h"
#include "region-hub/hub_presence.h"
#include "region-hub/hub_stream.h"
#include "region-hub/hub_writer.h"
#include "wire/beat.h"

#include <stdlib.h>
#include <string.h>

enum { DIRECTORY_BEAT_MS = 1000, INFO_TIMEOUT_MS = 2000 };

struct hub_beats {
    struct hub_beats_settings settings;
    uint64_t generation; /* 0: quiet */
    const struct hub_forwarder *forwarder;
    struct loop_timer beat;
    struct loop_timer directory_beat;
    uint64_t directory_beats;
    int64_t ticked_ms;
    struct bus_request info;
    int64_t info_ms;
    uint16_t log_permille;
    struct buffer scratch;
};

static int64_t now_of(const struct hub_beats *beats)
{
    return loop_now_ms(beats->settings.loop);
}

/* --- the beat --- */

struct lane_list {
    struct wire_lane lanes[WIRE_BEAT_LANES_MAX];
    size_t count;
};

static void add_lane(void *context, struct text source, const uint8_t incarnation[16],
                     uint64_t sequence)
{
    struct lane_list *list = context;
    if (list->count == WIRE_BEAT_LANES_MAX)
        return;
    struct wire_lane *lane = &list->lanes[list->count++];
    *lane = (struct wire_lane){.source = source, .sequence = sequence};
    memcpy(lane->incarnation, incarnation, sizeof lane->incarnation);
}

static size_t gather_edges(const struct hub_presence *presence, struct wire_edge_count *ret_edges,
                           size_t max)
{
    size_t count = 0;
    const struct hub_edge *edge;
    for (size_t i = 0; count < max && (edge = hub_presence_edge_at(presence, i)) != NULL; i++)
        if (edge->attached > 0)
            ret_edges[count++] = (struct wire_edge_count){
                .edge = text_of(edge->name), .attached = edge->attached, .digest = edge->digest};
    return count;
}

static struct wire_hub_beat beat_of(const struct hub_beats *beats)
{
    const struct hub_shard_place *place = beats->settings.place;
    struct mailbox_state state = mailbox_state(hub_apply_mailbox(beats->settings.apply));
    struct wire_hub_beat beat = {
        .hub = text_of(place->settings->name),
        .start = place->start,
        .generation = beats->generation,
        .applied = state.position,
        .head = hub_apply_head(beats->settings.apply),
        .shard = (uint16_t)place->shard,
        .shards = state.shards, /* of the log's genesis: what is true, whatever catalogues say */
        .level = (uint8_t)place->settings->level_max,
        .log_permille = beats->log_permille,
        .lag_ms = (uint32_t)hub_apply_lag_ms(beats->settings.apply),
    };
    memcpy(beat.incarnation, state.incarnation, sizeof beat.incarnation);
    return beat;
}

static void send_beat(struct hub_beats *beats)
{
    const struct hub_shard_place *place = beats->settings.place;
    struct wire_hub_beat beat = beat_of(beats);
    struct lane_list lanes = {.count = 0};
    mailbox_each_lane(hub_apply_mailbox(beats->settings.apply), &lanes, add_lane);
    struct wire_outbox outboxes[CATALOGUE_REGIONS_MAX];
    size_t outbox_count = 0;
    if (beats->forwarder != NULL)
        outbox_count =
            hub_forwarder_outboxes(beats->forwarder, clock_wall_ms(), outboxes, COUNT_OF(outboxes));
    struct wire_edge_count edges[WIRE_BEAT_EDGES_MAX];
    size_t edge_count = gather_edges(beats->settings.presence, edges, COUNT_OF(edges));
    if (beat.shard >= beat.shards) /* the log's genesis is of another region's shape */
        return;
    buffer_clear(&beats->scratch);
    if (wire_hub_beat_write(&beats->scratch, &beat, lanes.lanes, lanes.count, outboxes,
                            outbox_count, edges, edge_count) != 0)
        return;
    struct wire_name subject = wire_hub_beat_subject(place->region->name, place->shard);
    /* One that is lost is followed by the next. */
    if (bus_publish(beats->settings.bus, subject.text, NULL, beats->scratch.data,
                    beats->scratch.size) != 0)
        return;
}

static void on_beat(struct loop_timer *timer)
{
    struct hub_beats *beats = container_of(timer, struct hub_beats, beat);
    if (beats->generation == 0 || hub_apply_mailbox(beats->settings.apply) == NULL)
        return;
    send_beat(beats);
    loop_timer_set(beats->settings.loop, timer, beats->settings.place->settings->beat_ms);
}

/* --- the directory's --- */

static void on_directory_beat(struct loop_timer *timer)
{
    struct hub_beats *beats = container_of(timer, struct hub_beats, directory_beat);
    if (beats->generation == 0)
        return;
    uint8_t number[8];
    uint64_t count = ++beats->directory_beats;
    for (size_t i = 0; i < sizeof number; i++)
        number[i] = (uint8_t)(count >> (8 * i));
    loop_timer_set(beats->settings.loop, timer, DIRECTORY_BEAT_MS);
    struct wire_bucket bucket = {.of = beats->settings.place->catalogue->directory_buckets};
    for (; bucket.number < bucket.of; bucket.number++) {
        struct wire_name subject = wire_directory_beat(bucket);
        if (bus_publish(beats->settings.bus, subject.text, NULL, number, sizeof number) != 0)
            return; /* the mirrors are believed to be behind until the next one */
    }
}

bool hub_beats_for_directory(const struct hub_shard_place *place)
{
    return place->shard == 0 && strcmp(place->region->name, place->catalogue->primary) == 0;
}

/* --- ticks, and how full the log is --- */

static void tick_when_due(struct hub_beats *beats)
{
    if (now_of(beats) - beats->ticked_ms < beats->settings.place->settings->tick_ms ||
        !hub_apply_is_sure(beats->settings.apply))
        return;
    struct mailbox_state state = mailbox_state(hub_apply_mailbox(beats->settings.apply));
    const struct wire_tick tick = {
        .generation = beats->generation, .position = state.position, .hash = state.hash};
    beats->ticked_ms = now_of(beats);
    if (hub_writer_tick(beats->settings.writer, &tick) != 0)
        return; /* the queue is full of other records, which carry the time as well */
}

static bool on_info(struct bus_request *request, enum bus_outcome outcome,
                    const struct bus_message *message)
{
    struct hub_beats *beats = container_of(request, struct hub_beats, info);
    struct hub_stream_info info;
    if (outcome == BUS_ANSWER &&
        hub_stream_info_read((struct text){(const char *)message->data, message->size}, &info) == 0)
        beats->log_permille = hub_stream_permille(&info);
    return false;
}

static void ask_info_when_due(struct hub_beats *beats)
{
    const struct hub_shard_place *place = beats->settings.place;
    if (beats->info.bus != NULL || now_of(beats) - beats->info_ms < place->settings->stream_info_ms)
        return;
    beats->info_ms = now_of(beats);
    struct wire_name stream = wire_log_stream(place->region->name, place->shard);
    if (hub_stream_info(beats->settings.bus, &beats->info, stream.text, INFO_TIMEOUT_MS) != 0)
        return; /* not now: the last figure stands */
}

void hub_beats_keep(struct hub_beats *beats)
{
    if (beats->generation == 0 || hub_apply_mailbox(beats->settings.apply) == NULL)
        return;
    tick_when_due(beats);
    ask_info_when_due(beats);
}

/* --- from outside --- */

void hub_beats_serve(struct hub_beats *beats, uint64_t generation)
{
    beats->generation = generation;
    beats->ticked_ms = now_of(beats);
    if (generation != 0)
        return;
    beats->forwarder = NULL;
    loop_timer_stop(beats->settings.loop, &beats->beat);
    loop_timer_stop(beats->settings.loop, &beats->directory_beat);
}

void hub_beats_begin(struct hub_beats *beats, const struct hub_forwarder *forwarder)
{
    beats->forwarder = forwarder;
    on_beat(&beats->beat);
    if (hub_beats_for_directory(beats->settings.place))
        on_directory_beat(&beats->directory_beat);
}

uint16_t hub_beats_log_permille(const struct hub_beats *beats)
{
    return beats->log_permille;
}

struct hub_beats *hub_beats_new(const struct hub_beats_settings *settings)
{
    struct hub_beats *beats = calloc(1, sizeof *beats);
    if (beats == NULL)
        return NULL;
    beats->settings = *settings;
    beats->beat.on_due = on_beat;
    beats->directory_beat.on_due = on_directory_beat;
    beats->info.on_answer = on_info;
    beats->info_ms = now_of(beats) - settings->place->settings->stream_info_ms;
    return beats;
}

void hub_beats_free(struct hub_beats *beats)
{
    if (beats == NULL)
        return;
    loop_timer_stop(beats->settings.loop, &beats->beat);
    loop_timer_stop(beats->settings.loop, &beats->directory_beat);
    bus_request_cancel(&beats->info);
    buffer_free(&beats->scratch);
    free(beats);
}
