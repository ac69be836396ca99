#include "edge/edge_limits.h"

#include "edge/edge_shares.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct {
    struct edge_settings settings;
    struct edge_limits *limits;
} it;

static int begin(void **state)
{
    (void)state;
    settings_defaults(edge_settings_table, &it.settings);
    it.limits = edge_limits_new(&it.settings);
    return it.limits == NULL ? -1 : 0;
}

static int end(void **state)
{
    (void)state;
    edge_limits_free(it.limits);
    return 0;
}

static const char first[1], second[1], third[1]; /* connections */

static struct edge_limits_who who(const void *connection, const char *user, const char *address)
{
    struct edge_limits_who one = {.connection = connection, .user = text_of(user)};
    assert_int_equal(address_parse(text_of(address), &one.client), 0);
    return one;
}

/* How many of `count` are let through at this moment. */
static int sends(struct edge_limits_who one, int count, int64_t now_ms)
{
    int sent = 0;
    for (int i = 0; i < count; i++)
        sent += edge_limits_send(it.limits, &one, now_ms).again_ms == 0;
    return sent;
}

static void a_connection_has_its_burst_then_its_rate(void **state)
{
    (void)state;
    struct edge_limits_who alice = who(first, "alice", "192.0.2.1");
    assert_int_equal(sends(alice, 41, 0), 40);
    struct edge_limits_wait wait = edge_limits_send(it.limits, &alice, 0);
    assert_int_equal(wait.again_ms, 50);
    assert_int_equal(wait.calm_ms, 1000);
    assert_int_equal(wait.per_s, 20);
    assert_int_equal(sends(alice, 1, 49), 0);
    assert_int_equal(sends(alice, 2, 50), 1);
    int sent = 0;
    for (int64_t now_ms = 51; now_ms <= 10050; now_ms++)
        sent += sends(alice, 1, now_ms);
    assert_int_equal(sent, 200);
}

static void two_connections_of_one_user_share(void **state)
{
    (void)state;
    assert_int_equal(sends(who(first, "alice", "192.0.2.1"), 40, 0), 40);
    assert_int_equal(sends(who(second, "alice", "198.51.100.1"), 40, 0), 40);
    assert_int_equal(sends(who(third, "alice", "203.0.113.1"), 40, 0), 20);
    assert_int_equal(sends(who(NULL, "alice", "203.0.113.1"), 1, 0), 0); /* requests, too */
    struct edge_limits_who one = who(third, "alice", "203.0.113.1");
    struct edge_limits_wait wait = edge_limits_send(it.limits, &one, 0);
    assert_int_equal(wait.again_ms, 20);
    assert_int_equal(wait.per_s, 50);
    assert_int_equal(sends(who(third, "bob", "203.0.113.1"), 1, 0), 1);
}

static void who_is_refused_takes_from_none(void **state)
{
    (void)state;
    assert_int_equal(sends(who(first, "alice", "192.0.2.1"), 1000, 0), 40);
    assert_int_equal(sends(who(NULL, "alice", "192.0.2.1"), 1000, 0), 60);
}

static void a_neighbourhood_shares_and_this_machine_is_none(void **state)
{
    (void)state;
    static const char *const addresses[] = {"192.0.2.1", "192.0.2.255"};
    char user[] = "u?";
    int sent = 0;
    for (int i = 0; i < 20; i++) {
        user[1] = (char)('a' + i);
        sent += sends(who(NULL, user, addresses[i % 2]), 100, 0);
    }
    assert_int_equal(sent, 1000);
    assert_int_equal(sends(who(NULL, "other", "192.0.3.1"), 1, 0), 1);
    sent = 0;
    for (int i = 0; i < 20; i++) {
        user[1] = (char)('A' + i);
        sent += sends(who(NULL, user, "127.0.0.1"), 100, 0);
    }
    assert_int_equal(sent, 2000);
}

static void who_says_nobody_is_limited_by_its_neighbourhood_alone(void **state)
{
    (void)state;
    assert_int_equal(sends(who(NULL, "", "192.0.2.1"), 2000, 0), 1000);
    assert_int_equal(sends(who(NULL, "", "::1"), 2000, 0), 2000);
}

static void a_service_has_a_limit_of_its_own(void **state)
{
    (void)state;
    struct edge_limits_who shop = who(first, "shop", "192.0.2.1");
    shop.service = true;
    assert_int_equal(sends(shop, 5000, 0), 4000);
    shop.connection = second;
    assert_int_equal(sends(shop, 1, 0), 0);
    shop.service = false; /* another token of it */
    assert_int_equal(sends(shop, 1, 0), 1);
}

static void zero_is_no_limit(void **state)
{
    (void)state;
    it.settings.sends_per_s = it.settings.user_sends_per_s = it.settings.near_sends_per_s = 0;
    assert_int_equal(sends(who(first, "alice", "192.0.2.1"), 5000, 0), 5000);
}

