#include "region-hub/hub_directory_desk.h"

#include "base/clock.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct hub_directory_desk {
    pthread_mutex_t lock;
    enum hub_desk_state state; /* under the lock, as what follows */
    bool follows;
    uint64_t turn; /* of asking: what was begun before is not for this one */
    struct archive_bucket bucket;
    int64_t since_ms;
    struct archive_homes_outcome outcome;
    /* The shard's thread writes it in HUB_DESK_WAITING, the archiver's reads it in HUB_DESK_FULL:
     * after another turn begins it is the archiver that makes it WAITING again. */
    struct hub_home_batch batch;
};

struct hub_directory_desk *hub_directory_desk_new(void)
{
    struct hub_directory_desk *desk = calloc(1, sizeof *desk);
    if (desk == NULL || pthread_mutex_init(&desk->lock, NULL) != 0) {
        free(desk);
        return NULL;
    }
    return desk;
}

void hub_directory_desk_free(struct hub_directory_desk *desk)
{
    if (desk == NULL)
        return;
    pthread_mutex_destroy(&desk->lock);
    free(desk);
}

/* --- the shard's thread --- */

enum hub_desk_state hub_directory_desk_look(struct hub_directory_desk *desk, uint64_t *ret_position)
{
    pthread_mutex_lock(&desk->lock);
    const enum hub_desk_state state = desk->state;
    *ret_position = desk->bucket.position;
    pthread_mutex_unlock(&desk->lock);
    return state;
}

void hub_directory_desk_ask(struct hub_directory_desk *desk, const struct archive_bucket *bucket)
{
    pthread_mutex_lock(&desk->lock);
    desk->state = HUB_DESK_ASKED;
    desk->follows = true;
    desk->bucket = *bucket;
    desk->bucket.position = 0;
    desk->since_ms = 0;
    desk->turn++;
    pthread_mutex_unlock(&desk->lock);
}

void hub_directory_desk_put(struct hub_directory_desk *desk, const struct hub_home_batch *batch,
                            int64_t since_ms)
{
    pthread_mutex_lock(&desk->lock);
    assert(desk->state == HUB_DESK_WAITING && batch->count > 0);
    desk->batch.count = batch->count;
    for (size_t i = 0; i < batch->count; i++)
        desk->batch.homes[i] = batch->homes[i];
    desk->since_ms = since_ms;
    desk->state = HUB_DESK_FULL;
    pthread_mutex_unlock(&desk->lock);
}

void hub_directory_desk_leave(struct hub_directory_desk *desk)
{
    pthread_mutex_lock(&desk->lock);
    desk->state = HUB_DESK_IDLE;
    desk->follows = false;
    desk->since_ms = 0;
    desk->turn++;
    pthread_mutex_unlock(&desk->lock);
}

/* --- the archiver's thread --- */

static int store(const struct hub_home_batch *batch, struct archive *archive,
                 struct archive_bucket *bucket, struct archive_homes_outcome *outcome,
                 struct error_text *reterr_why)
{
    struct archive_home homes[HUB_DIRECTORY_BATCH];
    for (size_t i = 0; i < batch->count; i++) {
        const struct hub_home *home = &batch->homes[i];
        homes[i] = (struct archive_home){.user = {home->user, home->user_size},
                                         .home = text_of(home->home),
                                         .epoch = home->epoch,
                                         .revision = home->revision};
    }
    return archive_homes_put(archive, bucket, homes, batch->count, homes[batch->count - 1].revision,
                             outcome, reterr_why);
}

/* What follows when it was not for an earlier turn. */
static void conclude(struct hub_directory_desk *desk, int err)
{
    if (err == 0) {
        desk->state = HUB_DESK_WAITING;
        desk->since_ms = 0;
    } else if (err == -ESTALE) {
        desk->state = HUB_DESK_IDLE;
    }
}

enum hub_desk_step hub_directory_desk_step(struct hub_directory_desk *desk, struct archive *archive,
                                           int *ret_error, struct error_text *reterr_why)
{
    struct archive_homes_outcome outcome = {0};
    pthread_mutex_lock(&desk->lock);
    const enum hub_desk_state state = desk->state;
    const uint64_t turn = desk->turn;
    struct archive_bucket bucket = desk->bucket;
    pthread_mutex_unlock(&desk->lock);
    int err = 0;
    if (state == HUB_DESK_ASKED)
        err = archive_bucket_locate(archive, &bucket, reterr_why);
    else if (state == HUB_DESK_FULL)
        err = store(&desk->batch, archive, &bucket, &outcome, reterr_why);
    else
        return HUB_DESK_NOTHING;
    pthread_mutex_lock(&desk->lock);
    desk->outcome.stored += outcome.stored;
    desk->outcome.refused += outcome.refused;
    if (turn == desk->turn) {
        if (err == 0)
            desk->bucket.position = bucket.position;
        conclude(desk, err);
    }
    pthread_mutex_unlock(&desk->lock);
    *ret_error = err;
    return err == 0 ? HUB_DESK_DONE : err == -ESTALE ? HUB_DESK_STALE : HUB_DESK_FAILED;
}

/* --- any thread --- */

struct hub_directory_desk_status hub_directory_desk_status(struct hub_directory_desk *desk)
{
    pthread_mutex_lock(&desk->lock);
    const struct hub_directory_desk_status status = {
        .follows = desk->follows,
        .position = desk->bucket.position,
        .lag_ms = desk->since_ms == 0 ? 0 : clock_wall_ms() - desk->since_ms,
        .stored = desk->outcome.stored,
        .refused = desk->outcome.refused,
    };
    pthread_mutex_unlock(&desk->lock);
    return status;
}
