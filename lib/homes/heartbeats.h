/* Asks the region's mirrors for the heartbeats of the directory's buckets, and tells the cache what
 * they say. Only for this folder. */
#pragma once

#include "bus/bus.h"
#include "catalogue/catalogue.h"
#include "directory/directory.h"

struct homes_heartbeats { /* embedded; init before anything else */
    struct bus *bus;      /* borrowed, as the cache */
    struct directory *cache;
    unsigned buckets;
    struct homes_heartbeat {
        struct homes_heartbeats *all;
        struct bus_request request;
    } each[CATALOGUE_BUCKETS_MAX];
};
void homes_heartbeats_init(struct homes_heartbeats *heartbeats, struct bus *bus,
                           struct directory *cache, unsigned buckets);
void homes_heartbeats_done(struct homes_heartbeats *heartbeats);
/* Asks for each that is not on its way. */
void homes_heartbeats_ask(struct homes_heartbeats *heartbeats);
