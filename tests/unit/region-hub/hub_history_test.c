/* Pages of history: what is on them, and why not more. */
#include "history_lab.h"

static const char *cursors(uint64_t first, uint64_t last)
{
    static struct buffer text;
    buffer_free(&text);
    for (uint64_t seq = first; seq <= last; seq++)
        buffer_printf(&text, "%d:%" PRIu64 " ", seq <= 10 ? 1 : 2, seq);
    buffer_append(&text, "", 1);
    return (const char *)text.data;
}

static void a_page_goes_from_the_view_into_the_archive_over_epochs(void **state)
{
    (void)state;
    static const struct history_expectation rows[] = {
        {0, 0, 0, 3, "2:58 2:59 2:60 +"},
        {BEFORE, 3, 1, 2, "2:59 2:60 +"},
        {BEFORE, 2, UINT64_MAX, 2, "2:59 2:60 +"},
        {BEFORE, 2, 61, 2, "2:59 2:60 +"},
        {BEFORE, 2, 60, 2, "2:58 2:59 +"},
        {BEFORE, 2, 34, 3, "2:31 2:32 2:33 +"}, /* the view ends there, and the archive has more */
        {BEFORE, 2, 33, 4, "2:29 2:30 2:31 2:32 +"},
        {BEFORE, 2, 31, 2, "2:29 2:30 +"},
        {BEFORE, 2, 13, 4, "1:9 1:10 2:11 2:12 +"},
        {BEFORE, 2, 11, 2, "1:9 1:10 +"},
        {BEFORE, 2, 0, 2, "1:9 1:10 +"},
        {BEFORE, 1, UINT64_MAX, 2, "1:9 1:10 +"},
        {BEFORE, 1, 3, 2, "1:1 1:2 "},
        {BEFORE, 1, 2, 9, "1:1 "},
        {BEFORE, 1, 1, 9, ""},
        {BEFORE, 0, 9, 9, ""},
    };
    history_lab_make_two_epochs();
    history_lab_expect_all(rows, COUNT_OF(rows));
    const struct wire_history_ask all = history_lab_ask_of(0, 0, 0, 200);
    history_lab_expect(&all, cursors(1, 60));
    const struct wire_history_ask exactly = history_lab_ask_of(0, 0, 0, 60);
    history_lab_expect(&exactly, cursors(1, 60));
}

static void a_page_goes_from_the_archive_into_the_view(void **state)
{
    (void)state;
    static const struct history_expectation rows[] = {
        {AFTER, 0, 9, 2, "1:1 1:2 +"},
        {AFTER, 1, 0, 2, "1:1 1:2 +"},
        {AFTER, 1, 8, 4, "1:9 1:10 2:11 2:12 +"},
        {AFTER, 1, UINT64_MAX, 2, "2:11 2:12 +"},
        {AFTER, 2, 0, 2, "2:11 2:12 +"},
        {AFTER, 2, 28, 2, "2:29 2:30 +"},
        {AFTER, 2, 28, 4, "2:29 2:30 2:31 2:32 +"},
        {AFTER, 2, 29, 2, "2:30 2:31 +"},
        {AFTER, 2, 30, 2, "2:31 2:32 +"},
        {AFTER, 2, 38, 4, "2:39 2:40 2:41 2:42 +"}, /* in both */
        {AFTER, 2, 57, 3, "2:58 2:59 2:60 "},
        {AFTER, 2, 57, 9, "2:58 2:59 2:60 "},
        {AFTER, 2, 60, 9, ""},
        {AFTER, 2, UINT64_MAX, 9, ""},
        {AFTER, 9, 0, 9, ""},
    };
    history_lab_make_two_epochs();
    history_lab_expect_all(rows, COUNT_OF(rows));
    const struct wire_history_ask all = history_lab_ask_of(AFTER, 0, 0, 200);
    history_lab_expect(&all, cursors(1, 60));
}

static void without_an_archive_it_is_said_why_the_older_are_missing(void **state)
{
    (void)state;
    static const struct history_expectation rows[] = {
        {0, 0, 0, 2, "2:59 2:60 +"},
        {BEFORE, 2, 33, 4, "2:31 2:32 retention"},
        {BEFORE, 2, 31, 4, "retention"},
        {BEFORE, 1, 9, 4, "not_archived"},
        {BEFORE, 1, 1, 4, ""},
        {AFTER, 1, 8, 2, "2:31 2:32 +not_archived"},
        {AFTER, 2, 20, 2, "2:31 2:32 +retention"},
        {AFTER, 2, 30, 2, "2:31 2:32 +"},
        {AFTER, 2, 58, 9, "2:59 2:60 "},
    };
    history_lab_make_two_epochs();
    history_lab_stop_reader();
    history_lab_expect_all(rows, COUNT_OF(rows));
    history_lab_trim(61); /* nothing is left */
    static const struct history_expectation none[] = {
        {0, 0, 0, 2, "retention"},
        {AFTER, 2, 20, 2, "retention"},
        {AFTER, 2, 60, 2, ""},
    };
    history_lab_expect_all(none, COUNT_OF(none));
}

