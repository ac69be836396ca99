/* The outboxes of the forwarder: trimmed behind what is applied, and watched. */
#include "region-hub/hub_forwarder_internal.h"
#include "region-hub/hub_stream.h"

#include <errno.h>

enum {
    API_TIMEOUT_MS = 2000,
    TRIM_EARLY_PERMILLE = 250,
    DOUBT_MS = 500, /* until an outbox that looks too short is asked again */
};

static bool on_purged(struct bus_request *request, enum bus_outcome outcome,
                      const struct bus_message *message)
{
    (void)request, (void)outcome, (void)message; /* best effort: the next one comes */
    return false;
}

void hub_outbox_trim(struct hub_forwarder_lane *lane)
{
    const struct hub_forwarder_settings *settings = &lane->forwarder->settings;
    int64_t age_ms = hub_forwarder_now_ms(lane->forwarder) - lane->trimmed_ms;
    int64_t least_ms = settings->settings->trim_ms;
    if (lane->outbox->permille >= TRIM_EARLY_PERMILLE)
        least_ms /= 10;
    if (lane->lane.applied <= lane->trimmed || age_ms < least_ms || lane->purge.bus != NULL)
        return;
    if (lane->regressed || !hub_outbox_may_trim(&lane->outbox->watch, lane->lane.applied))
        return; /* what is stored there may be new */
    lane->trimmed_ms = hub_forwarder_now_ms(lane->forwarder);
    lane->purge.on_answer = on_purged;
    if (hub_stream_purge(settings->bus, &lane->purge, lane->outbox->stream.text, lane->from.text,
                         lane->lane.applied + 1, API_TIMEOUT_MS) != 0)
        return;
    lane->trimmed = lane->lane.applied;
    if (lane->trimmed > lane->outbox->trimmed)
        lane->outbox->trimmed = lane->trimmed;
}

/* What is known to have been stored in the outbox as it was. */
static uint64_t highest(const struct hub_outbox *outbox)
{
    const struct hub_forwarder *forwarder = outbox->forwarder;
    uint64_t high = 0;
    for (size_t i = 0; i < forwarder->lane_count; i++) {
        const struct hub_forwarder_lane *lane = &forwarder->lanes[i];
        if (lane->outbox == outbox && !lane->regressed && lane->lane.last > high)
            high = lane->lane.last;
    }
    return high;
}

static void halt_regressed(struct hub_outbox *outbox, uint64_t last)
{
    struct hub_forwarder *forwarder = outbox->forwarder;
    for (size_t i = 0; i < forwarder->lane_count; i++) {
        struct hub_forwarder_lane *lane = &forwarder->lanes[i];
        if (lane->outbox != outbox || lane->regressed || lane->lane.last <= last)
            continue;
        log_error("an outbox ends before what was forwarded of it: it was put back to an older "
                  "state, and is not forwarded",
                  LOG_STRING("from", lane->from.text), LOG_U64("last", last),
                  LOG_U64("forwarded", lane->lane.last));
        lane->regressed = true;
        hub_lane_halt(&lane->lane, hub_forwarder_now_ms(forwarder));
        hub_forwarder_follow(lane);
    }
}

/* What holds the lanes back is over. */
static void end_doubt(struct hub_outbox *outbox)
{
    struct hub_forwarder *forwarder = outbox->forwarder;
    hub_outbox_is_same(&outbox->watch);
    for (size_t i = 0; i < forwarder->lane_count; i++)
        if (forwarder->lanes[i].outbox == outbox)
            hub_forwarder_follow(&forwarder->lanes[i]);
}

/* What stands where the newest entry that was forwarded stood. */
static bool on_newest(struct bus_request *request, enum bus_outcome outcome,
                      const struct bus_message *message)
{
    struct hub_outbox *outbox = container_of(request, struct hub_outbox, compare);
    struct bus_entry entry;
    if (!outbox->watch.doubted || outcome != BUS_ANSWER)
        return false;
    int err = bus_entry_read(message, &entry, NULL);
    if (err == 0 && entry.time_ms != outbox->newest_ms)
        halt_regressed(outbox, outbox->watch.lowest);
    /* One that is not there was trimmed, or the server that answered is behind. */
    bool is_trimmed =
        outbox->newest <= outbox->trimmed ||
        hub_outbox_is_doubted_long(&outbox->watch, hub_forwarder_now_ms(outbox->forwarder));
    if (err == 0 || (err == -ENOENT && is_trimmed))
        end_doubt(outbox);
    return false;
}

