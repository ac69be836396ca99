/* The control socket: lines in, lines out, and its bounds. */
#include "wan/command.h"
#include "wan/control.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

enum { TURN_MS = 5, TURNS_MAX = 1000, LARGE = 4 << 20 };

static struct loop *loop;
static struct wan_control *control;
static char folder[64];
static char path[96];
static size_t answered;

/* "large" is answered with more than a socket takes at once; all else with its size. */
static void answer(void *context, struct text line, struct buffer *out)
{
    (void)context;
    answered++;
    if (text_equal(line, TEXT("large"))) {
        uint8_t *room = buffer_reserve(out, LARGE);
        assert_non_null(room);
        memset(room, 'x', LARGE);
        out->size += LARGE;
    }
    buffer_printf(out, "%zu\n", line.size);
}

static int set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/wan-control-test-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/control", folder);
    loop = loop_new();
    control = wan_control_new(loop, path, answer, NULL, NULL);
    return control == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    wan_control_free(control);
    loop_free(loop);
    return rmdir(folder); /* which says, too, that the socket is gone */
}

static int connect_to(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Turns the loop until `fd` can be read; its bytes, 0 at its end. */
static ssize_t hear(int fd, char *bytes, size_t size)
{
    for (int i = 0; i < TURNS_MAX; i++) {
        assert_int_equal(loop_turn(loop, TURN_MS), 0);
        ssize_t got = recv(fd, bytes, size, MSG_DONTWAIT);
        if (got >= 0)
            return got;
    }
    fail_msg("nothing came");
    return -1;
}

static void assert_heard(int fd, const char *expected)
{
    char bytes[64];
    size_t got = 0;
    while (got < strlen(expected)) {
        ssize_t more = hear(fd, bytes + got, sizeof bytes - got);
        assert_true(more > 0);
        got += (size_t)more;
    }
    assert_int_equal(got, strlen(expected));
    assert_memory_equal(bytes, expected, got);
}

static void assert_closed(int fd)
{
    char byte;
    assert_int_equal(hear(fd, &byte, 1), 0);
}

static void answers_each_line_in_order(void **state)
{
    (void)state;
    int fd = connect_to();
    say(fd, "a\nbb\n\nc");
    assert_heard(fd, "1\n2\n0\n");
    say(fd, "cc\n");
    assert_heard(fd, "3\n");
    close(fd);
}

static void answers_nobody_before_it_has_read_the_answer_before(void **state)
{
    (void)state;
    static char bytes[LARGE];
    int fd = connect_to();
    say(fd, "large\nafter\n");
    answered = 0;
    for (int i = 0; i < TURNS_MAX && answered == 0; i++)
        assert_int_equal(loop_turn(loop, TURN_MS), 0);
    assert_int_equal(loop_turn(loop, 0), 0);
    assert_int_equal(answered, 1);
    size_t got = 0, more;
    for (; got < LARGE + 4; got += more) {
        more = (size_t)hear(fd, bytes, sizeof bytes);
        assert_true(more > 0);
    }
    assert_int_equal(got, LARGE + 4);
    close(fd);
}

static void takes_the_longest_line_and_closes_after_a_longer_one(void **state)
{
    (void)state;
    char line[WAN_COMMAND_MAX_BYTES + 2];
    int fd = connect_to();
    memset(line, 'x', sizeof line);
    line[WAN_COMMAND_MAX_BYTES] = '\n';
    line[WAN_COMMAND_MAX_BYTES + 1] = '\0';
    say(fd, line);
    assert_heard(fd, "1024\n");
    line[WAN_COMMAND_MAX_BYTES] = 'x';
    say(fd, line);
    assert_heard(fd, "1025\n");
    assert_closed(fd);
    close(fd);
}

static void takes_as_many_peers_as_it_may_and_closes_one_more(void **state)
{
    (void)state;
    int fds[WAN_CONTROL_PEERS_MAX];
    for (size_t i = 0; i < WAN_CONTROL_PEERS_MAX; i++) {
        fds[i] = connect_to();
        say(fds[i], "x\n");
        assert_heard(fds[i], "1\n");
    }
    int more = connect_to();
    assert_closed(more);
    close(more);
    close(fds[0]);
    assert_int_equal(loop_turn(loop, TURN_MS), 0);
    fds[0] = connect_to();
    say(fds[0], "again\n");
    assert_heard(fds[0], "5\n");
    for (size_t i = 0; i < WAN_CONTROL_PEERS_MAX; i++)
        close(fds[i]);
}

static void replaces_a_socket_that_was_left_and_no_other_file(void **state)
{
    (void)state;
    struct error_text why = {{0}};
    char other[96], refusal[192];
    assert_null(wan_control_new(loop, path, answer, NULL, &why)); /* somebody listens there */
    snprintf(other, sizeof other, "%s/left", folder);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, other);
    int left = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(left, (const struct sockaddr *)&address, sizeof address), 0);
    close(left);
    struct wan_control *second = wan_control_new(loop, other, answer, NULL, &why);
    assert_non_null(second);
    struct stat status;
    assert_int_equal(lstat(other, &status), 0);
    assert_int_equal(status.st_mode & 077, 0);
    wan_control_free(second);
    FILE *file = fopen(other, "w");
    assert_non_null(file);
    fclose(file);
    assert_null(wan_control_new(loop, other, answer, NULL, &why));
    snprintf(refusal, sizeof refusal, "cannot listen at '%s': Address already in use", other);
    assert_string_equal(why.text, refusal);
    assert_int_equal(unlink(other), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(answers_each_line_in_order),
        TEST(answers_nobody_before_it_has_read_the_answer_before),
        TEST(takes_the_longest_line_and_closes_after_a_longer_one),
        TEST(takes_as_many_peers_as_it_may_and_closes_one_more),
        TEST(replaces_a_socket_that_was_left_and_no_other_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
