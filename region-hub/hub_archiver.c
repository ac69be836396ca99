#include "region-hub/hub_archiver_internal.h"

#include "base/clock.h"
#include "base/thread.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { NAP_MS = 200 /* when a view cannot be read, or another hub archives, too */ };

/* --- the thread: waiting --- */

/* Until something is to be done (or, without `for_work`, only the end), at most `ms`. False: it is
 * to end. */
static bool rest(struct hub_archiver *archiver, int64_t ms, bool for_work)
{
    struct timespec until;
    const int64_t due_ms = clock_monotonic_ms() + ms;
    until.tv_sec = due_ms / 1000;
    until.tv_nsec = due_ms % 1000 * 1000000;
    pthread_mutex_lock(&archiver->lock);
    while (!archiver->stopping && !(for_work && archiver->work) &&
           pthread_cond_timedwait(&archiver->changed, &archiver->lock, &until) == 0)
        continue;
    const bool goes_on = !archiver->stopping;
    pthread_mutex_unlock(&archiver->lock);
    return goes_on;
}

/* --- trouble --- */

static const char *trouble_of(int err)
{
    switch (err) {
    case -ENOTCONN:
        return "not_connected";
    case -ETIMEDOUT:
        return "slow";
    case -ENOSPC:
        return "disk_full";
    case -EACCES:
        return "forbidden";
    case -ENOENT:
    case -EPROTO:
        return "schema";
    default:
        return "failed";
    }
}

static void set_trouble(struct hub_archiver *archiver, const char *trouble)
{
    pthread_mutex_lock(&archiver->lock);
    archiver->trouble = trouble;
    archiver->connected = trouble[0] == '\0';
    pthread_mutex_unlock(&archiver->lock);
}

/* Starts anew, with a new connection, after a pause. */
static bool fail(struct hub_archiver *archiver, int err, const struct error_text *why)
{
    const struct hub_settings *settings = archiver->settings;
    if (err == -ECANCELED)
        return false;
    log_limited(&archiver->trouble_limit, LOG_LEVEL_WARNING,
                "the archive does not take messages; they wait in the views",
                LOG_STRING("archive", archive_place(archiver->archive)),
                LOG_STRING("reason", trouble_of(err)), LOG_STRING("why", why->text));
    archive_disconnect(archiver->archive);
    set_trouble(archiver, trouble_of(err));
    if (archiver->backoff_ms == 0)
        archiver->backoff_ms = settings->archive_backoff_min_ms;
    const bool goes_on = rest(archiver, archiver->backoff_ms, false);
    archiver->backoff_ms *= 2;
    if (archiver->backoff_ms > settings->archive_backoff_max_ms)
        archiver->backoff_ms = settings->archive_backoff_max_ms;
    return goes_on;
}

static void succeed(struct hub_archiver *archiver)
{
    if (archiver->backoff_ms != 0)
        log_info("messages are archived again",
                 LOG_STRING("archive", archive_place(archiver->archive)));
    archiver->backoff_ms = 0;
    set_trouble(archiver, "");
}

/* --- copying --- */

static void say_outcome(struct hub_archiver *archiver, unsigned shard,
                        const struct hub_archiver_status *before,
                        const struct hub_copy_state *state)
{
    const uint64_t parked = state->outcome.parked;
    const uint64_t gaps = state->gap_rows + state->outcome.lost;
    if (parked > before->parked)
        log_limited(&archiver->parked_limit, LOG_LEVEL_WARNING,
                    "the archive refuses messages: they are parked", LOG_U64("shard", shard),
                    LOG_U64("parked", parked), LOG_STRING("why", state->outcome.refusal.text));
    if (gaps > before->gap_rows)
        log_limited(&archiver->gap_limit, LOG_LEVEL_ERROR, "the archive has a gap",
                    LOG_STRING("alarm", "archive_gap"), LOG_U64("shard", shard),
                    LOG_U64("rows", gaps - before->gap_rows), LOG_U64("up_to", state->last_row));
}

static void take_over(struct hub_archiver *archiver, unsigned shard)
{
    struct hub_archiver_feed *feed = &archiver->feeds[shard];
    const struct hub_copy_state *state = hub_copy_state(feed->copy);
    pthread_mutex_lock(&archiver->lock);
    const struct hub_archiver_status before = feed->status;
    if (state->last_row != before.archived_row && feed->behind_ms < state->last_ms)
        feed->behind_ms = state->last_ms;
    feed->status.archived_row = state->last_row;
    feed->status.stored = state->outcome.stored;
    feed->status.parked = state->outcome.parked;
    feed->status.gap_rows = state->gap_rows + state->outcome.lost;
    hub_archiver_note_behind(feed);
    pthread_mutex_unlock(&archiver->lock);
    say_outcome(archiver, shard, &before, state);
}

