#include "view_file.h"

#include "store/view_scan.h"

#include <errno.h>
#include <inttypes.h>

static bool on_row(void *context, const struct view_row *row)
{
    const struct view_row expected = view_file_row(row->row);
    assert_true(text_equal(row->user, expected.user));
    assert_true(text_equal(row->body, expected.body));
    buffer_printf(context, "%" PRIu64 " ", row->row);
    return true;
}

static void expect_scan(struct view_scan *scan, uint64_t from, size_t rows_max, size_t bytes_max,
                        const char *rows)
{
    struct buffer is = {0};
    assert_int_equal(view_scan_read(scan, from, rows_max, bytes_max, on_row, &is), 0);
    buffer_append(&is, "", 1);
    assert_string_equal((const char *)is.data, rows);
    buffer_free(&is);
}

static void rows_are_read_in_order_within_both_bounds(void **state)
{
    (void)state;
    struct view_file file;
    view_file_init(&file, "scan");
    view_file_append(&file, 1, 20);
    struct view_scan *scan = view_scan_new(file.path);
    expect_scan(scan, 1, 5, 1000, "1 2 3 4 5 ");
    expect_scan(scan, 18, 5, 1000, "18 19 20 ");
    expect_scan(scan, 21, 5, 1000, "");
    expect_scan(scan, 1, 100, 60, "1 2 3 "); /* 20 bytes a body */
    expect_scan(scan, 1, 100, 0, "1 ");
    view_scan_free(scan);
    view_file_done(&file);
}

static void what_is_committed_meanwhile_is_seen_and_what_is_not_is_not(void **state)
{
    (void)state;
    struct view_file file;
    view_file_init(&file, "scan-commit");
    view_file_append(&file, 1, 2);
    struct view_scan *scan = view_scan_new(file.path);
    expect_scan(scan, 1, 10, 1000, "1 2 ");
    assert_int_equal(view_begin(file.view), 0);
    const struct view_row row = view_file_row(3);
    assert_int_equal(view_append(file.view, &row), 0);
    expect_scan(scan, 1, 10, 1000, "1 2 ");
    assert_int_equal(view_commit(file.view, 103), 0);
    expect_scan(scan, 1, 10, 1000, "1 2 3 ");
    view_scan_free(scan);
    view_file_done(&file);
}

static void a_trimmed_view_begins_later(void **state)
{
    (void)state;
    struct view_file file;
    view_file_init(&file, "scan-trim");
    view_file_append(&file, 1, 9);
    bool more;
    assert_int_equal(view_trim(file.view, 6, 100, &more), 0);
    struct view_scan *scan = view_scan_new(file.path);
    expect_scan(scan, 2, 2, 1000, "6 7 ");
    view_scan_free(scan);
    view_file_done(&file);
}

static void a_view_that_was_made_again_is_noticed(void **state)
{
    (void)state;
    struct view_file file;
    view_file_init(&file, "scan-again");
    view_file_append(&file, 1, 9);
    struct view_scan *scan = view_scan_new(file.path);
    expect_scan(scan, 8, 5, 1000, "8 9 ");
    view_file_close(&file);
    assert_int_equal(view_discard(file.path), 0);
    assert_int_equal(view_scan_read(scan, 1, 5, 1000, on_row, NULL), -ENOENT);
    assert_int_equal(view_file_open(&file), 0);
    expect_scan(scan, 1, 5, 1000, "");
    view_file_append(&file, 1, 3);
    expect_scan(scan, 1, 5, 1000, "1 2 3 ");
    view_scan_free(scan);
    view_file_done(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_read_in_order_within_both_bounds),
        cmocka_unit_test(what_is_committed_meanwhile_is_seen_and_what_is_not_is_not),
        cmocka_unit_test(a_trimmed_view_begins_later),
        cmocka_unit_test(a_view_that_was_made_again_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
