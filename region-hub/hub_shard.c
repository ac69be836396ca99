#include "region-hub/hub_shard_internal.h"

#include "base/hash.h"
#include "log/log.h"
#include "wire/beat.h"

#include <errno.h>
#include <string.h>

enum { HOUSEKEEPING_MS = 50 };

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

static void on_move_ask(void *context, const struct bus_message *message)
{
    struct hub_shard *shard = context;
    if (shard->generation != 0)
        hub_move_message(shard->move, message);
}

static struct hub_move *make_move(struct hub_shard *shard)
{
    return hub_move_new(&(struct hub_move_settings){
        .loop = shard->loop,
        .bus = shard->bus,
        .settings = shard->settings,
        .catalogue = shard->place.catalogue,
        .region = shard->place.region,
        .shard = shard->place.shard,
        .apply = shard->apply,
        .writer = shard->writer,
        .reader = shard->place.archive_reader,
        .generation = shard->generation,
    });
}

static struct hub_return *make_back(struct hub_shard *shard)
{
    return hub_return_new(&(struct hub_return_settings){
        .loop = shard->loop,
        .bus = shard->bus,
        .settings = shard->settings,
        .catalogue = shard->place.catalogue,
        .region = shard->place.region,
        .shard = shard->place.shard,
        .apply = shard->apply,
        .writer = shard->writer,
        .generation = shard->generation,
    });
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
        .passed = &shard->passed,
    });
}

static void follow_directory(struct hub_shard *shard)
{
    const struct hub_shard_place *place = &shard->place;
    if (place->archiver == NULL || !hub_beats_for_directory(place))
        return;
    shard->directory = hub_directory_feed_new(
        &(struct hub_directory_feed_settings){.bus = shard->bus,
                                              .archiver = place->archiver,
                                              .buckets = place->catalogue->directory_buckets});
    if (shard->directory == NULL)
        log_error("memory is short: the directory is not archived");
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
    shard->move = make_move(shard);
    shard->back = make_back(shard);
    struct wire_name asks = wire_move_subject(shard->place.region->name, shard->place.shard);
    if (shard->move != NULL)
        shard->move_asks = bus_subscribe(shard->bus, asks.text, on_move_ask, shard);
    follow_directory(shard);
    if (shard->requests == NULL || shard->edge_beats == NULL || shard->forwarder == NULL ||
        shard->notices == NULL || shard->move_asks == NULL || shard->back == NULL)
        log_error("memory is short: this shard is owned and not served",
                  LOG_U64("shard", shard->place.shard));
    hub_beats_begin(shard->beats, shard->forwarder); /* edges attach when they hear it */
}

void hub_shard_on_end_service(struct loop_later *later)
{
    struct hub_shard *shard = container_of(later, struct hub_shard, end_service);
    hub_forwarder_free(shard->forwarder);
    hub_notices_free(shard->notices);
    hub_move_free(shard->move);
    hub_directory_feed_free(shard->directory);
    shard->directory = NULL;
    hub_return_free(shard->back);
    bus_unsubscribe(shard->requests);
    bus_unsubscribe(shard->edge_beats);
    bus_unsubscribe(shard->move_asks);
    shard->forwarder = NULL;
    shard->notices = NULL;
    shard->move = NULL;
    shard->back = NULL;
    shard->requests = shard->edge_beats = shard->move_asks = NULL;
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
    hub_history_serve(shard->history, generation);
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
    hub_history_serve(shard->history, 0);
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
    shard->waits = (struct hub_waits){0};
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

static void on_moved(void *context, const struct mailbox_move *move)
{
    struct hub_shard *shard = context;
    hub_home_moved(&shard->home, move);
}

static void on_owned(void *context, uint64_t generation, struct text hub, uint64_t start)
{
    struct hub_shard *shard = context;
    follow(shard, hub_ownership_applied(&shard->ownership, generation, hub, start,
                                        hub_shard_now_ms(shard)));
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
        hub_ownership_caught_up(&shard->ownership, hub_shard_now_ms(shard));
    follow(shard, hub_ownership_tick(&shard->ownership, hub_shard_now_ms(shard)));
    if (shard->notices != NULL)
        hub_notices_wake(shard->notices);
    if (shard->generation != 0 && shard->move != NULL)
        hub_move_wake(shard->move);
    if (shard->generation != 0 && shard->back != NULL)
        hub_return_wake(shard->back);
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

struct hub_writer *hub_shard_make_writer(struct hub_shard *shard, unsigned to)
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
    shard->misrouted_ms = hub_shard_now_ms(shard);
    log_limited(&shard->passed_on_limit, LOG_LEVEL_WARNING,
                "a message came to the wrong shard and is passed on",
                LOG_U64("shard", shard->place.shard), LOG_U64("to", to));
    if (shard->generation == 0 || to == shard->place.shard)
        return;
    if (shard->passers[to] == NULL)
        shard->passers[to] = hub_shard_make_writer(shard, to);
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
        if (shard->move != NULL)
            hub_move_heard(shard->move, region, beat.shard, beat.generation);
        return;
    }
    if (beat.shard != shard->place.shard || beat.start == shard->place.start)
        return;
    if (beat.generation >= shard->ownership.generation && beat.head > 0)
        hub_apply_ring(shard->apply, beat.head); /* a follower's doorbell */
    follow(shard, hub_ownership_beat(&shard->ownership, beat.generation, beat.start,
                                     hub_shard_now_ms(shard)));
}

