#include "edge/edge_outbound.h"

#include "bus/bus.h"
#include "edge/edge_places.h"
#include "log/log.h"
#include "wire/names.h"

#include <errno.h>
#include <stdlib.h>

/* A PubAck's number: the batch's serial, then the destination in the low bits. */
enum { PLACE_BITS = 12 };
_Static_assert(EDGE_PLACES_MAX <= 1 << PLACE_BITS, "a destination must fit a PubAck's number");

struct outlet {                           /* a destination and where it publishes to */
    struct edge_destination *destination; /* NULL until something is sent there */
    struct list active;                   /* while records wait */
};

struct edge_outbound {
    struct edge_outbound_settings settings;
    struct edge_destination_settings limits;
    struct edge_places places;
    struct bus_subscription *pubacks;
    struct loop_later later;
    struct loop_timer timer;
    struct list active;
    size_t waiting;
    uint64_t publishes;
    struct outlet *outlets; /* by place */
};

static void edge_outbound_publish(struct edge_outbound *outbound, struct outlet *outlet,
                                  const struct edge_publish *publish)
{
    const char *here = outbound->settings.region->name;
    const char *edge = outbound->settings.edge->name;
    size_t place = (size_t)(outlet - outbound->outlets);
    struct edge_place at = edge_places_at(&outbound->places, place);
    const struct catalogue_region *home = &outbound->settings.catalogue->regions[at.region];
    uint64_t number = publish->serial << PLACE_BITS | place;
    struct wire_name subject;
    struct wire_name reply;
    if (home == outbound->settings.region) {
        subject = wire_log_from_edges(here, at.shard);
        reply = wire_log_puback(here, at.shard, edge, number);
    } else {
        subject = wire_outbox_lane(here, home->name, at.shard);
        reply = wire_outbox_puback(here, home->name, at.shard, edge, number);
    }
    int err =
        bus_publish(outbound->settings.bus, subject.text, reply.text, publish->data, publish->size);
    int64_t now_us = loop_now_us(outbound->settings.loop);
    if (err == 0) {
        outbound->publishes++;
        edge_destination_sent(outlet->destination, now_us);
        return;
    }
    edge_destination_not_sent(outlet->destination, now_us);
    static struct log_limit limit;
    if (err != -ENOTCONN)
        log_limited(&limit, LOG_LEVEL_WARNING, "a batch could not be published, trying again",
                    LOG_TEXT("subject", text_of(subject.text)), LOG_U64("bytes", publish->size),
                    LOG_ERRNO(err));
}

/* Publishes what is due and sets the timer for what is not yet. */
static void edge_outbound_work(struct edge_outbound *outbound)
{
    int64_t now_us = loop_now_us(outbound->settings.loop);
    int64_t soonest_us = INT64_MAX;
    list_each(node, &outbound->active)
    {
        struct outlet *outlet = container_of(node, struct outlet, active);
        struct edge_publish publish;
        int64_t due_us;
        if (edge_destination_next(outlet->destination, now_us, &publish, &due_us)) {
            edge_outbound_publish(outbound, outlet, &publish);
            /* Asked again only for when it is due next. */
            if (edge_destination_next(outlet->destination, now_us, &publish, &due_us))
                due_us = now_us;
        }
        if (due_us < soonest_us)
            soonest_us = due_us;
    }
    if (soonest_us != INT64_MAX)
        loop_timer_set(outbound->settings.loop, &outbound->timer,
                       soonest_us <= now_us ? 0 : (soonest_us - now_us + 999) / 1000);
}

static void on_outbound_later(struct loop_later *later)
{
    edge_outbound_work(container_of(later, struct edge_outbound, later));
}

static void on_outbound_due(struct loop_timer *timer)
{
    edge_outbound_work(container_of(timer, struct edge_outbound, timer));
}

