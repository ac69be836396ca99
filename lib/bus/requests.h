/* The requests of one bus that are on their way: tokens, inboxes, deadlines.
 *
 * Every request has a token, the last part of its reply subject. The first REQUEST_INBOXES at a
 * time have an inbox of their own besides: the library turns "no responders" into a bare status
 * without a subject, so only the subscription it came from tells whose it is. An inbox whose
 * request ended without an answer is given up, because a late status would be laid to the next
 * request; those past the limit share one inbox and meet "no responders" as a timeout. */
#pragma once

#include "bus/bus.h"
#include "bus/litter.h"

#include <nats/nats.h>

enum {
    REQUEST_INBOXES = 32,
    REQUEST_INBOX_SHARED = REQUEST_INBOXES, /* the place of the shared one */
    REQUEST_TICK_MS = 10,
    REQUEST_TICKS = 256, /* one turn of the wheel; later deadlines take more turns */
};

struct request_inbox {
    natsSubscription *subscription; /* NULL: to be made when it is needed */
    uint64_t id;               /* in its subject; a new one after each giving up; 0: none yet */
    struct bus_request *taker; /* NULL: free (and always, for the shared one) */
    bool answered;
};

struct requests {
    struct bus *bus;
    struct loop *loop;
    struct bus_litter *litter;
    natsConnection *connection;    /* NULL while there is none */
    char prefix[64];               /* "_INBOX.<name>." */
    uint64_t last_number;          /* of tokens and inboxes; begins at random */
    struct bus_request *answering; /* whose callback runs, for an answer */
    struct request_inbox inboxes[REQUEST_INBOXES + 1];
    struct bus_request **buckets; /* by token */
    size_t buckets_count;         /* a power of two */
    size_t count;
    struct list wheel[REQUEST_TICKS]; /* by due_ms / REQUEST_TICK_MS */
    int64_t tick_done;                /* the last tick that was looked through */
    struct loop_timer timer;          /* set while count > 0 */
};

MUST_USE int requests_init(struct requests *requests, struct bus *bus, struct loop *loop,
                           struct bus_litter *litter, const char *name);
/* Cancels all without a callback. */
void requests_done(struct requests *requests);
MUST_USE bool requests_on_up(struct requests *requests, natsConnection *connection);
void requests_on_down(struct requests *requests);
/* Delivers what the inboxes hold. */
void requests_drain(struct requests *requests);

enum { REQUEST_REPLY_BYTES = 64 + 2 * 17 };
/* Gives `request` a token and an inbox, and writes its reply subject. */
MUST_USE int requests_begin(struct requests *requests, struct bus_request *request,
                            int64_t timeout_ms, char reply[REQUEST_REPLY_BYTES]);
/* Takes it out of everything; no callback. */
void requests_end(struct requests *requests, struct bus_request *request);
/* The same for one that was never sent. */
void requests_take_back(struct requests *requests, struct bus_request *request);
