/* Load on one hub over the real bus, of a region with one shard.
 *
 *   hub_load fill   --nats URL --region R --edge E --users N --messages M
 *   hub_load attach --nats URL --region R --edge E --users N --rounds K [--missed COUNT]
 *
 * `fill` writes messages to the shard's log as an edge does, in batches of 100, FILL_WINDOW on
 * their way, to the users in turn: each has M/N messages then. `attach` plays the edge E (which
 * must not run) to the hub: it attaches one device of each user at its mailbox's head, or COUNT
 * messages below it, ATTACH_WINDOW on their way, until each has its answer and all it missed; K
 * times, with all detached in between, which is not timed. The first round asks for the heads and
 * is not told. Prints one JSON object a round. */
#include "base/buffer.h"
#include "base/clock.h"
#include "base/hash.h"
#include "bus/bus.h"
#include "bus/bus_stream.h"
#include "loop/loop.h"
#include "wire/beat.h"
#include "wire/frame.h"
#include "wire/names.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BATCH = 100,
    BODY_SIZE = 180,
    FILL_WINDOW = 16,
    ATTACH_WINDOW = 2000,
    ATTACH_FRAME = 100, /* as many as an edge has in a turn, when many come at once */
    BEAT_MS = 500,
    AGAIN_US = 2000000, /* without any progress: asked again */
    ROUND_MAX_US = 120000000,
};

struct device {
    uint32_t epoch;
    uint64_t head;
    uint64_t attach; /* 0: not answered in this round */
    uint64_t received;
};

static const char *region = "sin", *edge = "sin-1", *nats = "nats://127.0.0.1:4222";
static uint64_t users = 10000, messages, rounds = 1, missed;
static struct loop *loop;
static struct bus *bus;
static struct device *devices;
static uint64_t start_number, beats;
static uint64_t on_way, stored, attached, complete, delivered;
static int64_t progress_us, beat_ms;
static bool learning;
static struct buffer out, reports;
static struct wire_frame_writer report_writer;

static void must(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "hub_load: %s\n", what);
    exit(1);
}

static void send(const char *subject, const char *reply, const struct buffer *bytes)
{
    must(bus_publish(bus, subject, reply, bytes->data, bytes->size) == 0, "publish");
}

/* --- fill --- */

static void on_puback(void *context, const struct bus_message *message)
{
    (void)context;
    struct bus_puback ack;
    must(bus_puback_read(message, &ack) == 0 && ack.position != 0, "the log refused a batch");
    stored++;
    on_way--;
}

static void fill_batch(uint64_t first)
{
    static char body[BODY_SIZE + 1];
    char name[32], id[32];
    struct wire_batch_writer writer;
    memset(body, '1', BODY_SIZE);
    buffer_clear(&out);
    wire_batch_begin(&writer, &out);
    for (uint64_t n = first; n < first + BATCH && n < messages; n++) {
        snprintf(name, sizeof name, "user-%" PRIu64, n % users);
        snprintf(id, sizeof id, "%016" PRIx64, n);
        const struct wire_recipient to = {WIRE_USER, text_of(name)};
        const struct wire_message message = {.sender = TEXT("filler"),
                                             .device = TEXT("phone"),
                                             .id = text_of(id),
                                             .body = text_of(body)};
        wire_message_write(&writer, &message, &to, 1);
    }
    must(wire_batch_end(&writer) == 0, "batch");
    struct wire_name subject = wire_log_from_edges(region, 0);
    struct wire_name reply = wire_log_puback(region, 0, edge, first);
    send(subject.text, reply.text, &out);
    on_way++;
}

static void fill(void)
{
    must(bus_subscribe(bus, wire_pubacks_of(edge).text, on_puback, NULL) != NULL, "subscribe");
    int64_t begin = clock_monotonic_us();
    uint64_t next = 0;
    while (next < messages || on_way > 0) {
        for (; next < messages && on_way < FILL_WINDOW; next += BATCH)
            fill_batch(next);
        must(loop_turn(loop, 1000) == 0, "loop");
    }
    printf("{\"batches\":%" PRIu64 ",\"seconds\":%.3f}\n", stored,
           (double)(clock_monotonic_us() - begin) / 1e6);
}

/* --- attach --- */

