/* What a shard hears, and what it does by the clock. */
#include "region-hub/hub_shard_internal.h"

#include "log/log.h"
#include "wire/beat.h"

#include <string.h>

enum {
    HOUSEKEEPING_MS = 50,
    TOKENS_MS = 5000, /* far below the grace that a token has */
};

/* --- what is heard --- */

static void on_doorbell(void *context, const struct bus_message *message)
{
    struct hub_shard *shard = context;
    uint64_t position;
    if (bus_ring_read(message, &position) == 0)
        hub_apply_ring(shard->apply, position);
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
    hub_shard_follow(shard, hub_ownership_beat(&shard->ownership, beat.generation, beat.start,
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
    if (!connected)
        hub_apply_disconnected(shard->apply);
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
    if (hub_shard_now_ms(shard) - shard->tokens_ms < TOKENS_MS)
        return;
    shard->tokens_ms = hub_shard_now_ms(shard);
    hub_service_end_tokens(shard->service);
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
        hub_shard_follow(shard, hub_ownership_tick(&shard->ownership, hub_shard_now_ms(shard)));
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
    hub_shard_stand_down(shard);
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
    hub_shard_follow(shard, hub_ownership_leave(&shard->ownership));
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
    shard->begin_service.on_later = hub_shard_on_begin_service;
    shard->write_acks.on_later = on_write_acks;
    shard->stop.on_message = on_stop;
}
