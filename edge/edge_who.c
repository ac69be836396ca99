#include "edge/edge_who.h"

#include "base/hash.h"
#include "wire/names.h"
#include "json/json.h"

#include <errno.h>
#include <inttypes.h>

enum { TIMEOUT_MS = 3000 }; /* an owner answers at once */

/* --- what is answered --- */

/* Whether `count` connections follow, and nothing else. */
static bool are_connections(struct wire_frame frame, uint16_t count)
{
    struct wire_entry entry;
    uint16_t rows = 0;
    int err;
    while ((err = wire_entry_next(&frame, &entry)) == 0) {
        if (entry.kind != WIRE_WHO_CONNECTION)
            return false;
        rows++;
    }
    return err == -ENODATA && rows == count;
}

int edge_who_read(const void *bytes, size_t size, uint64_t request, enum wire_answer *ret_code,
                  struct edge_who_answer *ret_answer)
{
    struct wire_frame frame;
    struct wire_entry entry;
    if (wire_frame_read(bytes, size, &frame) != 0 || wire_entry_next(&frame, &entry) != 0 ||
        entry.kind != WIRE_WHO || entry.who.request != request ||
        !are_connections(frame, entry.who.count))
        return -EBADMSG;
    *ret_code = (enum wire_answer)entry.who.code;
    if (*ret_code == WIRE_OK)
        *ret_answer = (struct edge_who_answer){.count = entry.who.count, .connections = frame};
    return 0;
}

static void write_connection(struct buffer *out, const struct wire_connection *connection)
{
    buffer_append_text(out, TEXT("{\"device\":"));
    json_write_string(out, connection->device);
    buffer_append_text(out, TEXT(",\"region\":"));
    json_write_string(out, connection->region);
    buffer_append_text(out, TEXT(",\"edge\":"));
    json_write_string(out, connection->edge);
    buffer_printf(out, ",\"since\":%" PRIi64 "}", connection->since_ms);
}

void edge_who_write(struct buffer *out, const struct edge_who_answer *answer)
{
    struct wire_frame frame = answer->connections;
    struct wire_entry entry;
    const char *between = "";
    buffer_append_text(out, TEXT("["));
    while (wire_entry_next(&frame, &entry) == 0) {
        buffer_append_text(out, text_of(between));
        write_connection(out, &entry.connection);
        between = ",";
    }
    buffer_append_text(out, TEXT("]"));
}

/* --- asking --- */

static enum edge_who_outcome outcome_of(enum wire_answer code)
{
    switch (code) {
    case WIRE_OK:
        return EDGE_WHO_ANSWER;
    case WIRE_NOT_HOME:
        return EDGE_WHO_MOVED;
    case WIRE_REFUSED:
        return EDGE_WHO_REFUSED;
    default:
        return EDGE_WHO_BUSY;
    }
}

static bool on_answer(struct bus_request *request, enum bus_outcome outcome,
                      const struct bus_message *message)
{
    struct edge_who_ask *ask = container_of(request, struct edge_who_ask, request);
    struct edge_who_answer answer;
    enum wire_answer code = WIRE_BUSY;
    enum edge_who_outcome how = EDGE_WHO_UNREACHABLE;
    if (outcome == BUS_ANSWER &&
        edge_who_read(message->data, message->size, ask->number, &code, &answer) == 0)
        how = outcome_of(code);
    edge_who_cancel(ask); /* the owner may free it */
    ask->on_answer(ask, how, how == EDGE_WHO_ANSWER ? &answer : NULL);
    return false;
}

void edge_who_cancel(struct edge_who_ask *ask)
{
    bus_request_cancel(&ask->request);
}

enum edge_who_outcome edge_who_ask(const struct edge_who_settings *settings,
                                   struct edge_who_ask *ask, size_t region, struct text user,
                                   struct text device, enum wire_who_action action)
{
    const struct catalogue_region *home = &settings->catalogue->regions[region];
    const uint32_t shard = hash_shard(user, home->shards);
    const struct wire_name subject = wire_hub_subject(home->name, shard, "who");
    const struct wire_frame head = {
        .shard = (uint16_t)shard, .region = text_of(home->name), .from = text_of(settings->edge)};
    struct buffer bytes = {0};
    struct wire_frame_writer frame;
    hash_random(&ask->number, sizeof ask->number);
    ask->request.on_answer = on_answer;
    const struct wire_entry entry = {
        .kind = WIRE_WHO_ASK,
        .who_ask = {
            .request = ask->number, .user = user, .device = device, .action = (uint8_t)action}};
    wire_frame_begin(&frame, &bytes, &head);
    wire_entry_write(&frame, &entry);
    int err = wire_frame_end(&frame);
    if (err == 0)
        err = bus_request(settings->bus, &ask->request, subject.text, bytes.data, bytes.size,
                          TIMEOUT_MS);
    buffer_free(&bytes);
    if (err == 0)
        return EDGE_WHO_ANSWER;
    return err == -ENOTCONN ? EDGE_WHO_UNREACHABLE : EDGE_WHO_BUSY;
}
