/* Who may do what on the bus: the users of one region's NATS servers, as its configuration has
 * them. Everything that is not named is refused. Pure. */
#pragma once

#include "base/buffer.h"
#include "catalogue/catalogue.h"

/* What certificates of a region's servers name besides their hosts, so that a server of another
 * region is no member of its cluster. */
#define CLI_NATS_NODES_OF "nodes.%s.meridian"

/* Users of the account that has the streams: the hubs of `region`, and the operator. */
void cli_nats_users(const struct catalogue *catalogue, const struct catalogue_region *region,
                    struct buffer *out);
/* An edge, which has an account of its own. */
void cli_nats_edge_user(const struct catalogue *catalogue, const struct catalogue_region *region,
                        const struct catalogue_edge *edge, struct buffer *out);
