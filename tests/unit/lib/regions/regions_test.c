#include "regions/regions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { BEGIN_MS = 100000, WALL_MS = 1790000000 };
#define WALL ((int64_t)WALL_MS * 1000)

static const char yaml[] =
    "primary: dub\n"
    "regions:\n"
    "  - {name: dub, latitude: 53, longitude: -6, capacity: 1000,\n"
    "     nodes: [{name: dub-n, client: '127.0.0.1:1', cluster: '127.0.0.1:2', gateway: "
    "'127.0.0.1:3'}],\n"
    "     hubs: [{name: dub-h, health: '127.0.0.1:4'}],\n"
    "     edges: [{name: dub-1, listen: '127.0.0.1:5', url: 'http://127.0.0.1:5'},\n"
    "             {name: dub-2, listen: '127.0.0.1:6', url: 'http://127.0.0.1:6'}]}\n"
    "  - {name: sin, latitude: 1, longitude: 103, capacity: 100,\n"
    "     nodes: [{name: sin-n, client: '127.0.1.1:1', cluster: '127.0.1.1:2', gateway: "
    "'127.0.1.1:3'}],\n"
    "     hubs: [{name: sin-h, health: '127.0.1.1:4'}],\n"
    "     edges: [{name: sin-1, listen: '127.0.1.1:5', url: 'http://127.0.1.1:5'}]}\n";

static struct catalogue *catalogue;
static struct regions *regions;

static int begin(void **state)
{
    struct error_text why = {0};
    (void)state;
    catalogue = catalogue_load_text(TEXT(yaml), "test", &why);
    if (catalogue == NULL)
        fail_msg("%s", why.text);
    regions = regions_new(catalogue);
    assert_non_null(regions);
    regions_begin(regions, BEGIN_MS);
    return 0;
}

static int end(void **state)
{
    (void)state;
    regions_free(regions);
    catalogue_free(catalogue);
    return 0;
}

static enum geo_health health(size_t region)
{
    return regions_states(regions)[region].health;
}

static void hears_who_is_there(void **state)
{
    (void)state;
    assert_false(regions_update(regions, BEGIN_MS + REGIONS_SILENT_MS - 1, WALL));
    assert_int_equal(health(0), GEO_HEALTH_UNKNOWN);
    regions_hear(regions, TEXT("dub-2"), 7, BEGIN_MS + 1000);
    regions_hear(regions, TEXT("nobody"), 7, BEGIN_MS + 1000);
    assert_true(regions_update(regions, BEGIN_MS + 1000, WALL));
    assert_int_equal(health(0), GEO_HEALTH_UP);
    assert_false(regions_edge(regions, 0, 0)->heard);
    assert_true(regions_edge(regions, 0, 1)->heard);
    assert_int_equal(regions_edge(regions, 0, 1)->connections, 7);
    assert_true(regions_update(regions, BEGIN_MS + REGIONS_SILENT_MS, WALL));
    assert_int_equal(health(1), GEO_HEALTH_DOWN);
    assert_false(regions_are_blind(regions));
    assert_false(regions_update(regions, BEGIN_MS + 1000 + REGIONS_SILENT_MS - 1, WALL));
    assert_true(regions_update(regions, BEGIN_MS + 1000 + REGIONS_SILENT_MS, WALL));
    assert_int_equal(health(0), GEO_HEALTH_DOWN);
    assert_true(regions_are_blind(regions));
    regions_begin(regions, BEGIN_MS + 20000); /* the bus was away: nothing can be said */
    assert_true(regions_update(regions, BEGIN_MS + 20000, WALL));
    assert_int_equal(health(0), GEO_HEALTH_UNKNOWN);
}

static bool is_full(uint32_t first, uint32_t second, int64_t wall_ms)
{
    regions_hear(regions, TEXT("dub-1"), first, BEGIN_MS);
    regions_hear(regions, TEXT("dub-2"), second, BEGIN_MS);
    (void)regions_update(regions, BEGIN_MS, wall_ms);
    return regions_states(regions)[0].full;
}

