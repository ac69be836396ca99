/* How a page is read: from the view back and then the archive, or the other way round. */
#include "region-hub/hub_archive_row.h"
#include "region-hub/hub_history_internal.h"

#include <errno.h>

enum {
    READ_ROWS = 256, /* of the view, in one turn */
    WALK_MAX = 4096, /* links; what lies further back counts as not in the view */
};

static struct text user_of(const struct hub_history_asking *asking)
{
    return (struct text){asking->user, asking->user_size};
}

static struct view *view_of(const struct hub_history_asking *asking)
{
    return hub_apply_view(asking->history->settings.apply);
}

/* False: nothing came yet. */
static bool find_user(const struct hub_history_asking *asking, struct mailbox_user *ret_user)
{
    return mailbox_find_user(hub_apply_mailbox(asking->history->settings.apply), user_of(asking),
                             ret_user);
}

static int compare(struct archive_cursor a, struct archive_cursor b)
{
    if (a.epoch != b.epoch)
        return a.epoch < b.epoch ? -1 : 1;
    return a.seq == b.seq ? 0 : a.seq < b.seq ? -1 : 1;
}

static enum hub_history_next ended(const struct hub_page *page)
{
    return page->error != 0 ? HUB_HISTORY_BUSY : HUB_HISTORY_DONE;
}

/* --- the archive --- */

static enum hub_history_next ask_archive(struct hub_history_asking *asking)
{
    const struct hub_page *page = &asking->page;
    struct hub_archive_question question = {
        .user = user_of(asking),
        .range = {.rows_max = hub_page_wants(page)},
        .bytes_max = page->bytes_max > page->bytes ? (size_t)(page->bytes_max - page->bytes) : 0,
        .loop = asking->history->settings.loop,
        .on_answer = hub_history_on_answer,
        .context = asking,
    };
    if (page->rises)
        question.range.after = page->at;
    else
        question.range.before = page->at;
    asking->stage = HUB_HISTORY_ARCHIVE;
    int err = hub_archive_reader_ask(asking->history->settings.reader, &question, &asking->job);
    return err == 0 ? HUB_HISTORY_WAITS : HUB_HISTORY_BUSY;
}

/* What the view begins with comes next. */
static enum hub_history_next read_on_from_view(struct hub_history_asking *asking)
{
    asking->stage = HUB_HISTORY_ON;
    asking->page.at = asking->view_first;
    asking->page.at.seq--;
    return HUB_HISTORY_AGAIN;
}

static enum hub_history_next without_archive(struct hub_history_asking *asking, const char *reason)
{
    hub_page_miss(&asking->page, reason);
    return asking->page.rises ? read_on_from_view(asking) : HUB_HISTORY_DONE;
}

/* The user has no mailbox here. */
static enum hub_history_next read_archive_alone(struct hub_history_asking *asking)
{
    asking->view_first = (struct archive_cursor){UINT32_MAX, UINT64_MAX};
    return asking->history->settings.reader == NULL || hub_page_is_at_end(&asking->page)
               ? HUB_HISTORY_DONE
               : ask_archive(asking);
}

static enum hub_history_next go_to_archive(struct hub_history_asking *asking, uint32_t epoch)
{
    if (hub_page_is_at_end(&asking->page))
        return HUB_HISTORY_DONE;
    if (asking->history->settings.reader != NULL)
        return ask_archive(asking);
    const struct archive_cursor at = asking->page.at;
    const bool older = at.epoch < epoch || (!asking->page.rises && at.seq <= 1);
    return without_archive(asking, older ? "not_archived" : "retention");
}

enum hub_history_next hub_history_archived(struct hub_history_asking *asking,
                                           const struct hub_archive_answer *answer)
{
    struct hub_page *page = &asking->page;
    if (answer == NULL || answer->error != 0)
        return without_archive(asking, "archive_unavailable");
    for (size_t i = 0; i < answer->rows->count; i++) {
        const struct archive_row row = archive_batch_row(answer->rows, i);
        const struct archive_cursor cursor = {row.epoch, row.seq};
        if (page->rises && compare(cursor, asking->view_first) >= 0)
            return read_on_from_view(asking);
        if (!hub_page_take(page, &row))
            return ended(page);
    }
    if (answer->more)
        return ask_archive(asking);
    return page->rises ? read_on_from_view(asking) : HUB_HISTORY_DONE;
}

/* --- falling --- */

static enum hub_history_next begin_back(struct hub_history_asking *asking)
{
    struct hub_page *page = &asking->page;
    struct mailbox_user user;
    if (!find_user(asking, &user))
        return read_archive_alone(asking);
    if (page->at.epoch < user.epoch)
        return go_to_archive(asking, user.epoch);
    const struct archive_cursor end = {user.epoch, user.head + 1};
    if (compare(page->at, end) > 0)
        page->at = end;
    asking->row = page->at.seq <= 1 ? 0 : mailbox_row_near(&user, page->at.seq - 1);
    asking->stage = HUB_HISTORY_BACK;
    return HUB_HISTORY_AGAIN;
}

