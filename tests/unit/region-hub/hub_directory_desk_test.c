#include "region-hub/hub_directory_desk.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char path[300];
    struct archive *archive;
    struct hub_directory_desk *desk;
    struct hub_home_batch batch;
    int error;
    struct error_text why;
};

static const struct archive_bucket bucket = {.number = 2, .of = 4, .made = "then"};

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
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    char url[400];
    snprintf(fixture->path, sizeof fixture->path, "%s/desk-%d.db", MERIDIAN_BINARY_DIR,
             (int)getpid());
    snprintf(url, sizeof url, "sqlite:%s", fixture->path);
    remove_files(fixture);
    fixture->archive = archive_new(&(struct archive_settings){.url = url,
                                                              .program = "test",
                                                              .connect_timeout_ms = 5000,
                                                              .statement_timeout_ms = 5000},
                                   &fixture->why);
    assert_non_null(fixture->archive);
    assert_int_equal(archive_connect(fixture->archive, &fixture->why), 0);
    fixture->desk = hub_directory_desk_new();
    assert_non_null(fixture->desk);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    hub_directory_desk_free(fixture->desk);
    archive_free(fixture->archive);
    remove_files(fixture);
    free(fixture);
    return 0;
}

static enum hub_desk_step step(struct fixture *fixture)
{
    return hub_directory_desk_step(fixture->desk, fixture->archive, &fixture->error, &fixture->why);
}

static void expect(struct fixture *fixture, enum hub_desk_state state, uint64_t position)
{
    uint64_t found;
    assert_int_equal(hub_directory_desk_look(fixture->desk, &found), state);
    if (state == HUB_DESK_WAITING)
        assert_int_equal(found, position);
}

static void put(struct fixture *fixture, size_t count, uint64_t first)
{
    for (size_t i = 0; i < count; i++) {
        struct hub_home *home = &fixture->batch.homes[i];
        *home = (struct hub_home){.revision = first + i, .epoch = 1, .home = "sin"};
        home->user_size = (uint8_t)snprintf(home->user, sizeof home->user, "user-%zu", i);
    }
    fixture->batch.count = count;
    hub_directory_desk_put(fixture->desk, &fixture->batch, 1);
}

static void a_batch_is_stored_after_the_position_was_asked(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(step(fixture), HUB_DESK_NOTHING);
    hub_directory_desk_ask(fixture->desk, &bucket);
    expect(fixture, HUB_DESK_ASKED, 0);
    assert_int_equal(step(fixture), HUB_DESK_DONE);
    expect(fixture, HUB_DESK_WAITING, 0);
    assert_int_equal(step(fixture), HUB_DESK_NOTHING);
    put(fixture, HUB_DIRECTORY_BATCH, 100);
    expect(fixture, HUB_DESK_FULL, 0);
    assert_true(hub_directory_desk_status(fixture->desk).lag_ms > 0);
    assert_int_equal(step(fixture), HUB_DESK_DONE);
    expect(fixture, HUB_DESK_WAITING, 99 + HUB_DIRECTORY_BATCH);
    struct hub_directory_desk_status status = hub_directory_desk_status(fixture->desk);
    assert_true(status.follows);
    assert_int_equal(status.lag_ms, 0);
    assert_int_equal(status.stored, HUB_DIRECTORY_BATCH);
}

static void while_the_archive_is_away_the_batch_stays(void **state)
{
    struct fixture *fixture = *state;
    hub_directory_desk_ask(fixture->desk, &bucket);
    assert_int_equal(step(fixture), HUB_DESK_DONE);
    put(fixture, 3, 10);
    archive_disconnect(fixture->archive);
    assert_int_equal(step(fixture), HUB_DESK_FAILED);
    assert_int_equal(fixture->error, -ENOTCONN);
    expect(fixture, HUB_DESK_FULL, 0);
    assert_true(hub_directory_desk_status(fixture->desk).lag_ms > 0);
    assert_int_equal(archive_connect(fixture->archive, &fixture->why), 0);
    assert_int_equal(step(fixture), HUB_DESK_DONE);
    expect(fixture, HUB_DESK_WAITING, 12);
}

static void when_another_hub_copies_too_it_is_asked_again(void **state)
{
    struct fixture *fixture = *state;
    struct archive_bucket others = bucket;
    struct archive_homes_outcome outcome = {0};
    const struct archive_home home = {
        .user = TEXT("bob"), .home = TEXT("dub"), .epoch = 1, .revision = 50};
    hub_directory_desk_ask(fixture->desk, &bucket);
    assert_int_equal(step(fixture), HUB_DESK_DONE);
    assert_int_equal(archive_bucket_locate(fixture->archive, &others, &fixture->why), 0);
    assert_int_equal(
        archive_homes_put(fixture->archive, &others, &home, 1, 50, &outcome, &fixture->why), 0);
    put(fixture, 3, 10);
    assert_int_equal(step(fixture), HUB_DESK_STALE);
    expect(fixture, HUB_DESK_IDLE, 0);
    hub_directory_desk_ask(fixture->desk, &bucket);
    assert_int_equal(step(fixture), HUB_DESK_DONE);
    expect(fixture, HUB_DESK_WAITING, 50);
}

static void a_desk_that_was_left_has_nothing_to_do(void **state)
{
    struct fixture *fixture = *state;
    hub_directory_desk_ask(fixture->desk, &bucket);
    assert_int_equal(step(fixture), HUB_DESK_DONE);
    put(fixture, 3, 10);
    hub_directory_desk_leave(fixture->desk);
    assert_int_equal(step(fixture), HUB_DESK_NOTHING);
    assert_false(hub_directory_desk_status(fixture->desk).follows);
}

#define ON_FILE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_FILE(a_batch_is_stored_after_the_position_was_asked),
        ON_FILE(while_the_archive_is_away_the_batch_stays),
        ON_FILE(when_another_hub_copies_too_it_is_asked_again),
        ON_FILE(a_desk_that_was_left_has_nothing_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
