/* What the beats of owners bring about. */
#include "home_owner.h"

static void a_count_that_differs_twice_attaches_again(void **state)
{
    (void)state;
    attach_bob();
    beat_as(GENERATION, 1); /* after the change: only looked at */
    beat_as(GENERATION, 0);
    expect_sent("");
    beat_as(GENERATION, 1);
    beat_as(GENERATION, 0);
    expect_sent(""); /* not two in a row */
    beat_as(GENERATION, 0);
    expect_sent("attach 77 at 1:10\n");
}

/* As many devices, but others: Mallory's has never left there, and Bob's is not known. */
static void a_set_that_differs_with_equal_counts_is_found_and_cured(void **state)
{
    (void)state;
    const struct wire_edge_count other = {
        .edge = TEXT("local-1"),
        .attached = 1,
        .digest = wire_attach_digest(TEXT("mallory"), TEXT("phone"), 70)};
    attach_bob();
    beat_as(GENERATION, 1);
    beat_told(GENERATION, &other);
    expect_sent("");
    beat_told(GENERATION, &other);
    expect_sent("attach 77 at 1:10\n"); /* now Bob's is known there */
    struct wire_entry entry = attached(10, 10);
    owner_says(&entry);
    assert_int_equal(it.orphans, 0);
    beat_as(GENERATION, 2); /* after the change: only looked at */
    beat_as(GENERATION, 2);
    beat_as(GENERATION, 2); /* and Mallory's is an orphan */
    assert_int_equal(it.orphans, 1);
}

static void a_log_begun_anew_is_believed_when_the_old_owner_is_silent(void **state)
{
    (void)state;
    attach_bob();
    beat_as(GENERATION, 1);
    it.log = 9;
    beat_as(1, 0);
    beat_as(GENERATION + 1, 0);
    expect_sent(""); /* the owner of the log that is known was heard just now */
    pass(2999);
    beat_as(1, 0);
    expect_sent("");
    it.now_ms += 1;
    beat_as(1, 0); /* its generations begin anew */
    expect_sent("attach 77 at 1:10\n");
}

static void a_lower_generation_is_believed_when_it_is_all_that_is_heard_for_long(void **state)
{
    (void)state;
    attach_bob();
    beat_as(GENERATION, 1);
    for (int ms = 0; ms < 20000; ms += 500) { /* a deposed owner, beside the one that counts */
        it.now_ms += 500;
        beat_as(GENERATION, 1);
        beat_as(GENERATION - 1, 0);
    }
    for (int ms = 0; ms < 2500 + 10000; ms += 500) { /* silent from 3 s on */
        it.now_ms += 500;
        beat_as(GENERATION - 1, 0);
    }
    expect_sent("");
    it.now_ms += 500;
    beat_as(GENERATION - 1, 0);
    expect_sent("attach 77 at 1:10\n");
}

static void a_region_of_another_number_of_shards_is_sent_nothing(void **state)
{
    (void)state;
    const struct edge_route_limits limits = {
        .full_permille = 850, .backlog_ms = 48 * 3600 * 1000, .lag_max_ms = 2000};
    uint16_t ours = (uint16_t)it.catalogue->regions[0].shards;
    struct wire_hub_beat beat = {.version = 2,
                                 .hub = TEXT("local-hub-1"),
                                 .generation = GENERATION,
                                 .shard = ours, /* no shard of ours */
                                 .shards = (uint16_t)(ours + 1)};
    assert_false(edge_home_shards_differ(it.home, 0));
    edge_home_beat(it.home, TEXT("local"), &beat, it.now_ms);
    assert_true(edge_home_shards_differ(it.home, 0));
    assert_int_equal(edge_home_route(it.home, 0, it.shard, &limits, it.now_ms),
                     EDGE_ROUTE_SHARDS_DIFFER);
    beat_as(GENERATION, 0); /* one hub agrees, the other may be right */
    assert_true(edge_home_shards_differ(it.home, 0));
    assert_int_equal(edge_home_route(it.home, 0, it.shard, &limits, it.now_ms + 3600000),
                     EDGE_ROUTE_SHARDS_DIFFER); /* silence is no news */
    it.now_ms += 5000;
    beat_as(GENERATION, 0);
    assert_false(edge_home_shards_differ(it.home, 0));
    assert_int_equal(edge_home_route(it.home, 0, it.shard, &limits, it.now_ms), EDGE_ROUTE_OPEN);
}

