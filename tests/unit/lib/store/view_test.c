#include "view_file.h"

#include <errno.h>
#include <sys/stat.h>

static void expect_read(struct view_file *file, uint64_t start, uint64_t from_seq, size_t rows_max,
                        size_t bytes_max, const char *seqs)
{
    struct buffer is = {0};
    assert_int_equal(view_file_read(file, start, from_seq, rows_max, bytes_max, &is), 0);
    buffer_append(&is, "", 1);
    assert_string_equal((const char *)is.data, seqs);
    buffer_free(&is);
}

static void a_new_view_is_empty(void **state)
{
    (void)state;
    struct view_file file;
    view_file_init(&file, "new");
    assert_int_equal(view_position(file.view), 0);
    assert_int_equal(view_quarantined(file.view), 0);
    uint64_t position = 7;
    struct buffer bytes = {0};
    assert_int_equal(view_load_state(file.view, &position, &bytes), -ENOENT);
    assert_int_equal(position, 7);
    expect_read(&file, 1, 1, 10, 1000, "");
    expect_read(&file, 0, 1, 10, 1000, "");
    view_file_done(&file);
}

static void rows_are_read_in_rising_order_within_both_bounds(void **state)
{
    (void)state;
    struct view_file file;
    view_file_init(&file, "read");
    view_file_append(&file, 1, 20);
    expect_read(&file, 19, 1, 100, 1000, "1 2 3 4 5 6 7 8 9 10 ");
    expect_read(&file, 20, 4, 100, 1000, "4 5 6 7 8 9 10 ");
    expect_read(&file, 19, 4, 3, 1000, "4 5 6 ");
    expect_read(&file, 19, 10, 3, 1000, "10 ");
    expect_read(&file, 19, 11, 3, 1000, ""); /* above where it starts */
    expect_read(&file, 19, 0, 2, 1000, "1 2 ");
    expect_read(&file, 19, 1, 0, 1000, "");
    expect_read(&file, 19, 1, 100, 60, "1 2 3 "); /* 20 bytes a body */
    expect_read(&file, 19, 1, 100, 61, "1 2 3 4 ");
    expect_read(&file, 19, 5, 100, 0, "5 "); /* one at least */
    view_file_done(&file);
}

static bool enough(void *context, const struct view_row *row)
{
    (void)row;
    return ++*(int *)context < 3;
}

static void the_reader_may_say_enough(void **state)
{
    (void)state;
    struct view_file file;
    view_file_init(&file, "enough");
    view_file_append(&file, 1, 20);
    int count = 0;
    assert_int_equal(view_read(file.view, 19, 1, 100, 1000, enough, &count), 0);
    assert_int_equal(count, 3);
    view_file_done(&file);
}

static bool keep_row(void *context, const struct view_row *row)
{
    struct buffer *kept = context;
    buffer_printf(kept, "%d<%d %.*s %u:%d at %d ttl %u %.*s", (int)row->row, (int)row->previous_row,
                  TEXT_ARGS(row->user), row->epoch, (int)row->seq, (int)row->at_ms, row->ttl_s,
                  TEXT_ARGS(row->body));
    return true;
}

static void expect_row(struct view_file *file, uint64_t row, const char *expected)
{
    struct buffer kept = {0};
    assert_int_equal(view_get(file->view, row, keep_row, &kept), 0);
    assert_true(text_equal(buffer_text(&kept), text_of(expected)));
    buffer_free(&kept);
}

/* A message that waits for a home move is a row of no mailbox, until it is copied into one. */
static void a_row_is_found_by_its_number_and_copied(void **state)
{
    (void)state;
    struct view_file file;
    view_file_init(&file, "copy");
    view_file_append(&file, 1, 2);
    struct view_row row = view_file_row(3);
    row.previous_row = row.seq = row.epoch = 0;
    row.body = TEXT("{\"held\":true}");
    const struct view_row copy = {
        .row = 4, .previous_row = 1, .position = 104, .epoch = 1, .seq = 2, .at_ms = 7};
    assert_int_equal(view_begin(file.view), 0);
    assert_int_equal(view_append(file.view, &row), 0);
    assert_int_equal(view_copy(file.view, 9, &copy), -ENOENT);
    assert_int_equal(view_copy(file.view, 3, &copy), 0);
    assert_int_equal(view_commit(file.view, 104), 0);
    expect_row(&file, 3, "3<0 bob 0:0 at 1003 ttl 4294967295 {\"held\":true}");
    expect_row(&file, 4, "4<1 bob 1:2 at 7 ttl 4294967295 {\"held\":true}");
    struct buffer chain = {0};
    assert_int_equal(view_read(file.view, 4, 1, 10, 1000, keep_row, &chain), 0);
    assert_true(text_equal(buffer_text(&chain),
                           TEXT("1<0 bob 1:1 at 1001 ttl 4294967295 {\"text\":\"ten bytes\"}"
                                "4<1 bob 1:2 at 7 ttl 4294967295 {\"held\":true}")));
    buffer_free(&chain);
    assert_int_equal(view_get(file.view, 5, keep_row, NULL), -ENOENT);
    view_file_done(&file);
}

