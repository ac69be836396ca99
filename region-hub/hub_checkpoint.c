#include "region-hub/hub_checkpoint.h"

#include "base/clock.h"
#include "log/log.h"
#include "region-hub/hub_checkpoint_file.h"
#include "region-hub/hub_checkpoint_plan.h"
#include "region-hub/hub_checkpoint_upload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    ASK_AGAIN_MS = 30000, /* a record that was not applied for so long was dropped */
    DAY_MS = 86400000,
    PATH_SIZE = 1024,
};

struct hub_checkpoint {
    struct hub_checkpoint_settings settings;
    struct hub_checkpoint_file *file;
    struct hub_checkpoint_upload *upload;
    uint64_t stored;    /* the position of the last one that is known to be stored */
    uint64_t uploading; /* the one that is on its way */
    struct hub_checkpoint_item waiting; /* it, while its segments go first; number 0: it is gone */
    struct wire_cursor segments;        /* those that are left, in its `done` */
    int64_t segments_from_ms;           /* what was stored before goes too early */
    int64_t try_ms;                     /* not before */
    int64_t pause_ms;                   /* 0: nothing has failed */
    int64_t asked_ms;                   /* when the record was written; 0: never */
    uint64_t asked_generation;
    uint64_t asked_after; /* the last checkpoint then */
};

static int64_t now_of(const struct hub_checkpoint *checkpoint)
{
    return loop_now_ms(checkpoint->settings.loop);
}

/* --- keeping --- */

void hub_checkpoint_take(struct hub_checkpoint *checkpoint, const struct mailbox *mailbox)
{
    struct mailbox_state state = mailbox_state(mailbox);
    struct hub_checkpoint_bytes what = {.position = state.position};
    memcpy(what.incarnation, state.incarnation, sizeof what.incarnation);
    int err = mailbox_save(mailbox, &what.bytes);
    if (err == 0)
        err = hub_checkpoint_file_write(checkpoint->file, &what);
    buffer_free(&what.bytes);
    if (err != 0)
        log_error("the checkpoint is not kept", LOG_STRING("file", checkpoint->settings.path),
                  LOG_U64("position", state.position), LOG_ERRNO(err));
}

static void on_file_ready(void *context, int err, uint64_t position)
{
    struct hub_checkpoint *checkpoint = context;
    if (err != 0)
        return;
    checkpoint->try_ms = 0; /* what could not be stored for want of the file can be now */
    log_info("a checkpoint is on the disk", LOG_STRING("file", checkpoint->settings.path),
             LOG_U64("position", position));
}

/* --- storing --- */

static void store_next(struct hub_checkpoint *checkpoint);

static void drop_waiting(struct hub_checkpoint *checkpoint)
{
    if (checkpoint->waiting.fd >= 0)
        close(checkpoint->waiting.fd);
    buffer_free(&checkpoint->waiting.done);
    checkpoint->waiting = (struct hub_checkpoint_item){.fd = -1};
}

static void on_upload_end(void *context, int err)
{
    struct hub_checkpoint *checkpoint = context;
    if (err == 0 && checkpoint->waiting.number != 0) {
        store_next(checkpoint);
        return;
    }
    drop_waiting(checkpoint);
    if (err == 0) {
        checkpoint->stored = checkpoint->uploading;
        checkpoint->pause_ms = 0;
        log_info("the checkpoint is stored", LOG_STRING("region", checkpoint->settings.region),
                 LOG_U64("shard", checkpoint->settings.shard),
                 LOG_U64("position", checkpoint->stored));
        return;
    }
    int64_t doubled = 2 * checkpoint->pause_ms;
    checkpoint->pause_ms =
        doubled < checkpoint->settings.retry_min_ms   ? checkpoint->settings.retry_min_ms
        : doubled > checkpoint->settings.retry_max_ms ? checkpoint->settings.retry_max_ms
                                                      : doubled;
    checkpoint->try_ms = now_of(checkpoint) + checkpoint->pause_ms;
    log_warning("the checkpoint could not be stored; trying again",
                LOG_STRING("region", checkpoint->settings.region),
                LOG_U64("shard", checkpoint->settings.shard),
                LOG_U64("position", checkpoint->uploading),
                LOG_STRING("why", err == -ENOENT   ? "this hub does not have it"
                                  : err == -ENOSPC ? "the stream is full"
                                                   : "no good answer"),
                LOG_ERRNO(err), LOG_I64("again_ms", checkpoint->pause_ms));
}

/* Opens the file when it is the checkpoint at `position`; else there is only the question whether
 * another hub has stored it. */
static void open_item(const struct hub_checkpoint *checkpoint, struct hub_checkpoint_item *item)
{
    struct wire_stored stored;
    if (hub_checkpoint_file_position(checkpoint->file) != item->number ||
        hub_checkpoint_file_open(checkpoint->settings.path, &item->done, &item->fd,
                                 &item->offset) != 0)
        return;
    int err = wire_stored_read(item->done.data, item->done.size, &stored);
    if (err == 0 && stored.position == item->number &&
        memcmp(stored.incarnation, item->incarnation, sizeof stored.incarnation) == 0)
        return;
    close(item->fd);
    item->fd = -1;
    buffer_clear(&item->done);
}

/* The file of a segment, and the `done` that belongs to it. Its sum is its fingerprint, since
 * segment_install() checks the rest. What is not there can still be stored already. */
