#include "edge/edge_home.h"

#include "edge/edge_attaches.h"
#include "edge/edge_compare.h"
#include "edge/edge_reads.h"
#include "log/log.h"
#include "wire/names.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    ASK_AGAIN_MS = 1000,       /* an attach or a fetch without an answer */
    FETCH_APART_MS = 250,      /* two fetches of one device */
    CONFIRM_AGAIN_MS = 3000,   /* an ack without its confirmation is reported again */
    REPORT_APART_MS = 20,      /* two frames of reports to one shard */
    SILENT_MS = 3000,          /* an owner without beats is unreachable */
    LOWER_BELIEVED_MS = 10000, /* an owner of a lower generation that is all that is heard */
    BEAT_IS_NEWS_MS = 5000,    /* what older beats said of fullness is not believed */
    KEPT_CAPACITY_MAX = 32768, /* of a frame's buffer, between two frames */
};

/* In the order in which they leave: an ack must not come after its detach. */
enum verb { VERB_ACK, VERB_READ, VERB_FETCH, VERB_DETACH, VERB_ATTACH, VERB_EPH, VERBS };
static const char *const verb_names[VERBS] = {"ack", "read", "fetch", "detach", "attach", "eph"};

struct outgoing { /* a frame that fills */
    struct buffer bytes;
    struct wire_frame_writer writer;
    bool open;
};

/* A shard of a region, as this edge sees it. */
struct place {
    uint64_t generation;
    int64_t beat_ms; /* the last one; at first: when we began to listen */
    bool heard;      /* a beat ever came */
    bool silent;     /* unreachable */
    uint16_t log_permille;
    uint32_t lag_ms;
    struct list attaches;
    uint32_t pending;            /* not answered */
    struct edge_compare compare; /* answered attaches, and what the owner says of them */
    uint8_t incarnation[16];     /* of the log, by the last beat */
    int64_t lower_ms;            /* since when only a lower generation beats; 0: not so */
    struct list dirty;
    int64_t report_ms;         /* the last frame of reports */
    struct list busy;          /* has something to send */
    struct outgoing *outgoing; /* VERBS of them, once something was sent; NULL before */
};

struct outbox { /* what an owner here says of the way to a region */
    uint16_t permille;
    uint32_t oldest_s;
};