static void a_long_chain_is_walked(void **state)
{
    (void)state;
    struct view_file file;
    view_file_init(&file, "long");
    view_file_append(&file, 1, 6000);
    expect_read(&file, 5999, 2, 3, 1000, "2 3 4 ");
    assert_int_equal(view_file_read(&file, 6000, 1, SIZE_MAX, SIZE_MAX, NULL), 0);
    view_file_done(&file);
}

/* All rows below `row`, in steps; returns how many. */
static int trim(struct view_file *file, uint64_t row, uint64_t rows_max)
{
    bool more = true;
    int steps = 0;
    for (; more; steps++)
        assert_int_equal(view_trim(file->view, row, rows_max, &more), 0);
    return steps;
}

static void a_chain_ends_where_rows_were_trimmed(void **state)
{
    (void)state;
    struct view_file file;
    view_file_init(&file, "trim");
    view_file_append(&file, 1, 20);
    assert_int_equal(trim(&file, 0, 100), 1);
    assert_int_equal(trim(&file, 8, 100), 2);
    assert_int_equal(trim(&file, 7, 100), 1);
    expect_read(&file, 19, 1, 100, 1000, "5 6 7 8 9 10 "); /* bob's from row 9 on */
    expect_read(&file, 20, 1, 100, 1000, "4 5 6 7 8 9 10 ");
    expect_read(&file, 5, 1, 100, 1000, "");
    assert_int_equal(trim(&file, 1000, 100), 2);
    expect_read(&file, 19, 1, 100, 1000, "");
    assert_int_equal(view_position(file.view), 120);
    view_file_done(&file);
}

static void trimming_goes_through_many_rows(void **state)
{
    (void)state;
    struct view_file file;
    view_file_init(&file, "trim-many");
    view_file_append(&file, 1, 30000);
    assert_int_equal(trim(&file, 29996, 1000), 31); /* 30 steps, and one that finds nothing */
    expect_read(&file, 29999, 1, 100, 1000, "14999 15000 "); /* rows 29,997 and 29,999 */
    view_file_done(&file);
}

static void the_room_of_trimmed_rows_is_used_again(void **state)
{
    (void)state;
    struct view_file file;
    struct stat before;
    struct stat after;
    view_file_init(&file, "reuse");
    view_file_append(&file, 1, 20000);
    (void)trim(&file, 10001, 1000);
    view_file_close(&file); /* what is in the journal goes to the file */
    assert_int_equal(stat(file.path, &before), 0);
    assert_int_equal(view_file_open(&file), 0);
    for (uint64_t round = 2; round < 10; round++) { /* always 10,000 to 20,000 rows */
        view_file_append(&file, 10000 * round + 1, 10000 * round + 10000);
        (void)trim(&file, 10000 * round + 1, 1000);
    }
    view_file_close(&file);
    assert_int_equal(stat(file.path, &after), 0);
    print_message("a view of 10,000 to 20,000 rows: %lld bytes, after 80,000 more %lld\n",
                  (long long)before.st_size, (long long)after.st_size);
    assert_true(after.st_size < before.st_size + before.st_size / 10);
    assert_int_equal(view_file_open(&file), 0);
    view_file_done(&file);
}

static void a_chain_ends_where_its_epoch_began(void **state)
{
    (void)state;
    struct view_file file;
    view_file_init(&file, "epoch");
    view_file_append(&file, 1, 4);
    struct view_row row = view_file_row(5); /* bob's third, after 1 and 3 */
    row.epoch = 2;
    row.seq = 1;
    assert_int_equal(view_begin(file.view), 0);
    assert_int_equal(view_append(file.view, &row), 0);
    assert_int_equal(view_commit(file.view, 105), 0);
    int count = 0;
    assert_int_equal(view_read(file.view, 5, 0, 100, 1000, enough, &count), 0);
    assert_int_equal(count, 1);
    view_file_done(&file);
}

static void a_chain_that_does_not_fit_is_damage(void **state)
{
    (void)state;
    struct view_file file;
    view_file_init(&file, "chain");
    view_file_append_damaged(&file);
    int count = -100;
    for (uint64_t i = 7; i <= 11; i += 2)
        assert_int_equal(view_read(file.view, i, 1, 100, 1000, enough, &count), -EILSEQ);
    view_file_done(&file);
}

static void an_uncommitted_transaction_leaves_nothing(void **state)
{
    (void)state;
    struct view_file file;
    view_file_init(&file, "rollback");
    view_file_append(&file, 1, 4);
    const struct view_row row = view_file_row(5);
    for (int way = 0; way < 2; way++) {
        assert_int_equal(view_begin(file.view), 0);
        assert_int_equal(view_append(file.view, &row), 0);
        assert_int_equal(view_quarantine(file.view, 105, "test", "bytes", 5), 0);
        assert_int_equal(view_quarantined(file.view), 1);
        if (way == 0) {
            view_rollback(file.view);
            assert_int_equal(view_quarantined(file.view), 0);
        } else {
            view_file_close(&file);
            assert_int_equal(view_file_open(&file), 0);
        }
        assert_int_equal(view_position(file.view), 104);
        assert_int_equal(view_quarantined(file.view), 0);
        expect_read(&file, 5, 1, 100, 1000, "");
    }
    view_file_done(&file);
}

