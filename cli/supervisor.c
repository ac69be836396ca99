#include "cli/supervisor.h"

#include "base/clock.h"
#include "log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

const char *cli_child_kind_name(enum cli_child_kind kind)
{
    static const char *const names[] = {
        [CLI_CHILD_NATS] = "nats", [CLI_CHILD_HUB] = "hub", [CLI_CHILD_EDGE] = "edge"};
    return names[kind];
}

int cli_supervisor_init(struct cli_supervisor *supervisor, struct cli_child *children, size_t count)
{
    sigset_t taken;

    sigemptyset(&taken);
    sigaddset(&taken, SIGCHLD);
    sigaddset(&taken, SIGTERM);
    sigaddset(&taken, SIGINT);
    sigaddset(&taken, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &taken, NULL) < 0)
        return -errno;
    int fd = signalfd(-1, &taken, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    *supervisor = (struct cli_supervisor){.children = children, .count = count, .signals = fd};
    return 0;
}

/* In the child: becomes the program, or ends. */
_Noreturn static void become(char *const *arguments, int log, pid_t parent)
{
    sigset_t none;
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);

    /* The parent may have died before the kernel was told to take us along. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
        _exit(126);
    /* A group of its own: a ^C at the terminal is for the supervisor, who stops all in order. */
    setpgid(0, 0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 || dup2(log, STDOUT_FILENO) < 0 ||
        dup2(log, STDERR_FILENO) < 0)
        _exit(126);
    execv(arguments[0], arguments);
    dprintf(STDERR_FILENO, "cannot run %s: %s\n", arguments[0], strerror(errno));
    _exit(127);
}

/* The process id, or -errno. */
static pid_t spawn(char *const *arguments, const char *log_path)
{
    pid_t parent = getpid();
    int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

    if (log < 0)
        return -errno;
    pid_t pid = fork();
    if (pid == 0)
        become(arguments, log, parent);
    int err = errno;
    close(log);
    return pid < 0 ? -err : pid;
}

static void changed(struct cli_supervisor *supervisor)
{
    if (supervisor->on_change != NULL)
        supervisor->on_change(supervisor->context);
}

static int start(struct cli_supervisor *supervisor, struct cli_child *child)
{
    pid_t pid = spawn(child->arguments, child->log);

    child->restart_ms = 0;
    if (pid < 0) {
        log_error("cannot start a process", LOG_STRING("name", child->name), LOG_ERRNO(pid));
        child->restart_ms = clock_monotonic_ms() + CLI_RESTART_MS;
        return pid;
    }
    child->pid = pid;
    log_info("started", LOG_STRING("name", child->name), LOG_I64("pid", pid));
    changed(supervisor);
    return 0;
}

int cli_supervisor_start(struct cli_supervisor *supervisor, enum cli_child_kind kind)
{
    int err = 0;

    while (err == 0 && supervisor->started < supervisor->count &&
           supervisor->children[supervisor->started].kind == kind)
        err = start(supervisor, &supervisor->children[supervisor->started++]);
    return err;
}

static void bury(struct cli_supervisor *supervisor, struct cli_child *child, int status)
{
    child->pid = 0;
    child->ready = false;
    child->status = status;
    child->deaths++;
    if (!supervisor->told_to_stop) {
        child->restart_ms = clock_monotonic_ms() + CLI_RESTART_MS;
        log_warning("a process has ended and is started again", LOG_STRING("name", child->name),
                    LOG_I64("exit", WIFEXITED(status) ? WEXITSTATUS(status) : -1),
                    LOG_I64("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0));
    }
    changed(supervisor);
}

/* Only its own children: what cli_supervisor_run() started is waited for there. */
static void reap(struct cli_supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->started; i++) {
        struct cli_child *child = &supervisor->children[i];
        int status;
        if (child->pid != 0 && waitpid(child->pid, &status, WNOHANG) == child->pid)
            bury(supervisor, child, status);
    }
}

static void read_signals(struct cli_supervisor *supervisor)
{
    struct signalfd_siginfo signal;

    while (read(supervisor->signals, &signal, sizeof signal) == sizeof signal) {
        if (signal.ssi_signo != SIGCHLD)
            supervisor->told_to_stop = true;
    }
    reap(supervisor);
}

/* Starts again what is due, and shortens the wait to what is due next; none after a start. */
static void start_due(struct cli_supervisor *supervisor, int64_t *wait_ms)
{
    int64_t now_ms = clock_monotonic_ms();

    for (size_t i = 0; i < supervisor->started; i++) {
        struct cli_child *child = &supervisor->children[i];
        if (child->restart_ms == 0 || supervisor->told_to_stop)
            continue;
        int64_t left = child->restart_ms - now_ms;
        if (left <= 0)
            (void)start(supervisor, child);
        if (*wait_ms < 0 || left < *wait_ms)
            *wait_ms = left < 0 ? 0 : left;
    }
}

void cli_supervisor_turn(struct cli_supervisor *supervisor, int64_t wait_ms)
{
    struct pollfd watched = {.fd = supervisor->signals, .events = POLLIN};

    start_due(supervisor, &wait_ms);
    if (poll(&watched, 1, (int)wait_ms) > 0)
        read_signals(supervisor);
}

int cli_supervisor_run(struct cli_supervisor *supervisor, char *const *arguments, const char *log)
{
    pid_t pid = spawn(arguments, log);
    int status = 0;

    if (pid < 0)
        return pid;
    while (waitpid(pid, &status, WNOHANG) != pid) {
        if (supervisor->told_to_stop) {
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
            return -ECANCELED;
        }
        cli_supervisor_turn(supervisor, 100);
    }
    return status;
}

static size_t running(const struct cli_supervisor *supervisor, enum cli_child_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < supervisor->started; i++)
        count += supervisor->children[i].kind == kind && supervisor->children[i].pid != 0;
    return count;
}

static void signal_all(const struct cli_supervisor *supervisor, enum cli_child_kind kind,
                       int number)
{
    for (size_t i = 0; i < supervisor->started; i++) {
        const struct cli_child *child = &supervisor->children[i];
        if (child->kind == kind && child->pid != 0)
            kill(child->pid, number);
    }
}

static void stop_kind(struct cli_supervisor *supervisor, enum cli_child_kind kind, int64_t grace_ms)
{
    int64_t until_ms = clock_monotonic_ms() + grace_ms;
    bool patient = true;

    signal_all(supervisor, kind, SIGTERM);
    while (running(supervisor, kind) > 0) {
        if (patient && clock_monotonic_ms() >= until_ms) {
            patient = false;
            log_warning("killing what does not stop",
                        LOG_STRING("kind", cli_child_kind_name(kind)));
            signal_all(supervisor, kind, SIGKILL);
        }
        cli_supervisor_turn(supervisor, 50);
        reap(supervisor);
    }
}

void cli_supervisor_stop(struct cli_supervisor *supervisor, int64_t grace_ms)
{
    supervisor->told_to_stop = true;
    stop_kind(supervisor, CLI_CHILD_EDGE, grace_ms);
    stop_kind(supervisor, CLI_CHILD_HUB, grace_ms);
    stop_kind(supervisor, CLI_CHILD_NATS, grace_ms);
    close(supervisor->signals);
}
