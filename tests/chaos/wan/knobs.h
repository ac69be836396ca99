/* What can be set of a line: a knob is a row with its unit, its bounds and its default. Pure. */
#pragma once

#include "base/buffer.h"
#include "base/macros.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

enum wan_knob {
    WAN_DELAY,
    WAN_JITTER,
    WAN_LOSS,
    WAN_DUPLICATE,
    WAN_REORDER,
    WAN_LATE,
    WAN_RATE,
    WAN_QUEUE,
    WAN_KNOBS,
};

/* Values in the base unit of their row: ns, parts per million, bit/s, bytes. */
struct wan_knobs {
    uint64_t value[WAN_KNOBS];
};

enum wan_unit { WAN_NS, WAN_PPM, WAN_BIT_S, WAN_BYTES, WAN_UNITS };

struct wan_knob_row {
    const char *name;
    enum wan_unit unit;
    uint64_t initial, min, max;
    const char *doc;
};
extern const struct wan_knob_row wan_knob_rows[WAN_KNOBS];

struct wan_knobs wan_knobs_initial(void);
/* -ENOENT when no knob has this name. */
MUST_USE int wan_knob_find(struct text name, enum wan_knob *ret_knob);
/* "110ms", "0.1%", "20mbit", "64KiB"; 0 needs no unit. -EINVAL when it is not of the unit or finer
 * than it, -ERANGE when it does not fit in 64 bits. */
MUST_USE int wan_unit_parse(enum wan_unit unit, struct text from, uint64_t *ret_value);
/* The same within the bounds of the row: -ERANGE outside. */
MUST_USE int wan_knob_parse(enum wan_knob knob, struct text from, uint64_t *ret_value);
/* Members of a JSON object: "delay_ns":110000000,"jitter_ns":0 and so on. */
void wan_knobs_write(const struct wan_knobs *knobs, struct buffer *out);
/* A line for each row, for people. */
void wan_knobs_help(struct buffer *out);
