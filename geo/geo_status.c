#include "geo/geo_status.h"

#include "base/clock.h"
#include "geo/geo_watch.h"

#include <errno.h>
#include <inttypes.h>

enum { TICK_MS = 250, AFTER_MS = 500 };

static const char *state_of(const struct catalogue_region *region,
                            const struct geo_region_state *state, const struct wire_drain *drain)
{
    if (state->health == GEO_HEALTH_DOWN)
        return "down";
    if (region->drain || state->drain)
        return "draining";
    if (drain != NULL)
        return state->full ? "coming back, full" : "coming back";
    return state->full ? "full" : "up";
}

static void write_edge(const struct catalogue_edge *edge, const struct regions_edge *heard,
                       int64_t now_ms, struct buffer *out)
{
    buffer_printf(out, "  %-16s ", edge->name);
    if (heard->heard)
        buffer_printf(out, "heard %" PRIi64 " ms ago, %" PRIu32 " connections\n",
                      now_ms - heard->heard_ms, heard->connections);
    else
        buffer_append_text(out, TEXT("is not heard\n"));
}

void geo_status_write(const struct catalogue *catalogue, const struct regions *regions,
                      int64_t now_ms, struct buffer *out)
{
    for (size_t i = 0; i < catalogue->region_count; i++) {
        const struct catalogue_region *region = &catalogue->regions[i];
        uint32_t load = regions_load_permille(regions, i);
        buffer_printf(out, "%-18s %s, %u.%u%% full\n", region->name,
                      state_of(region, &regions_states(regions)[i], regions_drain(regions, i)),
                      load / 10, load % 10);
        for (size_t j = 0; j < region->edge_count; j++)
            write_edge(&region->edges[j], regions_edge(regions, i, j), now_ms, out);
    }
    if (regions_are_blind(regions))
        buffer_append_text(
            out, TEXT("blind: no edge is heard; name servers answer each client's first choice\n"));
}

static bool heard_all(const struct catalogue *catalogue, const struct regions *regions)
{
    for (size_t i = 0; i < catalogue->region_count; i++)
        for (size_t j = 0; j < catalogue->regions[i].edge_count; j++)
            if (!regions_edge(regions, i, j)->heard)
                return false;
    return true;
}

static bool knows_enough(const struct catalogue *catalogue, const struct geo_watch *watch)
{
    return regions_feed_knows_drains(watch->feed) && heard_all(catalogue, watch->regions);
}

/* Beats come once a second; who was not heard when a region counts as silent is not there. */
static void listen(const struct catalogue *catalogue, struct geo_watch *watch)
{
    int64_t until_ms = clock_monotonic_ms() + REGIONS_SILENT_MS + AFTER_MS;
    for (int64_t left_ms = 1; left_ms > 0 && !knows_enough(catalogue, watch);) {
        (void)regions_feed_tick(watch->feed);
        left_ms = until_ms - clock_monotonic_ms();
        int64_t next_ms = clock_monotonic_ms() + TICK_MS;
        for (int64_t ms = TICK_MS; ms > 0; ms = next_ms - clock_monotonic_ms())
            (void)loop_turn(watch->loop, (int)ms);
    }
    (void)regions_feed_tick(watch->feed);
}

int geo_status_run(const struct catalogue *catalogue, struct buffer *out,
                   struct error_text *reterr_why)
{
    struct geo_watch watch;
    int err = geo_watch_open(&watch, catalogue, reterr_why);
    if (err == 0) {
        listen(catalogue, &watch);
        if (!bus_is_connected(watch.bus))
            err = error_text_set(reterr_why, -ETIMEDOUT, "no NATS server of any region answers");
    }
    if (err == 0) {
        geo_status_write(catalogue, watch.regions, loop_now_ms(watch.loop), out);
        if (regions_are_blind(watch.regions))
            err = error_text_set(reterr_why, -EAGAIN, "blind");
    }
    geo_watch_close(&watch);
    return err;
}
