/* All networks there are, each with the ranking that its clients get: what a name server needs to
 * answer as geo_rank() would, without knowing its rules.
 *
 * A database's tree is walked, pins of networks are cut out of its leaves, and neighbours with the
 * same ranking become one network. IPv4 comes as IPv4; the parts of IPv6 that stand for IPv4
 * (RFC 4291, 6052, 3056, 4380) do not come: whoever asks from there is looked up as IPv4. */
#pragma once

#include "base/address.h"
#include "catalogue/catalogue.h"
#include "geo/database.h"
#include "geo/rank.h"

enum {
    GEO_NETWORKS_LEAVES_MAX = 64 * 1024 * 1024, /* of a database; a damaged tree may be endless */
    GEO_NETWORKS_LISTS_MAX = 65536,             /* different rankings */
};

struct geo_networks_ops {
    /* They do not overlap, and IPv4 comes first. `regions` are indexes in the catalogue, the best
     * one first. */
    void (*on_network)(void *context, const struct network *network, const uint16_t *regions,
                       size_t count);
    void *context;
    uint64_t leaves_max; /* 0: GEO_NETWORKS_LEAVES_MAX */
    int32_t lists_max;   /* 0: GEO_NETWORKS_LISTS_MAX */
};
/* `database` may be NULL: then pins and the order of the catalogue decide. `states` as geo_rank().
 * -E2BIG: past one of the bounds; -EILSEQ: the tree is damaged; -ENOMEM. An entry that cannot be
 * read is a place that is not known. */
MUST_USE int geo_networks_each(const struct catalogue *catalogue,
                               const struct geo_database *database,
                               const struct geo_region_state *states,
                               const struct geo_networks_ops *ops);
