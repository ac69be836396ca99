#include "homes/heartbeats.h"

#include "bus/bus_stream.h"
#include "wire/names.h"

enum { GET_TIMEOUT_MS = 2000 };

static bool on_heartbeat(struct bus_request *request, enum bus_outcome outcome,
                         const struct bus_message *message)
{
    struct homes_heartbeat *heartbeat = container_of(request, struct homes_heartbeat, request);
    struct homes_heartbeats *all = heartbeat->all;
    struct bus_entry entry;
    if (outcome != BUS_ANSWER || bus_entry_read(message, &entry, NULL) != 0)
        return false;
    const struct directory_beat beat = {.position = entry.position, .stored_ms = entry.time_ms};
    directory_heartbeat(all->cache, (unsigned)(heartbeat - all->each), &beat,
                        loop_now_ms(bus_loop(all->bus)));
    return false;
}

void homes_heartbeats_init(struct homes_heartbeats *heartbeats, struct bus *bus,
                           struct directory *cache, unsigned buckets)
{
    *heartbeats = (struct homes_heartbeats){.bus = bus, .cache = cache, .buckets = buckets};
    for (unsigned i = 0; i < buckets; i++) {
        heartbeats->each[i].all = heartbeats;
        heartbeats->each[i].request.on_answer = on_heartbeat;
    }
}

void homes_heartbeats_done(struct homes_heartbeats *heartbeats)
{
    for (unsigned i = 0; i < heartbeats->buckets; i++)
        bus_request_cancel(&heartbeats->each[i].request);
}

void homes_heartbeats_ask(struct homes_heartbeats *heartbeats)
{
    struct wire_bucket bucket = {.of = heartbeats->buckets};
    for (; bucket.number < bucket.of; bucket.number++)
        (void)!bus_get_last(heartbeats->bus, &heartbeats->each[bucket.number].request,
                            wire_directory_stream(bucket).text, wire_directory_beat(bucket).text,
                            GET_TIMEOUT_MS);
}
