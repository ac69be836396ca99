#include "edge/edge_places.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void numbers_every_shard_of_every_region_once(void **state)
{
    (void)state;
    struct catalogue *catalogue =
        catalogue_load_file(MERIDIAN_SOURCE_DIR "/config/regions.yaml", NULL);
    assert_non_null(catalogue);
    catalogue->regions[1].shards = 5; /* not all alike */
    struct edge_places places;
    size_t place = 0;
    edge_places_init(&places, catalogue);
    for (size_t region = 0; region < catalogue->region_count; region++)
        for (uint32_t shard = 0; shard < catalogue->regions[region].shards; shard++) {
            assert_int_equal(edge_places_of(&places, region, shard), place);
            struct edge_place at = edge_places_at(&places, place);
            assert_int_equal(at.region, region);
            assert_int_equal(at.shard, shard);
            place++;
        }
    assert_int_equal(places.count, place);
    catalogue_free(catalogue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_every_shard_of_every_region_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
