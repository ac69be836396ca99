#include "edge/edge_compare.h"

#include "base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static enum edge_compared told(struct edge_compare *compare, uint32_t attached, uint64_t digest,
                               bool pending)
{
    struct buffer bytes = {0};
    struct wire_hub_beat beat = {.hub = TEXT("dub-h1"), .shards = 1};
    const struct wire_edge_count counts[] = {
        {.edge = TEXT("dub-2"), .attached = 9, .digest = 9},
        {.edge = TEXT("dub-1"), .attached = attached, .digest = digest}};
    assert_int_equal(wire_hub_beat_write(&bytes, &beat, NULL, 0, NULL, 0, counts, 2), 0);
    assert_int_equal(wire_hub_beat_read(bytes.data, bytes.size, &beat), 0);
    enum edge_compared compared = edge_compare_beat(compare, &beat, TEXT("dub-1"), pending);
    buffer_free(&bytes);
    return compared;
}

static struct edge_compare of_bob(void)
{
    struct edge_compare compare = {0};
    edge_compare_add(&compare, TEXT("bob"), TEXT("phone"), 7);
    compare.changed = false;
    return compare;
}

static void what_is_added_and_removed_leaves_nothing(void **state)
{
    (void)state;
    struct edge_compare compare = of_bob();
    edge_compare_add(&compare, TEXT("amy"), TEXT("desk"), 8);
    edge_compare_remove(&compare, TEXT("bob"), TEXT("phone"), 7);
    assert_int_equal(compare.attached, 1);
    assert_true(compare.digest == wire_attach_digest(TEXT("amy"), TEXT("desk"), 8));
    edge_compare_remove(&compare, TEXT("amy"), TEXT("desk"), 8);
    assert_int_equal(compare.attached, 0);
    assert_true(compare.digest == 0);
}

static void differs_only_twice_in_a_row_and_in_quiet(void **state)
{
    (void)state;
    struct edge_compare compare = of_bob();
    uint64_t bob = compare.digest;
    assert_int_equal(told(&compare, 1, bob ^ 1, false), EDGE_COMPARED_SAME);
    assert_int_equal(told(&compare, 1, bob, false), EDGE_COMPARED_SAME);
    assert_int_equal(told(&compare, 1, bob ^ 1, false), EDGE_COMPARED_SAME);
    assert_int_equal(told(&compare, 1, bob ^ 1, true), EDGE_COMPARED_SAME); /* one waits */
    assert_int_equal(told(&compare, 1, bob ^ 1, false), EDGE_COMPARED_SAME);
    compare.changed = true;
    assert_int_equal(told(&compare, 1, bob ^ 1, false), EDGE_COMPARED_SAME);
    assert_int_equal(told(&compare, 1, bob ^ 1, false), EDGE_COMPARED_SAME);
    assert_int_equal(told(&compare, 1, bob ^ 1, false), EDGE_COMPARED_DIFFERS);
}

static void what_attaching_again_does_not_cure_is_orphans(void **state)
{
    (void)state;
    struct edge_compare compare = of_bob();
    uint64_t bob = compare.digest;
    (void)told(&compare, 1, 5, false);
    assert_int_equal(told(&compare, 1, 5, false), EDGE_COMPARED_DIFFERS);
    (void)told(&compare, 0, 0, false); /* fewer: attaching has not come through */
    assert_int_equal(told(&compare, 0, 0, false), EDGE_COMPARED_DIFFERS);
    (void)told(&compare, 2, bob ^ 5, false);
    assert_int_equal(told(&compare, 2, bob ^ 5, false), EDGE_COMPARED_ORPHANS);
    assert_int_equal(told(&compare, 1, bob, false), EDGE_COMPARED_SAME);
    (void)told(&compare, 2, bob ^ 5, false);
    assert_int_equal(told(&compare, 2, bob ^ 5, false), EDGE_COMPARED_DIFFERS); /* from the start */
}

static void a_beat_without_digests_is_compared_by_count(void **state)
{
    (void)state;
    struct edge_compare compare = of_bob();
    const struct wire_hub_beat nobody = {.version = 1};
    assert_int_equal(edge_compare_beat(&compare, &nobody, TEXT("dub-1"), false),
                     EDGE_COMPARED_SAME);
    assert_int_equal(edge_compare_beat(&compare, &nobody, TEXT("dub-1"), false),
                     EDGE_COMPARED_DIFFERS);
    edge_compare_remove(&compare, TEXT("bob"), TEXT("phone"), 7);
    compare.digest = 1;
    for (int i = 0; i < 4; i++)
        assert_int_equal(edge_compare_beat(&compare, &nobody, TEXT("dub-1"), false),
                         EDGE_COMPARED_SAME);
}

static void shards_that_differ_stay_so_until_nobody_says_so(void **state)
{
    (void)state;
    struct edge_shards shards = {0};
    assert_false(edge_shards_hear(&shards, 4, 4, 1000));
    assert_false(shards.differ);
    assert_true(edge_shards_hear(&shards, 4, 2, 1000));
    assert_false(edge_shards_hear(&shards, 4, 2, 1500)); /* told once */
    assert_false(edge_shards_hear(&shards, 4, 4, 6499));
    assert_true(shards.differ);
    assert_false(edge_shards_hear(&shards, 4, 4, 6500));
    assert_false(shards.differ);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_added_and_removed_leaves_nothing),
        cmocka_unit_test(differs_only_twice_in_a_row_and_in_quiet),
        cmocka_unit_test(what_attaching_again_does_not_cure_is_orphans),
        cmocka_unit_test(a_beat_without_digests_is_compared_by_count),
        cmocka_unit_test(shards_that_differ_stay_so_until_nobody_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
