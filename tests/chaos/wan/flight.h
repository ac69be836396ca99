/* The packets in flight: a binary heap, the earliest due first, those due together in the order in
 * which they were sent. Pure. */
#pragma once

#include "base/macros.h"

#include <stddef.h>
#include <stdint.h>

struct wan_line;

struct wan_packet {
    int64_t due_ns;
    uint64_t order;
    struct wan_line *line; /* borrowed */
    size_t to;             /* the site at its other end */
    size_t size;
    uint8_t bytes[];
};

/* Zero-initialise; free with wan_flight_free(). */
struct wan_flight {
    struct wan_packet **heap;
    size_t count;
    size_t capacity;
    uint64_t sent;
};

void wan_flight_free(struct wan_flight *flight); /* and all packets in it */
/* Copies the bytes. -ENOMEM. */
MUST_USE int wan_flight_send(struct wan_flight *flight, struct wan_line *line, size_t to,
                             const uint8_t *bytes, size_t size, int64_t due_ns);
/* Borrowed; NULL when nothing is in flight. */
const struct wan_packet *wan_flight_first(const struct wan_flight *flight);
/* The first packet if it is due, removed; else NULL. Free it with free(). */
struct wan_packet *wan_flight_land(struct wan_flight *flight, int64_t now_ns);
