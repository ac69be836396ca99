#include "edge/edge_home_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    ASK_AGAIN_MS = 1000,     /* an attach or a fetch without an answer */
    FETCH_APART_MS = 250,    /* two fetches of one device */
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

static void attach_settle(struct edge_home *home, struct edge_attach *attach)
{
    bool waits = edge_home_is_pending(attach) || attach->hole || attach->unconfirmed;
    if (!waits)
        list_remove(&attach->work);
    else if (!list_linked(&attach->work))
        list_push(&home->work, &attach->work);
}

static void attach_mark_dirty(struct edge_home *home, struct edge_attach *attach)
{
    struct edge_home_place *place = edge_home_place_of(home, attach);
    if (list_linked(&attach->dirty))
        return;
    list_push(&place->dirty, &attach->dirty);
    edge_home_place_wake(home, place);
}

static void attach_set_state(struct edge_home *home, struct edge_attach *attach,
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
    attach_settle(home, attach);
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
    attach_set_state(home, attach, EDGE_ATTACHING);
    edge_home_write_attach(home, attach);
    return 0;
}

/* Forgets it here, without a word to the owner. */
static void attach_drop(struct edge_home *home, struct edge_attach *attach)
{
    attach->hole = attach->unconfirmed = false;
    attach_set_state(home, attach, EDGE_DETACHED);
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

static void attach_lose(struct edge_home *home, struct edge_attach *attach, enum edge_lost lost)
{
    attach->between = lost == EDGE_LOST_NOT_HOME && (edge_home_takes(attach) || attach->between);
    if (!attach->between)
        edge_reads_drop(&home->reads, attach, NULL, NULL);
    attach_drop(home, attach);
    attach->ops->on_lost(attach, lost);
}

void edge_home_lose(struct edge_home *home, struct edge_attach *attach)
{
    attach_lose(home, attach, EDGE_LOST_NOT_HOME);
}

static void attach_again(struct edge_home *home, struct edge_attach *attach)
{
    if (attach->state == EDGE_ATTACHED)
        attach_set_state(home, attach, EDGE_ATTACHING_AGAIN);
    if (edge_home_is_pending(attach))
        edge_home_write_attach(home, attach);
}

void edge_home_place_attach_again(struct edge_home *home, struct edge_home_place *place)
{
    list_each(node, &place->attaches)
        attach_again(home, container_of(node, struct edge_attach, of_place));
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
    attach_settle(home, attach);
    attach_mark_dirty(home, attach);
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

/* Entries that come. */

static void attach_found_hole(struct edge_home *home, struct edge_attach *attach)
{
    bool again = attach->hole && (uint32_t)home->now_ms - attach->asked_ms < FETCH_APART_MS;
    attach->hole = true;
    attach_settle(home, attach);
    if (!again)
        edge_home_write_fetch(home, attach);
}

static void attach_passed(struct edge_home *home, struct edge_attach *attach, uint64_t next)
{
    attach->next = next;
    attach->hole = false;
    attach_settle(home, attach);
    attach_mark_dirty(home, attach);
}

static void attach_deliver(struct edge_home *home, struct edge_attach *attach,
                           const struct wire_deliver *deliver)
{
    if (!edge_home_takes(attach))
        return;
    if (deliver->seq == 0) {
        attach->ops->on_deliver(attach, deliver);
        return;
    }
    if (deliver->epoch != attach->epoch || deliver->seq < attach->next) {
        attach_mark_dirty(home, attach); /* the owner does not know yet what was written */
        return;
    }
    if (deliver->seq > attach->next) {
        attach_found_hole(home, attach);
        return;
    }
    attach_passed(home, attach, deliver->seq + 1);
    attach->ops->on_deliver(attach, deliver); /* last: it may end in a detach */
}

static void on_entry_deliver(struct edge_home *home, struct edge_home_place *place,
                             const struct wire_deliver *deliver)
{
    (void)place;
    struct edge_attach *next;
    for (struct edge_attach *attach = edge_attaches_first(&home->attaches, deliver->user);
         attach != NULL; attach = next) {
        next = edge_attaches_next(attach);
        if (deliver->attach == 0 || deliver->attach == attach->attach)
            attach_deliver(home, attach, deliver);
    }
}

/* The mailbox has begun a new epoch, and the device goes on in it as if nothing were. */
static bool is_renumbered(const struct edge_attach *attach, const struct wire_attached *attached)
{
    const bool had_cursor =
        attach->state == EDGE_ATTACHING_AGAIN || (attach->flags & WIRE_ATTACH_HAS_CURSOR) != 0;
    return had_cursor && (attached->flags & WIRE_ATTACHED_RESUMED) != 0 &&
           attached->epoch - 1 == attach->epoch && attached->seq + 1 == attach->next;
}

static void attach_answer(struct edge_home *home, struct edge_attach *attach,
                          const struct wire_attached *attached)
{
    bool again = attach->state == EDGE_ATTACHING_AGAIN;
    bool renumbered = is_renumbered(attach, attached);
    bool resync = (attached->flags & WIRE_ATTACHED_RESYNC) != 0 ||
                  (again && !renumbered && attached->epoch != attach->epoch);
    const bool goes_on = attach->between && !resync;
    attach->attach = attached->attach;
    if (renumbered) {
        attach->epoch = attached->epoch;
        attach->former_to = attached->seq;
        edge_reads_renumber(&home->reads, attach, attach->epoch);
    } else if (resync) {
        attach->former_to = 0;
    }
    if (!again || resync) {
        attach->epoch = attached->epoch;
        attach->next = attached->seq + 1;
        if (!goes_on || attach->acked < attached->acked)
            attach->acked = attached->acked;
        attach->confirmed = attached->acked;
        attach->unconfirmed = attach->confirmed < attach->acked;
        attach->hole = false;
    }
    attach->between = false;
    attach_set_state(home, attach, EDGE_ATTACHED);
    if (again || goes_on) /* what the owner before was told may be lost with it */
        attach_mark_dirty(home, attach);
    bool was_unreachable = attach->told_unreachable;
    attach->told_unreachable = false;
    if (was_unreachable && again)
        attach->ops->on_reachable(attach, true);
    attach->ops->on_attached(attach, attached, again, resync);
}

static void on_entry_attached(struct edge_home *home, struct edge_home_place *place,
                              const struct wire_attached *attached)
{
    struct edge_attach *attach = edge_attaches_first(&home->attaches, attached->user);
    while (attach != NULL && attach->request != attached->request)
        attach = edge_attaches_next(attach);
    if (attach == NULL) { /* it has gone meanwhile */
        if (attached->code == WIRE_OK)
            edge_home_write_detach(home, place, attached->user, attached->device, attached->attach);
        return;
    }
    if (!edge_home_is_pending(attach))
        return;
    switch (attached->code) {
    case WIRE_OK:
        attach_answer(home, attach, attached);
        break;
    case WIRE_NOT_HOME:
        attach_lose(home, attach, EDGE_LOST_NOT_HOME);
        break;
    case WIRE_REFUSED:
        attach_lose(home, attach, attach->attach == 0 ? EDGE_LOST_REFUSED : EDGE_LOST_REPLACED);
        break;
    default: /* busy: the tick asks again */
        break;
    }
}

/* The attach of that number, or NULL. */
static struct edge_attach *find_attach(struct edge_home *home, struct text user, uint64_t number)
{
    struct edge_attach *attach = edge_attaches_first(&home->attaches, user);
    while (attach != NULL && (attach->attach != number || attach->attach == 0))
        attach = edge_attaches_next(attach);
    return attach;
}

static void on_entry_acked(struct edge_home *home, const struct wire_acked *acked)
{
    struct edge_attach *attach = find_attach(home, acked->user, acked->attach);
    if (attach == NULL || acked->epoch != attach->epoch || acked->seq <= attach->confirmed)
        return;
    attach->confirmed = acked->seq;
    if (attach->acked < acked->seq)
        attach->acked = acked->seq;
    attach->unconfirmed = attach->confirmed < attach->acked;
    attach->asked_ms = attach->hole ? attach->asked_ms : (uint32_t)home->now_ms;
    attach_settle(home, attach);
    attach->ops->on_confirmed(attach);
}

static void on_entry_kick(struct edge_home *home, const struct wire_kick *kick)
{
    static const enum edge_lost lost[] = {
        [WIRE_KICK_REPLACED] = EDGE_LOST_REPLACED,
        [WIRE_KICK_MOVED] = EDGE_LOST_NOT_HOME,
        [WIRE_KICK_REVOKED] = EDGE_LOST_REFUSED,
        [WIRE_KICK_DROPPED] = EDGE_LOST_DROPPED,
    };
    struct edge_attach *attach = find_attach(home, kick->user, kick->attach);
    if (attach != NULL && kick->reason >= WIRE_KICK_REPLACED && kick->reason < COUNT_OF(lost))
        attach_lose(home, attach, lost[kick->reason]);
}

static void attach_gap(struct edge_home *home, struct edge_attach *attach,
                       const struct wire_gap *gap)
{
    if (!edge_home_takes(attach))
        return;
    if (gap->epoch != attach->epoch || gap->to < attach->next) {
        attach_mark_dirty(home, attach); /* the owner does not know yet what was written */
        return;
    }
    if (gap->from > attach->next) {
        attach_found_hole(home, attach);
        return;
    }
    struct wire_gap rest = *gap; /* without what the device has got */
    rest.from = attach->next;
    attach_passed(home, attach, gap->to + 1);
    attach->ops->on_gap(attach, &rest);
}

static void on_entry_gap(struct edge_home *home, const struct wire_gap *gap)
{
    struct edge_attach *next;
    for (struct edge_attach *attach = edge_attaches_first(&home->attaches, gap->user);
         attach != NULL; attach = next) {
        next = edge_attaches_next(attach);
        if (gap->attach == 0 || gap->attach == attach->attach)
            attach_gap(home, attach, gap);
    }
}

static void on_entry_unattached(struct edge_home *home, const struct wire_unattached *unattached)
{
    struct edge_attach *attach = find_attach(home, unattached->user, unattached->attach);
    if (attach != NULL && attach->state == EDGE_ATTACHED)
        attach_again(home, attach);
}

static void on_entry_read_noted(struct edge_home *home, const struct wire_read_noted *noted)
{
    for (struct edge_attach *attach = edge_attaches_first(&home->attaches, noted->user);
         attach != NULL; attach = edge_attaches_next(attach))
        edge_reads_noted(&home->reads, attach, noted->of, noted->epoch, noted->seq);
}

static void on_entry(struct edge_home *home, struct edge_home_place *place,
                     const struct wire_entry *entry)
{
    switch (entry->kind) {
    case WIRE_ATTACHED:
        on_entry_attached(home, place, &entry->attached);
        break;
    case WIRE_DELIVER:
        on_entry_deliver(home, place, &entry->deliver);
        break;
    case WIRE_ACKED:
        on_entry_acked(home, &entry->acked);
        break;
    case WIRE_KICK:
        on_entry_kick(home, &entry->kick);
        break;
    case WIRE_GAP:
        on_entry_gap(home, &entry->gap);
        break;
    case WIRE_UNATTACHED:
        on_entry_unattached(home, &entry->unattached);
        break;
    case WIRE_READ_NOTED:
        on_entry_read_noted(home, &entry->read_noted);
        break;
    case WIRE_CLAIMED:
        home->settings.on_claimed(home->settings.context, &entry->claimed);
        break;
    default: /* what only hubs take */
        break;
    }
}

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

void edge_home_frame(struct edge_home *home, const void *bytes, size_t size, int64_t now_ms)
{
    struct wire_frame frame;
    struct wire_entry entry;
    int err = wire_frame_read(bytes, size, &frame);
    struct edge_home_place *place =
        err == 0 ? edge_home_place_named(home, frame.region, frame.shard) : NULL;
    home->now_ms = now_ms;
    if (place == NULL || !edge_home_place_hear(home, place, frame.generation))
        return;
    while ((err = wire_entry_next(&frame, &entry)) == 0 || err == -EPROTO) {
        if (err == 0)
            on_entry(home, place, &entry);
    }
    static struct log_limit limit;
    if (err == -EBADMSG)
        log_limited(&limit, LOG_LEVEL_WARNING, "a hub's frame is malformed",
                    LOG_TEXT("from", frame.from));
}

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
        attach_mark_dirty(home, attach);
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
}
