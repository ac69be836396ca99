/* Revocations by table: who is covered by what, and when it is over. */
#include "auth/revocations.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NOW_S = 1790000000, UNTIL_S = NOW_S + 1000 };

static const struct wire_revoked of_bob = {
    .kind = WIRE_REVOKED_USER, .at_s = NOW_S, .until_s = UNTIL_S, .user = {"bob", 3}};
static const struct wire_revoked of_the_tablet = {.kind = WIRE_REVOKED_DEVICE,
                                                  .at_s = NOW_S,
                                                  .until_s = UNTIL_S,
                                                  .user = {"bob", 3},
                                                  .device = {"tablet", 6}};
static const struct wire_revoked of_a_token = {
    .kind = WIRE_REVOKED_TOKEN, .at_s = NOW_S, .until_s = UNTIL_S, .token_id = {"t-1", 3}};
static const struct wire_revoked of_the_old = {.kind = WIRE_REVOKED_BEFORE,
                                               .at_s = NOW_S,
                                               .until_s = UNTIL_S,
                                               .user = {"bob", 3},
                                               .before_s = NOW_S - 100};
static const struct wire_revoked of_everybody = {
    .kind = WIRE_REVOKED_ALL_BEFORE, .at_s = NOW_S, .until_s = UNTIL_S, .before_s = NOW_S - 100};

