/* Where a mailbox begins when the oldest rows of the shard are out: all up to `expired_rows` are
 * older than the retention, whether the view still holds them or not. The state knows the row of
 * every 256th message only, so the rest is looked up. */
#pragma once

#include "mailbox/mailbox.h"
#include "store/view.h"

/* All messages before it are out, and less than 256 after it may be: the first seq at or after
 * `from` of which the state does not know that it is. head + 1 when all are out. Pure. */
uint64_t hub_horizon_skip(const struct mailbox_user *user, uint64_t from, uint64_t expired_rows);
/* The first seq that is not out; head + 1 when all are. Errors are the view's. */
MUST_USE int hub_horizon_first(struct view *view, const struct mailbox_user *user,
                               uint64_t expired_rows, uint64_t *ret_seq);
