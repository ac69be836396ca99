#include "homes/primary.h"

#include "base/macros.h"
#include "bus/bus_stream.h"
#include "wire/names.h"

#include <errno.h>

enum { PROBE_TIMEOUT_MS = 2000, BEAT_MAX = 512 };

static bool on_probe(struct bus_request *request, enum bus_outcome outcome,
                     const struct bus_message *message)
{
    struct homes_primary *primary = container_of(request, struct homes_primary, probe);
    uint8_t room[BEAT_MAX];
    uint64_t position;
    size_t size;
    if (outcome == BUS_ANSWER && bus_leader_answers_again(message))
        return true;
    int err = outcome == BUS_ANSWER
                  ? bus_leader_entry_read(message, room, sizeof room, &position, &size)
                  : -EAGAIN;
    homes_primary_answered(primary, err == 0 || err == -ENOENT,
                           loop_now_ms(bus_loop(primary->bus)));
    return false;
}

void homes_primary_init(struct homes_primary *primary, struct bus *bus, unsigned buckets)
{
    *primary = (struct homes_primary){.bus = bus, .buckets = buckets, .probe.on_answer = on_probe};
}

void homes_primary_done(struct homes_primary *primary)
{
    bus_request_cancel(&primary->probe);
}

enum homes_primary_may homes_primary_may(const struct homes_primary *primary, int64_t now_ms)
{
    if (now_ms < primary->rests_ms)
        return HOMES_PRIMARY_SILENT;
    return primary->asked < HOMES_PRIMARY_MAX ? HOMES_PRIMARY_ASK : HOMES_PRIMARY_BUSY;
}

void homes_primary_answered(struct homes_primary *primary, bool answered, int64_t now_ms)
{
    primary->heard = primary->heard || answered;
    if (answered)
        primary->heard_ms = now_ms;
    else
        primary->rests_ms = now_ms + HOMES_PRIMARY_REST_MS;
}

void homes_primary_probe(struct homes_primary *primary)
{
    struct wire_bucket bucket = {.of = primary->buckets};
    /* One that is on its way is enough. */
    (void)!bus_get_last_of_leader(primary->bus, &primary->probe, wire_directory_stream(bucket).text,
                                  wire_directory_beat(bucket).text, PROBE_TIMEOUT_MS);
}

bool homes_primary_is_heard(const struct homes_primary *primary, int64_t now_ms)
{
    return primary->heard && now_ms - primary->heard_ms <= HOMES_PRIMARY_HEARD_MS;
}