void hub_shard_on_state(void *context, bool connected)
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
        hub_ownership_deaf(&shard->ownership, hub_shard_now_ms(shard));
        hub_apply_connected(shard->apply);
        hub_writer_connected(shard->writer);
        if (shard->forwarder != NULL)
            hub_forwarder_connected(shard->forwarder);
        if (shard->notices != NULL)
            hub_notices_connected(shard->notices);
    }
    hub_shard_tell_status(shard);
}

/* --- housekeeping --- */

static void on_write_acks(struct loop_later *later)
{
    struct hub_shard *shard = container_of(later, struct hub_shard, write_acks);
    struct hub_ack due;
    while (shard->generation != 0 && hub_acks_next(shard->acks, hub_shard_now_ms(shard), &due)) {
        const struct wire_ack ack = {.generation = shard->generation,
                                     .user = due.user,
                                     .device = due.device,
                                     .epoch = due.epoch,
                                     .seq = due.seq};
        if (!hub_home_takes(hub_apply_mailbox(shard->apply), due.user)) {
            hub_acks_forget(shard->acks, due.user, due.device); /* it is reported again */
            continue;
        }
        if (hub_writer_ack(shard->writer, &ack) != 0)
            return; /* the queue is full: they wait */
        hub_acks_written(shard->acks, hub_shard_now_ms(shard));
    }
}

static void keep_presence(struct hub_shard *shard)
{
    size_t dropped = hub_presence_expire(shard->presence, hub_shard_now_ms(shard));
    if (dropped > 0)
        log_warning("edges are silent: their devices are not attached any more",
                    LOG_U64("shard", shard->place.shard), LOG_U64("dropped", dropped));
    struct hub_attachment *overdue;
    while ((overdue = hub_presence_overdue(shard->presence, hub_shard_now_ms(shard))) != NULL)
        hub_delivery_pump(shard->delivery, overdue);
}

static void keep_checkpoints(struct hub_shard *shard)
{
    const struct mailbox *mailbox = hub_apply_mailbox(shard->apply);
    const struct mailbox_state state = mailbox_state(mailbox);
    const struct mailbox_moving moving = mailbox_moving(mailbox);
    if (state.generation == shard->generation)
        hub_checkpoint_serve(shard->checkpoint, shard->writer, &state, &moving,
                             hub_apply_begun_ms(shard->apply));
}

void hub_shard_on_housekeeping(struct loop_timer *timer)
{
    struct hub_shard *shard = container_of(timer, struct hub_shard, housekeeping);
    loop_timer_set(shard->loop, timer, HOUSEKEEPING_MS);
    if (hub_apply_mailbox(shard->apply) != NULL) {
        follow(shard, hub_ownership_tick(&shard->ownership, hub_shard_now_ms(shard)));
        if (shard->generation != 0) {
            keep_presence(shard);
            hub_history_tick(shard->history);
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
        if (shard->generation != 0 && shard->move != NULL)
            hub_move_tick(shard->move);
        if (shard->directory != NULL)
            hub_directory_feed_tick(shard->directory);
        if (shard->generation != 0 && shard->back != NULL)
            hub_return_tick(shard->back);
    }
    hub_shard_judge_alarms(shard);
    hub_shard_tell_status(shard);
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

/* --- for those who build it --- */

void hub_shard_on_gone(void *context, struct hub_attachment *attachment)
{
    struct hub_shard *shard = context;
    if (shard->delivery != NULL)
        hub_delivery_gone(shard->delivery, attachment);
}

bool hub_shard_may_serve(void *context, struct text user)
{
    struct hub_shard *shard = context;
    return shard->back != NULL && hub_return_may_serve(shard->back, user);
}

void hub_shard_on_claimed(void *context, const struct hub_edge *edge,
                          const struct wire_claimed *claimed)
{
    struct hub_shard *shard = context;
    const struct wire_entry entry = {.kind = WIRE_CLAIMED, .claimed = *claimed};
    hub_delivery_send(shard->delivery, edge, &entry);
}

/* What is told when the log is applied. */
void hub_shard_listen_to_apply(struct hub_shard *shard, struct hub_apply_settings *settings)
{
    settings->context = shard;
    settings->on_opened = on_opened;
    settings->on_row = on_row;
    settings->on_acked = on_acked;
    settings->on_dropped = on_dropped;
    settings->on_read = on_read;
    settings->on_moved = on_moved;
    settings->on_misrouted = on_misrouted;
    settings->on_owned = on_owned;
    settings->on_checkpoint = on_checkpoint;
    settings->on_applied = on_applied;
    settings->on_fell_behind = on_fell_behind;
}

bool hub_shard_subscribe(struct hub_shard *shard)
{
    struct wire_name doorbell = wire_log_doorbell(shard->place.region->name, shard->place.shard);
    struct wire_name pubacks = wire_pubacks_of(shard->process);
    shard->doorbell = bus_subscribe(shard->bus, doorbell.text, on_doorbell, shard);
    shard->pubacks = bus_subscribe(shard->bus, pubacks.text, on_puback, shard);
    shard->hub_beats = bus_subscribe(shard->bus, WIRE_HUB_BEATS, on_hub_beat, shard);
    return shard->doorbell != NULL && shard->pubacks != NULL && shard->hub_beats != NULL;
}

void hub_shard_set_callbacks(struct hub_shard *shard)
{
    shard->housekeeping.on_due = hub_shard_on_housekeeping;
    shard->leave_timer.on_due = on_leave_timer;
    shard->end_service.on_later = hub_shard_on_end_service;
    shard->begin_service.on_later = on_begin_service;
    shard->write_acks.on_later = on_write_acks;
    shard->stop.on_message = on_stop;
}
