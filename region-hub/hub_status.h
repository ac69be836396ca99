/* What GET /status of a hub says of one shard, as JSON. Pure. */
#pragma once

#include "base/buffer.h"
#include "region-hub/hub_alarms.h"
#include "region-hub/hub_shard.h"

/* {"shard":0,"state":"serving","ready":true,"position":7,...,"alarms":[{"name":"quarantine",...}]}
 */
void hub_status_write_shard(struct buffer *out, unsigned shard, struct hub_shard_status status,
                            const struct hub_alarms *alarms, int64_t now_ms);
