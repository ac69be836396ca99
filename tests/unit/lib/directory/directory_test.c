#include "base/hash.h"
#include "directory/directory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct directory_settings settings = {
    .users_max = 16, .unknown_ms = 2000, .current_ms = 5000, .buckets = 1};
static const struct directory_home home_dub = {.region = "dub", .epoch = 2};
static const struct directory_home home_sin = {.region = "sin", .epoch = 3};

static struct directory *directory_of(size_t users_max)
{
    struct directory_settings sized = settings;
    sized.users_max = users_max;
    struct directory *directory = directory_new(&sized);
    assert_non_null(directory);
    return directory;
}

static const int64_t stored_ms = 1000000; /* of the beat at position 0 */

/* The n-th of a bucket, a second after the one before. */
static void beat(struct directory *directory, unsigned bucket, uint64_t position, int64_t now_ms)
{
    const struct directory_beat heard = {.position = position,
                                         .stored_ms = stored_ms + 1000 * (int64_t)position};
    directory_heartbeat(directory, bucket, &heard, now_ms);
}

/* One whose mirror is known to be current at `now_ms`. */
static struct directory *current_directory_of(size_t users_max, int64_t now_ms)
{
    struct directory *directory = directory_of(users_max);
    beat(directory, 0, 1, now_ms);
    beat(directory, 0, 2, now_ms);
    return directory;
}

struct name {
    char text[32];
};

static struct name name_of(const char *prefix, int number)
{
    struct name name;
    snprintf(name.text, sizeof name.text, "%s%d", prefix, number);
    return name;
}

static void learn(struct directory *directory, const char *user, int64_t now_ms)
{
    directory_learn(directory, text_of(user), &home_dub, now_ms);
}

static enum directory_answer look_up(struct directory *directory, const char *user, int64_t now_ms)
{
    struct directory_home home = {.region = "before", .epoch = 99};
    enum directory_answer answer = directory_look_up(directory, text_of(user), now_ms, &home);
    if (answer != DIRECTORY_FOUND) { /* untouched */
        assert_string_equal(home.region, "before");
        assert_int_equal(home.epoch, 99);
    }
    return answer;
}

static void asks_for_whom_it_does_not_know(void **state)
{
    (void)state;
    struct directory *directory = current_directory_of(16, 0);
    assert_int_equal(look_up(directory, "bob", 0), DIRECTORY_ASK);
    assert_int_equal(directory_size(directory), 0);
    directory_free(directory);
    directory_free(NULL);
}

static void a_home_is_believed_for_ever(void **state)
{
    (void)state;
    struct directory *directory = directory_of(16);
    struct directory_home home;
    directory_learn(directory, TEXT("bob"), &home_dub, 0);
    assert_int_equal(directory_look_up(directory, TEXT("bob"), INT64_MAX, &home), DIRECTORY_FOUND);
    assert_string_equal(home.region, "dub");
    assert_int_equal(home.epoch, 2);
    directory_free(directory);
}

static void a_lower_epoch_is_ignored(void **state)
{
    (void)state;
    struct directory *directory = directory_of(16);
    struct directory_home home;
    directory_learn(directory, TEXT("bob"), &home_sin, 0);
    directory_learn(directory, TEXT("bob"), &home_dub, 0);
    assert_int_equal(directory_look_up(directory, TEXT("bob"), 0, &home), DIRECTORY_FOUND);
    assert_string_equal(home.region, "sin");

    struct directory_home same = {.region = "iad", .epoch = 3};
    directory_learn(directory, TEXT("bob"), &same, 0);
    assert_int_equal(directory_look_up(directory, TEXT("bob"), 0, &home), DIRECTORY_FOUND);
    assert_string_equal(home.region, "iad");
    assert_int_equal(directory_size(directory), 1);
    directory_free(directory);
}

