/* What is on a page of history, and when it is full. */
#include "region-hub/hub_page.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NOW_MS = 1000000, ROW_BYTES = HUB_PAGE_ROW_BYTES + 2 * (5 + 2) + 10 };

static struct hub_page page_of(uint8_t flags, uint32_t epoch, uint64_t seq, uint16_t rows_max,
                               uint32_t bytes_max)
{
    struct hub_page page;
    hub_page_init(&page,
                  &(struct wire_history_ask){.request = 77,
                                             .flags = flags,
                                             .epoch = epoch,
                                             .seq = seq,
                                             .rows_max = rows_max,
                                             .bytes_max = bytes_max},
                  NOW_MS);
    return page;
}

static struct archive_row row_of(uint32_t epoch, uint64_t seq)
{
    return (struct archive_row){.recipient = TEXT("bob"),
                                .epoch = epoch,
                                .seq = seq,
                                .at_ms = NOW_MS - 5000,
                                .sender = TEXT("alice"),
                                .device = TEXT(""),
                                .id = TEXT("m1"),
                                .body = TEXT("\"eight ch\"")};
}

static bool take(struct hub_page *page, uint32_t epoch, uint64_t seq)
{
    const struct archive_row row = row_of(epoch, seq);
    return hub_page_take(page, &row);
}

/* "epoch:seq" of its rows as they are written, then "+" when there is more, then the reason. */
static void expect(const struct hub_page *page, enum wire_answer code, const char *expected)
{
    const struct wire_frame head = {.region = TEXT("sin"), .from = TEXT("sin-h1")};
    struct buffer bytes = {0};
    struct buffer is = {0};
    struct wire_frame_writer writer;
    struct wire_frame frame;
    struct wire_entry entry;
    wire_frame_begin(&writer, &bytes, &head);
    hub_page_write(page, code, &writer);
    assert_int_equal(wire_frame_end(&writer), 0);
    assert_int_equal(wire_frame_read(bytes.data, bytes.size, &frame), 0);
    assert_int_equal(wire_entry_next(&frame, &entry), 0);
    const struct wire_history_page written = entry.history_page;
    assert_int_equal(entry.kind, WIRE_HISTORY_PAGE);
    assert_int_equal(written.request, 77);
    assert_int_equal(written.code, code);
    for (uint16_t i = 0; i < written.count; i++) {
        assert_int_equal(wire_entry_next(&frame, &entry), 0);
        assert_int_equal(entry.kind, WIRE_HISTORY_ROW);
        assert_true(text_equal(entry.history_row.sender, TEXT("alice")));
        assert_true(text_equal(entry.history_row.body, TEXT("\"eight ch\"")));
        buffer_printf(&is, "%" PRIu32 ":%" PRIu64 " ", entry.history_row.epoch,
                      entry.history_row.seq);
    }
    assert_int_equal(wire_entry_next(&frame, &entry), -ENODATA);
    buffer_printf(&is, "%s%.*s", (written.flags & WIRE_HISTORY_MORE) != 0 ? "+" : "",
                  TEXT_ARGS(written.reason));
    buffer_append(&is, "", 1);
    assert_string_equal((const char *)is.data, expected);
    buffer_free(&is);
    buffer_free(&bytes);
}

