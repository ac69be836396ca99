#include "cli/census.h"
#include "wire/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void take(struct cli_census *census, const char *user, const char *home)
{
    const struct wire_directory_entry entry = {.home = text_of(home), .epoch = 1};
    struct wire_name subject = wire_directory_subject(text_of(user), 1);
    struct buffer bytes = {0};
    wire_directory_entry_write(&bytes, &entry);
    cli_census_take(census, 1, text_of(subject.text), buffer_text(&bytes));
    buffer_free(&bytes);
}

static void assert_prints(const struct cli_census *census, const char *expected)
{
    struct buffer out = {0};
    cli_census_print(census, &out);
    buffer_append(&out, "", 1);
    assert_string_equal((const char *)out.data, expected);
    buffer_free(&out);
}

static void counts_users_by_home_and_shows_those_without(void **state)
{
    (void)state;
    struct cli_census census = {0};
    cli_census_expect(&census, "sin");
    cli_census_expect(&census, "iad");
    take(&census, "alice", "dub");
    take(&census, "bob", "sin");
    take(&census, "carol", "sin");
    assert_prints(&census, "sin              2\n"
                           "iad              0\n"
                           "dub              1\n"
                           "all              3\n");
}

static void tells_what_cannot_be_read_and_counts_the_rest(void **state)
{
    (void)state;
    struct cli_census census = {0};
    take(&census, "alice", "dub");
    cli_census_take(&census, 8, TEXT("$KV.DIRECTORY.u.YWJ"), TEXT("x"));
    cli_census_take(&census, 9, TEXT("$KV.DIRECTORY.u.YQ"), TEXT("x"));
    assert_prints(&census, "dub              1\n"
                           "all              1\n"
                           "2 entries cannot be read\n"
                           "  at position 8: its key is no user's\n"
                           "  at position 9: its value is no home\n");
}

static void names_the_first_ten_that_cannot_be_read(void **state)
{
    (void)state;
    struct cli_census census = {0};
    struct buffer out = {0};
    for (uint64_t i = 0; i < CLI_CENSUS_DAMAGED_MAX + 1; i++)
        cli_census_take(&census, 100 + i, TEXT("$KV.DIRECTORY.u.YQ"), TEXT(""));
    cli_census_print(&census, &out);
    buffer_append(&out, "", 1);
    assert_non_null(strstr((const char *)out.data, "11 entries cannot be read"));
    assert_non_null(strstr((const char *)out.data, "position 109"));
    assert_null(strstr((const char *)out.data, "position 110"));
    buffer_free(&out);
}

static void homes_past_the_room_are_counted_together(void **state)
{
    (void)state;
    struct cli_census *census = calloc(1, sizeof *census);
    assert_non_null(census);
    for (unsigned i = 0; i < CLI_CENSUS_HOMES_MAX + 2; i++) {
        char home[TEXT_REGION_MAX + 1];
        snprintf(home, sizeof home, "r%u", i);
        take(census, "alice", home);
    }
    assert_int_equal(census->home_count, CLI_CENSUS_HOMES_MAX);
    assert_int_equal(census->users_elsewhere, 2);
    assert_int_equal(census->users, CLI_CENSUS_HOMES_MAX + 2);
    free(census);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_users_by_home_and_shows_those_without),
        cmocka_unit_test(tells_what_cannot_be_read_and_counts_the_rest),
        cmocka_unit_test(names_the_first_ten_that_cannot_be_read),
        cmocka_unit_test(homes_past_the_room_are_counted_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
