/* One lane at work: asks the outbox and the home where they are, and does what the lane orders. */
#include "region-hub/hub_forwarder_internal.h"

#include "base/hash.h"
#include "wire/batch.h"
#include "wire/frame.h"

#include <errno.h>
#include <string.h>

enum { ASK_TIMEOUT_MS = 1000, READ_BATCH = 256, READ_BYTES = 1 << 20 };

/* --- asking the home --- */

static void ask_failed(struct hub_forwarder_lane *lane);

static bool is_same_outbox(const struct hub_forwarder_lane *lane)
{
    return memcmp(lane->outbox_incarnation, lane->lane.outbox, sizeof lane->lane.outbox) == 0;
}

static void both_there(struct hub_forwarder_lane *lane)
{
    if (!lane->has_genesis || !lane->has_answer)
        return;
    if (lane->regressed && is_same_outbox(lane)) {
        ask_failed(lane); /* until it has a new incarnation: meridian provision --renew-outbox */
        return;
    }
    if (lane->regressed) {
        log_info("an outbox was begun anew: it is forwarded again",
                 LOG_STRING("from", lane->from.text));
        hub_outbox_begun_anew(lane->outbox);
    }
    lane->regressed = false;
    hub_lane_answered(&lane->lane, lane->outbox_incarnation, lane->home_incarnation,
                      lane->home_sequence, hub_forwarder_now_ms(lane->forwarder));
    hub_forwarder_follow(lane);
}

static void ask_failed(struct hub_forwarder_lane *lane)
{
    bus_request_cancel(&lane->genesis);
    bus_request_cancel(&lane->ask);
    hub_lane_ask_failed(&lane->lane, hub_forwarder_now_ms(lane->forwarder));
    hub_forwarder_follow(lane);
}

static bool on_genesis(struct bus_request *request, enum bus_outcome outcome,
                       const struct bus_message *message)
{
    struct hub_forwarder_lane *lane = container_of(request, struct hub_forwarder_lane, genesis);
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
    struct hub_forwarder_lane *lane = container_of(request, struct hub_forwarder_lane, ask);
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

static int ask_home(struct hub_forwarder_lane *lane)
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

static void ask(struct hub_forwarder_lane *lane)
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

static void tell(struct hub_forwarder_lane *lane)
{
    bool open = lane->lane.state == HUB_LANE_OPEN;
    if (open != (lane->told == HUB_LANE_OPEN))
        log_limited(&lane->limit, LOG_LEVEL_INFO, open ? "lane opened" : "lane closed",
                    LOG_STRING("from", lane->from.text),
                    LOG_STRING("state", hub_lane_state_name(lane->lane.state)),
                    LOG_U64("applied", lane->lane.applied));
    lane->told = lane->lane.state;
}

void hub_forwarder_follow(struct hub_forwarder_lane *lane)
{
    struct hub_lane_orders orders = hub_lane_orders(&lane->lane);
    tell(lane);
    if (orders.seek)
        bus_reader_seek(lane->reader, lane->lane.next);
    /* One that is not taken is known to be there; reading more of them helps nobody. */
    bus_reader_hold(lane->reader, lane->outbox->watch.doubted ||
                                      (!hub_lane_wants(&lane->lane) && lane->lane.missed));
    if (orders.ask)
        ask(lane);
}

static void publish(struct hub_forwarder_lane *lane, const struct bus_entry *entry, uint64_t number,
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
    struct hub_forwarder_lane *lane = context;
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
                      hub_forwarder_now_ms(lane->forwarder), &number, &previous)) {
        hub_outbox_forwarded(lane->outbox, entry);
        publish(lane, entry, number, previous);
    }
}

static void on_pause(void *context, bool caught_up)
{
    struct hub_forwarder_lane *lane = context;
    (void)caught_up;
    hub_forwarder_follow(lane);
}

static void on_doorbell(void *context, const struct bus_message *message)
{
    struct hub_forwarder_lane *lane = context;
    uint64_t position;
    if (bus_ring_read(message, &position) == 0)
        bus_reader_ring(lane->reader, position);
}

