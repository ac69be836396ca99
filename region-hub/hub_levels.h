/* The level of records that a log can have: the highest that all hubs of its region know, by their
 * beats. Whoever does not speak may know less, so then there is none. Pure. */
#pragma once

#include "base/macros.h"
#include "catalogue/catalogue.h"

#include <stdbool.h>
#include <stdint.h>

enum { HUB_LEVELS_FRESH_MS = 10000 }; /* an older beat does not count */

struct hub_levels {                        /* zeroed, but for the region */
    const struct catalogue_region *region; /* borrowed */
    struct {
        int64_t heard_ms;
        uint8_t level;          /* 0: never heard */
    } hubs[CATALOGUE_HUBS_MAX]; /* in the catalogue's order */
};

/* A hub that the catalogue does not name is passed over. */
void hub_levels_heard(struct hub_levels *levels, struct text hub, uint8_t level, int64_t now_ms);
/* 0: not all were heard lately. */
uint8_t hub_levels_common(const struct hub_levels *levels, int64_t now_ms);
