#include "geo/geo_networks.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define CITY MERIDIAN_SOURCE_DIR "/tests/support/mmdb/GeoIP2-City-Test.mmdb"

static struct catalogue *catalogue;
static struct geo_database *database;

static int begin(void **state)
{
    struct error_text why = {0};
    (void)state;
    catalogue = catalogue_load_file(MERIDIAN_SOURCE_DIR "/config/regions.yaml", &why);
    database = geo_database_open(CITY, &why);
    return catalogue == NULL || database == NULL ? -1 : 0;
}

static int end(void **state)
{
    (void)state;
    geo_database_close(database);
    catalogue_free(catalogue);
    return 0;
}

static void on_network(void *context, const struct network *network, const uint16_t *regions,
                       size_t count)
{
    (void)network;
    (void)regions;
    assert_int_equal(count, 3);
    ++*(size_t *)context;
}

static int walk(uint64_t leaves_max, int32_t lists_max, size_t *ret_count)
{
    *ret_count = 0;
    return geo_networks_each(catalogue, database, NULL,
                             &(struct geo_networks_ops){.on_network = on_network,
                                                        .context = ret_count,
                                                        .leaves_max = leaves_max,
                                                        .lists_max = lists_max});
}

static void bounds_the_leaves(void **state)
{
    (void)state;
    size_t all, count;
    uint64_t leaves = 1;
    assert_int_equal(walk(0, 0, &all), 0);
    assert_true(all > 100);
    while (walk(leaves, 0, &count) == -E2BIG)
        leaves *= 2;
    uint64_t few = leaves / 2; /* too few; `leaves` is enough */
    while (leaves - few > 1) {
        uint64_t middle = few + (leaves - few) / 2;
        if (walk(middle, 0, &count) == 0)
            leaves = middle;
        else
            few = middle;
    }
    assert_true(leaves >= all);
    assert_int_equal(walk(leaves, 0, &count), 0);
    assert_int_equal(count, all);
    assert_int_equal(walk(leaves - 1, 0, &count), -E2BIG);
}

static void bounds_the_rankings(void **state)
{
    (void)state;
    size_t count;
    int32_t lists = 1;
    while (walk(0, lists, &count) == -E2BIG)
        lists++;
    assert_in_range(lists, 3, 6); /* of three regions there are six orders */
    assert_int_equal(walk(0, lists, &count), 0);
    assert_int_equal(walk(0, lists - 1, &count), -E2BIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bounds_the_leaves, begin, end),
        cmocka_unit_test_setup_teardown(bounds_the_rankings, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
