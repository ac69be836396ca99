#include "region-hub/hub_pass_on.h"

#include <errno.h>
#include <string.h>

struct passing {
    struct text user;
    int64_t now_ms; /* log time */
    struct hub_pass_on *passed;
    bool short_of_memory;
};

/* Its time to live runs on. False: it is over. */
static bool age(struct wire_message *message, int64_t aged_ms)
{
    const int64_t aged_s = aged_ms < 0 ? 0 : aged_ms / 1000;
    if (message->ttl_s == 0)
        return true;
    if (aged_s >= (int64_t)message->ttl_s)
        return false;
    message->ttl_s -= (uint32_t)aged_s;
    return true;
}

static bool on_row(void *context, const struct view_row *row)
{
    struct passing *passing = context;
    struct wire_message message = {.message_class = WIRE_DURABLE,
                                   .flags = row->flags,
                                   .wants = row->wants,
                                   .created_ms = row->created_ms,
                                   .ttl_s = row->ttl_s,
                                   .sender = row->sender,
                                   .device = row->device,
                                   .id = row->id,
                                   .body = row->body};
    memcpy(message.trace, row->trace, sizeof message.trace);
    passing->passed->bytes = row->body.size;
    if (age(&message, passing->now_ms - row->at_ms)) {
        passing->passed->made = hub_notice_pass_on(passing->user, &message);
        passing->short_of_memory = passing->passed->made == NULL;
    }
    return false;
}

/* As far as this log knows; the directory may be a moment behind. While the mailbox is copied here
 * it is where it was: were it sent to the own log, it would come back at once, again and again. */
static int find_home(const struct hub_apply *apply, const struct catalogue *catalogue,
                     const struct catalogue_region *here, struct text user, struct log_limit *limit,
                     struct hub_pass_on *passed)
{
    struct mailbox_move move = {0};
    struct text home = text_of(here->name);
    if (mailbox_move_of(hub_apply_mailbox(apply), user, &move) &&
        (move.where == MAILBOX_AWAY || move.where == MAILBOX_STAGED))
        home = move.region;
    passed->by_directory = home.size == 0;
    if (passed->by_directory)
        return 0;
    int err = catalogue_region_index(catalogue, home, &passed->region);
    if (err != 0)
        log_limited(
            limit, LOG_LEVEL_ERROR,
            "messages wait for a user who has moved to a region that is not in the catalogue",
            LOG_TEXT("user", user), LOG_TEXT("home", home));
    return err;
}

int hub_pass_on(struct hub_apply *apply, const struct catalogue *catalogue,
                const struct catalogue_region *here, const struct mailbox_notice *notice,
                struct log_limit *limit, struct hub_pass_on_counts *counts,
                struct hub_pass_on *ret_passed)
{
    struct passing passing = {
        .user = notice->user, .now_ms = hub_apply_now_ms(apply), .passed = ret_passed};
    *ret_passed = (struct hub_pass_on){0};
    if (find_home(apply, catalogue, here, notice->user, limit, ret_passed) != 0)
        return -EAGAIN;
    int err = view_get(hub_apply_view(apply), notice->row, on_row, &passing);
    if (err == -ENOENT) {
        counts->missing++;
        log_limited(
            limit, LOG_LEVEL_ERROR,
            "a message to be passed on is not in this view: it is older than the retention, "
            "or the view was made again from a younger checkpoint",
            LOG_TEXT("user", notice->user), LOG_U64("row", notice->row));
        return 0;
    }
    if (err != 0)
        hub_apply_view_failed(apply, err);
    if (err != 0 || passing.short_of_memory)
        return -EAGAIN;
    counts->over += ret_passed->made == NULL;
    return 0;
}
