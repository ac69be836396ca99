/* Tells `struct regions` what the bus knows: the beats of all edges, and which regions drain, of
 * which the directory's nearest copy is asked at each tick. One loop, its thread. */
#pragma once

#include "bus/bus.h"
#include "regions/regions.h"

struct regions_feed; /* opaque */

/* Borrows all three. NULL when memory is short. */
MUST_USE struct regions_feed *regions_feed_new(struct bus *bus, const struct catalogue *catalogue,
                                               struct regions *regions);
void regions_feed_free(struct regions_feed *feed); /* NULL is fine */
/* Asks, and sums up: about once a second. True when a state has changed. */
bool regions_feed_tick(struct regions_feed *feed);
/* The drains were read since the bus was connected, or there are none: what is known of them is no
 * guess. */
bool regions_feed_knows_drains(const struct regions_feed *feed);
