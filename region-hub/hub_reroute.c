#include "region-hub/hub_reroute.h"

#include "base/list.h"
#include "homes/homes.h"
#include "log/log.h"
#include "region-hub/hub_notice.h"
#include "region-hub/hub_post.h"
#include "wire/batch.h"
#include "wire/names.h"

#include <stdlib.h>
#include <string.h>

enum { READ_BYTES = 1 << 20, TURN_STEPS = 256 };

struct read { /* a batch of the outbox */
    struct list link;
    size_t size;
    uint8_t data[];
};

/* Where in the first batch that was read it is. */
struct place {
    bool in_batch;
    bool in_message;
    struct wire_batch batch;
    struct wire_record record;
    struct wire_cursor recipients;
    struct wire_recipient to;
    bool has_to; /* whose home is being looked for */
};

struct hub_reroute {
    struct hub_reroute_settings settings;
    struct homes *homes;
    struct hub_post *post;
    struct bus_reader *reader;
    struct bus_subscription *changes;
    struct list read;
    size_t read_count;
    struct place place;
    struct homes_lookup lookup;
    bool has_changed; /* the directory, since it began */
    int64_t begun_ms;
    uint64_t sent;
};

/* --- reading --- */

static void on_entry(void *context, const struct bus_entry *entry)
{
    struct hub_reroute *reroute = context;
    struct read *read = malloc(sizeof *read + entry->size);
    if (read == NULL) { /* the next beginning reads it */
        reroute->has_changed = true;
        return;
    }
    *read = (struct read){.size = entry->size};
    memcpy(read->data, entry->data, entry->size);
    list_push(&reroute->read, &read->link);
    reroute->read_count++;
}

static void on_pause(void *context, bool caught_up)
{
    struct hub_reroute *reroute = context;
    (void)caught_up;
    bus_reader_hold(reroute->reader, reroute->read_count > 0);
}

static void drop_first(struct hub_reroute *reroute)
{
    free(container_of(list_pop(&reroute->read), struct read, link));
    reroute->place = (struct place){0};
    if (--reroute->read_count == 0)
        bus_reader_hold(reroute->reader, false);
}

/* --- one recipient after the other --- */

static void on_settled(void *context, uint64_t number)
{
    (void)context, (void)number; /* nothing is kept of what is stored */
}

static void post(struct hub_reroute *reroute, size_t region)
{
    const struct place *place = &reroute->place;
    struct hub_notice *made = hub_notice_pass_on(place->to.name, &place->record.message);
    if (made == NULL || hub_post_add_to(reroute->post, region, made, 0) != 0) {
        reroute->has_changed = true; /* memory is short: it is read again */
        return;
    }
    reroute->sent++;
}

static void found(struct hub_reroute *reroute, enum homes_found found, size_t region)
{
    const struct catalogue *catalogue = reroute->settings.catalogue;
    reroute->place.has_to = false;
    if (found == HOMES_UNSURE)
        reroute->has_changed = true; /* it is looked for again, the next time */
    else if (found == HOMES_FOUND && &catalogue->regions[region] != reroute->settings.gone)
        post(reroute, region);
}

static void on_found(struct homes_lookup *lookup, enum homes_found is, size_t region)
{
    found(container_of(lookup, struct hub_reroute, lookup), is, region);
}

static void look_up(struct hub_reroute *reroute)
{
    enum homes_found is;
    size_t region;
    int err = homes_find(reroute->homes, reroute->place.to.name, &reroute->lookup, &is, &region);
    if (err == 0)
        found(reroute, is, region);
    else if (reroute->lookup.homes == NULL)
        found(reroute, HOMES_UNSURE, 0);
}

/* The next recipient of the batch that is looked at. False: there is none. */
static bool next_recipient(struct place *place)
{
    while (place->in_batch) {
        if (place->in_message && wire_recipient_next(&place->recipients, &place->to))
            return true;
        place->in_message = false;
        if (wire_record_next(&place->batch.body, &place->record) != 0)
            return false; /* the end, or damage, which the home quarantines */
        place->in_message = place->record.kind == WIRE_MESSAGE;
        if (place->in_message)
            place->recipients = place->record.message.recipients;
    }
    return false;
}

/* One recipient, or one batch. False: there is nothing to do now. */
static bool step(struct hub_reroute *reroute)
{
    struct place *place = &reroute->place;
    if (reroute->read_count == 0 || place->has_to ||
        hub_post_waiting(reroute->post) >= HUB_REROUTE_WAITING_MAX)
        return false;
    const struct read *read = container_of(reroute->read.next, struct read, link);
    if (!place->in_batch)
        place->in_batch = wire_batch_read(read->data, read->size, &place->batch) == 0;
    place->has_to = next_recipient(place);
    if (place->has_to)
        look_up(reroute);
    else
        drop_first(reroute);
    return true;
}

