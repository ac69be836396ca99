#include "region-hub/hub_forwarder.h"

#include "base/clock.h"
#include "log/log.h"
#include "region-hub/hub_lane.h"
#include "region-hub/hub_outbox_watch.h"
#include "region-hub/hub_stream.h"
#include "wire/batch.h"
#include "wire/frame.h"
#include "wire/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    ASK_TIMEOUT_MS = 1000,
    API_TIMEOUT_MS = 2000,
    READ_BATCH = 256,
    READ_BYTES = 1 << 20,
    TRIM_EARLY_PERMILLE = 250,
    DOUBT_MS = 200, /* until an outbox that looks too short is asked again */
    TAG_SHIFT = 48, /* the lane's place, from 1, in a PubAck's number */
};

struct outbox {
    struct hub_forwarder *forwarder;
    const struct catalogue_region *to;
    struct wire_name stream;
    struct bus_request info;
    int64_t info_ms; /* when it was asked last */
    uint16_t permille;
    struct hub_outbox_watch watch;
};

struct lane {
    struct hub_forwarder *forwarder;
    struct outbox *outbox;
    unsigned shard; /* of the home */
    struct hub_lane lane;
    bool regressed; /* the outbox of this incarnation ends before what was applied of it */
    struct wire_name from;
    struct wire_name to;
    struct bus_subscription *doorbell;
    struct bus_reader *reader;
    struct buffer stamped; /* room for a batch */

    struct bus_request genesis;
    struct bus_request ask;
    bool has_genesis; /* of this asking, as the next is */
    bool has_answer;
    uint8_t outbox_incarnation[16];
    uint8_t home_incarnation[16];
    uint64_t home_sequence;

    struct bus_request purge;
    int64_t trimmed_ms;
    uint64_t trimmed;         /* the sequence applied when it was trimmed last */
    enum hub_lane_state told; /* in the log */
    struct log_limit limit;
};

struct hub_forwarder {
    struct hub_forwarder_settings settings;
    struct outbox *outboxes;
    size_t outbox_count;
    struct lane *lanes;
    size_t lane_count;
};

static int64_t now_of(const struct hub_forwarder *forwarder)
{
    return loop_now_ms(forwarder->settings.loop);
}

/* --- asking the home --- */

static void follow(struct lane *lane);

static void ask_failed(struct lane *lane);

static bool is_same_outbox(const struct lane *lane)
{
    return memcmp(lane->outbox_incarnation, lane->lane.outbox, sizeof lane->lane.outbox) == 0;
}

static void both_there(struct lane *lane)
{
    if (!lane->has_genesis || !lane->has_answer)
        return;
    if (lane->regressed && is_same_outbox(lane)) {
        ask_failed(lane); /* until it has a new incarnation: meridian provision --renew-outbox */
        return;
    }
    if (lane->regressed)
        log_info("an outbox was begun anew: it is forwarded again",
                 LOG_STRING("from", lane->from.text));
    lane->regressed = false;
    hub_lane_answered(&lane->lane, lane->outbox_incarnation, lane->home_incarnation,
                      lane->home_sequence, now_of(lane->forwarder));
    follow(lane);
}

static void ask_failed(struct lane *lane)
{
    bus_request_cancel(&lane->genesis);
    bus_request_cancel(&lane->ask);
    hub_lane_ask_failed(&lane->lane, now_of(lane->forwarder));
    follow(lane);
}

static bool on_genesis(struct bus_request *request, enum bus_outcome outcome,
                       const struct bus_message *message)
{
    struct lane *lane = container_of(request, struct lane, genesis);
    struct bus_entry entry;
    struct wire_batch batch;
    struct wire_record record;
    if (outcome != BUS_ANSWER || bus_entry_read(message, &entry, NULL) != 0 ||
        wire_batch_read(entry.data, entry.size, &batch) != 0 ||
        wire_record_next(&batch.body, &record) != 0 || record.kind != WIRE_GENESIS) {
        log_limited(&lane->limit, LOG_LEVEL_WARNING, "an outbox has no genesis to be read",
                    LOG_STRING("outbox", lane->outbox->stream.text));
        ask_failed(lane);
        return false;
    }
    memcpy(lane->outbox_incarnation, record.genesis.incarnation, 16);
    lane->has_genesis = true;
    both_there(lane);
    return false;
}