static void a_forgotten_home_is_asked_for(void **state)
{
    (void)state;
    struct directory *directory = directory_of(16);
    struct directory_home home;
    directory_learn(directory, TEXT("bob"), &home_sin, 0);
    directory_forget(directory, TEXT("bob"));
    directory_forget(directory, TEXT("carol"));
    assert_int_equal(look_up(directory, "bob", 0), DIRECTORY_ASK);
    directory_learn(directory, TEXT("bob"), &home_dub, 0); /* any epoch will do now */
    assert_int_equal(directory_look_up(directory, TEXT("bob"), 0, &home), DIRECTORY_FOUND);
    assert_string_equal(home.region, "dub");
    directory_free(directory);
}

static void unknown_is_believed_for_two_seconds(void **state)
{
    (void)state;
    struct directory *directory = current_directory_of(16, 1000);
    assert_true(directory_learn_absent(directory, TEXT("bob"), 1000));
    assert_int_equal(look_up(directory, "bob", 1000), DIRECTORY_UNKNOWN);
    assert_int_equal(look_up(directory, "bob", 3000), DIRECTORY_UNKNOWN);
    assert_int_equal(look_up(directory, "bob", 3001), DIRECTORY_ASK);
    assert_true(directory_learn_absent(directory, TEXT("bob"), 3001));
    assert_int_equal(look_up(directory, "bob", 5001), DIRECTORY_UNKNOWN);
    assert_int_equal(directory_size(directory), 1);
    directory_free(directory);
}

static void how_current_the_mirror_is_says_nothing_of_who_is_unknown(void **state)
{
    (void)state;
    struct directory *directory = current_directory_of(16, 1000);
    assert_true(directory_is_current_of(directory, TEXT("bob"), 6000));
    assert_true(directory_learn_absent(directory, TEXT("bob"), 6000));
    assert_int_equal(look_up(directory, "bob", 6000), DIRECTORY_UNKNOWN);
    assert_false(directory_is_current_of(directory, TEXT("bob"), 6001));
    assert_int_equal(look_up(directory, "bob", 6001), DIRECTORY_UNKNOWN); /* by the primary */
    directory_free(directory);
}

static void a_bucket_that_was_made_anew_is_heard_and_an_old_mirror_is_not(void **state)
{
    (void)state;
    struct directory *directory = directory_of(16);
    const struct directory_beat old = {.position = 900, .stored_ms = 50000};
    const struct directory_beat behind = {.position = 800, .stored_ms = 49000};
    const struct directory_beat anew = {.position = 3, .stored_ms = 61000};
    const struct directory_beat next = {.position = 4, .stored_ms = 62000};
    directory_heartbeat(directory, 0, &old, 0);
    directory_heartbeat(directory, 0, &behind, 1000);
    directory_heartbeat(directory, 0, &old, 2000); /* two mirrors that stand still, in turn */
    assert_false(directory_is_current(directory, 2000));
    directory_heartbeat(directory, 0, &anew, 3000);
    assert_true(directory_is_current(directory, 8000));
    assert_false(directory_is_current(directory, 8001));
    directory_heartbeat(directory, 0, &next, 9000);
    assert_true(directory_is_current(directory, 9000));
    directory_free(directory);
}

static void each_bucket_is_current_by_itself(void **state)
{
    (void)state;
    struct directory_settings split = settings;
    split.buckets = 4;
    struct directory *directory = directory_new(&split);
    assert_non_null(directory);
    for (unsigned bucket = 0; bucket < 3; bucket++) {
        beat(directory, bucket, 1, 0);
        beat(directory, bucket, 2, 0);
    }
    beat(directory, 3, 1, 0);
    assert_false(directory_is_current(directory, 0));
    for (int i = 0; i < 16; i++) {
        struct name name = name_of("user", i);
        bool silent = hash_shard(text_of(name.text), 4) == 3;
        assert_int_equal(directory_is_current_of(directory, text_of(name.text), 0), !silent);
    }
    beat(directory, 3, 2, 0);
    assert_true(directory_is_current(directory, 0));
    directory_free(directory);
}