static void rows_may_be_appended_again(void **state)
{
    (void)state;
    struct view_file file;
    view_file_init(&file, "again");
    view_file_append(&file, 1, 10);
    view_file_append(&file, 3, 6);
    assert_int_equal(view_position(file.view), 110); /* 1 to 10 are still there */
    expect_read(&file, 9, 1, 100, 1000, "1 2 3 4 5 ");
    view_file_close(&file);
    assert_int_equal(view_file_open(&file), 0);
    assert_int_equal(view_position(file.view), 110);
    view_file_done(&file);
}

static void a_state_comes_back_with_its_position(void **state)
{
    (void)state;
    enum { SIZE = 9 * 1024 * 1024 + 5 }; /* several parts */
    struct view_file file;
    view_file_init(&file, "state");
    uint8_t *bytes = malloc(SIZE);
    assert_non_null(bytes);
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 4096);
    static const size_t sizes[] = {SIZE, 4 * 1024 * 1024, 4 * 1024 * 1024 + 1, 1, 0};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        assert_int_equal(view_save_state(file.view, 40 + i, bytes, sizes[i]), 0);
        view_file_close(&file);
        assert_int_equal(view_file_open(&file), 0);
        uint64_t position;
        struct buffer is = {0};
        buffer_append(&is, "before", 6);
        assert_int_equal(view_load_state(file.view, &position, &is), 0);
        assert_int_equal(position, 40 + i);
        assert_int_equal(is.size, 6 + sizes[i]);
        assert_memory_equal(is.data + 6, bytes, sizes[i]);
        buffer_free(&is);
    }
    free(bytes);
    view_file_done(&file);
}

static void a_state_is_part_of_an_open_transaction(void **state)
{
    (void)state;
    struct view_file file;
    view_file_init(&file, "state-transaction");
    assert_int_equal(view_begin(file.view), 0);
    assert_int_equal(view_save_state(file.view, 1, "one", 3), 0);
    view_rollback(file.view);
    uint64_t position;
    struct buffer bytes = {0};
    assert_int_equal(view_load_state(file.view, &position, &bytes), -ENOENT);
    assert_int_equal(view_begin(file.view), 0);
    assert_int_equal(view_save_state(file.view, 2, "two", 3), 0);
    assert_int_equal(view_commit(file.view, 2), 0);
    assert_int_equal(view_load_state(file.view, &position, &bytes), 0);
    assert_int_equal(position, 2);
    buffer_free(&bytes);
    view_file_done(&file);
}

static void quarantine(struct view_file *file, uint64_t first, uint64_t last)
{
    assert_int_equal(view_begin(file->view), 0);
    for (uint64_t i = first; i <= last; i++)
        assert_int_equal(view_quarantine(file->view, i, "damaged body", "bytes", i % 6), 0);
    assert_int_equal(view_commit(file->view, last), 0);
}

static void a_thousand_are_kept_in_quarantine(void **state)
{
    (void)state;
    struct view_file file;
    view_file_init(&file, "quarantine");
    quarantine(&file, 1, 999);
    assert_int_equal(view_quarantined(file.view), 999);
    quarantine(&file, 999, 999); /* applied again */
    assert_int_equal(view_quarantined(file.view), 999);
    quarantine(&file, 1000, 1000);
    assert_int_equal(view_quarantined(file.view), 1000);
    quarantine(&file, 1001, 1001);
    assert_int_equal(view_quarantined(file.view), 1000);
    quarantine(&file, 1, 1); /* applied again, and too old by now */
    assert_int_equal(view_quarantined(file.view), 1000);
    view_file_close(&file);
    assert_int_equal(view_file_open(&file), 0);
    assert_int_equal(view_quarantined(file.view), 1000);
    view_file_done(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_view_is_empty),
        cmocka_unit_test(rows_are_read_in_rising_order_within_both_bounds),
        cmocka_unit_test(the_reader_may_say_enough),
        cmocka_unit_test(a_row_is_found_by_its_number_and_copied),
        cmocka_unit_test(a_long_chain_is_walked),
        cmocka_unit_test(a_chain_ends_where_rows_were_trimmed),
        cmocka_unit_test(trimming_goes_through_many_rows),
        cmocka_unit_test(the_room_of_trimmed_rows_is_used_again),
        cmocka_unit_test(a_chain_ends_where_its_epoch_began),
        cmocka_unit_test(a_chain_that_does_not_fit_is_damage),
        cmocka_unit_test(an_uncommitted_transaction_leaves_nothing),
        cmocka_unit_test(rows_may_be_appended_again),
        cmocka_unit_test(a_state_comes_back_with_its_position),
        cmocka_unit_test(a_state_is_part_of_an_open_transaction),
        cmocka_unit_test(a_thousand_are_kept_in_quarantine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
