#include "cli/dev.h"

#include "base/clock.h"
#include "cli/beats.h"
#include "cli/catalogue_choice.h"
#include "cli/dev_prepare.h"
#include "cli/dev_run.h"
#include "cli/http.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { DOWN_MS = 30000, LOOK_MS = 50, PROBE_MS = 1000 };

static void print_addresses(const struct catalogue *catalogue)
{
    for (size_t r = 0; r < catalogue->region_count; r++) {
        for (size_t i = 0; i < catalogue->regions[r].edge_count; i++)
            printf("http://%s\n", catalogue->regions[r].edges[i].listen);
    }
    fflush(stdout);
}

/* Passes on what the supervisor reports. True when all is ready. */
static bool follow_report(int report, const struct catalogue *catalogue)
{
    FILE *lines = fdopen(report, "re");
    char line[2048];
    bool ready = false;

    while (lines != NULL && fgets(line, sizeof line, lines) != NULL) {
        if (line[0] == '+')
            fprintf(stderr, "%s", line + 1);
        else if (line[0] == '.')
            ready = true;
        else
            fprintf(stderr, "meridian dev up: %s", line + (line[0] == '!'));
    }
    if (lines != NULL)
        fclose(lines);
    if (ready)
        print_addresses(catalogue);
    return ready;
}

/* The supervisor's own process: no terminal, no folder that could not be unmounted, its own log. */
static int become_supervisor(const struct cli_dev *dev, int report)
{
    struct cli_path path = cli_path_of(dev->folder.text, "log/supervisor.log");
    int log = open(path.text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (setsid() < 0 || chdir("/") < 0 || log < 0 || nothing < 0 ||
        dup2(nothing, STDIN_FILENO) < 0 || dup2(nothing, STDOUT_FILENO) < 0 ||
        dup2(log, STDERR_FILENO) < 0)
        return CLI_FAILED;
    return cli_dev_run(dev->catalogue, &dev->programs, dev->folder.text, report) < 0 ? CLI_FAILED
                                                                                     : CLI_OK;
}

static int run_behind(const struct cli_dev *dev)
{
    int report[2];

    if (pipe2(report, O_CLOEXEC) < 0) {
        fprintf(stderr, "meridian dev up: %s\n", strerror(errno));
        return CLI_FAILED;
    }
    pid_t pid = fork();
    if (pid == 0) {
        close(report[0]);
        _exit(become_supervisor(dev, report[1]));
    }
    close(report[1]);
    bool ready = pid > 0 && follow_report(report[0], dev->catalogue);
    if (!ready && pid > 0)
        waitpid(pid, NULL, 0); /* what it had started is gone as well then */
    return ready ? CLI_OK : CLI_FAILED;
}

/* The report is followed by a child, so that both ways have one form. */
static int run_before(const struct cli_dev *dev)
{
    int report[2];

    if (pipe2(report, O_CLOEXEC) < 0)
        return CLI_FAILED;
    pid_t pid = fork();
    if (pid == 0) {
        close(report[1]);
        signal(SIGINT, SIG_IGN);
        _exit(follow_report(report[0], dev->catalogue) ? CLI_OK : CLI_FAILED);
    }
    close(report[0]);
    int err =
        pid < 0 ? -errno : cli_dev_run(dev->catalogue, &dev->programs, dev->folder.text, report[1]);
    if (pid > 0)
        waitpid(pid, NULL, 0);
    return err < 0 ? CLI_FAILED : CLI_OK;
}

/* Absolute, for the edges run in another folder. */
static int choose_edge_config(struct cli_dev *dev, const char *path, struct error_text *reterr_why)
{
    if (path == NULL || realpath(path, dev->programs.edge_config.text) != NULL)
        return 0;
    return error_text_set(reterr_why, -errno, "%s: %s", path, strerror(errno));
}

int cli_dev_up(const struct cli_arguments *arguments)
{
    struct error_text why = {0};
    struct cli_dev dev = {0};
    int code = CLI_FAILED;

    if (cli_dev_prepare(&dev, cli_value_or(arguments, "config", CLI_CATALOGUE_DEFAULT),
                        cli_value(arguments, "data"), &why) < 0 ||
        choose_edge_config(&dev, cli_value(arguments, "edge-config"), &why) < 0)
        fprintf(stderr, "meridian dev up: %s\n", why.text);
    else
        code = cli_flag(arguments, "foreground") ? run_before(&dev) : run_behind(&dev);
    cli_dev_done(&dev);
    return code;
}

/* Those of the list that still run. A process id is not used again within seconds. */
static size_t count_alive(struct text list)
{
    struct cli_dev_process process;
    size_t alive = 0;

    while (cli_dev_next_process(&list, &process))
        alive += process.pid > 0 && kill((pid_t)process.pid, 0) == 0;
    return alive;
}

/* True when supervisor and children are gone. */
static bool wait_gone(const char *folder, struct text list, int64_t wait_ms)
{
    int64_t until_ms = clock_monotonic_ms() + wait_ms;
    struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};

    while (cli_dev_lock_holder(folder) != 0 || count_alive(list) > 0) {
        if (clock_monotonic_ms() >= until_ms)
            return false;
        nanosleep(&pause, NULL);
    }
    return true;
}

