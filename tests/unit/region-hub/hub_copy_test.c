/* Copying a view into an archive, both of them files. */
#include "region-hub/hub_copy.h"

#include "region-hub/hub_archiver.h"
#include "store/view.h"
#include "wire/record.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const uint8_t log_one[16] = "the first log  ";
static const uint8_t log_two[16] = "the second log ";

struct fixture {
    char view_path[300];
    char archive_path[300];
    struct view *view;
    struct archive *archive;
    struct hub_copy *copy;
    struct error_text why;
    int err;
};

static void remove_files(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", ".damaged"};
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        char name[400];
        snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        unlink(name);
    }
}

static struct archive *new_archive(struct fixture *fixture)
{
    char url[400];
    snprintf(url, sizeof url, "sqlite:%s", fixture->archive_path);
    struct archive *archive = archive_new(&(struct archive_settings){.url = url,
                                                                     .program = "test",
                                                                     .connect_timeout_ms = 5000,
                                                                     .statement_timeout_ms = 5000},
                                          &fixture->why);
    assert_non_null(archive);
    assert_int_equal(archive_connect(archive, &fixture->why), 0);
    return archive;
}

static struct hub_copy *new_copy(const struct fixture *fixture)
{
    struct hub_copy *copy =
        hub_copy_new(&(struct hub_copy_settings){.view_path = fixture->view_path,
                                                 .region = "sin",
                                                 .shard = 1,
                                                 .rows_max = 4,
                                                 .bytes_max = 1000});
    assert_non_null(copy);
    hub_copy_set_log(copy, log_one);
    return copy;
}

static int set_up(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){0};
    snprintf(fixture.view_path, sizeof fixture.view_path, "%s/copy-%d.view", MERIDIAN_BINARY_DIR,
             (int)getpid());
    snprintf(fixture.archive_path, sizeof fixture.archive_path, "%s/copy-%d.db",
             MERIDIAN_BINARY_DIR, (int)getpid());
    remove_files(fixture.view_path);
    remove_files(fixture.archive_path);
    assert_int_equal(view_open(fixture.view_path, &fixture.view, &fixture.why), 0);
    fixture.archive = new_archive(&fixture);
    fixture.copy = new_copy(&fixture);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    hub_copy_free(fixture->copy);
    archive_free(fixture->archive);
    view_close(fixture->view);
    remove_files(fixture->view_path);
    remove_files(fixture->archive_path);
    return 0;
}

/* Rows of bob; every `notice_every`th is a notice. */
static void fill(struct fixture *fixture, uint64_t first, uint64_t last, uint64_t notice_every)
{
    assert_int_equal(view_begin(fixture->view), 0);
    for (uint64_t i = first; i <= last; i++) {
        const bool notice = notice_every != 0 && i % notice_every == 0;
        const struct view_row row = {.row = i,
                                     .previous_row = i - 1,
                                     .position = 100 + i,
                                     .user = TEXT("bob"),
                                     .epoch = 1,
                                     .seq = i,
                                     .at_ms = 1700000000000 + (int64_t)i,
                                     .flags = notice ? WIRE_FLAG_NOTICE : 0,
                                     .sender = TEXT("alice"),
                                     .device = TEXT(""),
                                     .id = TEXT("m"),
                                     .body = TEXT("{\"n\":12345}")};
        assert_int_equal(view_append(fixture->view, &row), 0);
    }
    assert_int_equal(view_commit(fixture->view, 100 + last), 0);
}

static enum hub_copied step(struct fixture *fixture, struct hub_copy *copy)
{
    return hub_copy_step(copy, fixture->archive, &fixture->err, &fixture->why);
}

static void copy_all(struct fixture *fixture)
{
    enum hub_copied copied;
    while ((copied = step(fixture, fixture->copy)) == HUB_COPIED_MORE)
        continue;
    if (copied != HUB_COPIED_ALL)
        fail_msg("%d %d %s", (int)copied, fixture->err, fixture->why.text);
}

static void on_row(void *context, const struct archive_row *row)
{
    buffer_printf(context, "%" PRIu64 " ", row->seq);
}

