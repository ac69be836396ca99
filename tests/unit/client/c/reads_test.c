#include "c/reads.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct meridian_reads reads;

static int begin(void **state)
{
    (void)state;
    meridian_reads_init(&reads);
    return 0;
}

static int end(void **state)
{
    (void)state;
    meridian_reads_done(&reads);
    return 0;
}

static void expect(const char *from, const char *cursor)
{
    struct meridian_read *read = meridian_reads_next(&reads);
    if (from == NULL) {
        assert_null(read);
        return;
    }
    assert_non_null(read);
    assert_string_equal(read->from, from);
    assert_string_equal(read->cursor, cursor);
    read->said = true;
}

static void says_the_last_cursor_of_each_sender_once_a_connection(void **state)
{
    (void)state;
    assert_int_equal(meridian_reads_set(&reads, "alice", "1:5"), 0);
    assert_int_equal(meridian_reads_set(&reads, "carol", "1:6"), 0);
    assert_int_equal(meridian_reads_set(&reads, "alice", "1:7"), 0);
    expect("carol", "1:6");
    expect("alice", "1:7");
    expect(NULL, NULL);
    assert_int_equal(meridian_reads_set(&reads, "alice", "1:7"), 0); /* nothing new */
    expect(NULL, NULL);
    assert_int_equal(meridian_reads_set(&reads, "alice", "1:8"), 0);
    expect("alice", "1:8");
    meridian_reads_disconnected(&reads);
    expect("carol", "1:6");
    expect("alice", "1:8");
    expect(NULL, NULL);
}

static void is_bounded(void **state)
{
    (void)state;
    char from[16];
    for (int i = 0; i < MERIDIAN_READS_MAX; i++) {
        snprintf(from, sizeof from, "s%d", i);
        assert_int_equal(meridian_reads_set(&reads, from, "1:1"), 0);
    }
    assert_int_equal(meridian_reads_set(&reads, "one-more", "1:1"), -ENOBUFS);
    assert_int_equal(meridian_reads_set(&reads, "s3", "1:2"), 0);
    expect("s0", "1:1");
    assert_int_equal(meridian_reads_set(&reads, "one-more", "1:1"), 0); /* s0 makes room */
    assert_int_equal(reads.count, MERIDIAN_READS_MAX);
    meridian_reads_disconnected(&reads);
    expect("s1", "1:1");
    assert_int_equal(
        meridian_reads_set(&reads, "a", "1:11111111111111111111111111111111111111111111"), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(says_the_last_cursor_of_each_sender_once_a_connection,
                                        begin, end),
        cmocka_unit_test_setup_teardown(is_bounded, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