static bool on_answer(struct bus_request *request, enum bus_outcome outcome,
                      const struct bus_message *message)
{
    struct lane *lane = container_of(request, struct lane, ask);
    struct wire_frame frame;
    struct wire_entry entry;
    if (outcome != BUS_ANSWER || wire_frame_read(message->data, message->size, &frame) != 0 ||
        wire_entry_next(&frame, &entry) != 0 || entry.kind != WIRE_LANE_AT ||
        frame.shard != lane->shard || !text_equal(frame.region, text_of(lane->outbox->to->name)) ||
        !text_equal(entry.lane_at.source, text_of(lane->forwarder->settings.region->name))) {
        ask_failed(lane);
        return false;
    }
    memcpy(lane->home_incarnation, entry.lane_at.incarnation, 16);
    lane->home_sequence = entry.lane_at.sequence;
    lane->has_answer = true;
    both_there(lane);
    return false;
}

static int ask_home(struct lane *lane)
{
    const struct hub_forwarder_settings *settings = &lane->forwarder->settings;
    struct wire_name subject = wire_hub_subject(lane->outbox->to->name, lane->shard, "lane");
    const struct wire_frame head = {
        .shard = (uint16_t)lane->shard,
        .region = text_of(lane->outbox->to->name),
        .from = text_of(settings->settings->name),
    };
    const struct wire_entry entry = {
        .kind = WIRE_LANE_ASK,
        .lane_ask = {.source = text_of(settings->region->name)},
    };
    struct buffer bytes = {0};
    struct wire_frame_writer frame;
    wire_frame_begin(&frame, &bytes, &head);
    wire_entry_write(&frame, &entry);
    int err = wire_frame_end(&frame);
    if (err == 0)
        err = bus_request(settings->bus, &lane->ask, subject.text, bytes.data, bytes.size,
                          ASK_TIMEOUT_MS);
    buffer_free(&bytes);
    return err;
}

static void ask(struct lane *lane)
{
    const struct hub_forwarder_settings *settings = &lane->forwarder->settings;
    struct wire_name genesis = wire_outbox_genesis(settings->region->name, lane->outbox->to->name);
    bus_request_cancel(&lane->genesis);
    bus_request_cancel(&lane->ask);
    lane->has_genesis = lane->has_answer = false;
    if (bus_get_last(settings->bus, &lane->genesis, lane->outbox->stream.text, genesis.text,
                     ASK_TIMEOUT_MS) != 0 ||
        ask_home(lane) != 0)
        ask_failed(lane);
}

/* --- what the lane orders --- */

static void tell(struct lane *lane)
{
    bool open = lane->lane.state == HUB_LANE_OPEN;
    if (open != (lane->told == HUB_LANE_OPEN))
        log_limited(&lane->limit, LOG_LEVEL_INFO, open ? "lane opened" : "lane closed",
                    LOG_STRING("from", lane->from.text),
                    LOG_STRING("state", hub_lane_state_name(lane->lane.state)),
                    LOG_U64("applied", lane->lane.applied));
    lane->told = lane->lane.state;
}

static void follow(struct lane *lane)
{
    struct hub_lane_orders orders = hub_lane_orders(&lane->lane);
    tell(lane);
    if (orders.seek)
        bus_reader_seek(lane->reader, lane->lane.next);
    /* One that is not taken is known to be there; reading more of them helps nobody. */
    bus_reader_hold(lane->reader, !hub_lane_wants(&lane->lane) && lane->lane.missed);
    if (orders.ask)
        ask(lane);
}