static void expect_archived(struct fixture *fixture, const char *seqs)
{
    struct buffer is = {0};
    const struct archive_range range = {.after = {1, 0}, .rows_max = 1000};
    assert_int_equal(
        archive_history(fixture->archive, TEXT("bob"), &range, on_row, &is, &fixture->why), 0);
    buffer_append(&is, "", 1);
    assert_string_equal((const char *)is.data, seqs);
    buffer_free(&is);
}

static void rows_go_over_in_batches_and_only_what_is_new(void **state)
{
    struct fixture *fixture = *state;
    fill(fixture, 1, 10, 0);
    assert_int_equal(step(fixture, fixture->copy), HUB_COPIED_MORE);
    assert_int_equal(hub_copy_state(fixture->copy)->last_row, 4);
    assert_int_equal(step(fixture, fixture->copy), HUB_COPIED_MORE);
    assert_int_equal(step(fixture, fixture->copy), HUB_COPIED_ALL); /* 2 rows: not full */
    expect_archived(fixture, "1 2 3 4 5 6 7 8 9 10 ");
    fill(fixture, 11, 12, 0);
    copy_all(fixture);
    expect_archived(fixture, "1 2 3 4 5 6 7 8 9 10 11 12 ");
    assert_int_equal(hub_copy_state(fixture->copy)->outcome.stored, 12);
    assert_int_equal(hub_copy_state(fixture->copy)->outcome.repeated, 0);
    assert_int_equal(hub_copy_state(fixture->copy)->last_ms, 1700000000012);
}

static void a_batch_ends_at_its_bytes(void **state)
{
    struct fixture *fixture = *state;
    struct hub_copy *copy = hub_copy_new(&(struct hub_copy_settings){
        .view_path = fixture->view_path, .region = "sin", .rows_max = 100, .bytes_max = 22});
    hub_copy_set_log(copy, log_two);
    fill(fixture, 1, 5, 0);
    assert_int_equal(step(fixture, copy), HUB_COPIED_MORE);
    assert_int_equal(hub_copy_state(copy)->last_row, 2); /* 11 bytes each */
    hub_copy_free(copy);
}

static void notices_are_passed_over_and_count_as_archived(void **state)
{
    struct fixture *fixture = *state;
    fill(fixture, 1, 9, 3);
    copy_all(fixture);
    expect_archived(fixture, "1 2 4 5 7 8 ");
    assert_int_equal(hub_copy_state(fixture->copy)->last_row, 9);
    assert_int_equal(hub_copy_state(fixture->copy)->gap_rows, 0);
    fill(fixture, 10, 14, 1); /* only notices */
    copy_all(fixture);
    assert_int_equal(hub_copy_state(fixture->copy)->last_row, 14);
}

/* Row 3 is held for another home, and row 5 is older than the others: it came from another. */
static void what_moves_is_passed_over_or_archived_once(void **state)
{
    struct fixture *fixture = *state;
    struct view_row held = {.row = 3,
                            .position = 103,
                            .user = TEXT("bob"),
                            .at_ms = 1700000000003,
                            .sender = TEXT("alice"),
                            .device = TEXT(""),
                            .id = TEXT("h"),
                            .body = TEXT("{}")};
    struct view_row copied = held;
    copied.row = 5;
    copied.user = TEXT("carol");
    copied.epoch = 1;
    copied.seq = 41;
    copied.at_ms = 1600000000000;
    fill(fixture, 1, 2, 0);
    assert_int_equal(view_append(fixture->view, &held), 0);
    fill(fixture, 4, 4, 0);
    assert_int_equal(view_append(fixture->view, &copied), 0);
    copy_all(fixture);
    expect_archived(fixture, "1 2 4 ");
    assert_int_equal(hub_copy_state(fixture->copy)->last_row, 5);
    assert_int_equal(hub_copy_state(fixture->copy)->last_ms, 1700000000004);
    assert_int_equal(hub_copy_state(fixture->copy)->gap_rows, 0);
    assert_int_equal(hub_copy_state(fixture->copy)->outcome.stored, 4);
    /* The same as another log has it, which the user came from. */
    struct hub_copy *other = new_copy(fixture);
    hub_copy_set_log(other, log_two);
    while (step(fixture, other) == HUB_COPIED_MORE)
        continue;
    assert_int_equal(hub_copy_state(other)->outcome.repeated, 4);
    assert_int_equal(hub_copy_state(other)->outcome.stored, 0);
    hub_copy_free(other);
}

