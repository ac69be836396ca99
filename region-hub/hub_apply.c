#include "region-hub/hub_apply_internal.h"

#include "wire/batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void hub_apply_stop(struct hub_apply *apply, const char *code, const char *why)
{
    if (apply->stopped != NULL)
        return;
    apply->stopped = code;
    log_error("this shard is stopped: its log cannot be applied", LOG_STRING("reason", code),
              LOG_STRING("log", apply->stream.text), LOG_U64("position", hub_apply_position(apply)),
              LOG_STRING("why", why));
    if (apply->reader != NULL)
        bus_reader_hold(apply->reader, true);
    loop_timer_stop(apply->settings.loop, &apply->check_timer);
    bus_request_cancel(&apply->check);
    hub_checkpoint_load_free(apply->load);
    apply->load = NULL;
    apply->settings.on_fell_behind(apply->settings.context);
}

/* --- what the mailboxes decide --- */

/* Where the row stands; what it holds is to be added. */
static struct view_row place_of(const struct mailbox_row *row)
{
    return (struct view_row){
        .row = row->row,
        .previous_row = row->previous_row,
        .position = row->position,
        .user = row->user,
        .epoch = row->epoch,
        .seq = row->seq,
        .at_ms = row->at_ms,
    };
}

/* False: the view has failed. */
static bool store(struct hub_apply *apply, const struct mailbox_row *row)
{
    const struct wire_message *message = row->message;
    struct view_row stored = place_of(row);
    stored.created_ms = message->created_ms;
    stored.ttl_s = message->ttl_s;
    stored.flags = message->flags;
    stored.wants = message->wants;
    stored.sender = message->sender;
    stored.device = message->device;
    stored.id = message->id;
    stored.body = message->body;
    memcpy(stored.trace, message->trace, sizeof stored.trace);
    int err = apply->failed != 0 ? apply->failed : view_append(apply->view, &stored);
    if (err != 0)
        hub_apply_view_failed(apply, err);
    return err == 0;
}

static void on_appended(void *context, const struct mailbox_row *row)
{
    struct hub_apply *apply = context;
    if (store(apply, row))
        apply->settings.on_row(apply->settings.context, row);
}

static void on_held(void *context, const struct mailbox_row *row)
{
    (void)store(context, row);
}

/* What was held is in the view, unless this view was made again from a checkpoint that is younger:
 * then the mailbox has a hole there, which reading tells as lost. */
static void on_released(void *context, const struct mailbox_row *row, uint64_t held_row)
{
    struct hub_apply *apply = context;
    const struct view_row copy = place_of(row);
    int err = apply->failed != 0 ? apply->failed : view_copy(apply->view, held_row, &copy);
    if (err == -ENOENT)
        log_limited(&apply->passed_limit, LOG_LEVEL_ERROR,
                    "a message that waited for a home move is not in this view",
                    LOG_STRING("log", apply->stream.text), LOG_U64("row", held_row));
    else if (err != 0)
        hub_apply_view_failed(apply, err);
}

static void on_moved(void *context, const struct mailbox_move *move)
{
    struct hub_apply *apply = context;
    apply->settings.on_moved(apply->settings.context, move);
}

static void on_acked(void *context, struct text user, struct text device, uint32_t epoch,
                     uint64_t seq)
{
    struct hub_apply *apply = context;
    apply->settings.on_acked(apply->settings.context, user, device, epoch, seq);
}

static void on_device_dropped(void *context, struct text user, struct text device)
{
    struct hub_apply *apply = context;
    apply->settings.on_dropped(apply->settings.context, user, device);
}

static void on_read(void *context, const struct wire_read *read)
{
    const struct hub_apply *apply = context;
    apply->settings.on_read(apply->settings.context, read);
}

static void on_owned(void *context, uint64_t generation, struct text hub, uint64_t start)
{
    struct hub_apply *apply = context;
    apply->settings.on_owned(apply->settings.context, generation, hub, start);
}

static void on_misrouted(void *context, struct text user, const struct wire_message *message)
{
    struct hub_apply *apply = context;
    apply->settings.on_misrouted(apply->settings.context, user, message);
}

static void on_checkpoint(void *context, uint64_t position)
{
    struct hub_apply *apply = context;
    (void)position;
    apply->checkpoint_due = true;
}

