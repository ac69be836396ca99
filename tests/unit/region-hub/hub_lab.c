#include "hub_lab.h"

#include "base/hash.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

void lab_turn(struct lab *lab, int64_t ms)
{
    int64_t until_ms = loop_now_ms(lab->loop) + ms;
    do
        assert_int_equal(loop_turn(lab->loop, 5), 0);
    while (loop_now_ms(lab->loop) < until_ms);
}

/* --- streams --- */

static void make_stream(struct lab *lab, const char *name, const char *subjects)
{
    char json[512];
    snprintf(json, sizeof json,
             "{\"name\":\"%s\",\"subjects\":[\"%s\"],\"storage\":\"file\",\"discard\":\"new\","
             "\"max_bytes\":16777216,\"allow_direct\":true%s}",
             name, subjects, strncmp(name, "KV_", 3) == 0 ? ",\"max_msgs_per_subject\":1" : "");
    server_create_stream(lab->loop, lab->bus, name, json);
}

void lab_store(struct lab *lab, const char *subject, const void *bytes, size_t size)
{
    char reply[64];
    uint64_t number = ++lab->published;
    snprintf(reply, sizeof reply, "pa.sin.0.sin-1.%llu", (unsigned long long)number);
    uint64_t before = lab->pubacks_counted;
    assert_int_equal(bus_publish(lab->bus, subject, reply, bytes, size), 0);
    LAB_WAIT(lab, lab->pubacks_counted > before);
}

static const struct wire_config config_of_logs = {
    .level = WIRE_LEVEL,
    .dedupe_window_s = 3600,
    .retention_s = 3600,
    .mailbox_max_messages = 1000,
    .mailbox_max_bytes = 1 << 20,
    .devices_max = 4,
};

void lab_configure(struct lab *lab, uint32_t retention_s, uint32_t messages_max)
{
    struct wire_config config = config_of_logs;
    struct buffer bytes = {0};
    struct wire_batch_writer writer;
    config.retention_s = retention_s;
    config.mailbox_max_messages = messages_max;
    wire_batch_begin(&writer, &bytes);
    wire_config_write(&writer, &config);
    assert_int_equal(wire_batch_end(&writer), 0);
    lab_store(lab, wire_log_from_hubs("sin", 0).text, bytes.data, bytes.size);
    buffer_free(&bytes);
}

static void begin_stream(struct lab *lab, const char *subject, const char *region,
                         const char *destination)
{
    struct wire_genesis genesis = {
        .stream = destination[0] == '\0' ? 0 : 1,
        .region = text_of(region),
        .destination = text_of(destination),
        .shards = 1,
        .hash_name = TEXT(HASH_SHARD_NAME),
        .hash_version = HASH_SHARD_VERSION,
    };
    hash_random(genesis.incarnation, sizeof genesis.incarnation);
    struct buffer bytes = {0};
    struct wire_batch_writer writer;
    wire_batch_begin(&writer, &bytes);
    wire_genesis_write(&writer, &genesis);
    if (destination[0] == '\0')
        wire_config_write(&writer, &config_of_logs);
    assert_int_equal(wire_batch_end(&writer), 0);
    lab_store(lab, subject, bytes.data, bytes.size);
    buffer_free(&bytes);
}

static void begin_log(struct lab *lab, const char *region)
{
    make_stream(lab, wire_log_stream(region, 0).text, wire_log_subjects(region, 0).text);
    begin_stream(lab, wire_log_from_hubs(region, 0).text, region, "");
}

struct deletion {
    struct bus_request request;
    bool ended;
};

static bool on_deleted(struct bus_request *request, enum bus_outcome outcome,
                       const struct bus_message *message)
{
    (void)message;
    assert_int_equal(outcome, BUS_ANSWER);
    container_of(request, struct deletion, request)->ended = true;
    return false;
}

void lab_remake_log(struct lab *lab, const char *region)
{
    struct deletion deletion = {.request.on_answer = on_deleted};
    char subject[512];
    snprintf(subject, sizeof subject, "$JS.API.STREAM.DELETE.%s", wire_log_stream(region, 0).text);
    assert_int_equal(bus_request(lab->bus, &deletion.request, subject, "", 0, 5000), 0);
    LAB_WAIT(lab, deletion.ended);
    begin_log(lab, region);
}

static void make_streams(struct lab *lab)
{
    begin_log(lab, "sin");
    begin_log(lab, "dub");
    make_stream(lab, wire_outbox_stream("sin", "dub").text,
                wire_outbox_subjects("sin", "dub").text);
    begin_stream(lab, wire_outbox_genesis("sin", "dub").text, "sin", "dub");
    make_stream(lab, wire_outbox_stream("dub", "sin").text,
                wire_outbox_subjects("dub", "sin").text);
    begin_stream(lab, wire_outbox_genesis("dub", "sin").text, "dub", "sin");
    const struct wire_bucket directory = {.of = 1};
    make_stream(lab, wire_directory_stream(directory).text,
                wire_directory_subjects(directory).text);
}

