/* A shard's parts, made and freed on its thread; the thread itself is started and joined by
 * another. */
#include "region-hub/hub_shard_internal.h"

#include "base/thread.h"
#include "log/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHALLENGE_AGAIN_MS = 5000,
    DEAF_MS =
        500, /* many times the housekeeping: the process was paused, or the thread kept busy */
};

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
                     .credentials =
                         settings->nats_credentials[0] == '\0' ? NULL : settings->nats_credentials,
                     .pending_max_bytes = settings->nats_pending_max_bytes,
                     .on_state = hub_shard_on_state,
                     .context = shard,
                 },
                 &why);
    if (shard->bus == NULL)
        log_error("cannot open the bus", LOG_STRING("why", why.text));
    return shard->bus != NULL;
}

static bool build_apply(struct hub_shard *shard)
{
    const struct hub_settings *settings = shard->settings;
    struct hub_apply_settings apply = {
        .loop = shard->loop,
        .bus = shard->bus,
        .region = shard->place.region->name,
        .shard = shard->place.shard,
        .view_path = shard->view_path,
        .marker_path = shard->marker_path,
        .save_rows = settings->save_rows,
        .save_ms = settings->save_ms,
        .log_check_ms = settings->log_check_ms,
        .log_doubt_ms = settings->log_doubt_ms,
        .level_max = (uint8_t)settings->level_max,
    };
    hub_shard_listen_to_apply(shard, &apply);
    shard->apply = hub_apply_new(&apply);
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

/* All of the catalogue, and no others: see hub_service.c. */
static size_t count_edges(const struct catalogue *catalogue)
{
    size_t count = 0;
    for (size_t i = 0; i < catalogue->region_count; i++)
        count += catalogue_processes(&catalogue->regions[i]);
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
        .on_gone = hub_shard_on_gone,
        .context = shard,
    });
    shard->acks = hub_acks_new(settings->acks_max, settings->ack_interval_ms);
    shard->claims = hub_claims_new(&(struct hub_claims_settings){
        .loop = shard->loop,
        .bus = shard->bus,
        .region = shard->place.region->name,
        .buckets = shard->place.catalogue->directory_buckets,
        .claims_max = settings->claims_max,
        .context = shard,
        .on_claimed = hub_shard_on_claimed,
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
    shard->history = hub_history_new(&(struct hub_history_settings){
        .loop = shard->loop,
        .bus = shard->bus,
        .apply = shard->apply,
        .reader = shard->place.archive_reader,
        .region = shard->place.region,
        .shard = shard->place.shard,
        .hub = settings->name,
        .answer_max_ms = HUB_HISTORY_ANSWER_MAX_MS,
    });
    shard->shown = hub_shown_new(&(struct hub_shown_settings){
        .loop = shard->loop,
        .region = shard->place.region,
        .shard = shard->place.shard,
        .apply = shard->apply,
        .presence = shard->presence,
        .delivery = shard->delivery,
        .acks = shard->acks,
        .reads = &shard->reads,
        .waits_max = settings->shown_max,
        .context = shard,
        .may_serve = hub_shard_may_serve,
    });
    struct error_text why = {0};
    shard->admission = hub_admission_new(&settings->auth, shard->place.reloads, &why);
    if (shard->admission == NULL) { /* the files were good when the settings were checked */
        log_error("the keys cannot be read", LOG_STRING("reason", why.text));
        return false;
    }
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
        .context = shard,
        .may_serve = hub_shard_may_serve,
        .history = shard->history,
        .shown = shard->shown,
        .admission = shard->admission,
    });
    shard->writer = hub_shard_make_writer(shard, shard->place.shard);
    shard->reads = (struct hub_reads){.apply = shard->apply,
                                      .presence = shard->presence,
                                      .delivery = shard->delivery,
                                      .writer = shard->writer};
    shard->home = (struct hub_home){.apply = shard->apply,
                                    .presence = shard->presence,
                                    .delivery = shard->delivery,
                                    .acks = shard->acks};
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
        .fill = hub_shard_fill_member_beat,
    });
    return shard->delivery != NULL && shard->history != NULL && shard->service != NULL &&
           shard->writer != NULL && shard->passers != NULL && shard->beats != NULL &&
           shard->members != NULL && shard->shown != NULL;
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
                       hub_shard_now_ms(shard));
    return open_bus(shard) && build_apply(shard) && build_service(shard) &&
           hub_shard_subscribe(shard);
}

/* Everything but the loop and the shard itself, on its thread. */
static void take_down(struct hub_shard *shard)
{
    struct hub_apply *apply = shard->apply;
    if (shard->claims != NULL && shard->acks != NULL && shard->presence != NULL)
        hub_shard_on_end_service(&shard->end_service);
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
    hub_shown_free(shard->shown);
    hub_admission_free(shard->admission);
    hub_history_free(shard->history);
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
        hub_shard_on_housekeeping(&shard->housekeeping);
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
    hub_shard_set_callbacks(shard);
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
    int err = thread_join_until(shard->thread, due_ms);
    if (err != 0)
        return err;
    free_shard(shard);
    return 0;
}
