#include "wire/drains.h"

#include <assert.h>
#include <errno.h>

/* Drains: u8 version 1, u8 count, and each
 *   text8 region, u8 state, i64 since_ms, u32 over_s
 * Drains of edges: u8 version 1, u8 count, and each
 *   text8 edge, i64 since_ms */
enum { DRAINS_VERSION = 1, EDGE_DRAINS_VERSION = 1 };
static const int64_t ms_max = 253402300799999;

static bool is_good_time(int64_t since_ms)
{
    return since_ms >= 0 && since_ms <= ms_max;
}

static bool is_good(const struct wire_drain *drain)
{
    bool timed = drain->state == WIRE_DRAIN_BACK ? drain->over_s > 0 : drain->over_s == 0;
    return timed && is_good_time(drain->since_ms);
}

const struct wire_drain *wire_drains_find(const struct wire_drains *drains, struct text region)
{
    for (size_t i = 0; i < drains->count; i++)
        if (text_equal(text_of(drains->each[i].region), region))
            return &drains->each[i];
    return NULL;
}

/* -EPROTO: a state that is not known. What ran short sticks to the cursor. */
static int read_drain(struct wire_cursor *in, struct wire_drains *drains)
{
    struct wire_drain drain = {.since_ms = 0};
    struct text region = wire_read_checked(in, text_is_region_name);
    uint8_t state = wire_read_u8(in);
    drain.since_ms = wire_read_i64(in);
    drain.over_s = wire_read_u32(in);
    if (in->failed)
        return -EBADMSG;
    if (state != WIRE_DRAIN_AWAY && state != WIRE_DRAIN_BACK)
        return -EPROTO;
    drain.state = (enum wire_drain_state)state;
    if (!is_good(&drain) || wire_drains_find(drains, region) != NULL ||
        text_put(drain.region, sizeof drain.region, region) != 0)
        return -EBADMSG;
    drains->each[drains->count++] = drain;
    return 0;
}

int wire_drains_read(const void *bytes, size_t size, struct wire_drains *ret_drains)
{
    struct wire_cursor in = wire_cursor_of(bytes, size);
    struct wire_drains drains = {.count = 0};
    if (wire_read_u8(&in) != DRAINS_VERSION)
        return in.failed ? -EBADMSG : -EPROTO;
    uint8_t count = wire_read_u8(&in);
    if (in.failed || count > WIRE_DRAINS_MAX)
        return -EBADMSG;
    for (uint8_t i = 0; i < count; i++) {
        int err = read_drain(&in, &drains);
        if (err != 0)
            return err;
    }
    if (!wire_done(&in))
        return -EBADMSG;
    *ret_drains = drains;
    return 0;
}

int wire_drains_write(struct buffer *out, const struct wire_drains *drains)
{
    assert(drains->count <= WIRE_DRAINS_MAX);
    wire_write_u8(out, DRAINS_VERSION);
    wire_write_u8(out, (uint8_t)drains->count);
    for (size_t i = 0; i < drains->count; i++) {
        const struct wire_drain *drain = &drains->each[i];
        assert(is_good(drain));
        wire_write_checked(out, text_of(drain->region), text_is_region_name);
        wire_write_u8(out, (uint8_t)drain->state);
        wire_write_i64(out, drain->since_ms);
        wire_write_u32(out, drain->over_s);
    }
    return out->failed ? -ENOMEM : 0;
}

const struct wire_edge_drain *wire_edge_drains_find(const struct wire_edge_drains *drains,
                                                    struct text edge)
{
    for (size_t i = 0; i < drains->count; i++)
        if (text_equal(text_of(drains->each[i].edge), edge))
            return &drains->each[i];
    return NULL;
}

/* False: malformed. */
static bool read_edge_drain(struct wire_cursor *in, struct wire_edge_drains *drains)
{
    struct text edge = wire_read_checked(in, text_is_process_name);
    struct wire_edge_drain drain = {.since_ms = wire_read_i64(in)};
    if (in->failed || !is_good_time(drain.since_ms) ||
        wire_edge_drains_find(drains, edge) != NULL ||
        text_put(drain.edge, sizeof drain.edge, edge) != 0)
        return false;
    drains->each[drains->count++] = drain;
    return true;
}

int wire_edge_drains_read(const void *bytes, size_t size, struct wire_edge_drains *ret_drains)
{
    struct wire_cursor in = wire_cursor_of(bytes, size);
    struct wire_edge_drains drains = {.count = 0};
    if (wire_read_u8(&in) != EDGE_DRAINS_VERSION)
        return in.failed ? -EBADMSG : -EPROTO;
    uint8_t count = wire_read_u8(&in);
    if (in.failed || count > WIRE_EDGE_DRAINS_MAX)
        return -EBADMSG;
    for (uint8_t i = 0; i < count; i++)
        if (!read_edge_drain(&in, &drains))
            return -EBADMSG;
    if (!wire_done(&in))
        return -EBADMSG;
    *ret_drains = drains;
    return 0;
}

int wire_edge_drains_write(struct buffer *out, const struct wire_edge_drains *drains)
{
    assert(drains->count <= WIRE_EDGE_DRAINS_MAX);
    wire_write_u8(out, EDGE_DRAINS_VERSION);
    wire_write_u8(out, (uint8_t)drains->count);
    for (size_t i = 0; i < drains->count; i++) {
        assert(is_good_time(drains->each[i].since_ms));
        wire_write_checked(out, text_of(drains->each[i].edge), text_is_process_name);
        wire_write_i64(out, drains->each[i].since_ms);
    }
    return out->failed ? -ENOMEM : 0;
}
