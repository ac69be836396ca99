#include "base/macros.h"
#include "base/text.h"
#include "wan/line.h"

/* cmocka wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

enum { MANY = 100000, SIZE = 200, HELD_MAX = 1 << 20 };
static const int64_t ms = 1000000, second = 1000000000;

static struct wan_line line;

static int set_up(void **state)
{
    (void)state;
    wan_line_init(&line, HELD_MAX);
    wan_line_seed(&line, 7, 1);
    return 0;
}

/* Takes a packet that must pass once, at once delivered; returns how long it was on its way. */
static int64_t pass(int64_t now_ns)
{
    int64_t due_ns = -1;
    assert_int_equal(wan_line_take(&line, SIZE, now_ns, &due_ns), 1);
    assert_true(wan_line_arrive(&line, SIZE, due_ns, due_ns));
    return due_ns - now_ns;
}

/* Sends MANY packets far apart; returns how many copies came. */
static unsigned send_many(void)
{
    unsigned copies = 0;
    for (int64_t i = 0; i < MANY; i++) {
        int64_t due_ns;
        unsigned came = wan_line_take(&line, SIZE, i * second, &due_ns);
        copies += came;
        for (; came > 0; came--)
            assert_true(wan_line_arrive(&line, SIZE, due_ns, due_ns));
    }
    assert_int_equal(line.held_bytes, 0);
    return copies;
}

/* Within five standard deviations of what is expected of MANY independent draws. */
static void assert_share(uint64_t happened, double share)
{
    double expected = share * MANY, variance = expected * (1 - share);
    double off = (double)happened - expected;
    if (off * off > 5 * 5 * variance)
        fail_msg("%llu happened, %.0f expected", (unsigned long long)happened, expected);
}

static void lets_all_pass_at_once_when_nothing_is_set(void **state)
{
    (void)state;
    for (int64_t i = 0; i < 1000; i++)
        assert_int_equal(pass(i), 0);
    assert_int_equal(line.count.packets, 1000);
    assert_int_equal(line.count.bytes, 1000 * SIZE);
}

static void delays_every_packet_alike(void **state)
{
    (void)state;
    wan_line_set(&line, WAN_DELAY, 110 * (uint64_t)ms);
    for (int64_t i = 0; i < 1000; i++)
        for (int together = 0; together < 3; together++)
            assert_int_equal(pass(i * ms), 110 * ms);
}

static void spreads_the_delay_evenly_over_its_jitter(void **state)
{
    (void)state;
    enum { BINS = 10 };
    unsigned bins[BINS] = {0};
    wan_line_set(&line, WAN_DELAY, 100 * (uint64_t)ms);
    wan_line_set(&line, WAN_JITTER, 20 * (uint64_t)ms);
    for (int64_t i = 0; i < MANY; i++) {
        int64_t early = pass(i * second) - 80 * ms;
        assert_in_range(early, 0, 40 * ms);
        bins[early == 40 * ms ? BINS - 1 : early * BINS / (40 * ms)]++;
    }
    for (size_t i = 0; i < BINS; i++)
        assert_share(bins[i], 1.0 / BINS);
}

static void never_delivers_before_it_was_sent(void **state)
{
    (void)state;
    bool some_at_once = false;
    wan_line_set(&line, WAN_DELAY, 1 * (uint64_t)ms);
    wan_line_set(&line, WAN_JITTER, 5 * (uint64_t)ms);
    for (int64_t i = 0; i < 1000; i++) {
        int64_t took = pass(i * second);
        assert_in_range(took, 0, 6 * ms);
        some_at_once = some_at_once || took == 0;
    }
    assert_true(some_at_once);
}

static void keeps_the_order_under_jitter(void **state)
{
    (void)state;
    int64_t last = 0;
    wan_line_set(&line, WAN_DELAY, 50 * (uint64_t)ms);
    wan_line_set(&line, WAN_JITTER, 50 * (uint64_t)ms);
    for (int64_t now = 0; now < 1000 * ms; now += ms) {
        int64_t due = now + pass(now);
        assert_true(due >= last);
        last = due;
    }
}

