#include "geo/geo_admin_state.h"

#include <string.h>

#define OURS "geoip/meridian/"
#define HEAD "# " OURS "... are by meridian-geo follow; what stands below is kept.\n"

static enum geo_class class_of(const struct catalogue_region *region,
                               const struct geo_region_state *state)
{
    if (state->health == GEO_HEALTH_DOWN)
        return GEO_CLASS_DOWN;
    if (region->drain || state->drain)
        return GEO_CLASS_DRAINING;
    return state->full ? GEO_CLASS_FULL : GEO_CLASS_GOOD;
}

void geo_admin_state_choose(const struct catalogue *catalogue,
                            const struct geo_region_state *states,
                            bool ret_down[CATALOGUE_REGIONS_MAX])
{
    enum geo_class best = GEO_CLASS_DOWN;
    for (size_t i = 0; i < catalogue->region_count; i++) {
        enum geo_class is = class_of(&catalogue->regions[i], &states[i]);
        best = is < best ? is : best;
    }
    for (size_t i = 0; i < catalogue->region_count; i++) {
        enum geo_class is = class_of(&catalogue->regions[i], &states[i]);
        /* Who is down is found out by gdnsd itself. */
        ret_down[i] = is > best && is != GEO_CLASS_DOWN;
    }
}

static bool begins_with(struct text line, const char *start)
{
    size_t size = strlen(start);
    return line.size >= size && memcmp(line.data, start, size) == 0;
}

static struct text next_line(struct text *left)
{
    const char *end = memchr(left->data, '\n', left->size);
    size_t size = end == NULL ? left->size : (size_t)(end - left->data) + 1;
    struct text line = {.data = left->data, .size = size};
    left->data += size;
    left->size -= size;
    return line;
}

void geo_admin_state_write(const struct catalogue *catalogue, const bool down[], struct text before,
                           struct buffer *out)
{
    buffer_append_text(out, TEXT(HEAD));
    for (size_t i = 0; i < catalogue->region_count; i++)
        if (down[i])
            buffer_printf(out, OURS "%s => DOWN\n", catalogue->regions[i].name);
    while (before.size > 0) {
        struct text line = next_line(&before);
        if (!begins_with(line, OURS) && !begins_with(line, HEAD))
            buffer_append_text(out, line);
    }
}