/* --- the edge --- */

static void put(char *to, size_t size, struct text from)
{
    snprintf(to, size, "%.*s", TEXT_ARGS(from));
}

static void keep(struct lab *lab, uint64_t generation, const struct wire_entry *entry)
{
    assert_true(lab->heard_count < LAB_HEARD_MAX);
    struct lab_heard *heard = &lab->heard[lab->heard_count++];
    *heard = (struct lab_heard){.kind = entry->kind, .generation = generation};
    switch (entry->kind) {
    case WIRE_ATTACHED:
        heard->code = entry->attached.code;
        heard->flags = entry->attached.flags;
        heard->attach = entry->attached.attach;
        heard->seq = entry->attached.seq;
        heard->head = entry->attached.head;
        put(heard->user, sizeof heard->user, entry->attached.user);
        break;
    case WIRE_DELIVER:
        heard->attach = entry->deliver.attach;
        heard->seq = entry->deliver.seq;
        put(heard->user, sizeof heard->user, entry->deliver.user);
        put(heard->id, sizeof heard->id, entry->deliver.id);
        put(heard->text, sizeof heard->text, entry->deliver.body);
        break;
    case WIRE_ACKED:
        heard->attach = entry->acked.attach;
        heard->seq = entry->acked.seq;
        break;
    case WIRE_READ_NOTED:
        heard->seq = entry->read_noted.seq;
        put(heard->user, sizeof heard->user, entry->read_noted.user);
        break;
    case WIRE_SHOWN:
        heard->code = entry->shown.code;
        heard->seq = entry->shown.seq;
        break;
    case WIRE_KICK:
        heard->attach = entry->kick.attach;
        heard->code = entry->kick.reason;
        break;
    case WIRE_GAP:
        heard->attach = entry->gap.attach;
        heard->seq = entry->gap.to;
        heard->from = entry->gap.from;
        put(heard->text, sizeof heard->text, entry->gap.reason);
        break;
    case WIRE_UNATTACHED:
        heard->attach = entry->unattached.attach;
        break;
    case WIRE_CLAIMED:
        heard->code = entry->claimed.code;
        put(heard->user, sizeof heard->user, entry->claimed.user);
        put(heard->text, sizeof heard->text, entry->claimed.home);
        break;
    default:
        fail_msg("an entry of kind %u", entry->kind);
    }
}

static void on_edge_message(void *context, const struct bus_message *message)
{
    struct lab *lab = context;
    struct wire_frame frame;
    struct wire_entry entry;
    int err;
    assert_int_equal(wire_frame_read(message->data, message->size, &frame), 0);
    while ((err = wire_entry_next(&frame, &entry)) == 0)
        keep(lab, frame.generation, &entry);
    assert_int_equal(err, -ENODATA);
}

static void on_puback(void *context, const struct bus_message *message)
{
    struct lab *lab = context;
    struct bus_puback ack;
    if (bus_puback_read(message, &ack) != 0 || ack.position == 0)
        return;
    lab->pubacks_counted++;
    if (ack.position > lab->stored)
        lab->stored = ack.position;
}

static void on_hub_beat(void *context, const struct bus_message *message)
{
    struct lab *lab = context;
    struct wire_hub_beat beat;
    struct wire_edge_count count;
    assert_int_equal(wire_hub_beat_read(message->data, message->size, &beat), 0);
    if (!text_equal(message->subject, TEXT("beat.hub.sin.0")) ||
        beat.generation < lab->beat_generation)
        return;
    lab->beat_generation = beat.generation;
    lab->beat_attached = 0;
    while (wire_edge_count_next(&beat, &count))
        if (text_equal(count.edge, TEXT("sin-1")))
            lab->beat_attached = count.attached;
}

static void on_beat_timer(struct loop_timer *timer)
{
    struct lab *lab = container_of(timer, struct lab, beat_timer);
    struct buffer bytes = {0};
    const struct wire_edge_beat beat = {
        .edge = TEXT("sin-1"), .region = TEXT("sin"), .start = lab->edge_start};
    assert_int_equal(wire_edge_beat_write(&bytes, &beat), 0);
    if (bus_is_connected(lab->bus))
        assert_int_equal(bus_publish(lab->bus, wire_edge_beat_subject("sin", "sin-1").text, NULL,
                                     bytes.data, bytes.size),
                         0);
    buffer_free(&bytes);
    loop_timer_set(lab->loop, timer, 200);
}

