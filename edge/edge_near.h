/* Which edges are near a client: the ranking that DNS gives as well (lib/geo), out of a GeoIP
 * database and what beats tell of all regions. An edge has one where `geo.database` is set. */
#pragma once

#include "base/buffer.h"
#include "bus/bus.h"
#include "edge/edge_settings.h"
#include "edge/edge_siblings.h"
#include "geo/rank.h"
#include "regions/regions.h"
#include "wire/drains.h"

enum {
    EDGE_NEAR_ENDPOINTS_MAX = 8, /* of a hint */
    EDGE_NEAR_EDGES_MAX = 32,    /* of an answer to GET /v1/edges */
    EDGE_NEAR_REGION_MAX = 4,    /* of these, of one region */
};

struct edge_near; /* opaque */

struct edge_near_settings { /* all borrowed */
    const struct edge_settings *edge;
    const struct catalogue *catalogue;
    const struct catalogue_region *region; /* of this edge */
    const struct catalogue_edge *self;
    uint32_t number;                        /* of this process, of those of its edge */
    const struct edge_siblings *siblings;   /* NULL: it is the only one */
    const struct wire_edge_drains *drained; /* edges out of use */
    struct bus *bus;
};
/* A database that is not there or no good is said in the log and asked for again and again: until
 * then nobody's place is known. NULL with the reason: the key is no good, or memory is short. */
MUST_USE struct edge_near *edge_near_new(const struct edge_near_settings *settings,
                                         struct error_text *reterr_why);
void edge_near_free(struct edge_near *near); /* NULL is fine */
/* Often: about once a second it takes up what is new of the regions, and another database. True
 * when the clients of this edge's region are to leave from now on. */
bool edge_near_tick(struct edge_near *near, int64_t now_ms);
/* Whether the settings' files can be used. -EINVAL and the like, with the reason. */
MUST_USE int edge_near_check(const struct edge_settings *settings, struct error_text *reterr_why);

/* Who is to be near: an address, and the tenant that a token says, for its pins; empty: none. */
struct edge_near_client {
    const struct address *address;
    struct text tenant;
};

void edge_near_rank(const struct edge_near *near, const struct edge_near_client *client,
                    struct geo_ranking *ret_ranking);
/* The home of a new user who connects from there, of the regions that new users may be at home in.
 * NULL, also for a NULL edge_near: here, because nothing is known of the place, or nobody is up. A
 * pin is kept to also when nobody is up there, or it leaves only regions without new homes. */
const struct catalogue_region *edge_near_home(const struct edge_near *near,
                                              const struct edge_near_client *client);
/* The index of this edge's region in the catalogue, whether its clients are to leave, and since
 * when: geo.drain_after behind the operator's command. */
uint16_t edge_near_here(const struct edge_near *near, bool *ret_drains, int64_t *ret_age_ms);
const struct regions *edge_near_regions(const struct edge_near *near);

/* edge_near_write.c */
/* The answer to GET /v1/edges. `wall_ms` since 1970. */
void edge_near_write_edges(const struct edge_near *near, const struct edge_near_client *client,
                           int64_t wall_ms, struct buffer *out);
/* A hint, as members of an object: ,"endpoints":[{"url","region"}],"endpoints_ttl_s":60. This edge
 * is not in it when the client is `leaving`, unless another of its processes would take it. */
void edge_near_write_endpoints(const struct edge_near *near, const struct edge_near_client *client,
                               bool leaving, struct buffer *out);
