#include "region-hub/hub_seen.h"

#include "log/log.h"
#include "region-hub/hub_seen_worker.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PATH_SIZE = 600,
    RETRY_MS = 5000,   /* after a file could not be written */
    UNSTORED_MAX = 2,  /* closed segments in memory, beyond which it is behind */
    JOBS_ON_WAY = 256, /* posted or with the worker; more are not given */
};

struct hub_seen {
    struct hub_seen_settings settings;
    char folder[PATH_SIZE];
    char log_path[PATH_SIZE];
    struct mailbox *mailbox; /* NULL: none is attached */
    struct hub_seen_worker *worker;
    struct hub_seen_job *on_way[JOBS_ON_WAY];
    size_t on_way_count;
    struct hub_seen_job *writing; /* one at a time, so that they are stored in order */
    struct loop_timer retry;
    uint64_t *dropped; /* since the last save */
    size_t dropped_count;
    size_t dropped_capacity;
    int error;
    struct log_limit write_limit;
};

/* --- what the mailbox asks --- */

static int on_find(void *context, void *handle, const struct fingerprint *print,
                   uint32_t *ret_epoch, uint64_t *ret_seq)
{
    struct hub_seen *seen = context;
    const int found = segment_find(handle, print, ret_epoch, ret_seq);
    if (found < 0)
        seen->error = found;
    return found;
}

static void on_prefetch(void *context, void *handle, const struct fingerprint *print)
{
    (void)context;
    segment_prefetch(handle, print);
}

/* When memory is short it is forgotten: then the next start removes the file. */
static void note_dropped(struct hub_seen *seen, uint64_t id)
{
    if (seen->dropped_count == seen->dropped_capacity) {
        const size_t capacity = 2 * seen->dropped_capacity + 16;
        uint64_t *dropped = realloc(seen->dropped, capacity * sizeof *dropped);
        if (dropped == NULL)
            return;
        seen->dropped = dropped;
        seen->dropped_capacity = capacity;
    }
    seen->dropped[seen->dropped_count++] = id;
}

static void on_dropped(void *context, uint64_t id, void *handle)
{
    segment_close(handle);
    note_dropped(context, id);
}

/* --- jobs --- */

static void on_done(struct loop_message *message);

static struct hub_seen_job *new_job(struct hub_seen *seen, enum hub_seen_task task)
{
    if (seen->on_way_count == JOBS_ON_WAY)
        return NULL;
    struct hub_seen_job *job = calloc(1, sizeof *job);
    if (job == NULL)
        return NULL;
    job->message.on_message = on_done;
    job->seen = seen;
    job->task = task;
    return job;
}

static void give(struct hub_seen *seen, struct hub_seen_job *job)
{
    seen->on_way[seen->on_way_count++] = job;
    hub_seen_worker_give(seen->worker, job);
}

static void forget(struct hub_seen *seen, const struct hub_seen_job *job)
{
    for (size_t i = 0; i < seen->on_way_count; i++) {
        if (seen->on_way[i] == job) {
            seen->on_way[i] = seen->on_way[--seen->on_way_count];
            return;
        }
    }
}

static struct segment_info info_of(const struct mailbox_segment *segment)
{
    return (struct segment_info){.id = segment->id,
                                 .start_ms = segment->start_ms,
                                 .end_ms = segment->end_ms,
                                 .count = segment->count,
                                 .sum = segment->sum};
}

/* The oldest that is in memory only. False: there is none. */
static bool find_unstored(const struct hub_seen *seen, struct mailbox_segment *ret_segment,
                          size_t *ret_count)
{
    struct mailbox_segment segment;
    *ret_count = 0;
    for (size_t i = 0; mailbox_segment_at(seen->mailbox, i, &segment); i++) {
        if (!segment.is_stored && (*ret_count)++ == 0)
            *ret_segment = segment;
    }
    return *ret_count > 0;
}

static void write_next(struct hub_seen *seen)
{
    struct mailbox_segment segment;
    size_t count;
    if (seen->worker == NULL || seen->writing != NULL || loop_timer_is_set(&seen->retry) ||
        !find_unstored(seen, &segment, &count))
        return;
    struct hub_seen_job *job = new_job(seen, HUB_SEEN_WRITE);
    if (job == NULL) { /* tried again by the next run of batches */
        log_limited(&seen->write_limit, LOG_LEVEL_WARNING,
                    "memory is short, or the files of the dedupe set are written too slowly",
                    LOG_STRING("folder", seen->folder));
        return;
    }
    job->info = info_of(&segment);
    job->held = mailbox_segment_hold(seen->mailbox, segment.id);
    seen->writing = job;
    give(seen, job);
}