static void loses_the_share_that_is_set(void **state)
{
    (void)state;
    static const uint64_t shares_ppm[] = {1000, 10000, 50000, 500000};
    for (size_t i = 0; i < COUNT_OF(shares_ppm); i++) {
        set_up(NULL);
        wan_line_set(&line, WAN_LOSS, shares_ppm[i]);
        unsigned came = send_many();
        assert_share(line.count.lost, (double)shares_ppm[i] / 1e6);
        assert_int_equal(came + line.count.lost, MANY);
    }
}

static void loses_nothing_at_0_and_everything_at_100_percent(void **state)
{
    (void)state;
    assert_int_equal(send_many(), MANY);
    wan_line_set(&line, WAN_LOSS, 1000000);
    assert_int_equal(send_many(), 0);
    assert_int_equal(line.count.lost, MANY);
}

static void duplicates_the_share_that_is_set(void **state)
{
    (void)state;
    wan_line_set(&line, WAN_DUPLICATE, 20000);
    unsigned came = send_many();
    assert_int_equal(came, MANY + line.count.duplicated);
    assert_share(line.count.duplicated, 0.02);
}

static void sends_the_share_that_is_set_late_and_lets_others_overtake(void **state)
{
    (void)state;
    wan_line_set(&line, WAN_DELAY, 30 * (uint64_t)ms);
    wan_line_set(&line, WAN_REORDER, 100000);
    wan_line_set(&line, WAN_LATE, 5 * (uint64_t)ms);
    unsigned late = 0;
    for (int64_t i = 0; i < MANY; i++) {
        int64_t took = pass(i * ms);
        assert_true(took == 30 * ms || took == 35 * ms);
        late += took == 35 * ms;
    }
    assert_share(late, 0.1);
    assert_int_equal(line.count.reordered, late);
}

static void lets_packets_go_at_the_rate(void **state)
{
    (void)state;
    int64_t due;
    wan_line_set(&line, WAN_RATE, 8000000); /* 1 us a byte */
    wan_line_set(&line, WAN_DELAY, 10 * (uint64_t)ms);
    for (int64_t i = 1; i <= 100; i++) {
        assert_int_equal(wan_line_take(&line, 1000, 0, &due), 1);
        assert_int_equal(due, 10 * ms + i * ms);
    }
    assert_int_equal(wan_line_take(&line, 1000, 500 * ms, &due), 1); /* the line was idle again */
    assert_int_equal(due, 511 * ms);
}

static void drops_what_finds_no_room_in_the_queue(void **state)
{
    (void)state;
    int64_t due;
    wan_line_set(&line, WAN_RATE, 8000000);
    wan_line_set(&line, WAN_QUEUE, 10000);
    for (int i = 0; i < 10; i++)
        assert_int_equal(wan_line_take(&line, 1000, 0, &due), 1); /* the tenth just fits */
    assert_int_equal(wan_line_take(&line, 1, 0, &due), 0);
    assert_int_equal(line.count.queue_full, 1);
    assert_int_equal(wan_line_take(&line, 1000, ms, &due), 1); /* one has left */
    assert_int_equal(wan_line_take(&line, 1, ms, &due), 0);
    assert_int_equal(line.count.queue_full, 2);
    assert_int_equal(due, 11 * ms);
}

static void reckons_without_wrapping_at_the_greatest_and_the_least_rate(void **state)
{
    (void)state;
    int64_t due;
    wan_line_set(&line, WAN_QUEUE, wan_knob_rows[WAN_QUEUE].max);
    wan_line_set(&line, WAN_RATE, 1);
    assert_int_equal(wan_line_take(&line, 1500, 0, &due), 1);
    assert_int_equal(wan_line_take(&line, 1500, 0, &due), 1);
    assert_int_equal(due, 2 * 1500 * 8 * second);
    wan_line_set(&line, WAN_RATE, wan_knob_rows[WAN_RATE].max);
    assert_int_equal(wan_line_take(&line, 1500, 0, &due), 1);
    assert_int_equal(due, 1200);
    assert_int_equal(line.count.queue_full, 0);
}

