/* Which owners of other regions' shards were heard a short while ago: whether a region that an
 * operator gives up is silent indeed. Pure: times come in. */
#pragma once

#include "base/macros.h"
#include "catalogue/catalogue.h"

#include <stdbool.h>
#include <stdint.h>

/* So long after its last beat an owner counts as heard. When it is back after more than that, its
 * log shows the pause: MAILBOX_PAUSE_MS. */
enum { HUB_HEARD_MS = 20000 };

enum hub_heard_is {
    HUB_HEARD,
    HUB_SILENT,
    HUB_UNHEARD, /* not heard, and nobody has listened for long enough to tell */
};
struct hub_heard {
    const struct catalogue *catalogue; /* borrowed */
    int64_t *heard_ms;                 /* by region and shard; INT64_MIN: never */
    int64_t since_ms;                  /* when it began to listen */
};

MUST_USE int hub_heard_init(struct hub_heard *heard, const struct catalogue *catalogue,
                            int64_t now_ms); /* -ENOMEM */
void hub_heard_done(struct hub_heard *heard);
void hub_heard_beat(struct hub_heard *heard, struct text region, unsigned shard, int64_t now_ms);
/* A region that the catalogue does not have is unheard. */
enum hub_heard_is hub_heard_is(const struct hub_heard *heard, struct text region, unsigned shard,
                               int64_t now_ms);