static void publish(struct lane *lane, const struct bus_entry *entry, uint64_t number,
                    uint64_t previous)
{
    const struct hub_forwarder_settings *settings = &lane->forwarder->settings;
    struct wire_stamp stamp = {.sequence = entry->position, .previous = previous};
    memcpy(stamp.incarnation, lane->lane.outbox, sizeof stamp.incarnation);
    buffer_clear(&lane->stamped);
    buffer_append(&lane->stamped, entry->data, entry->size);
    if (lane->stamped.failed)
        return; /* not published: no PubAck, so the lane asks and goes back */
    wire_batch_stamp(lane->stamped.data, &stamp);
    struct wire_name reply =
        wire_log_puback(lane->outbox->to->name, lane->shard, settings->process, number);
    int err = bus_publish(settings->bus, lane->to.text, reply.text, lane->stamped.data,
                          lane->stamped.size);
    if (err != 0 && err != -ENOTCONN)
        log_limited(&lane->limit, LOG_LEVEL_WARNING, "cannot publish to a lane",
                    LOG_STRING("to", lane->to.text), LOG_ERRNO(err));
}

static void on_entry(void *context, const struct bus_entry *entry)
{
    struct lane *lane = context;
    uint64_t number;
    uint64_t previous;
    struct wire_batch batch;
    if (wire_batch_read_header(entry->data, entry->size, &batch) != 0) {
        /* Nobody's batch: no home would ever apply it, and a stamp would only hide that. Or of a
         * version that no edge may write yet: it would stop the home. */
        log_limited(&lane->limit, LOG_LEVEL_ERROR, "an outbox holds what is no batch",
                    LOG_STRING("outbox", lane->outbox->stream.text),
                    LOG_U64("position", entry->position));
        return;
    }
    if (hub_lane_take(&lane->lane, entry->position, (uint32_t)entry->size, entry->time_ms,
                      now_of(lane->forwarder), &number, &previous))
        publish(lane, entry, number, previous);
}

static void on_pause(void *context, bool caught_up)
{
    struct lane *lane = context;
    (void)caught_up;
    follow(lane);
}

static void on_doorbell(void *context, const struct bus_message *message)
{
    struct lane *lane = context;
    struct bus_puback ack;
    if (bus_puback_read(message, &ack) == 0 && ack.position > 0)
        bus_reader_ring(lane->reader, ack.position);
}

/* --- trimming, and how full it is --- */

static bool on_purged(struct bus_request *request, enum bus_outcome outcome,
                      const struct bus_message *message)
{
    (void)request, (void)outcome, (void)message; /* best effort: the next one comes */
    return false;
}

static void trim_when_due(struct lane *lane)
{
    const struct hub_forwarder_settings *settings = &lane->forwarder->settings;
    int64_t age_ms = now_of(lane->forwarder) - lane->trimmed_ms;
    int64_t least_ms = settings->settings->trim_ms;
    if (lane->outbox->permille >= TRIM_EARLY_PERMILLE)
        least_ms /= 10;
    if (lane->lane.applied <= lane->trimmed || age_ms < least_ms || lane->purge.bus != NULL)
        return;
    if (lane->regressed || !hub_outbox_may_trim(&lane->outbox->watch, lane->lane.applied))
        return; /* what is stored there may be new */
    lane->trimmed_ms = now_of(lane->forwarder);
    if (hub_stream_purge(settings->bus, &lane->purge, lane->outbox->stream.text, lane->from.text,
                         lane->lane.applied + 1, API_TIMEOUT_MS) == 0)
        lane->trimmed = lane->lane.applied;
}

