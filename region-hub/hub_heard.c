#include "region-hub/hub_heard.h"

#include <errno.h>
#include <stdlib.h>

int hub_heard_init(struct hub_heard *heard, const struct catalogue *catalogue, int64_t now_ms)
{
    const size_t count = catalogue->region_count * CATALOGUE_SHARDS_MAX;
    *heard = (struct hub_heard){.catalogue = catalogue, .since_ms = now_ms};
    heard->heard_ms = calloc(count, sizeof *heard->heard_ms);
    if (heard->heard_ms == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        heard->heard_ms[i] = INT64_MIN;
    return 0;
}

void hub_heard_done(struct hub_heard *heard)
{
    free(heard->heard_ms);
    heard->heard_ms = NULL;
}

/* NULL: there is no such shard. */
static int64_t *place_of(const struct hub_heard *heard, struct text region, unsigned shard)
{
    size_t index;
    if (catalogue_region_index(heard->catalogue, region, &index) != 0 ||
        shard >= heard->catalogue->regions[index].shards)
        return NULL;
    return &heard->heard_ms[index * CATALOGUE_SHARDS_MAX + shard];
}

void hub_heard_beat(struct hub_heard *heard, struct text region, unsigned shard, int64_t now_ms)
{
    int64_t *place = place_of(heard, region, shard);
    if (place != NULL)
        *place = now_ms;
}

enum hub_heard_is hub_heard_is(const struct hub_heard *heard, struct text region, unsigned shard,
                               int64_t now_ms)
{
    const int64_t *place = place_of(heard, region, shard);
    if (place == NULL)
        return HUB_UNHEARD;
    if (*place != INT64_MIN && now_ms - *place < HUB_HEARD_MS)
        return HUB_HEARD;
    return now_ms - heard->since_ms < HUB_HEARD_MS ? HUB_UNHEARD : HUB_SILENT;
}