static void begins_at_its_cursor(void **state)
{
    (void)state;
    static const struct {
        uint8_t flags;
        uint32_t epoch;
        uint64_t seq;
        struct archive_cursor at;
        bool at_end;
    } rows[] = {
        {0, 0, 0, {UINT32_MAX, UINT64_MAX}, false},
        {WIRE_HISTORY_BEFORE, 2, 7, {2, 7}, false},
        {WIRE_HISTORY_BEFORE, 2, 1, {2, 1}, false}, /* an older epoch may lie before it */
        {WIRE_HISTORY_BEFORE, 1, 2, {1, 2}, false},
        {WIRE_HISTORY_BEFORE, 1, 1, {1, 1}, true},
        {WIRE_HISTORY_BEFORE, 1, 0, {1, 0}, true},
        {WIRE_HISTORY_BEFORE, 0, UINT64_MAX, {0, UINT64_MAX}, true},
        {WIRE_HISTORY_AFTER, 2, 7, {2, 7}, false},
        {WIRE_HISTORY_AFTER, 0, 9, {1, 0}, false},
        {WIRE_HISTORY_AFTER, 1, 0, {1, 0}, false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct hub_page page = page_of(rows[i].flags, rows[i].epoch, rows[i].seq, 10, 1000);
        assert_int_equal(page.at.epoch, rows[i].at.epoch);
        assert_true(page.at.seq == rows[i].at.seq);
        assert_int_equal(hub_page_is_at_end(&page), rows[i].at_end);
    }
}

static void is_written_in_rising_order_whatever_its_way(void **state)
{
    (void)state;
    struct hub_page page = page_of(0, 0, 0, 10, 10000);
    assert_true(take(&page, 2, 6));
    assert_true(take(&page, 2, 5));
    assert_true(take(&page, 1, 4));
    assert_int_equal(page.at.epoch, 1);
    assert_int_equal(page.at.seq, 4);
    expect(&page, WIRE_OK, "1:4 2:5 2:6 ");
    hub_page_miss(&page, "retention");
    hub_page_miss(&page, "archive_unavailable");
    expect(&page, WIRE_OK, "1:4 2:5 2:6 retention");
    expect(&page, WIRE_BUSY, "");
    hub_page_done(&page);
    page = page_of(WIRE_HISTORY_AFTER, 1, 3, 10, 10000);
    assert_true(take(&page, 1, 4));
    assert_true(take(&page, 2, 5));
    expect(&page, WIRE_OK, "1:4 2:5 ");
    hub_page_done(&page);
}

static void one_row_more_than_fits_tells_that_there_is_more(void **state)
{
    (void)state;
    struct hub_page page = page_of(0, 0, 0, 2, 10000);
    assert_int_equal(hub_page_wants(&page), 3);
    assert_true(take(&page, 1, 9));
    assert_true(take(&page, 1, 8));
    assert_int_equal(hub_page_wants(&page), 1);
    expect(&page, WIRE_OK, "1:8 1:9 ");
    assert_false(take(&page, 1, 7));
    assert_int_equal(page.at.seq, 8); /* where one goes on */
    expect(&page, WIRE_OK, "1:8 1:9 +");
    assert_false(take(&page, 1, 6));
    hub_page_done(&page);
}

static void bytes_are_bounded_but_for_the_first_row(void **state)
{
    (void)state;
    struct hub_page page = page_of(0, 0, 0, 10, 2 * ROW_BYTES);
    assert_true(take(&page, 1, 9));
    assert_true(take(&page, 1, 8));
    assert_false(take(&page, 1, 7));
    hub_page_done(&page);
    page = page_of(0, 0, 0, 10, 2 * ROW_BYTES - 1);
    assert_true(take(&page, 1, 9));
    assert_false(take(&page, 1, 8));
    hub_page_done(&page);
    page = page_of(0, 0, 0, 10, 0);
    assert_true(take(&page, 1, 9));
    assert_false(take(&page, 1, 8));
    expect(&page, WIRE_OK, "1:9 +");
    hub_page_done(&page);
}

static void what_is_no_message_is_passed_over(void **state)
{
    (void)state;
    struct hub_page page = page_of(0, 0, 0, 1, 10000);
    assert_true(take(&page, 1, 9));
    struct archive_row row = row_of(1, 8);
    row.flags = WIRE_FLAG_NOTICE;
    assert_true(hub_page_take(&page, &row)); /* also when it is full: it is not "more" */
    row = row_of(1, 7);
    row.ttl_s = 5; /* it is 5,000 ms old */
    assert_true(hub_page_take(&page, &row));
    assert_int_equal(page.at.seq, 7);
    expect(&page, WIRE_OK, "1:9 ");
    row = row_of(1, 6);
    row.ttl_s = 6;
    assert_false(hub_page_take(&page, &row));
    expect(&page, WIRE_OK, "1:9 +");
    hub_page_done(&page);
}

static void the_largest_page_fits_a_frame(void **state)
{
    (void)state;
    char *body = calloc(1, WIRE_BODY_MAX);
    char name[TEXT_USER_MAX];
    assert_non_null(body);
    memset(body, '1', WIRE_BODY_MAX);
    memset(name, 'a', sizeof name);
    struct archive_row row = row_of(1, 1000);
    row.sender = (struct text){name, sizeof name};
    row.id = (struct text){name, TEXT_MESSAGE_ID_MAX};
    row.body = (struct text){body, WIRE_BODY_MAX};
    const struct wire_frame head = {.region = TEXT("sin"), .from = TEXT("sin-h1")};
    for (size_t size = WIRE_BODY_MAX; size >= 1; size /= 16) {
        struct hub_page page = page_of(0, 0, 0, WIRE_HISTORY_ROWS_MAX, WIRE_HISTORY_BYTES_MAX);
        struct buffer bytes = {0};
        struct wire_frame_writer writer;
        row.body.size = size;
        for (row.seq = 1000; hub_page_take(&page, &row); row.seq--)
            continue;
        wire_frame_begin(&writer, &bytes, &head);
        hub_page_write(&page, WIRE_OK, &writer);
        assert_int_equal(wire_frame_end(&writer), 0);
        assert_true(bytes.size <= WIRE_HISTORY_BYTES_MAX + 1024);
        buffer_free(&bytes);
        hub_page_done(&page);
    }
    free(body);
}

/* Epoch 1 had 5 and 6 behind what was saved of it; epoch 2 has 3 and 4 of it, and goes on. */
static void a_message_of_two_epochs_is_shown_once(void **state)
{
    (void)state;
    static const uint64_t first[] = {1, 2, 3, 4, 5, 6};
    static const uint64_t second[] = {3, 4, 5, 6, 7};
    static const struct archive_cursor base = {2, 4};
    struct hub_page page = page_of(WIRE_HISTORY_AFTER, 0, 0, 100, 100000);
    hub_page_set_base(&page, base);
    for (size_t i = 0; i < COUNT_OF(first); i++)
        assert_true(take(&page, 1, first[i]));
    for (size_t i = 0; i < COUNT_OF(second); i++)
        assert_true(take(&page, 2, second[i]));
    expect(&page, WIRE_OK, "1:1 1:2 1:3 1:4 2:5 2:6 2:7 ");
    hub_page_done(&page);

    page = page_of(0, 0, 0, 100, 100000);
    hub_page_set_base(&page, base);
    for (size_t i = COUNT_OF(second); i-- > 0;)
        assert_true(take(&page, 2, second[i]));
    for (size_t i = COUNT_OF(first); i-- > 0;)
        assert_true(take(&page, 1, first[i]));
    expect(&page, WIRE_OK, "1:1 1:2 2:3 2:4 2:5 2:6 2:7 ");
    hub_page_done(&page);

    /* Gone on from a page that ended at 2:3, and from one that ended at 1:2. */
    page = page_of(WIRE_HISTORY_BEFORE, 2, 3, 100, 100000);
    hub_page_set_base(&page, base);
    for (size_t i = COUNT_OF(first); i-- > 0;)
        assert_true(take(&page, 1, first[i]));
    expect(&page, WIRE_OK, "1:1 1:2 ");
    hub_page_done(&page);
    page = page_of(WIRE_HISTORY_AFTER, 2, 2, 100, 100000);
    hub_page_set_base(&page, base);
    for (size_t i = 0; i < COUNT_OF(second); i++)
        assert_true(take(&page, 2, second[i]));
    expect(&page, WIRE_OK, "2:3 2:4 2:5 2:6 2:7 ");
    hub_page_done(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(begins_at_its_cursor),
        cmocka_unit_test(is_written_in_rising_order_whatever_its_way),
        cmocka_unit_test(one_row_more_than_fits_tells_that_there_is_more),
        cmocka_unit_test(bytes_are_bounded_but_for_the_first_row),
        cmocka_unit_test(what_is_no_message_is_passed_over),
        cmocka_unit_test(the_largest_page_fits_a_frame),
        cmocka_unit_test(a_message_of_two_epochs_is_shown_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