static void of_two_copies_none_repeats_or_skips(void **state)
{
    struct fixture *fixture = *state;
    struct hub_copy *other = new_copy(fixture);
    fill(fixture, 1, 20, 0);
    assert_int_equal(hub_copy_ask(other, fixture->archive, &fixture->err, &fixture->why),
                     HUB_COPIED_ALL);
    assert_int_equal(step(fixture, fixture->copy), HUB_COPIED_MORE);
    assert_int_equal(step(fixture, other), HUB_COPIED_STALE);
    assert_int_equal(step(fixture, other), HUB_COPIED_MORE);
    assert_int_equal(step(fixture, fixture->copy), HUB_COPIED_STALE);
    copy_all(fixture);
    expect_archived(fixture, "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 ");
    assert_int_equal(
        hub_copy_state(fixture->copy)->outcome.stored + hub_copy_state(other)->outcome.stored, 20);
    hub_copy_free(other);
}

static void what_was_trimmed_before_is_a_gap_that_is_counted(void **state)
{
    struct fixture *fixture = *state;
    fill(fixture, 1, 3, 0);
    copy_all(fixture);
    fill(fixture, 4, 10, 0);
    bool more;
    assert_int_equal(view_trim(fixture->view, 7, 100, &more), 0);
    copy_all(fixture);
    expect_archived(fixture, "1 2 3 7 8 9 10 ");
    assert_int_equal(hub_copy_state(fixture->copy)->gap_rows, 3);
    assert_int_equal(hub_copy_state(fixture->copy)->last_row, 10);
}

static void a_view_that_is_behind_the_archive_is_waited_for(void **state)
{
    struct fixture *fixture = *state;
    fill(fixture, 1, 10, 0);
    copy_all(fixture);
    view_close(fixture->view);
    assert_int_equal(view_discard(fixture->view_path), 0);
    assert_int_equal(step(fixture, fixture->copy), HUB_COPIED_NOT);
    assert_int_equal(view_open(fixture->view_path, &fixture->view, &fixture->why), 0);
    fill(fixture, 1, 6, 0);
    assert_int_equal(step(fixture, fixture->copy), HUB_COPIED_ALL);
    fill(fixture, 7, 12, 0);
    copy_all(fixture);
    expect_archived(fixture, "1 2 3 4 5 6 7 8 9 10 11 12 ");
    assert_int_equal(hub_copy_state(fixture->copy)->gap_rows, 0);
}

static void another_log_begins_anew(void **state)
{
    struct fixture *fixture = *state;
    fill(fixture, 1, 3, 0);
    copy_all(fixture);
    hub_copy_set_log(fixture->copy, log_two);
    assert_false(hub_copy_state(fixture->copy)->located);
    copy_all(fixture);
    assert_int_equal(hub_copy_state(fixture->copy)->outcome.repeated, 3);
}

static void without_a_connection_it_fails_and_asks_again_later(void **state)
{
    struct fixture *fixture = *state;
    fill(fixture, 1, 3, 0);
    archive_disconnect(fixture->archive);
    assert_int_equal(step(fixture, fixture->copy), HUB_COPIED_FAILED);
    assert_int_equal(fixture->err, -ENOTCONN);
    assert_int_equal(archive_connect(fixture->archive, &fixture->why), 0);
    copy_all(fixture);
    expect_archived(fixture, "1 2 3 ");
}

#define ON_FILES(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_FILES(rows_go_over_in_batches_and_only_what_is_new),
        ON_FILES(a_batch_ends_at_its_bytes),
        ON_FILES(notices_are_passed_over_and_count_as_archived),
        ON_FILES(what_moves_is_passed_over_or_archived_once),
        ON_FILES(of_two_copies_none_repeats_or_skips),
        ON_FILES(what_was_trimmed_before_is_a_gap_that_is_counted),
        ON_FILES(a_view_that_is_behind_the_archive_is_waited_for),
        ON_FILES(another_log_begins_anew),
        ON_FILES(without_a_connection_it_fails_and_asks_again_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