static void each_kind_covers_what_it_is_about(void **state)
{
    (void)state;
    static const struct {
        const struct wire_revoked *revoked;
        const char *user, *device, *token_id;
        int64_t issued_ago_s;
        bool covered;
    } rows[] = {
        {&of_bob, "bob", "phone", "t-1", 0, true},
        {&of_bob, "bob", "", "", 5000, true},
        {&of_bob, "bo", "", "", 0, false},
        {&of_bob, "bobb", "", "", 0, false},
        {&of_bob, "alice", "bob", "bob", 0, false},
        {&of_the_tablet, "bob", "tablet", "", 0, true},
        {&of_the_tablet, "bob", "tablet2", "", 0, false},
        {&of_the_tablet, "bob", "phone", "", 0, false},
        {&of_the_tablet, "bob", "", "", 0, false},
        {&of_the_tablet, "alice", "tablet", "", 0, false},
        {&of_a_token, "bob", "", "t-1", 0, true},
        {&of_a_token, "alice", "", "t-1", 0, true},
        {&of_a_token, "bob", "", "t-2", 0, false},
        {&of_a_token, "bob", "", "", 0, false},
        {&of_a_token, "t-1", "t-1", "", 0, false},
        {&of_the_old, "bob", "", "", 101, true},
        {&of_the_old, "bob", "", "", 100, false},
        {&of_the_old, "bob", "", "", 0, false},
        {&of_the_old, "alice", "", "", 101, false},
        {&of_everybody, "bob", "", "", 101, true},
        {&of_everybody, "alice", "phone", "t-1", 101, true},
        {&of_everybody, "alice", "phone", "t-1", 100, false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct auth_revocations *set = auth_revocations_new(10);
        struct auth_identity identity = {.issued_at_s = NOW_S - rows[i].issued_ago_s};
        strcpy(identity.user, rows[i].user);
        strcpy(identity.token_id, rows[i].token_id);
        const struct auth_holder holder = auth_holder_of(&identity, text_of(rows[i].device));
        assert_false(auth_revocations_cover(set, &holder, NOW_S));
        assert_int_equal(auth_revocations_put(set, rows[i].revoked, NOW_S), 0);
        if (auth_revocations_cover(set, &holder, NOW_S) != rows[i].covered)
            fail_msg("row %zu", i);
        assert_int_equal(auth_revocations_cover(set, &holder, UNTIL_S - 1), rows[i].covered);
        assert_false(auth_revocations_cover(set, &holder, UNTIL_S)); /* over */
        auth_revocations_free(set);
    }
}

static bool covers_bob(const struct auth_revocations *set, int64_t issued_at_s, int64_t now_s)
{
    const struct auth_holder bob = {.user = TEXT("bob"), .issued_at_s = issued_at_s};
    return auth_revocations_cover(set, &bob, now_s);
}

static void a_later_one_takes_an_earlier_ones_place(void **state)
{
    (void)state;
    struct auth_revocations *set = auth_revocations_new(10);
    struct wire_revoked later = of_the_old;
    later.before_s = NOW_S - 10;
    later.until_s = UNTIL_S + 10;
    assert_int_equal(auth_revocations_put(set, &of_the_old, NOW_S), 0);
    uint64_t version = auth_revocations_version(set);
    assert_int_equal(auth_revocations_put(set, &of_the_old, NOW_S), 0); /* nothing new */
    assert_int_equal(auth_revocations_version(set), version);
    assert_int_equal(auth_revocations_put(set, &later, NOW_S), 0);
    assert_int_equal(auth_revocations_version(set), version + 1);
    assert_int_equal(auth_revocations_count(set), 1);
    assert_true(covers_bob(set, NOW_S - 11, UNTIL_S));
    assert_false(covers_bob(set, NOW_S - 10, UNTIL_S));
    assert_int_equal(auth_revocations_put(set, &of_bob, NOW_S), 0); /* another kind stands beside */
    assert_int_equal(auth_revocations_count(set), 2);
    assert_true(covers_bob(set, NOW_S, NOW_S));
    auth_revocations_free(set);
}

static void one_that_is_over_takes_back_what_was_there(void **state)
{
    (void)state;
    struct auth_revocations *set = auth_revocations_new(10);
    struct wire_revoked over = of_bob;
    over.until_s = NOW_S;
    assert_int_equal(auth_revocations_put(set, &over, NOW_S), 0); /* nothing there: nothing done */
    assert_int_equal(auth_revocations_count(set), 0);
    assert_int_equal(auth_revocations_put(set, &of_bob, NOW_S), 0);
    assert_true(covers_bob(set, NOW_S, NOW_S));
    assert_int_equal(auth_revocations_put(set, &over, NOW_S), 0);
    assert_false(covers_bob(set, NOW_S, NOW_S));
    assert_int_equal(auth_revocations_count(set), 0);
    auth_revocations_free(set);
}

static struct wire_revoked of_number(char room[8], int number, int64_t until_s)
{
    snprintf(room, 8, "t%d", number);
    return (struct wire_revoked){
        .kind = WIRE_REVOKED_TOKEN, .at_s = NOW_S, .until_s = until_s, .token_id = text_of(room)};
}

static void a_full_set_lets_nobody_in(void **state)
{
    (void)state;
    struct auth_revocations *set = auth_revocations_new(3);
    char room[8];
    for (int i = 0; i < 3; i++) {
        struct wire_revoked revoked = of_number(room, i, UNTIL_S + i);
        assert_int_equal(auth_revocations_put(set, &revoked, NOW_S), 0);
    }
    struct wire_revoked more = of_number(room, 3, UNTIL_S);
    assert_int_equal(auth_revocations_put(set, &more, NOW_S), -ENOSPC);
    assert_int_equal(auth_revocations_count(set), 3);
    struct wire_revoked known = of_number(room, 1, UNTIL_S + 50); /* needs no room */
    assert_int_equal(auth_revocations_put(set, &known, NOW_S), 0);
    more = of_number(room, 3, UNTIL_S + 9);
    assert_int_equal(auth_revocations_put(set, &more, UNTIL_S), 0); /* the first one is over */
    assert_int_equal(auth_revocations_count(set), 3);
    assert_int_equal(auth_revocations_expire(set, UNTIL_S + 9), 2);
    assert_int_equal(auth_revocations_count(set), 1);
    auth_revocations_free(set);
}

/* The longest-lived token that a clock ahead by the leeway may issue is over before it. */
static void it_outlives_what_it_is_about(void **state)
{
    (void)state;
    static const struct {
        int64_t lifetime_ms, leeway_ms;
    } rows[] = {{86400000, 30000}, {60000, 0}, {60001, 999}, {86400000, 60000}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct auth_settings settings = {.lifetime_max_ms = rows[i].lifetime_ms,
                                         .leeway_ms = rows[i].leeway_ms};
        int64_t issued_ms = NOW_S * 1000LL + settings.leeway_ms;
        int64_t over_ms = issued_ms + settings.lifetime_max_ms + settings.leeway_ms;
        assert_true(auth_revoked_until_s(&settings, NOW_S) * 1000 >= over_ms);
        assert_true(auth_revoked_until_s(&settings, NOW_S) * 1000 < over_ms + 2000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_covers_what_it_is_about),
        cmocka_unit_test(a_later_one_takes_an_earlier_ones_place),
        cmocka_unit_test(one_that_is_over_takes_back_what_was_there),
        cmocka_unit_test(a_full_set_lets_nobody_in),
        cmocka_unit_test(it_outlives_what_it_is_about),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
