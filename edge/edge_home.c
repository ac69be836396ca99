#include "edge/edge_home_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum {
    ASK_AGAIN_MS = 1000,     /* an attach or a fetch without an answer */
    CONFIRM_AGAIN_MS = 3000, /* an ack without its confirmation is reported again */
    DOUBT_MS = 10000,        /* a home that is silent for so long may be another's by now */
    DOUBTS_MAX = 64,         /* of one home and tick */
};

struct edge_home *edge_home_new(const struct edge_home_settings *settings)
{
    struct edge_home *home = calloc(1, sizeof *home);
    if (home == NULL)
        return NULL;
    home->settings = *settings;
    edge_places_init(&home->numbers, settings->catalogue);
    list_init(&home->work);
    list_init(&home->busy);
    hash_random(&home->requests, sizeof home->requests);
    home->requests >>= 1;
    home->reads.count_max = settings->reads_max;
    home->reads.each_max = settings->reads_one_max;
    home->here = (size_t)(settings->region - settings->catalogue->regions);
    home->places = calloc(home->numbers.count, sizeof *home->places);
    home->outboxes = calloc((size_t)settings->region->shards * settings->catalogue->region_count,
                            sizeof *home->outboxes);
    home->shards = calloc(settings->catalogue->region_count, sizeof *home->shards);
    if (home->places == NULL || home->shards == NULL || home->outboxes == NULL ||
        edge_attaches_init(&home->attaches) != 0) {
        edge_home_free(home);
        return NULL;
    }
    for (size_t i = 0; i < home->numbers.count; i++) {
        list_init(&home->places[i].attaches);
        list_init(&home->places[i].dirty);
    }
    return home;
}

void edge_home_free(struct edge_home *home)
{
    if (home == NULL)
        return;
    for (size_t i = 0; home->places != NULL && i < home->numbers.count; i++)
        edge_home_place_free_outgoing(&home->places[i]);
    edge_attaches_done(&home->attaches);
    free(home->places);
    free(home->outboxes);
    free(home->shards);
    free(home);
}

size_t edge_home_attached(const struct edge_home *home)
{
    return home->attached;
}

/* Work: what waits for an answer. */

void edge_home_settle(struct edge_home *home, struct edge_attach *attach)
{
    bool waits = edge_home_is_pending(attach) || attach->hole || attach->unconfirmed;
    if (!waits)
        list_remove(&attach->work);
    else if (!list_linked(&attach->work))
        list_push(&home->work, &attach->work);
}

void edge_home_mark_dirty(struct edge_home *home, struct edge_attach *attach)
{
    struct edge_home_place *place = edge_home_place_of(home, attach);
    if (list_linked(&attach->dirty))
        return;
    list_push(&place->dirty, &attach->dirty);
    edge_home_place_wake(home, place);
}

void edge_home_set_state(struct edge_home *home, struct edge_attach *attach,
                         enum edge_attach_state state)
{
    struct edge_home_place *place = edge_home_place_of(home, attach);
    if (attach->state == EDGE_ATTACHED) {
        home->attached--;
        edge_compare_remove(&place->compare, edge_home_user_of(attach), edge_home_device_of(attach),
                            attach->attach);
    }
    if (edge_home_is_pending(attach))
        place->pending--;
    attach->state = (uint8_t)state;
    if (state == EDGE_ATTACHED) {
        home->attached++;
        edge_compare_add(&place->compare, edge_home_user_of(attach), edge_home_device_of(attach),
                         attach->attach);
    }
    if (edge_home_is_pending(attach))
        place->pending++;
    place->compare.changed = true;
    edge_home_settle(home, attach);
}

int edge_home_attach(struct edge_home *home, struct edge_attach *attach, size_t region,
                     int64_t now_ms)
{
    assert(attach->state == EDGE_DETACHED && attach->user_size > 0);
    struct text user = edge_home_user_of(attach);
    uint32_t shards = home->settings.catalogue->regions[region].shards;
    int err = edge_attaches_add(&home->attaches, attach);
    if (err != 0)
        return err;
    home->now_ms = now_ms;
    attach->place = (uint16_t)edge_places_of(&home->numbers, region, hash_shard(user, shards));
    attach->request = ++home->requests;
    attach->attach = 0;
    attach->hole = attach->unconfirmed = attach->told_unreachable = false;
    list_push(&edge_home_place_of(home, attach)->attaches, &attach->of_place);
    edge_home_set_state(home, attach, EDGE_ATTACHING);
    edge_home_write_attach(home, attach);
    return 0;
}

