#include "edge/edge_shares.h"

#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { MAX = 1000, PER_S = 1, BURST = 2 };

static uint64_t key_of(uint64_t number)
{
    return hash_local(&number, sizeof number) | 1;
}

/* False when there is no room. */
static bool use(struct edge_shares *shares, uint64_t number, int64_t now_ms)
{
    struct edge_share *share = edge_shares_of(shares, key_of(number), now_ms);
    return share != NULL && edge_bucket_take(&share->sends, PER_S, BURST, now_ms) == 0;
}

static void each_has_its_own_while_the_table_grows(void **state)
{
    (void)state;
    struct edge_shares *shares = edge_shares_new(MAX);
    assert_null(edge_shares_find(shares, key_of(1)));
    for (uint64_t i = 0; i < MAX; i++) {
        assert_true(use(shares, i, 0));
        assert_true(use(shares, i, 0));
        assert_false(use(shares, i, 0));
    }
    for (uint64_t i = 0; i < MAX; i++)
        assert_false(use(shares, i, 999));
    edge_shares_free(shares);
}

static void no_more_than_the_bound_are_busy_and_who_rests_makes_room(void **state)
{
    (void)state;
    struct edge_shares *shares = edge_shares_new(MAX);
    for (uint64_t i = 0; i < MAX; i++)
        assert_true(use(shares, i, 0));
    assert_null(edge_shares_of(shares, key_of(MAX), 0));
    assert_non_null(edge_shares_of(shares, key_of(0), 0));
    assert_null(edge_shares_of(shares, key_of(MAX), 999)); /* full at 1000 */
    assert_true(edge_shares_bytes(shares) <= 4 * MAX * sizeof(struct edge_share));
    assert_non_null(edge_shares_of(shares, key_of(MAX), 1100));
    assert_null(edge_shares_find(shares, key_of(0)));
    edge_shares_free(shares);
}

static void a_million_that_come_once_take_no_more_room_than_those_at_one_time(void **state)
{
    (void)state;
    struct edge_shares *shares = edge_shares_new(MAX);
    for (uint64_t i = 0; i < 1000000; i++)
        assert_true(use(shares, i, (int64_t)i * 10)); /* a hundred within a second */
    assert_true(edge_shares_bytes(shares) <= 1024 * sizeof(struct edge_share));
    edge_shares_free(shares);
}

static void memory_is_given_back_when_all_is_quiet(void **state)
{
    (void)state;
    struct edge_shares *shares = edge_shares_new(MAX);
    for (uint64_t i = 0; i < MAX; i++)
        assert_true(use(shares, i, 20000));
    size_t most = edge_shares_bytes(shares);
    edge_shares_tick(shares, 20000);
    assert_int_equal(edge_shares_bytes(shares), most);
    assert_true(use(shares, 1, 30000));
    edge_shares_tick(shares, 30000);
    assert_true(edge_shares_bytes(shares) < most);
    assert_true(use(shares, 1, 30000));
    assert_false(use(shares, 1, 30000)); /* what is busy stays */
    edge_shares_tick(shares, 40000);
    assert_int_equal(edge_shares_bytes(shares), 0);
    edge_shares_free(shares);
}

static void a_flood_and_a_login_are_remembered_too(void **state)
{
    (void)state;
    struct edge_shares *shares = edge_shares_new(64);
    *edge_shares_of(shares, 1, 5000) =
        (struct edge_share){.key = 1, .flood_ms = 4000, .last_ms = 5000};
    (void)edge_bucket_draw(&edge_shares_of(shares, 2, 5000)->logins, edge_rate_per_min(10, 10),
                           5000);
    for (uint64_t i = 3; i <= 64; i++)
        assert_non_null(edge_shares_of(shares, i, 5000));
    assert_non_null(edge_shares_of(shares, 65, 6000)); /* the others rest */
    assert_non_null(edge_shares_find(shares, 1));
    assert_non_null(edge_shares_find(shares, 2));
    edge_shares_tick(shares, 5000 + 10001);
    assert_int_equal(edge_shares_bytes(shares), 0);
    edge_shares_free(shares);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_has_its_own_while_the_table_grows),
        cmocka_unit_test(no_more_than_the_bound_are_busy_and_who_rests_makes_room),
        cmocka_unit_test(a_million_that_come_once_take_no_more_room_than_those_at_one_time),
        cmocka_unit_test(memory_is_given_back_when_all_is_quiet),
        cmocka_unit_test(a_flood_and_a_login_are_remembered_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