/* What is to be done for a shard. */
enum task { TASK_NONE, TASK_ASK, TASK_COPY };

static enum task task_of(struct hub_archiver *archiver, struct hub_archiver_feed *feed)
{
    enum task task = TASK_NONE;
    uint8_t incarnation[16];
    pthread_mutex_lock(&archiver->lock);
    const bool known = feed->has_incarnation;
    memcpy(incarnation, feed->incarnation, sizeof incarnation);
    if (known && feed->owns)
        task = TASK_COPY;
    pthread_mutex_unlock(&archiver->lock);
    if (!known)
        return TASK_NONE;
    hub_copy_set_log(feed->copy, incarnation);
    if (task == TASK_COPY)
        feed->asked_ms = 0;
    else if (feed->asked_ms == 0 ||
             clock_monotonic_ms() - feed->asked_ms >= archiver->settings->archive_follow_ms)
        task = TASK_ASK;
    return task;
}

static enum hub_copied serve(struct hub_archiver *archiver, unsigned shard, int *ret_error,
                             struct error_text *reterr_why)
{
    struct hub_archiver_feed *feed = &archiver->feeds[shard];
    enum hub_copied copied = HUB_COPIED_ALL;
    switch (task_of(archiver, feed)) {
    case TASK_NONE:
        return HUB_COPIED_ALL;
    case TASK_ASK:
        copied = hub_copy_ask(feed->copy, archiver->archive, ret_error, reterr_why);
        feed->asked_ms = clock_monotonic_ms();
        break;
    case TASK_COPY:
        copied = hub_copy_step(feed->copy, archiver->archive, ret_error, reterr_why);
        break;
    }
    if (copied != HUB_COPIED_FAILED)
        take_over(archiver, shard);
    return copied;
}

static bool is_lost(int err)
{
    return err == -ENOTCONN || err == -ETIMEDOUT || err == -ECANCELED;
}

/* What lies on the desks. Only a connection that is lost is for the caller: whatever else is wrong
 * with the directory's tables holds up no messages. */
static int serve_desks(struct hub_archiver *archiver, int64_t *rest_ms,
                       struct error_text *reterr_why)
{
    for (unsigned i = 0; i < archiver->buckets; i++) {
        int err = 0;
        const enum hub_desk_step step =
            hub_directory_desk_step(archiver->desks[i], archiver->archive, &err, reterr_why);
        if (step == HUB_DESK_FAILED && is_lost(err))
            return err;
        if (step == HUB_DESK_FAILED)
            log_limited(&archiver->desk_limit, LOG_LEVEL_WARNING,
                        "the archive does not take the directory", LOG_U64("bucket", i),
                        LOG_STRING("reason", trouble_of(err)), LOG_STRING("why", reterr_why->text));
        if ((step == HUB_DESK_FAILED || step == HUB_DESK_STALE) && *rest_ms > NAP_MS)
            *rest_ms = NAP_MS;
    }
    return 0;
}

/* A batch of each shard. Returns how long to rest then, or -1: to end. */
static int64_t round_of(struct hub_archiver *archiver)
{
    int64_t rest_ms = archiver->settings->archive_follow_ms;
    struct error_text why = {0};
    int err = archive_connect(archiver->archive, &why);
    if (err != 0)
        return fail(archiver, err, &why) ? 0 : -1;
    pthread_mutex_lock(&archiver->lock);
    archiver->work = false; /* what is told from here on is work for the next round */
    pthread_mutex_unlock(&archiver->lock);
    for (unsigned shard = 0; shard < archiver->shards; shard++) {
        const enum hub_copied copied = serve(archiver, shard, &err, &why);
        if (copied == HUB_COPIED_FAILED) {
            for (unsigned i = 0; i < archiver->shards; i++)
                hub_copy_forget(archiver->feeds[i].copy);
            return fail(archiver, err, &why) ? 0 : -1;
        }
        if (copied == HUB_COPIED_STALE)
            log_limited(&archiver->stale_limit, LOG_LEVEL_INFO,
                        "another hub archives this shard, too", LOG_U64("shard", shard));
        if (copied == HUB_COPIED_MORE)
            rest_ms = 0;
        else if (copied != HUB_COPIED_ALL && rest_ms > NAP_MS)
            rest_ms = NAP_MS;
    }
    err = serve_desks(archiver, &rest_ms, &why);
    if (err != 0)
        return fail(archiver, err, &why) ? 0 : -1;
    succeed(archiver);
    return rest_ms;
}

