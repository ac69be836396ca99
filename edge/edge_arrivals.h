/* Connections from balancers that speak the PROXY protocol, until their header is there.
 *
 * It is read from the bare socket, before HTTP has one, and not a byte more than the header is
 * taken: what follows waits in the kernel, and whoever gets the descriptor, HTTP or TLS, finds the
 * client's first byte. (libh2o reads version 1 alone, and of everybody who connects.) */
#pragma once

#include "base/address.h"
#include "loop/loop.h"

#include <stddef.h>

struct edge_arrivals; /* opaque */

struct edge_arrivals_settings {
    struct loop *loop;
    int64_t wait_ms; /* for a whole header, from the beginning */
    /* Takes `fd`. `client` is the balancer itself where the header says of nobody else. */
    void (*on_arrived)(void *context, int fd, const struct address *client);
    void (*on_closed)(void *context); /* one has gone without */
    void *context;
};
/* NULL when memory is short. */
MUST_USE struct edge_arrivals *edge_arrivals_new(const struct edge_arrivals_settings *settings);
void edge_arrivals_free(struct edge_arrivals *arrivals); /* closes what is left; NULL is fine */
/* Takes `fd`, which does not block, and closes it on failure. */
MUST_USE int edge_arrivals_add(struct edge_arrivals *arrivals, int fd, const struct address *from);
size_t edge_arrivals_count(const struct edge_arrivals *arrivals);
