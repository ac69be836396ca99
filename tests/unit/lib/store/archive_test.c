/* The archive, on a SQLite file. PostgreSQL: tests/integration/archive_test.py. */
#include "store/archive.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include <cmocka.h>

struct fixture {
    char path[300];
    char url[400];
    struct archive *archive;
    struct archive_log log;
    struct archive_batch batch;
    struct archive_outcome outcome;
    struct error_text why;
};

static struct archive *connect_to(struct fixture *fixture)
{
    struct archive *archive = archive_new(&(struct archive_settings){.url = fixture->url,
                                                                     .program = "test",
                                                                     .connect_timeout_ms = 5000,
                                                                     .statement_timeout_ms = 5000},
                                          &fixture->why);
    assert_non_null(archive);
    return archive;
}

static void remove_files(const struct fixture *fixture)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        char name[400];
        snprintf(name, sizeof name, "%s%s", fixture->path, suffixes[i]);
        unlink(name);
    }
}

static int set_up(void **state)
{
    static struct fixture fixture;
    fixture =
        (struct fixture){.log = {.region = "sin", .shard = 3, .incarnation = "sixteen bytes on"}};
    snprintf(fixture.path, sizeof fixture.path, "%s/archive-%d.db", MERIDIAN_BINARY_DIR,
             (int)getpid());
    snprintf(fixture.url, sizeof fixture.url, "sqlite:%s", fixture.path);
    remove_files(&fixture);
    fixture.archive = connect_to(&fixture);
    if (archive_connect(fixture.archive, &fixture.why) != 0)
        fail_msg("%s", fixture.why.text);
    assert_int_equal(archive_locate(fixture.archive, &fixture.log, &fixture.why), 0);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    archive_batch_free(&fixture->batch);
    archive_free(fixture->archive);
    remove_files(fixture);
    return 0;
}

/* Odd rows are bob's, even ones carol's; a row's position is 100 above it. */
static struct archive_row row_of(uint64_t row)
{
    return (struct archive_row){.row = row,
                                .position = 100 + row,
                                .recipient = row % 2 == 1 ? TEXT("bob") : TEXT("carol"),
                                .epoch = 1,
                                .seq = (row + 1) / 2,
                                .at_ms = 1700000000000 + (int64_t)row,
                                .created_ms = 1700000000000,
                                .ttl_s = 60,
                                .flags = 1,
                                .trace = "trace of 16 byte",
                                .sender = TEXT("alice \xC3\xA9"),
                                .device = TEXT(""),
                                .id = TEXT("m1"),
                                .body = TEXT("{\"zero\":\"\\u0000\"}")};
}

static int append(struct fixture *fixture, uint64_t first, uint64_t last)
{
    archive_batch_clear(&fixture->batch);
    for (uint64_t i = first; i <= last; i++) {
        const struct archive_row row = row_of(i);
        assert_int_equal(archive_batch_add(&fixture->batch, &row), 0);
    }
    return archive_append(fixture->archive, &fixture->log, &fixture->batch, &fixture->outcome,
                          &fixture->why);
}

static void on_row(void *context, const struct archive_row *row)
{
    buffer_printf(context, "%" PRIu32 ":%" PRIu64 " ", row->epoch, row->seq);
    assert_string_equal(row->trace, "trace of 16 byte");
    assert_true(text_equal(row->sender, TEXT("alice \xC3\xA9")));
    assert_true(text_equal(row->body, TEXT("{\"zero\":\"\\u0000\"}")));
    assert_int_equal(row->ttl_s, 60);
    assert_int_equal(row->flags, 1);
    assert_int_equal(row->created_ms, 1700000000000);
}

static void expect_history(struct fixture *fixture, const char *user,
                           const struct archive_range *range, const char *cursors)
{
    struct buffer is = {0};
    assert_int_equal(
        archive_history(fixture->archive, text_of(user), range, on_row, &is, &fixture->why), 0);
    buffer_append(&is, "", 1);
    assert_string_equal((const char *)is.data, cursors);
    buffer_free(&is);
}

