/* A device whose user's home moves: what it said in between is told at the new one. */
#include "home_owner.h"

static void kick_moved(void)
{
    owner_says(&(struct wire_entry){.kind = WIRE_KICK,
                                    .kick = {.user = TEXT("bob"),
                                             .device = TEXT("phone"),
                                             .attach = 77,
                                             .reason = WIRE_KICK_MOVED}});
    expect_told("lost: not home\n");
}

/* Attached at 1:11, of which nothing is acknowledged beyond 1:10; then the home moves. */
static void move_bob(void)
{
    attach_bob();
    deliver(11);
    expect_told("msg 11\n");
    expect_sent("report 11 acked 10\n");
    kick_moved();
    it.attach.flags |= WIRE_ATTACH_HAS_CURSOR; /* as a session does */
}

static void attach_elsewhere(uint64_t seq, uint64_t acked, uint8_t flags)
{
    assert_int_equal(edge_home_attach(it.home, &it.attach, 0, it.now_ms), 0);
    expect_sent("attach 0 at 1:11\n");
    struct wire_entry entry = attached(seq, seq);
    entry.attached.acked = acked;
    entry.attached.flags = flags;
    owner_says(&entry);
    pass(100);
}

static void goes_on_at_the_new_home_with_what_it_has(void **state)
{
    (void)state;
    move_bob();
    attach_elsewhere(11, 10, WIRE_ATTACHED_RESUMED);
    expect_told("attached 1:11\n");
    expect_sent("report 11 acked 10\n");
    deliver(12);
    expect_told("msg 12\n");
}

static void tells_an_ack_of_the_time_between(void **state)
{
    (void)state;
    move_bob();
    assert_int_equal(edge_home_ack(it.home, &it.attach, 1, 12), -EINVAL); /* never written */
    assert_int_equal(edge_home_ack(it.home, &it.attach, 1, 11), 0);
    expect_sent("");
    attach_elsewhere(11, 10, WIRE_ATTACHED_RESUMED);
    expect_told("attached 1:11\n");
    expect_sent("report 11 acked 11\n");
    pass_with_beats(3000);
    expect_sent("report 11 acked 11\n"); /* until it is confirmed */
}

static void tells_an_ack_that_comes_while_it_attaches(void **state)
{
    (void)state;
    move_bob();
    assert_int_equal(edge_home_attach(it.home, &it.attach, 0, it.now_ms), 0);
    expect_sent("attach 0 at 1:11\n");
    assert_int_equal(edge_home_ack(it.home, &it.attach, 1, 11), 0);
    struct wire_entry entry = attached(11, 11);
    entry.attached.acked = 10;
    owner_says(&entry);
    pass(100);
    expect_told("attached 1:11\n");
    expect_sent("report 11 acked 11\n");
}

static void forgets_acks_of_a_cursor_that_is_not_honoured(void **state)
{
    (void)state;
    move_bob();
    assert_int_equal(edge_home_ack(it.home, &it.attach, 1, 11), 0);
    attach_elsewhere(5, 5, WIRE_ATTACHED_RESYNC);
    expect_told("attached 1:5 resync\n");
    assert_int_equal(it.attach.acked, 5);
    assert_int_equal(edge_home_ack(it.home, &it.attach, 1, 11), -EINVAL);
}

static void tells_what_was_read_in_between(void **state)
{
    (void)state;
    move_bob();
    assert_int_equal(edge_home_read(it.home, &it.attach, TEXT("alice"), 1, 11), 0);
    pass_with_beats(2000);
    expect_sent(""); /* nobody is there to hear it */
    attach_elsewhere(11, 10, WIRE_ATTACHED_RESUMED);
    expect_told("attached 1:11\n");
    pass_with_beats(1000);
    expect_sent("report 11 acked 10\nread alice 11\n");
}

static void who_leaves_in_between_is_forgotten(void **state)
{
    (void)state;
    move_bob();
    assert_int_equal(edge_home_read(it.home, &it.attach, TEXT("alice"), 1, 11), 0);
    edge_home_detach(it.home, &it.attach);
    pass_with_beats(3000);
    expect_sent("");
}

static void who_was_never_attached_has_nothing_to_acknowledge(void **state)
{
    (void)state;
    beat_as(GENERATION, 0);
    assert_int_equal(edge_home_attach(it.home, &it.attach, 0, it.now_ms), 0);
    expect_sent("attach 0\n");
    struct wire_entry entry = attached(0, 0);
    entry.attached.code = WIRE_NOT_HOME;
    owner_says(&entry);
    expect_told("lost: not home\n");
    assert_int_equal(edge_home_ack(it.home, &it.attach, 0, 0), -EINVAL);
}

int main(void)
{
#define ROW(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        ROW(goes_on_at_the_new_home_with_what_it_has),
        ROW(tells_an_ack_of_the_time_between),
        ROW(tells_an_ack_that_comes_while_it_attaches),
        ROW(forgets_acks_of_a_cursor_that_is_not_honoured),
        ROW(tells_what_was_read_in_between),
        ROW(who_leaves_in_between_is_forgotten),
        ROW(who_was_never_attached_has_nothing_to_acknowledge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