/* --- standing still --- */

static struct hub_reroute *make_reroute(const struct hub_forwarder_lane *lane)
{
    const struct hub_forwarder_settings *settings = &lane->forwarder->settings;
    uint64_t number;
    hash_random(&number, sizeof number);
    return hub_reroute_new(&(struct hub_reroute_settings){
        .loop = settings->loop,
        .bus = settings->bus,
        .settings = settings->settings,
        .catalogue = settings->catalogue,
        .region = settings->region,
        .gone = lane->outbox->to,
        .stream = lane->outbox->stream.text,
        .lane = lane->from.text,
        .from = lane->lane.applied + 1,
        .process = settings->process,
        .first_number = number >> 17, /* below the numbers of lanes */
    });
}

static void end_reroute(struct hub_forwarder_lane *lane)
{
    const uint64_t sent = lane->reroute == NULL ? 0 : hub_reroute_sent(lane->reroute);
    if (sent > 0)
        log_info("what waited for a region that was gone was sent on to those who left it",
                 LOG_STRING("from", lane->from.text), LOG_U64("sent", sent));
    hub_reroute_free(lane->reroute);
    lane->reroute = NULL;
}

void hub_forwarder_watch(struct hub_forwarder_lane *lane)
{
    const int64_t now_ms = hub_forwarder_now_ms(lane->forwarder);
    const bool moves = lane->lane.state == HUB_LANE_OPEN || lane->lane.applied != lane->seen;
    if (moves || lane->regressed || hub_lane_oldest_ms(&lane->lane) == 0) {
        lane->seen = lane->lane.applied;
        lane->moved_ms = now_ms;
        if (moves || lane->regressed)
            end_reroute(lane);
    } else if (lane->reroute == NULL && now_ms - lane->moved_ms >= HUB_REROUTE_AFTER_MS) {
        lane->reroute = make_reroute(lane);
    }
    if (lane->reroute != NULL)
        hub_reroute_tick(lane->reroute);
}

/* --- opening and closing --- */

bool hub_forwarder_open_lane(struct hub_forwarder *forwarder, struct hub_outbox *outbox,
                             unsigned shard)
{
    const struct hub_forwarder_settings *settings = &forwarder->settings;
    const struct hub_settings *limits = settings->settings;
    struct hub_forwarder_lane *lane = &forwarder->lanes[forwarder->lane_count++];
    lane->forwarder = forwarder;
    lane->outbox = outbox;
    lane->shard = shard;
    lane->genesis.on_answer = on_genesis;
    lane->ask.on_answer = on_answer;
    lane->trimmed_ms = lane->moved_ms = hub_forwarder_now_ms(forwarder);
    lane->from = wire_outbox_lane(settings->region->name, outbox->to->name, shard);
    lane->to = wire_log_from_lane(outbox->to->name, shard, settings->region->name);
    uint64_t number = settings->first_number & (((uint64_t)1 << (HUB_FORWARDER_TAG_SHIFT - 1)) - 1);
    int err = hub_lane_init(&lane->lane,
                            &(struct hub_lane_settings){
                                .window_bytes = limits->lane_window_bytes,
                                .window_batches = limits->lane_window_batches,
                                .stall_ms = limits->lane_stall_ms,
                                .backoff_min_ms = limits->lane_backoff_min_ms,
                                .backoff_max_ms = limits->lane_backoff_max_ms,
                            },
                            (uint64_t)forwarder->lane_count << HUB_FORWARDER_TAG_SHIFT | number,
                            hub_forwarder_now_ms(forwarder));
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

void hub_forwarder_close_lane(struct hub_forwarder_lane *lane)
{
    bus_request_cancel(&lane->genesis);
    bus_request_cancel(&lane->ask);
    bus_request_cancel(&lane->purge);
    bus_unsubscribe(lane->doorbell);
    bus_reader_close(lane->reader);
    buffer_free(&lane->stamped);
    hub_reroute_free(lane->reroute);
    hub_lane_done(&lane->lane);
}
