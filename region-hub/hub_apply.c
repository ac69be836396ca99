#include "region-hub/hub_apply.h"

#include "log/log.h"
#include "region-hub/hub_checkpoint_load.h"
#include "region-hub/hub_lag.h"
#include "region-hub/hub_marker.h"
#include "region-hub/hub_seen.h"
#include "region-hub/hub_stream.h"
#include "wire/batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    ASK_TIMEOUT_MS = 2000,
    CHECK_AGAIN_MS = 500, /* when the log did not answer, is empty, or looks too short */
    REOPEN_MS = 5000,     /* after the disk failed */
    TOO_SHORT_MAX = 3,    /* a replica that is behind shows a short log: not at once an alarm */
};

struct hub_apply {
    struct hub_apply_settings settings;
    struct wire_name stream;
    struct wire_name subjects;
    struct mailbox_effects effects;

    struct view *view;
    struct mailbox *mailbox;
    struct hub_seen *seen;
    struct hub_marker *marker;
    struct bus_reader *reader;
    bool in_transaction;
    bool started;        /* the reader was opened for this view */
    const char *trouble; /* passing, until the log is read */
    const char *stopped; /* for good */
    int failed;          /* of the view; what follows is for after it is open again */
    struct loop_later reopen;
    struct loop_timer reopen_timer;

    struct bus_request check;
    struct loop_timer check_timer;
    bool checking_last; /* else the genesis */
    uint64_t check_least;
    bool has_incarnation;
    uint8_t incarnation[16];
    unsigned too_short;

    int64_t begun_ms; /* the time of position 1; 0: it is not there */

    bool checkpoint_due;              /* at the end of the batch that is applied */
    uint64_t jump_to;                 /* where the log goes on, beyond our next; 0: it is there */
    struct hub_checkpoint_load *load; /* NULL: nothing is loaded */

    uint64_t head;
    int64_t applied_ms; /* when T was learnt, by the monotonic clock */
    struct hub_lag lag;
    uint64_t saved_rows;
    uint64_t saved_position;
    int64_t saved_ms;
    struct hub_holes holes;
    struct log_limit passed_limit;
};

/* --- stopping --- */

static void stop(struct hub_apply *apply, const char *code, const char *why)
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

/* --- the view and the state in it --- */

static void save(struct hub_apply *apply)
{
    uint64_t position = mailbox_state(apply->mailbox).position;
    struct buffer bytes = {0};
    int err = mailbox_save(apply->mailbox, &bytes);
    if (err == 0)
        err = view_save_state(apply->view, position, bytes.data, bytes.size);
    buffer_free(&bytes);
    if (err == 0)
        hub_seen_saved(apply->seen);
    apply->saved_ms = loop_now_ms(apply->settings.loop);
    apply->saved_position = position;
    apply->saved_rows = mailbox_state(apply->mailbox).rows;
    if (err != 0)
        log_warning("cannot save the state of the mailboxes; a start will take longer",
                    LOG_STRING("view", apply->settings.view_path), LOG_ERRNO(err));
}

static void save_when_due(struct hub_apply *apply)
{
    struct mailbox_state state = mailbox_state(apply->mailbox);
    int64_t age_ms = loop_now_ms(apply->settings.loop) - apply->saved_ms;
    if (!hub_seen_is_stored(apply->seen))
        return; /* it would refer to what is not there yet; on_stored comes here again */
    /* A save costs as much as what is in memory is large, so a large one is saved less often: the
     * cost of a row stays the same. */
    uint64_t every_rows = apply->settings.save_rows;
    if (every_rows < state.dedupe_in_memory)
        every_rows = state.dedupe_in_memory;
    if (state.rows - apply->saved_rows >= every_rows ||
        (state.position != apply->saved_position && age_ms >= apply->settings.save_ms))
        save(apply);
}

/* The saved state, or an empty one. -EILSEQ when what is saved is damaged, or newer than its
 * rows. */
static int load_state(struct view *view, struct mailbox **ret_mailbox)
{
    struct buffer bytes = {0};
    uint64_t position = 0;
    int err = view_load_state(view, &position, &bytes);
    if (err == -ENOENT) {
        buffer_free(&bytes);
        *ret_mailbox = mailbox_new();
        return *ret_mailbox == NULL ? -ENOMEM : 0;
    }
    struct mailbox *mailbox = NULL;
    if (err == 0)
        err = mailbox_load(bytes.data, bytes.size, &mailbox);
    buffer_free(&bytes);
    if (err == 0 &&
        (mailbox_state(mailbox).position != position || position > view_position(view))) {
        mailbox_free(mailbox);
        return -EILSEQ;
    }
    if (err == -EBADMSG)
        return -EILSEQ;
    *ret_mailbox = mailbox;
    return err;
}

