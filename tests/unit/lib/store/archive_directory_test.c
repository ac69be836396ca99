/* The archived directory, on a SQLite file. PostgreSQL: tests/integration/directory_test.py. */
#include "store/archive_directory.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include <cmocka.h>

struct fixture {
    char path[300];
    char url[400];
    struct archive *archive;
    struct archive_bucket bucket;
    struct archive_homes_outcome outcome;
    struct error_text why;
};

static const struct archive_bucket alone = {.of = 1, .made = "2026-11-24T05:36:14.7Z"};

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
    fixture = (struct fixture){.bucket = alone};
    snprintf(fixture.path, sizeof fixture.path, "%s/archive-directory-%d.db", MERIDIAN_BINARY_DIR,
             (int)getpid());
    snprintf(fixture.url, sizeof fixture.url, "sqlite:%s", fixture.path);
    remove_files(&fixture);
    fixture.archive = archive_new(&(struct archive_settings){.url = fixture.url,
                                                             .program = "test",
                                                             .connect_timeout_ms = 5000,
                                                             .statement_timeout_ms = 5000},
                                  &fixture.why);
    assert_non_null(fixture.archive);
    assert_int_equal(archive_connect(fixture.archive, &fixture.why), 0);
    assert_int_equal(archive_bucket_locate(fixture.archive, &fixture.bucket, &fixture.why), 0);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    archive_free(fixture->archive);
    remove_files(fixture);
    return 0;
}

