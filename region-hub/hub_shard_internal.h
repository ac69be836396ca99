/* What the files of a shard share: its parts, and what is called when something is heard or due.
 * All of it on the shard's thread, but for what is atomic. */
#pragma once

#include "bus/bus_stream.h"
#include "loop/loop.h"
#include "region-hub/hub_acks.h"
#include "region-hub/hub_alarms.h"
#include "region-hub/hub_apply.h"
#include "region-hub/hub_beats.h"
#include "region-hub/hub_checkpoint.h"
#include "region-hub/hub_claims.h"
#include "region-hub/hub_delivery.h"
#include "region-hub/hub_directory_feed.h"
#include "region-hub/hub_forwarder.h"
#include "region-hub/hub_history.h"
#include "region-hub/hub_home.h"
#include "region-hub/hub_members.h"
#include "region-hub/hub_move.h"
#include "region-hub/hub_notices.h"
#include "region-hub/hub_ownership.h"
#include "region-hub/hub_presence.h"
#include "region-hub/hub_reads.h"
#include "region-hub/hub_return.h"
#include "region-hub/hub_service.h"
#include "region-hub/hub_shard.h"
#include "region-hub/hub_trim.h"
#include "region-hub/hub_waits.h"
#include "region-hub/hub_writer.h"
#include "wire/member.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    HUB_SHARD_MISROUTED_MS = 600000, /* that long after the last one the alarm is over */
    HUB_SHARD_PATH_SIZE = 768,
    HUB_SHARD_NAME_SIZE = TEXT_PROCESS_MAX + 16,
};

struct hub_shard {
    struct hub_shard_place place;
    const struct hub_settings *settings;
    pthread_t thread;
    char process[HUB_SHARD_NAME_SIZE]; /* "<hub>-<shard>": connection, inbox and PubAcks */
    char view_path[HUB_SHARD_PATH_SIZE];
    char marker_path[HUB_SHARD_PATH_SIZE];
    char checkpoint_path[HUB_SHARD_PATH_SIZE];
    struct buffer urls;

    struct loop *loop;
    struct bus *bus;
    struct hub_apply *apply;
    struct hub_checkpoint *checkpoint;
    struct hub_presence *presence;
    struct hub_delivery *delivery;
    struct hub_acks *acks;
    struct hub_claims *claims;
    struct hub_history *history;
    struct hub_shown *shown;
    struct hub_service *service;
    struct hub_writer *writer;
    struct hub_beats *beats;
    struct hub_members *members;
    struct hub_alarms alarms;
    uint64_t misrouted; /* since it was quiet for HUB_SHARD_MISROUTED_MS */
    int64_t misrouted_ms;
    struct hub_writer **passers; /* to the region's other shards, made when needed */
    struct hub_reads reads;
    struct hub_home home;
    struct hub_ownership ownership;
    struct hub_trim trim;
    struct hub_waits waits;
    struct hub_pass_on_counts passed;

    /* While it serves. */
    uint64_t generation; /* 0: it does not */
    struct hub_forwarder *forwarder;
    struct hub_notices *notices;
    struct hub_move *move;
    struct hub_directory_feed *directory; /* NULL: not this shard's, or there is no archive */
    struct hub_return *back;
    struct bus_subscription *requests;
    struct bus_subscription *move_asks;
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
    _Atomic uint64_t moving;
    _Atomic uint64_t held;
    _Atomic uint64_t to_pass_on;
    _Atomic uint64_t passed_on;
    _Atomic uint64_t not_passed_on;
};

static inline int64_t hub_shard_now_ms(const struct hub_shard *shard)
{
    return loop_now_ms(shard->loop);
}

/* hub_shard.c: what is heard, and what is done by the clock. For those who build it. */
MUST_USE bool hub_shard_subscribe(struct hub_shard *shard);
void hub_shard_set_callbacks(struct hub_shard *shard);
void hub_shard_on_state(void *context, bool connected);
void hub_shard_on_gone(void *context, struct hub_attachment *attachment);
bool hub_shard_may_serve(void *context, struct text user);
void hub_shard_on_claimed(void *context, const struct hub_edge *edge,
                          const struct wire_claimed *claimed);
void hub_shard_on_housekeeping(struct loop_timer *timer);

/* hub_shard_applied.c: what is done when something in the log was applied. */
void hub_shard_listen_to_apply(struct hub_shard *shard, struct hub_apply_settings *settings);
/* A writer to the log of shard `to` of this region; NULL when memory is short. */
MUST_USE struct hub_writer *hub_shard_make_writer(struct hub_shard *shard, unsigned to);

/* hub_shard_serve.c: who owns the shard, and what there is only while it is served here. */
void hub_shard_follow(struct hub_shard *shard, enum hub_ownership_order order);
/* From here on nothing is delivered or answered; the rest is tidied at the end of the turn. */
void hub_shard_stand_down(struct hub_shard *shard);
void hub_shard_on_begin_service(struct loop_later *later);
void hub_shard_on_end_service(struct loop_later *later);

/* hub_shard_status.c: what it tells others of itself. */
void hub_shard_tell_status(struct hub_shard *shard);
void hub_shard_judge_alarms(struct hub_shard *shard);
void hub_shard_fill_member_beat(void *context, struct wire_member_beat *beat);
