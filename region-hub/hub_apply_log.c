/* The log as a whole: is it the one that the view was made of, and does it go on where we are? */
#include "region-hub/hub_apply_internal.h"

#include "region-hub/hub_stream.h"
#include "wire/batch.h"

#include <errno.h>
#include <string.h>

enum {
    ASK_TIMEOUT_MS = 2000,
};

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
        hub_apply_stop(
            apply, "log_hole",
            "the log does not hold the next position, and no checkpoint is stored that goes on "
            "where the log does");
        return;
    }
    struct hub_checkpoint_load *load = apply->load; /* the bytes are its */
    apply->load = NULL;
    hub_apply_close_view(apply);
    apply->mailbox = mailbox;
    int err = make_view(apply, mailbox_state(mailbox).position, bytes);
    hub_checkpoint_load_free(load);
    if (err != 0) {
        hub_apply_view_failed(apply, err);
        return;
    }
    hub_apply_start_with_view(apply);
}

/* The log has been cut past where we are: this hub was down for too long, or its view is gone. */
void hub_apply_load_checkpoint(struct hub_apply *apply)
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

/* --- is it the log that the view was made of? --- */

static void check_again(struct hub_apply *apply, int64_t delay_ms)
{
    if (apply->stopped == NULL)
        loop_timer_set(apply->settings.loop, &apply->check_timer, delay_ms);
}

/* A replica that is behind, or leads anew and has no majority yet, shows a short log for a while.
 * What would be built on one that was put back fails by its hash meanwhile. */
static void judge_too_short(struct hub_apply *apply)
{
    const int64_t now_ms = loop_now_ms(apply->settings.loop);
    if (!apply->is_too_short)
        apply->too_short_ms = now_ms;
    apply->is_too_short = true;
    if (!apply->started)
        apply->trouble = "log_too_short";
    if (now_ms - apply->too_short_ms >= apply->settings.log_doubt_ms)
        hub_apply_stop(apply, "log_regressed", "the log ends before the view's position");
    else
        check_again(apply, HUB_APPLY_CHECK_AGAIN_MS);
}

/* Both answers are there. */
static void judge_log(struct hub_apply *apply, uint64_t last)
{
    if (apply->failed != 0 || apply->mailbox == NULL)
        return;
    struct mailbox_state state = mailbox_state(apply->mailbox);
    if (apply->has_incarnation && state.position > 0 &&
        memcmp(apply->incarnation, state.incarnation, sizeof state.incarnation) != 0) {
        hub_apply_stop(apply, "log_regressed", "the log is of another incarnation than the view");
        return;
    }
    if (last < apply->check_least) {
        judge_too_short(apply);
        return;
    }
    apply->is_too_short = false;
    apply->is_sure = true;
    if (last == 0) {
        apply->trouble = "log_empty";
        check_again(apply, HUB_APPLY_CHECK_AGAIN_MS);
        return;
    }
    hub_apply_ring(apply, last);
    check_again(apply, apply->settings.log_check_ms);
    if (!apply->started && apply->load == NULL)
        hub_apply_start_reading(apply);
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

bool hub_apply_on_check(struct bus_request *request, enum bus_outcome outcome,
                        const struct bus_message *message)
{
    struct hub_apply *apply = container_of(request, struct hub_apply, check);
    struct bus_entry entry = {0};
    int err = outcome == BUS_ANSWER ? bus_entry_read(message, &entry, NULL) : -ETIMEDOUT;
    if (err != 0 && err != -ENOENT) {
        if (!apply->started)
            apply->trouble = outcome == BUS_NO_RESPONDERS ? "log_missing" : "log_unreachable";
        check_again(apply, HUB_APPLY_CHECK_AGAIN_MS);
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
        check_again(apply, HUB_APPLY_CHECK_AGAIN_MS);
    return false;
}

void hub_apply_check_log(struct hub_apply *apply)
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
    check_again(apply, HUB_APPLY_CHECK_AGAIN_MS);
}

void hub_apply_on_check_timer(struct loop_timer *timer)
{
    hub_apply_check_log(container_of(timer, struct hub_apply, check_timer));
}

void hub_apply_disconnected(struct hub_apply *apply)
{
    apply->is_sure = false;
}

void hub_apply_connected(struct hub_apply *apply)
{
    apply->is_sure = false;
    hub_apply_check_log(apply); /* its end rings */
}