static void a_silent_home_is_told_and_attached_to_when_it_speaks(void **state)
{
    (void)state;
    attach_bob();
    beat_as(GENERATION, 1);
    pass(2999);
    expect_told("");
    pass(1);
    expect_told("unreachable\n");
    expect_sent("attach 77 at 1:10\n");
    pass(9999);
    expect_sent(""); /* nobody would hear it */
    expect_told("");
    pass(1);
    expect_told("doubt\n"); /* is it still the home? */
    pass(9999);
    expect_told("");
    pass(1);
    expect_told("doubt\n");
    beat_as(GENERATION, 1);
    expect_sent("attach 77 at 1:10\n");
    struct wire_entry entry = attached(10, 10);
    owner_says(&entry);
    expect_told("reachable\nattached 1:10 again\n");
}

static void a_home_that_is_given_up_is_lost(void **state)
{
    (void)state;
    attach_bob();
    beat_as(GENERATION, 1);
    pass(3000);
    pass(10000);
    expect_told("unreachable\ndoubt\n");
    edge_home_lose(it.home, &it.attach);
    expect_told("lost: not home\n");
    assert_int_equal(edge_home_attached(it.home), 0);
    pass(20000);
    expect_told("");
}

static void ephemeral_messages_go_to_the_owner(void **state)
{
    (void)state;
    struct wire_message message = {.message_class = WIRE_EPHEMERAL,
                                   .sender = TEXT("alice"),
                                   .id = TEXT("e1"),
                                   .body = TEXT("1")};
    struct wire_recipient bob = {.kind = WIRE_USER, .name = TEXT("bob")};
    edge_home_ephemeral(it.home, 0, it.shard, &message, &bob, 1);
    expect_sent("ephemeral e1\n");
    attach_bob();
    deliver(0);
    expect_told("msg 0\n");
    expect_sent(""); /* it has no place in the order */
}

static void routes_are_as_the_last_beat_says(void **state)
{
    (void)state;
    const struct edge_route_limits limits = {
        .full_permille = 850, .backlog_ms = 48 * 3600 * 1000, .lag_max_ms = 2000};
    static const struct {
        uint16_t log_permille;
        uint32_t lag_ms;
        enum edge_route route;
    } rows[] = {
        {849, 2000, EDGE_ROUTE_OPEN}, {850, 0, EDGE_ROUTE_FULL}, {0, 2001, EDGE_ROUTE_LAGGING}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct wire_hub_beat beat = {.hub = TEXT("local-hub-1"),
                                     .generation = GENERATION,
                                     .shard = (uint16_t)it.shard,
                                     .shards = (uint16_t)it.catalogue->regions[0].shards,
                                     .log_permille = rows[i].log_permille,
                                     .lag_ms = rows[i].lag_ms};
        edge_home_beat(it.home, TEXT("local"), &beat, it.now_ms);
        assert_int_equal(edge_home_route(it.home, 0, it.shard, &limits, it.now_ms), rows[i].route);
    }
    /* What was said long ago is no reason to refuse. */
    assert_int_equal(edge_home_route(it.home, 0, it.shard, &limits, it.now_ms + 5001),
                     EDGE_ROUTE_OPEN);
}

int main(void)
{
#define ROW(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        ROW(a_count_that_differs_twice_attaches_again),
        ROW(a_set_that_differs_with_equal_counts_is_found_and_cured),
        ROW(a_log_begun_anew_is_believed_when_the_old_owner_is_silent),
        ROW(a_lower_generation_is_believed_when_it_is_all_that_is_heard_for_long),
        ROW(a_region_of_another_number_of_shards_is_sent_nothing),
        ROW(a_silent_home_is_told_and_attached_to_when_it_speaks),
        ROW(a_home_that_is_given_up_is_lost),
        ROW(ephemeral_messages_go_to_the_owner),
        ROW(routes_are_as_the_last_beat_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
