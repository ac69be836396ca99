/* Reading the archive on a thread of its own. On PostgreSQL: tests/integration/history_test.py. */
#include "region-hub/hub_archive_reader.h"

#include "archive_file.h"
#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_MS = 20000 };

struct lab {
    struct archive_file file;
    struct loop *loop;
    struct hub_archive_reader *reader;
    /* The last answer. */
    unsigned answers;
    int error;
    bool more;
    struct buffer cursors; /* "1:1 1:2 " */
};

static void on_answer(void *context, const struct hub_archive_answer *answer)
{
    struct lab *lab = context;
    lab->answers++;
    lab->error = answer->error;
    lab->more = answer->more;
    buffer_clear(&lab->cursors);
    for (size_t i = 0; i < answer->rows->count; i++) {
        const struct archive_row row = archive_batch_row(answer->rows, i);
        char body[64];
        snprintf(body, sizeof body, "%" PRIu32 ".%" PRIu64, row.epoch, row.seq);
        assert_true(text_equal(row.body, text_of(body)));
        assert_true(text_equal(row.recipient, TEXT("bob")));
        buffer_printf(&lab->cursors, "%" PRIu32 ":%" PRIu64 " ", row.epoch, row.seq);
    }
    buffer_append(&lab->cursors, "", 1);
}

static void start(struct lab *lab)
{
    struct error_text why = {0};
    lab->reader = hub_archive_reader_start(&lab->file.settings, &why);
    if (lab->reader == NULL)
        fail_msg("%s", why.text);
}

static int set_up(void **state)
{
    static struct lab lab;
    lab = (struct lab){0};
    archive_file_init(&lab.file, "reader");
    lab.loop = loop_new();
    assert_non_null(lab.loop);
    start(&lab);
    *state = &lab;
    return 0;
}

static void stop(struct lab *lab)
{
    hub_archive_reader_stop(lab->reader);
    assert_int_equal(hub_archive_reader_join(lab->reader, clock_monotonic_ms() + PATIENCE_MS), 0);
    lab->reader = NULL;
}

static int tear_down(void **state)
{
    struct lab *lab = *state;
    stop(lab);
    loop_free(lab->loop);
    buffer_free(&lab->cursors);
    archive_file_done(&lab->file);
    return 0;
}

static int ask(struct lab *lab, struct archive_range range, size_t bytes_max,
               struct hub_archive_job **ret_job)
{
    return hub_archive_reader_ask(lab->reader,
                                  &(struct hub_archive_question){.user = TEXT("bob"),
                                                                 .range = range,
                                                                 .bytes_max = bytes_max,
                                                                 .loop = lab->loop,
                                                                 .on_answer = on_answer,
                                                                 .context = lab},
                                  ret_job);
}

static void wait_answers(struct lab *lab, unsigned count)
{
    const int64_t due_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (lab->answers < count && clock_monotonic_ms() < due_ms)
        (void)loop_turn(lab->loop, 50);
    assert_int_equal(lab->answers, count);
}

static void expect(struct lab *lab, struct archive_range range, size_t bytes_max,
                   const char *cursors, bool more)
{
    struct hub_archive_job *job;
    const unsigned answers = lab->answers;
    assert_int_equal(ask(lab, range, bytes_max, &job), 0);
    wait_answers(lab, answers + 1);
    assert_int_equal(lab->error, 0);
    assert_string_equal((const char *)lab->cursors.data, cursors);
    assert_int_equal(lab->more, more);
}

static void rows_come_on_either_way_over_epochs(void **state)
{
    struct lab *lab = *state;
    expect(lab, (struct archive_range){.rows_max = 5}, 1000, "", false);
    archive_file_add(&lab->file, 1, 1, 3);
    archive_file_add(&lab->file, 2, 4, 6);
    expect(lab, (struct archive_range){.rows_max = 10}, 1000, "2:6 2:5 2:4 1:3 1:2 1:1 ", false);
    expect(lab, (struct archive_range){.rows_max = 6}, 1000, "2:6 2:5 2:4 1:3 1:2 1:1 ", false);
    expect(lab, (struct archive_range){.rows_max = 5}, 1000, "2:6 2:5 2:4 1:3 1:2 ", true);
    expect(lab, (struct archive_range){.before = {2, 5}, .rows_max = 2}, 1000, "2:4 1:3 ", true);
    expect(lab, (struct archive_range){.before = {UINT32_MAX, UINT64_MAX}, .rows_max = 1}, 1000,
           "2:6 ", true);
    expect(lab, (struct archive_range){.after = {1, 0}, .rows_max = 4}, 1000, "1:1 1:2 1:3 2:4 ",
           true);
    expect(lab, (struct archive_range){.after = {1, UINT64_MAX}, .rows_max = 4}, 1000,
           "2:4 2:5 2:6 ", false);
}

