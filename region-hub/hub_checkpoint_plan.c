#include "region-hub/hub_checkpoint_plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool hub_checkpoint_is_due(const struct mailbox_state *state, const struct mailbox_moving *moving,
                           int64_t begun_ms, int64_t interval_ms)
{
    if (state->position == 0 || state->config.level < HUB_CHECKPOINT_LEVEL)
        return false;
    int64_t last_ms = state->checkpoint_position > 0 ? state->checkpoint_ms : begun_ms;
    const bool waiting = moving->held > 0 || moving->to_pass_on > 0;
    return state->time_ms - last_ms >= (waiting ? 2 : 1) * interval_ms;
}

void hub_checkpoint_list_clear(struct hub_checkpoint_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i].segments);
    free(list->items);
    list->items = NULL;
    list->count = 0;
}

/* The place of the first one not below `position`. */
static size_t place_of(const struct hub_checkpoint_list *list, uint64_t position)
{
    size_t place = 0;
    while (place < list->count && list->items[place].position < position)
        place++;
    return place;
}

static int make_done(const struct wire_stored *stored, struct hub_checkpoint_done *ret_done)
{
    struct hub_checkpoint_done done = {
        .position = stored->position,
        .size = stored->size,
        .parts = stored->parts,
        .fingerprint = stored->fingerprint,
    };
    if (stored->segment_count > 0) {
        done.segments = calloc(stored->segment_count, sizeof *done.segments);
        if (done.segments == NULL)
            return -ENOMEM;
    }
    struct wire_cursor in = stored->segments;
    while (done.segment_count < stored->segment_count &&
           wire_segment_next(&in, &done.segments[done.segment_count]))
        done.segment_count++;
    *ret_done = done;
    return 0;
}

/* Room for one more at `place`. */
static int open_place(struct hub_checkpoint_list *list, size_t place)
{
    struct hub_checkpoint_done *items =
        realloc(list->items, (list->count + 1) * sizeof *list->items);
    if (items == NULL)
        return -ENOMEM;
    list->items = items;
    memmove(items + place + 1, items + place, (list->count - place) * sizeof *items);
    items[place] = (struct hub_checkpoint_done){0};
    list->count++;
    return 0;
}

int hub_checkpoint_list_add(struct hub_checkpoint_list *list, const struct wire_stored *stored)
{
    if (memcmp(list->incarnation, stored->incarnation, sizeof list->incarnation) != 0)
        hub_checkpoint_list_clear(list);
    memcpy(list->incarnation, stored->incarnation, sizeof list->incarnation);
    size_t place = place_of(list, stored->position);
    bool again = place < list->count && list->items[place].position == stored->position;
    if (!again && list->count == HUB_CHECKPOINTS_MAX)
        return -ENOSPC;
    struct hub_checkpoint_done done;
    int err = make_done(stored, &done);
    if (err == 0 && !again)
        err = open_place(list, place);
    if (err != 0)
        return err;
    free(list->items[place].segments);
    list->items[place] = done;
    return 0;
}

const struct hub_checkpoint_done *hub_checkpoint_list_from(const struct hub_checkpoint_list *list,
                                                           uint64_t position)
{
    size_t place = place_of(list, position);
    return place < list->count ? &list->items[place] : NULL;
}