static void on_puback(void *context, const struct bus_message *message)
{
    struct edge_outbound *outbound = context;
    struct bus_puback ack;
    uint64_t number;
    if (wire_puback_number(message->subject, &number) != 0 || bus_puback_read(message, &ack) != 0)
        return;
    size_t place = number & ((1U << PLACE_BITS) - 1);
    struct outlet *outlet = place < outbound->places.count ? &outbound->outlets[place] : NULL;
    if (outlet == NULL || outlet->destination == NULL)
        return;
    struct list tickets;
    list_init(&tickets);
    enum edge_code code;
    size_t before = edge_destination_records(outlet->destination);
    bool done = edge_destination_answered(outlet->destination, number >> PLACE_BITS, &ack,
                                          loop_now_us(outbound->settings.loop), &tickets, &code);
    static struct log_limit limit;
    if (ack.position == 0)
        log_limited(&limit, LOG_LEVEL_WARNING, "a batch was not stored", LOG_U64("records", before),
                    LOG_TEXT("subject", message->subject), LOG_I64("code", ack.code),
                    LOG_I64("err_code", ack.err_code), LOG_STRING("reason", ack.description));
    loop_later(outbound->settings.loop, &outbound->later);
    if (!done)
        return;
    size_t left = edge_destination_records(outlet->destination);
    outbound->waiting -= before - left;
    if (left == 0)
        list_remove(&outlet->active);
    for (struct list *node; (node = list_pop(&tickets)) != NULL;)
        outbound->settings.on_outcome(outbound->settings.context,
                                      container_of(node, struct edge_ticket, link), code);
}

struct edge_outbound *edge_outbound_new(const struct edge_outbound_settings *settings)
{
    const struct edge_settings *edge = settings->edge;
    struct edge_outbound *outbound = calloc(1, sizeof *outbound);
    if (outbound == NULL)
        return NULL;
    outbound->settings = *settings;
    outbound->limits = (struct edge_destination_settings){
        .records_max = edge->queue_records_max,
        .bytes_max = edge->queue_bytes_max,
        .resend_us = edge->resend_ms * 1000,
        .backoff_max_us = edge->resend_ms * 1000,
        .pace_max_us = edge->pace_max_ms * 1000,
    };
    outbound->later.on_later = on_outbound_later;
    outbound->timer.on_due = on_outbound_due;
    list_init(&outbound->active);
    edge_places_init(&outbound->places, settings->catalogue);
    outbound->outlets = calloc(outbound->places.count, sizeof *outbound->outlets);
    outbound->pubacks =
        bus_subscribe(settings->bus, wire_pubacks_of(edge->name).text, on_puback, outbound);
    if (outbound->outlets == NULL || outbound->pubacks == NULL) {
        edge_outbound_free(outbound, NULL);
        return NULL;
    }
    return outbound;
}

void edge_outbound_free(struct edge_outbound *outbound,
                        void (*on_dropped)(struct edge_ticket *ticket))
{
    if (outbound == NULL)
        return;
    struct list tickets;
    list_init(&tickets);
    bus_unsubscribe(outbound->pubacks);
    loop_timer_stop(outbound->settings.loop, &outbound->timer);
    loop_later_cancel(&outbound->later);
    for (size_t i = 0; outbound->outlets != NULL && i < outbound->places.count; i++)
        edge_destination_free(outbound->outlets[i].destination, &tickets);
    for (struct list *node; (node = list_pop(&tickets)) != NULL && on_dropped != NULL;)
        on_dropped(container_of(node, struct edge_ticket, link));
    free(outbound->outlets);
    free(outbound);
}

static struct edge_destination *edge_outbound_destination(struct edge_outbound *outbound,
                                                          struct outlet *outlet)
{
    if (outlet->destination == NULL) {
        uint64_t serial;
        hash_random(&serial, sizeof serial);
        /* Half the range at most, so that it never runs over. */
        outlet->destination = edge_destination_new(&outbound->limits, serial >> (PLACE_BITS + 1));
    }
    return outlet->destination;
}

int edge_outbound_add(struct edge_outbound *outbound, size_t region, uint32_t shard,
                      const struct wire_message *message, const struct wire_recipient *recipients,
                      size_t recipient_count, struct edge_ticket *ticket)
{
    struct outlet *outlet = &outbound->outlets[edge_places_of(&outbound->places, region, shard)];
    struct edge_destination *destination = edge_outbound_destination(outbound, outlet);
    if (destination == NULL)
        return -ENOMEM;
    int err = edge_destination_add(destination, message, recipients, recipient_count, ticket);
    if (err != 0)
        return err;
    outbound->waiting++;
    if (!list_linked(&outlet->active))
        list_push(&outbound->active, &outlet->active);
    loop_later(outbound->settings.loop, &outbound->later);
    return 0;
}

void edge_outbound_connected(struct edge_outbound *outbound)
{
    list_each(node, &outbound->active)
        edge_destination_reconnected(container_of(node, struct outlet, active)->destination);
    loop_later(outbound->settings.loop, &outbound->later);
}

size_t edge_outbound_waiting(const struct edge_outbound *outbound)
{
    return outbound->waiting;
}

uint64_t edge_outbound_publishes(const struct edge_outbound *outbound)
{
    return outbound->publishes;
}
