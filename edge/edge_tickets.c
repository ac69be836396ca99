#include "edge/edge_tickets.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <string.h>

int edge_tickets_init(struct edge_tickets *tickets, int64_t lifetime_ms, int64_t now_ms)
{
    *tickets = (struct edge_tickets){.lifetime_ms = lifetime_ms, .made_ms = now_ms};
    return RAND_priv_bytes((unsigned char *)&tickets->keys[0], sizeof tickets->keys[0]) == 1 ? 0
                                                                                             : -EIO;
}

void edge_tickets_tick(struct edge_tickets *tickets, int64_t now_ms)
{
    struct edge_ticket_key fresh;
    int64_t age_ms = now_ms - tickets->made_ms;
    if (age_ms < tickets->lifetime_ms ||
        RAND_priv_bytes((unsigned char *)&fresh, sizeof fresh) != 1)
        return;
    tickets->keys[1] = tickets->keys[0];
    tickets->keys[0] = fresh;
    /* After a sleep the old one has been due for longer than it may live. */
    tickets->both = age_ms < 2 * tickets->lifetime_ms;
    tickets->made_ms = now_ms;
    OPENSSL_cleanse(&fresh, sizeof fresh);
}

const struct edge_ticket_key *edge_tickets_newest(const struct edge_tickets *tickets)
{
    return &tickets->keys[0];
}

const struct edge_ticket_key *edge_tickets_find(const struct edge_tickets *tickets,
                                                const uint8_t name[EDGE_TICKET_NAME_SIZE])
{
    for (size_t i = 0; i < (tickets->both ? 2u : 1u); i++)
        if (memcmp(tickets->keys[i].name, name, EDGE_TICKET_NAME_SIZE) == 0)
            return &tickets->keys[i];
    return NULL;
}

void edge_tickets_done(struct edge_tickets *tickets)
{
    OPENSSL_cleanse(tickets->keys, sizeof tickets->keys);
}
