#include "region-hub/hub_heard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct catalogue_region regions[] = {{.name = "sin", .shards = 2},
                                            {.name = "dub", .shards = 1}};
static const struct catalogue catalogue = {.regions = regions, .region_count = COUNT_OF(regions)};

static void silence_takes_ten_seconds(void **state)
{
    (void)state;
    struct hub_heard heard;
    const int64_t begun = 5000;
    assert_int_equal(hub_heard_init(&heard, &catalogue, begun), 0);
    assert_int_equal(hub_heard_is(&heard, TEXT("dub"), 0, begun), HUB_UNHEARD);
    assert_int_equal(hub_heard_is(&heard, TEXT("dub"), 0, begun + HUB_HEARD_MS - 1), HUB_UNHEARD);
    assert_int_equal(hub_heard_is(&heard, TEXT("dub"), 0, begun + HUB_HEARD_MS), HUB_SILENT);

    const int64_t beat = begun + 50000;
    hub_heard_beat(&heard, TEXT("dub"), 0, beat);
    assert_int_equal(hub_heard_is(&heard, TEXT("dub"), 0, beat + HUB_HEARD_MS - 1), HUB_HEARD);
    assert_int_equal(hub_heard_is(&heard, TEXT("dub"), 0, beat + HUB_HEARD_MS), HUB_SILENT);
    hub_heard_done(&heard);
}

static void each_shard_is_heard_by_itself(void **state)
{
    (void)state;
    struct hub_heard heard;
    assert_int_equal(hub_heard_init(&heard, &catalogue, 0), 0);
    hub_heard_beat(&heard, TEXT("sin"), 1, 20000);
    hub_heard_beat(&heard, TEXT("sin"), 2, 20000); /* there is none */
    hub_heard_beat(&heard, TEXT("fra"), 0, 20000);
    assert_int_equal(hub_heard_is(&heard, TEXT("sin"), 1, 20000), HUB_HEARD);
    assert_int_equal(hub_heard_is(&heard, TEXT("sin"), 0, 20000), HUB_SILENT);
    assert_int_equal(hub_heard_is(&heard, TEXT("dub"), 0, 20000), HUB_SILENT);
    assert_int_equal(hub_heard_is(&heard, TEXT("sin"), 2, 20000), HUB_UNHEARD);
    assert_int_equal(hub_heard_is(&heard, TEXT("fra"), 0, 20000), HUB_UNHEARD);
    hub_heard_done(&heard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence_takes_ten_seconds),
        cmocka_unit_test(each_shard_is_heard_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
