#include "region-hub/hub_outbox_watch.h"

void hub_outbox_asked(struct hub_outbox_watch *watch, uint64_t high)
{
    watch->asked_high = high;
}

enum hub_outbox_verdict hub_outbox_told(struct hub_outbox_watch *watch, uint64_t last)
{
    watch->last = last;
    if (last >= watch->asked_high) {
        watch->doubted = false;
        return HUB_OUTBOX_GOOD;
    }
    if (!watch->doubted) {
        watch->doubted = true;
        return HUB_OUTBOX_DOUBTED;
    }
    return HUB_OUTBOX_REGRESSED;
}

bool hub_outbox_may_trim(const struct hub_outbox_watch *watch, uint64_t sequence)
{
    return !watch->doubted && sequence <= watch->last;
}