static void only_a_heartbeat_that_moves_on_proves_the_mirror_current(void **state)
{
    (void)state;
    struct directory *directory = directory_of(16);
    assert_false(directory_is_current(directory, 0));
    beat(directory, 0, 7, 0); /* it may have stood there for an hour */
    assert_false(directory_is_current(directory, 0));
    beat(directory, 0, 7, 1000);
    assert_false(directory_is_current(directory, 1000));
    beat(directory, 0, 6, 1000); /* a replica that is behind */
    assert_false(directory_is_current(directory, 1000));
    beat(directory, 0, 7, 1000);
    assert_false(directory_is_current(directory, 1000));
    beat(directory, 0, 8, 2000);
    assert_true(directory_is_current(directory, 2000));
    assert_true(directory_is_current(directory, 7000));
    assert_false(directory_is_current(directory, 7001));
    beat(directory, 0, 8, 7000);
    assert_false(directory_is_current(directory, 7001));
    directory_free(directory);
}

static void a_home_ends_unknown(void **state)
{
    (void)state;
    struct directory *directory = current_directory_of(16, 0);
    assert_true(directory_learn_absent(directory, TEXT("bob"), 0));
    learn(directory, "bob", 1);
    assert_int_equal(look_up(directory, "bob", 1), DIRECTORY_FOUND);
    assert_int_equal(directory_size(directory), 1);
    directory_free(directory);
}

static void a_known_home_outlives_a_mirror_that_is_behind(void **state)
{
    (void)state;
    struct directory *directory = current_directory_of(16, 0);
    learn(directory, "bob", 0); /* from a claim */
    assert_false(directory_learn_absent(directory, TEXT("bob"), 1));
    assert_int_equal(look_up(directory, "bob", 1), DIRECTORY_FOUND);
    directory_free(directory);
}

static void the_one_used_longest_ago_goes_first(void **state)
{
    (void)state;
    struct directory *directory = directory_of(3);
    learn(directory, "a", 0);
    learn(directory, "b", 0);
    learn(directory, "c", 0);
    assert_int_equal(directory_size(directory), 3); /* at the limit */
    assert_int_equal(look_up(directory, "a", 0), DIRECTORY_FOUND);
    learn(directory, "b", 0);
    learn(directory, "d", 0); /* one past it */
    assert_int_equal(directory_size(directory), 3);
    assert_int_equal(look_up(directory, "c", 0), DIRECTORY_ASK);
    assert_int_equal(look_up(directory, "a", 0), DIRECTORY_FOUND);
    assert_int_equal(look_up(directory, "b", 0), DIRECTORY_FOUND);
    assert_int_equal(look_up(directory, "d", 0), DIRECTORY_FOUND);
    directory_free(directory);
}

static void one_entry_is_enough(void **state)
{
    (void)state;
    struct directory *directory = current_directory_of(1, 0);
    learn(directory, "a", 0);
    assert_true(directory_learn_absent(directory, TEXT("b"), 0));
    assert_int_equal(look_up(directory, "a", 0), DIRECTORY_ASK);
    assert_true(directory_learn_absent(directory, TEXT("c"), 0));
    assert_int_equal(look_up(directory, "b", 0), DIRECTORY_ASK);
    learn(directory, "d", 0);
    assert_int_equal(look_up(directory, "d", 0), DIRECTORY_FOUND);
    assert_int_equal(directory_size(directory), 1);
    directory_free(directory);
}

