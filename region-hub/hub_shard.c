#include "region-hub/hub_shard.h"

#include "base/clock.h"
#include "base/hash.h"
#include "bus/bus_stream.h"
#include "log/log.h"
#include "loop/loop.h"
#include "region-hub/hub_acks.h"
#include "region-hub/hub_alarms.h"
#include "region-hub/hub_apply.h"
#include "region-hub/hub_beats.h"
#include "region-hub/hub_checkpoint.h"
#include "region-hub/hub_claims.h"
#include "region-hub/hub_delivery.h"
#include "region-hub/hub_forwarder.h"
#include "region-hub/hub_members.h"
#include "region-hub/hub_notices.h"
#include "region-hub/hub_ownership.h"
#include "region-hub/hub_presence.h"
#include "region-hub/hub_reads.h"
#include "region-hub/hub_service.h"
#include "region-hub/hub_trim.h"
#include "region-hub/hub_writer.h"
#include "wire/beat.h"
#include "wire/member.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    HOUSEKEEPING_MS = 50,
    CHALLENGE_AGAIN_MS = 5000,
    MISROUTED_MS = 600000, /* that long after the last one the alarm is over */
    DEAF_MS =
        500, /* many times the housekeeping: the process was paused, or the thread kept busy */
    PATH_SIZE = 768,
    NAME_SIZE = TEXT_PROCESS_MAX + 16,
};

struct hub_shard {
    struct hub_shard_place place;
    const struct hub_settings *settings;
    pthread_t thread;
    char process[NAME_SIZE]; /* "<hub>-<shard>": connection, inbox and PubAcks */
    char view_path[PATH_SIZE];
    char marker_path[PATH_SIZE];
    char checkpoint_path[PATH_SIZE];
    struct buffer urls;

    struct loop *loop;
    struct bus *bus;
    struct hub_apply *apply;
    struct hub_checkpoint *checkpoint;
    struct hub_presence *presence;
    struct hub_delivery *delivery;
    struct hub_acks *acks;
    struct hub_claims *claims;
    struct hub_service *service;
    struct hub_writer *writer;
    struct hub_beats *beats;
    struct hub_members *members;
    struct hub_alarms alarms;
    uint64_t misrouted; /* since it was quiet for MISROUTED_MS */
    int64_t misrouted_ms;
    struct hub_writer **passers; /* to the region's other shards, made when needed */
    struct hub_reads reads;
    struct hub_ownership ownership;
    struct hub_trim trim;

    /* While it serves. */
    uint64_t generation; /* 0: it does not */
    struct hub_forwarder *forwarder;
    struct hub_notices *notices;
    struct bus_subscription *requests;
    struct bus_subscription *edge_beats;

    struct bus_subscription *doorbell;
    struct bus_subscription *pubacks;
    struct bus_subscription *hub_beats;
    struct loop_timer housekeeping;
    struct loop_timer leave_timer;
    struct loop_later end_service; /* frees what served, outside of its own callbacks */
    struct loop_later begin_service;
    struct loop_later write_acks;
    struct log_limit passed_on_limit;

    struct loop_message stop;
    bool orderly;
    bool stopping;

    /* What other threads read. */
    _Atomic bool connected;
    _Atomic bool ready;
    _Atomic bool stopped;
    _Atomic unsigned state;
    _Atomic(const char *) reason;
    _Atomic(const char *) warning;
    _Atomic uint64_t position;
    _Atomic uint64_t generation_now;
    _Atomic uint64_t attached;
    _Atomic uint8_t log_level;
};

static int64_t now_of(const struct hub_shard *shard)
{
    return loop_now_ms(shard->loop);
}

/* --- status --- */

/* A shard that is stopped may have another log than its view: nothing of it is archived. */
static void tell_archiver(struct hub_shard *shard)
{
    const struct mailbox *mailbox = hub_apply_mailbox(shard->apply);
    if (mailbox == NULL)
        return;
    const struct mailbox_state state = mailbox_state(mailbox);
    const struct hub_archiver_news news = {
        .owns = shard->generation != 0 && !hub_apply_is_stopped(shard->apply),
        .incarnation = state.position > 0 ? state.incarnation : NULL,
        .row = state.rows,
    };
    hub_archiver_tell(shard->place.archiver, shard->place.shard, &news);
}

