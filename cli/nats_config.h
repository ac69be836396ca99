/* The configuration of a nats-server for the cluster on this machine. Pure. */
#pragma once

#include "base/buffer.h"
#include "catalogue/catalogue.h"

/* Whether the region's servers listen for each other. */
bool cli_nats_has_cluster(const struct catalogue *catalogue, const struct catalogue_region *region);
/* One cluster a region, gateways between regions where there are several, everything fsynced before
 * it is acknowledged. `max_bytes` is what JetStream may reserve on this node. */
void cli_nats_config(const struct catalogue *catalogue, const struct catalogue_region *region,
                     const struct catalogue_node *node, const char *store_dir, uint64_t max_bytes,
                     struct buffer *out);
