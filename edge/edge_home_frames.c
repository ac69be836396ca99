/* What is said to the owners of shards: entries gather in frames, which leave at a turn's end. */
#include "edge/edge_home_internal.h"

#include "wire/names.h"

#include <stdlib.h>

enum {
    REPORT_APART_MS = 20,      /* two frames of reports to one shard */
    KEPT_CAPACITY_MAX = 32768, /* of a frame's buffer, between two frames */
};
static const char *const verb_names[EDGE_HOME_VERBS] = {"ack",    "read",   "fetch",
                                                        "detach", "attach", "eph"};

void edge_home_place_free_outgoing(struct edge_home_place *place)
{
    for (size_t verb = 0; place->outgoing != NULL && verb < EDGE_HOME_VERBS; verb++)
        buffer_free(&place->outgoing[verb].bytes);
    free(place->outgoing);
    place->outgoing = NULL;
}

static void place_publish(struct edge_home *home, struct edge_home_place *place,
                          enum edge_home_verb verb)
{
    struct edge_home_outgoing *outgoing = &place->outgoing[verb];
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

void edge_home_place_wake(struct edge_home *home, struct edge_home_place *place)
{
    if (!list_linked(&place->busy))
        list_push(&home->busy, &place->busy);
    if (!home->flushing) /* what is written there leaves at once */
        home->settings.wake(home->settings.context, 0);
}

struct edge_home_outgoing *edge_home_place_frame(struct edge_home *home,
                                                 struct edge_home_place *place,
                                                 enum edge_home_verb verb, size_t size)
{
    if (place->outgoing == NULL)
        place->outgoing = calloc(EDGE_HOME_VERBS, sizeof *place->outgoing);
    if (place->outgoing == NULL)
        return NULL;
    struct edge_home_outgoing *outgoing = &place->outgoing[verb];
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
    edge_home_place_wake(home, place);
    return outgoing;
}

void edge_home_place_write(struct edge_home *home, struct edge_home_place *place,
                           enum edge_home_verb verb, const struct wire_entry *entry)
{
    /* More than any entry without a body takes; a frame must not grow past its bound. */
    size_t size = 64 + 2 * TEXT_USER_MAX + TEXT_DEVICE_MAX;
    if (entry->kind == WIRE_ATTACH)
        size += entry->attach.token.size;
    struct edge_home_outgoing *outgoing = edge_home_place_frame(home, place, verb, size);
    if (outgoing != NULL)
        wire_entry_write(&outgoing->writer, entry);
}

void edge_home_write_report(struct edge_home *home, struct edge_attach *attach)
{
    struct wire_entry entry = {.kind = WIRE_REPORT,
                               .report = {.user = edge_home_user_of(attach),
                                          .device = edge_home_device_of(attach),
                                          .attach = attach->attach,
                                          .epoch = attach->epoch,
                                          .received = attach->next - 1,
                                          .acked = attach->acked}};
    list_remove(&attach->dirty);
    if (attach->attach != 0)
        edge_home_place_write(home, edge_home_place_of(home, attach), EDGE_HOME_VERB_ACK, &entry);
}

void edge_home_write_fetch(struct edge_home *home, struct edge_attach *attach)
{
    struct wire_entry entry = {.kind = WIRE_FETCH,
                               .fetch = {.user = edge_home_user_of(attach),
                                         .device = edge_home_device_of(attach),
                                         .attach = attach->attach,
                                         .epoch = attach->epoch,
                                         .from = attach->next}};
    attach->asked_ms = (uint32_t)home->now_ms;
    edge_home_place_write(home, edge_home_place_of(home, attach), EDGE_HOME_VERB_FETCH, &entry);
}

void edge_home_write_attach(struct edge_home *home, struct edge_attach *attach)
{
    bool again = attach->state == EDGE_ATTACHING_AGAIN;
    bool has_cursor = again || (attach->flags & WIRE_ATTACH_HAS_CURSOR) != 0;
    struct wire_entry entry = {.kind = WIRE_ATTACH,
                               .attach = {.request = attach->request,
                                          .user = edge_home_user_of(attach),
                                          .device = edge_home_device_of(attach),
                                          .attach = attach->attach,
                                          .flags = attach->flags,
                                          .token = TEXT("")}};
    if (has_cursor) {
        entry.attach.flags |= WIRE_ATTACH_HAS_CURSOR;
        entry.attach.epoch = attach->epoch;
        entry.attach.seq = attach->next - 1;
    }
    attach->asked_ms = (uint32_t)home->now_ms;
    edge_home_place_write(home, edge_home_place_of(home, attach), EDGE_HOME_VERB_ATTACH, &entry);
}

void edge_home_write_detach(struct edge_home *home, struct edge_home_place *place, struct text user,
                            struct text device, uint64_t attach)
{
    struct wire_entry entry = {.kind = WIRE_DETACH,
                               .detach = {.user = user, .device = device, .attach = attach}};
    edge_home_place_write(home, place, EDGE_HOME_VERB_DETACH, &entry);
}

void edge_home_write_read(void *context, struct edge_attach *attach, const struct edge_read *read)
{
    struct edge_home *home = context;
    struct wire_entry entry = {.kind = WIRE_READ_UP_TO,
                               .read_up_to = {.user = edge_home_user_of(attach),
                                              .device = edge_home_device_of(attach),
                                              .attach = attach->attach,
                                              .of = edge_read_of(read),
                                              .epoch = read->epoch,
                                              .seq = read->seq}};
    if (attach->attach != 0)
        edge_home_place_write(home, edge_home_place_of(home, attach), EDGE_HOME_VERB_READ, &entry);
}

static void place_flush(struct edge_home *home, struct edge_home_place *place, int64_t *wait_ms)
{
    int64_t due_ms = place->report_ms + REPORT_APART_MS;
    /* A device may attach again right after its ack, by a new connection: the ack goes first. */
    bool attaches = place->outgoing != NULL && place->outgoing[EDGE_HOME_VERB_ATTACH].open;
    if (!list_empty(&place->dirty) && (attaches || home->now_ms >= due_ms)) {
        place->report_ms = home->now_ms;
        list_each(node, &place->dirty)
            edge_home_write_report(home, container_of(node, struct edge_attach, dirty));
    }
    for (enum edge_home_verb verb = 0; place->outgoing != NULL && verb < EDGE_HOME_VERBS; verb++)
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
        place_flush(home, container_of(node, struct edge_home_place, busy), &wait_ms);
    home->flushing = false;
    if (wait_ms != INT64_MAX)
        home->settings.wake(home->settings.context, wait_ms);
}