void lab_say(struct lab *lab, const char *verb, const struct wire_entry *entry)
{
    struct buffer bytes = {0};
    struct wire_frame_writer frame;
    const struct wire_frame head = {.region = TEXT("sin"), .from = TEXT("sin-1")};
    wire_frame_begin(&frame, &bytes, &head);
    wire_entry_write(&frame, entry);
    assert_int_equal(wire_frame_end(&frame), 0);
    assert_int_equal(
        bus_publish(lab->bus, wire_hub_subject("sin", 0, verb).text, NULL, bytes.data, bytes.size),
        0);
    buffer_free(&bytes);
}

uint64_t lab_attach(struct lab *lab, const char *user, const char *device, uint64_t number,
                    uint8_t flags, uint64_t seq)
{
    const struct wire_entry entry = {
        .kind = WIRE_ATTACH,
        .attach = {.request = ++lab->requests,
                   .user = text_of(user),
                   .device = text_of(device),
                   .attach = number,
                   .flags = flags,
                   .epoch = 1,
                   .seq = seq},
    };
    for (int tries = 0; tries < 40; tries++) { /* as an edge does: until it is answered */
        lab_say(lab, "attach", &entry);
        for (int i = 0; i < 25; i++) {
            lab_turn(lab, 10);
            while (lab->shown < lab->heard_count) {
                const struct lab_heard *heard = &lab->heard[lab->shown++];
                if (heard->kind == WIRE_ATTACHED)
                    return heard->attach;
            }
        }
    }
    fail_msg("no answer to an attach");
    return 0;
}

void lab_report(struct lab *lab, const char *user, const char *device, uint64_t attach,
                uint64_t received, uint64_t acked)
{
    const struct wire_entry entry = {
        .kind = WIRE_REPORT,
        .report = {.user = text_of(user),
                   .device = text_of(device),
                   .attach = attach,
                   .epoch = 1,
                   .received = received,
                   .acked = acked},
    };
    lab_say(lab, "ack", &entry);
}

const struct lab_heard *lab_wait_for(struct lab *lab, uint8_t kind)
{
    return lab_wait_for_either(lab, kind, kind);
}

const struct lab_heard *lab_wait_for_either(struct lab *lab, uint8_t kind, uint8_t other)
{
    for (int tries = 0; tries < 1000; tries++) {
        while (lab->shown < lab->heard_count)
            if (lab->heard[lab->shown++].kind == kind || lab->heard[lab->shown - 1].kind == other)
                return &lab->heard[lab->shown - 1];
        lab_turn(lab, 10);
    }
    fail_msg("nothing of kind %u came", kind);
    return NULL;
}

void lab_must_not_hear(struct lab *lab, uint8_t kind, int64_t ms)
{
    lab_turn(lab, ms);
    for (; lab->shown < lab->heard_count; lab->shown++)
        assert_int_not_equal(lab->heard[lab->shown].kind, kind);
}

void lab_send(struct lab *lab, const char *subject, const char *user, const char *prefix,
              unsigned count)
{
    lab_send_ttl(lab, subject, user, prefix, count, 0);
}

void lab_send_ttl(struct lab *lab, const char *subject, const char *user, const char *prefix,
                  unsigned count, uint32_t ttl_s)
{
    struct buffer bytes = {0};
    struct wire_batch_writer writer;
    wire_batch_begin(&writer, &bytes);
    for (unsigned i = 1; i <= count; i++) {
        char id[32];
        char body[40];
        snprintf(id, sizeof id, "%s%u", prefix, i);
        snprintf(body, sizeof body, "\"%s%u\"", prefix, i);
        const struct wire_message message = {.sender = TEXT("alice"),
                                             .device = TEXT("desk"),
                                             .id = text_of(id),
                                             .body = text_of(body),
                                             .ttl_s = ttl_s,
                                             .created_ms = 1};
        const struct wire_recipient to = {.kind = WIRE_USER, .name = text_of(user)};
        wire_message_write(&writer, &message, &to, 1);
    }
    assert_int_equal(wire_batch_end(&writer), 0);
    lab_store(lab, subject, bytes.data, bytes.size);
    buffer_free(&bytes);
}

/* --- hubs --- */