static void on_passed(void *context, const struct mailbox_input *input, enum mailbox_passed why,
                      const char *reason)
{
    struct hub_apply *apply = context;
    if (why == MAILBOX_LANE_HOLE)
        hub_holes_found(&apply->holes, input->source, input->position,
                        loop_now_ms(apply->settings.loop));
    if (why != MAILBOX_QUARANTINED)
        return;
    log_limited(&apply->passed_limit, LOG_LEVEL_ERROR, "a batch is quarantined",
                LOG_STRING("log", apply->stream.text), LOG_U64("position", input->position),
                LOG_STRING("why", reason));
    int err = apply->failed != 0
                  ? apply->failed
                  : view_quarantine(apply->view, input->position, reason, input->data, input->size);
    if (err != 0)
        hub_apply_view_failed(apply, err);
}

static void on_lane_moved(void *context, struct text source, uint64_t sequence)
{
    struct hub_apply *apply = context;
    (void)sequence;
    hub_holes_closed(&apply->holes, source);
}

/* --- reading --- */

static const char *code_of(int err)
{
    return err == -ESTALE ? "log_hole" : err == -EILSEQ ? "hash_mismatch" : "unknown_record";
}

static void apply_entry(struct hub_apply *apply, const struct bus_entry *entry)
{
    struct mailbox_input input = {
        .position = entry->position,
        .time_ms = entry->time_ms,
        .data = entry->data,
        .size = entry->size,
    };
    if (wire_log_writer(entry->subject, &input.writer, &input.source) != 0) {
        /* On a subject that nobody writes to: nothing of it counts, the same on every hub. */
        input.writer = WIRE_BY_EDGE;
        input.source = (struct text){"", 0};
        input.size = 0;
    }
    if (!hub_marker_enter(apply->marker, entry->position)) {
        hub_apply_stop(
            apply, "crash_loop",
            "the process ended twice while it applied the next position; when the cause is "
            "removed, delete the marker file beside the view");
        return;
    }
    struct error_text why = {0};
    int err = mailbox_apply(apply->mailbox, &input, &apply->effects, &why);
    hub_marker_leave(apply->marker, entry->position);
    apply->applied_ms = loop_now_ms(apply->settings.loop);
    if (err == -EIO)
        hub_apply_view_failed(apply, hub_seen_error(apply->seen));
    else if (err != 0)
        hub_apply_stop(apply, code_of(err), why.text);
    else if (apply->checkpoint_due)
        apply->settings.on_checkpoint(apply->settings.context, apply->mailbox);
    apply->checkpoint_due = false;
}

/* Whether the log does not hold the next position: what comes is not for this state. */
static bool is_beyond_jump(struct hub_apply *apply, uint64_t position)
{
    if (apply->jump_to == 0 && position > hub_apply_position(apply) + 1) {
        apply->jump_to = position;
        bus_reader_hold(apply->reader, true);
    }
    return apply->jump_to != 0;
}

static void on_entry(void *context, const struct bus_entry *entry)
{
    struct hub_apply *apply = context;
    if (apply->failed != 0 || apply->stopped != NULL || is_beyond_jump(apply, entry->position))
        return;
    if (!apply->in_transaction) {
        int err = view_begin(apply->view);
        if (err != 0) {
            hub_apply_view_failed(apply, err);
            return;
        }
        apply->in_transaction = true;
    }
    apply_entry(apply, entry);
    if (apply->head < entry->position)
        apply->head = entry->position;
}

static void on_pause(void *context, bool caught_up)
{
    struct hub_apply *apply = context;
    uint64_t position = hub_apply_position(apply);
    if (apply->failed != 0)
        return;
    if (apply->in_transaction) {
        apply->in_transaction = false;
        int err = view_commit(apply->view, position);
        if (err != 0) {
            hub_apply_view_failed(apply, err);
            return;
        }
        hub_seen_applied(apply->seen);
        hub_apply_save_when_due(apply);
    }
    if (apply->stopped != NULL)
        return;
    if (apply->jump_to != 0) {
        hub_apply_load_checkpoint(apply);
        return;
    }
    if (hub_seen_is_behind(apply->seen))
        bus_reader_hold(apply->reader, true);
    bool at_end = caught_up && position >= apply->head;
    if (at_end)
        apply->trouble = NULL;
    apply->settings.on_applied(apply->settings.context, at_end);
}

void hub_apply_start_reading(struct hub_apply *apply)
{
    apply->reader =
        bus_reader_open(apply->settings.bus, &(struct bus_reader_settings){
                                                 .stream = apply->stream.text,
                                                 .filter = apply->subjects.text,
                                                 .from = mailbox_state(apply->mailbox).position + 1,
                                                 .on_entry = on_entry,
                                                 .on_pause = on_pause,
                                                 .context = apply,
                                             });
    apply->started = apply->reader != NULL;
    if (!apply->started)
        loop_timer_set(apply->settings.loop, &apply->check_timer, HUB_APPLY_CHECK_AGAIN_MS);
}