/* Forgets it here, without a word to the owner. */
static void attach_drop(struct edge_home *home, struct edge_attach *attach)
{
    attach->hole = attach->unconfirmed = false;
    edge_home_set_state(home, attach, EDGE_DETACHED);
    attach->attach = 0;
    edge_attaches_remove(&home->attaches, attach);
    list_remove(&attach->of_place);
    list_remove(&attach->dirty);
}

void edge_home_detach(struct edge_home *home, struct edge_attach *attach)
{
    if (attach->state == EDGE_DETACHED) {
        edge_reads_drop(&home->reads, attach, NULL, NULL);
        return;
    }
    struct edge_home_place *place = edge_home_place_of(home, attach);
    if (list_linked(&attach->dirty))
        edge_home_write_report(home, attach);
    edge_reads_drop(&home->reads, attach, edge_home_write_read, home);
    if (attach->attach != 0)
        edge_home_write_detach(home, place, edge_home_user_of(attach), edge_home_device_of(attach),
                               attach->attach);
    attach_drop(home, attach);
}

void edge_home_lose_as(struct edge_home *home, struct edge_attach *attach, enum edge_lost lost)
{
    attach->between = lost == EDGE_LOST_NOT_HOME && (edge_home_takes(attach) || attach->between);
    if (!attach->between)
        edge_reads_drop(&home->reads, attach, NULL, NULL);
    attach_drop(home, attach);
    attach->ops->on_lost(attach, lost);
}

void edge_home_lose(struct edge_home *home, struct edge_attach *attach)
{
    edge_home_lose_as(home, attach, EDGE_LOST_NOT_HOME);
}

void edge_home_attach_again(struct edge_home *home, struct edge_attach *attach)
{
    if (attach->state == EDGE_ATTACHED)
        edge_home_set_state(home, attach, EDGE_ATTACHING_AGAIN);
    if (edge_home_is_pending(attach))
        edge_home_write_attach(home, attach);
}

void edge_home_place_attach_again(struct edge_home *home, struct edge_home_place *place)
{
    list_each(node, &place->attaches)
        edge_home_attach_again(home, container_of(node, struct edge_attach, of_place));
}

/* Whether the cursor is of what was written to the device. What was before the mailbox began a new
 * epoch has cursors of both. */
static bool was_written(const struct edge_attach *attach, uint32_t epoch, uint64_t seq)
{
    if (epoch == attach->epoch)
        return seq < attach->next;
    return attach->former_to > 0 && epoch == attach->epoch - 1 && seq <= attach->former_to;
}

int edge_home_ack(struct edge_home *home, struct edge_attach *attach, uint32_t epoch, uint64_t seq)
{
    if ((!edge_home_takes(attach) && !attach->between) || !was_written(attach, epoch, seq))
        return -EINVAL;
    if (seq <= attach->acked)
        return 0;
    attach->acked = seq;
    if (attach->between) /* it is told at the new home */
        return 0;
    if (!attach->unconfirmed && !attach->hole)
        attach->asked_ms = (uint32_t)home->now_ms;
    attach->unconfirmed = true;
    edge_home_settle(home, attach);
    edge_home_mark_dirty(home, attach);
    return 0;
}

int edge_home_read(struct edge_home *home, struct edge_attach *attach, struct text of,
                   uint32_t epoch, uint64_t seq)
{
    const struct edge_read *read;
    if ((!edge_home_takes(attach) && !attach->between) || seq == 0 ||
        !was_written(attach, epoch, seq))
        return -EINVAL;
    int err = edge_reads_add(&home->reads, attach, of, attach->epoch, seq, home->now_ms, &read);
    if (err == 0 && read != NULL)
        edge_home_write_read(home, attach, read);
    return err;
}