static void run_sql(struct fixture *fixture, const char *sql)
{
    sqlite3 *database;
    assert_int_equal(sqlite3_open(fixture->path, &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(database);
}

static void urls_are_known_by_their_scheme(void **state)
{
    (void)state;
    assert_true(archive_url_is_good(TEXT("postgresql://")));
    assert_true(archive_url_is_good(TEXT("postgres://user:secret@host/db")));
    assert_true(archive_url_is_good(TEXT("sqlite:archive.db")));
    assert_false(archive_url_is_good(TEXT("sqlite:")));
    assert_false(archive_url_is_good(TEXT("mysql://host")));
    assert_false(archive_url_is_good(TEXT("")));
}

static void a_url_that_cannot_be_read_is_refused_without_its_password(void **state)
{
    (void)state;
    struct error_text why = {0};
    const struct archive_settings settings = {.url = "postgresql://u:secret@host:x:y/db?zz=1",
                                              .program = "test"};
    assert_null(archive_new(&settings, &why));
    assert_null(strstr(why.text, "secret"));
    assert_non_null(strstr(why.text, "URL"));
}

static void the_place_names_neither_user_nor_password(void **state)
{
    (void)state;
    struct error_text why = {0};
    const struct archive_settings settings = {.url = "postgresql://u:secret@db.example:77/name",
                                              .program = "test"};
    struct archive *archive = archive_new(&settings, &why);
    assert_non_null(archive);
    assert_string_equal(archive_place(archive), "postgresql://db.example:77/name");
    archive_free(archive);
}

static void a_log_begins_at_nothing_and_moves_with_its_rows(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(fixture->log.last_row, 0);
    assert_int_equal(append(fixture, 1, 10), 0);
    assert_int_equal(fixture->log.last_row, 10);
    assert_int_equal(fixture->log.position, 110);
    struct archive_log again = fixture->log;
    again.last_row = again.position = 0;
    assert_int_equal(archive_locate(fixture->archive, &again, &fixture->why), 0);
    assert_int_equal(again.last_row, 10);
    assert_int_equal(again.position, 110);
    assert_int_equal(fixture->outcome.stored, 10);
    assert_int_equal(fixture->outcome.repeated, 0);
}

static void another_incarnation_stands_for_itself(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(append(fixture, 1, 10), 0);
    struct archive_log other = fixture->log;
    other.incarnation[0] ^= 1;
    assert_int_equal(archive_locate(fixture->archive, &other, &fixture->why), 0);
    assert_int_equal(other.last_row, 0);
    assert_int_not_equal(other.id, fixture->log.id);
}

static void rows_left_out_at_the_end_count_as_archived(void **state)
{
    struct fixture *fixture = *state;
    archive_batch_clear(&fixture->batch);
    fixture->batch.last_row = 7;
    fixture->batch.last_position = 70;
    assert_int_equal(archive_append(fixture->archive, &fixture->log, &fixture->batch,
                                    &fixture->outcome, &fixture->why),
                     0);
    assert_int_equal(fixture->log.last_row, 7);
    assert_int_equal(fixture->log.position, 70);
}

static void of_two_who_archive_the_second_is_told(void **state)
{
    struct fixture *fixture = *state;
    struct archive *other = connect_to(fixture);
    struct archive_log seen = fixture->log;
    assert_int_equal(archive_connect(other, &fixture->why), 0);
    assert_int_equal(append(fixture, 1, 10), 0);
    struct archive_outcome outcome = {0};
    assert_int_equal(archive_append(other, &seen, &fixture->batch, &outcome, &fixture->why),
                     -ESTALE);
    assert_int_equal(outcome.stored, 0);
    assert_int_equal(seen.last_row, 0);
    assert_int_equal(archive_locate(other, &seen, &fixture->why), 0);
    assert_int_equal(seen.last_row, 10);
    archive_free(other);
}

static void what_is_there_already_is_left_alone(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(append(fixture, 1, 10), 0);
    run_sql(fixture, "UPDATE logs SET last_row = 5");
    fixture->log.last_row = 5;
    assert_int_equal(append(fixture, 6, 12), 0);
    assert_int_equal(fixture->outcome.stored, 12);
    assert_int_equal(fixture->outcome.repeated, 5);
    expect_history(fixture, "bob", &(struct archive_range){.rows_max = 100},
                   "1:6 1:5 1:4 1:3 1:2 1:1 ");
}

static void a_refused_row_is_parked_and_the_others_go_on(void **state)
{
    struct fixture *fixture = *state;
    run_sql(fixture, "CREATE TRIGGER no BEFORE INSERT ON messages WHEN new.row IN (4, 7, 20)"
                     " BEGIN SELECT raise(ABORT, 'not this one'); END");
    assert_int_equal(append(fixture, 1, 20), 0);
    assert_int_equal(fixture->log.last_row, 20);
    assert_int_equal(fixture->outcome.stored, 17);
    assert_int_equal(fixture->outcome.parked, 3);
    assert_non_null(strstr(fixture->outcome.refusal.text, "not this one"));
    expect_history(fixture, "carol", &(struct archive_range){.rows_max = 100},
                   "1:9 1:8 1:7 1:6 1:5 1:4 1:3 1:1 ");
}

static void on_log(void *context, const struct archive_log *log,
                   const struct archive_totals *totals)
{
    buffer_printf(context, "%s/%u row=%" PRIu64 " parked=%" PRIu64 " gap=%" PRIu64 " ", log->region,
                  log->shard, log->last_row, totals->parked, totals->gap_rows);
}

static void expect_logs(struct fixture *fixture, const char *logs)
{
    struct buffer is = {0};
    assert_int_equal(archive_each_log(fixture->archive, on_log, &is, &fixture->why), 0);
    buffer_append(&is, "", 1);
    assert_string_equal((const char *)is.data, logs);
    buffer_free(&is);
}

static void what_cannot_be_parked_either_is_noted_as_a_gap(void **state)
{
    struct fixture *fixture = *state;
    run_sql(fixture, "CREATE TRIGGER no BEFORE INSERT ON messages WHEN new.row = 4"
                     " BEGIN SELECT raise(ABORT, 'not here'); END;"
                     "CREATE TRIGGER nor BEFORE INSERT ON parked"
                     " BEGIN SELECT raise(ABORT, 'nor there'); END");
    assert_int_equal(append(fixture, 1, 6), 0);
    assert_int_equal(fixture->outcome.stored, 5);
    assert_int_equal(fixture->outcome.lost, 1);
    expect_logs(fixture, "sin/3 row=6 parked=0 gap=1 ");
}

static void a_gap_is_noted_and_passed_over(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(append(fixture, 1, 4), 0);
    assert_int_equal(
        archive_skip(fixture->archive, &fixture->log, 9, 109, "trimmed", &fixture->why), 0);
    assert_int_equal(append(fixture, 10, 12), 0);
    expect_logs(fixture, "sin/3 row=12 parked=0 gap=5 ");
}

static void history_goes_both_ways_within_its_limit(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(append(fixture, 1, 20), 0);
    struct archive_row later = row_of(21); /* bob's, in his next epoch */
    later.epoch = 2;
    later.seq = 1;
    archive_batch_clear(&fixture->batch);
    assert_int_equal(archive_batch_add(&fixture->batch, &later), 0);
    assert_int_equal(archive_append(fixture->archive, &fixture->log, &fixture->batch,
                                    &fixture->outcome, &fixture->why),
                     0);
    expect_history(fixture, "bob", &(struct archive_range){.rows_max = 3}, "2:1 1:10 1:9 ");
    expect_history(fixture, "bob", &(struct archive_range){.before = {1, 3}, .rows_max = 5},
                   "1:2 1:1 ");
    expect_history(fixture, "bob", &(struct archive_range){.after = {1, 8}, .rows_max = 5},
                   "1:9 1:10 2:1 ");
    expect_history(fixture, "bob", &(struct archive_range){.after = {1, 0}, .rows_max = 2},
                   "1:1 1:2 ");
    expect_history(fixture, "nobody", &(struct archive_range){.rows_max = 2}, "");
}

static void a_cursor_that_is_there_twice_is_given_once(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(append(fixture, 1, 4), 0);
    fixture->log.incarnation[0] ^= 1;
    assert_int_equal(archive_locate(fixture->archive, &fixture->log, &fixture->why), 0);
    struct archive_row again = row_of(1);
    again.at_ms += 5000;
    archive_batch_clear(&fixture->batch);
    assert_int_equal(archive_batch_add(&fixture->batch, &again), 0);
    assert_int_equal(archive_append(fixture->archive, &fixture->log, &fixture->batch,
                                    &fixture->outcome, &fixture->why),
                     0);
    assert_int_equal(fixture->outcome.stored, 5);
    expect_history(fixture, "bob", &(struct archive_range){.rows_max = 5}, "1:2 1:1 ");
    expect_history(fixture, "bob", &(struct archive_range){.after = {1, 0}, .rows_max = 5},
                   "1:1 1:2 ");
}

static void a_user_is_erased_and_others_stay(void **state)
{
    struct fixture *fixture = *state;
    uint64_t deleted = 0;
    assert_int_equal(append(fixture, 1, 20), 0);
    assert_int_equal(archive_erase(fixture->archive, TEXT("bob"), false, &deleted, &fixture->why),
                     0);
    assert_int_equal(deleted, 10);
    expect_history(fixture, "bob", &(struct archive_range){.rows_max = 5}, "");
    expect_history(fixture, "carol", &(struct archive_range){.rows_max = 2}, "1:10 1:9 ");
    assert_int_equal(
        archive_erase(fixture->archive, TEXT("alice \xC3\xA9"), true, &deleted, &fixture->why), 0);
    assert_int_equal(deleted, 10);
}

static void what_is_old_expires(void **state)
{
    struct fixture *fixture = *state;
    uint64_t deleted = 0;
    assert_int_equal(append(fixture, 1, 20), 0);
    assert_int_equal(archive_expire(fixture->archive, 1700000000011, &deleted, &fixture->why), 0);
    assert_int_equal(deleted, 10);
    expect_history(fixture, "bob", &(struct archive_range){.after = {1, 0}, .rows_max = 1}, "1:6 ");
}

static void a_newer_schema_is_refused_in_words(void **state)
{
    struct fixture *fixture = *state;
    run_sql(fixture, "PRAGMA user_version = 99");
    archive_disconnect(fixture->archive);
    assert_int_equal(archive_connect(fixture->archive, &fixture->why), -EPROTO);
    assert_non_null(strstr(fixture->why.text, "version 99"));
    assert_non_null(strstr(fixture->why.text, "newer program"));
}

static void another_kind_of_database_is_refused(void **state)
{
    struct fixture *fixture = *state;
    run_sql(fixture, "PRAGMA application_id = 7");
    archive_disconnect(fixture->archive);
    assert_int_equal(archive_connect(fixture->archive, &fixture->why), -EIO);
    assert_non_null(strstr(fixture->why.text, "not an archive"));
}

static void without_a_connection_calls_say_so(void **state)
{
    struct fixture *fixture = *state;
    archive_disconnect(fixture->archive);
    assert_int_equal(append(fixture, 1, 2), -ENOTCONN);
    assert_int_equal(archive_connect(fixture->archive, &fixture->why), 0);
    assert_int_equal(append(fixture, 1, 2), 0);
}

static void a_cancelled_archive_does_nothing_more(void **state)
{
    struct fixture *fixture = *state;
    archive_cancel(fixture->archive);
    assert_int_equal(append(fixture, 1, 2), -ECANCELED);
    assert_int_equal(archive_connect(fixture->archive, &fixture->why), -ECANCELED);
}

static void a_server_that_is_not_there_is_no_crash(void **state)
{
    (void)state;
    struct error_text why = {0};
    const struct archive_settings settings = {.url = "postgresql://127.0.0.1:1/none",
                                              .program = "test",
                                              .connect_timeout_ms = 2000,
                                              .statement_timeout_ms = 2000};
    struct archive *archive = archive_new(&settings, &why);
    assert_non_null(archive);
    assert_int_equal(archive_connect(archive, &why), -ENOTCONN);
    assert_non_null(strstr(why.text, "refused"));
    archive_cancel(archive);
    assert_int_equal(archive_connect(archive, &why), -ECANCELED);
    archive_free(archive);
}

#define ON_FILE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_known_by_their_scheme),
        cmocka_unit_test(a_url_that_cannot_be_read_is_refused_without_its_password),
        cmocka_unit_test(the_place_names_neither_user_nor_password),
        ON_FILE(a_log_begins_at_nothing_and_moves_with_its_rows),
        ON_FILE(another_incarnation_stands_for_itself),
        ON_FILE(rows_left_out_at_the_end_count_as_archived),
        ON_FILE(of_two_who_archive_the_second_is_told),
        ON_FILE(what_is_there_already_is_left_alone),
        ON_FILE(a_refused_row_is_parked_and_the_others_go_on),
        ON_FILE(what_cannot_be_parked_either_is_noted_as_a_gap),
        ON_FILE(a_gap_is_noted_and_passed_over),
        ON_FILE(history_goes_both_ways_within_its_limit),
        ON_FILE(a_cursor_that_is_there_twice_is_given_once),
        ON_FILE(a_user_is_erased_and_others_stay),
        ON_FILE(what_is_old_expires),
        ON_FILE(a_newer_schema_is_refused_in_words),
        ON_FILE(another_kind_of_database_is_refused),
        ON_FILE(without_a_connection_calls_say_so),
        ON_FILE(a_cancelled_archive_does_nothing_more),
        cmocka_unit_test(a_server_that_is_not_there_is_no_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
