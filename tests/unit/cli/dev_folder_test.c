#include "cli/dev_folder.h"

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

static char folder[] = "/tmp/meridian-cli-test-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int remove_folder(void **state)
{
    (void)state;
    static const char *const files[] = {"lock", "processes", "state/meridian/dev", "state/meridian",
                                        "state"};
    for (size_t i = 0; i < COUNT_OF(files); i++)
        (void)remove(cli_path_of(folder, "%s", files[i]).text);
    return rmdir(folder);
}

static void the_default_follows_the_environment(void **state)
{
    (void)state;
    struct cli_path path;
    struct error_text why;
    setenv("XDG_STATE_HOME", cli_path_of(folder, "state").text, 1);
    assert_int_equal(cli_dev_folder(NULL, &path, &why), 0);
    assert_string_equal(path.text, cli_path_of(folder, "state/meridian/dev").text);
    assert_int_equal(cli_dev_folder(folder, &path, &why), 0);
    assert_string_equal(path.text, folder);
    unsetenv("XDG_STATE_HOME");
    unsetenv("HOME");
    assert_int_equal(cli_dev_folder(NULL, &path, &why), -ENOENT);
}

static void the_lock_tells_who_holds_it(void **state)
{
    (void)state;
    int gone[2];
    char byte = 0;
    assert_int_equal(cli_dev_lock_holder(folder), 0);
    assert_int_equal(pipe(gone), 0);
    pid_t pid = fork();
    if (pid == 0) { /* the holder: lives until it is told otherwise */
        int locked = cli_dev_lock(folder);
        if (write(gone[1], "x", 1) != 1)
            _exit(1);
        if (locked == 0)
            pause();
        _exit(1);
    }
    assert_int_equal(read(gone[0], &byte, 1), 1);
    assert_int_equal(cli_dev_lock_holder(folder), pid);
    assert_int_equal(cli_dev_lock(folder), -EBUSY);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_int_equal(cli_dev_lock_holder(folder), 0);
    close(gone[0]);
    close(gone[1]);
}

static void lists_processes(void **state)
{
    (void)state;
    const struct cli_child children[] = {
        {.kind = CLI_CHILD_NATS,
         .region = "sin",
         .name = "sin-n",
         .pid = 12,
         .address = "a:1",
         .path = "/healthz"},
        {.kind = CLI_CHILD_EDGE,
         .region = "dub",
         .name = "dub-1",
         .address = "b:2",
         .path = "/readyz"},
    };
    struct buffer list = {0};
    struct cli_dev_process process;
    assert_int_equal(cli_dev_write_processes(folder, children, 2), 0);
    assert_int_equal(cli_read_file(cli_path_of(folder, "processes").text, &list), 0);
    struct text rest = buffer_text(&list);
    assert_true(cli_dev_next_process(&rest, &process));
    assert_string_equal(process.kind, "nats");
    assert_string_equal(process.name, "sin-n");
    assert_int_equal(process.pid, 12);
    assert_true(cli_dev_next_process(&rest, &process));
    assert_string_equal(process.region, "dub");
    assert_int_equal(process.pid, 0);
    assert_string_equal(process.path, "/readyz");
    assert_false(cli_dev_next_process(&rest, &process));
    rest = TEXT("half a line");
    assert_false(cli_dev_next_process(&rest, &process));
    buffer_free(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_follows_the_environment),
        cmocka_unit_test(the_lock_tells_who_holds_it),
        cmocka_unit_test(lists_processes),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
