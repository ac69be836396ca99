/* Asks for history: how many, whose, and what is late. */
#include "history_lab.h"

#include <netinet/in.h>
#include <sys/socket.h>

static void asks_are_bounded_and_dropped_with_the_service(void **state)
{
    (void)state;
    history_lab_append(1, 1, 3, 0);
    history_lab_trim(3); /* the rest is asked of the archive */
    for (unsigned i = 0; i < HUB_HISTORY_ASKS_MAX; i++) {
        const struct wire_history_ask asked = history_lab_ask_of(0, 0, 0, 9);
        history_lab_ask(&asked);
    }
    assert_int_equal(history_lab.answers, 0);
    const struct wire_history_ask more = history_lab_ask_of(0, 0, 0, 9);
    history_lab_ask(&more);
    assert_int_equal(history_lab.answers, 1);
    assert_int_equal(history_lab.code, WIRE_BUSY);
    assert_true(history_lab.request == more.request);
    history_lab_wait(1 + HUB_HISTORY_ASKS_MAX);
    assert_int_equal(history_lab.code, WIRE_OK);
    history_lab_ask(&more);
    hub_history_serve(history_lab.history, 0); /* before it is read */
    history_lab_ask(&more);
    hub_history_serve(history_lab.history, 5);
    const struct wire_history_ask last = history_lab_ask_of(0, 0, 0, 1);
    history_lab_expect(&last, "1:3 ");
    assert_int_equal(history_lab.answers, 2 + HUB_HISTORY_ASKS_MAX);
}

static void what_cannot_be_answered_is_refused(void **state)
{
    (void)state;
    history_lab_append(1, 1, 3, 0);
    struct wire_history_ask asked = history_lab_ask_of(0, 0, 0, 9);
    asked.user = TEXT("$meridian");
    history_lab_ask(&asked);
    assert_int_equal(history_lab.answers, 1);
    assert_int_equal(history_lab.code, WIRE_REFUSED);
    asked.user = TEXT("bob");
    hub_history_ask(history_lab.history, TEXT(""), &asked); /* nobody would hear it */
    hub_history_free(history_lab.history);
    history_lab.history = history_lab_new(1, HISTORY_PATIENCE_MS);
    history_lab_ask(&asked);
    assert_int_equal(history_lab.answers, 2);
    assert_int_equal(history_lab.code, WIRE_NOT_HOME);
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
    history_lab_append(1, 1, 3, 0);
    for (unsigned i = 0; i < COUNT_OF(rows); i++) {
        const struct wire_history_ask asked = history_lab_ask_of(0, 0, 0, 9);
        history_lab.move.where = rows[i].where;
        history_lab_ask(&asked);
        history_lab_wait(i + 1);
        assert_int_equal(history_lab.code, rows[i].code);
        assert_string_equal((const char *)history_lab.told.data,
                            rows[i].code == WIRE_OK ? "1:1 1:2 1:3 " : "");
    }
}

static void a_view_that_fails_is_said_once_the_ask_is_answered(void **state)
{
    (void)state;
    history_lab_append(1, 1, 3, 0);
    assert_int_equal(view_begin(history_lab.view), 0);
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
    assert_int_equal(view_append(history_lab.view, &row), 0);
    assert_int_equal(view_commit(history_lab.view, 4), 0);
    history_lab.user.head = 4;
    const struct wire_history_ask asked = history_lab_ask_of(0, 0, 0, 9);
    history_lab_ask(&asked);
    history_lab_wait(1);
    assert_int_equal(history_lab.code, WIRE_BUSY);
    assert_int_equal(history_lab.view_error, -EILSEQ);
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
    history_lab_make_two_epochs();
    history_lab_stop_reader();
    snprintf(history_lab.file.settings.archive_url, sizeof history_lab.file.settings.archive_url,
             "postgresql://u@127.0.0.1:%u/db?sslmode=disable", ntohs(address.sin_port));
    history_lab_start_reader();
    hub_history_free(history_lab.history);
    history_lab.history = history_lab_new(0, 200);
    static const struct history_expectation rows[] = {
        {BEFORE, 2, 33, 4, "2:31 2:32 archive_unavailable"},
        {AFTER, 1, 8, 2, "2:31 2:32 +archive_unavailable"},
    };
    history_lab_expect_all(rows, COUNT_OF(rows));
    close(fd);
}
int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, history_lab_set_up, history_lab_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(asks_are_bounded_and_dropped_with_the_service),
        TEST(what_cannot_be_answered_is_refused),
        TEST(a_mailbox_that_moves_is_read_where_it_is),
        TEST(a_view_that_fails_is_said_once_the_ask_is_answered),
        TEST(what_is_late_is_answered_by_what_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
