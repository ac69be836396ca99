/* The accounts of one region's NATS servers. Hubs and the streams are in one; each edge is alone in
 * another, connected with just what it needs. Pure.
 *
 * Who asks JetStream chooses where the answer goes, and the answer goes there with the server's own
 * rights, not with his. In the streams' account that may be JetStream's own subjects: the empty
 * answer of a direct get deletes a stream. An account makes that harmless: an answer that leaves
 * the streams' account is delivered in that of who asked, where nobody else is. */
#pragma once

#include "base/buffer.h"
#include "catalogue/catalogue.h"

void cli_nats_accounts(const struct catalogue *catalogue, const struct catalogue_region *region,
                       struct buffer *out);
