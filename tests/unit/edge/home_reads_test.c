/* What a user says to have read. */
#include "home_owner.h"

static int read_of(const char *of, uint64_t seq)
{
    return edge_home_read(it.home, &it.attach, text_of(of), 1, seq);
}

static void noted(const char *of, uint64_t seq)
{
    owner_says(&(struct wire_entry){
        .kind = WIRE_READ_NOTED,
        .read_noted = {.user = TEXT("bob"), .of = text_of(of), .epoch = 1, .seq = seq}});
}

static void what_was_read_is_told_until_it_is_noted(void **state)
{
    (void)state;
    attach_bob();
    assert_int_equal(read_of("alice", 10), 0);
    expect_sent("read alice 10\n");
    pass_with_beats(900);
    expect_sent("");
    pass_with_beats(100);
    expect_sent("read alice 10\n");
    noted("carol", 10);
    noted("alice", 9); /* an older one */
    pass_with_beats(1000);
    expect_sent("read alice 10\n");
    noted("alice", 10);
    pass_with_beats(5000);
    expect_sent("");
}

static void a_later_read_waits_its_turn_and_takes_the_place_of_an_earlier_one(void **state)
{
    (void)state;
    attach_bob();
    assert_int_equal(read_of("alice", 3), 0);
    expect_sent("read alice 3\n");
    for (uint64_t seq = 4; seq <= 10; seq++)
        assert_int_equal(read_of("alice", seq), 0);
    assert_int_equal(read_of("alice", 5), 0); /* says nothing new */
    noted("alice", 3);
    expect_sent(""); /* one a second */
    pass_with_beats(1000);
    expect_sent("read alice 10\n");
    noted("alice", 10);
    pass_with_beats(1000);
    assert_int_equal(read_of("alice", 10), 0); /* forgotten, so it is told again */
    expect_sent("read alice 10\n");
}

static void what_was_never_delivered_cannot_be_read(void **state)
{
    (void)state;
    assert_int_equal(read_of("alice", 1), -EINVAL);
    attach_bob();
    assert_int_equal(read_of("alice", 0), -EINVAL);
    assert_int_equal(read_of("alice", 11), -EINVAL);
    assert_int_equal(edge_home_read(it.home, &it.attach, TEXT("alice"), 2, 1), -EINVAL);
    expect_sent("");
    deliver(11);
    expect_told("msg 11\n");
    assert_int_equal(read_of("alice", 11), 0);
}

static void reads_that_wait_are_bounded(void **state)
{
    (void)state;
    attach_bob();
    assert_int_equal(read_of("a", 1), 0);
    assert_int_equal(read_of("b", 1), 0);
    assert_int_equal(read_of("c", 1), 0);
    assert_int_equal(read_of("d", 1), -ENOBUFS);
    assert_int_equal(read_of("c", 2), 0); /* of one that waits already */
    expect_sent("read a 1\nread b 1\nread c 1\n");
    noted("a", 1);
    assert_int_equal(read_of("d", 1), -ENOBUFS); /* it could be told many times a second */
    pass_with_beats(1000);
    assert_int_equal(read_of("d", 1), 0);
    expect_sent("read b 1\nread c 2\nread d 1\n");
}

static void reads_are_told_to_the_next_owner_and_before_the_device_leaves(void **state)
{
    (void)state;
    attach_bob();
    assert_int_equal(read_of("alice", 10), 0);
    expect_sent("read alice 10\n");
    beat_as(GENERATION + 1, 0);
    expect_sent("attach 77 at 1:10\n");
    struct wire_entry entry = attached(10, 10);
    owner_says_as(GENERATION + 1, &entry);
    expect_told("attached 1:10 again\n");
    pass(1000);
    expect_sent("report 10 acked 10\nread alice 10\n");
    edge_home_detach(it.home, &it.attach);
    expect_sent("read alice 10\ndetach 77\n");
    pass(3000);
    expect_sent("");
}

int main(void)
{
#define ROW(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        ROW(what_was_read_is_told_until_it_is_noted),
        ROW(a_later_read_waits_its_turn_and_takes_the_place_of_an_earlier_one),
        ROW(what_was_never_delivered_cannot_be_read),
        ROW(reads_that_wait_are_bounded),
        ROW(reads_are_told_to_the_next_owner_and_before_the_device_leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