static void beat_when_due(void)
{
    int64_t now = clock_monotonic_ms();
    if (now - beat_ms < BEAT_MS)
        return;
    beat_ms = now;
    struct buffer bytes = {0};
    const struct wire_edge_beat beat = {.edge = text_of(edge),
                                        .region = text_of(region),
                                        .start = start_number,
                                        .number = ++beats,
                                        .connections = (uint32_t)attached};
    must(wire_edge_beat_write(&bytes, &beat) == 0, "beat");
    struct wire_name subject = wire_edge_beat_subject(region, edge);
    send(subject.text, NULL, &bytes);
    buffer_free(&bytes);
}

static void frame_begin(struct wire_frame_writer *writer, struct buffer *bytes)
{
    const struct wire_frame head = {.region = text_of(region), .from = text_of(edge)};
    buffer_clear(bytes);
    wire_frame_begin(writer, bytes, &head);
}

static void frame_send(struct wire_frame_writer *writer, const struct buffer *bytes,
                       const char *verb)
{
    if (writer->count == 0)
        return;
    must(wire_frame_end(writer) == 0, "frame");
    struct wire_name subject = wire_hub_subject(region, 0, verb);
    send(subject.text, NULL, bytes);
}

/* What the device has had is reported, as an edge does, or the hub would send it again. */
static void report(uint64_t user, const struct device *device)
{
    char name[32];
    snprintf(name, sizeof name, "user-%" PRIu64, user);
    const struct wire_entry entry = {.kind = WIRE_REPORT,
                                     .report = {.user = text_of(name),
                                                .device = TEXT("phone"),
                                                .attach = device->attach,
                                                .epoch = device->epoch,
                                                .received = device->received}};
    wire_entry_write(&report_writer, &entry);
}

static void completed(uint64_t user, const struct device *device)
{
    complete++;
    on_way--;
    if (missed > 0 && !learning)
        report(user, device);
}

static void on_attached(const struct wire_attached *answer)
{
    struct device *device = &devices[answer->request % users];
    if (device->attach != 0)
        return;
    must(answer->code == WIRE_OK, "an attach was refused");
    if (learning) {
        device->head = answer->head;
        device->epoch = answer->epoch;
    } else {
        must(answer->seq + missed == device->head, "not resumed where it was");
    }
    device->attach = answer->attach;
    device->received = answer->seq;
    attached++;
    if (answer->seq == answer->head)
        completed(answer->request % users, device);
}

static void on_deliver(const struct wire_deliver *deliver)
{
    uint64_t user;
    struct text digits = {deliver->user.data + 5, deliver->user.size - 5};
    must(text_to_u64(digits, users - 1, &user) == 0, "whose is it?");
    struct device *device = &devices[user];
    if (deliver->seq != device->received + 1)
        return; /* a repeat */
    device->received = deliver->seq;
    delivered++;
    if (device->received == device->head)
        completed(user, device);
}

static void on_frame(void *context, const struct bus_message *message)
{
    (void)context;
    struct wire_frame frame;
    struct wire_entry entry;
    must(wire_frame_read(message->data, message->size, &frame) == 0, "frame");
    frame_begin(&report_writer, &reports);
    while (wire_entry_next(&frame, &entry) == 0) {
        if (entry.kind == WIRE_ATTACHED)
            on_attached(&entry.attached);
        else if (entry.kind == WIRE_DELIVER)
            on_deliver(&entry.deliver);
    }
    frame_send(&report_writer, &reports, "ack");
    progress_us = clock_monotonic_us();
}

static void ask(struct wire_frame_writer *writer, uint64_t user)
{
    char name[32];
    const struct device *device = &devices[user];
    snprintf(name, sizeof name, "user-%" PRIu64, user);
    uint64_t seq = device->head > missed ? device->head - missed : 0;
    const struct wire_entry entry = {
        .kind = WIRE_ATTACH,
        .attach = {.request = user,
                   .user = text_of(name),
                   .device = TEXT("phone"),
                   .flags = learning ? WIRE_ATTACH_FROM_HEAD : WIRE_ATTACH_HAS_CURSOR,
                   .epoch = device->epoch,
                   .seq = learning ? 0 : seq}};
    wire_entry_write(writer, &entry);
    on_way++;
}

static void ask_some(uint64_t *next)
{
    while (*next < users && on_way + ATTACH_FRAME <= ATTACH_WINDOW) {
        struct wire_frame_writer writer;
        frame_begin(&writer, &out);
        for (int i = 0; i < ATTACH_FRAME && *next < users; i++)
            ask(&writer, (*next)++);
        frame_send(&writer, &out, "attach");
    }
}

