/* Pages of history from a view and an archive, both of them files. The mailbox and the bus are
 * played: what is asked of them is little, and a mailbox of a second epoch is wanted. */
#include "region-hub/hub_history.h"

#include "archive_file.h"
#include "base/clock.h"
#include "bus/bus.h"

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

enum { PATIENCE_MS = 20000, MARK = 16 /* every such row is known */ };
static const int64_t now_ms = 1700000010000; /* 10 s after what is in the archive */

/* bob's rows are numbered as his seqs. */
static struct lab {
    struct archive_file file;
    char view_path[300];
    struct view *view;
    struct mailbox_user user; /* no name: there is none */
    struct mailbox_move move; /* where: MAILBOX_AT_HOME for none */
    struct loop *loop;
    struct hub_archive_reader *reader;
    struct hub_history *history;
    int view_error;
    /* The last answer. */
    unsigned answers;
    uint8_t code;
    uint64_t request;
    struct buffer told; /* "1:1 1:2 +reason" */
} it;

/* --- what is played --- */

const struct mailbox *hub_apply_mailbox(const struct hub_apply *apply)
{
    return (const struct mailbox *)apply;
}

struct view *hub_apply_view(const struct hub_apply *apply)
{
    (void)apply;
    return it.view;
}

int64_t hub_apply_now_ms(const struct hub_apply *apply)
{
    (void)apply;
    return now_ms;
}

void hub_apply_view_failed(struct hub_apply *apply, int error)
{
    (void)apply;
    it.view_error = error;
    hub_history_serve(it.history, 0); /* as a shard that stands down */
}

bool mailbox_find_user(const struct mailbox *mailbox, struct text user,
                       struct mailbox_user *ret_user)
{
    (void)mailbox;
    if (!text_equal(user, it.user.name))
        return false;
    *ret_user = it.user;
    return true;
}

bool mailbox_move_of(const struct mailbox *mailbox, struct text user, struct mailbox_move *ret_move)
{
    (void)mailbox;
    if (!text_equal(user, it.user.name) || it.move.where == MAILBOX_AT_HOME)
        return false;
    *ret_move = it.move;
    return true;
}

uint64_t mailbox_row_near(const struct mailbox_user *user, uint64_t seq)
{
    if (seq > user->head)
        return 0;
    const uint64_t mark = (seq + MARK - 1) / MARK * MARK;
    return mark < user->head ? mark : user->head;
}

int bus_publish(struct bus *bus, const char *subject, const char *reply, const void *data,
                size_t size)
{
    struct wire_frame frame;
    struct wire_entry entry;
    (void)bus;
    assert_string_equal(subject, "_INBOX_sin-1.7");
    assert_null(reply);
    assert_int_equal(wire_frame_read(data, size, &frame), 0);
    assert_int_equal(frame.generation, 5);
    assert_int_equal(wire_entry_next(&frame, &entry), 0);
    const struct wire_history_page page = entry.history_page;
    it.answers++;
    it.code = page.code;
    it.request = page.request;
    buffer_clear(&it.told);
    while (wire_entry_next(&frame, &entry) == 0) {
        const struct wire_history_row *row = &entry.history_row;
        char body[64];
        snprintf(body, sizeof body, "%" PRIu32 ".%" PRIu64, row->epoch, row->seq);
        assert_true(text_equal(row->body, text_of(body)));
        buffer_printf(&it.told, "%" PRIu32 ":%" PRIu64 " ", row->epoch, row->seq);
    }
    buffer_printf(&it.told, "%s%.*s", (page.flags & WIRE_HISTORY_MORE) != 0 ? "+" : "",
                  TEXT_ARGS(page.reason));
    buffer_append(&it.told, "", 1);
    return 0;
}

/* --- the lab --- */

static const struct catalogue_region region = {.name = "sin", .shards = 1};