static void begins_with_an_empty_queue_when_the_rate_changes(void **state)
{
    (void)state;
    int64_t due;
    wan_line_set(&line, WAN_RATE, 8000);
    assert_int_equal(wan_line_take(&line, 1000, 0, &due), 1);
    assert_int_equal(due, second);
    wan_line_set(&line, WAN_RATE, 0);
    assert_int_equal(wan_line_take(&line, 1000, ms, &due), 1);
    assert_int_equal(due, ms);
}

static void holds_as_many_bytes_as_it_may_and_not_one_more(void **state)
{
    (void)state;
    int64_t due;
    wan_line_set(&line, WAN_DELAY, (uint64_t)second);
    assert_int_equal(wan_line_take(&line, HELD_MAX - 100, 0, &due), 1);
    assert_int_equal(wan_line_take(&line, 101, 0, &due), 0);
    assert_int_equal(line.count.held_full, 1);
    assert_int_equal(wan_line_take(&line, 100, 0, &due), 1);
    assert_int_equal(line.held_bytes, HELD_MAX);
    assert_int_equal(wan_line_take(&line, 1, 0, &due), 0);
    assert_true(wan_line_arrive(&line, 100, due, due));
    assert_int_equal(wan_line_take(&line, 100, second, &due), 1);
    wan_line_give_up(&line, 100);
    assert_int_equal(line.held_bytes, HELD_MAX - 100);
    assert_int_equal(line.count.held_full, 3);
}

static void makes_no_copy_for_which_there_is_no_room(void **state)
{
    (void)state;
    int64_t due;
    wan_line_set(&line, WAN_DUPLICATE, 1000000);
    assert_int_equal(wan_line_take(&line, HELD_MAX / 2 + 1, 0, &due), 1);
    assert_int_equal(wan_line_take(&line, HELD_MAX / 4 - 1, 0, &due), 2);
    assert_int_equal(line.count.held_full, 0);
}

static void drops_everything_while_it_is_cut_and_what_would_arrive_then(void **state)
{
    (void)state;
    int64_t due;
    wan_line_set(&line, WAN_DELAY, 100 * (uint64_t)ms);
    assert_int_equal(wan_line_take(&line, SIZE, 0, &due), 1);
    line.cut = true;
    assert_int_equal(wan_line_take(&line, SIZE, 50 * ms, &due), 0);
    assert_false(wan_line_arrive(&line, SIZE, due, due));
    assert_int_equal(line.count.cut, 2);
    assert_int_equal(line.held_bytes, 0);
    line.cut = false;
    assert_int_equal(pass(200 * ms), 100 * ms);
}

static void remembers_how_late_packets_were_handed_over_at_most(void **state)
{
    (void)state;
    for (int64_t late = 3; late >= 1; late--) {
        int64_t due;
        assert_int_equal(wan_line_take(&line, SIZE, 0, &due), 1);
        assert_true(wan_line_arrive(&line, SIZE, due, due + late * ms));
    }
    assert_int_equal(line.overdue_max_ns, 3 * ms);
}

static void is_down_and_up_in_turn_while_it_flaps(void **state)
{
    (void)state;
    line.flap_since_ns = 10 * second;
    line.flap_down_ns = 2 * (uint64_t)second;
    line.flap_up_ns = 3 * (uint64_t)second;
    for (int64_t round = 0; round < 3; round++) {
        int64_t begin = 10 * second + round * 5 * second;
        assert_true(wan_line_is_down(&line, begin));
        assert_true(wan_line_is_down(&line, begin + 2 * second - 1));
        assert_false(wan_line_is_down(&line, begin + 2 * second));
        assert_false(wan_line_is_down(&line, begin + 5 * second - 1));
    }
}

static void set_everything(struct wan_line *to)
{
    wan_line_set(to, WAN_DELAY, 20 * (uint64_t)ms);
    wan_line_set(to, WAN_JITTER, 10 * (uint64_t)ms);
    wan_line_set(to, WAN_LOSS, 100000);
    wan_line_set(to, WAN_DUPLICATE, 100000);
    wan_line_set(to, WAN_REORDER, 100000);
    wan_line_set(to, WAN_RATE, 100000000);
}

