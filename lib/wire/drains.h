/* Which regions an operator has taken out of use, or is bringing back: the value of the
 * directory's entry "drains". The layout is in drains.c. [format 1] */
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