static struct hub_history *new_history(unsigned shard, int64_t answer_max_ms)
{
    struct hub_history *history =
        hub_history_new(&(struct hub_history_settings){.loop = it.loop,
                                                       .apply = (struct hub_apply *)&it,
                                                       .reader = it.reader,
                                                       .region = &region,
                                                       .shard = shard,
                                                       .hub = "sin-h1",
                                                       .answer_max_ms = answer_max_ms});
    assert_non_null(history);
    hub_history_serve(history, 5);
    return history;
}

static void start_reader(void)
{
    struct error_text why = {0};
    it.reader = hub_archive_reader_start(&it.file.settings, &why);
    if (it.reader == NULL)
        fail_msg("%s", why.text);
    hub_history_free(it.history);
    it.history = new_history(0, PATIENCE_MS);
}

static void stop_reader(void)
{
    hub_history_free(it.history);
    hub_archive_reader_stop(it.reader);
    assert_int_equal(hub_archive_reader_join(it.reader, clock_monotonic_ms() + PATIENCE_MS), 0);
    it.reader = NULL;
    it.history = new_history(0, PATIENCE_MS);
}

static void remove_view(void)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        char name[400];
        snprintf(name, sizeof name, "%s%s", it.view_path, suffixes[i]);
        unlink(name);
    }
}

static void append(uint32_t epoch, uint64_t first, uint64_t last, uint16_t flags)
{
    assert_int_equal(view_begin(it.view), 0);
    for (uint64_t seq = first; seq <= last; seq++) {
        char body[64];
        snprintf(body, sizeof body, "%" PRIu32 ".%" PRIu64, epoch, seq);
        const struct view_row row = {.row = seq,
                                     .previous_row = seq - 1,
                                     .position = seq,
                                     .user = TEXT("bob"),
                                     .epoch = epoch,
                                     .seq = seq,
                                     .at_ms = now_ms,
                                     .flags = flags,
                                     .sender = TEXT("alice"),
                                     .device = TEXT(""),
                                     .id = TEXT("m1"),
                                     .body = text_of(body)};
        assert_int_equal(view_append(it.view, &row), 0);
    }
    assert_int_equal(view_commit(it.view, last), 0);
    it.user = (struct mailbox_user){.name = TEXT("bob"), .epoch = epoch, .head = last, .oldest = 1};
}

static void trim(uint64_t below)
{
    bool more = true;
    while (more)
        assert_int_equal(view_trim(it.view, below, 1000, &more), 0);
}

static int set_up(void **state)
{
    struct error_text why = {0};
    (void)state;
    it = (struct lab){0};
    archive_file_init(&it.file, "history");
    snprintf(it.view_path, sizeof it.view_path, "%s/history-%d.view", MERIDIAN_BINARY_DIR,
             (int)getpid());
    remove_view();
    assert_int_equal(view_open(it.view_path, &it.view, &why), 0);
    it.loop = loop_new();
    assert_non_null(it.loop);
    start_reader();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stop_reader();
    hub_history_free(it.history);
    view_close(it.view);
    remove_view();
    loop_free(it.loop);
    buffer_free(&it.told);
    archive_file_done(&it.file);
    return 0;
}

static struct wire_history_ask ask_of(uint8_t flags, uint32_t epoch, uint64_t seq, uint16_t rows)
{
    static uint64_t requests;
    return (struct wire_history_ask){.request = ++requests,
                                     .user = TEXT("bob"),
                                     .flags = flags,
                                     .epoch = epoch,
                                     .seq = seq,
                                     .rows_max = rows,
                                     .bytes_max = 100000};
}

static void ask(const struct wire_history_ask *asked)
{
    hub_history_ask(it.history, TEXT("_INBOX_sin-1.7"), asked);
}

static void wait_answers(unsigned count)
{
    const int64_t due_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (it.answers < count && clock_monotonic_ms() < due_ms) {
        (void)loop_turn(it.loop, 20);
        hub_history_tick(it.history);
    }
    assert_int_equal(it.answers, count);
}

