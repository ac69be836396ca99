/* Sends on what waits in an outbox for a region that is gone: each message to those of its
 * recipients who are at home elsewhere by now. The lane goes on waiting: should the region return,
 * it takes everything, passes on what is others', and they drop what they have as repeats. So all
 * that is done here may be done twice, and nothing has to be remembered.
 *
 * Made for a lane that stands still, freed when it moves. It reads to the end, goes on with what
 * comes, and begins again when the directory has said something new. One shard thread. */
#pragma once

#include "bus/bus_stream.h"
#include "catalogue/catalogue.h"
#include "loop/loop.h"
#include "region-hub/hub_settings.h"

struct hub_reroute; /* opaque, see hub_reroute.c */

enum {
    HUB_REROUTE_AFTER_MS = 10000,  /* for so long a lane stands still before */
    HUB_REROUTE_AGAIN_MS = 5000,   /* from one beginning to the next */
    HUB_REROUTE_WAITING_MAX = 256, /* messages that were written and are not stored */
    HUB_REROUTE_BATCHES = 16,      /* of the outbox, that are read at once */
};

struct hub_reroute_settings { /* all borrowed */
    struct loop *loop;
    struct bus *bus;
    const struct hub_settings *settings;
    const struct catalogue *catalogue;
    const struct catalogue_region *region; /* ours */
    const struct catalogue_region *gone;
    const char *stream; /* the outbox */
    const char *lane;   /* the subject */
    uint64_t from;      /* the first sequence that the region may not have */
    const char *process;
    uint64_t first_number; /* of PubAcks: random */
};
/* NULL when memory is short. */
MUST_USE struct hub_reroute *hub_reroute_new(const struct hub_reroute_settings *settings);
void hub_reroute_free(struct hub_reroute *reroute); /* NULL is fine */

/* False: the number is of another's PubAck. */
bool hub_reroute_puback(struct hub_reroute *reroute, uint64_t number, const struct bus_puback *ack);
void hub_reroute_connected(struct hub_reroute *reroute);
/* About twenty times a second. */
void hub_reroute_tick(struct hub_reroute *reroute);
/* Messages that were sent on, by all that there were. */
uint64_t hub_reroute_sent(const struct hub_reroute *reroute);
