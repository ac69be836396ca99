#include "region-hub/hub_cursor.h"

bool hub_cursor_is_honoured(uint32_t epoch, uint64_t head, uint64_t base, uint32_t asked_epoch,
                            uint64_t asked_seq)
{
    if (asked_epoch == epoch)
        return asked_seq <= head;
    return asked_epoch == epoch - 1 && asked_epoch > 0 && asked_seq <= base;
}

struct hub_cursor hub_cursor_choose(const struct hub_cursor_of *of, const struct wire_attach *asked)
{
    struct hub_cursor cursor = {.seq = of->known ? of->confirmed : of->first - 1};
    if (of->noted > cursor.seq)
        cursor.seq = of->noted;
    if ((asked->flags & WIRE_ATTACH_HAS_CURSOR) != 0) {
        const bool honoured =
            hub_cursor_is_honoured(of->epoch, of->head, of->base, asked->epoch, asked->seq);
        cursor.flags = honoured ? WIRE_ATTACHED_RESUMED : WIRE_ATTACHED_RESYNC;
        if (honoured)
            cursor.seq = asked->seq;
    } else if (of->known) {
        cursor.flags = WIRE_ATTACHED_RESUMED;
    } else if ((asked->flags & WIRE_ATTACH_FROM_HEAD) != 0) {
        cursor.seq = of->head;
    }
    return cursor;
}
