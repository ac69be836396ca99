#include "edge/edge_drained.h"

#include "bus/bus_stream.h"
#include "log/log.h"
#include "wire/names.h"

#include <errno.h>
#include <stdlib.h>

enum { TICK_MS = 1000, ASK_MS = 2000 };

struct edge_drained {
    struct bus *bus;
    unsigned buckets; /* of the directory */
    struct bus_request request;
    uint64_t position; /* of what is known */
    int64_t asked_ms;
    struct wire_edge_drains known;
};

static bool on_answer(struct bus_request *request, enum bus_outcome outcome,
                      const struct bus_message *message)
{
    static struct log_limit limit;
    struct edge_drained *drained = container_of(request, struct edge_drained, request);
    struct bus_entry entry;
    if (outcome != BUS_ANSWER || bus_entry_read(message, &entry, NULL) != 0 ||
        entry.position <= drained->position) /* of a mirror that is behind, or known */
        return false;
    int err = wire_edge_drains_read(entry.data, entry.size, &drained->known);
    if (err != 0)
        log_limited(&limit, LOG_LEVEL_ERROR, "the drains of edges cannot be read",
                    LOG_U64("position", entry.position), LOG_ERRNO(err));
    drained->position = entry.position;
    return false;
}

struct edge_drained *edge_drained_new(struct bus *bus, const struct catalogue *catalogue)
{
    struct edge_drained *drained = calloc(1, sizeof *drained);
    if (drained == NULL)
        return NULL;
    drained->bus = bus;
    drained->buckets = catalogue->directory_buckets;
    drained->request.on_answer = on_answer;
    return drained;
}

void edge_drained_free(struct edge_drained *drained)
{
    if (drained == NULL)
        return;
    bus_request_cancel(&drained->request);
    free(drained);
}

void edge_drained_tick(struct edge_drained *drained, int64_t now_ms)
{
    const struct wire_bucket first = {.of = drained->buckets};
    if (now_ms - drained->asked_ms < TICK_MS || !bus_is_connected(drained->bus))
        return;
    drained->asked_ms = now_ms;
    /* One that is on its way is enough. */
    (void)!bus_get_last(drained->bus, &drained->request, wire_directory_stream(first).text,
                        wire_directory_edge_drains(first.of).text, ASK_MS);
}

const struct wire_edge_drains *edge_drained_known(const struct edge_drained *drained)
{
    return &drained->known;
}

bool edge_drained_has(const struct edge_drained *drained, const struct catalogue_edge *edge,
                      uint32_t number)
{
    struct catalogue_process process = catalogue_process(edge, number);
    return wire_edge_drains_find(&drained->known, text_of(edge->name)) != NULL ||
           wire_edge_drains_find(&drained->known, text_of(process.name)) != NULL;
}