/* Frames may be lost: all that has no answer is asked for again. */
static void ask_again(uint64_t next)
{
    for (uint64_t user = 0; user < next; user++) {
        if (devices[user].attach != 0)
            continue;
        struct wire_frame_writer writer;
        frame_begin(&writer, &out);
        ask(&writer, user);
        on_way--;
        frame_send(&writer, &out, "attach");
    }
}

/* Requests of one shard come in order: what is asked for next finds nobody attached. */
static void detach_all(void)
{
    for (uint64_t user = 0; user < users;) {
        struct wire_frame_writer writer;
        frame_begin(&writer, &out);
        for (int i = 0; i < ATTACH_FRAME && user < users; i++, user++) {
            char name[32];
            snprintf(name, sizeof name, "user-%" PRIu64, user);
            const struct wire_entry entry = {.kind = WIRE_DETACH,
                                             .detach = {.user = text_of(name),
                                                        .device = TEXT("phone"),
                                                        .attach = devices[user].attach}};
            wire_entry_write(&writer, &entry);
        }
        frame_send(&writer, &out, "detach");
    }
    for (int64_t end = clock_monotonic_ms() + 1000; clock_monotonic_ms() < end; beat_when_due())
        must(loop_turn(loop, 100) == 0, "loop");
}

static void attach_all(void)
{
    for (uint64_t i = 0; i < users; i++)
        devices[i].attach = devices[i].received = 0;
    on_way = attached = complete = delivered = 0;
    beat_when_due();
    int64_t begin = clock_monotonic_us();
    progress_us = begin;
    for (uint64_t next = 0; complete < users;) {
        beat_when_due();
        ask_some(&next);
        must(loop_turn(loop, 100) == 0, "loop");
        int64_t now = clock_monotonic_us();
        must(now - begin < ROUND_MAX_US, "the round does not end");
        if (now - progress_us > AGAIN_US) {
            ask_again(next);
            progress_us = now;
        }
    }
    double took_s = (double)(clock_monotonic_us() - begin) / 1e6;
    if (!learning)
        printf("{\"attached\":%" PRIu64 ",\"delivered\":%" PRIu64 ",\"seconds\":%.3f}\n", attached,
               delivered, took_s);
    fflush(stdout);
    detach_all();
}

static void attach(void)
{
    hash_random(&start_number, sizeof start_number);
    devices = calloc(users, sizeof *devices);
    struct wire_name subject = wire_edge_subject(region, edge);
    must(devices != NULL && bus_subscribe(bus, subject.text, on_frame, NULL) != NULL, "subscribe");
    learning = true;
    attach_all();
    learning = false;
    printf("{\"ready\":true}\n");
    fflush(stdout);
    for (uint64_t i = 0; i < rounds; i++)
        attach_all();
}

static void parse(int argc, char **argv)
{
    static const struct option longs[] = {
        {"nats", required_argument, NULL, 'n'},     {"region", required_argument, NULL, 'r'},
        {"edge", required_argument, NULL, 'e'},     {"users", required_argument, NULL, 'u'},
        {"messages", required_argument, NULL, 'm'}, {"rounds", required_argument, NULL, 'k'},
        {"missed", required_argument, NULL, 'x'},   {0}};
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        uint64_t number = 0;
        if (strchr("umkx", c) != NULL)
            must(text_to_u64(text_of(optarg), 100000000, &number) == 0, optarg);
        if (c == 'n')
            nats = optarg;
        else if (c == 'r')
            region = optarg;
        else if (c == 'e')
            edge = optarg;
        else if (c == 'u')
            users = number;
        else if (c == 'm')
            messages = number;
        else if (c == 'k')
            rounds = number;
        else if (c == 'x')
            missed = number;
        else
            exit(2);
    }
    must(users > 0, "--users?");
}

int main(int argc, char **argv)
{
    struct error_text why = {0};
    must(argc > 1, "fill or attach?");
    parse(argc - 1, argv + 1);
    loop = loop_new();
    must(loop != NULL, "loop");
    bus = bus_open(
        loop, &(struct bus_settings){.urls = nats, .name = edge, .pending_max_bytes = 256 << 20},
        &why);
    must(bus != NULL, why.text);
    for (int64_t end = clock_monotonic_ms() + 10000; !bus_is_connected(bus);)
        must(loop_turn(loop, 100) == 0 && clock_monotonic_ms() < end, "no connection");
    if (strcmp(argv[1], "fill") == 0)
        fill();
    else
        attach();
    bus_close(bus);
    loop_free(loop);
    free(devices);
    buffer_free(&out);
    buffer_free(&reports);
    return 0;
}
