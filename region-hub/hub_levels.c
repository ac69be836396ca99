#include "region-hub/hub_levels.h"

void hub_levels_heard(struct hub_levels *levels, struct text hub, uint8_t level, int64_t now_ms)
{
    for (size_t i = 0; i < levels->region->hub_count; i++) {
        if (!text_equal(text_of(levels->region->hubs[i].name), hub))
            continue;
        levels->hubs[i].level = level;
        levels->hubs[i].heard_ms = now_ms;
    }
}

uint8_t hub_levels_common(const struct hub_levels *levels, int64_t now_ms)
{
    uint8_t common = UINT8_MAX;
    for (size_t i = 0; i < levels->region->hub_count; i++) {
        if (levels->hubs[i].level == 0 || now_ms - levels->hubs[i].heard_ms >= HUB_LEVELS_FRESH_MS)
            return 0;
        if (levels->hubs[i].level < common)
            common = levels->hubs[i].level;
    }
    return levels->region->hub_count == 0 ? 0 : common;
}
