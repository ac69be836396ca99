/* Works the lanes of one shard's owner: reads the outboxes to the other regions, publishes to their
 * logs as the lanes decide (hub_lane.h), trims what is applied, and knows how full the outboxes
 * are. Made when the shard is owned, freed when it is not. One shard thread. */
#pragma once

#include "bus/bus_stream.h"
#include "catalogue/catalogue.h"
#include "loop/loop.h"
#include "region-hub/hub_settings.h"
#include "wire/beat.h"

struct hub_forwarder; /* opaque, see hub_forwarder.c */

struct hub_forwarder_settings {
    struct loop *loop;
    struct bus *bus;
    const struct hub_settings *settings; /* all borrowed */
    const struct catalogue *catalogue;
    const struct catalogue_region *region; /* the source */
    unsigned shard;                        /* works the home shards that fall to it */
    const char *process;                   /* for PubAcks */
    uint64_t first_number;                 /* random; the high 16 bits tell the lanes apart */
};
/* NULL when memory is short. */
MUST_USE struct hub_forwarder *hub_forwarder_new(const struct hub_forwarder_settings *settings);
void hub_forwarder_free(struct hub_forwarder *forwarder); /* NULL is fine */

/* A beat of another region's owner. */
void hub_forwarder_heard(struct hub_forwarder *forwarder, struct text region,
                         const struct wire_hub_beat *beat);
/* A PubAck by its number. False: it is of no lane. */
bool hub_forwarder_puback(struct hub_forwarder *forwarder, uint64_t number,
                          const struct bus_puback *ack);
void hub_forwarder_tick(struct hub_forwarder *forwarder);
/* The bus is connected again: what it was connected to may have been put back to an older state. */
void hub_forwarder_connected(struct hub_forwarder *forwarder);
/* Outboxes that end before what was forwarded of them: nothing of them is forwarded, and edges are
 * told that they are full, until they have a new incarnation. */
uint64_t hub_forwarder_regressed(const struct hub_forwarder *forwarder);
/* For the beat. Returns how many; at most `max`. The texts live as long as the catalogue. */
size_t hub_forwarder_outboxes(const struct hub_forwarder *forwarder, int64_t wall_ms,
                              struct wire_outbox *ret_outboxes, size_t max);
