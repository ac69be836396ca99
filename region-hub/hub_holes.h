/* Lanes whose batches are passed over since an earlier one is missing: for how long. A hole is
 * soon mended by the forwarder, which goes back to what was applied; one that stays is an alarm.
 * Pure. */
#pragma once

#include "base/text.h"
#include "catalogue/catalogue.h"

#include <stdint.h>

struct hub_holes { /* zeroed at first */
    struct hub_hole {
        char source[TEXT_REGION_MAX + 1]; /* empty: a free place */
        int64_t first_ms;                 /* since when without progress */
        int64_t last_ms;
        uint64_t position; /* of the last batch passed over */
    } lanes[CATALOGUE_REGIONS_MAX];
};

/* A batch of the lane was passed over behind a hole. */
void hub_holes_found(struct hub_holes *holes, struct text source, uint64_t position,
                     int64_t now_ms);
/* The lane has moved on. */
void hub_holes_closed(struct hub_holes *holes, struct text source);
/* How many lanes have been behind a hole for `long_ms` or longer; the last position of one of
 * them. */
uint64_t hub_holes_long(const struct hub_holes *holes, int64_t long_ms, uint64_t *ret_position);