static void run_sql(struct fixture *fixture, const char *sql)
{
    sqlite3 *database;
    assert_int_equal(sqlite3_open(fixture->path, &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(database);
}

static struct archive_home home_of(const char *user, const char *home, uint32_t epoch,
                                   uint64_t revision)
{
    return (struct archive_home){
        .user = text_of(user), .home = text_of(home), .epoch = epoch, .revision = revision};
}

static int put(struct fixture *fixture, const struct archive_home *homes, size_t count)
{
    uint64_t position = homes[count - 1].revision;
    return archive_homes_put(fixture->archive, &fixture->bucket, homes, count, position,
                             &fixture->outcome, &fixture->why);
}

static void put_one(struct fixture *fixture, const char *user, const char *home, uint32_t epoch,
                    uint64_t revision)
{
    const struct archive_home one = home_of(user, home, epoch, revision);
    assert_int_equal(put(fixture, &one, 1), 0);
}

static void on_home(void *context, const struct archive_home *home)
{
    buffer_printf(context, "%.*s=%.*s:%u:%llu ", TEXT_ARGS(home->user), TEXT_ARGS(home->home),
                  home->epoch, (unsigned long long)home->revision);
}

static void on_user(void *context, const struct archive_home *home)
{
    buffer_printf(context, "%.*s ", TEXT_ARGS(home->user));
}

static void assert_text(struct buffer *said, const char *expected)
{
    buffer_append(said, "", 1);
    assert_string_equal((const char *)said->data, expected);
    buffer_free(said);
}

static void expect_homes(struct fixture *fixture, const char *after, size_t max,
                         const char *expected)
{
    struct buffer said = {0};
    assert_int_equal(
        archive_homes_after(fixture->archive, text_of(after), max, on_home, &said, &fixture->why),
        0);
    assert_text(&said, expected);
}

static void a_bucket_begins_at_nothing_and_moves_with_its_rows(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(fixture->bucket.position, 0);
    put_one(fixture, "alice", "sin", 1, 7);
    assert_int_equal(fixture->bucket.position, 7);
    struct archive_bucket again = alone;
    assert_int_equal(archive_bucket_locate(fixture->archive, &again, &fixture->why), 0);
    assert_int_equal(again.position, 7);
    expect_homes(fixture, "", 10, "alice=sin:1:7 ");
}

static void one_that_was_made_anew_begins_at_nothing(void **state)
{
    struct fixture *fixture = *state;
    put_one(fixture, "alice", "sin", 1, 7);
    struct archive_bucket anew = {.of = 1, .made = "2026-11-25T00:00:00Z"};
    assert_int_equal(archive_bucket_locate(fixture->archive, &anew, &fixture->why), 0);
    assert_int_equal(anew.position, 0);
}

static void a_row_never_goes_back(void **state)
{
    struct fixture *fixture = *state;
    put_one(fixture, "alice", "sin", 2, 20);
    put_one(fixture, "alice", "dub", 1, 30); /* a lower epoch */
    expect_homes(fixture, "", 10, "alice=sin:2:20 ");
    put_one(fixture, "alice", "dub", 2, 19); /* a lower revision */
    put_one(fixture, "alice", "dub", 2, 20); /* the same */
    expect_homes(fixture, "", 10, "alice=sin:2:20 ");
    put_one(fixture, "alice", "iad", 2, 21);
    put_one(fixture, "alice", "dub", 3, 5); /* a higher epoch, of a bucket made anew */
    expect_homes(fixture, "", 10, "alice=dub:3:5 ");
    assert_int_equal(fixture->outcome.stored, 3);
}

static void a_user_that_is_twice_in_a_batch_counts_by_the_later(void **state)
{
    struct fixture *fixture = *state;
    const struct archive_home homes[] = {home_of("alice", "sin", 1, 5), home_of("bob", "sin", 1, 6),
                                         home_of("alice", "dub", 2, 7)};
    assert_int_equal(put(fixture, homes, COUNT_OF(homes)), 0);
    expect_homes(fixture, "", 10, "alice=dub:2:7 bob=sin:1:6 ");
}

static void of_two_who_copy_the_second_is_told(void **state)
{
    struct fixture *fixture = *state;
    const struct archive_bucket before = fixture->bucket;
    put_one(fixture, "alice", "sin", 1, 7);
    fixture->bucket = before;
    const struct archive_home late = home_of("bob", "sin", 1, 8);
    assert_int_equal(put(fixture, &late, 1), -ESTALE);
    expect_homes(fixture, "", 10, "alice=sin:1:7 ");
}

static void a_refused_row_is_passed_over_and_the_others_go_on(void **state)
{
    struct fixture *fixture = *state;
    run_sql(fixture, "CREATE TRIGGER no BEFORE INSERT ON directory WHEN new.user_id = 'mallory'"
                     " BEGIN SELECT raise(ABORT, 'no'); END");
    const struct archive_home homes[] = {home_of("alice", "sin", 1, 5),
                                         home_of("mallory", "sin", 1, 6),
                                         home_of("zoe", "sin", 1, 7)};
    assert_int_equal(put(fixture, homes, COUNT_OF(homes)), 0);
    assert_int_equal(fixture->outcome.refused, 1);
    assert_int_equal(fixture->bucket.position, 7);
    expect_homes(fixture, "", 10, "alice=sin:1:5 zoe=sin:1:7 ");
}

static void rows_are_given_in_order_a_page_at_a_time(void **state)
{
    struct fixture *fixture = *state;
    const struct archive_home homes[] = {home_of("b", "sin", 1, 1), home_of("a", "sin", 1, 2),
                                         home_of("B", "sin", 1, 3),
                                         home_of("\xC3\xA9", "sin", 1, 4)};
    assert_int_equal(put(fixture, homes, COUNT_OF(homes)), 0);
    expect_homes(fixture, "", 3, "B=sin:1:3 a=sin:1:2 b=sin:1:1 ");
    expect_homes(fixture, "b", 3, "\xC3\xA9=sin:1:4 ");
    expect_homes(fixture, "\xC3\xA9", 3, "");
}

static void users_with_messages_and_no_home_are_found(void **state)
{
    struct fixture *fixture = *state;
    struct buffer said = {0};
    put_one(fixture, "bob", "sin", 1, 7);
    run_sql(fixture,
            "INSERT INTO messages SELECT value, 1, seq, 1, 1, 1, 1, 0, 0, 's', '', 'i', NULL, ''"
            " FROM json_each('[\"alice\", \"bob\", \"carol\", \"dave\"]'), "
            "(SELECT 1 AS seq UNION SELECT 2)");
    assert_int_equal(
        archive_homeless_after(fixture->archive, TEXT(""), 2, on_user, &said, &fixture->why), 0);
    assert_text(&said, "alice carol ");
    assert_int_equal(
        archive_homeless_after(fixture->archive, TEXT("carol"), 2, on_user, &said, &fixture->why),
        0);
    assert_text(&said, "dave ");
}

static void on_bucket(void *context, const struct archive_bucket *bucket)
{
    buffer_printf(context, "%u/%u %s %llu; ", bucket->number, bucket->of, bucket->made,
                  (unsigned long long)bucket->position);
}

static void of_buckets_the_one_made_last_is_told(void **state)
{
    struct fixture *fixture = *state;
    struct buffer said = {0};
    put_one(fixture, "bob", "sin", 1, 7);
    fixture->bucket = (struct archive_bucket){.of = 1, .made = "2026-11-25T00:00:00Z"};
    assert_int_equal(archive_bucket_locate(fixture->archive, &fixture->bucket, &fixture->why), 0);
    put_one(fixture, "bob", "sin", 1, 3);
    assert_int_equal(archive_each_bucket(fixture->archive, on_bucket, &said, &fixture->why), 0);
    assert_text(&said, "0/1 2026-11-25T00:00:00Z 3; ");
}

static void an_archive_of_version_1_gets_the_tables(void **state)
{
    struct fixture *fixture = *state;
    archive_disconnect(fixture->archive);
    run_sql(fixture, "DROP TABLE directory; DROP TABLE directory_buckets; PRAGMA user_version = 1");
    assert_int_equal(archive_connect(fixture->archive, &fixture->why), 0);
    assert_int_equal(archive_bucket_locate(fixture->archive, &fixture->bucket, &fixture->why), 0);
}

#define ON_FILE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_FILE(a_bucket_begins_at_nothing_and_moves_with_its_rows),
        ON_FILE(one_that_was_made_anew_begins_at_nothing),
        ON_FILE(a_row_never_goes_back),
        ON_FILE(a_user_that_is_twice_in_a_batch_counts_by_the_later),
        ON_FILE(of_two_who_copy_the_second_is_told),
        ON_FILE(a_refused_row_is_passed_over_and_the_others_go_on),
        ON_FILE(rows_are_given_in_order_a_page_at_a_time),
        ON_FILE(users_with_messages_and_no_home_are_found),
        ON_FILE(of_buckets_the_one_made_last_is_told),
        ON_FILE(an_archive_of_version_1_gets_the_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
