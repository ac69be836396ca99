#include "region-hub/hub_horizon.h"

enum { LOOK_ROWS_MAX = 512 }; /* more than lie between two rows that the state knows */

uint64_t hub_horizon_skip(const struct mailbox_user *user, uint64_t from, uint64_t expired_rows)
{
    if (from < user->oldest)
        from = user->oldest;
    if (from > user->head || user->last_row <= expired_rows)
        return user->head + 1;
    /* Rows rise with the seqs, and so does what mailbox_row_near() answers. */
    uint64_t low = from;
    uint64_t high = user->head; /* its row is not out */
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (mailbox_row_near(user, middle) <= expired_rows)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct look {
    uint64_t expired_rows;
    uint32_t epoch;
    uint64_t seq; /* 0: not found */
};

static bool on_row(void *context, const struct view_row *row)
{
    struct look *look = context;
    if (row->epoch != look->epoch || row->row <= look->expired_rows)
        return true;
    look->seq = row->seq;
    return false;
}

int hub_horizon_first(struct view *view, const struct mailbox_user *user, uint64_t expired_rows,
                      uint64_t *ret_seq)
{
    uint64_t from = hub_horizon_skip(user, user->oldest, expired_rows);
    struct look look = {.expired_rows = expired_rows, .epoch = user->epoch};
    int err = 0;
    if (expired_rows > 0 && from <= user->head)
        err = view_read(view, mailbox_row_near(user, from), from, LOOK_ROWS_MAX, SIZE_MAX, on_row,
                        &look);
    if (err == 0)
        *ret_seq = look.seq > 0 ? look.seq : from;
    return err;
}