static void tell_status(struct hub_shard *shard)
{
    const char *trouble = hub_apply_trouble(shard->apply);
    bool connected = bus_is_connected(shard->bus);
    if (trouble == NULL && !connected)
        trouble = "bus_not_connected";
    atomic_store(&shard->connected, connected);
    atomic_store(&shard->stopped, hub_apply_is_stopped(shard->apply));
    atomic_store(&shard->ready, trouble == NULL);
    atomic_store(&shard->reason, trouble == NULL ? "" : trouble);
    atomic_store(&shard->warning, hub_checkpoint_warning(shard->checkpoint));
    atomic_store(&shard->state, (unsigned)shard->ownership.state);
    atomic_store(&shard->position, hub_apply_position(shard->apply));
    atomic_store(&shard->generation_now, shard->ownership.generation);
    atomic_store(&shard->attached, hub_presence_attached(shard->presence));
    tell_archiver(shard);
    const struct mailbox *mailbox = hub_apply_mailbox(shard->apply);
    if (mailbox != NULL && mailbox_state(mailbox).position > 0)
        atomic_store(&shard->log_level, mailbox_state(mailbox).config.level);
}

static void judge_alarms(struct hub_shard *shard)
{
    const struct mailbox *mailbox = hub_apply_mailbox(shard->apply);
    const struct view *view = hub_apply_view(shard->apply);
    const char *trouble = hub_apply_trouble(shard->apply);
    bool stopped = hub_apply_is_stopped(shard->apply);
    if (now_of(shard) - shard->misrouted_ms >= MISROUTED_MS)
        shard->misrouted = 0;
    struct hub_alarm_facts facts = {
        .stopped = stopped ? trouble : NULL,
        .trouble = stopped ? NULL : trouble,
        .position = hub_apply_position(shard->apply),
        .quarantined = view == NULL ? 0 : view_quarantined(view),
        .quarantine_position = view == NULL ? 0 : view_quarantined_last(view),
        .misrouted = shard->misrouted,
        .outboxes_regressed =
            shard->forwarder == NULL ? 0 : hub_forwarder_regressed(shard->forwarder),
    };
    facts.lane_holes = hub_holes_long(hub_apply_holes(shard->apply), shard->settings->lane_hole_ms,
                                      &facts.lane_hole_position);
    if (mailbox != NULL) {
        struct mailbox_state state = mailbox_state(mailbox);
        facts.notices_dropped = state.notices_dropped;
        if (state.checkpoint_position != 0)
            facts.checkpoint_age_ms = state.time_ms - state.checkpoint_ms;
    }
    hub_alarms_judge(&shard->alarms, &facts, now_of(shard));
}

static void fill_member_beat(void *context, struct wire_member_beat *beat)
{
    struct hub_shard *shard = context;
    bool stopped = hub_apply_is_stopped(shard->apply);
    const char *reason = atomic_load(&shard->reason);
    beat->flags = (uint8_t)((shard->generation != 0 ? WIRE_MEMBER_SERVES : 0) |
                            (atomic_load(&shard->ready) ? WIRE_MEMBER_READY : 0) |
                            (stopped ? WIRE_MEMBER_STOPPED : 0));
    beat->trouble = text_of(reason);
    if (shard->generation != 0)
        beat->log_permille = hub_beats_log_permille(shard->beats);
}

const struct hub_alarms *hub_shard_alarms(const struct hub_shard *shard)
{
    return &shard->alarms;
}

struct hub_shard_status hub_shard_status(const struct hub_shard *shard)
{
    return (struct hub_shard_status){
        .connected = atomic_load(&shard->connected),
        .ready = atomic_load(&shard->ready),
        .stopped = atomic_load(&shard->stopped),
        .state = hub_ownership_state_name((enum hub_ownership_state)atomic_load(&shard->state)),
        .reason = atomic_load(&shard->reason),
        .warning = atomic_load(&shard->warning),
        .position = atomic_load(&shard->position),
        .generation = atomic_load(&shard->generation_now),
        .attached = atomic_load(&shard->attached),
        .log_level = atomic_load(&shard->log_level),
    };
}

/* --- serving --- */

static void on_request(void *context, const struct bus_message *message)
{
    struct hub_shard *shard = context;
    hub_service_message(shard->service, message);
    loop_later(shard->loop, &shard->write_acks);
}

static void on_edge_beat(void *context, const struct bus_message *message)
{
    struct hub_shard *shard = context;
    hub_service_edge_beat(shard->service, message);
}

static struct hub_notices *make_notices(struct hub_shard *shard)
{
    uint64_t number;
    hash_random(&number, sizeof number);
    return hub_notices_new(&(struct hub_notices_settings){
        .loop = shard->loop,
        .bus = shard->bus,
        .settings = shard->settings,
        .catalogue = shard->place.catalogue,
        .region = shard->place.region,
        .apply = shard->apply,
        .writer = shard->writer,
        .process = shard->process,
        .generation = shard->generation,
        .first_number = number >> 17, /* below the numbers of lanes */
    });
}

