#include "geo/geo_admin_state.h"
#include "geo/geo_status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { SIN, IAD, DUB, REGIONS };

static struct catalogue_edge edges[REGIONS] = {{.name = "sin-1", .processes = 1},
                                               {.name = "iad-1", .processes = 1},
                                               {.name = "dub-1", .processes = 1}};
static struct catalogue_region regions[REGIONS] = {
    {.name = "sin", .capacity = 100, .edges = &edges[SIN], .edge_count = 1},
    {.name = "iad", .capacity = 100, .edges = &edges[IAD], .edge_count = 1},
    {.name = "dub", .capacity = 100, .edges = &edges[DUB], .edge_count = 1}};
static const struct catalogue catalogue = {.regions = regions, .region_count = REGIONS};

#define HEAD "# geoip/meridian/... are by meridian-geo follow; what stands below is kept.\n"

static void assert_down(const struct geo_region_state states[REGIONS], bool sin, bool iad, bool dub)
{
    bool down[CATALOGUE_REGIONS_MAX];
    geo_admin_state_choose(&catalogue, states, down);
    assert_int_equal(down[SIN], sin);
    assert_int_equal(down[IAD], iad);
    assert_int_equal(down[DUB], dub);
}

static void takes_out_what_is_worse_than_the_best(void **state)
{
    (void)state;
    struct geo_region_state states[REGIONS] = {0};
    assert_down(states, false, false, false);
    states[DUB].drain = true;
    states[SIN].full = true;
    assert_down(states, true, false, true);
    states[IAD].health = GEO_HEALTH_DOWN; /* found out by others; who is full is the best now */
    assert_down(states, false, false, true);
    states[SIN].drain = true;
    assert_down(states, false, false, false); /* nobody is better */
    memset(states, 0, sizeof states);
    states[SIN].health = states[IAD].health = states[DUB].health = GEO_HEALTH_DOWN;
    assert_down(states, false, false, false);
    memset(states, 0, sizeof states);
    regions[IAD].drain = true;
    assert_down(states, false, true, false);
    regions[IAD].drain = false;
}

static void assert_written(const bool down[REGIONS], const char *before, const char *after)
{
    struct buffer out = {0};
    geo_admin_state_write(&catalogue, down, text_of(before), &out);
    buffer_append(&out, "", 1);
    assert_string_equal((const char *)out.data, after);
    buffer_free(&out);
}

static void keeps_what_people_wrote(void **state)
{
    (void)state;
    static const bool none[REGIONS] = {0}, two[REGIONS] = {[SIN] = true, [DUB] = true};
    assert_written(none, "", HEAD);
    assert_written(two, "", HEAD "geoip/meridian/sin => DOWN\ngeoip/meridian/dub => DOWN\n");
    assert_written(none, HEAD "geoip/meridian/sin => DOWN\n", HEAD);
    assert_written(two,
                   "# by hand\ngeoip/edge/iad => DOWN # since noon\n" HEAD
                   "geoip/meridian/iad => DOWN\n*/sin => UP",
                   HEAD "geoip/meridian/sin => DOWN\ngeoip/meridian/dub => DOWN\n"
                        "# by hand\ngeoip/edge/iad => DOWN # since noon\n*/sin => UP");
    /* As it is, it stays. */
    assert_written(two, HEAD "geoip/meridian/sin => DOWN\ngeoip/meridian/dub => DOWN\n# x\n",
                   HEAD "geoip/meridian/sin => DOWN\ngeoip/meridian/dub => DOWN\n# x\n");
}

static void assert_status(const struct regions *known, int64_t now_ms, const char *part)
{
    struct buffer out = {0};
    geo_status_write(&catalogue, known, now_ms, &out);
    buffer_append(&out, "", 1);
    if (strstr((const char *)out.data, part) == NULL)
        fail_msg("no %s in: %s", part, (const char *)out.data);
    buffer_free(&out);
}

static void tells_how_regions_and_edges_are(void **state)
{
    (void)state;
    struct regions *known = regions_new(&catalogue);
    const struct wire_drains drains = {
        .count = 2, .each = {{"sin", WIRE_DRAIN_AWAY, 1, 0}, {"dub", WIRE_DRAIN_BACK, 1, 10}}};
    regions_begin(known, 0);
    regions_hear(known, TEXT("sin-1"), 12, 5000);
    regions_hear(known, TEXT("dub-1"), 91, 5200);
    (void)regions_update(known, 5300, 1000000);
    assert_status(known, 5300,
                  "sin                up, 12.0% full\n"
                  "  sin-1            heard 300 ms ago, 12 connections\n"
                  "iad                down, 100.0% full\n"
                  "  iad-1            is not heard\n"
                  "dub                full, 91.0% full\n");
    regions_take_drains(known, &drains);
    (void)regions_update(known, 5300, 5001);
    assert_status(known, 5300, "sin                draining, 12.0% full\n");
    assert_status(known, 5300, "dub                coming back, full, 182.0% full\n");
    (void)regions_update(known, 20000, 5001);
    assert_status(known, 20000, "blind: no edge is heard");
    regions_free(known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_out_what_is_worse_than_the_best),
        cmocka_unit_test(keeps_what_people_wrote),
        cmocka_unit_test(tells_how_regions_and_edges_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