/* --- the rest --- */

struct hub_apply *hub_apply_new(const struct hub_apply_settings *settings)
{
    struct hub_apply *apply = calloc(1, sizeof *apply);
    if (apply == NULL)
        return NULL;
    apply->settings = *settings;
    apply->seen =
        hub_seen_new(&(struct hub_seen_settings){.loop = settings->loop,
                                                 .view_path = settings->view_path,
                                                 .context = apply,
                                                 .on_stored = hub_apply_on_seen_stored,
                                                 .on_damaged = hub_apply_on_seen_damaged});
    if (apply->seen == NULL) {
        free(apply);
        return NULL;
    }
    apply->stream = wire_log_stream(settings->region, settings->shard);
    apply->subjects = wire_log_subjects(settings->region, settings->shard);
    apply->effects = (struct mailbox_effects){
        .context = apply,
        .appended = on_appended,
        .acked = on_acked,
        .device_dropped = on_device_dropped,
        .read = on_read,
        .owned = on_owned,
        .checkpoint = on_checkpoint,
        .lane_moved = on_lane_moved,
        .passed = on_passed,
        .misrouted = on_misrouted,
        .held = on_held,
        .released = on_released,
        .moved = on_moved,
    };
    apply->trouble = "starting";
    apply->reopen.on_later = hub_apply_on_reopen;
    apply->reopen_timer.on_due = hub_apply_on_reopen_timer;
    apply->check.on_answer = hub_apply_on_check;
    apply->check_timer.on_due = hub_apply_on_check_timer;
    loop_later(settings->loop, &apply->reopen);
    return apply;
}

void hub_apply_free(struct hub_apply *apply, bool with_save)
{
    if (apply == NULL)
        return;
    bus_request_cancel(&apply->check);
    loop_timer_stop(apply->settings.loop, &apply->check_timer);
    loop_timer_stop(apply->settings.loop, &apply->reopen_timer);
    loop_later_cancel(&apply->reopen);
    /* What a stopped or failed one has made of the log may be what is wrong with it. */
    bool good = apply->mailbox != NULL && apply->failed == 0 && apply->stopped == NULL;
    if (good && apply->in_transaction)
        good = view_commit(apply->view, mailbox_state(apply->mailbox).position) == 0;
    if (good && with_save)
        good = hub_seen_finish(apply->seen) == 0;
    if (good && with_save && mailbox_state(apply->mailbox).position != apply->saved_position)
        hub_apply_save(apply);
    hub_apply_close_view(apply);
    hub_seen_free(apply->seen);
    hub_marker_close(apply->marker);
    free(apply);
}

const struct mailbox *hub_apply_mailbox(const struct hub_apply *apply)
{
    return apply->mailbox;
}

struct view *hub_apply_view(const struct hub_apply *apply)
{
    return apply->view;
}

uint64_t hub_apply_position(const struct hub_apply *apply)
{
    return apply->mailbox == NULL ? 0 : mailbox_state(apply->mailbox).position;
}

uint64_t hub_apply_head(const struct hub_apply *apply)
{
    return apply->head;
}

int64_t hub_apply_now_ms(const struct hub_apply *apply)
{
    if (apply->mailbox == NULL)
        return 0;
    return mailbox_state(apply->mailbox).time_ms + loop_now_ms(apply->settings.loop) -
           apply->applied_ms;
}

const char *hub_apply_segments(const struct hub_apply *apply)
{
    return hub_seen_folder(apply->seen);
}

int64_t hub_apply_begun_ms(const struct hub_apply *apply)
{
    return apply->begun_ms;
}

int64_t hub_apply_lag_ms(struct hub_apply *apply)
{
    return hub_lag_ms(&apply->lag, hub_apply_position(apply), loop_now_ms(apply->settings.loop));
}

const char *hub_apply_trouble(const struct hub_apply *apply)
{
    return apply->stopped != NULL ? apply->stopped : apply->trouble;
}

bool hub_apply_is_sure(const struct hub_apply *apply)
{
    return apply->is_sure;
}

bool hub_apply_is_stopped(const struct hub_apply *apply)
{
    return apply->stopped != NULL;
}

const struct hub_holes *hub_apply_holes(const struct hub_apply *apply)
{
    return &apply->holes;
}

void hub_apply_ring(struct hub_apply *apply, uint64_t position)
{
    if (position > hub_apply_position(apply))
        hub_lag_heard(&apply->lag, position, loop_now_ms(apply->settings.loop));
    if (position > apply->head)
        apply->head = position;
    if (apply->reader != NULL)
        bus_reader_ring(apply->reader, position);
}
