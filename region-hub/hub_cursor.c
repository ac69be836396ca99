#include "region-hub/hub_cursor.h"

static bool is_honoured(const struct hub_cursor_of *of, const struct wire_attach *asked)
{
    if (asked->epoch == of->epoch)
        return asked->seq <= of->head;
    return asked->epoch == of->epoch - 1 && asked->epoch > 0 && asked->seq <= of->base;
}

struct hub_cursor hub_cursor_choose(const struct hub_cursor_of *of, const struct wire_attach *asked)
{
    struct hub_cursor cursor = {.seq = of->known ? of->confirmed : of->first - 1};
    if (of->noted > cursor.seq)
        cursor.seq = of->noted;
    if ((asked->flags & WIRE_ATTACH_HAS_CURSOR) != 0) {
        const bool honoured = is_honoured(of, asked);
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
