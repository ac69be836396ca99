/* What an operator has taken out of use: regions, or is bringing them back, the value of the
 * directory's entry "drains"; and edges, the value of "edge_drains". The layouts are in drains.c.
 * [format 1] */
#pragma once

#include "base/buffer.h"
#include "base/text.h"
#include "wire/cursor.h"

#include <stdint.h>

enum { WIRE_DRAINS_MAX = 64, WIRE_DRAINS_SIZE_MAX = 2 + WIRE_DRAINS_MAX * (1 + 16 + 13) };

enum wire_drain_state {
    WIRE_DRAIN_AWAY = 1, /* clients are sent away */
    WIRE_DRAIN_BACK = 2, /* it takes more and more of them again */
};

struct wire_drain {
    char region[TEXT_REGION_MAX + 1]; /* terminated */
    enum wire_drain_state state;
    int64_t since_ms; /* since 1970 */
    uint32_t over_s;  /* BACK: how long until it takes all that it is built for; else 0 */
};

struct wire_drains {
    size_t count;
    struct wire_drain each[WIRE_DRAINS_MAX]; /* each region once */
};

/* -EBADMSG malformed, -EPROTO a version or state that is not known. */
MUST_USE int wire_drains_read(const void *bytes, size_t size, struct wire_drains *ret_drains);
/* Bounds are asserted. -ENOMEM. */
MUST_USE int wire_drains_write(struct buffer *out, const struct wire_drains *drains);
/* NULL when the region is in use. */
const struct wire_drain *wire_drains_find(const struct wire_drains *drains, struct text region);

enum {
    WIRE_EDGE_DRAINS_MAX = 128,
    WIRE_EDGE_DRAINS_SIZE_MAX = 2 + WIRE_EDGE_DRAINS_MAX * (1 + TEXT_PROCESS_MAX + 8),
};

struct wire_edge_drain {
    char edge[TEXT_PROCESS_MAX + 1]; /* terminated: an edge, or one process of it */
    int64_t since_ms;                /* since 1970 */
};

struct wire_edge_drains {
    size_t count;
    struct wire_edge_drain each[WIRE_EDGE_DRAINS_MAX]; /* each once */
};

/* -EBADMSG malformed, -EPROTO a version that is not known. */
MUST_USE int wire_edge_drains_read(const void *bytes, size_t size,
                                   struct wire_edge_drains *ret_drains);
/* Bounds are asserted. -ENOMEM. */
MUST_USE int wire_edge_drains_write(struct buffer *out, const struct wire_edge_drains *drains);
/* NULL when none of that name is out of use. */
const struct wire_edge_drain *wire_edge_drains_find(const struct wire_edge_drains *drains,
                                                    struct text edge);