static void on_retry(struct loop_timer *timer)
{
    write_next(container_of(timer, struct hub_seen, retry));
}

/* Takes the segment of the job. */
static void end_write(struct hub_seen *seen, struct hub_seen_job *job)
{
    seen->writing = NULL;
    if (job->error != 0) {
        log_limited(&seen->write_limit, LOG_LEVEL_WARNING,
                    "cannot store a part of the dedupe set: it stays in memory; trying again",
                    LOG_STRING("folder", seen->folder), LOG_U64("segment", job->info.id),
                    LOG_ERRNO(job->error));
        loop_timer_set(seen->settings.loop, &seen->retry, RETRY_MS);
        return;
    }
    if (mailbox_segment_stored(seen->mailbox, job->info.id, job->segment) == 0)
        job->segment = NULL;
    else
        note_dropped(seen, job->info.id); /* it was too old before it was stored */
}

static void end_job(struct hub_seen *seen, struct hub_seen_job *job)
{
    forget(seen, job);
    if (job->task == HUB_SEEN_WRITE)
        end_write(seen, job);
    else if (job->task == HUB_SEEN_REMOVE && job->error != 0)
        log_warning("cannot remove files of the dedupe set: the next start does",
                    LOG_STRING("folder", seen->folder), LOG_ERRNO(job->error));
}

static bool is_needed(void *context, uint64_t id)
{
    struct hub_seen *seen = context;
    struct mailbox_segment segment;
    for (size_t i = 0; mailbox_segment_at(seen->mailbox, i, &segment); i++) {
        if (segment.id == id)
            return segment.is_stored;
    }
    return false;
}

static void on_done(struct loop_message *message)
{
    struct hub_seen_job *job = container_of(message, struct hub_seen_job, message);
    struct hub_seen *seen = job->seen;
    if (seen == NULL) {
        hub_seen_job_free(job);
        return;
    }
    end_job(seen, job);
    const bool damaged = job->task == HUB_SEEN_VERIFY && is_needed(seen, job->info.id) &&
                         (job->error == -EILSEQ || job->error == -ENOENT);
    const bool wrote = job->task == HUB_SEEN_WRITE;
    if (damaged)
        log_error("a part of the dedupe set is damaged", LOG_STRING("folder", seen->folder),
                  LOG_U64("segment", job->info.id));
    hub_seen_job_free(job);
    if (damaged) {
        seen->settings.on_damaged(seen->settings.context, -EILSEQ);
        return;
    }
    if (!wrote)
        return;
    write_next(seen);
    if (hub_seen_is_stored(seen) || loop_timer_is_set(&seen->retry))
        seen->settings.on_stored(seen->settings.context);
}

/* Ends the thread; what it has done counts, and what it has not is dropped. */
static void stop_worker(struct hub_seen *seen, bool all)
{
    struct hub_seen_job *left = hub_seen_worker_stop(seen->worker, all);
    seen->worker = NULL;
    while (left != NULL) {
        struct hub_seen_job *job = left;
        left = job->next;
        forget(seen, job);
        hub_seen_job_free(job);
    }
    while (seen->on_way_count > 0) { /* posted: its message is still to come */
        struct hub_seen_job *job = seen->on_way[0];
        end_job(seen, job);
        job->seen = NULL;
    }
    seen->writing = NULL;
}

/* --- making and attaching --- */

struct hub_seen *hub_seen_new(const struct hub_seen_settings *settings)
{
    static const char suffix[] = ".view";
    struct hub_seen *seen = calloc(1, sizeof *seen);
    if (seen == NULL)
        return NULL;
    const char *path = settings->view_path;
    size_t size = strlen(path);
    if (size > strlen(suffix) && strcmp(path + size - strlen(suffix), suffix) == 0)
        size -= strlen(suffix);
    const int folder = snprintf(seen->folder, sizeof seen->folder, "%.*s.seen", (int)size, path);
    const int log = snprintf(seen->log_path, sizeof seen->log_path, "%s-wal", path);
    if (folder >= PATH_SIZE || log >= PATH_SIZE) {
        free(seen);
        return NULL;
    }
    seen->settings = *settings;
    seen->settings.view_path = NULL;
    seen->retry.on_due = on_retry;
    return seen;
}

void hub_seen_free(struct hub_seen *seen)
{
    if (seen == NULL)
        return;
    hub_seen_detach(seen);
    free(seen->dropped);
    free(seen);
}

const char *hub_seen_folder(const struct hub_seen *seen)
{
    return seen->folder;
}

