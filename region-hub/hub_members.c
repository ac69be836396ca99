#include "region-hub/hub_members.h"

#include "bus/bus.h"
#include "log/log.h"
#include "loop/loop.h"
#include "region-hub/hub_alarms.h"
#include "region-hub/hub_apply.h"
#include "region-hub/hub_levels.h"
#include "region-hub/hub_writer.h"
#include "wire/member.h"

#include <stdlib.h>
#include <string.h>

enum {
    BEAT_MS = 1000,
    RAISE_AGAIN_MS = 5000, /* a config record that has not been applied */
};

struct hub_members {
    struct hub_members_settings settings;
    struct hub_levels levels;
    struct bus_subscription *beats;
    struct loop_timer beat;
    int64_t raised_ms; /* when a config record was written last */
    struct buffer scratch;
};

static int64_t now_of(const struct hub_members *members)
{
    return loop_now_ms(members->settings.loop);
}

static uint8_t level_of(const struct hub_members *members)
{
    return (uint8_t)members->settings.place->settings->level_max;
}

/* --- what this hub tells --- */

static size_t gather_alarms(const struct hub_members *members, struct wire_alarm *ret_alarms)
{
    size_t count = 0;
    for (enum hub_alarm which = 0; which < HUB_ALARMS; which++) {
        struct hub_alarm_now now;
        if (!hub_alarms_get(members->settings.alarms, which, &now))
            continue;
        ret_alarms[count++] = (struct wire_alarm){
            .name = text_of(now.row->name),
            .severity = (uint8_t)now.row->severity,
            .since_s = (uint32_t)((now_of(members) - now.since_ms) / 1000),
            .count = now.count,
            .position = now.position,
        };
    }
    return count;
}

static struct wire_member_beat beat_of(const struct hub_members *members)
{
    const struct hub_shard_place *place = members->settings.place;
    struct hub_apply *apply = members->settings.apply;
    struct wire_member_beat beat = {
        .level = level_of(members),
        .shard = (uint16_t)place->shard,
        .shards = (uint16_t)place->region->shards,
        .start = place->start,
        .head = hub_apply_head(apply),
        .hub = text_of(place->settings->name),
        .trouble = TEXT(""),
    };
    if (hub_apply_mailbox(apply) == NULL)
        return beat;
    struct mailbox_state state = mailbox_state(hub_apply_mailbox(apply));
    beat.log_level = state.position == 0 ? 0 : state.config.level;
    beat.generation = state.generation;
    beat.applied = state.position;
    beat.lag_ms = (uint32_t)hub_apply_lag_ms(apply);
    memcpy(beat.incarnation, state.incarnation, sizeof beat.incarnation);
    return beat;
}

static void on_beat(struct loop_timer *timer)
{
    struct hub_members *members = container_of(timer, struct hub_members, beat);
    const struct hub_shard_place *place = members->settings.place;
    struct wire_alarm alarms[HUB_ALARMS];
    struct wire_member_beat beat = beat_of(members);
    loop_timer_set(members->settings.loop, timer, BEAT_MS);
    members->settings.fill(members->settings.context, &beat);
    hub_levels_heard(&members->levels, beat.hub, beat.level, now_of(members));
    size_t count = gather_alarms(members, alarms);
    buffer_clear(&members->scratch);
    if (wire_member_beat_write(&members->scratch, &beat, alarms, count) != 0)
        return;
    struct wire_name subject =
        wire_member_beat_subject(place->region->name, place->shard, place->settings->name);
    /* One that is lost is followed by the next. */
    if (bus_publish(members->settings.bus, subject.text, NULL, members->scratch.data,
                    members->scratch.size) != 0)
        return;
}

/* --- what it hears --- */

static void on_heard(void *context, const struct bus_message *message)
{
    struct hub_members *members = context;
    struct wire_member_beat beat;
    if (wire_member_beat_read(message->data, message->size, &beat) == 0 &&
        beat.shard == members->settings.place->shard)
        hub_levels_heard(&members->levels, beat.hub, beat.level, now_of(members));
}

void hub_members_keep(struct hub_members *members)
{
    const struct hub_shard_place *place = members->settings.place;
    int64_t now_ms = now_of(members);
    if (hub_apply_mailbox(members->settings.apply) == NULL ||
        now_ms - members->raised_ms < RAISE_AGAIN_MS)
        return;
    struct wire_config config = mailbox_state(hub_apply_mailbox(members->settings.apply)).config;
    uint8_t common = hub_levels_common(&members->levels, now_ms);
    if (common > level_of(members)) /* its own beat says so; never above it */
        common = level_of(members);
    if (common <= config.level)
        return;
    members->raised_ms = now_ms;
    log_info("all hubs of the region know a higher level: the log is raised to it",
             LOG_STRING("region", place->region->name), LOG_U64("shard", place->shard),
             LOG_U64("from", config.level), LOG_U64("to", common));
    config.level = common;
    if (hub_writer_config(members->settings.writer, &config) != 0)
        return; /* the queue is full: a little later */
}

/* --- making and freeing --- */

struct hub_members *hub_members_new(const struct hub_members_settings *settings)
{
    const struct hub_shard_place *place = settings->place;
    struct hub_members *members = calloc(1, sizeof *members);
    if (members == NULL)
        return NULL;
    members->settings = *settings;
    members->levels.region = place->region;
    members->beat.on_due = on_beat;
    members->raised_ms = now_of(members) - RAISE_AGAIN_MS;
    struct wire_name subjects = wire_member_beats_of(place->region->name, place->shard);
    members->beats = bus_subscribe(settings->bus, subjects.text, on_heard, members);
    if (members->beats == NULL) {
        hub_members_free(members);
        return NULL;
    }
    loop_timer_set(settings->loop, &members->beat, BEAT_MS);
    return members;
}

void hub_members_free(struct hub_members *members)
{
    if (members == NULL)
        return;
    loop_timer_stop(members->settings.loop, &members->beat);
    bus_unsubscribe(members->beats);
    buffer_free(&members->scratch);
    free(members);
}
