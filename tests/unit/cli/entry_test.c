#include "cli/entry.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct cli_entry none;
static const struct cli_entry in_dub = {.home = "dub", .epoch = 5, .revision = 70};
static const struct cli_entry damaged = {.revision = 70, .damaged = true};

struct judged {
    int result;
    uint32_t epoch;
    char why[sizeof((struct error_text *)0)->text];
};

static struct judged judge(const struct cli_entry *now, const struct cli_entry_change *change)
{
    struct error_text why = {0};
    struct judged judged = {.epoch = 0};
    judged.result = cli_entry_judge(now, change, &judged.epoch, &why);
    memcpy(judged.why, why.text, sizeof judged.why);
    assert_true(judged.result >= 0 || judged.epoch == 0); /* untouched */
    assert_true((judged.result < 0) == (judged.why[0] != '\0'));
    return judged;
}

#define JUDGE(now, ...) judge(now, &(struct cli_entry_change){__VA_ARGS__})

static void assert_writes(struct judged judged, uint32_t epoch)
{
    assert_int_equal(judged.result, 1);
    assert_int_equal(judged.epoch, epoch);
}

static void a_new_user_begins_with_epoch_1_or_the_one_that_is_said(void **state)
{
    (void)state;
    assert_writes(JUDGE(&none, .home = "sin"), 1);
    assert_writes(JUDGE(&none, .home = "sin", .epoch = 9), 9);
}

static void what_is_so_already_is_not_written(void **state)
{
    (void)state;
    assert_int_equal(JUDGE(&in_dub, .home = "dub").result, 0);
    assert_int_equal(JUDGE(&in_dub, .home = "dub", .epoch = 5).result, 0);
    assert_writes(JUDGE(&in_dub, .home = "dub", .epoch = 6), 6);
}

static void an_epoch_never_goes_back(void **state)
{
    (void)state;
    assert_int_equal(JUDGE(&in_dub, .home = "dub", .epoch = 4).result, -EINVAL);
    assert_int_equal(JUDGE(&in_dub, .home = "dub", .epoch = 4, .force = true).result, -EINVAL);
    assert_int_equal(JUDGE(&in_dub, .home = "sin", .epoch = 4, .force = true).result, -EINVAL);
    assert_int_equal(JUDGE(&in_dub, .home = "sin", .epoch = 5, .force = true).result, -EINVAL);
    assert_writes(JUDGE(&in_dub, .home = "sin", .epoch = 6, .force = true), 6);
}

static void another_home_is_written_by_force_only_and_gets_the_next_epoch(void **state)
{
    (void)state;
    struct judged judged = JUDGE(&in_dub, .home = "sin");
    assert_int_equal(judged.result, -EEXIST);
    assert_non_null(strstr(judged.why, "dub"));
    assert_int_equal(JUDGE(&in_dub, .home = "sin", .epoch = 6).result, -EEXIST);
    assert_writes(JUDGE(&in_dub, .home = "sin", .force = true), 6);
}

static void there_is_no_epoch_after_the_last(void **state)
{
    (void)state;
    struct cli_entry last = in_dub;
    last.epoch = UINT32_MAX - 1;
    assert_writes(JUDGE(&last, .home = "sin", .force = true), UINT32_MAX);
    last.epoch = UINT32_MAX;
    assert_int_equal(JUDGE(&last, .home = "sin", .force = true).result, -EINVAL);
}

static void another_revision_than_expected_is_left_alone(void **state)
{
    (void)state;
    assert_writes(JUDGE(&none, .home = "sin", .if_revision = true), 1);
    assert_int_equal(JUDGE(&none, .home = "sin", .if_revision = true, .revision = 70).result,
                     -ESTALE);
    assert_int_equal(JUDGE(&in_dub, .home = "dub", .if_revision = true).result, -ESTALE);
    assert_int_equal(
        JUDGE(&in_dub, .home = "sin", .if_revision = true, .revision = 69, .force = true).result,
        -ESTALE);
    assert_writes(JUDGE(&in_dub, .home = "sin", .if_revision = true, .revision = 70, .force = true),
                  6);
}

static void a_damaged_entry_is_replaced_by_force_with_an_epoch(void **state)
{
    (void)state;
    assert_int_equal(JUDGE(&damaged, .home = "sin").result, -EEXIST);
    assert_int_equal(JUDGE(&damaged, .home = "sin", .force = true).result, -EEXIST);
    assert_int_equal(JUDGE(&damaged, .home = "sin", .epoch = 3).result, -EEXIST);
    assert_writes(JUDGE(&damaged, .home = "sin", .epoch = 3, .force = true), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_user_begins_with_epoch_1_or_the_one_that_is_said),
        cmocka_unit_test(what_is_so_already_is_not_written),
        cmocka_unit_test(an_epoch_never_goes_back),
        cmocka_unit_test(another_home_is_written_by_force_only_and_gets_the_next_epoch),
        cmocka_unit_test(there_is_no_epoch_after_the_last),
        cmocka_unit_test(another_revision_than_expected_is_left_alone),
        cmocka_unit_test(a_damaged_entry_is_replaced_by_force_with_an_epoch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
