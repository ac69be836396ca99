/* When a client's token is said again, and when not. */
#include "c/shown.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void what_is_no_token_is_refused(void **state)
{
    (void)state;
    struct meridian_shown shown = {0};
    char longest[MERIDIAN_TOKEN_MAX + 2];
    memset(longest, 'x', sizeof longest);
    longest[MERIDIAN_TOKEN_MAX + 1] = '\0';
    static const char *const bad[] = {"", "a b", "a\n", "a\x7f", "\xc3\xa9"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(meridian_shown_set(&shown, bad[i], false, 0), -EINVAL);
    assert_int_equal(meridian_shown_set(&shown, longest, false, 0), -EINVAL);
    assert_null(shown.token);
    longest[MERIDIAN_TOKEN_MAX] = '\0';
    assert_int_equal(meridian_shown_set(&shown, longest, false, 0), 0);
    assert_int_equal(meridian_shown_set(&shown, "short", false, 0), 0);
    assert_string_equal(shown.token, "short");
    meridian_shown_done(&shown);
}

static void one_that_a_hello_will_say_is_not_said_in_place(void **state)
{
    (void)state;
    struct meridian_shown shown = {0};
    assert_int_equal(meridian_shown_set(&shown, "one", false, 1000), 0);
    assert_false(meridian_shown_is_due(&shown, 1000));
    assert_int_equal(meridian_shown_due_ms(&shown), -1);
    meridian_shown_done(&shown);
}

static void one_that_came_later_is_said_until_it_is_answered(void **state)
{
    (void)state;
    struct meridian_shown shown = {0};
    assert_int_equal(meridian_shown_set(&shown, "one", true, 1000), 0);
    int64_t now_ms = 1000;
    for (int i = 0; i < MERIDIAN_SHOWN_TRIES; i++, now_ms += MERIDIAN_SHOWN_ANSWER_MS) {
        assert_true(meridian_shown_is_due(&shown, now_ms));
        meridian_shown_said(&shown, now_ms);
        assert_false(meridian_shown_is_due(&shown, now_ms + MERIDIAN_SHOWN_ANSWER_MS - 1));
    }
    assert_false(meridian_shown_is_due(&shown, now_ms)); /* the edge looks at none */
    assert_int_equal(meridian_shown_set(&shown, "two", true, now_ms), 0);
    assert_int_equal(meridian_shown_due_ms(&shown), now_ms);
    meridian_shown_said(&shown, now_ms);
    meridian_shown_answered(&shown);
    assert_int_equal(meridian_shown_due_ms(&shown), -1);
    meridian_shown_done(&shown);
}

static void two_are_said_a_second_apart(void **state)
{
    (void)state;
    struct meridian_shown shown = {0};
    assert_int_equal(meridian_shown_set(&shown, "one", true, 1000), 0);
    meridian_shown_said(&shown, 1000);
    assert_int_equal(meridian_shown_set(&shown, "two", true, 1001), 0);
    assert_false(meridian_shown_is_due(&shown, 1000 + MERIDIAN_SHOWN_APART_MS - 1));
    meridian_shown_answered(&shown); /* of the first */
    assert_true(meridian_shown_is_due(&shown, 1000 + MERIDIAN_SHOWN_APART_MS));
    meridian_shown_done(&shown);
}

static void on_another_connection_it_is_said_by_the_hello(void **state)
{
    (void)state;
    struct meridian_shown shown = {0};
    assert_int_equal(meridian_shown_set(&shown, "one", true, 1000), 0);
    meridian_shown_said(&shown, 1000);
    meridian_shown_forget(&shown);
    assert_int_equal(meridian_shown_due_ms(&shown), -1);
    assert_int_equal(meridian_shown_set(&shown, "two", true, 1001), 0);
    assert_true(meridian_shown_is_due(&shown, 1001));
    meridian_shown_done(&shown);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_token_is_refused),
        cmocka_unit_test(one_that_a_hello_will_say_is_not_said_in_place),
        cmocka_unit_test(one_that_came_later_is_said_until_it_is_answered),
        cmocka_unit_test(two_are_said_a_second_apart),
        cmocka_unit_test(on_another_connection_it_is_said_by_the_hello),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
