/* Holds child processes: starts them, starts them again when they die, and takes them along when it
 * ends, in whatever way it ends. Single-threaded; one per process, since signals are. */
#pragma once

#include "base/error_text.h"
#include "base/macros.h"
#include "base/text.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { CLI_CHILD_ARGUMENTS_MAX = 15, CLI_RESTART_MS = 500 };

/* In the order in which they start; they stop in the opposite one. */
enum cli_child_kind { CLI_CHILD_NATS, CLI_CHILD_HUB, CLI_CHILD_EDGE };
const char *cli_child_kind_name(enum cli_child_kind kind);

struct cli_child {
    enum cli_child_kind kind;
    const char *name; /* borrowed, as all strings here */
    const char *region;
    const char *address; /* where it is asked whether it is ready */
    const char *path;
    char *arguments[CLI_CHILD_ARGUMENTS_MAX + 1]; /* owned, the first one is the program */
    char log[PATH_MAX];
    pid_t pid;          /* 0: not running */
    int64_t restart_ms; /* when it is to be started again; 0: not */
    unsigned deaths;
    int status; /* of the last death, as waitpid() tells it */
    bool ready;
};

struct cli_supervisor {
    struct cli_child *children;
    size_t count;
    size_t started; /* of the array's front: the others were never started */
    int signals;    /* a signalfd */
    bool told_to_stop;
    /* After every start and death. */
    void (*on_change)(void *context);
    void *context;
};

/* Takes over SIGCHLD, SIGTERM, SIGINT and SIGHUP of this process. -errno. */
MUST_USE int cli_supervisor_init(struct cli_supervisor *supervisor, struct cli_child *children,
                                 size_t count);
/* Starts the children of a kind; they must come next in the array. -errno. */
MUST_USE int cli_supervisor_start(struct cli_supervisor *supervisor, enum cli_child_kind kind);
/* Runs a program once, its output into `log`; returns what waitpid() says, or -errno. Serves the
 * children meanwhile. -ECANCELED when it was told to stop; the program is then killed. */
MUST_USE int cli_supervisor_run(struct cli_supervisor *supervisor, char *const *arguments,
                                const char *log);
/* Waits at most `wait_ms` (-1: for ever), handles signals, starts again what is due. */
void cli_supervisor_turn(struct cli_supervisor *supervisor, int64_t wait_ms);
/* Stops all: SIGTERM to edges, then hubs, then NATS servers; SIGKILL to what takes longer than
 * `grace_ms`. All are reaped when it returns. */
void cli_supervisor_stop(struct cli_supervisor *supervisor, int64_t grace_ms);