static int open_segment(struct hub_seen *seen, const struct mailbox_segment *wanted,
                        struct error_text *reterr_why)
{
    struct segment *segment;
    const struct segment_info info = info_of(wanted);
    int err = segment_open(seen->folder, wanted->id, &segment, reterr_why);
    if (err == -ENOENT)
        return -EILSEQ; /* the state is of no use without it */
    if (err != 0)
        return err;
    if (!segment_is(segment, &info)) {
        segment_close(segment);
        return error_text_set(reterr_why, -EILSEQ,
                              "segment %" PRIu64 " is another one than was saved", wanted->id);
    }
    return mailbox_segment_stored(seen->mailbox, wanted->id, segment);
}

static void verify(struct hub_seen *seen, const struct mailbox_segment *segment)
{
    /* With some room for others: what is not verified now is when it is read. */
    struct hub_seen_job *job =
        seen->on_way_count < JOBS_ON_WAY / 2 ? new_job(seen, HUB_SEEN_VERIFY) : NULL;
    if (job == NULL)
        return;
    job->info = info_of(segment);
    give(seen, job);
}

static int open_all(struct hub_seen *seen, struct error_text *reterr_why)
{
    struct mailbox_segment segment;
    int err = 0;
    for (size_t i = 0; err == 0 && mailbox_segment_at(seen->mailbox, i, &segment); i++) {
        if (segment.is_stored)
            err = open_segment(seen, &segment, reterr_why);
    }
    for (size_t i = 0; err == 0 && mailbox_segment_at(seen->mailbox, i, &segment); i++) {
        if (segment.is_stored)
            verify(seen, &segment);
    }
    return err;
}

int hub_seen_attach(struct hub_seen *seen, struct mailbox *mailbox, struct error_text *reterr_why)
{
    int err =
        hub_seen_worker_start(seen->settings.loop, seen->folder, seen->log_path, &seen->worker);
    if (err != 0)
        return error_text_set(reterr_why, err, "cannot start a thread: %s", strerror(-err));
    seen->mailbox = mailbox;
    seen->error = 0;
    mailbox_set_store(mailbox, &(struct mailbox_store){.context = seen,
                                                       .find = on_find,
                                                       .prefetch = on_prefetch,
                                                       .dropped = on_dropped});
    err = open_all(seen, reterr_why);
    if (err == 0) {
        err = segment_clean(seen->folder, seen, is_needed);
        if (err != 0)
            error_text_set(reterr_why, err, "cannot clean the folder %s", seen->folder);
    }
    if (err != 0)
        hub_seen_detach(seen);
    return err;
}

void hub_seen_detach(struct hub_seen *seen)
{
    struct mailbox_segment segment;
    if (seen->mailbox == NULL)
        return;
    stop_worker(seen, false);
    loop_timer_stop(seen->settings.loop, &seen->retry);
    for (size_t i = 0; mailbox_segment_at(seen->mailbox, i, &segment); i++)
        segment_close(segment.handle);
    seen->mailbox = NULL;
    seen->dropped_count = 0; /* the state that is saved may refer to them */
}

/* --- while it is attached --- */

void hub_seen_applied(struct hub_seen *seen)
{
    write_next(seen);
}

bool hub_seen_is_stored(const struct hub_seen *seen)
{
    struct mailbox_segment segment;
    size_t count;
    return !find_unstored(seen, &segment, &count);
}

bool hub_seen_is_behind(const struct hub_seen *seen)
{
    struct mailbox_segment segment;
    size_t count;
    return seen->writing != NULL && find_unstored(seen, &segment, &count) && count > UNSTORED_MAX;
}

void hub_seen_saved(struct hub_seen *seen)
{
    struct hub_seen_job *job =
        seen->dropped_count > 0 && seen->worker != NULL ? new_job(seen, HUB_SEEN_REMOVE) : NULL;
    if (job == NULL)
        return;
    job->ids = seen->dropped;
    job->id_count = seen->dropped_count;
    seen->dropped = NULL;
    seen->dropped_count = seen->dropped_capacity = 0;
    give(seen, job);
}

int hub_seen_finish(struct hub_seen *seen)
{
    int err = 0;
    while (err == 0 && !hub_seen_is_stored(seen)) {
        loop_timer_stop(seen->settings.loop, &seen->retry);
        if (seen->worker == NULL)
            err = hub_seen_worker_start(seen->settings.loop, seen->folder, seen->log_path,
                                        &seen->worker);
        write_next(seen);
        if (err == 0 && seen->writing == NULL)
            err = -ENOMEM;
        stop_worker(seen, true);
        if (err == 0 && loop_timer_is_set(&seen->retry))
            err = -EIO;
    }
    return err;
}

int hub_seen_error(const struct hub_seen *seen)
{
    return seen->error == 0 ? -EIO : seen->error;
}
