/* What of a mailbox is out, and why: older than the retention (all rows of the shard up to
 * `expired_rows`, whether the view still holds them or not), or pushed out by newer messages (all
 * before mailbox_user.oldest). The state knows the row of every 256th message only; the rest is
 * looked up in the view. */
#pragma once

#include "mailbox/mailbox.h"
#include "store/view.h"

struct hub_horizon {
    uint64_t retention_to; /* all up to this seq are older than the retention; 0: none */
    uint64_t full_to;      /* all others up to this one were pushed out */
};
/* Of what is at or after `from`: less than 256 after retention_to may be older, too. Where very
 * many were pushed out, what is behind them counts as pushed out, which it is as well. Errors are
 * the view's. */
MUST_USE int hub_horizon_of(struct view *view, const struct mailbox_user *user, uint64_t from,
                            uint64_t expired_rows, struct hub_horizon *ret_horizon);
/* The first seq that is not out; head + 1 when all are. */
MUST_USE int hub_horizon_first(struct view *view, const struct mailbox_user *user,
                               uint64_t expired_rows, uint64_t *ret_seq);