/* The state, with all that it refers to. */
static int load_whole(struct hub_apply *apply, struct error_text *reterr_why)
{
    int err = load_state(apply->view, &apply->mailbox);
    return err == 0 ? hub_seen_attach(apply->seen, apply->mailbox, reterr_why) : err;
}

static void close_view(struct hub_apply *apply)
{
    hub_checkpoint_load_free(apply->load);
    apply->load = NULL;
    apply->jump_to = 0;
    bus_reader_close(apply->reader);
    apply->reader = NULL;
    apply->started = false;
    apply->in_transaction = false;
    view_close(apply->view);
    apply->view = NULL;
    hub_seen_detach(apply->seen);
    mailbox_free(apply->mailbox);
    apply->mailbox = NULL;
}

static int open_view(struct hub_apply *apply)
{
    struct error_text why = {0};
    int err = view_open(apply->settings.view_path, &apply->view, &why);
    if (err == 0)
        err = load_whole(apply, &why);
    if (err == 0)
        return 0;
    close_view(apply);
    if (err != -EILSEQ)
        return err;
    log_warning("the view is damaged: it is put aside and made again from the log",
                LOG_STRING("view", apply->settings.view_path), LOG_STRING("why", why.text));
    err = view_discard(apply->settings.view_path);
    if (err == 0)
        err = view_open(apply->settings.view_path, &apply->view, &why);
    if (err == 0)
        err = load_whole(apply, &why);
    if (err != 0)
        close_view(apply);
    return err;
}

static void check_log(struct hub_apply *apply);

/* View and mailboxes are there: the log comes next. */
static void start_with_view(struct hub_apply *apply)
{
    struct mailbox_state state = mailbox_state(apply->mailbox);
    mailbox_limit_level(apply->mailbox, apply->settings.level_max);
    apply->saved_rows = state.rows;
    apply->saved_position = state.position;
    apply->applied_ms = apply->saved_ms = loop_now_ms(apply->settings.loop);
    apply->trouble = "reading_log";
    log_info("view opened", LOG_STRING("view", apply->settings.view_path),
             LOG_U64("position", state.position), LOG_U64("rows_to", view_position(apply->view)));
    apply->settings.on_opened(apply->settings.context, &state);
    check_log(apply);
}

static const char *view_trouble(int error)
{
    return error == -ENOSPC ? "view_disk_full" : "view_failed";
}

/* Opens what is on disk, for the first time or after it failed. */
static void on_reopen(struct loop_later *later)
{
    struct hub_apply *apply = container_of(later, struct hub_apply, reopen);
    if (apply->stopped != NULL)
        return;
    bool damaged = apply->failed == -EILSEQ;
    close_view(apply);
    if (damaged) {
        log_warning("the view is damaged: it is put aside and made again from the log",
                    LOG_STRING("view", apply->settings.view_path));
        if (view_discard(apply->settings.view_path) != 0)
            log_error("cannot put the view aside", LOG_STRING("view", apply->settings.view_path));
    }
    int err = open_view(apply);
    if (err == 0 && apply->marker == NULL)
        err = hub_marker_open(apply->settings.marker_path, &apply->marker);
    apply->failed = err;
    if (err != 0) {
        apply->trouble = view_trouble(err);
        log_error("cannot open the view; trying again",
                  LOG_STRING("view", apply->settings.view_path), LOG_ERRNO(err));
        loop_timer_set(apply->settings.loop, &apply->reopen_timer, REOPEN_MS);
        return;
    }
    start_with_view(apply);
}

static void on_reopen_timer(struct loop_timer *timer)
{
    struct hub_apply *apply = container_of(timer, struct hub_apply, reopen_timer);
    loop_later(apply->settings.loop, &apply->reopen);
}

void hub_apply_view_failed(struct hub_apply *apply, int error)
{
    if (apply->failed != 0 || apply->stopped != NULL)
        return;
    apply->failed = error;
    apply->trouble = view_trouble(error);
    log_error("the view failed", LOG_STRING("view", apply->settings.view_path), LOG_ERRNO(error));
    apply->settings.on_fell_behind(apply->settings.context);
    if (error == -EILSEQ)
        loop_later(apply->settings.loop, &apply->reopen);
    else
        loop_timer_set(apply->settings.loop, &apply->reopen_timer, REOPEN_MS);
}

static void on_seen_damaged(void *context, int error)
{
    hub_apply_view_failed(context, error);
}