static void bytes_are_bounded_but_for_the_first_row(void **state)
{
    struct lab *lab = *state;
    archive_file_add(&lab->file, 1, 1, 9); /* 3 bytes each */
    expect(lab, (struct archive_range){.rows_max = 9}, 9, "1:9 1:8 1:7 ", true);
    expect(lab, (struct archive_range){.rows_max = 9}, 8, "1:9 1:8 ", true);
    expect(lab, (struct archive_range){.rows_max = 9}, 0, "1:9 ", true);
    expect(lab, (struct archive_range){.before = {1, 2}, .rows_max = 9}, 0, "1:1 ", false);
}

static void many_rows_are_read_by_several_statements(void **state)
{
    struct lab *lab = *state;
    struct buffer all = {0};
    archive_file_add(&lab->file, 1, 1, 201);
    for (unsigned seq = 1; seq <= 200; seq++)
        buffer_printf(&all, "1:%u ", seq);
    buffer_append(&all, "", 1);
    expect(lab, (struct archive_range){.after = {1, 0}, .rows_max = 200}, 100000,
           (const char *)all.data, true);
    buffer_free(&all);
}

static void what_is_cancelled_is_not_answered(void **state)
{
    struct lab *lab = *state;
    struct hub_archive_job *jobs[8];
    for (size_t i = 0; i < COUNT_OF(jobs); i++)
        assert_int_equal(ask(lab, (struct archive_range){.rows_max = 1}, 1000, &jobs[i]), 0);
    for (size_t i = 0; i < COUNT_OF(jobs); i++) /* queued, with the thread, or on their way back */
        hub_archive_job_cancel(jobs[i]);
    hub_archive_job_cancel(NULL);
    expect(lab, (struct archive_range){.rows_max = 1}, 1000, "", false);
    assert_int_equal(lab->answers, 1);
}

/* A server that takes connections and says nothing. */
static int listen_silently(char *url, size_t size)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    snprintf(url, size, "postgresql://u@127.0.0.1:%u/db?sslmode=disable", ntohs(address.sin_port));
    return fd;
}

static void the_queue_is_bounded_and_its_end_waits_for_nobody(void **state)
{
    struct lab *lab = *state;
    struct hub_archive_job *jobs[HUB_ARCHIVE_JOBS_MAX];
    struct hub_archive_job *more;
    const struct archive_range range = {.rows_max = 1};
    stop(lab);
    const int fd =
        listen_silently(lab->file.settings.archive_url, sizeof lab->file.settings.archive_url);
    start(lab);
    const int64_t begun_ms = clock_monotonic_ms();
    for (size_t i = 0; i < COUNT_OF(jobs); i++)
        assert_int_equal(ask(lab, range, 1000, &jobs[i]), 0);
    assert_int_equal(ask(lab, range, 1000, &more), -ENOBUFS);
    hub_archive_job_cancel(jobs[COUNT_OF(jobs) - 1]);
    assert_int_equal(ask(lab, range, 1000, &jobs[COUNT_OF(jobs) - 1]), 0);
    const int connection = accept(fd, NULL, NULL); /* so the first one waits for the server */
    assert_true(connection >= 0);
    hub_archive_reader_stop(lab->reader);
    wait_answers(lab, 1);
    assert_int_equal(lab->error, -ECANCELED);
    assert_int_equal(ask(lab, range, 1000, &more), -ENOBUFS);
    for (size_t i = 1; i < COUNT_OF(jobs); i++)
        hub_archive_job_cancel(jobs[i]);
    assert_true(clock_monotonic_ms() - begun_ms < PATIENCE_MS);
    close(connection);
    close(fd);
}

static void while_it_is_away_all_fail_at_once(void **state)
{
    struct lab *lab = *state;
    struct hub_archive_job *job;
    char url[100];
    stop(lab);
    close(listen_silently(url, sizeof url)); /* nobody is there */
    snprintf(lab->file.settings.archive_url, sizeof lab->file.settings.archive_url, "%s", url);
    start(lab);
    const int64_t begun_ms = clock_monotonic_ms();
    for (unsigned i = 1; i <= 50; i++) {
        assert_int_equal(ask(lab, (struct archive_range){.rows_max = 1}, 1000, &job), 0);
        wait_answers(lab, i);
        assert_int_equal(lab->error, -ENOTCONN);
    }
    assert_true(clock_monotonic_ms() - begun_ms < PATIENCE_MS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(rows_come_on_either_way_over_epochs),
        TEST(bytes_are_bounded_but_for_the_first_row),
        TEST(many_rows_are_read_by_several_statements),
        TEST(what_is_cancelled_is_not_answered),
        TEST(the_queue_is_bounded_and_its_end_waits_for_nobody),
        TEST(while_it_is_away_all_fail_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
