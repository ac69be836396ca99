#include "wan/line.h"

#include <inttypes.h>

/* What each packet draws: one number for each, whether it is used or not. */
enum draw { DRAW_LOSS, DRAW_JITTER, DRAW_REORDER, DRAW_DUPLICATE, DRAWS };

static const uint64_t second_ns = 1000000000, bits_of_a_byte = 8;

/* The finalizer of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number
 * generators, 2014): a counter becomes a random number, so numbers can be had in any order. */
static uint64_t scramble(uint64_t counter)
{
    uint64_t mixed = counter * 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return mixed ^ (mixed >> 31);
}

static uint64_t draw(const struct wan_line *line, uint64_t number, enum draw which)
{
    return scramble(line->seed + number * DRAWS + which);
}

static bool happens(uint64_t drawn, uint64_t share_ppm)
{
    return (drawn >> 32) * 1000000 >> 32 < share_ppm;
}

void wan_line_init(struct wan_line *line, uint64_t held_max_bytes)
{
    *line = (struct wan_line){.knobs = wan_knobs_initial(), .held_max_bytes = held_max_bytes};
}

void wan_line_seed(struct wan_line *line, uint64_t seed, uint64_t which)
{
    line->seed = scramble(scramble(seed) + which);
    line->number = 0;
}

void wan_line_set(struct wan_line *line, enum wan_knob knob, uint64_t value)
{
    if (knob == WAN_RATE && value != line->knobs.value[knob])
        line->free_ns = line->last_due_ns = 0;
    line->knobs.value[knob] = value;
}

bool wan_line_is_down(const struct wan_line *line, int64_t now_ns)
{
    uint64_t period_ns = line->flap_down_ns + line->flap_up_ns;
    if (line->cut || period_ns == 0)
        return line->cut;
    return (uint64_t)(now_ns - line->flap_since_ns) % period_ns < line->flap_down_ns;
}

/* Whole seconds apart, so that nothing wraps at the greatest rate. */
static uint64_t bytes_in(uint64_t span_ns, uint64_t rate_bit_s)
{
    return (span_ns / second_ns * rate_bit_s + span_ns % second_ns * rate_bit_s / second_ns) /
           bits_of_a_byte;
}

/* When the packet has left the queue, or false when there is no room for it. */
static bool pass_rate(struct wan_line *line, size_t size, int64_t now_ns, int64_t *ret_left_ns)
{
    uint64_t rate_bit_s = line->knobs.value[WAN_RATE];
    *ret_left_ns = now_ns;
    if (rate_bit_s == 0)
        return true;
    int64_t begins_ns = line->free_ns > now_ns ? line->free_ns : now_ns;
    uint64_t waiting_bytes = bytes_in((uint64_t)(begins_ns - now_ns), rate_bit_s);
    if (waiting_bytes + size > line->knobs.value[WAN_QUEUE])
        return false;
    line->free_ns = begins_ns + (int64_t)(size * bits_of_a_byte * second_ns / rate_bit_s);
    *ret_left_ns = line->free_ns;
    return true;
}

static int64_t travel_ns(const struct wan_line *line, uint64_t drawn)
{
    int64_t delay_ns = (int64_t)line->knobs.value[WAN_DELAY];
    uint64_t jitter_ns = line->knobs.value[WAN_JITTER];
    int64_t travels_ns = delay_ns + (int64_t)(drawn % (2 * jitter_ns + 1)) - (int64_t)jitter_ns;
    return travels_ns > 0 ? travels_ns : 0;
}

/* When a packet arrives that left the queue at `left_ns`. */
static int64_t schedule(struct wan_line *line, uint64_t number, int64_t left_ns)
{
    int64_t due_ns = left_ns + travel_ns(line, draw(line, number, DRAW_JITTER));
    if (due_ns < line->last_due_ns)
        due_ns = line->last_due_ns;
    if (happens(draw(line, number, DRAW_REORDER), line->knobs.value[WAN_REORDER])) {
        line->count.reordered++;
        return due_ns + (int64_t)line->knobs.value[WAN_LATE];
    }
    line->last_due_ns = due_ns;
    return due_ns;
}

static bool has_room(const struct wan_line *line, size_t size)
{
    return line->held_bytes + size <= line->held_max_bytes;
}

static unsigned drop(uint64_t *counter)
{
    ++*counter;
    return 0;
}

unsigned wan_line_take(struct wan_line *line, size_t size, int64_t now_ns, int64_t *ret_due_ns)
{
    uint64_t number = line->number++;
    int64_t left_ns;
    line->count.packets++;
    line->count.bytes += size;
    if (wan_line_is_down(line, now_ns))
        return drop(&line->count.cut);
    if (happens(draw(line, number, DRAW_LOSS), line->knobs.value[WAN_LOSS]))
        return drop(&line->count.lost);
    if (!has_room(line, size))
        return drop(&line->count.held_full);
    if (!pass_rate(line, size, now_ns, &left_ns))
        return drop(&line->count.queue_full);
    *ret_due_ns = schedule(line, number, left_ns);
    line->held_bytes += size;
    if (!happens(draw(line, number, DRAW_DUPLICATE), line->knobs.value[WAN_DUPLICATE]) ||
        !has_room(line, size))
        return 1;
    line->held_bytes += size;
    line->count.duplicated++;
    return 2;
}

bool wan_line_arrive(struct wan_line *line, size_t size, int64_t due_ns, int64_t now_ns)
{
    if (now_ns - due_ns > line->overdue_max_ns)
        line->overdue_max_ns = now_ns - due_ns;
    line->held_bytes -= size;
    if (!wan_line_is_down(line, now_ns))
        return true;
    line->count.cut++;
    return false;
}

void wan_line_give_up(struct wan_line *line, size_t size)
{
    line->held_bytes -= size;
    line->count.held_full++;
}

void wan_line_write(const struct wan_line *line, int64_t now_ns, struct buffer *out)
{
    wan_knobs_write(&line->knobs, out);
    buffer_printf(out, ",\"down\":%s,\"held_bytes\":%" PRIu64 ",\"overdue_max_ns\":%" PRId64,
                  wan_line_is_down(line, now_ns) ? "true" : "false", line->held_bytes,
                  line->overdue_max_ns);
#define X(name) buffer_printf(out, ",\"%s\":%" PRIu64, #name, line->count.name);
    WAN_COUNTERS(X)
#undef X
}