/* What is known to have been stored in the outbox as it was. */
static uint64_t highest(const struct outbox *outbox)
{
    const struct hub_forwarder *forwarder = outbox->forwarder;
    uint64_t high = 0;
    for (size_t i = 0; i < forwarder->lane_count; i++) {
        const struct lane *lane = &forwarder->lanes[i];
        if (lane->outbox == outbox && !lane->regressed && lane->lane.last > high)
            high = lane->lane.last;
    }
    return high;
}

static void halt_regressed(struct outbox *outbox, uint64_t last)
{
    struct hub_forwarder *forwarder = outbox->forwarder;
    for (size_t i = 0; i < forwarder->lane_count; i++) {
        struct lane *lane = &forwarder->lanes[i];
        if (lane->outbox != outbox || lane->regressed || lane->lane.last <= last)
            continue;
        log_error("an outbox ends before what was forwarded of it: it was put back to an older "
                  "state, and is not forwarded",
                  LOG_STRING("from", lane->from.text), LOG_U64("last", last),
                  LOG_U64("forwarded", lane->lane.last));
        lane->regressed = true;
        hub_lane_halt(&lane->lane, now_of(forwarder));
        follow(lane);
    }
}

static void judge_info(struct outbox *outbox, uint64_t last)
{
    switch (hub_outbox_told(&outbox->watch, last)) {
    case HUB_OUTBOX_GOOD:
        break;
    case HUB_OUTBOX_DOUBTED:
        outbox->info_ms += DOUBT_MS - outbox->forwarder->settings.settings->stream_info_ms;
        break;
    case HUB_OUTBOX_REGRESSED:
        halt_regressed(outbox, last);
        break;
    }
}

static bool on_info(struct bus_request *request, enum bus_outcome outcome,
                    const struct bus_message *message)
{
    struct outbox *outbox = container_of(request, struct outbox, info);
    struct hub_stream_info info;
    if (outcome == BUS_ANSWER &&
        hub_stream_info_read((struct text){(const char *)message->data, message->size}, &info) == 0)
        outbox->permille = hub_stream_permille(&info);
    else
        return false;
    judge_info(outbox, info.last);
    return false;
}

static void ask_info_when_due(struct outbox *outbox)
{
    const struct hub_forwarder_settings *settings = &outbox->forwarder->settings;
    int64_t now_ms = now_of(outbox->forwarder);
    if (outbox->info.bus != NULL || now_ms - outbox->info_ms < settings->settings->stream_info_ms)
        return;
    outbox->info_ms = now_ms;
    hub_outbox_asked(&outbox->watch, highest(outbox));
    if (hub_stream_info(settings->bus, &outbox->info, outbox->stream.text, API_TIMEOUT_MS) != 0)
        return; /* not now: the last figure stands */
}

static bool is_regressed(const struct hub_forwarder *forwarder, const struct outbox *outbox)
{
    for (size_t i = 0; i < forwarder->lane_count; i++)
        if (forwarder->lanes[i].outbox == outbox && forwarder->lanes[i].regressed)
            return true;
    return false;
}

/* --- from outside --- */

uint64_t hub_forwarder_regressed(const struct hub_forwarder *forwarder)
{
    uint64_t count = 0;
    for (size_t i = 0; i < forwarder->outbox_count; i++)
        count += is_regressed(forwarder, &forwarder->outboxes[i]);
    return count;
}

void hub_forwarder_connected(struct hub_forwarder *forwarder)
{
    for (size_t i = 0; i < forwarder->outbox_count; i++)
        forwarder->outboxes[i].info_ms =
            now_of(forwarder) - forwarder->settings.settings->stream_info_ms;
}

void hub_forwarder_tick(struct hub_forwarder *forwarder)
{
    for (size_t i = 0; i < forwarder->outbox_count; i++)
        ask_info_when_due(&forwarder->outboxes[i]);
    for (size_t i = 0; i < forwarder->lane_count; i++) {
        hub_lane_tick(&forwarder->lanes[i].lane, now_of(forwarder));
        follow(&forwarder->lanes[i]);
        trim_when_due(&forwarder->lanes[i]);
    }
}

