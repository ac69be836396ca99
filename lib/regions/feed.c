#include "regions/feed.h"

#include "base/clock.h"
#include "bus/bus_stream.h"
#include "log/log.h"
#include "loop/loop.h"
#include "wire/beat.h"
#include "wire/names.h"

#include <errno.h>
#include <stdlib.h>

enum { ASK_MS = 2000 };

struct regions_feed {
    struct bus *bus;
    const struct catalogue *catalogue;
    struct regions *regions;
    struct bus_subscription *beats;
    struct bus_request drains;
    uint64_t position; /* of the drains that are known */
    bool connected;
    bool knows_drains;
};

static void on_beat(void *context, const struct bus_message *message)
{
    struct regions_feed *feed = context;
    struct wire_edge_beat beat;
    if (wire_edge_beat_read(message->data, message->size, &beat) == 0)
        regions_hear(feed->regions, beat.edge, beat.connections, loop_now_ms(bus_loop(feed->bus)));
}

static bool on_drains(struct bus_request *request, enum bus_outcome outcome,
                      const struct bus_message *message)
{
    static struct log_limit limit;
    struct regions_feed *feed = container_of(request, struct regions_feed, drains);
    struct bus_entry entry;
    struct wire_drains drains = {.count = 0};
    int err = outcome == BUS_ANSWER ? bus_entry_read(message, &entry, NULL) : -EAGAIN;
    feed->knows_drains = feed->knows_drains || err == 0 || err == -ENOENT;
    if (err != 0 || entry.position <= feed->position) /* of a mirror that is behind, or known */
        return false;
    err = wire_drains_read(entry.data, entry.size, &drains);
    if (err == 0)
        regions_take_drains(feed->regions, &drains);
    else
        log_limited(&limit, LOG_LEVEL_ERROR, "the drains of regions cannot be read",
                    LOG_U64("position", entry.position), LOG_ERRNO(err));
    feed->position = entry.position;
    return false;
}

struct regions_feed *regions_feed_new(struct bus *bus, const struct catalogue *catalogue,
                                      struct regions *regions)
{
    struct regions_feed *feed = calloc(1, sizeof *feed);
    if (feed == NULL)
        return NULL;
    *feed = (struct regions_feed){.bus = bus, .catalogue = catalogue, .regions = regions};
    feed->drains.on_answer = on_drains;
    feed->beats = bus_subscribe(bus, WIRE_EDGE_BEATS, on_beat, feed);
    if (feed->beats == NULL) {
        regions_feed_free(feed);
        return NULL;
    }
    return feed;
}

void regions_feed_free(struct regions_feed *feed)
{
    if (feed == NULL)
        return;
    bus_request_cancel(&feed->drains);
    bus_unsubscribe(feed->beats);
    free(feed);
}

static void ask_drains(struct regions_feed *feed)
{
    const struct wire_bucket first = {.of = feed->catalogue->directory_buckets};
    /* One that is on its way is enough. */
    (void)!bus_get_last(feed->bus, &feed->drains, wire_directory_stream(first).text,
                        wire_directory_drains(first.of).text, ASK_MS);
}

bool regions_feed_tick(struct regions_feed *feed)
{
    int64_t now_ms = loop_now_ms(bus_loop(feed->bus));
    bool connected = bus_is_connected(feed->bus);
    if (!connected || !feed->connected) /* nobody can be heard, or could until now */
        regions_begin(feed->regions, now_ms);
    feed->connected = connected;
    if (connected)
        ask_drains(feed);
    return regions_update(feed->regions, now_ms, clock_wall_ms());
}

bool regions_feed_knows_drains(const struct regions_feed *feed)
{
    return feed->knows_drains;
}
