/* The library's messages that are done with. The library frees a message in a thread of its own,
 * which it wakes for each; handed over by the hundred they wake it a hundred times less. */
#pragma once

#include <stddef.h>

#include <nats/nats.h>

enum { BUS_LITTER_MESSAGES = 256, BUS_LITTER_BYTES = 256 * 1024 };

struct bus_litter {
    natsMsg *messages[BUS_LITTER_MESSAGES];
    size_t count;
    size_t bytes;
};

/* Takes `message`. */
void bus_litter_add(struct bus_litter *litter, natsMsg *message);
void bus_litter_empty(struct bus_litter *litter);