static void on_seen_stored(void *context)
{
    struct hub_apply *apply = context;
    if (apply->failed != 0 || apply->stopped != NULL)
        return;
    if (!apply->in_transaction)
        save_when_due(apply);
    if (apply->reader != NULL)
        bus_reader_hold(apply->reader, false);
}

/* --- what the mailboxes decide --- */

static void on_appended(void *context, const struct mailbox_row *row)
{
    struct hub_apply *apply = context;
    const struct wire_message *message = row->message;
    struct view_row stored = {
        .row = row->row,
        .previous_row = row->previous_row,
        .position = row->position,
        .user = row->user,
        .epoch = row->epoch,
        .seq = row->seq,
        .at_ms = row->at_ms,
        .created_ms = message->created_ms,
        .ttl_s = message->ttl_s,
        .flags = message->flags,
        .wants = message->wants,
        .sender = message->sender,
        .device = message->device,
        .id = message->id,
        .body = message->body,
    };
    memcpy(stored.trace, message->trace, sizeof stored.trace);
    int err = apply->failed != 0 ? apply->failed : view_append(apply->view, &stored);
    if (err != 0)
        hub_apply_view_failed(apply, err);
    else
        apply->settings.on_row(apply->settings.context, row);
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
        stop(apply, "crash_loop",
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
        stop(apply, code_of(err), why.text);
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

/* --- a jump in positions --- */

/* A view of nothing but the state at a checkpoint. */
static int make_view(struct hub_apply *apply, uint64_t position, const struct buffer *state)
{
    struct error_text why = {0};
    int err = hub_seen_attach(apply->seen, apply->mailbox, &why);
    if (err == 0)
        err = view_remove(apply->settings.view_path);
    if (err == 0)
        err = view_open(apply->settings.view_path, &apply->view, &why);
    if (err == 0)
        err = view_begin(apply->view);
    if (err == 0)
        err = view_save_state(apply->view, position, state->data, state->size);
    return err == 0 ? view_commit(apply->view, position) : err;
}

static void on_loaded(void *context, struct mailbox *mailbox, const struct buffer *bytes)
{
    struct hub_apply *apply = context;
    if (mailbox == NULL) {
        stop(apply, "log_hole",
             "the log does not hold the next position, and no checkpoint is stored that goes on "
             "where the log does");
        return;
    }
    struct hub_checkpoint_load *load = apply->load; /* the bytes are its */
    apply->load = NULL;
    close_view(apply);
    apply->mailbox = mailbox;
    int err = make_view(apply, mailbox_state(mailbox).position, bytes);
    hub_checkpoint_load_free(load);
    if (err != 0) {
        hub_apply_view_failed(apply, err);
        return;
    }
    start_with_view(apply);
}

/* The log has been cut past where we are: this hub was down for too long, or its view is gone. */
static void load_checkpoint(struct hub_apply *apply)
{
    log_warning("the log does not hold the next position; looking for a checkpoint",
                LOG_STRING("log", apply->stream.text),
                LOG_U64("position", hub_apply_position(apply)),
                LOG_U64("log_goes_on_at", apply->jump_to));
    bus_reader_close(apply->reader);
    apply->reader = NULL;
    apply->trouble = "loading_checkpoint";
    apply->settings.on_fell_behind(apply->settings.context);
    apply->load = hub_checkpoint_load_start(&(struct hub_checkpoint_load_settings){
        .bus = apply->settings.bus,
        .region = apply->settings.region,
        .shard = apply->settings.shard,
        .segments = hub_seen_folder(apply->seen),
        .from = apply->jump_to - 1,
        .context = apply,
        .on_loaded = on_loaded,
    });
    if (apply->load == NULL)
        hub_apply_view_failed(apply, -ENOMEM); /* from the beginning */
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
        save_when_due(apply);
    }
    if (apply->stopped != NULL)
        return;
    if (apply->jump_to != 0) {
        load_checkpoint(apply);
        return;
    }
    if (hub_seen_is_behind(apply->seen))
        bus_reader_hold(apply->reader, true);
    bool at_end = caught_up && position >= apply->head;
    if (at_end)
        apply->trouble = NULL;
    apply->settings.on_applied(apply->settings.context, at_end);
}

static void start_reading(struct hub_apply *apply)
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
        loop_timer_set(apply->settings.loop, &apply->check_timer, CHECK_AGAIN_MS);
}

/* --- is it the log that the view was made of? --- */

static void check_again(struct hub_apply *apply, int64_t delay_ms)
{
    if (apply->stopped == NULL)
        loop_timer_set(apply->settings.loop, &apply->check_timer, delay_ms);
}

