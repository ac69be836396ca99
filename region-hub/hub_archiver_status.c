/* What shards tell the archiver, and what others ask of it: from any thread. */
#include "region-hub/hub_archiver_internal.h"

#include "base/clock.h"

#include <string.h>

void hub_archiver_note_behind(struct hub_archiver_feed *feed)
{
    if (feed->row <= feed->status.archived_row)
        feed->behind_ms = 0;
    else if (feed->behind_ms == 0)
        feed->behind_ms = clock_wall_ms();
}

void hub_archiver_tell(struct hub_archiver *archiver, unsigned shard,
                       const struct hub_archiver_news *news)
{
    if (archiver == NULL)
        return;
    struct hub_archiver_feed *feed = &archiver->feeds[shard];
    pthread_mutex_lock(&archiver->lock);
    const bool was_known = feed->has_incarnation;
    feed->has_incarnation = news->incarnation != NULL;
    if (feed->has_incarnation)
        memcpy(feed->incarnation, news->incarnation, sizeof feed->incarnation);
    feed->owns = news->owns;
    feed->row = news->row;
    hub_archiver_note_behind(feed);
    const bool due = feed->has_incarnation &&
                     (!was_known || (feed->owns && feed->row > feed->status.archived_row));
    if (due && !archiver->work) {
        archiver->work = true;
        pthread_cond_signal(&archiver->changed);
    }
    pthread_mutex_unlock(&archiver->lock);
}

/* Of a const one: who only looks takes the lock, too. */
static pthread_mutex_t *lock_of(const struct hub_archiver *archiver)
{
    return &((struct hub_archiver *)(uintptr_t)archiver)->lock;
}

uint64_t hub_archiver_row(const struct hub_archiver *archiver, unsigned shard)
{
    if (archiver == NULL)
        return UINT64_MAX;
    pthread_mutex_lock(lock_of(archiver));
    const uint64_t row = archiver->feeds[shard].status.archived_row;
    pthread_mutex_unlock(lock_of(archiver));
    return row;
}

struct hub_archiver_status hub_archiver_status(const struct hub_archiver *archiver, unsigned shard)
{
    const struct hub_archiver_feed *feed = &archiver->feeds[shard];
    pthread_mutex_lock(lock_of(archiver));
    struct hub_archiver_status status = feed->status;
    status.connected = archiver->connected;
    status.owns = feed->owns;
    status.trouble = archiver->trouble;
    if (feed->row > status.archived_row) {
        status.lag_rows = feed->row - status.archived_row;
        status.lag_ms = clock_wall_ms() - feed->behind_ms;
    }
    pthread_mutex_unlock(lock_of(archiver));
    return status;
}

void hub_archiver_print(const struct hub_archiver *archiver, struct buffer *out)
{
    for (unsigned shard = 0; archiver != NULL && shard < archiver->shards; shard++) {
        const struct hub_archiver_status status = hub_archiver_status(archiver, shard);
        buffer_printf(out,
                      "archive shard=%u owner=%s row=%llu lag_rows=%llu lag_ms=%lld parked=%llu "
                      "gap_rows=%llu%s%s\n",
                      shard, status.owns ? "true" : "false",
                      (unsigned long long)status.archived_row, (unsigned long long)status.lag_rows,
                      (long long)status.lag_ms, (unsigned long long)status.parked,
                      (unsigned long long)status.gap_rows,
                      status.trouble[0] == '\0' ? "" : " trouble=", status.trouble);
    }
    for (unsigned i = 0; archiver != NULL && i < archiver->buckets; i++) {
        const struct hub_directory_desk_status desk = hub_directory_desk_status(archiver->desks[i]);
        if (desk.follows)
            buffer_printf(out,
                          "archive directory bucket=%u position=%llu lag_ms=%lld refused=%llu\n", i,
                          (unsigned long long)desk.position, (long long)desk.lag_ms,
                          (unsigned long long)desk.refused);
    }
}

struct hub_directory_desk *hub_archiver_desk(struct hub_archiver *archiver, unsigned bucket)
{
    return archiver->desks[bucket];
}

void hub_archiver_wake(struct hub_archiver *archiver)
{
    pthread_mutex_lock(&archiver->lock);
    archiver->work = true;
    pthread_cond_signal(&archiver->changed);
    pthread_mutex_unlock(&archiver->lock);
}
