/* What devices show of their mailboxes by another way than their attach, as when an ack comes by
 * HTTP to whichever edge: taken as if the attached device had said it there, and answered once it
 * is in the log. Who waits for that is kept, up to a bound: past it, and when an answer is lost,
 * the edge asks again. Repeats change nothing. One shard thread. */
#pragma once

#include "region-hub/hub_acks.h"
#include "region-hub/hub_apply.h"
#include "region-hub/hub_delivery.h"
#include "region-hub/hub_presence.h"
#include "region-hub/hub_reads.h"

struct hub_shown; /* opaque, see hub_shown.c */

struct hub_shown_settings { /* all borrowed */
    struct loop *loop;
    const struct catalogue_region *region;
    unsigned shard;
    struct hub_apply *apply;
    struct hub_presence *presence;
    struct hub_delivery *delivery;
    struct hub_acks *acks;
    const struct hub_reads *reads;
    size_t waits_max;
    void *context;
    bool (*may_serve)(void *context, struct text user); /* as of hub_service_settings */
};
/* NULL when memory is short. */
MUST_USE struct hub_shown *hub_shown_new(const struct hub_shown_settings *settings);
void hub_shown_free(struct hub_shown *shown); /* NULL is fine */
/* From here on by this generation; nobody waits any more. 0: it does not serve. */
void hub_shown_serve(struct hub_shown *shown, uint64_t generation);
/* What cannot be taken now is not answered: the edge asks again. */
void hub_shown_ask(struct hub_shown *shown, struct hub_edge *edge, const struct wire_show *show);
/* Whoever says so has not shown that it may. */
void hub_shown_refuse(struct hub_shown *shown, struct hub_edge *edge, const struct wire_show *show);
/* A device's cursor, or what its user has read, was applied. */
void hub_shown_acked(struct hub_shown *shown, struct text user, struct text device, uint32_t epoch,
                     uint64_t seq);
void hub_shown_read(struct hub_shown *shown, const struct wire_read *read);
size_t hub_shown_waiting(const struct hub_shown *shown);
