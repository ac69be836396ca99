#include "wan/flight.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY_FIRST = 1024 };

void wan_flight_free(struct wan_flight *flight)
{
    for (size_t i = 0; i < flight->count; i++)
        free(flight->heap[i]);
    free(flight->heap);
    *flight = (struct wan_flight){0};
}

static bool earlier(const struct wan_packet *a, const struct wan_packet *b)
{
    return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->order < b->order;
}

static bool has_room(struct wan_flight *flight)
{
    if (flight->count < flight->capacity)
        return true;
    size_t capacity = flight->capacity == 0 ? CAPACITY_FIRST : 2 * flight->capacity;
    struct wan_packet **heap = realloc(flight->heap, capacity * sizeof(struct wan_packet *));
    if (heap == NULL)
        return false;
    flight->heap = heap;
    flight->capacity = capacity;
    return true;
}

static void rise(struct wan_flight *flight, size_t place, struct wan_packet *packet)
{
    while (place > 0 && earlier(packet, flight->heap[(place - 1) / 2])) {
        flight->heap[place] = flight->heap[(place - 1) / 2];
        place = (place - 1) / 2;
    }
    flight->heap[place] = packet;
}

static void sink(struct wan_flight *flight, size_t place, struct wan_packet *packet)
{
    for (size_t child; (child = 2 * place + 1) < flight->count; place = child) {
        if (child + 1 < flight->count && earlier(flight->heap[child + 1], flight->heap[child]))
            child++;
        if (!earlier(flight->heap[child], packet))
            break;
        flight->heap[place] = flight->heap[child];
    }
    flight->heap[place] = packet;
}

int wan_flight_send(struct wan_flight *flight, struct wan_line *line, size_t to,
                    const uint8_t *bytes, size_t size, int64_t due_ns)
{
    struct wan_packet *packet = has_room(flight) ? malloc(sizeof *packet + size) : NULL;
    if (packet == NULL)
        return -ENOMEM;
    *packet = (struct wan_packet){
        .due_ns = due_ns, .order = flight->sent++, .line = line, .to = to, .size = size};
    memcpy(packet->bytes, bytes, size);
    rise(flight, flight->count++, packet);
    return 0;
}

const struct wan_packet *wan_flight_first(const struct wan_flight *flight)
{
    return flight->count == 0 ? NULL : flight->heap[0];
}

struct wan_packet *wan_flight_land(struct wan_flight *flight, int64_t now_ns)
{
    if (flight->count == 0 || flight->heap[0]->due_ns > now_ns)
        return NULL;
    struct wan_packet *packet = flight->heap[0];
    struct wan_packet *last = flight->heap[--flight->count];
    if (flight->count > 0)
        sink(flight, 0, last);
    return packet;
}
