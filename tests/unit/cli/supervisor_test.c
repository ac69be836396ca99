#include "cli/supervisor.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { LONG_MS = 20000 };

static char sleep_path[] = "/bin/sleep", hour[] = "3600", true_path[] = "/bin/true",
            false_path[] = "/bin/false";

static struct cli_child sleeper(enum cli_child_kind kind)
{
    return (struct cli_child){
        .kind = kind, .name = "sleeper", .arguments = {sleep_path, hour}, .log = "/dev/null"};
}

static void starts_again_what_dies(void **state)
{
    (void)state;
    struct cli_child child = sleeper(CLI_CHILD_HUB);
    struct cli_supervisor supervisor;
    assert_int_equal(cli_supervisor_init(&supervisor, &child, 1), 0);
    assert_int_equal(cli_supervisor_start(&supervisor, CLI_CHILD_EDGE), 0);
    assert_int_equal(child.pid, 0); /* it is a hub */
    assert_int_equal(cli_supervisor_start(&supervisor, CLI_CHILD_HUB), 0);
    pid_t first = child.pid;
    assert_true(first > 0);

    kill(first, SIGKILL);
    while (child.deaths == 0)
        cli_supervisor_turn(&supervisor, LONG_MS);
    assert_int_equal(child.pid, 0);
    assert_int_equal(WTERMSIG(child.status), SIGKILL);
    while (child.pid == 0)
        cli_supervisor_turn(&supervisor, LONG_MS);
    assert_true(child.pid != first);

    pid_t second = child.pid;
    cli_supervisor_stop(&supervisor, LONG_MS);
    assert_int_equal(child.pid, 0);
    assert_int_equal(kill(second, 0), -1);
}

static void a_program_that_runs_once_tells_how_it_ended(void **state)
{
    (void)state;
    struct cli_supervisor supervisor;
    assert_int_equal(cli_supervisor_init(&supervisor, NULL, 0), 0);
    assert_int_equal(cli_supervisor_run(&supervisor, (char *[]){true_path, NULL}, "/dev/null"), 0);
    int status = cli_supervisor_run(&supervisor, (char *[]){false_path, NULL}, "/dev/null");
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    cli_supervisor_stop(&supervisor, LONG_MS);
}

static void a_signal_says_stop(void **state)
{
    (void)state;
    struct cli_supervisor supervisor;
    assert_int_equal(cli_supervisor_init(&supervisor, NULL, 0), 0);
    kill(getpid(), SIGTERM);
    cli_supervisor_turn(&supervisor, LONG_MS);
    assert_true(supervisor.told_to_stop);
    assert_int_equal(
        cli_supervisor_run(&supervisor, (char *[]){sleep_path, hour, NULL}, "/dev/null"),
        -ECANCELED);
    cli_supervisor_stop(&supervisor, LONG_MS);
}

/* A supervisor in a process of its own, which tells the child's id and is killed outright. The
 * pipe's last writer is the child; its end is the end of file. */
static void children_die_with_a_killed_supervisor(void **state)
{
    (void)state;
    int told[2];
    pid_t child_pid = 0;
    assert_int_equal(pipe(told), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct cli_child child = sleeper(CLI_CHILD_NATS);
        struct cli_supervisor supervisor;
        close(told[0]);
        if (cli_supervisor_init(&supervisor, &child, 1) < 0 ||
            cli_supervisor_start(&supervisor, CLI_CHILD_NATS) < 0 ||
            write(told[1], &child.pid, sizeof child.pid) != sizeof child.pid)
            _exit(1);
        for (;;)
            cli_supervisor_turn(&supervisor, LONG_MS);
    }
    close(told[1]);
    assert_int_equal(read(told[0], &child_pid, sizeof child_pid), sizeof child_pid);
    assert_int_equal(kill(child_pid, 0), 0);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    char byte;
    assert_int_equal(read(told[0], &byte, 1), 0);
    close(told[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_again_what_dies),
        cmocka_unit_test(a_program_that_runs_once_tells_how_it_ended),
        cmocka_unit_test(a_signal_says_stop),
        cmocka_unit_test(children_die_with_a_killed_supervisor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