void hub_forwarder_heard(struct hub_forwarder *forwarder, struct text region,
                         const struct wire_hub_beat *beat)
{
    static const uint8_t nothing[16];
    const uint8_t *incarnation = nothing;
    uint64_t sequence = 0;
    struct wire_lane at;
    struct wire_cursor lanes = beat->lanes;
    while (wire_lane_next(&lanes, &at)) {
        if (!text_equal(at.source, text_of(forwarder->settings.region->name)))
            continue;
        incarnation = at.incarnation;
        sequence = at.sequence;
        break;
    }
    for (size_t i = 0; i < forwarder->lane_count; i++) {
        struct lane *lane = &forwarder->lanes[i];
        if (lane->shard != beat->shard || !text_equal(text_of(lane->outbox->to->name), region))
            continue;
        hub_lane_heard(&lane->lane, beat->applied, incarnation, sequence, now_of(forwarder));
        follow(lane);
    }
}

bool hub_forwarder_puback(struct hub_forwarder *forwarder, uint64_t number,
                          const struct bus_puback *ack)
{
    uint64_t place = number >> TAG_SHIFT;
    if (place == 0 || place > forwarder->lane_count)
        return false;
    struct lane *lane = &forwarder->lanes[place - 1];
    if (ack->position == 0)
        log_limited(&lane->limit, LOG_LEVEL_WARNING, "a home refused a batch",
                    LOG_STRING("to", lane->to.text), LOG_I64("err_code", ack->err_code),
                    LOG_STRING("why", ack->description));
    hub_lane_puback(&lane->lane, number, ack->position, now_of(forwarder));
    follow(lane);
    return true;
}

size_t hub_forwarder_outboxes(const struct hub_forwarder *forwarder, int64_t wall_ms,
                              struct wire_outbox *ret_outboxes, size_t max)
{
    size_t count = forwarder->outbox_count < max ? forwarder->outbox_count : max;
    for (size_t i = 0; i < count; i++) {
        const struct outbox *outbox = &forwarder->outboxes[i];
        int64_t oldest_ms = 0;
        for (size_t j = 0; j < forwarder->lane_count; j++) {
            int64_t lane_ms = hub_lane_oldest_ms(&forwarder->lanes[j].lane);
            if (forwarder->lanes[j].outbox == outbox && lane_ms != 0 &&
                (oldest_ms == 0 || lane_ms < oldest_ms))
                oldest_ms = lane_ms;
        }
        ret_outboxes[i] = (struct wire_outbox){
            .destination = text_of(outbox->to->name),
            .permille = is_regressed(forwarder, outbox) ? 1000 : outbox->permille,
            .oldest_s = oldest_ms == 0 || oldest_ms > wall_ms
                            ? 0
                            : (uint32_t)((wall_ms - oldest_ms) / 1000),
        };
    }
    return count;
}

/* --- making and freeing --- */

