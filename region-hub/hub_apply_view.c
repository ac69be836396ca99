/* The view of a shard and the state in it: opened, saved, put aside and opened again. */
#include "region-hub/hub_apply_internal.h"

#include <errno.h>

enum { REOPEN_MS = 5000 }; /* after the disk failed */

void hub_apply_save(struct hub_apply *apply)
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

void hub_apply_save_when_due(struct hub_apply *apply)
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
        hub_apply_save(apply);
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

void hub_apply_close_view(struct hub_apply *apply)
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
    hub_apply_close_view(apply);
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
        hub_apply_close_view(apply);
    return err;
}

/* View and mailboxes are there: the log comes next. */
void hub_apply_start_with_view(struct hub_apply *apply)
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
    hub_apply_check_log(apply);
}

static const char *view_trouble(int error)
{
    return error == -ENOSPC ? "view_disk_full" : "view_failed";
}

/* Opens what is on disk, for the first time or after it failed. */
void hub_apply_on_reopen(struct loop_later *later)
{
    struct hub_apply *apply = container_of(later, struct hub_apply, reopen);
    if (apply->stopped != NULL)
        return;
    bool damaged = apply->failed == -EILSEQ;
    hub_apply_close_view(apply);
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
    hub_apply_start_with_view(apply);
}

void hub_apply_on_reopen_timer(struct loop_timer *timer)
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

void hub_apply_on_seen_damaged(void *context, int error)
{
    hub_apply_view_failed(context, error);
}

void hub_apply_on_seen_stored(void *context)
{
    struct hub_apply *apply = context;
    if (apply->failed != 0 || apply->stopped != NULL)
        return;
    if (!apply->in_transaction)
        hub_apply_save_when_due(apply);
    if (apply->reader != NULL)
        bus_reader_hold(apply->reader, false);
}