static void compare(struct hub_outbox *outbox)
{
    const struct hub_forwarder_settings *settings = &outbox->forwarder->settings;
    if (outbox->newest == 0) {
        end_doubt(outbox); /* nothing is known of it */
        return;
    }
    if (outbox->compare.bus == NULL &&
        hub_stream_get(settings->bus, &outbox->compare, outbox->stream.text, outbox->newest,
                       API_TIMEOUT_MS) != 0)
        return; /* with the next figure */
}

void hub_outbox_forwarded(struct hub_outbox *outbox, const struct bus_entry *entry)
{
    if (entry->position <= outbox->newest)
        return;
    outbox->newest = entry->position;
    outbox->newest_ms = entry->time_ms;
}

void hub_outbox_begun_anew(struct hub_outbox *outbox)
{
    outbox->newest = 0;
    outbox->trimmed = 0;
}

static void ask_soon(struct hub_outbox *outbox)
{
    outbox->info_ms += DOUBT_MS - outbox->forwarder->settings.settings->stream_info_ms;
}

static void judge_info(struct hub_outbox *outbox, uint64_t last)
{
    switch (hub_outbox_told(&outbox->watch, last, hub_forwarder_now_ms(outbox->forwarder))) {
    case HUB_OUTBOX_GOOD:
        break;
    case HUB_OUTBOX_DOUBTED:
        ask_soon(outbox);
        break;
    case HUB_OUTBOX_COMPARE:
        compare(outbox);
        ask_soon(outbox);
        break;
    case HUB_OUTBOX_REGRESSED:
        halt_regressed(outbox, outbox->watch.lowest);
        break;
    }
}

static bool on_info(struct bus_request *request, enum bus_outcome outcome,
                    const struct bus_message *message)
{
    struct hub_outbox *outbox = container_of(request, struct hub_outbox, info);
    struct hub_stream_info info;
    if (outcome == BUS_ANSWER &&
        hub_stream_info_read((struct text){(const char *)message->data, message->size}, &info) == 0)
        outbox->permille = hub_stream_permille(&info);
    else
        return false;
    judge_info(outbox, info.last);
    return false;
}

void hub_outbox_ask(struct hub_outbox *outbox)
{
    const struct hub_forwarder_settings *settings = &outbox->forwarder->settings;
    int64_t now_ms = hub_forwarder_now_ms(outbox->forwarder);
    if (outbox->info.bus != NULL || now_ms - outbox->info_ms < settings->settings->stream_info_ms)
        return;
    outbox->info_ms = now_ms;
    hub_outbox_asked(&outbox->watch, highest(outbox));
    if (hub_stream_info(settings->bus, &outbox->info, outbox->stream.text, API_TIMEOUT_MS) != 0)
        return; /* not now: the last figure stands */
}

bool hub_outbox_is_regressed(const struct hub_outbox *outbox)
{
    const struct hub_forwarder *forwarder = outbox->forwarder;
    for (size_t i = 0; i < forwarder->lane_count; i++)
        if (forwarder->lanes[i].outbox == outbox && forwarder->lanes[i].regressed)
            return true;
    return false;
}

void hub_outbox_open(struct hub_forwarder *forwarder, struct hub_outbox *outbox,
                     const struct catalogue_region *to)
{
    outbox->forwarder = forwarder;
    outbox->to = to;
    outbox->stream = wire_outbox_stream(forwarder->settings.region->name, to->name);
    outbox->info.on_answer = on_info;
    outbox->watch.doubt_ms = forwarder->settings.settings->log_doubt_ms;
    outbox->compare.on_answer = on_newest;
    outbox->info_ms =
        hub_forwarder_now_ms(forwarder) - forwarder->settings.settings->stream_info_ms;
}

void hub_outbox_close(struct hub_outbox *outbox)
{
    bus_request_cancel(&outbox->info);
    bus_request_cancel(&outbox->compare);
}
