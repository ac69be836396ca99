/* What the regions tell on the bus, for the commands that listen: a loop, a connection to the NATS
 * servers of any region, and `struct regions` fed by it. */
#pragma once

#include "regions/feed.h"

struct geo_watch {
    struct loop *loop;
    struct bus *bus;
    struct regions *regions;
    struct regions_feed *feed;
};
/* Connects by and by. Close it also after a failure, which has its reason. */
MUST_USE int geo_watch_open(struct geo_watch *watch, const struct catalogue *catalogue,
                            struct error_text *reterr_why);
void geo_watch_close(struct geo_watch *watch);
