/* First homes of users: compare-and-set in the directory, at the primary region. Whoever comes
 * second is told the home of the first. One shard thread. */
#pragma once

#include "base/list.h"
#include "bus/bus_stream.h"
#include "loop/loop.h"
#include "region-hub/hub_presence.h"
#include "wire/frame.h"

struct hub_claims; /* opaque, see hub_claims.c */

struct hub_claims_settings {
    struct loop *loop;
    struct bus *bus;
    const char *region; /* the only home that may be claimed here; borrowed */
    unsigned buckets;   /* of the directory */
    size_t claims_max;
    void *context;
    /* The answer for an edge; its texts are borrowed for the call. */
    void (*on_claimed)(void *context, const struct hub_edge *edge,
                       const struct wire_claimed *claimed);
};
MUST_USE struct hub_claims *hub_claims_new(const struct hub_claims_settings *settings);
void hub_claims_free(
    struct hub_claims *claims); /* NULL is fine; those on their way get no answer */
void hub_claims_reset(struct hub_claims *claims);
/* Answered now or later. The same request of the same edge, when it is on its way, is one. */
void hub_claims_ask(struct hub_claims *claims, const struct hub_edge *edge,
                    const struct wire_claim *claim);
size_t hub_claims_count(const struct hub_claims *claims);
