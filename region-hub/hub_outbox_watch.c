#include "region-hub/hub_outbox_watch.h"

void hub_outbox_asked(struct hub_outbox_watch *watch, uint64_t high)
{
    watch->asked_high = high;
}

enum hub_outbox_verdict hub_outbox_told(struct hub_outbox_watch *watch, uint64_t last,
                                        int64_t now_ms)
{
    watch->last = last;
    if (last >= watch->asked_high)
        return watch->doubted ? HUB_OUTBOX_COMPARE : HUB_OUTBOX_GOOD;
    if (!watch->doubted) {
        watch->doubted = true;
        watch->doubted_ms = now_ms;
        watch->lowest = last;
    }
    if (last < watch->lowest)
        watch->lowest = last;
    return hub_outbox_is_doubted_long(watch, now_ms) ? HUB_OUTBOX_REGRESSED : HUB_OUTBOX_DOUBTED;
}

bool hub_outbox_is_doubted_long(const struct hub_outbox_watch *watch, int64_t now_ms)
{
    return watch->doubted && now_ms - watch->doubted_ms >= watch->doubt_ms;
}

void hub_outbox_is_same(struct hub_outbox_watch *watch)
{
    watch->doubted = false;
}

bool hub_outbox_may_trim(const struct hub_outbox_watch *watch, uint64_t sequence)
{
    return !watch->doubted && sequence <= watch->last;
}
