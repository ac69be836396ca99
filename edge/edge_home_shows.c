/* What devices show without an attach here: asked of the owner until it answers. */
#include "edge/edge_home_internal.h"

enum { SHOW_AGAIN_MS = 1000 };

static void write_show(struct edge_home *home, struct edge_show *show)
{
    struct wire_entry entry = {.kind = WIRE_SHOW,
                               .show = {.request = show->request,
                                        .user = show->user,
                                        .device = show->device,
                                        .of = show->of,
                                        .epoch = show->epoch,
                                        .seq = show->seq}};
    /* More than both entries take: they must be in one frame. */
    size_t size = 128 + 2 * TEXT_USER_MAX + TEXT_DEVICE_MAX + show->token.size;
    struct edge_home_outgoing *outgoing =
        edge_home_place_frame(home, &home->places[show->place], EDGE_HOME_VERB_ACK, size);
    show->asked_ms = (uint32_t)home->now_ms;
    if (outgoing == NULL)
        return; /* it is asked again */
    if (show->token.size > 0)
        wire_entry_write(&outgoing->writer,
                         &(struct wire_entry){.kind = WIRE_TOKEN, .token = {show->token}});
    wire_entry_write(&outgoing->writer, &entry);
}

void edge_home_show(struct edge_home *home, struct edge_show *show, size_t region, int64_t now_ms)
{
    uint32_t shards = home->settings.catalogue->regions[region].shards;
    home->now_ms = now_ms;
    show->place = (uint16_t)edge_places_of(&home->numbers, region, hash_shard(show->user, shards));
    show->request = ++home->requests;
    HASH_ADD(hh, home->shows, request, sizeof show->request, show);
    write_show(home, show);
}

void edge_home_unshow(struct edge_home *home, struct edge_show *show)
{
    if (show->request == 0)
        return;
    HASH_DEL(home->shows, show);
    show->request = 0;
}

void edge_home_shown(struct edge_home *home, const struct wire_shown *shown)
{
    struct edge_show *show = NULL;
    if (home->shows != NULL)
        HASH_FIND(hh, home->shows, &shown->request, sizeof shown->request, show);
    if (show == NULL ||
        (shown->code != WIRE_OK && shown->code != WIRE_REFUSED && shown->code != WIRE_NOT_HOME))
        return; /* busy: it is asked again */
    edge_home_unshow(home, show);
    show->on_shown(show, (enum wire_answer)shown->code, shown->epoch, shown->seq);
}

void edge_home_tick_shows(struct edge_home *home)
{
    struct edge_show *show;
    struct edge_show *next;
    HASH_ITER(hh, home->shows, show, next)
    {
        if ((uint32_t)home->now_ms - show->asked_ms >= SHOW_AGAIN_MS)
            write_show(home, show);
    }
}
