#include "edge/edge_parent.h"

#include "base/clock.h"
#include "edge/edge_processes.h"
#include "edge/edge_siblings.h"
#include "log/log.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { REST_MS = 60000 }; /* when nothing is to be started */

struct edge_parent {
    const struct edge_settings *settings;
    const struct catalogue *catalogue;
    const struct catalogue_edge *edge;
    struct edge_siblings *siblings;
    struct edge_processes processes;
    pid_t pids[CATALOGUE_PROCESSES_MAX];
    sigset_t signals; /* those it waits for */
    sigset_t before;
};

static struct catalogue_process process_of(const struct edge_parent *parent, uint32_t at)
{
    return catalogue_process(parent->edge, at + 1);
}

/* In the child. */

/* To hubs and to NATS one of a name is one edge: none may outlive its parent, whose next one starts
 * others of the same names. What a terminal sends goes to the parent alone, which passes it on. */
static void leave_parent(const struct edge_parent *parent, pid_t parent_pid)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent_pid)
        _exit(EXIT_FAILURE); /* it ended before the line above */
    (void)setpgid(0, 0);
    (void)sigprocmask(SIG_SETMASK, &parent->before, NULL);
}

static int work(const struct edge_parent *parent, uint32_t at)
{
    struct edge_settings settings = *parent->settings;
    struct error_text why = {0};
    struct catalogue_process process = process_of(parent, at);
    (void)!text_put(settings.name, sizeof settings.name, text_of(process.name));
    log_set_name(settings.name);
    struct edge *edge = edge_new(&settings, parent->catalogue, parent->siblings, &why);
    if (edge == NULL) {
        log_error("the process cannot start",
                  LOG_STRING("reason", why.text[0] == '\0' ? "memory is short" : why.text));
        return EXIT_FAILURE;
    }
    edge_run(edge);
    edge_free(edge);
    return EXIT_SUCCESS;
}

/* In the parent. */

static void say_ended(const struct edge_parent *parent, uint32_t at, int status, int64_t wait_ms)
{
    struct catalogue_process process = process_of(parent, at);
    bool killed = WIFSIGNALED(status);
    if (parent->processes.stopping)
        return;
    log_error("a process ended and is started again", LOG_STRING("process", process.name),
              LOG_STRING("how", killed ? strsignal(WTERMSIG(status)) : "exit"),
              LOG_I64("code", killed ? WTERMSIG(status) : WEXITSTATUS(status)),
              LOG_I64("in_ms", wait_ms), LOG_U64("restarts", parent->processes.restarts));
}

static void start(struct edge_parent *parent, uint32_t at)
{
    pid_t parent_pid = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        leave_parent(parent, parent_pid);
        exit(work(parent, at));
    }
    int64_t now_ms = clock_monotonic_ms();
    if (pid > 0) {
        struct catalogue_process process = process_of(parent, at);
        parent->pids[at] = pid;
        edge_processes_started(&parent->processes, at, now_ms);
        log_info("a process is started", LOG_STRING("process", process.name), LOG_I64("pid", pid));
    } else {
        int err = -errno;
        log_error("a process cannot be started", LOG_ERRNO(err),
                  LOG_I64("again_in_ms", edge_processes_ended(&parent->processes, at, now_ms)));
    }
}

static void start_due(struct edge_parent *parent)
{
    uint32_t at;
    while (edge_processes_next(&parent->processes, clock_monotonic_ms(), &at) == 0)
        start(parent, at);
}

static void gather_ended(struct edge_parent *parent)
{
    int status;
    for (uint32_t at = 0; at < parent->processes.count; at++) {
        if (!parent->processes.each[at].runs ||
            waitpid(parent->pids[at], &status, WNOHANG) != parent->pids[at])
            continue;
        edge_siblings_say(parent->siblings, at + 1, false);
        int64_t wait_ms = edge_processes_ended(&parent->processes, at, clock_monotonic_ms());
        say_ended(parent, at, status, wait_ms);
    }
}

static void pass_on(const struct edge_parent *parent, int number)
{
    for (uint32_t at = 0; at < parent->processes.count; at++)
        if (parent->processes.each[at].runs)
            (void)kill(parent->pids[at], number);
}

static void take_signal(struct edge_parent *parent, int number)
{
    if (number == SIGCHLD || number < 0)
        return;
    if (number != SIGHUP) {
        edge_processes_stop(&parent->processes);
        log_info("stopping", LOG_U64("restarts", parent->processes.restarts));
    }
    pass_on(parent, number == SIGINT ? SIGTERM : number);
}

static void wait_for_signal(struct edge_parent *parent)
{
    int64_t ms = edge_processes_wait_ms(&parent->processes, clock_monotonic_ms(), REST_MS);
    struct timespec most = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    take_signal(parent, sigtimedwait(&parent->signals, NULL, &most));
}

static int block_signals(struct edge_parent *parent)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
    sigemptyset(&parent->signals);
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        sigaddset(&parent->signals, numbers[i]);
    return sigprocmask(SIG_BLOCK, &parent->signals, &parent->before) == 0 ? 0 : -errno;
}

int edge_parent_run(const struct edge_settings *settings, const struct catalogue *catalogue,
                    uint32_t count, struct error_text *reterr_why)
{
    struct edge_parent parent = {.settings = settings, .catalogue = catalogue};
    int err = block_signals(&parent);
    parent.edge = catalogue_edge(catalogue, text_of(settings->name), NULL);
    assert(parent.edge != NULL && count <= parent.edge->processes); /* edge_settings_fit() */
    parent.siblings = edge_siblings_new(count);
    if (err != 0 || parent.siblings == NULL) {
        edge_siblings_free(parent.siblings);
        return error_text_set(reterr_why, err == 0 ? -ENOMEM : err, "signals or memory: %s",
                              strerror(err == 0 ? ENOMEM : -err));
    }
    edge_processes_init(&parent.processes, count, clock_monotonic_ms());
    log_info("starting processes", LOG_U64("count", count));
    while (!edge_processes_are_done(&parent.processes)) {
        start_due(&parent);
        wait_for_signal(&parent);
        gather_ended(&parent);
    }
    edge_siblings_free(parent.siblings);
    log_info("stopped");
    return 0;
}