static void open_segment(const struct hub_checkpoint *checkpoint,
                         const struct wire_segment *segment, struct hub_checkpoint_item *item)
{
    char path[PATH_SIZE];
    struct stat status;
    snprintf(path, sizeof path, "%s/%llu", checkpoint->settings.segments,
             (unsigned long long)segment->id);
    item->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (item->fd < 0)
        return;
    int err = fstat(item->fd, &status) == 0 && status.st_size > 0 ? 0 : -EIO;
    if (err == 0) {
        struct wire_stored stored = {
            .position = segment->id, .size = (uint64_t)status.st_size, .fingerprint = segment->sum};
        memcpy(stored.incarnation, item->incarnation, sizeof stored.incarnation);
        err = wire_stored_write(&item->done, &stored, segment, 1);
    }
    if (err == 0)
        return;
    close(item->fd);
    item->fd = -1;
    buffer_clear(&item->done);
}

/* The next segment, or, behind the last one, the checkpoint itself. */
static void store_next(struct hub_checkpoint *checkpoint)
{
    struct wire_segment segment;
    if (!wire_segment_next(&checkpoint->segments, &segment)) {
        hub_checkpoint_upload_start(checkpoint->upload, &checkpoint->waiting);
        return;
    }
    struct hub_checkpoint_item item = {
        .kind = WIRE_STORED_SEGMENT,
        .number = segment.id,
        .fd = -1,
        .not_before_ms = checkpoint->segments_from_ms,
    };
    memcpy(item.incarnation, checkpoint->waiting.incarnation, sizeof item.incarnation);
    open_segment(checkpoint, &segment, &item);
    hub_checkpoint_upload_start(checkpoint->upload, &item);
}

static void store_when_due(struct hub_checkpoint *checkpoint, const struct mailbox_state *state)
{
    uint64_t position = state->checkpoint_position;
    if (position == 0 || position == checkpoint->stored ||
        hub_checkpoint_upload_runs(checkpoint->upload) ||
        hub_checkpoint_file_is_busy(checkpoint->file) || now_of(checkpoint) < checkpoint->try_ms)
        return;
    struct hub_checkpoint_item *item = &checkpoint->waiting;
    struct wire_stored stored;
    *item =
        (struct hub_checkpoint_item){.kind = WIRE_STORED_CHECKPOINT, .number = position, .fd = -1};
    memcpy(item->incarnation, state->incarnation, sizeof item->incarnation);
    open_item(checkpoint, item);
    checkpoint->segments = (struct wire_cursor){0};
    if (item->fd >= 0 && wire_stored_read(item->done.data, item->done.size, &stored) == 0)
        checkpoint->segments = stored.segments;
    /* The stream keeps a segment a window and a day longer than a checkpoint is needed. */
    checkpoint->segments_from_ms =
        clock_wall_ms() - (int64_t)state->config.dedupe_window_s * 1000 - DAY_MS;
    checkpoint->uploading = position;
    store_next(checkpoint);
}

/* --- making --- */

static void write_when_due(struct hub_checkpoint *checkpoint, struct hub_writer *writer,
                           const struct mailbox_state *state, const struct mailbox_moving *moving,
                           int64_t begun_ms)
{
    int64_t now_ms = now_of(checkpoint);
    if (!hub_checkpoint_is_due(state, moving, begun_ms, checkpoint->settings.interval_ms))
        return;
    bool asked = checkpoint->asked_generation == state->generation &&
                 checkpoint->asked_after == state->checkpoint_position &&
                 now_ms - checkpoint->asked_ms < ASK_AGAIN_MS;
    const struct wire_checkpoint record = {.generation = state->generation};
    if (asked || hub_writer_checkpoint(writer, &record) != 0)
        return; /* the queue is full: in a moment */
    checkpoint->asked_ms = now_ms;
    checkpoint->asked_generation = state->generation;
    checkpoint->asked_after = state->checkpoint_position;
}

void hub_checkpoint_serve(struct hub_checkpoint *checkpoint, struct hub_writer *writer,
                          const struct mailbox_state *state, const struct mailbox_moving *moving,
                          int64_t begun_ms)
{
    write_when_due(checkpoint, writer, state, moving, begun_ms);
    store_when_due(checkpoint, state);
}

const char *hub_checkpoint_warning(const struct hub_checkpoint *checkpoint)
{
    return checkpoint->pause_ms > 0 ? "checkpoint_not_stored" : NULL;
}

struct hub_checkpoint *hub_checkpoint_new(const struct hub_checkpoint_settings *settings)
{
    struct hub_checkpoint *checkpoint = calloc(1, sizeof *checkpoint);
    if (checkpoint == NULL)
        return NULL;
    checkpoint->settings = *settings;
    checkpoint->waiting.fd = -1;
    checkpoint->file = hub_checkpoint_file_new(&(struct hub_checkpoint_file_settings){
        .loop = settings->loop,
        .path = settings->path,
        .context = checkpoint,
        .on_ready = on_file_ready,
    });
    checkpoint->upload = hub_checkpoint_upload_new(&(struct hub_checkpoint_upload_settings){
        .bus = settings->bus,
        .region = settings->region,
        .shard = settings->shard,
        .context = checkpoint,
        .on_end = on_upload_end,
    });
    if (checkpoint->file == NULL || checkpoint->upload == NULL) {
        hub_checkpoint_free(checkpoint);
        return NULL;
    }
    return checkpoint;
}

void hub_checkpoint_free(struct hub_checkpoint *checkpoint)
{
    if (checkpoint == NULL)
        return;
    hub_checkpoint_upload_free(checkpoint->upload);
    drop_waiting(checkpoint);
    hub_checkpoint_file_free(checkpoint->file);
    free(checkpoint);
}
