/* meridian-hub: arguments, settings, build, run, stop. */
#include "log/log.h"
#include "loop/loop.h"
#include "region-hub/hub.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct signals {
    struct loop_io io;
    struct loop *loop;
    struct hub *hub; /* NULL: not yet */
};

static void on_signal(struct loop_io *io, uint32_t events)
{
    struct signals *signals = container_of(io, struct signals, io);
    struct signalfd_siginfo info;
    (void)events;
    if (read(io->fd, &info, sizeof info) != sizeof info)
        return;
    if (info.ssi_signo == SIGHUP) {
        if (signals->hub != NULL)
            hub_reload(signals->hub);
        return;
    }
    log_info("stopping", LOG_U64("signal", info.ssi_signo));
    loop_stop(signals->loop);
}

/* Before the first thread: all of them inherit what is blocked. */
static int block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int main(int argc, char **argv)
{
    struct hub_settings settings;
    struct error_text why = {0};
    bool done = false;
    if (hub_settings_from_arguments(argc, argv, &settings, &done, &why) != 0) {
        fprintf(stderr, "meridian-hub: %s\n", why.text);
        return EXIT_FAILURE;
    }
    if (done)
        return EXIT_SUCCESS;
    log_set_name(settings.name);
    log_set_level((enum log_level)settings.log_level);

    struct signals signals = {.io = {.fd = block_signals(), .events = EPOLLIN}};
    signals.io.on_event = on_signal;
    signals.loop = loop_new();
    if (signals.io.fd < 0 || signals.loop == NULL || loop_io_add(signals.loop, &signals.io) != 0) {
        log_error("cannot start");
        return EXIT_FAILURE;
    }
    struct hub *hub = hub_start(signals.loop, &settings, &why);
    if (hub == NULL) {
        log_error("cannot start", LOG_STRING("why", why.text));
        loop_io_remove(signals.loop, &signals.io);
        loop_free(signals.loop);
        return EXIT_FAILURE;
    }
    signals.hub = hub;
    log_info("started", LOG_STRING("region", settings.region),
             LOG_STRING("version", MERIDIAN_VERSION));
    loop_run(signals.loop);
    if (!hub_stop(hub)) {
        log_warning("a shard did not end in time; what it knew is in the log");
        _exit(EXIT_SUCCESS);
    }
    loop_io_remove(signals.loop, &signals.io);
    close(signals.io.fd);
    loop_free(signals.loop);
    settings_free(hub_settings_table, &settings);
    log_info("stopped");
    return EXIT_SUCCESS;
}