static bool open_lane(struct hub_forwarder *forwarder, struct outbox *outbox, unsigned shard)
{
    const struct hub_forwarder_settings *settings = &forwarder->settings;
    const struct hub_settings *limits = settings->settings;
    struct lane *lane = &forwarder->lanes[forwarder->lane_count++];
    lane->forwarder = forwarder;
    lane->outbox = outbox;
    lane->shard = shard;
    lane->genesis.on_answer = on_genesis;
    lane->ask.on_answer = on_answer;
    lane->purge.on_answer = on_purged;
    lane->trimmed_ms = now_of(forwarder);
    lane->from = wire_outbox_lane(settings->region->name, outbox->to->name, shard);
    lane->to = wire_log_from_lane(outbox->to->name, shard, settings->region->name);
    uint64_t number = settings->first_number & (((uint64_t)1 << (TAG_SHIFT - 1)) - 1);
    int err =
        hub_lane_init(&lane->lane,
                      &(struct hub_lane_settings){
                          .window_bytes = limits->lane_window_bytes,
                          .window_batches = limits->lane_window_batches,
                          .stall_ms = limits->lane_stall_ms,
                          .backoff_min_ms = limits->lane_backoff_min_ms,
                          .backoff_max_ms = limits->lane_backoff_max_ms,
                      },
                      (uint64_t)forwarder->lane_count << TAG_SHIFT | number, now_of(forwarder));
    struct wire_name doorbell =
        wire_outbox_doorbell(settings->region->name, outbox->to->name, shard);
    lane->reader = bus_reader_open(settings->bus, &(struct bus_reader_settings){
                                                      .stream = outbox->stream.text,
                                                      .filter = lane->from.text,
                                                      .from = 1,
                                                      .batch_max = READ_BATCH,
                                                      .bytes_max = READ_BYTES,
                                                      .on_entry = on_entry,
                                                      .on_pause = on_pause,
                                                      .context = lane,
                                                  });
    lane->doorbell = bus_subscribe(settings->bus, doorbell.text, on_doorbell, lane);
    return err == 0 && lane->reader != NULL && lane->doorbell != NULL;
}

static bool open_outbox(struct hub_forwarder *forwarder, const struct catalogue_region *to)
{
    const struct catalogue_region *here = forwarder->settings.region;
    struct outbox *outbox = &forwarder->outboxes[forwarder->outbox_count++];
    outbox->forwarder = forwarder;
    outbox->to = to;
    outbox->stream = wire_outbox_stream(here->name, to->name);
    outbox->info.on_answer = on_info;
    outbox->info_ms = now_of(forwarder) - forwarder->settings.settings->stream_info_ms;
    bool opened = true;
    for (unsigned shard = 0; shard < to->shards && opened; shard++)
        if (shard % here->shards == forwarder->settings.shard)
            opened = open_lane(forwarder, outbox, shard);
    return opened;
}

struct hub_forwarder *hub_forwarder_new(const struct hub_forwarder_settings *settings)
{
    const struct catalogue *catalogue = settings->catalogue;
    struct hub_forwarder *forwarder = calloc(1, sizeof *forwarder);
    if (forwarder == NULL)
        return NULL;
    forwarder->settings = *settings;
    forwarder->outboxes = calloc(catalogue->region_count, sizeof forwarder->outboxes[0]);
    forwarder->lanes =
        calloc(catalogue->region_count * CATALOGUE_SHARDS_MAX, sizeof forwarder->lanes[0]);
    bool opened = forwarder->outboxes != NULL && forwarder->lanes != NULL;
    for (size_t i = 0; i < catalogue->region_count && opened; i++)
        if (strcmp(catalogue->regions[i].name, settings->region->name) != 0)
            opened = open_outbox(forwarder, &catalogue->regions[i]);
    if (!opened) {
        hub_forwarder_free(forwarder);
        return NULL;
    }
    for (size_t i = 0; i < forwarder->lane_count; i++)
        follow(&forwarder->lanes[i]);
    return forwarder;
}

void hub_forwarder_free(struct hub_forwarder *forwarder)
{
    if (forwarder == NULL)
        return;
    for (size_t i = 0; forwarder->lanes != NULL && i < forwarder->lane_count; i++) {
        struct lane *lane = &forwarder->lanes[i];
        bus_request_cancel(&lane->genesis);
        bus_request_cancel(&lane->ask);
        bus_request_cancel(&lane->purge);
        bus_unsubscribe(lane->doorbell);
        bus_reader_close(lane->reader);
        buffer_free(&lane->stamped);
        hub_lane_done(&lane->lane);
    }
    for (size_t i = 0; forwarder->outboxes != NULL && i < forwarder->outbox_count; i++)
        bus_request_cancel(&forwarder->outboxes[i].info);
    free(forwarder->lanes);
    free(forwarder->outboxes);
    free(forwarder);
}
