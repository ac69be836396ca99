/* The listening socket of an edge. It rests while the edge holds as many connections as it may: the
 * kernel keeps what comes meanwhile, and a process at its limit does not spin.
 *
 * What comes from proxy.networks must begin with a header of the PROXY protocol; to all others such
 * a header is a malformed request. */
#pragma once

#include "base/error_text.h"
#include "base/macros.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

struct edge_http;
struct edge_listener; /* opaque */

/* How many connections may still be accepted now. */
typedef size_t edge_listener_room(void *context);

struct edge_listener_settings {
    struct edge_http *http;
    struct text address;
    bool tls;
    bool shared; /* with other processes of this user: what connects comes to any of them */
    edge_listener_room *room;
    void *context;
};
/* NULL with the reason: bad address, in use... */
MUST_USE struct edge_listener *edge_listener_open(const struct edge_listener_settings *settings,
                                                  struct error_text *reterr_why);
/* Connections of balancers whose PROXY header is awaited. */
size_t edge_listener_arrivals(const struct edge_listener *listener); /* of NULL: 0 */
void edge_listener_close(struct edge_listener *listener);            /* NULL is fine */
/* Before it is closed: accepts who has connected already and would be cut off otherwise. */
void edge_listener_take_rest(struct edge_listener *listener); /* NULL is fine */
/* There may be room again. */
void edge_listener_resume(struct edge_listener *listener);