static void expect(const struct wire_history_ask *asked, const char *told)
{
    const unsigned answers = it.answers;
    ask(asked);
    wait_answers(answers + 1);
    assert_int_equal(it.code, WIRE_OK);
    assert_true(it.request == asked->request);
    if (strcmp((const char *)it.told.data, told) != 0)
        fail_msg("%u %u:%" PRIu64 ", %u rows: \"%s\", should be \"%s\"", asked->flags, asked->epoch,
                 asked->seq, asked->rows_max, (const char *)it.told.data, told);
}

struct expectation {
    uint8_t flags;
    uint32_t epoch;
    uint64_t seq;
    uint16_t rows;
    const char *told;
};

static void expect_all(const struct expectation *expected, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct wire_history_ask asked =
            ask_of(expected[i].flags, expected[i].epoch, expected[i].seq, expected[i].rows);
        expect(&asked, expected[i].told);
    }
}

/* The archive has 1:1 to 1:10 and 2:11 to 2:40; the view 2:31 to 2:60. */
static void make_two_epochs(void)
{
    archive_file_add(&it.file, 1, 1, 10);
    archive_file_add(&it.file, 2, 11, 40);
    append(1, 1, 10, 0);
    append(2, 11, 60, 0);
    trim(31);
}

static const char *cursors(uint64_t first, uint64_t last)
{
    static struct buffer text;
    buffer_free(&text);
    for (uint64_t seq = first; seq <= last; seq++)
        buffer_printf(&text, "%d:%" PRIu64 " ", seq <= 10 ? 1 : 2, seq);
    buffer_append(&text, "", 1);
    return (const char *)text.data;
}

enum { BEFORE = WIRE_HISTORY_BEFORE, AFTER = WIRE_HISTORY_AFTER };

/* --- tests --- */

