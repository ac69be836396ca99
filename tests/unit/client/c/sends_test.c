#include "c/sends.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ANSWER_MS = 10000, GIVE_UP_MS = 30000 };

static struct meridian_sends sends;

static int setup(void **state)
{
    (void)state;
    meridian_sends_init(&sends, 3, ANSWER_MS, GIVE_UP_MS);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    meridian_sends_done(&sends);
    return 0;
}

static struct meridian_send *add(const char *id, int64_t now_ms)
{
    struct meridian_send *send = NULL;
    assert_int_equal(meridian_sends_add(&sends, text_of(id), text_of(id), now_ms, &send), 0);
    return send;
}

static void write_next(const char *id, int64_t now_ms)
{
    struct meridian_send *send = meridian_sends_next(&sends, now_ms);
    assert_non_null(send);
    assert_string_equal(send->id, id);
    assert_memory_equal(send->frame, id, send->size);
    meridian_sends_written(&sends, send, now_ms);
}

static void writes_each_once_in_their_order(void **state)
{
    (void)state;
    add("a", 0);
    add("b", 0);
    write_next("a", 1);
    write_next("b", 1);
    assert_null(meridian_sends_next(&sends, 2));
    assert_int_equal(sends.count, 2);
}

static void refuses_the_same_id_and_too_many(void **state)
{
    (void)state;
    struct meridian_send *send = NULL;
    add("a", 0);
    assert_int_equal(meridian_sends_add(&sends, TEXT("a"), TEXT("x"), 0, &send), -EEXIST);
    add("b", 0);
    add("c", 0);
    assert_int_equal(meridian_sends_add(&sends, TEXT("d"), TEXT("x"), 0, &send), -ENOBUFS);
    assert_null(send);
    meridian_sends_end(&sends, meridian_sends_find(&sends, TEXT("b")));
    add("b", 0);
}

static void an_answered_one_is_not_written_again(void **state)
{
    (void)state;
    add("a", 0);
    write_next("a", 0);
    meridian_sends_end(&sends, meridian_sends_find(&sends, TEXT("a")));
    assert_null(meridian_sends_next(&sends, ANSWER_MS));
    assert_int_equal(sends.count, 0);
    assert_int_equal(meridian_sends_due_ms(&sends), -1);
}

static void an_unanswered_one_is_repeated_in_time(void **state)
{
    (void)state;
    add("a", 0);
    write_next("a", 5);
    assert_int_equal(meridian_sends_due_ms(&sends), 5 + ANSWER_MS);
    assert_null(meridian_sends_next(&sends, 5 + ANSWER_MS - 1));
    write_next("a", 5 + ANSWER_MS);
    assert_int_equal(meridian_sends_find(&sends, TEXT("a"))->attempts, 2);
}

static void a_new_connection_repeats_all_in_the_old_order(void **state)
{
    (void)state;
    add("a", 0);
    add("b", 0);
    write_next("a", 1);
    write_next("b", 1);
    add("c", 2);
    meridian_sends_disconnected(&sends);
    write_next("a", 3);
    write_next("b", 3);
    write_next("c", 3);
    assert_null(meridian_sends_next(&sends, 3));
}

static void gives_up_at_the_end_and_not_before(void **state)
{
    (void)state;
    add("a", 100);
    add("b", 101);
    assert_null(meridian_sends_expired(&sends, 100 + GIVE_UP_MS - 1));
    struct meridian_send *expired = meridian_sends_expired(&sends, 100 + GIVE_UP_MS);
    assert_string_equal(expired->id, "a");
    meridian_sends_end(&sends, expired);
    assert_null(meridian_sends_expired(&sends, 100 + GIVE_UP_MS));
    assert_int_equal(meridian_sends_due_ms(&sends), 101 + GIVE_UP_MS);
}

static void may_never_give_up(void **state)
{
    (void)state;
    sends.give_up_ms = 0;
    add("a", 0);
    assert_null(meridian_sends_expired(&sends, INT64_MAX));
}

static void pauses_when_it_is_asked_to_and_goes_on_more_slowly(void **state)
{
    (void)state;
    add("a", 0);
    add("b", 0);
    add("c", 0);
    write_next("a", 0);
    write_next("b", 0);
    meridian_sends_slow_down(&sends, 500, 20, 100);
    assert_null(meridian_sends_next(&sends, 599));
    assert_int_equal(meridian_sends_due_ms(&sends), 600);
    meridian_sends_again(&sends, meridian_sends_find(&sends, TEXT("b")), 50, 100);
    write_next("b", 600); /* the one that was not taken comes before those behind it */
    assert_null(meridian_sends_next(&sends, 649));
    assert_int_equal(meridian_sends_due_ms(&sends), 650);
    write_next("c", 650);
    assert_int_equal(meridian_sends_due_ms(&sends), ANSWER_MS);
}

static void what_came_too_fast_waits_by_itself_too(void **state)
{
    (void)state;
    struct meridian_send *send = add("a", 0);
    write_next("a", 0);
    meridian_sends_again(&sends, send, 50, 100);
    assert_null(meridian_sends_next(&sends, 149));
    write_next("a", 150);
    assert_int_equal(send->attempts, 2);
    add("b", 150);
    write_next("b", 150);
}

static void a_new_connection_is_asked_for_nothing_yet(void **state)
{
    (void)state;
    add("a", 0);
    add("b", 0);
    write_next("a", 0);
    meridian_sends_slow_down(&sends, 5000, 1, 0);
    meridian_sends_disconnected(&sends);
    assert_int_equal(meridian_sends_due_ms(&sends), GIVE_UP_MS);
    write_next("a", 1);
    write_next("b", 1);
}

static void a_million_a_second_is_one_in_a_millisecond(void **state)
{
    (void)state;
    add("a", 0);
    add("b", 0);
    meridian_sends_slow_down(&sends, 0, 1000000, 0);
    write_next("a", 0);
    assert_null(meridian_sends_next(&sends, 0));
    write_next("b", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writes_each_once_in_their_order, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_the_same_id_and_too_many, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answered_one_is_not_written_again, setup, teardown),
        cmocka_unit_test_setup_teardown(an_unanswered_one_is_repeated_in_time, setup, teardown),
        cmocka_unit_test_setup_teardown(a_new_connection_repeats_all_in_the_old_order, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(gives_up_at_the_end_and_not_before, setup, teardown),
        cmocka_unit_test_setup_teardown(may_never_give_up, setup, teardown),
        cmocka_unit_test_setup_teardown(pauses_when_it_is_asked_to_and_goes_on_more_slowly, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_came_too_fast_waits_by_itself_too, setup, teardown),
        cmocka_unit_test_setup_teardown(a_new_connection_is_asked_for_nothing_yet, setup, teardown),
        cmocka_unit_test_setup_teardown(a_million_a_second_is_one_in_a_millisecond, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
