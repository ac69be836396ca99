#include "wan/knobs.h"

#include <errno.h>
#include <inttypes.h>

/* clang-format off */
const struct wan_knob_row wan_knob_rows[WAN_KNOBS] = {
    [WAN_DELAY] = {"delay", WAN_NS, 0, 0, 60000000000,
        "how long a packet travels"},
    [WAN_JITTER] = {"jitter", WAN_NS, 0, 0, 60000000000,
        "the delay is up to this much shorter or longer, evenly; packets keep their order"},
    [WAN_LOSS] = {"loss", WAN_PPM, 0, 0, 1000000,
        "the share of packets that are lost"},
    [WAN_DUPLICATE] = {"duplicate", WAN_PPM, 0, 0, 1000000,
        "the share that arrive twice"},
    [WAN_REORDER] = {"reorder", WAN_PPM, 0, 0, 1000000,
        "the share that arrive late, overtaken by those behind them"},
    [WAN_LATE] = {"late", WAN_NS, 10000000, 0, 60000000000,
        "how much later those arrive"},
    [WAN_RATE] = {"rate", WAN_BIT_S, 0, 0, 10000000000,
        "how fast the line takes packets; 0: at once"},
    [WAN_QUEUE] = {"queue", WAN_BYTES, 1 << 20, 1500, 1 << 30,
        "bytes that may wait for the rate; a packet that finds no room is dropped"},
};
/* clang-format on */

enum { PARTS_MAX = 1000000000 }; /* nine places behind the point: the finest unit is of 1e-9 */

struct suffix {
    const char *text; /* NULL ends the list */
    uint64_t times;
};

static const struct suffix suffixes[WAN_UNITS][5] = {
    [WAN_NS] = {{"us", 1000}, {"ms", 1000000}, {"s", 1000000000}},
    [WAN_PPM] = {{"%", 10000}},
    [WAN_BIT_S] = {{"bit", 1}, {"kbit", 1000}, {"mbit", 1000000}, {"gbit", 1000000000}},
    [WAN_BYTES] = {{"", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}},
};
static const char *const unit_names[WAN_UNITS] = {"ns", "ppm", "bit_s", "bytes"};

struct wan_knobs wan_knobs_initial(void)
{
    struct wan_knobs knobs;
    for (size_t i = 0; i < WAN_KNOBS; i++)
        knobs.value[i] = wan_knob_rows[i].initial;
    return knobs;
}

int wan_knob_find(struct text name, enum wan_knob *ret_knob)
{
    for (size_t i = 0; i < WAN_KNOBS; i++) {
        if (text_equal(name, text_of(wan_knob_rows[i].name))) {
            *ret_knob = (enum wan_knob)i;
            return 0;
        }
    }
    return -ENOENT;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int find_suffix(enum wan_unit unit, struct text from, bool is_zero, uint64_t *ret_times)
{
    for (const struct suffix *suffix = suffixes[unit]; suffix->text != NULL; suffix++) {
        if (text_equal(from, text_of(suffix->text))) {
            *ret_times = suffix->times;
            return 0;
        }
    }
    *ret_times = 1;
    return from.size == 0 && is_zero ? 0 : -EINVAL;
}

int wan_unit_parse(enum wan_unit unit, struct text from, uint64_t *ret_value)
{
    uint64_t digits = 0, parts = 1; /* the number is digits / parts */
    size_t at = 0;
    bool in_fraction = false;
    for (; at < from.size && (is_digit(from.data[at]) || (from.data[at] == '.' && !in_fraction));
         at++) {
        if (from.data[at] == '.') {
            in_fraction = true;
            continue;
        }
        uint64_t digit = (uint64_t)(from.data[at] - '0');
        if (digits > (UINT64_MAX - digit) / 10)
            return -ERANGE;
        digits = digits * 10 + digit;
        parts *= in_fraction ? 10 : 1;
        if (parts > PARTS_MAX)
            return -EINVAL;
    }
    if (at == 0 || !is_digit(from.data[0]) || !is_digit(from.data[at - 1]))
        return -EINVAL;
    uint64_t times;
    int err = find_suffix(unit, (struct text){.data = from.data + at, .size = from.size - at},
                          digits == 0, &times);
    if (err != 0)
        return err;
    if (digits > UINT64_MAX / times)
        return -ERANGE;
    if (digits * times % parts != 0)
        return -EINVAL;
    *ret_value = digits * times / parts;
    return 0;
}

int wan_knob_parse(enum wan_knob knob, struct text from, uint64_t *ret_value)
{
    const struct wan_knob_row *row = &wan_knob_rows[knob];
    uint64_t value;
    int err = wan_unit_parse(row->unit, from, &value);
    if (err != 0)
        return err;
    if (value < row->min || value > row->max)
        return -ERANGE;
    *ret_value = value;
    return 0;
}

void wan_knobs_write(const struct wan_knobs *knobs, struct buffer *out)
{
    for (size_t i = 0; i < WAN_KNOBS; i++)
        buffer_printf(out, "%s\"%s_%s\":%" PRIu64, i == 0 ? "" : ",", wan_knob_rows[i].name,
                      unit_names[wan_knob_rows[i].unit], knobs->value[i]);
}

void wan_knobs_help(struct buffer *out)
{
    for (size_t i = 0; i < WAN_KNOBS; i++)
        buffer_printf(out, "  %-11s %s\n", wan_knob_rows[i].name, wan_knob_rows[i].doc);
}