static void a_page_goes_from_the_view_into_the_archive_over_epochs(void **state)
{
    (void)state;
    static const struct expectation rows[] = {
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
    make_two_epochs();
    expect_all(rows, COUNT_OF(rows));
    const struct wire_history_ask all = ask_of(0, 0, 0, 200);
    expect(&all, cursors(1, 60));
    const struct wire_history_ask exactly = ask_of(0, 0, 0, 60);
    expect(&exactly, cursors(1, 60));
}

static void a_page_goes_from_the_archive_into_the_view(void **state)
{
    (void)state;
    static const struct expectation rows[] = {
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
    make_two_epochs();
    expect_all(rows, COUNT_OF(rows));
    const struct wire_history_ask all = ask_of(AFTER, 0, 0, 200);
    expect(&all, cursors(1, 60));
}

static void without_an_archive_it_is_said_why_the_older_are_missing(void **state)
{
    (void)state;
    static const struct expectation rows[] = {
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
    make_two_epochs();
    stop_reader();
    expect_all(rows, COUNT_OF(rows));
    trim(61); /* nothing is left */
    static const struct expectation none[] = {
        {0, 0, 0, 2, "retention"},
        {AFTER, 2, 20, 2, "retention"},
        {AFTER, 2, 60, 2, ""},
    };
    expect_all(none, COUNT_OF(none));
}

static void while_the_archive_is_away_the_views_part_is_told(void **state)
{
    (void)state;
    static const struct expectation rows[] = {
        {0, 0, 0, 2, "2:59 2:60 +"},
        {BEFORE, 2, 33, 4, "2:31 2:32 archive_unavailable"},
        {BEFORE, 1, 9, 4, "archive_unavailable"},
        {AFTER, 1, 8, 2, "2:31 2:32 +archive_unavailable"},
        {AFTER, 2, 30, 2, "2:31 2:32 +"},
    };
    make_two_epochs();
    stop_reader();
    snprintf(it.file.settings.archive_url, sizeof it.file.settings.archive_url,
             "sqlite:%s/not-a-folder/archive.db", MERIDIAN_BINARY_DIR);
    start_reader();
    expect_all(rows, COUNT_OF(rows));
}

static void who_has_no_mailbox_here_may_have_an_archive(void **state)
{
    (void)state;
    static const struct expectation rows[] = {
        {0, 0, 0, 2, "1:9 1:10 +"},
        {AFTER, 0, 0, 2, "1:1 1:2 +"},
        {AFTER, 1, 8, 4, "1:9 1:10 "},
        {BEFORE, 1, 1, 9, ""},
    };
    static const struct expectation none[] = {{0, 0, 0, 9, ""}, {AFTER, 0, 0, 9, ""}};
    expect_all(none, COUNT_OF(none));
    archive_file_add(&it.file, 1, 1, 10);
    expect_all(rows, COUNT_OF(rows));
    stop_reader();
    expect_all(none, COUNT_OF(none));
}

static void many_notices_are_passed_over_in_turns(void **state)
{
    (void)state;
    static const struct expectation rows[] = {
        {0, 0, 0, 1, "1:2000 +"},
        {BEFORE, 1, 2000, 1, "1:3 +"},
        {BEFORE, 1, 2000, 9, "1:1 1:2 1:3 "},
        {AFTER, 1, 2, 2, "1:3 1:2000 "},
        {AFTER, 1, 3, 1, "1:2000 "},
    };
    append(1, 1, 3, 0);
    append(1, 4, 1999, WIRE_FLAG_NOTICE);
    append(1, 2000, 2000, 0);
    expect_all(rows, COUNT_OF(rows));
}

static void what_the_archive_has_past_its_ttl_makes_no_page_empty(void **state)
{
    (void)state;
    static const struct expectation rows[] = {
        {0, 0, 0, 1, "1:200 +"},
        {BEFORE, 1, 200, 2, "1:2 1:3 +"},
        {BEFORE, 1, 200, 3, "1:1 1:2 1:3 "},
        {AFTER, 1, 2, 2, "1:3 1:200 "},
        {AFTER, 1, 3, 1, "1:200 "},
    };
    archive_file_add(&it.file, 1, 1, 3);
    it.file.ttl_s = 10;
    archive_file_add(&it.file, 1, 4, 199);
    it.file.ttl_s = 11;
    archive_file_add(&it.file, 1, 200, 200);
    append(1, 200, 200, 0);
    trim(201);
    expect_all(rows, COUNT_OF(rows));
}

static void asks_are_bounded_and_dropped_with_the_service(void **state)
{
    (void)state;
    append(1, 1, 3, 0);
    trim(3); /* the rest is asked of the archive */
    for (unsigned i = 0; i < HUB_HISTORY_ASKS_MAX; i++) {
        const struct wire_history_ask asked = ask_of(0, 0, 0, 9);
        ask(&asked);
    }
    assert_int_equal(it.answers, 0);
    const struct wire_history_ask more = ask_of(0, 0, 0, 9);
    ask(&more);
    assert_int_equal(it.answers, 1);
    assert_int_equal(it.code, WIRE_BUSY);
    assert_true(it.request == more.request);
    wait_answers(1 + HUB_HISTORY_ASKS_MAX);
    assert_int_equal(it.code, WIRE_OK);
    ask(&more);
    hub_history_serve(it.history, 0); /* before it is read */
    ask(&more);
    hub_history_serve(it.history, 5);
    const struct wire_history_ask last = ask_of(0, 0, 0, 1);
    expect(&last, "1:3 ");
    assert_int_equal(it.answers, 2 + HUB_HISTORY_ASKS_MAX);
}

static void what_cannot_be_answered_is_refused(void **state)
{
    (void)state;
    append(1, 1, 3, 0);
    struct wire_history_ask asked = ask_of(0, 0, 0, 9);
    asked.user = TEXT("$meridian");
    ask(&asked);
    assert_int_equal(it.answers, 1);
    assert_int_equal(it.code, WIRE_REFUSED);
    asked.user = TEXT("bob");
    hub_history_ask(it.history, TEXT(""), &asked); /* nobody would hear it */
    hub_history_free(it.history);
    it.history = new_history(1, PATIENCE_MS);
    ask(&asked);
    assert_int_equal(it.answers, 2);
    assert_int_equal(it.code, WIRE_NOT_HOME);
}

static void a_mailbox_that_moves_is_read_where_it_is(void **state)
{
    (void)state;
    static const struct {
        enum mailbox_where where;
        uint8_t code;
    } rows[] = {
        {MAILBOX_FROZEN, WIRE_OK},
        {MAILBOX_STAGED, WIRE_NOT_HOME},
        {MAILBOX_ARRIVED, WIRE_OK},
        {MAILBOX_AWAY, WIRE_NOT_HOME},
    };
    append(1, 1, 3, 0);
    for (unsigned i = 0; i < COUNT_OF(rows); i++) {
        const struct wire_history_ask asked = ask_of(0, 0, 0, 9);
        it.move.where = rows[i].where;
        ask(&asked);
        wait_answers(i + 1);
        assert_int_equal(it.code, rows[i].code);
        assert_string_equal((const char *)it.told.data,
                            rows[i].code == WIRE_OK ? "1:1 1:2 1:3 " : "");
    }
}

static void a_view_that_fails_is_said_once_the_ask_is_answered(void **state)
{
    (void)state;
    append(1, 1, 3, 0);
    assert_int_equal(view_begin(it.view), 0);
    const struct view_row row = {.row = 4,
                                 .previous_row = 2, /* skips one */
                                 .position = 4,
                                 .user = TEXT("bob"),
                                 .epoch = 1,
                                 .seq = 4,
                                 .sender = TEXT("alice"),
                                 .device = TEXT(""),
                                 .id = TEXT("m1"),
                                 .body = TEXT("1.4")};
    assert_int_equal(view_append(it.view, &row), 0);
    assert_int_equal(view_commit(it.view, 4), 0);
    it.user.head = 4;
    const struct wire_history_ask asked = ask_of(0, 0, 0, 9);
    ask(&asked);
    wait_answers(1);
    assert_int_equal(it.code, WIRE_BUSY);
    assert_int_equal(it.view_error, -EILSEQ);
}

static void what_is_late_is_answered_by_what_there_is(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(fd, 8), 0); /* and says nothing */
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    make_two_epochs();
    stop_reader();
    snprintf(it.file.settings.archive_url, sizeof it.file.settings.archive_url,
             "postgresql://u@127.0.0.1:%u/db?sslmode=disable", ntohs(address.sin_port));
    start_reader();
    hub_history_free(it.history);
    it.history = new_history(0, 200);
    static const struct expectation rows[] = {
        {BEFORE, 2, 33, 4, "2:31 2:32 archive_unavailable"},
        {AFTER, 1, 8, 2, "2:31 2:32 +archive_unavailable"},
    };
    expect_all(rows, COUNT_OF(rows));
    close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_page_goes_from_the_view_into_the_archive_over_epochs),
        TEST(a_page_goes_from_the_archive_into_the_view),
        TEST(without_an_archive_it_is_said_why_the_older_are_missing),
        TEST(while_the_archive_is_away_the_views_part_is_told),
        TEST(who_has_no_mailbox_here_may_have_an_archive),
        TEST(many_notices_are_passed_over_in_turns),
        TEST(what_the_archive_has_past_its_ttl_makes_no_page_empty),
        TEST(asks_are_bounded_and_dropped_with_the_service),
        TEST(what_cannot_be_answered_is_refused),
        TEST(a_mailbox_that_moves_is_read_where_it_is),
        TEST(a_view_that_fails_is_said_once_the_ask_is_answered),
        TEST(what_is_late_is_answered_by_what_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