/* At the end of the turn in which the own record was applied. */
static void on_begin_service(struct loop_later *later)
{
    struct hub_shard *shard = container_of(later, struct hub_shard, begin_service);
    if (shard->generation == 0 || shard->forwarder != NULL)
        return;
    struct wire_name requests = wire_hub_subjects(shard->place.region->name, shard->place.shard);
    uint64_t number;
    hash_random(&number, sizeof number);
    shard->requests = bus_subscribe(shard->bus, requests.text, on_request, shard);
    shard->edge_beats = bus_subscribe(shard->bus, WIRE_EDGE_BEATS, on_edge_beat, shard);
    shard->forwarder = hub_forwarder_new(&(struct hub_forwarder_settings){
        .loop = shard->loop,
        .bus = shard->bus,
        .settings = shard->settings,
        .catalogue = shard->place.catalogue,
        .region = shard->place.region,
        .shard = shard->place.shard,
        .process = shard->process,
        .first_number = number,
    });
    shard->notices = make_notices(shard);
    if (shard->requests == NULL || shard->edge_beats == NULL || shard->forwarder == NULL ||
        shard->notices == NULL)
        log_error("memory is short: this shard is owned and not served",
                  LOG_U64("shard", shard->place.shard));
    hub_beats_begin(shard->beats, shard->forwarder); /* edges attach when they hear it */
}

static void on_end_service(struct loop_later *later)
{
    struct hub_shard *shard = container_of(later, struct hub_shard, end_service);
    hub_forwarder_free(shard->forwarder);
    hub_notices_free(shard->notices);
    bus_unsubscribe(shard->requests);
    bus_unsubscribe(shard->edge_beats);
    shard->forwarder = NULL;
    shard->notices = NULL;
    shard->requests = shard->edge_beats = NULL;
    hub_claims_reset(shard->claims);
    hub_acks_reset(shard->acks);
    if (shard->generation == 0)
        hub_presence_reset(shard->presence, 0);
    else
        loop_later(shard->loop, &shard->begin_service); /* served again in the same turn */
}

static void serve(struct hub_shard *shard)
{
    uint64_t generation = shard->ownership.generation;
    shard->generation = generation;
    hub_presence_reset(shard->presence, generation);
    hub_delivery_serve(shard->delivery, generation);
    hub_service_serve(shard->service, generation);
    hub_beats_serve(shard->beats, generation);
    loop_later(shard->loop, &shard->begin_service);
    log_info("this hub serves the shard", LOG_STRING("region", shard->place.region->name),
             LOG_U64("shard", shard->place.shard), LOG_U64("generation", generation),
             LOG_U64("position", hub_apply_position(shard->apply)));
}

/* From here on nothing is delivered or answered; the rest is tidied at the end of the turn. */
static void stand_down(struct hub_shard *shard)
{
    if (shard->generation == 0)
        return;
    log_info("this hub does not serve the shard any more",
             LOG_STRING("region", shard->place.region->name), LOG_U64("shard", shard->place.shard),
             LOG_U64("generation", shard->generation), LOG_STRING("owner", shard->ownership.owner));
    shard->generation = 0;
    hub_delivery_serve(shard->delivery, 0);
    hub_service_serve(shard->service, 0);
    hub_beats_serve(shard->beats, 0);
    hub_writer_drop_queue(shard->writer);
    loop_later(shard->loop, &shard->end_service);
}

static void write_own(struct hub_shard *shard, const char *hub)
{
    const struct wire_own own = {
        .hub = text_of(hub),
        .start = shard->place.start,
        .expects = shard->ownership.generation,
    };
    if (hub_writer_own(shard->writer, &own) != 0)
        log_error("memory is short: ownership was not written",
                  LOG_U64("shard", shard->place.shard));
}

static void follow(struct hub_shard *shard, enum hub_ownership_order order)
{
    switch (order) {
    case HUB_ORDER_NONE:
        break;
    case HUB_ORDER_CHALLENGE:
        write_own(shard, shard->settings->name);
        break;
    case HUB_ORDER_SERVE:
        serve(shard);
        break;
    case HUB_ORDER_STAND_DOWN:
        stand_down(shard);
        break;
    case HUB_ORDER_GIVE_UP:
        write_own(shard, "");
        break;
    case HUB_ORDER_LEFT:
        stand_down(shard);
        loop_stop(shard->loop);
        break;
    }
}

/* --- what was applied --- */

static void on_opened(void *context, const struct mailbox_state *state)
{
    struct hub_shard *shard = context;
    shard->trim = (struct hub_trim){0};
    hub_ownership_loaded(&shard->ownership, state->generation, state->owner);
}

