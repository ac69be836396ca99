/* A view read in falling order. */
#include "view_file.h"

#include <errno.h>
#include <inttypes.h>

struct reading {
    struct buffer seqs;
    unsigned left; /* then it is enough; the last row is taken */
};

static bool on_row(void *context, const struct view_row *row)
{
    struct reading *reading = context;
    const struct view_row expected = view_file_row(row->row);
    assert_true(text_equal(row->user, expected.user));
    assert_true(text_equal(row->body, expected.body));
    buffer_printf(&reading->seqs, "%" PRIu64 " ", row->seq);
    return --reading->left > 0;
}

static int read_back(struct view_file *file, uint64_t start, uint64_t before_seq, size_t steps_max,
                     struct reading *reading, uint64_t *ret_next)
{
    return view_read_back(file->view, start, before_seq, steps_max, on_row, reading, ret_next);
}

static void expect(struct view_file *file, uint64_t start, uint64_t before_seq, size_t steps_max,
                   const char *seqs, uint64_t next)
{
    struct reading reading = {.left = 100};
    uint64_t is_next = 77;
    assert_int_equal(read_back(file, start, before_seq, steps_max, &reading, &is_next), 0);
    buffer_append(&reading.seqs, "", 1);
    assert_string_equal((const char *)reading.seqs.data, seqs);
    assert_int_equal(is_next, next);
    buffer_free(&reading.seqs);
}

static void rows_are_read_in_falling_order_within_the_steps(void **state)
{
    (void)state;
    struct view_file file;
    view_file_init(&file, "back");
    view_file_append(&file, 1, 20);
    expect(&file, 19, 11, 100, "10 9 8 7 6 5 4 3 2 1 ", 0);
    expect(&file, 20, UINT64_MAX, 100, "10 9 8 7 6 5 4 3 2 1 ", 0);
    expect(&file, 19, 11, 10, "10 9 8 7 6 5 4 3 2 1 ", 0);
    expect(&file, 19, 11, 9, "10 9 8 7 6 5 4 3 2 ", 1);
    expect(&file, 19, 10, 3, "9 8 ", 13);  /* a step that gives nothing is one */
    expect(&file, 13, 10, 3, "7 6 5 ", 7); /* goes on from there */
    expect(&file, 19, 1, 100, "", 0);
    expect(&file, 19, 11, 0, "", 19);
    expect(&file, 0, 11, 100, "", 0);
    expect(&file, 21, 11, 100, "", 0); /* not there */
    view_file_done(&file);
}

static void the_reader_may_say_enough(void **state)
{
    (void)state;
    struct view_file file;
    view_file_init(&file, "back-enough");
    view_file_append(&file, 1, 20);
    struct reading reading = {.left = 3};
    uint64_t next = 77;
    assert_int_equal(read_back(&file, 19, 11, 100, &reading, &next), 0);
    assert_true(text_equal(buffer_text(&reading.seqs), TEXT("10 9 8 ")));
    assert_int_equal(next, 0);
    buffer_free(&reading.seqs);
    view_file_done(&file);
}

static void a_chain_ends_where_rows_were_trimmed_or_the_epoch_began(void **state)
{
    (void)state;
    struct view_file file;
    bool more;
    view_file_init(&file, "back-end");
    view_file_append(&file, 1, 20);
    assert_int_equal(view_trim(file.view, 9, 100, &more), 0);
    expect(&file, 19, 11, 100, "10 9 8 7 6 5 ", 0);
    expect(&file, 7, 11, 100, "", 0);
    struct view_row row = view_file_row(21); /* bob's eleventh */
    row.epoch = 2;
    assert_int_equal(view_begin(file.view), 0);
    assert_int_equal(view_append(file.view, &row), 0);
    assert_int_equal(view_commit(file.view, 121), 0);
    expect(&file, 21, 12, 100, "11 ", 0);
    view_file_done(&file);
}

static void a_chain_that_does_not_fit_is_damage(void **state)
{
    (void)state;
    struct view_file file;
    view_file_init(&file, "back-damage");
    view_file_append_damaged(&file);
    for (uint64_t row = 7; row <= 11; row += 2) {
        struct reading reading = {.left = 100};
        uint64_t next = 77;
        assert_int_equal(read_back(&file, row, 100, 100, &reading, &next), -EILSEQ);
        assert_int_equal(next, 0);
        buffer_free(&reading.seqs);
    }
    view_file_done(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_read_in_falling_order_within_the_steps),
        cmocka_unit_test(the_reader_may_say_enough),
        cmocka_unit_test(a_chain_ends_where_rows_were_trimmed_or_the_epoch_began),
        cmocka_unit_test(a_chain_that_does_not_fit_is_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
