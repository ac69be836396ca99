/* What this edge sends into logs and outboxes: one destination per (home region, shard), published
 * at the end of the turn, and their PubAcks. The decisions are in edge_destination.h. */
#pragma once

#include "catalogue/catalogue.h"
#include "edge/edge_destination.h"
#include "edge/edge_settings.h"
#include "loop/loop.h"

struct bus;
struct edge_outbound; /* opaque */

struct edge_outbound_settings {
    struct loop *loop;
    struct bus *bus;
    const struct edge_settings *edge;
    const struct catalogue *catalogue;
    const struct catalogue_region *region; /* this edge's */
    /* Each ticket that has its outcome, once; the owner frees it. */
    void (*on_outcome)(void *context, struct edge_ticket *ticket, enum edge_code code);
    void *context;
};
/* Borrows what the settings point to. NULL when memory is short. */
MUST_USE struct edge_outbound *edge_outbound_new(const struct edge_outbound_settings *settings);
/* Tickets still waiting are given to `on_dropped`, which may be NULL when there can be none. */
void edge_outbound_free(struct edge_outbound *outbound,
                        void (*on_dropped)(struct edge_ticket *ticket));

/* As edge_destination_add(). `region` is an index in the catalogue. */
MUST_USE int edge_outbound_add(struct edge_outbound *outbound, size_t region, uint32_t shard,
                               const struct wire_message *message,
                               const struct wire_recipient *recipients, size_t recipient_count,
                               struct edge_ticket *ticket);
void edge_outbound_connected(struct edge_outbound *outbound);
/* Records without an outcome, of all destinations. */
size_t edge_outbound_waiting(const struct edge_outbound *outbound);
/* Publishes made and batches accepted so far. */
uint64_t edge_outbound_publishes(const struct edge_outbound *outbound);