int cli_dev_down(const struct cli_arguments *arguments)
{
    struct error_text why = {0};
    struct cli_path folder;
    struct buffer list = {0};

    if (cli_dev_folder(cli_value(arguments, "data"), &folder, &why) < 0) {
        fprintf(stderr, "meridian dev down: %s\n", why.text);
        return CLI_FAILED;
    }
    pid_t holder = cli_dev_lock_holder(folder.text);
    if (holder == 0) {
        printf("nothing is up in %s\n", folder.text);
        return CLI_OK;
    }
    if (cli_read_file(cli_path_of(folder.text, "processes").text, &list) < 0)
        buffer_clear(&list);
    kill(holder, SIGTERM);
    bool gone = wait_gone(folder.text, buffer_text(&list), DOWN_MS);
    if (!gone) { /* the children go with it */
        kill(holder, SIGKILL);
        gone = wait_gone(folder.text, buffer_text(&list), DOWN_MS);
    }
    buffer_free(&list);
    printf(gone ? "all processes are gone\n" : "some processes are still there\n");
    return gone ? CLI_OK : CLI_FAILED;
}

static bool print_processes(struct text list)
{
    struct cli_dev_process process;
    bool all_ready = true;

    printf("%-8s %-16s %-5s %8s  %-9s %s\n", "region", "process", "kind", "pid", "state",
           "address");
    while (cli_dev_next_process(&list, &process)) {
        bool alive = process.pid > 0 && kill((pid_t)process.pid, 0) == 0;
        int status = alive ? cli_http_get(process.address, process.path, PROBE_MS, NULL) : 0;
        const char *state = !alive ? "down" : status == 200 ? "ready" : "not ready";
        printf("%-8s %-16s %-5s %8ld  %-9s %s\n", process.region, process.name, process.kind,
               process.pid, state, process.address);
        all_ready = all_ready && status == 200;
    }
    return all_ready;
}

int cli_dev_status(const struct cli_arguments *arguments)
{
    struct error_text why = {0};
    struct cli_path folder;
    struct buffer list = {0};
    struct catalogue *catalogue = NULL;
    bool good = false;

    int err = cli_dev_folder(cli_value(arguments, "data"), &folder, &why);
    pid_t holder = err == 0 ? cli_dev_lock_holder(folder.text) : 0;
    if (err == 0 && holder == 0)
        err = error_text_set(&why, -ESRCH, "nothing is up in %s", folder.text);
    if (err == 0 && (catalogue = catalogue_load_file(
                         cli_path_of(folder.text, "catalogue.yaml").text, &why)) == NULL)
        err = -EINVAL;
    if (err == 0)
        err = cli_read_file(cli_path_of(folder.text, "processes").text, &list);
    if (err == 0) {
        printf("supervisor %ld, data in %s\n\n", (long)holder, folder.text);
        good = print_processes(buffer_text(&list));
        printf("\n");
        err = cli_beats_print(catalogue, &why);
    }
    if (err < 0)
        fprintf(stderr, "meridian dev status: %s\n", why.text[0] ? why.text : strerror(-err));
    buffer_free(&list);
    catalogue_free(catalogue);
    return err == 0 && good ? CLI_OK : CLI_FAILED;
}