static void *run(void *argument)
{
    struct hub_archiver *archiver = argument;
    int64_t rest_ms = 0;
    bool goes_on = true;
    while (goes_on) {
        if (rest_ms > 0)
            goes_on = rest(archiver, rest_ms, true) &&
                      rest(archiver, archiver->settings->archive_pause_ms, false);
        if (goes_on)
            rest_ms = round_of(archiver);
        goes_on = goes_on && rest_ms >= 0;
    }
    archive_disconnect(archiver->archive);
    return NULL;
}

/* --- making and freeing --- */

static void free_archiver(struct hub_archiver *archiver)
{
    for (unsigned shard = 0; shard < archiver->shards; shard++)
        hub_copy_free(archiver->feeds[shard].copy);
    for (unsigned i = 0; i < archiver->buckets; i++)
        hub_directory_desk_free(archiver->desks[i]);
    archive_free(archiver->archive);
    pthread_cond_destroy(&archiver->changed);
    pthread_mutex_destroy(&archiver->lock);
    free(archiver);
}

static int make_copies(struct hub_archiver *archiver, const struct hub_archiver_place *place)
{
    const struct hub_settings *settings = place->settings;
    for (unsigned shard = 0; shard < place->shards; shard++) {
        char path[sizeof settings->data + 64];
        snprintf(path, sizeof path, "%s/%s-%u.view", settings->data, place->region, shard);
        archiver->feeds[shard].status.trouble = "";
        archiver->feeds[shard].copy =
            hub_copy_new(&(struct hub_copy_settings){.view_path = path,
                                                     .region = place->region,
                                                     .shard = shard,
                                                     .rows_max = settings->archive_batch_rows,
                                                     .bytes_max = settings->archive_batch_bytes});
        if (archiver->feeds[shard].copy == NULL)
            return -ENOMEM;
    }
    return 0;
}

static int make_desks(struct hub_archiver *archiver)
{
    for (unsigned i = 0; i < archiver->buckets; i++) {
        archiver->desks[i] = hub_directory_desk_new();
        if (archiver->desks[i] == NULL)
            return -ENOMEM;
    }
    return 0;
}

static int init_waiting(struct hub_archiver *archiver)
{
    pthread_condattr_t attributes;
    int err = pthread_condattr_init(&attributes);
    if (err == 0)
        err = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    if (err == 0)
        err = pthread_cond_init(&archiver->changed, &attributes);
    if (err == 0)
        err = pthread_mutex_init(&archiver->lock, NULL);
    (void)pthread_condattr_destroy(&attributes);
    return -err;
}

struct hub_archiver *hub_archiver_start(const struct hub_archiver_place *place,
                                        struct error_text *reterr_why)
{
    const struct hub_settings *settings = place->settings;
    struct hub_archiver *archiver = calloc(1, sizeof *archiver);
    if (archiver == NULL || init_waiting(archiver) != 0) {
        error_text_set(reterr_why, -ENOMEM, "memory is short");
        free(archiver);
        return NULL;
    }
    archiver->settings = settings;
    archiver->shards = place->shards;
    archiver->buckets = place->buckets;
    archiver->trouble = "connecting";
    archiver->archive = archive_new(
        &(struct archive_settings){.url = settings->archive_url,
                                   .program = settings->name,
                                   .connect_timeout_ms = settings->archive_connect_timeout_ms,
                                   .statement_timeout_ms = settings->archive_statement_timeout_ms,
                                   .may_migrate = settings->archive_migrate},
        reterr_why);
    int err = archiver->archive == NULL ? -EINVAL : make_copies(archiver, place);
    if (err == 0)
        err = make_desks(archiver);
    if (err == 0)
        err = -pthread_create(&archiver->thread, NULL, run, archiver);
    if (err == 0)
        return archiver;
    if (err != -EINVAL)
        error_text_set(reterr_why, err, "cannot start the archiver: %s", strerror(-err));
    free_archiver(archiver);
    return NULL;
}

void hub_archiver_stop(struct hub_archiver *archiver)
{
    if (archiver == NULL)
        return;
    pthread_mutex_lock(&archiver->lock);
    archiver->stopping = true;
    pthread_cond_signal(&archiver->changed);
    pthread_mutex_unlock(&archiver->lock);
    archive_cancel(archiver->archive);
}

int hub_archiver_join(struct hub_archiver *archiver, int64_t due_ms)
{
    if (archiver == NULL)
        return 0;
    if (thread_join_until(archiver->thread, due_ms) != 0)
        return -ETIMEDOUT;
    free_archiver(archiver);
    return 0;
}
