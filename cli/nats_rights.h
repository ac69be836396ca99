/* Who may do what on the bus: the users of one region's NATS servers, as its configuration has
 * them. Everything that is not named is refused. Pure. */
#pragma once

#include "base/buffer.h"
#include "catalogue/catalogue.h"

/* What certificates of a region's servers name besides their hosts, so that a server of another
 * region is no member of its cluster. */
#define CLI_NATS_NODES_OF "nodes.%s.meridian"

/* A list of users: the hubs and edges of `region`, and the operator. */
void cli_nats_users(const struct catalogue *catalogue, const struct catalogue_region *region,
                    struct buffer *out);
