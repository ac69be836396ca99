/* What a shard has only while it is served here, and who owns it. */
#include "region-hub/hub_shard_internal.h"

#include "base/hash.h"
#include "log/log.h"

static void on_request(void *context, const struct bus_message *message)
{
    struct hub_shard *shard = context;
    hub_service_message(shard->service, message);
    loop_later(shard->loop, &shard->write_acks);
}

static void on_edge_beat(void *context, const struct bus_message *message)
{
    struct hub_shard *shard = context;
    hub_service_edge_beat(shard->service, message);
}

static void on_move_ask(void *context, const struct bus_message *message)
{
    struct hub_shard *shard = context;
    if (shard->generation != 0)
        hub_move_message(shard->move, message);
}

static struct hub_move *make_move(struct hub_shard *shard)
{
    return hub_move_new(&(struct hub_move_settings){
        .loop = shard->loop,
        .bus = shard->bus,
        .settings = shard->settings,
        .catalogue = shard->place.catalogue,
        .region = shard->place.region,
        .shard = shard->place.shard,
        .apply = shard->apply,
        .writer = shard->writer,
        .reader = shard->place.archive_reader,
        .generation = shard->generation,
    });
}

static struct hub_return *make_back(struct hub_shard *shard)
{
    return hub_return_new(&(struct hub_return_settings){
        .loop = shard->loop,
        .bus = shard->bus,
        .settings = shard->settings,
        .catalogue = shard->place.catalogue,
        .region = shard->place.region,
        .shard = shard->place.shard,
        .apply = shard->apply,
        .writer = shard->writer,
        .generation = shard->generation,
    });
}

static struct hub_notices *make_notices(struct hub_shard *shard)
{
    uint64_t number;
    hash_random(&number, sizeof number);
    return hub_notices_new(&(struct hub_notices_settings){
        .loop = shard->loop,
        .bus = shard->bus,
        .settings = shard->settings,
        .catalogue = shard->place.catalogue,
        .region = shard->place.region,
        .apply = shard->apply,
        .writer = shard->writer,
        .process = shard->process,
        .generation = shard->generation,
        .first_number = number >> 17, /* below the numbers of lanes */
        .passed = &shard->passed,
    });
}

static void follow_directory(struct hub_shard *shard)
{
    const struct hub_shard_place *place = &shard->place;
    if (place->archiver == NULL || !hub_beats_for_directory(place))
        return;
    shard->directory = hub_directory_feed_new(
        &(struct hub_directory_feed_settings){.bus = shard->bus,
                                              .archiver = place->archiver,
                                              .buckets = place->catalogue->directory_buckets});
    if (shard->directory == NULL)
        log_error("memory is short: the directory is not archived");
}

/* At the end of the turn in which the own record was applied. */
void hub_shard_on_begin_service(struct loop_later *later)
{
    struct hub_shard *shard = container_of(later, struct hub_shard, begin_service);
    if (shard->generation == 0 || shard->forwarder != NULL)
        return;
    struct wire_name requests = wire_hub_subjects(shard->place.region->name, shard->place.shard);
    uint64_t number;
    hash_random(&number, sizeof number);
    shard->requests = bus_subscribe(shard->bus, requests.text, on_request, shard);
    shard->edge_beats = bus_subscribe(shard->bus, WIRE_EDGE_BEATS, on_edge_beat, shard);
    shard->forwarder = hub_forwarder_new(&(struct hub_forwarder_settings){
        .loop = shard->loop,
        .bus = shard->bus,
        .settings = shard->settings,
        .catalogue = shard->place.catalogue,
        .region = shard->place.region,
        .shard = shard->place.shard,
        .process = shard->process,
        .first_number = number,
    });
    shard->notices = make_notices(shard);
    shard->move = make_move(shard);
    shard->back = make_back(shard);
    struct wire_name asks = wire_move_subject(shard->place.region->name, shard->place.shard);
    if (shard->move != NULL)
        shard->move_asks = bus_subscribe(shard->bus, asks.text, on_move_ask, shard);
    follow_directory(shard);
    if (shard->requests == NULL || shard->edge_beats == NULL || shard->forwarder == NULL ||
        shard->notices == NULL || shard->move_asks == NULL || shard->back == NULL)
        log_error("memory is short: this shard is owned and not served",
                  LOG_U64("shard", shard->place.shard));
    hub_beats_begin(shard->beats, shard->forwarder); /* edges attach when they hear it */
}

