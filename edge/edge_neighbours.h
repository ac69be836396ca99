/* How many sessions there are from each neighbourhood of the net, a /24 or an IPv6 /48, and that
 * there are not too many: one address can be many people, but one host can also have all addresses
 * of its IPv6 network. An entry lives as long as somebody of it is there. */
#pragma once

#include "base/address.h"

#include <stddef.h>
#include <stdint.h>

struct edge_neighbours; /* opaque: all of an edge */
struct edge_place;      /* somebody's, in a neighbourhood; freed by edge_place_leave() */

/* `max`: of one neighbourhood; 0: there is no limit, and nobody is counted. NULL when memory is
 * short. */
MUST_USE struct edge_neighbours *edge_neighbours_new(uint32_t max);
/* Everybody has left. NULL is fine. */
void edge_neighbours_free(struct edge_neighbours *neighbours);
/* -EUSERS when the neighbourhood is full; -ENOMEM. 0 with NULL where there is no limit, also when
 * `neighbours` is NULL. */
MUST_USE int edge_neighbours_enter(struct edge_neighbours *neighbours, const struct address *client,
                                   struct edge_place **ret_place);
void edge_place_leave(struct edge_place *place);                        /* NULL is fine */
size_t edge_neighbours_count(const struct edge_neighbours *neighbours); /* neighbourhoods */