static void on_row(void *context, const struct mailbox_row *row)
{
    struct hub_shard *shard = context;
    hub_delivery_row(shard->delivery, row);
}

static void on_acked(void *context, struct text user, struct text device, uint32_t epoch,
                     uint64_t seq)
{
    struct hub_shard *shard = context;
    hub_service_acked(shard->service, user, device, epoch, seq);
}

static void on_read(void *context, const struct wire_read *read)
{
    struct hub_shard *shard = context;
    hub_reads_applied(&shard->reads, read);
}

static void on_owned(void *context, uint64_t generation, struct text hub, uint64_t start)
{
    struct hub_shard *shard = context;
    follow(shard, hub_ownership_applied(&shard->ownership, generation, hub, start, now_of(shard)));
}

static void on_checkpoint(void *context, const struct mailbox *mailbox)
{
    struct hub_shard *shard = context;
    hub_checkpoint_take(shard->checkpoint, mailbox);
}

static void on_applied(void *context, bool caught_up)
{
    struct hub_shard *shard = context;
    if (caught_up)
        hub_ownership_caught_up(&shard->ownership, now_of(shard));
    follow(shard, hub_ownership_tick(&shard->ownership, now_of(shard)));
    if (shard->notices != NULL)
        hub_notices_wake(shard->notices);
}

static void on_fell_behind(void *context)
{
    struct hub_shard *shard = context;
    follow(shard, hub_ownership_fell_behind(&shard->ownership));
}

static void on_dropped(void *context, struct text user, struct text device)
{
    struct hub_shard *shard = context;
    hub_service_dropped(shard->service, user, device);
}

static struct hub_writer *make_writer(struct hub_shard *shard, unsigned to)
{
    uint64_t number;
    hash_random(&number, sizeof number);
    return hub_writer_new(&(struct hub_writer_settings){
        .loop = shard->loop,
        .bus = shard->bus,
        .region = shard->place.region->name,
        .shard = to,
        .process = shard->process,
        .first_number = number >> 17, /* below the numbers of lanes */
        .queue_max_bytes = shard->settings->writer_queue_max_bytes,
        .retry_ms = shard->settings->writer_retry_ms,
        .pace_ms = shard->settings->writer_pace_ms,
    });
}

/* A message in the wrong shard's log: an edge has counted the shards otherwise. The owner passes it
 * on, as far as it can; a repeat by its sender goes the same way, and the home drops what is
 * twice. */
static void on_misrouted(void *context, struct text user, const struct wire_message *message)
{
    struct hub_shard *shard = context;
    unsigned to = hash_shard(user, shard->place.region->shards);
    shard->misrouted++;
    shard->misrouted_ms = now_of(shard);
    log_limited(&shard->passed_on_limit, LOG_LEVEL_WARNING,
                "a message came to the wrong shard and is passed on",
                LOG_U64("shard", shard->place.shard), LOG_U64("to", to));
    if (shard->generation == 0 || to == shard->place.shard)
        return;
    if (shard->passers[to] == NULL)
        shard->passers[to] = make_writer(shard, to);
    if (shard->passers[to] == NULL || hub_writer_message(shard->passers[to], message, user) != 0)
        log_error("a message in the wrong shard's log was not passed on", LOG_U64("to", to),
                  LOG_TEXT("id", message->id));
}

/* --- what is heard --- */

static void on_doorbell(void *context, const struct bus_message *message)
{
    struct hub_shard *shard = context;
    struct bus_puback ack;
    if (bus_puback_read(message, &ack) == 0 && ack.position > 0)
        hub_apply_ring(shard->apply, ack.position);
}

static void on_puback(void *context, const struct bus_message *message)
{
    struct hub_shard *shard = context;
    struct bus_puback ack;
    uint64_t number;
    if (wire_puback_number(message->subject, &number) != 0 || bus_puback_read(message, &ack) != 0)
        return;
    if (shard->forwarder != NULL && hub_forwarder_puback(shard->forwarder, number, &ack))
        return;
    if (shard->notices != NULL && hub_notices_puback(shard->notices, number, &ack))
        return;
    if (hub_writer_is_waiting_for(shard->writer, number)) {
        if (ack.position > 0)
            hub_apply_ring(shard->apply, ack.position);
        hub_writer_puback(shard->writer, &ack);
        loop_later(shard->loop, &shard->write_acks);
        return;
    }
    for (unsigned i = 0; i < shard->place.region->shards; i++)
        if (shard->passers[i] != NULL && hub_writer_is_waiting_for(shard->passers[i], number))
            hub_writer_puback(shard->passers[i], &ack);
}