void hub_shard_on_end_service(struct loop_later *later)
{
    struct hub_shard *shard = container_of(later, struct hub_shard, end_service);
    hub_forwarder_free(shard->forwarder);
    hub_notices_free(shard->notices);
    hub_move_free(shard->move);
    hub_directory_feed_free(shard->directory);
    shard->directory = NULL;
    hub_return_free(shard->back);
    bus_unsubscribe(shard->requests);
    bus_unsubscribe(shard->edge_beats);
    bus_unsubscribe(shard->move_asks);
    shard->forwarder = NULL;
    shard->notices = NULL;
    shard->move = NULL;
    shard->back = NULL;
    shard->requests = shard->edge_beats = shard->move_asks = NULL;
    hub_claims_reset(shard->claims);
    hub_acks_reset(shard->acks);
    if (shard->generation == 0)
        hub_presence_reset(shard->presence, 0);
    else
        loop_later(shard->loop, &shard->begin_service); /* served again in the same turn */
}

static void serve(struct hub_shard *shard)
{
    uint64_t generation = shard->ownership.generation;
    shard->generation = generation;
    hub_presence_reset(shard->presence, generation);
    hub_delivery_serve(shard->delivery, generation);
    hub_service_serve(shard->service, generation);
    hub_history_serve(shard->history, generation);
    hub_shown_serve(shard->shown, generation);
    hub_beats_serve(shard->beats, generation);
    loop_later(shard->loop, &shard->begin_service);
    log_info("this hub serves the shard", LOG_STRING("region", shard->place.region->name),
             LOG_U64("shard", shard->place.shard), LOG_U64("generation", generation),
             LOG_U64("position", hub_apply_position(shard->apply)));
}

void hub_shard_stand_down(struct hub_shard *shard)
{
    if (shard->generation == 0)
        return;
    log_info("this hub does not serve the shard any more",
             LOG_STRING("region", shard->place.region->name), LOG_U64("shard", shard->place.shard),
             LOG_U64("generation", shard->generation), LOG_STRING("owner", shard->ownership.owner));
    shard->generation = 0;
    hub_delivery_serve(shard->delivery, 0);
    hub_service_serve(shard->service, 0);
    hub_history_serve(shard->history, 0);
    hub_shown_serve(shard->shown, 0);
    hub_beats_serve(shard->beats, 0);
    hub_writer_drop_queue(shard->writer);
    loop_later(shard->loop, &shard->end_service);
}

static void write_own(struct hub_shard *shard, const char *hub)
{
    const struct wire_own own = {
        .hub = text_of(hub),
        .start = shard->place.start,
        .expects = shard->ownership.generation,
    };
    if (hub_writer_own(shard->writer, &own) != 0)
        log_error("memory is short: ownership was not written",
                  LOG_U64("shard", shard->place.shard));
}

void hub_shard_follow(struct hub_shard *shard, enum hub_ownership_order order)
{
    switch (order) {
    case HUB_ORDER_NONE:
        break;
    case HUB_ORDER_CHALLENGE:
        write_own(shard, shard->settings->name);
        break;
    case HUB_ORDER_SERVE:
        serve(shard);
        break;
    case HUB_ORDER_STAND_DOWN:
        hub_shard_stand_down(shard);
        break;
    case HUB_ORDER_GIVE_UP:
        write_own(shard, "");
        break;
    case HUB_ORDER_LEFT:
        hub_shard_stand_down(shard);
        loop_stop(shard->loop);
        break;
    }
}