void lab_hub_start(struct lab *lab, struct lab_hub *hub, const char *name)
{
    struct hub_settings *settings = &hub->settings;
    settings_defaults(hub_settings_table, settings);
    snprintf(settings->name, sizeof settings->name, "%s", name);
    snprintf(settings->region, sizeof settings->region, "%.3s", name);
    snprintf(settings->data, sizeof settings->data, "%s/%s", lab->server.folder, name);
    snprintf(settings->nats_urls, sizeof settings->nats_urls, "%s", lab->server.url);
    settings->owner_silent_ms = 600;
    settings->owner_step_ms = 100;
    settings->beat_ms = 100;
    settings->repair_ms = 400;
    settings->ack_interval_ms = 200;
    settings->lane_stall_ms = 500;
    settings->lane_backoff_min_ms = 50;
    settings->trim_ms = 100;
    settings->log_check_ms = 200;
    settings->log_doubt_ms = 1500;
    settings->tick_ms = 300;
    settings->writer_retry_ms = 300;
    if (lab->adjust != NULL)
        lab->adjust(settings);
    (void)mkdir(settings->data, 0700);
    struct hub_shard_place place = {
        .settings = settings,
        .catalogue = lab->catalogue,
        .region = catalogue_region(lab->catalogue, text_of(settings->region)),
        .hub_index = name[5] == '2' ? 1 : 0,
    };
    hash_random(&place.start, sizeof place.start);
    struct error_text why = {0};
    hub->shard = hub_shard_start(&place, &why);
    if (hub->shard == NULL)
        fail_msg("%s", why.text);
}

void lab_hub_stop(struct lab *lab, struct lab_hub *hub, bool orderly)
{
    (void)lab;
    hub_shard_stop(hub->shard, orderly);
    assert_int_equal(hub_shard_join(hub->shard, loop_now_ms(lab->loop) + 10000), 0);
    hub->shard = NULL;
}

/* --- making and freeing --- */

static const char catalogue_text[] =
    "primary: sin\n"
    "regions:\n"
    "  - name: sin\n"
    "    latitude: 1\n"
    "    longitude: 103\n"
    "    shards: 1\n"
    "    nodes: [{name: n1, client: \"127.0.0.1:1\", cluster: \"127.0.0.1:2\","
    " gateway: \"127.0.0.1:3\"}]\n"
    "    hubs: [{name: sin-h1, health: \"127.0.0.1:4\"}, {name: sin-h2, health: \"127.0.0.1:5\"}]\n"
    "    edges: [{name: sin-1, listen: \"127.0.0.1:6\", url: \"http://127.0.0.1:6\"}]\n"
    "  - name: dub\n"
    "    latitude: 53\n"
    "    longitude: -6\n"
    "    shards: 1\n"
    "    nodes: [{name: n2, client: \"127.0.0.1:7\", cluster: \"127.0.0.1:8\","
    " gateway: \"127.0.0.1:9\"}]\n"
    "    hubs: [{name: dub-h1, health: \"127.0.0.1:10\"}]\n"
    "    edges: [{name: dub-1, listen: \"127.0.0.1:11\", url: \"http://127.0.0.1:11\"}]\n";

struct lab *lab_new(void)
{
    struct error_text why = {0};
    struct lab *lab = calloc(1, sizeof *lab);
    assert_non_null(lab);
    server_init(&lab->server);
    server_start(&lab->server);
    lab->catalogue = catalogue_load_text(text_of(catalogue_text), "test", &why);
    if (lab->catalogue == NULL)
        fail_msg("%s", why.text);
    lab->loop = loop_new();
    lab->bus =
        bus_open(lab->loop, &(struct bus_settings){.urls = lab->server.url, .name = "sin-1"}, &why);
    assert_non_null(lab->bus);
    LAB_WAIT(lab, bus_is_connected(lab->bus));
    lab->edge_start = 1;
    lab->pubacks = bus_subscribe(lab->bus, "pa.*.*.sin-1.*", on_puback, lab);
    lab->edge_subject =
        bus_subscribe(lab->bus, wire_edge_subject("sin", "sin-1").text, on_edge_message, lab);
    lab->beats = bus_subscribe(lab->bus, WIRE_HUB_BEATS, on_hub_beat, lab);
    make_streams(lab);
    lab->beat_timer.on_due = on_beat_timer;
    on_beat_timer(&lab->beat_timer);
    return lab;
}

void lab_free(struct lab *lab)
{
    for (size_t i = 0; i < COUNT_OF(lab->hubs); i++)
        if (lab->hubs[i].shard != NULL)
            lab_hub_stop(lab, &lab->hubs[i], false);
    loop_timer_stop(lab->loop, &lab->beat_timer);
    bus_unsubscribe(lab->edge_subject);
    bus_unsubscribe(lab->pubacks);
    bus_unsubscribe(lab->beats);
    bus_close(lab->bus);
    loop_free(lab->loop);
    catalogue_free(lab->catalogue);
    server_done(&lab->server);
    free(lab);
}