static bool on_row_back(void *context, const struct view_row *row)
{
    struct hub_history_asking *asking = context;
    const struct archive_row offered = hub_archive_row(row);
    return hub_page_take(&asking->page, &offered);
}

static enum hub_history_next read_back(struct hub_history_asking *asking, int *ret_error)
{
    struct hub_page *page = &asking->page;
    const uint32_t epoch = page->at.epoch;
    int err = view_read_back(view_of(asking), asking->row, page->at.seq, READ_ROWS, on_row_back,
                             asking, &asking->row);
    if (err != 0) {
        *ret_error = err;
        return HUB_HISTORY_FAILED;
    }
    if (page->full || page->error != 0)
        return ended(page);
    return asking->row != 0 ? HUB_HISTORY_AGAIN : go_to_archive(asking, epoch);
}

/* --- rising --- */

/* 1: the view holds the row from which to walk back to `seq`; 0: not; or negative. */
static int holds(struct hub_history_asking *asking, const struct mailbox_user *user, uint64_t seq,
                 struct view_link *ret_link)
{
    int err = view_walk(view_of(asking), mailbox_row_near(user, seq), 0, 0, ret_link);
    return err == -ENOENT ? 0 : err == 0 ? 1 : err;
}

/* The first seq at or after `from` that the view holds, as far as it is near to where one can start
 * from; head + 1 when it holds none. The oldest rows leave first. */
static int find_first(struct hub_history_asking *asking, const struct mailbox_user *user,
                      uint64_t from, uint64_t *ret_seq)
{
    struct view_link link;
    uint64_t low = from;
    uint64_t high = user->head + 1;
    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;
        int held = holds(asking, user, middle, &link);
        if (held < 0)
            return held;
        if (held > 0)
            high = middle;
        else
            low = middle + 1;
    }
    if (low > user->head) {
        *ret_seq = low;
        return 0;
    }
    int err = holds(asking, user, low, &link);
    if (err <= 0)
        return err < 0 ? err : -EILSEQ; /* it was there a moment ago */
    const uint64_t back = link.seq > from ? link.seq - from : 0;
    err = view_walk(view_of(asking), link.row, 0, back < WALK_MAX ? (size_t)back : WALK_MAX, &link);
    *ret_seq = link.seq < from ? from : link.seq;
    return err;
}

static enum hub_history_next begin_on(struct hub_history_asking *asking, int *ret_error)
{
    struct hub_page *page = &asking->page;
    struct mailbox_user user;
    if (!find_user(asking, &user))
        return read_archive_alone(asking);
    const struct archive_cursor end = {user.epoch, user.head};
    if (compare(page->at, end) > 0)
        page->at = end;
    const uint64_t from = page->at.epoch == user.epoch ? page->at.seq + 1 : 1;
    asking->view_first.epoch = user.epoch;
    int err = find_first(asking, &user, from, &asking->view_first.seq);
    if (err != 0) {
        *ret_error = err;
        return HUB_HISTORY_FAILED;
    }
    if (page->at.epoch == user.epoch && asking->view_first.seq == from)
        return read_on_from_view(asking);
    return go_to_archive(asking, user.epoch);
}

static bool on_row_on(void *context, const struct view_row *row)
{
    struct hub_history_asking *asking = context;
    const struct archive_row offered = hub_archive_row(row);
    /* Else it was trimmed meanwhile: what was read ends there. */
    return row->seq == asking->page.at.seq + 1 && hub_page_take(&asking->page, &offered);
}

static enum hub_history_next read_on(struct hub_history_asking *asking, int *ret_error)
{
    struct hub_page *page = &asking->page;
    const struct archive_cursor before = page->at;
    struct mailbox_user user;
    if (!find_user(asking, &user))
        return HUB_HISTORY_DONE;
    if (before.epoch != user.epoch) /* it has ended meanwhile */
        return HUB_HISTORY_BUSY;
    if (before.seq >= user.head)
        return HUB_HISTORY_DONE;
    int err = view_read(view_of(asking), mailbox_row_near(&user, before.seq + 1), before.seq + 1,
                        READ_ROWS, SIZE_MAX, on_row_on, asking);
    if (err != 0) {
        *ret_error = err;
        return HUB_HISTORY_FAILED;
    }
    if (page->full || page->error != 0)
        return ended(page);
    if (page->at.seq > before.seq)
        return HUB_HISTORY_AGAIN;
    page->full = page->rows.count > 0; /* more, but not here any more: it is to be asked again */
    return page->full ? HUB_HISTORY_DONE : HUB_HISTORY_BUSY;
}

/* --- both --- */

enum hub_history_next hub_history_begin(struct hub_history_asking *asking, int *ret_error)
{
    return asking->page.rises ? begin_on(asking, ret_error) : begin_back(asking);
}

enum hub_history_next hub_history_read(struct hub_history_asking *asking, int *ret_error)
{
    return asking->stage == HUB_HISTORY_BACK ? read_back(asking, ret_error)
                                             : read_on(asking, ret_error);
}
