#include "region-hub/hub_holes.h"

#include <string.h>

static struct hub_hole *hole_of(struct hub_holes *holes, struct text source)
{
    for (size_t i = 0; i < COUNT_OF(holes->lanes); i++)
        if (text_equal(text_of(holes->lanes[i].source), source))
            return &holes->lanes[i];
    return NULL;
}

void hub_holes_found(struct hub_holes *holes, struct text source, uint64_t position, int64_t now_ms)
{
    struct hub_hole *hole = hole_of(holes, source);
    if (hole == NULL) {
        hole = hole_of(holes, TEXT(""));
        if (hole == NULL || text_put(hole->source, sizeof hole->source, source) != 0)
            return;
        hole->first_ms = now_ms;
    }
    hole->last_ms = now_ms;
    hole->position = position;
}

void hub_holes_closed(struct hub_holes *holes, struct text source)
{
    struct hub_hole *hole = source.size == 0 ? NULL : hole_of(holes, source);
    if (hole != NULL)
        *hole = (struct hub_hole){0};
}

uint64_t hub_holes_long(const struct hub_holes *holes, int64_t long_ms, uint64_t *ret_position)
{
    uint64_t count = 0;
    *ret_position = 0;
    for (size_t i = 0; i < COUNT_OF(holes->lanes); i++) {
        const struct hub_hole *hole = &holes->lanes[i];
        if (hole->source[0] == '\0' || hole->last_ms - hole->first_ms < long_ms)
            continue;
        count++;
        *ret_position = hole->position;
    }
    return count;
}