static void is_full_at_nine_tenths_until_it_is_below_eight(void **state)
{
    (void)state;
    assert_false(is_full(450, 449, WALL));
    assert_int_equal(regions_load_permille(regions, 0), 899);
    assert_true(is_full(450, 450, WALL));
    assert_true(is_full(400, 400, WALL));
    assert_false(is_full(400, 399, WALL));
    assert_true(is_full(450, 450, WALL));
    regions_begin(regions, BEGIN_MS + 1); /* what was known last holds until more is known */
    (void)regions_update(regions, BEGIN_MS + 1, WALL);
    assert_true(regions_states(regions)[0].full);
    (void)regions_update(regions, BEGIN_MS + 1 + REGIONS_SILENT_MS, WALL);
    assert_false(regions_states(regions)[0].full);
}

static void an_edge_that_is_gone_takes_its_share_along(void **state)
{
    (void)state;
    regions_hear(regions, TEXT("dub-1"), 450, BEGIN_MS);
    (void)regions_update(regions, BEGIN_MS, WALL);
    assert_true(regions_states(regions)[0].full);
    assert_int_equal(regions_load_permille(regions, 0), 900);
}

static void processes_of_an_edge_are_summed_up_and_each_has_its_share(void **state)
{
    (void)state;
    catalogue->regions[0].edges[1].processes = 3;
    struct regions *sum = regions_new(catalogue); /* 1000 for dub-1 and dub-2-p1 to dub-2-p3 */
    assert_non_null(sum);
    regions_begin(sum, BEGIN_MS);
    regions_hear(sum, TEXT("dub-2-p1"), 100, BEGIN_MS);
    regions_hear(sum, TEXT("dub-2-p3"), 120, BEGIN_MS + 1000);
    regions_hear(sum, TEXT("dub-2-p4"), 7, BEGIN_MS);
    regions_hear(sum, TEXT("dub-2"), 7, BEGIN_MS);
    (void)regions_update(sum, BEGIN_MS + 1000, WALL);
    assert_false(regions_edge(sum, 0, 0)->heard);
    assert_true(regions_edge(sum, 0, 1)->heard);
    assert_int_equal(regions_edge(sum, 0, 1)->connections, 220);
    assert_int_equal(regions_edge(sum, 0, 1)->heard_ms, BEGIN_MS + 1000);
    assert_int_equal(regions_load_permille(sum, 0), 440);
    (void)regions_update(sum, BEGIN_MS + REGIONS_SILENT_MS, WALL); /* one is gone */
    assert_true(regions_edge(sum, 0, 1)->heard);
    assert_int_equal(regions_edge(sum, 0, 1)->connections, 120);
    assert_int_equal(regions_load_permille(sum, 0), 480);
    regions_free(sum);
}

static void drains_and_comes_back_by_and_by(void **state)
{
    (void)state;
    struct wire_drains drains = {.count = 1, .each = {{"dub", WIRE_DRAIN_AWAY, WALL, 0}}};
    regions_take_drains(regions, &drains);
    assert_false(is_full(10, 10, WALL));
    assert_true(regions_states(regions)[0].drain);
    assert_false(regions_states(regions)[1].drain);
    drains.each[0] = (struct wire_drain){"dub", WIRE_DRAIN_BACK, WALL, 100};
    regions_take_drains(regions, &drains);
    assert_true(is_full(0, 0, WALL)); /* not one yet */
    assert_false(regions_states(regions)[0].drain);
    assert_true(is_full(0, 0, WALL - 5000)); /* by a clock that is behind */
    assert_false(is_full(0, 0, WALL + 1000));
    assert_false(is_full(4, 4, WALL + 1000)); /* of 10 */
    assert_true(is_full(4, 5, WALL + 1000));
    assert_false(is_full(200, 199, WALL + 50000));
    assert_true(is_full(250, 200, WALL + 50000));
    assert_false(is_full(400, 399, WALL + 100000));
    assert_ptr_equal(regions_drain(regions, 1), NULL);
    drains.count = 0;
    regions_take_drains(regions, &drains);
    assert_null(regions_drain(regions, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(hears_who_is_there, begin, end),
        cmocka_unit_test_setup_teardown(is_full_at_nine_tenths_until_it_is_below_eight, begin, end),
        cmocka_unit_test_setup_teardown(an_edge_that_is_gone_takes_its_share_along, begin, end),
        cmocka_unit_test_setup_teardown(processes_of_an_edge_are_summed_up_and_each_has_its_share,
                                        begin, end),
        cmocka_unit_test_setup_teardown(drains_and_comes_back_by_and_by, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
