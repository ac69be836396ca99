/* Users whose home moves, as their devices see it. While the mailbox is frozen it is read and takes
 * no cursors; where it is not, nobody is attached; and when it stays after all, whoever was there
 * goes on. One shard thread. */
#pragma once

#include "log/log.h"
#include "region-hub/hub_acks.h"
#include "region-hub/hub_apply.h"
#include "region-hub/hub_delivery.h"
#include "region-hub/hub_presence.h"

struct hub_home { /* all borrowed */
    struct hub_apply *apply;
    struct hub_presence *presence;
    struct hub_delivery *delivery;
    struct hub_acks *acks;
    struct log_limit acks_limit; /* zeroed */
};

/* False: the user is at home elsewhere, or not here yet: nobody may attach. */
static inline bool hub_home_serves(const struct mailbox *mailbox, struct text user)
{
    struct mailbox_move move;
    return !mailbox_move_of(mailbox, user, &move) ||
           (move.where != MAILBOX_STAGED && move.where != MAILBOX_AWAY);
}
/* Whether acks and reads of the user are of use: the log refuses them of what moves. */
static inline bool hub_home_takes(const struct mailbox *mailbox, struct text user)
{
    struct mailbox_move move;
    return !mailbox_move_of(mailbox, user, &move) || move.where == MAILBOX_ARRIVED;
}
/* It was applied: see hub_apply_settings.on_moved. */
void hub_home_moved(struct hub_home *home, const struct mailbox_move *move);
