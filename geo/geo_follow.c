#include "geo/geo_follow.h"

#include "base/macros.h"
#include "geo/geo_admin_state.h"
#include "geo/geo_render.h"
#include "geo/geo_watch.h"
#include "log/log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { TICK_MS = 200 }; /* gdnsd itself takes two seconds until it believes the file */
#define FILE_NAME "admin_state"

struct follow {
    const struct catalogue *catalogue;
    const char *state_dir;
    struct geo_watch watch;
    struct loop_timer tick;
    struct loop_io signals;
    bool down[CATALOGUE_REGIONS_MAX]; /* as it was written last */
    bool written;
};

/* As it is; empty when it is not there. */
static int read_file(const struct follow *follow, struct buffer *out)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/" FILE_NAME, follow->state_dir);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return errno == ENOENT ? 0 : -errno;
    uint8_t *room = buffer_reserve(out, GEO_ADMIN_STATE_MAX + 1);
    size_t size = room == NULL ? 0 : fread(room, 1, GEO_ADMIN_STATE_MAX + 1, file);
    int err = room == NULL                 ? -ENOMEM
              : ferror(file)               ? -EIO
              : size > GEO_ADMIN_STATE_MAX ? -EFBIG
                                           : 0;
    out->size = err == 0 ? size : 0;
    fclose(file);
    return err;
}

static void say(const struct follow *follow, const bool down[])
{
    for (size_t i = 0; i < follow->catalogue->region_count; i++) {
        const struct geo_region_state *state = &regions_states(follow->watch.regions)[i];
        const char *why = state->drain  ? "draining"
                          : state->full ? "full"
                                        : "drain of the catalogue";
        if (down[i] && !follow->down[i])
            log_info("name servers answer without a region",
                     LOG_STRING("region", follow->catalogue->regions[i].name),
                     LOG_STRING("reason", why));
        else if (!down[i] && follow->down[i])
            log_info("name servers answer with a region again",
                     LOG_STRING("region", follow->catalogue->regions[i].name));
    }
}

/* Also when nothing has changed: somebody may have written over it. */
static void write_file(struct follow *follow)
{
    static struct log_limit limit;
    struct buffer before = {0}, after = {0};
    struct error_text why = {0};
    bool down[CATALOGUE_REGIONS_MAX];
    geo_admin_state_choose(follow->catalogue, regions_states(follow->watch.regions), down);
    int err = read_file(follow, &before);
    if (err != 0)
        error_text_set(&why, err, FILE_NAME ": %s", strerror(-err));
    geo_admin_state_write(follow->catalogue, down, buffer_text(&before), &after);
    if (err == 0 && after.failed)
        err = error_text_set(&why, -ENOMEM, "memory is short");
    if (err == 0 && !text_equal(buffer_text(&before), buffer_text(&after)))
        err = geo_render_put_file(follow->state_dir, FILE_NAME, &after, &why);
    buffer_free(&before);
    buffer_free(&after);
    if (err != 0) {
        log_limited(&limit, LOG_LEVEL_ERROR, "the name server cannot be told",
                    LOG_STRING("reason", why.text));
        return;
    }
    say(follow, down);
    memcpy(follow->down, down, sizeof follow->down);
}

static void on_tick(struct loop_timer *timer)
{
    struct follow *follow = container_of(timer, struct follow, tick);
    static struct log_limit limit;
    loop_timer_set(follow->watch.loop, timer, TICK_MS);
    (void)regions_feed_tick(follow->watch.feed);
    if (!bus_is_connected(follow->watch.bus)) {
        log_limited(&limit, LOG_LEVEL_WARNING, "not connected to NATS: the file stays as it is");
        return;
    }
    if (!regions_feed_knows_drains(follow->watch.feed))
        return;
    if (!follow->written)
        log_info("the regions are followed");
    follow->written = true;
    if (regions_are_blind(follow->watch.regions))
        log_limited(&limit, LOG_LEVEL_ERROR, "blind: no edge of any region is heard");
    write_file(follow);
}

static void on_signal(struct loop_io *io, uint32_t events)
{
    struct follow *follow = container_of(io, struct follow, signals);
    struct signalfd_siginfo info;
    (void)events;
    if (read(io->fd, &info, sizeof info) == sizeof info)
        loop_stop(follow->watch.loop);
}

static int open_signals(struct follow *follow, struct error_text *reterr_why)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    int err = sigprocmask(SIG_BLOCK, &set, NULL) != 0 ? -errno : 0;
    follow->signals = (struct loop_io){.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC),
                                       .events = EPOLLIN,
                                       .on_event = on_signal};
    if (err == 0)
        err = follow->signals.fd < 0 ? -errno : loop_io_add(follow->watch.loop, &follow->signals);
    return err == 0 ? 0 : error_text_set(reterr_why, err, "signals: %s", strerror(-err));
}

int geo_follow_run(const struct catalogue *catalogue, const char *state_dir,
                   struct error_text *reterr_why)
{
    struct follow follow = {.catalogue = catalogue, .state_dir = state_dir, .signals.fd = -1};
    log_set_name("meridian-geo");
    follow.tick.on_due = on_tick;
    int err = access(state_dir, W_OK) != 0
                  ? error_text_set(reterr_why, -errno, "%s: %s", state_dir, strerror(errno))
                  : geo_watch_open(&follow.watch, catalogue, reterr_why);
    if (err == 0)
        err = open_signals(&follow, reterr_why);
    if (err == 0) {
        loop_timer_set(follow.watch.loop, &follow.tick, 0);
        loop_run(follow.watch.loop);
        loop_timer_stop(follow.watch.loop, &follow.tick);
        loop_io_remove(follow.watch.loop, &follow.signals);
    }
    if (follow.signals.fd >= 0)
        close(follow.signals.fd);
    geo_watch_close(&follow.watch);
    return err;
}