/* The region of "beat.hub.<r>.<s>". */
static struct text region_of(struct text subject)
{
    static const size_t skip = sizeof "beat.hub." - 1;
    struct text region = {0};
    if (subject.size <= skip)
        return region;
    region.data = subject.data + skip;
    const char *dot = memchr(region.data, '.', subject.size - skip);
    region.size = dot == NULL ? 0 : (size_t)(dot - region.data);
    return region;
}

static void on_hub_beat(void *context, const struct bus_message *message)
{
    struct hub_shard *shard = context;
    struct wire_hub_beat beat;
    if (wire_hub_beat_read(message->data, message->size, &beat) != 0)
        return;
    struct text region = region_of(message->subject);
    if (!text_equal(region, text_of(shard->place.region->name))) {
        if (shard->forwarder != NULL)
            hub_forwarder_heard(shard->forwarder, region, &beat);
        return;
    }
    if (beat.shard != shard->place.shard || beat.start == shard->place.start)
        return;
    if (beat.generation >= shard->ownership.generation && beat.head > 0)
        hub_apply_ring(shard->apply, beat.head); /* a follower's doorbell */
    follow(shard,
           hub_ownership_beat(&shard->ownership, beat.generation, beat.start, now_of(shard)));
}

static void on_state(void *context, bool connected)
{
    struct hub_shard *shard = context;
    if (connected)
        log_info("connected to NATS", LOG_STRING("process", shard->process),
                 LOG_STRING("version", bus_server_version(shard->bus)));
    else
        log_warning("not connected to NATS", LOG_STRING("process", shard->process));
    if (shard->apply == NULL) /* it is being built or freed */
        return;
    if (connected) {
        hub_ownership_deaf(&shard->ownership, now_of(shard));
        hub_apply_connected(shard->apply);
        hub_writer_connected(shard->writer);
        if (shard->forwarder != NULL)
            hub_forwarder_connected(shard->forwarder);
        if (shard->notices != NULL)
            hub_notices_connected(shard->notices);
    }
    tell_status(shard);
}

/* --- housekeeping --- */

static void on_write_acks(struct loop_later *later)
{
    struct hub_shard *shard = container_of(later, struct hub_shard, write_acks);
    struct hub_ack due;
    while (shard->generation != 0 && hub_acks_next(shard->acks, now_of(shard), &due)) {
        const struct wire_ack ack = {.generation = shard->generation,
                                     .user = due.user,
                                     .device = due.device,
                                     .epoch = due.epoch,
                                     .seq = due.seq};
        if (hub_writer_ack(shard->writer, &ack) != 0)
            return; /* the queue is full: they wait */
        hub_acks_written(shard->acks, now_of(shard));
    }
}

static void keep_presence(struct hub_shard *shard)
{
    size_t dropped = hub_presence_expire(shard->presence, now_of(shard));
    if (dropped > 0)
        log_warning("edges are silent: their devices are not attached any more",
                    LOG_U64("shard", shard->place.shard), LOG_U64("dropped", dropped));
    struct hub_attachment *overdue;
    while ((overdue = hub_presence_overdue(shard->presence, now_of(shard))) != NULL)
        hub_delivery_pump(shard->delivery, overdue);
}

static void keep_checkpoints(struct hub_shard *shard)
{
    struct mailbox_state state = mailbox_state(hub_apply_mailbox(shard->apply));
    if (state.generation == shard->generation)
        hub_checkpoint_serve(shard->checkpoint, shard->writer, &state,
                             hub_apply_begun_ms(shard->apply));
}

static void on_housekeeping(struct loop_timer *timer)
{
    struct hub_shard *shard = container_of(timer, struct hub_shard, housekeeping);
    loop_timer_set(shard->loop, timer, HOUSEKEEPING_MS);
    if (hub_apply_mailbox(shard->apply) != NULL) {
        follow(shard, hub_ownership_tick(&shard->ownership, now_of(shard)));
        if (shard->generation != 0) {
            keep_presence(shard);
            on_write_acks(&shard->write_acks);
            hub_beats_keep(shard->beats);
            keep_checkpoints(shard);
            hub_members_keep(shard->members);
        }
        if (shard->generation != 0 && shard->forwarder != NULL)
            hub_forwarder_tick(shard->forwarder);
        hub_trim_turn(
            &shard->trim, shard->apply,
            &(struct hub_trim_limits){
                .turn_ms = shard->settings->trim_turn_ms,
                .archived_row = hub_archiver_row(shard->place.archiver, shard->place.shard),
                .hold_max_ms = shard->settings->archive_hold_max_ms,
            });
        if (shard->generation != 0 && shard->notices != NULL)
            hub_notices_tick(shard->notices);
    }
    judge_alarms(shard);
    tell_status(shard);
}

/* --- stopping --- */

