#include "cli/restore.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static const struct cli_entry in_dub = {.home = "dub", .epoch = 5, .revision = 70};

static void what_is_missing_damaged_or_lower_is_written(void **state)
{
    (void)state;
    const struct cli_entry none = {0}, damaged = {.revision = 9, .damaged = true};
    assert_int_equal(cli_restore_judge(&none, "dub", 1), CLI_RESTORE_MISSING);
    assert_int_equal(cli_restore_judge(&damaged, "dub", 1), CLI_RESTORE_DAMAGED);
    assert_int_equal(cli_restore_judge(&in_dub, "sin", 6), CLI_RESTORE_LOWER);
    assert_int_equal(cli_restore_judge(&in_dub, "dub", 6), CLI_RESTORE_LOWER);
    assert_true(cli_restore_writes(CLI_RESTORE_MISSING));
    assert_true(cli_restore_writes(CLI_RESTORE_DAMAGED));
    assert_true(cli_restore_writes(CLI_RESTORE_LOWER));
}

static void what_is_the_same_newer_or_contradicts_stays(void **state)
{
    (void)state;
    assert_int_equal(cli_restore_judge(&in_dub, "dub", 5), CLI_RESTORE_SAME);
    assert_int_equal(cli_restore_judge(&in_dub, "sin", 5), CLI_RESTORE_CONFLICT);
    assert_int_equal(cli_restore_judge(&in_dub, "sin", 4), CLI_RESTORE_NEWER);
    assert_int_equal(cli_restore_judge(&in_dub, "dub", 4), CLI_RESTORE_NEWER);
    assert_false(cli_restore_writes(CLI_RESTORE_SAME));
    assert_false(cli_restore_writes(CLI_RESTORE_CONFLICT));
    assert_false(cli_restore_writes(CLI_RESTORE_NEWER));
}

static void a_page_takes_entries_of_users_until_it_is_full(void **state)
{
    (void)state;
    struct cli_restore_page *page = cli_restore_page_new();
    assert_non_null(page);
    assert_false(cli_restore_page_add(page, TEXT(""), TEXT("dub"), 1));
    assert_false(cli_restore_page_add(page, TEXT("a\tb"), TEXT("dub"), 1));
    assert_false(cli_restore_page_add(page, TEXT("alice"), TEXT("no region"), 1));
    assert_int_equal(cli_restore_page_count(page), 0);
    for (size_t i = 0; i < CLI_RESTORE_PAGE; i++)
        assert_true(cli_restore_page_add(page, TEXT("alice"), TEXT("dub"), 1));
    assert_false(cli_restore_page_add(page, TEXT("alice"), TEXT("dub"), 1));
    assert_int_equal(cli_restore_page_count(page), CLI_RESTORE_PAGE);
    cli_restore_page_free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_missing_damaged_or_lower_is_written),
        cmocka_unit_test(what_is_the_same_newer_or_contradicts_stays),
        cmocka_unit_test(a_page_takes_entries_of_users_until_it_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