static void while_the_archive_is_away_the_views_part_is_told(void **state)
{
    (void)state;
    static const struct history_expectation rows[] = {
        {0, 0, 0, 2, "2:59 2:60 +"},
        {BEFORE, 2, 33, 4, "2:31 2:32 archive_unavailable"},
        {BEFORE, 1, 9, 4, "archive_unavailable"},
        {AFTER, 1, 8, 2, "2:31 2:32 +archive_unavailable"},
        {AFTER, 2, 30, 2, "2:31 2:32 +"},
    };
    history_lab_make_two_epochs();
    history_lab_stop_reader();
    snprintf(history_lab.file.settings.archive_url, sizeof history_lab.file.settings.archive_url,
             "sqlite:%s/not-a-folder/archive.db", MERIDIAN_BINARY_DIR);
    history_lab_start_reader();
    history_lab_expect_all(rows, COUNT_OF(rows));
}

static void who_has_no_mailbox_here_may_have_an_archive(void **state)
{
    (void)state;
    static const struct history_expectation rows[] = {
        {0, 0, 0, 2, "1:9 1:10 +"},
        {AFTER, 0, 0, 2, "1:1 1:2 +"},
        {AFTER, 1, 8, 4, "1:9 1:10 "},
        {BEFORE, 1, 1, 9, ""},
    };
    static const struct history_expectation none[] = {{0, 0, 0, 9, ""}, {AFTER, 0, 0, 9, ""}};
    history_lab_expect_all(none, COUNT_OF(none));
    archive_file_add(&history_lab.file, 1, 1, 10);
    history_lab_expect_all(rows, COUNT_OF(rows));
    history_lab_stop_reader();
    history_lab_expect_all(none, COUNT_OF(none));
}

static void many_notices_are_passed_over_in_turns(void **state)
{
    (void)state;
    static const struct history_expectation rows[] = {
        {0, 0, 0, 1, "1:2000 +"},
        {BEFORE, 1, 2000, 1, "1:3 +"},
        {BEFORE, 1, 2000, 9, "1:1 1:2 1:3 "},
        {AFTER, 1, 2, 2, "1:3 1:2000 "},
        {AFTER, 1, 3, 1, "1:2000 "},
    };
    history_lab_append(1, 1, 3, 0);
    history_lab_append(1, 4, 1999, WIRE_FLAG_NOTICE);
    history_lab_append(1, 2000, 2000, 0);
    history_lab_expect_all(rows, COUNT_OF(rows));
}

static void what_the_archive_has_past_its_ttl_makes_no_page_empty(void **state)
{
    (void)state;
    static const struct history_expectation rows[] = {
        {0, 0, 0, 1, "1:200 +"},
        {BEFORE, 1, 200, 2, "1:2 1:3 +"},
        {BEFORE, 1, 200, 3, "1:1 1:2 1:3 "},
        {AFTER, 1, 2, 2, "1:3 1:200 "},
        {AFTER, 1, 3, 1, "1:200 "},
    };
    archive_file_add(&history_lab.file, 1, 1, 3);
    history_lab.file.ttl_s = 10;
    archive_file_add(&history_lab.file, 1, 4, 199);
    history_lab.file.ttl_s = 11;
    archive_file_add(&history_lab.file, 1, 200, 200);
    history_lab_append(1, 200, 200, 0);
    history_lab_trim(201);
    history_lab_expect_all(rows, COUNT_OF(rows));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, history_lab_set_up, history_lab_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_page_goes_from_the_view_into_the_archive_over_epochs),
        TEST(a_page_goes_from_the_archive_into_the_view),
        TEST(without_an_archive_it_is_said_why_the_older_are_missing),
        TEST(while_the_archive_is_away_the_views_part_is_told),
        TEST(who_has_no_mailbox_here_may_have_an_archive),
        TEST(many_notices_are_passed_over_in_turns),
        TEST(what_the_archive_has_past_its_ttl_makes_no_page_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