void edge_home_ephemeral(struct edge_home *home, size_t region, uint32_t shard,
                         const struct wire_message *message,
                         const struct wire_recipient *recipients, size_t recipient_count)
{
    struct edge_home_place *place = &home->places[edge_places_of(&home->numbers, region, shard)];
    struct edge_home_outgoing *outgoing = edge_home_place_frame(
        home, place, EDGE_HOME_VERB_EPH, wire_message_size(message, recipients, recipient_count));
    if (outgoing != NULL)
        wire_ephemeral_write(&outgoing->writer, message, recipients, recipient_count);
}

/* Places. */

struct edge_home_place *edge_home_place_named(struct edge_home *home, struct text region,
                                              uint32_t shard)
{
    size_t index;
    if (catalogue_region_index(home->settings.catalogue, region, &index) != 0 ||
        shard >= home->settings.catalogue->regions[index].shards)
        return NULL;
    return &home->places[edge_places_of(&home->numbers, index, shard)];
}

bool edge_home_place_hear(struct edge_home *home, struct edge_home_place *place,
                          uint64_t generation)
{
    if (generation < place->generation)
        return false;
    if (generation > place->generation) {
        place->generation = generation;
        edge_home_place_attach_again(home, place);
    }
    return true;
}

/* Time. */

void edge_home_connected(struct edge_home *home, int64_t now_ms)
{
    home->now_ms = now_ms;
    list_each(node, &home->work)
    {
        struct edge_attach *attach = container_of(node, struct edge_attach, work);
        if (edge_home_is_pending(attach))
            edge_home_write_attach(home, attach);
    }
}

static void attach_tick(struct edge_home *home, struct edge_attach *attach)
{
    uint32_t waited_ms = (uint32_t)home->now_ms - attach->asked_ms;
    if (edge_home_is_pending(attach)) {
        bool silent =
            edge_home_place_of(home, attach)->silent; /* its next beat is the time to ask */
        if (waited_ms >= ASK_AGAIN_MS && !silent)
            edge_home_write_attach(home, attach);
        if (silent && !attach->told_unreachable) {
            attach->told_unreachable = true;
            attach->ops->on_reachable(attach, false);
        }
    } else if (attach->hole && waited_ms >= ASK_AGAIN_MS) {
        edge_home_write_fetch(home, attach);
    } else if (!attach->hole && attach->unconfirmed && waited_ms >= CONFIRM_AGAIN_MS) {
        attach->asked_ms = (uint32_t)home->now_ms;
        edge_home_mark_dirty(home, attach);
    }
}

/* An owner has fallen silent: its users are told, by the walk over what is pending. */
static void place_tick(struct edge_home *home, struct edge_home_place *place)
{
    if (place->beat_ms == 0)
        place->beat_ms = home->now_ms;
    if (place->silent || home->now_ms - place->beat_ms < EDGE_HOME_SILENT_MS)
        return;
    place->silent = true;
    edge_home_place_attach_again(home, place);
}

/* It may have been given up: a few of its users a time are looked for again, in turns. */
static void place_doubt(struct edge_home *home, struct edge_home_place *place)
{
    if (!place->silent || home->now_ms - place->beat_ms < DOUBT_MS)
        return;
    for (int i = 0; i < DOUBTS_MAX && !list_empty(&place->attaches); i++) {
        struct edge_attach *attach =
            container_of(place->attaches.next, struct edge_attach, of_place);
        if ((uint32_t)home->now_ms - attach->asked_ms < DOUBT_MS)
            return;
        attach->asked_ms = (uint32_t)home->now_ms;
        list_remove(&attach->of_place);
        list_push(&place->attaches, &attach->of_place);
        if (attach->ops->on_doubt != NULL)
            attach->ops->on_doubt(attach); /* it may be lost by that */
    }
}

void edge_home_tick(struct edge_home *home, int64_t now_ms)
{
    home->now_ms = now_ms;
    for (size_t i = 0; i < home->numbers.count; i++)
        place_tick(home, &home->places[i]);
    for (size_t i = 0; i < home->numbers.count; i++)
        place_doubt(home, &home->places[i]);
    /* A callback may detach the attach it is for, no other. */
    list_each(node, &home->work) attach_tick(home, container_of(node, struct edge_attach, work));
    edge_reads_tick(&home->reads, now_ms, edge_home_write_read, home);
    edge_home_tick_shows(home);
}
