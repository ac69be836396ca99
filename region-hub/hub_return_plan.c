#include "region-hub/hub_return_plan.h"

enum hub_return_step hub_return_next(const struct hub_return_facts *facts)
{
    /* One that was being copied here ends with its move. */
    if (facts->where == MAILBOX_AWAY || facts->where == MAILBOX_STAGED)
        return HUB_RETURN_STAYS;
    if (!facts->is_read)
        return HUB_RETURN_READ;
    if (facts->is_unknown || facts->is_here)
        return HUB_RETURN_STAYS;
    if (facts->where != MAILBOX_AT_HOME && !facts->is_later)
        return HUB_RETURN_STAYS; /* a move that goes on, or ends, by itself */
    if (!facts->has_answer)
        return HUB_RETURN_ASK;
    if (facts->where == MAILBOX_FROZEN)
        return HUB_RETURN_END;
    return facts->where == MAILBOX_ARRIVED ? HUB_RETURN_ABORT : HUB_RETURN_FREEZE;
}

uint64_t hub_return_from(const struct mailbox_user *ours, uint32_t epoch, uint64_t base)
{
    if (epoch <= ours->epoch) /* it is ours, copied */
        return ours->head + 1;
    return epoch == ours->epoch + 1 ? base + 1 : 1;
}