static void another_connection_at_the_same_place_begins_anew(void **state)
{
    (void)state;
    assert_int_equal(sends(who(first, "alice", "192.0.2.1"), 41, 0), 40);
    edge_limits_forget(it.limits, first);
    edge_limits_forget(it.limits, second);
    assert_int_equal(sends(who(first, "bob", "192.0.2.1"), 41, 0), 40);
}

static void a_flood_is_one_until_it_pauses(void **state)
{
    (void)state;
    assert_int_equal(edge_limits_flood(it.limits, first, 5000), EDGE_FLOOD_BEGINS);
    for (int64_t now_ms = 5050; now_ms < 15000; now_ms += 50)
        assert_int_equal(edge_limits_flood(it.limits, first, now_ms), EDGE_FLOOD_GOES_ON);
    assert_int_equal(edge_limits_flood(it.limits, first, 14999), EDGE_FLOOD_GOES_ON);
    assert_int_equal(edge_limits_flood(it.limits, second, 14999), EDGE_FLOOD_BEGINS);
    assert_int_equal(edge_limits_flood(it.limits, first, 15000), EDGE_FLOOD_TOO_LONG);
    assert_int_equal(edge_limits_flood(it.limits, second, 14999 + EDGE_SHARE_QUIET_MS),
                     EDGE_FLOOD_GOES_ON);
    assert_int_equal(edge_limits_flood(it.limits, first, 15001 + EDGE_SHARE_QUIET_MS),
                     EDGE_FLOOD_BEGINS);
}

static uint32_t log_in(const char *user, bool resumes, int64_t now_ms)
{
    return edge_limits_login(it.limits, NULL, text_of(user), resumes, now_ms).again_ms;
}

static void a_user_logs_in_ten_times_then_every_six_seconds(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++)
        assert_int_equal(log_in("alice", false, 0), 0);
    assert_int_equal(log_in("alice", false, 0), 6000);
    assert_int_equal(log_in("bob", false, 0), 0);
    assert_int_equal(log_in("alice", false, 5999), 1);
    assert_int_equal(log_in("alice", false, 6000), 0);
    assert_int_equal(log_in("alice", false, 6000), 6000);
}

static void who_resumes_comes_in_where_a_new_one_does_not(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++)
        assert_int_equal(log_in("alice", false, 0), 0);
    for (int i = 0; i < 10; i++)
        assert_int_equal(log_in("alice", true, 0), 0);
    assert_int_equal(log_in("alice", true, 0), 6000);
    assert_int_equal(log_in("alice", false, 0), 66000);
    for (int i = 0; i < 20; i++) /* all devices, twice over */
        assert_int_equal(log_in("bob", true, 0), 0);
    assert_int_equal(log_in("bob", true, 0), 6000);
}

static void who_waits_for_others_loses_no_turn_and_who_comes_too_often_takes_none(void **state)
{
    (void)state;
    struct edge_admission admission = {.settings = {.logins_per_s = 1, .logins_burst = 2}};
    struct edge_login login = edge_limits_login(it.limits, &admission, TEXT("alice"), true, 0);
    assert_int_equal(login.again_ms, 0);
    login = edge_limits_login(it.limits, &admission, TEXT("bob"), true, 0);
    assert_int_equal(login.again_ms, 0);
    for (int i = 0; i < 100; i++) {
        login = edge_limits_login(it.limits, &admission, TEXT("carol"), true, 0);
        assert_true(login.again_ms > 0 && !login.of_user);
    }
    assert_int_equal(edge_limits_login_wait(it.limits, TEXT("carol"), false, 0), 0);
    for (int i = 0; i < 19; i++)
        assert_int_equal(log_in("alice", true, 0), 0);
    int64_t full_us = admission.logins.full_us;
    login = edge_limits_login(it.limits, &admission, TEXT("alice"), true, 0);
    assert_true(login.again_ms > 0 && login.of_user);
    assert_int_equal(admission.logins.full_us, full_us);
}

static void no_limit_of_logins_is_none(void **state)
{
    (void)state;
    it.settings.user_logins_per_min = 0;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(log_in("alice", false, 0), 0);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(a_connection_has_its_burst_then_its_rate),
        ROW(two_connections_of_one_user_share),
        ROW(who_is_refused_takes_from_none),
        ROW(a_neighbourhood_shares_and_this_machine_is_none),
        ROW(who_says_nobody_is_limited_by_its_neighbourhood_alone),
        ROW(a_service_has_a_limit_of_its_own),
        ROW(zero_is_no_limit),
        ROW(another_connection_at_the_same_place_begins_anew),
        ROW(a_flood_is_one_until_it_pauses),
        ROW(a_user_logs_in_ten_times_then_every_six_seconds),
        ROW(who_resumes_comes_in_where_a_new_one_does_not),
        ROW(who_waits_for_others_loses_no_turn_and_who_comes_too_often_takes_none),
        ROW(no_limit_of_logins_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
