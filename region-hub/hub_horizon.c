#include "region-hub/hub_horizon.h"

#include <errno.h>

enum { WALK_MAX = 1024 }; /* some milliseconds; more than lie between two rows the state knows */

/* The first seq at or after `from` and not pushed out whose next known row is not expired: what is
 * before it is, and less than 256 after it may be. head + 1 when all are. */
static uint64_t skip(const struct mailbox_user *user, uint64_t from, uint64_t expired_rows)
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

/* The first row of the user above the expired ones, as far as the view holds it and it is near; seq
 * 0 when it is not there. */
static int find_first(struct view *view, const struct mailbox_user *user, uint64_t from,
                      uint64_t expired_rows, struct view_link *ret_link)
{
    *ret_link = (struct view_link){0};
    int err = view_walk(view, mailbox_row_near(user, from), expired_rows, WALK_MAX, ret_link);
    return err == -ENOENT ? 0 : err;
}

int hub_horizon_of(struct view *view, const struct mailbox_user *user, uint64_t from,
                   uint64_t expired_rows, struct hub_horizon *ret_horizon)
{
    uint64_t first = skip(user, from, expired_rows);
    *ret_horizon = (struct hub_horizon){.full_to = user->oldest - 1};
    if (first > from && first > user->oldest)
        ret_horizon->retention_to = first - 1;
    if (from >= user->oldest || first > user->oldest || expired_rows == 0)
        return 0;
    struct view_link link;
    int err = find_first(view, user, user->oldest, expired_rows, &link);
    if (err == 0 && link.seq > from && link.previous_row <= expired_rows)
        ret_horizon->retention_to = link.seq - 1;
    return err;
}

int hub_horizon_first(struct view *view, const struct mailbox_user *user, uint64_t expired_rows,
                      uint64_t *ret_seq)
{
    struct view_link link = {0};
    uint64_t first = skip(user, user->oldest, expired_rows);
    int err = 0;
    if (expired_rows > 0 && first <= user->head)
        err = find_first(view, user, first, expired_rows, &link);
    if (err == 0)
        *ret_seq = link.seq > first ? link.seq : first;
    return err;
}
