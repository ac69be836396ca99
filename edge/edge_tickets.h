/* The keys that session tickets are sealed with (RFC 5077, RFC 8446 4.6.1): two, of which the newer
 * seals. A key is made anew each lifetime and opens tickets for one more, so that a ticket is good
 * for its lifetime and no key lives longer than two. They never leave the process. */
#pragma once

#include "base/macros.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EDGE_TICKET_NAME_SIZE = 16, EDGE_TICKET_KEY_SIZE = 32 };

struct edge_ticket_key {
    uint8_t name[EDGE_TICKET_NAME_SIZE]; /* stands in the ticket */
    uint8_t aes[EDGE_TICKET_KEY_SIZE];
    uint8_t hmac[EDGE_TICKET_KEY_SIZE];
};

struct edge_tickets {
    struct edge_ticket_key keys[2]; /* newest first */
    bool both;
    int64_t lifetime_ms;
    int64_t made_ms; /* the newest one */
};

/* -EIO when there is no randomness. */
MUST_USE int edge_tickets_init(struct edge_tickets *tickets, int64_t lifetime_ms, int64_t now_ms);
/* Makes a new key when it is time. */
void edge_tickets_tick(struct edge_tickets *tickets, int64_t now_ms);
/* The one to seal with. */
const struct edge_ticket_key *edge_tickets_newest(const struct edge_tickets *tickets);
/* The one a ticket was sealed with; NULL: it is gone, or was never ours. */
const struct edge_ticket_key *edge_tickets_find(const struct edge_tickets *tickets,
                                                const uint8_t name[EDGE_TICKET_NAME_SIZE]);
/* Wipes the keys. */
void edge_tickets_done(struct edge_tickets *tickets);