static struct wan_line busy_line(uint64_t seed, uint64_t which)
{
    struct wan_line busy;
    wan_line_init(&busy, HELD_MAX);
    wan_line_seed(&busy, seed, which);
    set_everything(&busy);
    return busy;
}

/* How many of 1,000 packets fare the same on line 1 of seed 7 and another. */
static unsigned same_fates(uint64_t seed, uint64_t which)
{
    unsigned same = 0;
    struct wan_line a = busy_line(7, 1), b = busy_line(seed, which);
    for (int64_t i = 0; i < 1000; i++) {
        int64_t due_a = 0, due_b = 0;
        unsigned copies_a = wan_line_take(&a, SIZE, i * ms, &due_a);
        unsigned copies_b = wan_line_take(&b, SIZE, i * ms, &due_b);
        same += copies_a == copies_b && due_a == due_b;
    }
    return same;
}

static void decides_the_same_for_the_same_seed_and_line_only(void **state)
{
    (void)state;
    assert_int_equal(same_fates(7, 1), 1000);
    assert_true(same_fates(7, 2) < 200);
    assert_true(same_fates(8, 1) < 200);
}

static void loses_the_same_packets_whatever_else_is_set(void **state)
{
    (void)state;
    struct wan_line plain = line;
    int64_t due;
    set_everything(&line);
    wan_line_set(&plain, WAN_LOSS, line.knobs.value[WAN_LOSS]);
    for (int64_t i = 0; i < 1000; i++) {
        line.cut = i % 10 == 0; /* a packet that is cut takes its number too */
        bool lost = wan_line_take(&plain, SIZE, i * ms, &due) == 0;
        bool gone = wan_line_take(&line, SIZE, i * ms, &due) == 0;
        assert_true(line.cut || lost == gone);
    }
}

static void counts_so_that_nothing_is_missing(void **state)
{
    (void)state;
    uint64_t in_flight = 0;
    set_everything(&line);
    wan_line_set(&line, WAN_RATE, 1000000);
    wan_line_set(&line, WAN_QUEUE, 3000);
    for (int64_t i = 0; i < 1000; i++) {
        int64_t due;
        line.cut = i >= 900;
        in_flight += wan_line_take(&line, SIZE, i * ms, &due);
    }
    const struct wan_counters *count = &line.count;
    assert_int_equal(count->packets, 1000);
    assert_int_equal(count->cut, 100);
    assert_true(count->lost > 0 && count->queue_full > 0 && count->duplicated > 0);
    assert_int_equal(in_flight * SIZE, line.held_bytes);
    assert_int_equal(count->packets + count->duplicated,
                     in_flight + count->cut + count->lost + count->queue_full + count->held_full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, set_up)
        TEST(lets_all_pass_at_once_when_nothing_is_set),
        TEST(delays_every_packet_alike),
        TEST(spreads_the_delay_evenly_over_its_jitter),
        TEST(never_delivers_before_it_was_sent),
        TEST(keeps_the_order_under_jitter),
        TEST(loses_the_share_that_is_set),
        TEST(loses_nothing_at_0_and_everything_at_100_percent),
        TEST(duplicates_the_share_that_is_set),
        TEST(sends_the_share_that_is_set_late_and_lets_others_overtake),
        TEST(lets_packets_go_at_the_rate),
        TEST(drops_what_finds_no_room_in_the_queue),
        TEST(reckons_without_wrapping_at_the_greatest_and_the_least_rate),
        TEST(begins_with_an_empty_queue_when_the_rate_changes),
        TEST(holds_as_many_bytes_as_it_may_and_not_one_more),
        TEST(makes_no_copy_for_which_there_is_no_room),
        TEST(drops_everything_while_it_is_cut_and_what_would_arrive_then),
        TEST(remembers_how_late_packets_were_handed_over_at_most),
        TEST(is_down_and_up_in_turn_while_it_flaps),
        TEST(decides_the_same_for_the_same_seed_and_line_only),
        TEST(loses_the_same_packets_whatever_else_is_set),
        TEST(counts_so_that_nothing_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