struct edge_home {
    struct edge_home_settings settings;
    struct edge_places numbers;
    struct place *places;
    struct edge_shards *shards; /* of each region */
    size_t here;                /* index of this region */
    struct outbox *outboxes;    /* [own shard][region] */
    struct edge_attaches attaches;
    struct edge_reads reads;
    struct list work;
    struct list busy;
    uint64_t requests; /* the last number given */
    size_t attached;
    int64_t now_ms;
    bool flushing;
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

static void place_free_outgoing(struct place *place)
{
    for (size_t verb = 0; place->outgoing != NULL && verb < VERBS; verb++)
        buffer_free(&place->outgoing[verb].bytes);
    free(place->outgoing);
    place->outgoing = NULL;
}

void edge_home_free(struct edge_home *home)
{
    if (home == NULL)
        return;
    for (size_t i = 0; home->places != NULL && i < home->numbers.count; i++)
        place_free_outgoing(&home->places[i]);
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

static struct text attach_user(const struct edge_attach *attach)
{
    return (struct text){.data = attach->user, .size = attach->user_size};
}

static struct text attach_device(const struct edge_attach *attach)
{
    return (struct text){.data = attach->device, .size = attach->device_size};
}

static struct place *place_of(struct edge_home *home, const struct edge_attach *attach)
{
    return &home->places[attach->place];
}

static bool attach_takes(const struct edge_attach *attach)
{
    return attach->state == EDGE_ATTACHED || attach->state == EDGE_ATTACHING_AGAIN;
}

static bool is_pending(const struct edge_attach *attach)
{
    return attach->state == EDGE_ATTACHING || attach->state == EDGE_ATTACHING_AGAIN;
}

/* Frames that leave. */

static void place_publish(struct edge_home *home, struct place *place, enum verb verb)
{
    struct outgoing *outgoing = &place->outgoing[verb];
    if (!outgoing->open)
        return;
    outgoing->open = false;
    struct edge_place at = edge_places_at(&home->numbers, (size_t)(place - home->places));
    const char *region = home->settings.catalogue->regions[at.region].name;
    if (wire_frame_end(&outgoing->writer) == 0) {
        struct wire_name subject = wire_hub_subject(region, at.shard, verb_names[verb]);
        /* What does not leave is lost, like what does not arrive: the tick asks again. */
        (void)home->settings.publish(home->settings.context, subject.text, outgoing->bytes.data,
                                     outgoing->bytes.size);
    }
    buffer_clear(&outgoing->bytes);
    if (outgoing->bytes.capacity > KEPT_CAPACITY_MAX)
        buffer_free(&outgoing->bytes);
}

static void place_wake(struct edge_home *home, struct place *place)
{
    if (!list_linked(&place->busy))
        list_push(&home->busy, &place->busy);
    if (!home->flushing) /* what is written there leaves at once */
        home->settings.wake(home->settings.context, 0);
}

/* The frame that an entry of about `size` bytes goes into; NULL when memory is short. */
static struct outgoing *place_frame(struct edge_home *home, struct place *place, enum verb verb,
                                    size_t size)
{
    if (place->outgoing == NULL)
        place->outgoing = calloc(VERBS, sizeof *place->outgoing);
    if (place->outgoing == NULL)
        return NULL;
    struct outgoing *outgoing = &place->outgoing[verb];
    if (outgoing->open && !wire_frame_has_room(&outgoing->writer, size))
        place_publish(home, place, verb);
    if (!outgoing->open) {
        struct edge_place at = edge_places_at(&home->numbers, (size_t)(place - home->places));
        struct wire_frame head = {
            .generation = place->generation,
            .shard = (uint16_t)at.shard,
            .region = text_of(home->settings.catalogue->regions[at.region].name),
            .from = text_of(home->settings.edge),
        };
        wire_frame_begin(&outgoing->writer, &outgoing->bytes, &head);
        outgoing->open = true;
    }
    place_wake(home, place);
    return outgoing;
}

static void place_write(struct edge_home *home, struct place *place, enum verb verb,
                        const struct wire_entry *entry)
{
    /* More than any entry without a body takes; a frame must not grow past its bound. */
    size_t size = 64 + 2 * TEXT_USER_MAX + TEXT_DEVICE_MAX;
    if (entry->kind == WIRE_ATTACH)
        size += entry->attach.token.size;
    struct outgoing *outgoing = place_frame(home, place, verb, size);
    if (outgoing != NULL)
        wire_entry_write(&outgoing->writer, entry);
}

static void attach_write_report(struct edge_home *home, struct edge_attach *attach)
{
    struct wire_entry entry = {.kind = WIRE_REPORT,
                               .report = {.user = attach_user(attach),
                                          .device = attach_device(attach),
                                          .attach = attach->attach,
                                          .epoch = attach->epoch,
                                          .received = attach->next - 1,
                                          .acked = attach->acked}};
    list_remove(&attach->dirty);
    if (attach->attach != 0)
        place_write(home, place_of(home, attach), VERB_ACK, &entry);
}

static void attach_write_fetch(struct edge_home *home, struct edge_attach *attach)
{
    struct wire_entry entry = {.kind = WIRE_FETCH,
                               .fetch = {.user = attach_user(attach),
                                         .device = attach_device(attach),
                                         .attach = attach->attach,
                                         .epoch = attach->epoch,
                                         .from = attach->next}};
    attach->asked_ms = (uint32_t)home->now_ms;
    place_write(home, place_of(home, attach), VERB_FETCH, &entry);
}

static void attach_write(struct edge_home *home, struct edge_attach *attach)
{
    bool again = attach->state == EDGE_ATTACHING_AGAIN;
    bool has_cursor = again || (attach->flags & WIRE_ATTACH_HAS_CURSOR) != 0;
    struct wire_entry entry = {.kind = WIRE_ATTACH,
                               .attach = {.request = attach->request,
                                          .user = attach_user(attach),
                                          .device = attach_device(attach),
                                          .attach = attach->attach,
                                          .flags = attach->flags,
                                          .token = TEXT("")}};
    if (has_cursor) {
        entry.attach.flags |= WIRE_ATTACH_HAS_CURSOR;
        entry.attach.epoch = attach->epoch;
        entry.attach.seq = attach->next - 1;
    }
    attach->asked_ms = (uint32_t)home->now_ms;
    place_write(home, place_of(home, attach), VERB_ATTACH, &entry);
}

static void write_detach(struct edge_home *home, struct place *place, struct text user,
                         struct text device, uint64_t attach)
{
    struct wire_entry entry = {.kind = WIRE_DETACH,
                               .detach = {.user = user, .device = device, .attach = attach}};
    place_write(home, place, VERB_DETACH, &entry);
}

static void attach_write_read(void *context, struct edge_attach *attach,
                              const struct edge_read *read)
{
    struct edge_home *home = context;
    struct wire_entry entry = {.kind = WIRE_READ_UP_TO,
                               .read_up_to = {.user = attach_user(attach),
                                              .device = attach_device(attach),
                                              .attach = attach->attach,
                                              .of = edge_read_of(read),
                                              .epoch = read->epoch,
                                              .seq = read->seq}};
    if (attach->attach != 0)
        place_write(home, place_of(home, attach), VERB_READ, &entry);
}

/* Work: what waits for an answer. */

static void attach_settle(struct edge_home *home, struct edge_attach *attach)
{
    bool waits = is_pending(attach) || attach->hole || attach->unconfirmed;
    if (!waits)
        list_remove(&attach->work);
    else if (!list_linked(&attach->work))
        list_push(&home->work, &attach->work);
}

static void attach_mark_dirty(struct edge_home *home, struct edge_attach *attach)
{
    struct place *place = place_of(home, attach);
    if (list_linked(&attach->dirty))
        return;
    list_push(&place->dirty, &attach->dirty);
    place_wake(home, place);
}

static void attach_set_state(struct edge_home *home, struct edge_attach *attach,
                             enum edge_attach_state state)
{
    struct place *place = place_of(home, attach);
    if (attach->state == EDGE_ATTACHED) {
        home->attached--;
        edge_compare_remove(&place->compare, attach_user(attach), attach_device(attach),
                            attach->attach);
    }
    if (is_pending(attach))
        place->pending--;
    attach->state = (uint8_t)state;
    if (state == EDGE_ATTACHED) {
        home->attached++;
        edge_compare_add(&place->compare, attach_user(attach), attach_device(attach),
                         attach->attach);
    }
    if (is_pending(attach))
        place->pending++;
    place->compare.changed = true;
    attach_settle(home, attach);
}

int edge_home_attach(struct edge_home *home, struct edge_attach *attach, size_t region,
                     int64_t now_ms)
{
    assert(attach->state == EDGE_DETACHED && attach->user_size > 0);
    struct text user = attach_user(attach);
    uint32_t shards = home->settings.catalogue->regions[region].shards;
    int err = edge_attaches_add(&home->attaches, attach);
    if (err != 0)
        return err;
    home->now_ms = now_ms;
    attach->place = (uint16_t)edge_places_of(&home->numbers, region, hash_shard(user, shards));
    attach->request = ++home->requests;
    attach->attach = 0;
    attach->hole = attach->unconfirmed = attach->told_unreachable = false;
    list_push(&place_of(home, attach)->attaches, &attach->of_place);
    attach_set_state(home, attach, EDGE_ATTACHING);
    attach_write(home, attach);
    return 0;
}

/* Forgets it here, without a word to the owner. */
static void attach_drop(struct edge_home *home, struct edge_attach *attach)
{
    edge_reads_drop(&home->reads, attach, NULL, NULL);
    attach->hole = attach->unconfirmed = false;
    attach_set_state(home, attach, EDGE_DETACHED);
    edge_attaches_remove(&home->attaches, attach);
    list_remove(&attach->of_place);
    list_remove(&attach->dirty);
}

void edge_home_detach(struct edge_home *home, struct edge_attach *attach)
{
    if (attach->state == EDGE_DETACHED)
        return;
    struct place *place = place_of(home, attach);
    if (list_linked(&attach->dirty))
        attach_write_report(home, attach);
    edge_reads_drop(&home->reads, attach, attach_write_read, home);
    if (attach->attach != 0)
        write_detach(home, place, attach_user(attach), attach_device(attach), attach->attach);
    attach_drop(home, attach);
}

static void attach_lose(struct edge_home *home, struct edge_attach *attach, enum edge_lost lost)
{
    attach_drop(home, attach);
    attach->ops->on_lost(attach, lost);
}

static void attach_again(struct edge_home *home, struct edge_attach *attach)
{
    if (attach->state == EDGE_ATTACHED)
        attach_set_state(home, attach, EDGE_ATTACHING_AGAIN);
    if (is_pending(attach))
        attach_write(home, attach);
}

static void place_attach_again(struct edge_home *home, struct place *place)
{
    list_each(node, &place->attaches)
        attach_again(home, container_of(node, struct edge_attach, of_place));
}

int edge_home_ack(struct edge_home *home, struct edge_attach *attach, uint32_t epoch, uint64_t seq)
{
    if (attach->state == EDGE_DETACHED || attach->state == EDGE_ATTACHING ||
        epoch != attach->epoch || seq >= attach->next)
        return -EINVAL;
    if (seq <= attach->acked)
        return 0;
    attach->acked = seq;
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
    if (!attach_takes(attach) || epoch != attach->epoch || seq == 0 || seq >= attach->next)
        return -EINVAL;
    int err = edge_reads_add(&home->reads, attach, of, epoch, seq, home->now_ms, &read);
    if (err == 0 && read != NULL)
        attach_write_read(home, attach, read);
    return err;
}

void edge_home_ephemeral(struct edge_home *home, size_t region, uint32_t shard,
                         const struct wire_message *message,
                         const struct wire_recipient *recipients, size_t recipient_count)
{
    struct place *place = &home->places[edge_places_of(&home->numbers, region, shard)];
    struct outgoing *outgoing =
        place_frame(home, place, VERB_EPH, wire_message_size(message, recipients, recipient_count));
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
        attach_write_fetch(home, attach);
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
    if (!attach_takes(attach))
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

static void on_entry_deliver(struct edge_home *home, struct place *place,
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

static void attach_answer(struct edge_home *home, struct edge_attach *attach,
                          const struct wire_attached *attached)
{
    bool again = attach->state == EDGE_ATTACHING_AGAIN;
    bool resync = (attached->flags & WIRE_ATTACHED_RESYNC) != 0 ||
                  (again && attached->epoch != attach->epoch);
    attach->attach = attached->attach;
    if (!again || resync) {
        attach->epoch = attached->epoch;
        attach->next = attached->seq + 1;
        attach->acked = attached->acked;
        attach->confirmed = attached->acked;
        attach->unconfirmed = attach->hole = false;
    }
    attach_set_state(home, attach, EDGE_ATTACHED);
    if (again) /* what the owner before was told may be lost with it */
        attach_mark_dirty(home, attach);
    bool was_unreachable = attach->told_unreachable;
    attach->told_unreachable = false;
    if (was_unreachable && again)
        attach->ops->on_reachable(attach, true);
    attach->ops->on_attached(attach, attached, again, resync);
}

static void on_entry_attached(struct edge_home *home, struct place *place,
                              const struct wire_attached *attached)
{
    struct edge_attach *attach = edge_attaches_first(&home->attaches, attached->user);
    while (attach != NULL && attach->request != attached->request)
        attach = edge_attaches_next(attach);
    if (attach == NULL) { /* it has gone meanwhile */
        if (attached->code == WIRE_OK)
            write_detach(home, place, attached->user, attached->device, attached->attach);
        return;
    }
    if (!is_pending(attach))
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
    if (!attach_takes(attach))
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

static void on_entry(struct edge_home *home, struct place *place, const struct wire_entry *entry)
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

/* The place of a name and a shard, or NULL. */
static struct place *place_named(struct edge_home *home, struct text region, uint32_t shard)
{
    size_t index;
    if (catalogue_region_index(home->settings.catalogue, region, &index) != 0 ||
        shard >= home->settings.catalogue->regions[index].shards)
        return NULL;
    return &home->places[edge_places_of(&home->numbers, index, shard)];
}

/* False when it comes from an owner that is one no more. */
static bool place_hear(struct edge_home *home, struct place *place, uint64_t generation)
{
    if (generation < place->generation)
        return false;
    if (generation > place->generation) {
        place->generation = generation;
        place_attach_again(home, place);
    }
    return true;
}

void edge_home_frame(struct edge_home *home, const void *bytes, size_t size, int64_t now_ms)
{
    struct wire_frame frame;
    struct wire_entry entry;
    int err = wire_frame_read(bytes, size, &frame);
    struct place *place = err == 0 ? place_named(home, frame.region, frame.shard) : NULL;
    home->now_ms = now_ms;
    if (place == NULL || !place_hear(home, place, frame.generation))
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

/* Beats. */

static void home_take_outboxes(struct edge_home *home, const struct wire_hub_beat *beat)
{
    struct wire_cursor outboxes = beat->outboxes;
    struct wire_outbox outbox;
    size_t regions = home->settings.catalogue->region_count;
    while (wire_outbox_next(&outboxes, &outbox)) {
        size_t region;
        if (catalogue_region_index(home->settings.catalogue, outbox.destination, &region) == 0)
            home->outboxes[beat->shard * regions + region] =
                (struct outbox){.permille = outbox.permille, .oldest_s = outbox.oldest_s};
    }
}

static void place_compare(struct edge_home *home, struct place *place,
                          const struct wire_hub_beat *beat)
{
    enum edge_compared compared =
        edge_compare_beat(&place->compare, beat, text_of(home->settings.edge), place->pending > 0);
    if (compared == EDGE_COMPARED_SAME)
        return;
    static struct log_limit limit;
    log_limited(&limit, LOG_LEVEL_WARNING, "an owner has other devices attached than this edge",
                LOG_TEXT("hub", beat->hub), LOG_U64("shard", beat->shard),
                LOG_U64("here", place->compare.attached));
    if (compared == EDGE_COMPARED_ORPHANS)
        home->settings.on_orphans(home->settings.context);
    place_attach_again(home, place);
}

/* False: the owners of the region count its shards otherwise than our catalogue does. */
static bool home_shards_agree(struct edge_home *home, struct text region,
                              const struct wire_hub_beat *beat)
{
    size_t index;
    if (catalogue_region_index(home->settings.catalogue, region, &index) != 0)
        return false;
    uint32_t ours = home->settings.catalogue->regions[index].shards;
    if (edge_shards_hear(&home->shards[index], ours, beat->shards, home->now_ms))
        log_error("a region has another number of shards than the catalogue says: "
                  "nothing is sent to it",
                  LOG_TEXT("region", region), LOG_TEXT("hub", beat->hub),
                  LOG_U64("catalogue", ours), LOG_U64("region_has", beat->shards));
    return beat->shards == ours;
}

/* False: the beat is of another log than the one known, whose owner is still heard. */
static bool place_log_is_same(struct edge_home *home, struct place *place,
                              const struct wire_hub_beat *beat)
{
    static struct log_limit limit;
    bool same = memcmp(place->incarnation, beat->incarnation, sizeof place->incarnation) == 0;
    if (place->heard && !same) {
        bool over = home->now_ms - place->beat_ms >= SILENT_MS;
        log_limited(&limit, over ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR,
                    over ? "a log was begun anew: its owner is believed from now on"
                         : "two owners of a shard serve different logs: the second is not believed",
                    LOG_TEXT("hub", beat->hub), LOG_U64("shard", beat->shard));
        if (!over)
            return false;
        place->generation = 0; /* what is known of generations is of another log */
    }
    memcpy(place->incarnation, beat->incarnation, sizeof place->incarnation);
    return true;
}

/* False: the beat is of an owner that was deposed. Who goes on for long while nobody else is heard
 * was not: then the log was put back to an older state, and its generations with it. */
static bool place_owner_counts(struct edge_home *home, struct place *place,
                               const struct wire_hub_beat *beat)
{
    if (beat->generation >= place->generation) {
        place->lower_ms = 0;
        return true;
    }
    if (home->now_ms - place->beat_ms < SILENT_MS) {
        place->lower_ms = 0;
        return false;
    }
    if (place->lower_ms == 0)
        place->lower_ms = home->now_ms;
    if (home->now_ms - place->lower_ms < LOWER_BELIEVED_MS)
        return false;
    log_warning("only an owner of a lower generation is heard: its log was put back, and it is "
                "believed from now on",
                LOG_TEXT("hub", beat->hub), LOG_U64("shard", beat->shard));
    place->lower_ms = 0;
    place->generation = 0;
    return true;
}

void edge_home_beat(struct edge_home *home, struct text region, const struct wire_hub_beat *beat,
                    int64_t now_ms)
{
    home->now_ms = now_ms;
    struct place *place =
        home_shards_agree(home, region, beat) ? place_named(home, region, beat->shard) : NULL;
    if (place == NULL || !place_log_is_same(home, place, beat) ||
        !place_owner_counts(home, place, beat))
        return;
    bool was_silent = place->silent;
    bool same = beat->generation == place->generation;
    place->heard = true;
    place->silent = false;
    place->beat_ms = now_ms;
    place->log_permille = beat->log_permille;
    place->lag_ms = beat->lag_ms;
    if (text_equal(region, text_of(home->settings.region->name)))
        home_take_outboxes(home, beat);
    if (!place_hear(home, place, beat->generation))
        return;
    if (was_silent && same)
        place_attach_again(home, place);
    else if (same)
        place_compare(home, place, beat);
}

void edge_home_connected(struct edge_home *home, int64_t now_ms)
{
    home->now_ms = now_ms;
    list_each(node, &home->work)
    {
        struct edge_attach *attach = container_of(node, struct edge_attach, work);
        if (is_pending(attach))
            attach_write(home, attach);
    }
}

/* Sending. */

static void place_flush(struct edge_home *home, struct place *place, int64_t *wait_ms)
{
    int64_t due_ms = place->report_ms + REPORT_APART_MS;
    /* A device may attach again right after its ack, by a new connection: the ack goes first. */
    bool attaches = place->outgoing != NULL && place->outgoing[VERB_ATTACH].open;
    if (!list_empty(&place->dirty) && (attaches || home->now_ms >= due_ms)) {
        place->report_ms = home->now_ms;
        list_each(node, &place->dirty)
            attach_write_report(home, container_of(node, struct edge_attach, dirty));
    }
    for (enum verb verb = 0; place->outgoing != NULL && verb < VERBS; verb++)
        place_publish(home, place, verb);
    if (list_empty(&place->dirty)) {
        list_remove(&place->busy);
        return;
    }
    if (due_ms - home->now_ms < *wait_ms)
        *wait_ms = due_ms - home->now_ms;
}

void edge_home_flush(struct edge_home *home, int64_t now_ms)
{
    int64_t wait_ms = INT64_MAX;
    home->now_ms = now_ms;
    home->flushing = true;
    list_each(node, &home->busy)
        place_flush(home, container_of(node, struct place, busy), &wait_ms);
    home->flushing = false;
    if (wait_ms != INT64_MAX)
        home->settings.wake(home->settings.context, wait_ms);
}

static void attach_tick(struct edge_home *home, struct edge_attach *attach)
{
    uint32_t waited_ms = (uint32_t)home->now_ms - attach->asked_ms;
    if (is_pending(attach)) {
        bool silent = place_of(home, attach)->silent; /* its next beat is the time to ask */
        if (waited_ms >= ASK_AGAIN_MS && !silent)
            attach_write(home, attach);
        if (silent && !attach->told_unreachable) {
            attach->told_unreachable = true;
            attach->ops->on_reachable(attach, false);
        }
    } else if (attach->hole && waited_ms >= ASK_AGAIN_MS) {
        attach_write_fetch(home, attach);
    } else if (!attach->hole && attach->unconfirmed && waited_ms >= CONFIRM_AGAIN_MS) {
        attach->asked_ms = (uint32_t)home->now_ms;
        attach_mark_dirty(home, attach);
    }
}

/* An owner has fallen silent: its users are told, by the walk over what is pending. */
static void place_tick(struct edge_home *home, struct place *place)
{
    if (place->beat_ms == 0)
        place->beat_ms = home->now_ms;
    if (place->silent || home->now_ms - place->beat_ms < SILENT_MS)
        return;
    place->silent = true;
    place_attach_again(home, place);
}

void edge_home_tick(struct edge_home *home, int64_t now_ms)
{
    home->now_ms = now_ms;
    for (size_t i = 0; i < home->numbers.count; i++)
        place_tick(home, &home->places[i]);
    /* A callback may detach the attach it is for, no other. */
    list_each(node, &home->work) attach_tick(home, container_of(node, struct edge_attach, work));
    edge_reads_tick(&home->reads, now_ms, attach_write_read, home);
}

enum edge_route edge_home_route(const struct edge_home *home, size_t region, uint32_t shard,
                                const struct edge_route_limits *limits, int64_t now_ms)
{
    if (home->shards[region].differ)
        return EDGE_ROUTE_SHARDS_DIFFER;
    uint32_t shards = home->settings.region->shards;
    bool is_here = region == home->here;
    uint32_t speaker = is_here ? shard : shard % shards;
    const struct place *place = &home->places[edge_places_of(&home->numbers, home->here, speaker)];
    if (!place->heard || now_ms - place->beat_ms > BEAT_IS_NEWS_MS)
        return EDGE_ROUTE_OPEN;
    if (is_here) {
        if (place->log_permille >= limits->full_permille)
            return EDGE_ROUTE_FULL;
        return place->lag_ms > limits->lag_max_ms ? EDGE_ROUTE_LAGGING : EDGE_ROUTE_OPEN;
    }
    const struct outbox *outbox =
        &home->outboxes[speaker * home->settings.catalogue->region_count + region];
    if (outbox->permille >= limits->full_permille)
        return EDGE_ROUTE_FULL;
    if ((int64_t)outbox->oldest_s * 1000 >= limits->backlog_ms)
        return EDGE_ROUTE_BACKLOGGED;
    return EDGE_ROUTE_OPEN;
}

int edge_home_silent_shard(const struct edge_home *home, int64_t now_ms, int64_t silent_ms)
{
    for (uint32_t shard = 0; shard < home->settings.region->shards; shard++) {
        const struct place *place =
            &home->places[edge_places_of(&home->numbers, home->here, shard)];
        if (!place->heard || now_ms - place->beat_ms >= silent_ms)
            return (int)shard;
    }
    return -ENOENT;
}

bool edge_home_shards_differ(const struct edge_home *home, size_t region)
{
    return home->shards[region].differ;
}