/* Both answers are there. */
static void judge_log(struct hub_apply *apply, uint64_t last)
{
    if (apply->failed != 0 || apply->mailbox == NULL)
        return;
    struct mailbox_state state = mailbox_state(apply->mailbox);
    if (apply->has_incarnation && state.position > 0 &&
        memcmp(apply->incarnation, state.incarnation, sizeof state.incarnation) != 0) {
        stop(apply, "log_regressed", "the log is of another incarnation than the view");
        return;
    }
    if (last < apply->check_least) {
        if (++apply->too_short >= TOO_SHORT_MAX)
            stop(apply, "log_regressed", "the log ends before the view's position");
        else
            check_again(apply, CHECK_AGAIN_MS);
        return;
    }
    apply->too_short = 0;
    if (last == 0) {
        apply->trouble = "log_empty";
        check_again(apply, CHECK_AGAIN_MS);
        return;
    }
    hub_apply_ring(apply, last);
    check_again(apply, apply->settings.log_check_ms);
    if (!apply->started && apply->load == NULL)
        start_reading(apply);
}

/* Reads the genesis. False: it is none. */
static bool read_incarnation(const struct bus_entry *entry, uint8_t ret_incarnation[16])
{
    struct wire_batch batch;
    struct wire_record record;
    if (wire_batch_read(entry->data, entry->size, &batch) != 0 ||
        wire_record_next(&batch.body, &record) != 0 || record.kind != WIRE_GENESIS)
        return false;
    memcpy(ret_incarnation, record.genesis.incarnation, 16);
    return true;
}

static bool on_check(struct bus_request *request, enum bus_outcome outcome,
                     const struct bus_message *message)
{
    struct hub_apply *apply = container_of(request, struct hub_apply, check);
    struct bus_entry entry = {0};
    int err = outcome == BUS_ANSWER ? bus_entry_read(message, &entry, NULL) : -ETIMEDOUT;
    if (err != 0 && err != -ENOENT) {
        if (!apply->started)
            apply->trouble = outcome == BUS_NO_RESPONDERS ? "log_missing" : "log_unreachable";
        check_again(apply, CHECK_AGAIN_MS);
        return false;
    }
    if (apply->checking_last) {
        judge_log(apply, err == -ENOENT ? 0 : entry.position);
        return false;
    }
    /* A genesis that is past the log's retention is not there any more: then the ticks tell. */
    apply->has_incarnation =
        err == 0 && entry.position == 1 && read_incarnation(&entry, apply->incarnation);
    apply->begun_ms = apply->has_incarnation ? entry.time_ms : 0;
    apply->checking_last = true;
    if (hub_stream_get_last(apply->settings.bus, &apply->check, apply->stream.text,
                            apply->subjects.text, ASK_TIMEOUT_MS) != 0)
        check_again(apply, CHECK_AGAIN_MS);
    return false;
}

static void check_log(struct hub_apply *apply)
{
    if (apply->stopped != NULL || apply->mailbox == NULL || apply->check.bus != NULL)
        return;
    uint64_t rows_to = view_position(apply->view);
    uint64_t position = mailbox_state(apply->mailbox).position;
    apply->check_least = position > rows_to ? position : rows_to;
    apply->checking_last = false;
    if (hub_stream_get(apply->settings.bus, &apply->check, apply->stream.text, 1, ASK_TIMEOUT_MS) ==
        0)
        return;
    if (!apply->started)
        apply->trouble = "bus_not_connected";
    check_again(apply, CHECK_AGAIN_MS);
}

static void on_check_timer(struct loop_timer *timer)
{
    check_log(container_of(timer, struct hub_apply, check_timer));
}

void hub_apply_connected(struct hub_apply *apply)
{
    check_log(apply); /* its end rings */
}

/* --- the rest --- */

struct hub_apply *hub_apply_new(const struct hub_apply_settings *settings)
{
    struct hub_apply *apply = calloc(1, sizeof *apply);
    if (apply == NULL)
        return NULL;
    apply->settings = *settings;
    apply->seen = hub_seen_new(&(struct hub_seen_settings){.loop = settings->loop,
                                                           .view_path = settings->view_path,
                                                           .context = apply,
                                                           .on_stored = on_seen_stored,
                                                           .on_damaged = on_seen_damaged});
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
    };
    apply->trouble = "starting";
    apply->reopen.on_later = on_reopen;
    apply->reopen_timer.on_due = on_reopen_timer;
    apply->check.on_answer = on_check;
    apply->check_timer.on_due = on_check_timer;
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
        save(apply);
    close_view(apply);
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
