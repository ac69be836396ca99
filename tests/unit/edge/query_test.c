#include "edge/edge_query.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { ALL = 63 };

static struct edge_query query;

static void assert_wrong(const char *text, unsigned takes, const char *part)
{
    const char *wrong = edge_query_read(text_of(text), takes, &query);
    if (wrong == NULL || strstr(wrong, part) == NULL)
        fail_msg("%s: expected %s, got %s", text, part, wrong == NULL ? "nothing" : wrong);
}

static void assert_good(const char *text)
{
    const char *wrong = edge_query_read(text_of(text), ALL, &query);
    if (wrong != NULL)
        fail_msg("%s: %s", text, wrong);
}

static void says_what_a_hello_says(void **state)
{
    (void)state;
    assert_good("device=my%2Fphone&user=al%C3%ACce&cursor=1%3A57&start=head&token=a.b.c&wait=20");
    assert_true(text_equal(query.device, TEXT("my/phone")));
    assert_true(text_equal(query.user, TEXT("al\xc3\xac"
                                            "ce")));
    assert_true(text_equal(query.token, TEXT("a.b.c")));
    assert_int_equal(query.keys, ALL);
    assert_int_equal(query.epoch, 1);
    assert_int_equal(query.seq, 57);
    assert_true(query.from_head);
    assert_int_equal(query.wait_s, 20);
}

static void says_nothing_that_is_not_there(void **state)
{
    (void)state;
    static const char *const rows[] = {"", "&", "&&"};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_good("user=a&device=d&start=head&wait=1&token=t&cursor=2:2");
        assert_good(rows[i]);
        assert_int_equal(query.keys, 0);
        assert_int_equal(query.user.size + query.device.size + query.token.size, 0);
        assert_int_equal(query.wait_s, 0);
        assert_false(query.from_head);
    }
    assert_good("start=oldest&&device=d&");
    assert_false(query.from_head);
}

static void refuses_what_it_does_not_know(void **state)
{
    (void)state;
    assert_wrong("devise=d", ALL, "not known");
    assert_wrong("=d", ALL, "not known");
    assert_wrong("device=d&Device=d", ALL, "not known");
    assert_wrong("device=d&device=d", ALL, "twice");
    assert_wrong("wait=1", ALL & ~(unsigned)EDGE_QUERY_WAIT, "not known");
}

static void refuses_bad_values(void **state)
{
    (void)state;
    static const struct {
        const char *query, *part;
    } rows[] = {
        {"device=", "no device id"},
        {"device=a+b", "no device id"},
        {"device=%zz", "no device id"},
        {"device", "no device id"},
        {"user=", "no user id"},
        {"user=%00", "no user id"},
        {"user=%FF", "no user id"},
        {"user=$meridian", "no user id"},
        {"cursor=7", "not epoch:seq"},
        {"cursor=", "not epoch:seq"},
        {"cursor=1:2:3", "not epoch:seq"},
        {"cursor=4294967296:1", "not epoch:seq"},
        {"start=", "neither"},
        {"start=HEAD", "neither"},
        {"token=", "token is empty"},
        {"wait=-1", "no number of seconds"},
        {"wait=3601", "number of seconds"},
        {"wait=1s", "number of seconds"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_wrong(rows[i].query, ALL, rows[i].part);
}

/* Each bound, and one past it. */
static void values_are_bounded(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        size_t most;
    } rows[] = {{"device=", TEXT_DEVICE_MAX}, {"user=", TEXT_USER_MAX}, {"token=", AUTH_TOKEN_MAX}};
    static char text[AUTH_TOKEN_MAX + 16];
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t start = strlen(rows[i].key);
        memset(text, 'a', sizeof text);
        memcpy(text, rows[i].key, start);
        assert_null(edge_query_read((struct text){text, start + rows[i].most}, ALL, &query));
        assert_non_null(
            edge_query_read((struct text){text, start + rows[i].most + 1}, ALL, &query));
    }
}

static void a_header_says_where_it_goes_on(void **state)
{
    (void)state;
    assert_good("device=d&cursor=1:2");
    assert_int_equal(edge_query_go_on(&query, TEXT("1:9")), 0);
    assert_int_equal(query.seq, 9);
    assert_int_equal(edge_query_go_on(&query, TEXT("x")), -EINVAL);
    assert_good("device=d");
    assert_int_equal(edge_query_go_on(&query, TEXT("3:4")), 0);
    assert_true((query.keys & EDGE_QUERY_CURSOR) != 0);
    assert_int_equal(query.epoch, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_a_hello_says),
        cmocka_unit_test(says_nothing_that_is_not_there),
        cmocka_unit_test(refuses_what_it_does_not_know),
        cmocka_unit_test(refuses_bad_values),
        cmocka_unit_test(values_are_bounded),
        cmocka_unit_test(a_header_says_where_it_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
