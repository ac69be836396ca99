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

/* As it was; `*ret_made` NULL: its time to live is over. -ENOMEM. */
static int make(struct text user, int64_t now_ms, const struct view_row *row,
                struct hub_notice **ret_made)
{
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
    *ret_made = NULL;
    if (!age(&message, now_ms - row->at_ms))
        return 0;
    *ret_made = hub_notice_pass_on(user, &message);
    return *ret_made == NULL ? -ENOMEM : 0;
}

static bool on_row(void *context, const struct view_row *row)
{
    struct passing *passing = context;
    passing->passed->bytes = row->body.size;
    passing->short_of_memory =
        make(passing->user, passing->now_ms, row, &passing->passed->made) != 0;
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

struct passing_range {
    struct hub_pass_on_range *range;
    int64_t now_ms; /* log time */
    struct hub_pass_on passed;
    bool is_stopped; /* it was not taken */
};

static bool on_range_row(void *context, const struct view_row *row)
{
    struct passing_range *passing = context;
    struct hub_pass_on_range *range = passing->range;
    struct hub_notice **made = &passing->passed.made;
    if (row->epoch != range->notice->epoch || row->seq > range->notice->to)
        return false;
    if (row->seq < range->next)
        return true;
    range->bytes += row->body.size;
    passing->is_stopped = make(range->notice->user, passing->now_ms, row, made) != 0 ||
                          (*made != NULL && range->post(range->context, &passing->passed) != 0);
    if (!passing->is_stopped)
        range->next = row->seq + 1;
    return !passing->is_stopped;
}

int hub_pass_on_range(struct hub_apply *apply, const struct catalogue *catalogue,
                      const struct catalogue_region *here, struct log_limit *limit,
                      struct hub_pass_on_range *range)
{
    const struct mailbox_notice *notice = range->notice;
    struct passing_range passing = {.range = range, .now_ms = hub_apply_now_ms(apply)};
    if (range->next == 0)
        range->next = notice->from;
    const uint64_t before = range->next;
    if (find_home(apply, catalogue, here, notice->user, limit, &passing.passed) != 0)
        return -EAGAIN;
    int err = 0;
    if (notice->row > 0) /* else none of it was ever here */
        err =
            view_read(hub_apply_view(apply), notice->row, before, (size_t)(notice->to - before + 1),
                      range->bytes_max, on_range_row, &passing);
    if (err != 0)
        hub_apply_view_failed(apply, err);
    if (err != 0 || passing.is_stopped)
        return -EAGAIN;
    if (range->next == before) /* what there is of it is not in this view any more */
        range->next = notice->to + 1;
    return 0;
}
