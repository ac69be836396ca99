#include "cli/dev_run.h"

#include "base/clock.h"
#include "cli/http.h"
#include "log/log.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READY_MS = 60000, PROBE_MS = 500, LOOK_MS = 100, GRACE_MS = 5000, TAIL_BYTES = 400 };

struct run {
    struct cli_supervisor supervisor;
    const struct cli_programs *programs;
    const char *folder;
    int report; /* -1: closed */
};

static void tell(struct run *run, const char *format, ...) PRINTF_LIKE(2, 3);

/* One line, which may be longer than PIPE_BUF only by a log's tail. */
static void tell(struct run *run, const char *format, ...)
{
    va_list arguments;

    if (run->report < 0)
        return;
    va_start(arguments, format);
    if (vdprintf(run->report, format, arguments) < 0)
        run->supervisor.told_to_stop = true; /* nobody waits for us any more */
    va_end(arguments);
}

/* True when whoever started us has gone. */
static bool is_alone(const struct run *run)
{
    struct pollfd reader = {.fd = run->report, .events = 0};
    return run->report >= 0 && poll(&reader, 1, 0) > 0 && (reader.revents & POLLERR) != 0;
}

static void on_change(void *context)
{
    const struct run *run = context;
    int err = cli_dev_write_processes(run->folder, run->supervisor.children, run->supervisor.count);
    if (err < 0)
        log_error("cannot write the list of processes", LOG_ERRNO(err));
}

/* The end of a log, on one line, for the reader who has not seen it. */
static void read_tail(const char *log, char ret_tail[TAIL_BYTES + 1])
{
    struct buffer content = {0};
    size_t size = 0;

    if (cli_read_file(log, &content) == 0 && content.size > 0) {
        size = content.size < TAIL_BYTES ? content.size : TAIL_BYTES;
        memcpy(ret_tail, content.data + content.size - size, size);
    }
    while (size > 0 && ret_tail[size - 1] == '\n')
        size--;
    ret_tail[size] = '\0';
    char *last = strrchr(ret_tail, '\n');
    if (last != NULL)
        memmove(ret_tail, last + 1, strlen(last + 1) + 1);
    buffer_free(&content);
}

static int tell_death(struct run *run, const struct cli_child *child)
{
    char tail[TAIL_BYTES + 1];
    int status = child->status;

    read_tail(child->log, tail);
    tell(run, "!%s ended before it was ready (%s %d); %s ends with: %s\n", child->name,
         WIFSIGNALED(status) ? "signal" : "exit code",
         WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), child->log, tail);
    return -ECHILD;
}

/* How many of a kind are not ready yet; -ECHILD when one has ended instead. */
static int look(struct run *run, enum cli_child_kind kind, const struct cli_child **ret_waiting)
{
    int waiting = 0;

    for (size_t i = 0; i < run->supervisor.started; i++) {
        struct cli_child *child = &run->supervisor.children[i];
        if (child->kind != kind || child->ready)
            continue;
        if (child->deaths > 0)
            return tell_death(run, child);
        child->ready = cli_http_get(child->address, child->path, PROBE_MS, NULL) == 200;
        if (!child->ready) {
            waiting++;
            *ret_waiting = child;
        }
    }
    return waiting;
}

static int wait_ready(struct run *run, enum cli_child_kind kind)
{
    int64_t until_ms = clock_monotonic_ms() + READY_MS;
    const struct cli_child *waiting = NULL;

    for (;;) {
        int left = look(run, kind, &waiting);
        if (left <= 0)
            return left;
        if (is_alone(run))
            run->supervisor.told_to_stop = true;
        if (run->supervisor.told_to_stop)
            return -ECANCELED;
        if (clock_monotonic_ms() >= until_ms) {
            tell(run, "!%s is not ready after %d s: http://%s%s says why, and %s\n", waiting->name,
                 READY_MS / 1000, waiting->address, waiting->path, waiting->log);
            return -ETIMEDOUT;
        }
        cli_supervisor_turn(&run->supervisor, LOOK_MS);
    }
}

static int bring_up(struct run *run, enum cli_child_kind kind, const char *what)
{
    int err = cli_supervisor_start(&run->supervisor, kind);

    tell(run, "+starting %s\n", what);
    if (err < 0) {
        tell(run, "!cannot start %s: %s\n", what, strerror(-err));
        return err;
    }
    return wait_ready(run, kind);
}

static int provision(struct run *run)
{
    struct cli_path catalogue = cli_path_of(run->folder, "catalogue.yaml");
    struct cli_path log = cli_path_of(run->folder, "log/provision.log");
    char meridian[PATH_MAX], command[] = "provision", option[] = "--catalogue",
                             tail[TAIL_BYTES + 1];
    char *const arguments[] = {meridian, command, option, catalogue.text, NULL};

    snprintf(meridian, sizeof meridian, "%s", run->programs->meridian.text);
    tell(run, "+provisioning\n");
    int status = cli_supervisor_run(&run->supervisor, arguments, log.text);
    if (status == 0)
        return 0;
    if (status == -ECANCELED)
        return status;
    read_tail(log.text, tail);
    tell(run, "!cannot provision, see %s: %s\n", log.text, status < 0 ? strerror(-status) : tail);
    return status < 0 ? status : -EIO;
}

static int bring_all_up(struct run *run)
{
    int err = bring_up(run, CLI_CHILD_NATS, "NATS servers");
    if (err == 0)
        err = provision(run);
    if (err == 0)
        err = bring_up(run, CLI_CHILD_HUB, "hubs");
    if (err == 0)
        err = bring_up(run, CLI_CHILD_EDGE, "edges");
    return err;
}

static void close_report(struct run *run)
{
    if (run->report >= 0)
        close(run->report);
    run->report = -1;
}

static int hold(struct run *run)
{
    int err = bring_all_up(run);

    if (err == 0) {
        log_info("all processes are ready");
        tell(run, ".\n");
    }
    close_report(run);
    while (err == 0 && !run->supervisor.told_to_stop)
        cli_supervisor_turn(&run->supervisor, -1);
    log_info("stopping");
    cli_supervisor_stop(&run->supervisor, GRACE_MS);
    log_info("stopped");
    return err;
}

int cli_dev_run(const struct catalogue *catalogue, const struct cli_programs *programs,
                const char *folder, int report)
{
    struct run run = {.programs = programs, .folder = folder, .report = report};
    struct cli_child *children = NULL;
    size_t count = 0;

    signal(SIGPIPE, SIG_IGN);
    log_set_name("supervisor");
    int err = cli_dev_lock(folder);
    if (err == 0)
        err = cli_children_new(catalogue, programs, folder, &children, &count);
    if (err == 0)
        err = cli_supervisor_init(&run.supervisor, children, count);
    if (err < 0) {
        tell(&run, "!%s\n", err == -EBUSY ? "it is being brought up already" : strerror(-err));
        close_report(&run);
    } else {
        run.supervisor.on_change = on_change;
        run.supervisor.context = &run;
        err = hold(&run);
    }
    cli_children_free(children, count);
    return err;
}