static void on_leave_timer(struct loop_timer *timer)
{
    struct hub_shard *shard = container_of(timer, struct hub_shard, leave_timer);
    log_warning("the shard could not be given up in time: another hub will challenge",
                LOG_U64("shard", shard->place.shard));
    stand_down(shard);
    loop_stop(shard->loop);
}

static void on_stop(struct loop_message *message)
{
    struct hub_shard *shard = container_of(message, struct hub_shard, stop);
    shard->stopping = true;
    if (!shard->orderly) {
        loop_stop(shard->loop);
        return;
    }
    loop_timer_set(shard->loop, &shard->leave_timer, shard->settings->hand_over_ms);
    on_write_acks(&shard->write_acks);
    follow(shard, hub_ownership_leave(&shard->ownership));
}

void hub_shard_stop(struct hub_shard *shard, bool orderly)
{
    shard->orderly = orderly;
    loop_post(shard->loop, &shard->stop);
}

/* --- making and freeing --- */

static void on_gone(void *context, struct hub_attachment *attachment)
{
    struct hub_shard *shard = context;
    if (shard->delivery != NULL)
        hub_delivery_gone(shard->delivery, attachment);
}

static void on_claimed(void *context, const struct hub_edge *edge,
                       const struct wire_claimed *claimed)
{
    struct hub_shard *shard = context;
    const struct wire_entry entry = {.kind = WIRE_CLAIMED, .claimed = *claimed};
    hub_delivery_send(shard->delivery, edge, &entry);
}

static void free_shard(struct hub_shard *shard)
{
    if (shard == NULL)
        return;
    buffer_free(&shard->urls);
    if (shard->loop != NULL)
        loop_free(shard->loop);
    free(shard->passers);
    free(shard);
}

static bool open_bus(struct hub_shard *shard)
{
    const struct hub_settings *settings = shard->settings;
    struct error_text why = {0};
    shard->bus =
        bus_open(shard->loop,
                 &(struct bus_settings){
                     .urls = (const char *)shard->urls.data,
                     .name = shard->process,
                     .user = settings->nats_user[0] == '\0' ? NULL : settings->nats_user,
                     .password = settings->nats_user[0] == '\0' ? NULL : settings->nats_password,
                     .pending_max_bytes = settings->nats_pending_max_bytes,
                     .on_state = on_state,
                     .context = shard,
                 },
                 &why);
    if (shard->bus == NULL)
        log_error("cannot open the bus", LOG_STRING("why", why.text));
    return shard->bus != NULL;
}

static bool subscribe(struct hub_shard *shard)
{
    struct wire_name doorbell = wire_log_doorbell(shard->place.region->name, shard->place.shard);
    struct wire_name pubacks = wire_pubacks_of(shard->process);
    shard->doorbell = bus_subscribe(shard->bus, doorbell.text, on_doorbell, shard);
    shard->pubacks = bus_subscribe(shard->bus, pubacks.text, on_puback, shard);
    shard->hub_beats = bus_subscribe(shard->bus, WIRE_HUB_BEATS, on_hub_beat, shard);
    return shard->doorbell != NULL && shard->pubacks != NULL && shard->hub_beats != NULL;
}

static bool build_apply(struct hub_shard *shard)
{
    const struct hub_settings *settings = shard->settings;
    shard->apply = hub_apply_new(&(struct hub_apply_settings){
        .loop = shard->loop,
        .bus = shard->bus,
        .region = shard->place.region->name,
        .shard = shard->place.shard,
        .view_path = shard->view_path,
        .marker_path = shard->marker_path,
        .save_rows = settings->save_rows,
        .save_ms = settings->save_ms,
        .log_check_ms = settings->log_check_ms,
        .level_max = (uint8_t)settings->level_max,
        .context = shard,
        .on_opened = on_opened,
        .on_row = on_row,
        .on_acked = on_acked,
        .on_dropped = on_dropped,
        .on_read = on_read,
        .on_misrouted = on_misrouted,
        .on_owned = on_owned,
        .on_checkpoint = on_checkpoint,
        .on_applied = on_applied,
        .on_fell_behind = on_fell_behind,
    });
    shard->checkpoint = hub_checkpoint_new(&(struct hub_checkpoint_settings){
        .loop = shard->loop,
        .bus = shard->bus,
        .region = shard->place.region->name,
        .shard = shard->place.shard,
        .path = shard->checkpoint_path,
        .segments = shard->apply == NULL ? "" : hub_apply_segments(shard->apply),
        .interval_ms = settings->checkpoint_interval_ms,
        .retry_min_ms = settings->checkpoint_retry_min_ms,
        .retry_max_ms = settings->checkpoint_retry_max_ms,
    });
    return shard->apply != NULL && shard->checkpoint != NULL;
}

