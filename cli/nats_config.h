/* The configuration of a nats-server, for trying on this machine or in earnest. Pure. */
#pragma once

#include "base/buffer.h"
#include "catalogue/catalogue.h"

/* Whether the region's servers listen for each other. */
bool cli_nats_has_cluster(const struct catalogue *catalogue, const struct catalogue_region *region);
struct cli_nats_place {
    const char *title;       /* what the first line says */
    const char *store_dir;   /* of JetStream */
    uint64_t max_bytes;      /* what JetStream may reserve on this node */
    const char *credentials; /* a folder of `meridian pki`; NULL: no TLS, and anybody may do all */
};
/* One cluster a region, gateways between regions where there are several, everything fsynced before
 * it is acknowledged. With credentials, nobody gets in at any port without a certificate, and each
 * user may do what cli/nats_rights.h says. */
void cli_nats_config(const struct catalogue *catalogue, const struct catalogue_region *region,
                     const struct catalogue_node *node, const struct cli_nats_place *place,
                     struct buffer *out);
