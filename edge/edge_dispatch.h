/* The way of a send from its recipients' names to a batch: finds each one's home, puts those of one
 * shard into one record, and tells the sender what became of it, recipient by recipient.
 *
 * Sends of one connection to one user keep their order, also while the directory is asked. */
#pragma once

#include "base/list.h"
#include "base/text.h"
#include "edge/edge_home.h"
#include "edge/edge_outbound.h"
#include "edge/edge_outcome.h"
#include "homes/homes.h"

struct edge_dispatch; /* opaque */

struct edge_dispatch_settings {
    struct loop *loop;
    const struct edge_settings *edge;
    const struct catalogue *catalogue;
    struct homes *directory;
    struct edge_outbound *outbound;
    struct edge_home *home;
};
MUST_USE struct edge_dispatch *edge_dispatch_new(const struct edge_dispatch_settings *settings);
/* Before the directory: gives up what waits there. */
void edge_dispatch_free(struct edge_dispatch *dispatch);
/* For edge_outbound_settings. */
void edge_dispatch_on_outcome(struct edge_ticket *ticket, enum edge_code code);
void edge_dispatch_on_dropped(struct edge_ticket *ticket);

struct edge_outcome {
    struct text id;
    struct text to;
    bool listed; /* the recipient was one of a list */
    enum edge_code code;
    uint32_t retry_after_ms; /* 0: as for all of this code */
};
/* Who sends, embedded: a connection or a request. Zeroed, on_outcome set, then
 * edge_sender_init(). */
struct edge_sender {
    void (*on_outcome)(struct edge_sender *sender, const struct edge_outcome *outcome);
    struct list pending;
    uint32_t pending_count; /* parts of sends without an outcome */
};
void edge_sender_init(struct edge_sender *sender);
/* What is pending goes on; its outcome is told to nobody. */
void edge_sender_done(struct edge_sender *sender);

struct edge_letter {       /* borrowed for the call */
    uint8_t message_class; /* enum wire_class */
    uint8_t wants;
    uint16_t flags;
    uint32_t ttl_s;
    struct text sender;
    struct text device;
    struct text id;
    struct text body;
    bool listed;
    const struct text *recipients; /* user ids, checked */
    size_t recipient_count;        /* 1 to WIRE_RECIPIENTS_MAX */
};
/* Each recipient has its outcome once, some before this returns. */
void edge_dispatch_send(struct edge_dispatch *dispatch, struct edge_sender *sender,
                        const struct edge_letter *letter);