/* All edges of the catalogue, and no others: see hub_service.c. */
static size_t count_edges(const struct catalogue *catalogue)
{
    size_t count = 0;
    for (size_t i = 0; i < catalogue->region_count; i++)
        count += catalogue->regions[i].edge_count;
    return count > 0 ? count : 1;
}

static bool build_service(struct hub_shard *shard)
{
    const struct hub_settings *settings = shard->settings;
    const struct hub_credit_limits credit = {settings->credit_messages, settings->credit_bytes};
    size_t edges = count_edges(shard->place.catalogue);
    shard->presence = hub_presence_new(&(struct hub_presence_settings){
        .devices_max = settings->devices_max,
        .edges_max = edges,
        .edge_silent_ms = settings->edge_silent_ms,
        .repair_ms = settings->repair_ms,
        .credit = credit,
        .on_gone = on_gone,
        .context = shard,
    });
    shard->acks = hub_acks_new(settings->acks_max, settings->ack_interval_ms);
    shard->claims = hub_claims_new(&(struct hub_claims_settings){
        .loop = shard->loop,
        .bus = shard->bus,
        .region = shard->place.region->name,
        .claims_max = settings->claims_max,
        .context = shard,
        .on_claimed = on_claimed,
    });
    if (shard->presence == NULL || shard->acks == NULL || shard->claims == NULL)
        return false;
    shard->delivery = hub_delivery_new(&(struct hub_delivery_settings){
        .loop = shard->loop,
        .bus = shard->bus,
        .presence = shard->presence,
        .apply = shard->apply,
        .region = shard->place.region->name,
        .hub = settings->name,
        .shard = shard->place.shard,
        .edges_max = edges,
        .credit = credit,
        .turn_bytes = settings->turn_bytes,
    });
    shard->service = hub_service_new(&(struct hub_service_settings){
        .loop = shard->loop,
        .bus = shard->bus,
        .catalogue = shard->place.catalogue,
        .region = shard->place.region,
        .shard = shard->place.shard,
        .hub = settings->name,
        .apply = shard->apply,
        .presence = shard->presence,
        .delivery = shard->delivery,
        .acks = shard->acks,
        .claims = shard->claims,
        .reads = &shard->reads,
    });
    shard->writer = make_writer(shard, shard->place.shard);
    shard->reads = (struct hub_reads){.apply = shard->apply,
                                      .presence = shard->presence,
                                      .delivery = shard->delivery,
                                      .writer = shard->writer};
    shard->passers = calloc(shard->place.region->shards, sizeof(struct hub_writer *));
    shard->beats = hub_beats_new(&(struct hub_beats_settings){
        .place = &shard->place,
        .loop = shard->loop,
        .bus = shard->bus,
        .apply = shard->apply,
        .presence = shard->presence,
        .writer = shard->writer,
    });
    shard->members = hub_members_new(&(struct hub_members_settings){
        .place = &shard->place,
        .loop = shard->loop,
        .bus = shard->bus,
        .apply = shard->apply,
        .writer = shard->writer,
        .alarms = &shard->alarms,
        .context = shard,
        .fill = fill_member_beat,
    });
    return shard->delivery != NULL && shard->service != NULL && shard->writer != NULL &&
           shard->passers != NULL && shard->beats != NULL && shard->members != NULL;
}

static bool build(struct hub_shard *shard)
{
    const struct hub_shard_place *place = &shard->place;
    hub_ownership_init(&shard->ownership,
                       &(struct hub_ownership_settings){
                           .hub = shard->settings->name,
                           .start = place->start,
                           .preferred = place->shard % place->region->hub_count == place->hub_index,
                           .silent_ms = shard->settings->owner_silent_ms,
                           .step_ms = shard->settings->owner_step_ms,
                           .deaf_ms = DEAF_MS,
                           .retry_ms = CHALLENGE_AGAIN_MS,
                       },
                       now_of(shard));
    return open_bus(shard) && build_apply(shard) && build_service(shard) && subscribe(shard);
}