/* Of 16 entries, an eighth may be absent users; a third one pushes out the first. */
static void a_flood_of_made_up_names_leaves_the_homes(void **state)
{
    (void)state;
    struct directory *directory = current_directory_of(16, 0);
    for (int i = 0; i < 16; i++)
        learn(directory, name_of("home", i).text, 0);
    for (int i = 0; i < 1000; i++) {
        struct name name = name_of("made-up", i);
        assert_true(directory_learn_absent(directory, text_of(name.text), 0));
        assert_int_equal(look_up(directory, name.text, 0), DIRECTORY_UNKNOWN);
        assert_int_equal(directory_size(directory), 16);
    }
    int found = 0;
    for (int i = 0; i < 16; i++)
        found += look_up(directory, name_of("home", i).text, 0) == DIRECTORY_FOUND;
    assert_int_equal(found, 13); /* two absent ones, and the one that came last */
    directory_free(directory);
}

static void homes_take_the_room_of_absent_users(void **state)
{
    (void)state;
    struct directory *directory = current_directory_of(16, 0);
    for (int i = 0; i < 16; i++)
        assert_true(directory_learn_absent(directory, text_of(name_of("made-up", i).text), 0));
    assert_int_equal(directory_size(directory), 16);
    for (int i = 0; i < 14; i++)
        learn(directory, name_of("home", i).text, 0);
    for (int i = 0; i < 14; i++)
        assert_int_equal(look_up(directory, name_of("home", i).text, 0), DIRECTORY_FOUND);
    assert_int_equal(look_up(directory, "made-up15", 0), DIRECTORY_UNKNOWN);
    assert_int_equal(look_up(directory, "made-up13", 0), DIRECTORY_ASK);
    directory_free(directory);
}

static void each_of_many_is_found_and_can_be_forgotten(void **state)
{
    (void)state;
    enum { MANY = 5000 };
    struct directory *directory = current_directory_of(MANY, 0);
    char user[24];
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(user, sizeof user, "many-%d", i);
        learn(directory, user, 0);
    }
    for (int i = 0; i < MANY; i += 2) {
        (void)snprintf(user, sizeof user, "many-%d", i);
        directory_forget(directory, text_of(user));
    }
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(user, sizeof user, "many-%d", i);
        assert_int_equal(look_up(directory, user, 0), i % 2 == 0 ? DIRECTORY_ASK : DIRECTORY_FOUND);
    }
    assert_int_equal(directory_size(directory), MANY / 2);
    directory_free(directory);
}

static void the_longest_user_is_remembered(void **state)
{
    (void)state;
    char user[TEXT_USER_MAX];
    memset(user, 'u', sizeof user);
    struct directory *directory = directory_of(16);
    struct directory_home home;
    directory_learn(directory, (struct text){user, sizeof user}, &home_dub, 0);
    assert_int_equal(directory_look_up(directory, (struct text){user, sizeof user}, 0, &home),
                     DIRECTORY_FOUND);
    assert_int_equal(directory_look_up(directory, (struct text){user, sizeof user - 1}, 0, &home),
                     DIRECTORY_ASK);
    directory_free(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_for_whom_it_does_not_know),
        cmocka_unit_test(a_home_is_believed_for_ever),
        cmocka_unit_test(a_lower_epoch_is_ignored),
        cmocka_unit_test(a_forgotten_home_is_asked_for),
        cmocka_unit_test(unknown_is_believed_for_two_seconds),
        cmocka_unit_test(how_current_the_mirror_is_says_nothing_of_who_is_unknown),
        cmocka_unit_test(only_a_heartbeat_that_moves_on_proves_the_mirror_current),
        cmocka_unit_test(a_bucket_that_was_made_anew_is_heard_and_an_old_mirror_is_not),
        cmocka_unit_test(each_bucket_is_current_by_itself),
        cmocka_unit_test(a_home_ends_unknown),
        cmocka_unit_test(a_known_home_outlives_a_mirror_that_is_behind),
        cmocka_unit_test(the_one_used_longest_ago_goes_first),
        cmocka_unit_test(one_entry_is_enough),
        cmocka_unit_test(a_flood_of_made_up_names_leaves_the_homes),
        cmocka_unit_test(homes_take_the_room_of_absent_users),
        cmocka_unit_test(each_of_many_is_found_and_can_be_forgotten),
        cmocka_unit_test(the_longest_user_is_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