/* --- again --- */

static void on_changed(void *context, const struct bus_message *message)
{
    struct hub_reroute *reroute = context;
    (void)message;
    reroute->has_changed = true;
}

static struct hub_post *make_post(struct hub_reroute *reroute)
{
    const struct hub_reroute_settings *settings = &reroute->settings;
    return hub_post_new(&(struct hub_post_settings){.loop = settings->loop,
                                                    .bus = settings->bus,
                                                    .settings = settings->settings,
                                                    .catalogue = settings->catalogue,
                                                    .region = settings->region,
                                                    .process = settings->process,
                                                    .first_number = settings->first_number,
                                                    .context = reroute,
                                                    .on_settled = on_settled});
}

/* One that has lost something for want of memory is made anew, and all is read again. */
static void keep_post(struct hub_reroute *reroute)
{
    if (reroute->post != NULL && !hub_post_has_lost(reroute->post))
        return;
    hub_post_free(reroute->post);
    reroute->post = make_post(reroute);
    reroute->has_changed = true;
}

static void begin_again(struct hub_reroute *reroute)
{
    homes_cancel(&reroute->lookup);
    while (reroute->read_count > 0)
        drop_first(reroute);
    reroute->has_changed = false;
    reroute->begun_ms = loop_now_ms(reroute->settings.loop);
    bus_reader_seek(reroute->reader, reroute->settings.from);
}

/* --- from outside --- */

struct hub_reroute *hub_reroute_new(const struct hub_reroute_settings *settings)
{
    struct hub_reroute *reroute = calloc(1, sizeof *reroute);
    if (reroute == NULL)
        return NULL;
    reroute->settings = *settings;
    reroute->begun_ms = loop_now_ms(settings->loop);
    reroute->lookup.on_found = on_found;
    list_init(&reroute->read);
    reroute->homes = homes_new(&(struct homes_settings){
        .loop = settings->loop,
        .bus = settings->bus,
        .catalogue = settings->catalogue,
        .region = settings->region,
        .process = settings->process,
        .users_max = settings->settings->notice_homes_max,
        .waiting_max = 1,
    });
    reroute->post = make_post(reroute);
    reroute->changes = bus_subscribe(settings->bus, WIRE_DIRECTORY_CHANGED, on_changed, reroute);
    reroute->reader = bus_reader_open(settings->bus, &(struct bus_reader_settings){
                                                         .stream = settings->stream,
                                                         .filter = settings->lane,
                                                         .from = settings->from,
                                                         .batch_max = HUB_REROUTE_BATCHES,
                                                         .bytes_max = READ_BYTES,
                                                         .on_entry = on_entry,
                                                         .on_pause = on_pause,
                                                         .context = reroute,
                                                     });
    if (reroute->homes == NULL || reroute->post == NULL || reroute->changes == NULL ||
        reroute->reader == NULL) {
        hub_reroute_free(reroute);
        return NULL;
    }
    return reroute;
}

void hub_reroute_free(struct hub_reroute *reroute)
{
    if (reroute == NULL)
        return;
    homes_cancel(&reroute->lookup);
    for (struct list *node; (node = list_pop(&reroute->read)) != NULL;)
        free(container_of(node, struct read, link));
    bus_reader_close(reroute->reader);
    bus_unsubscribe(reroute->changes);
    hub_post_free(reroute->post);
    homes_free(reroute->homes);
    free(reroute);
}

bool hub_reroute_puback(struct hub_reroute *reroute, uint64_t number, const struct bus_puback *ack)
{
    return reroute->post != NULL && hub_post_puback(reroute->post, number, ack);
}

void hub_reroute_connected(struct hub_reroute *reroute)
{
    if (reroute->post != NULL)
        hub_post_connected(reroute->post);
}

void hub_reroute_tick(struct hub_reroute *reroute)
{
    const int64_t now_ms = loop_now_ms(reroute->settings.loop);
    homes_tick(reroute->homes, now_ms);
    keep_post(reroute);
    if (reroute->post == NULL)
        return;
    hub_post_tick(reroute->post);
    if (reroute->has_changed && now_ms - reroute->begun_ms >= HUB_REROUTE_AGAIN_MS)
        begin_again(reroute);
    for (int i = 0; i < TURN_STEPS && step(reroute); i++)
        ;
}

uint64_t hub_reroute_sent(const struct hub_reroute *reroute)
{
    return reroute->sent;
}