/* Everything but the loop and the shard itself, on its thread. */
static void take_down(struct hub_shard *shard)
{
    struct hub_apply *apply = shard->apply;
    if (shard->claims != NULL && shard->acks != NULL && shard->presence != NULL)
        on_end_service(&shard->end_service);
    loop_later_cancel(&shard->begin_service);
    loop_later_cancel(&shard->end_service);
    loop_later_cancel(&shard->write_acks);
    loop_timer_stop(shard->loop, &shard->housekeeping);
    loop_timer_stop(shard->loop, &shard->leave_timer);
    for (unsigned i = 0; shard->passers != NULL && i < shard->place.region->shards; i++)
        hub_writer_free(shard->passers[i]);
    hub_members_free(shard->members);
    hub_beats_free(shard->beats);
    hub_writer_free(shard->writer);
    hub_service_free(shard->service);
    hub_claims_free(shard->claims);
    hub_acks_free(shard->acks);
    hub_presence_free(shard->presence);
    hub_delivery_free(shard->delivery);
    bus_unsubscribe(shard->doorbell);
    bus_unsubscribe(shard->pubacks);
    bus_unsubscribe(shard->hub_beats);
    shard->apply = NULL;
    hub_apply_free(apply, shard->orderly);
    hub_checkpoint_free(shard->checkpoint);
    bus_close(shard->bus);
}

static void *run(void *argument)
{
    struct hub_shard *shard = argument;
    if (build(shard)) {
        on_housekeeping(&shard->housekeeping);
        loop_run(shard->loop);
    } else {
        log_error("memory is short: this shard does not run", LOG_U64("shard", shard->place.shard));
        atomic_store(&shard->reason, "out_of_memory");
    }
    take_down(shard);
    atomic_store(&shard->ready, false);
    return NULL;
}

static int name_things(struct hub_shard *shard)
{
    const struct hub_settings *settings = shard->settings;
    const char *region = shard->place.region->name;
    unsigned number = shard->place.shard;
    int process = snprintf(shard->process, sizeof shard->process, "%s-%u", settings->name, number);
    int view = snprintf(shard->view_path, sizeof shard->view_path, "%s/%s-%u.view", settings->data,
                        region, number);
    int marker = snprintf(shard->marker_path, sizeof shard->marker_path, "%s/%s-%u.marker",
                          settings->data, region, number);
    int checkpoint = snprintf(shard->checkpoint_path, sizeof shard->checkpoint_path,
                              "%s/%s-%u.ckpt", settings->data, region, number);
    if (checkpoint < 0 || (size_t)checkpoint >= sizeof shard->checkpoint_path)
        return -ENAMETOOLONG;
    if (process < 0 || (size_t)process >= sizeof shard->process || view < 0 ||
        (size_t)view >= sizeof shard->view_path || marker < 0 ||
        (size_t)marker >= sizeof shard->marker_path)
        return -ENAMETOOLONG;
    if (settings->nats_urls[0] != '\0') {
        buffer_append(&shard->urls, settings->nats_urls, strlen(settings->nats_urls) + 1);
        return shard->urls.failed ? -ENOMEM : 0;
    }
    catalogue_nats_urls(shard->place.region, &shard->urls);
    return shard->urls.failed ? -ENOMEM : 0;
}

static void set_callbacks(struct hub_shard *shard)
{
    shard->housekeeping.on_due = on_housekeeping;
    shard->leave_timer.on_due = on_leave_timer;
    shard->end_service.on_later = on_end_service;
    shard->begin_service.on_later = on_begin_service;
    shard->write_acks.on_later = on_write_acks;
    shard->stop.on_message = on_stop;
}

struct hub_shard *hub_shard_start(const struct hub_shard_place *place,
                                  struct error_text *reterr_why)
{
    struct hub_shard *shard = calloc(1, sizeof *shard);
    if (shard == NULL) {
        error_text_set(reterr_why, -ENOMEM, "memory is short");
        return NULL;
    }
    shard->place = *place;
    shard->settings = place->settings;
    shard->alarms.region = place->region->name;
    shard->alarms.shard = place->shard;
    atomic_store(&shard->reason, "starting");
    set_callbacks(shard);
    int err = name_things(shard);
    shard->loop = err == 0 ? loop_new() : NULL;
    if (err == 0 && shard->loop == NULL)
        err = -errno;
    if (err == 0)
        err = -pthread_create(&shard->thread, NULL, run, shard);
    if (err != 0) {
        error_text_set(reterr_why, err, "cannot start shard %u: %s", place->shard, strerror(-err));
        free_shard(shard);
        return NULL;
    }
    return shard;
}

int hub_shard_join(struct hub_shard *shard, int64_t due_ms)
{
    int64_t left_ms = due_ms - clock_monotonic_ms();
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    if (left_ms > 0) {
        until.tv_sec += (time_t)(left_ms / 1000);
        until.tv_nsec += (long)(left_ms % 1000) * 1000000;
        if (until.tv_nsec >= 1000000000) {
            until.tv_sec++;
            until.tv_nsec -= 1000000000;
        }
    }
    int err = pthread_timedjoin_np(shard->thread, NULL, &until);
    if (err != 0)
        return -err;
    free_shard(shard);
    return 0;
}
