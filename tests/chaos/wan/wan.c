#include "wan/wan.h"

#include "base/clock.h"
#include "loop/loop.h"
#include "wan/control.h"
#include "wan/flight.h"
#include "wan/net.h"
#include "wan/tun.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
    PACKET_MAX = 65536,
    PACKETS_PER_TURN = 64, /* of one device, so that no site keeps the others waiting */
    PRIORITY = 1,          /* the least that goes before all that is not real-time */
    NS_PER_S = 1000000000,
};

struct device {
    struct wan *wan;
    size_t site;
    struct loop_io io;
};

struct wan {
    struct loop *loop;
    struct wan_net *net;
    struct wan_flight flight;
    struct wan_control *control;
    struct device devices[WAN_SITES_MAX];
    struct loop_io alarm;
    int64_t alarm_ns; /* when it goes off; 0: it is not set */
    struct loop_io signals;
    uint8_t packet[PACKET_MAX];
};

static int64_t now_ns(void)
{
    return clock_monotonic_us() * 1000;
}

static void deliver(struct wan *wan, const struct wan_packet *packet)
{
    struct wan_line *line = packet->line;
    if (!wan_line_arrive(line, packet->size, packet->due_ns, now_ns()))
        return;
    if (write(wan->devices[packet->to].io.fd, packet->bytes, packet->size) < 0)
        line->count.refused++;
    else
        line->count.delivered++;
}

/* Delivers what is due, and sets the alarm for what comes next. */
static void land(struct wan *wan)
{
    for (struct wan_packet *packet; (packet = wan_flight_land(&wan->flight, now_ns())) != NULL;
         free(packet))
        deliver(wan, packet);
    const struct wan_packet *first = wan_flight_first(&wan->flight);
    int64_t due_ns = first == NULL ? 0 : first->due_ns;
    if (due_ns == wan->alarm_ns)
        return;
    struct itimerspec when = {
        .it_value = {.tv_sec = due_ns / NS_PER_S, .tv_nsec = due_ns % NS_PER_S}};
    (void)timerfd_settime(wan->alarm.fd, TFD_TIMER_ABSTIME, &when, NULL);
    wan->alarm_ns = due_ns;
}

static void on_alarm(struct loop_io *io, uint32_t events)
{
    (void)events;
    struct wan *wan = container_of(io, struct wan, alarm);
    uint64_t times;
    ssize_t size = read(io->fd, &times, sizeof times); /* not to be woken again by the same one */
    (void)size;
    wan->alarm_ns = 0;
    land(wan);
}

static void take(struct wan *wan, size_t site, size_t size)
{
    size_t to;
    int64_t due_ns;
    struct wan_line *line = wan_net_route(wan->net, site, wan->packet, size, &to);
    if (line == NULL)
        return;
    for (unsigned copies = wan_line_take(line, size, now_ns(), &due_ns); copies > 0; copies--)
        if (wan_flight_send(&wan->flight, line, to, wan->packet, size, due_ns) != 0)
            wan_line_give_up(line, size);
}

static void on_packets(struct loop_io *io, uint32_t events)
{
    (void)events;
    struct device *device = container_of(io, struct device, io);
    struct wan *wan = device->wan;
    for (int i = 0; i < PACKETS_PER_TURN; i++) {
        ssize_t size = read(io->fd, wan->packet, sizeof wan->packet);
        if (size <= 0)
            break;
        take(wan, device->site, (size_t)size);
    }
    land(wan);
}

static void on_signal(struct loop_io *io, uint32_t events)
{
    (void)events;
    loop_stop(container_of(io, struct wan, signals)->loop);
}

static void answer(void *context, struct text line, struct buffer *out)
{
    struct wan *wan = context;
    wan_net_tell(wan->net, line, now_ns(), out);
}

static int watch(struct wan *wan, struct loop_io *io, int fd,
                 void (*on_event)(struct loop_io *, uint32_t))
{
    if (fd < 0)
        return -errno;
    *io = (struct loop_io){.fd = fd, .events = EPOLLIN, .on_event = on_event};
    return loop_io_add(wan->loop, io);
}

static int open_devices(struct wan *wan, struct error_text *reterr_why)
{
    const struct wan_sites *sites = wan_net_sites(wan->net);
    for (size_t i = 0; i < sites->count; i++) {
        struct device *device = &wan->devices[i];
        int fd = wan_tun_open(sites->site[i].namespace_path, reterr_why);
        if (fd < 0)
            return fd;
        device->wan = wan;
        device->site = i;
        int err = watch(wan, &device->io, fd, on_packets);
        if (err != 0)
            return err;
    }
    return 0;
}

static int watch_signals(struct wan *wan)
{
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    if (sigprocmask(SIG_BLOCK, &ends, NULL) != 0)
        return -errno;
    return watch(wan, &wan->signals, signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK), on_signal);
}

static int start(struct wan *wan, const struct wan_settings *settings,
                 struct error_text *reterr_why)
{
    wan->loop = loop_new();
    wan->net = wan_net_new(&settings->sites, settings->seed, settings->held_max_bytes);
    if (wan->loop == NULL || wan->net == NULL)
        return -ENOMEM;
    int err = watch(wan, &wan->alarm, timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK),
                    on_alarm);
    if (err == 0)
        err = watch_signals(wan);
    if (err == 0)
        err = open_devices(wan, reterr_why);
    if (err != 0)
        return err;
    wan->control = wan_control_new(wan->loop, settings->control_path, answer, wan, reterr_why);
    return wan->control == NULL ? -EINVAL : 0;
}

struct wan *wan_new(const struct wan_settings *settings, struct error_text *reterr_why)
{
    struct wan *wan = calloc(1, sizeof *wan);
    if (wan == NULL)
        return NULL;
    wan->alarm.fd = wan->signals.fd = -1;
    for (size_t i = 0; i < WAN_SITES_MAX; i++)
        wan->devices[i].io.fd = -1;
    int err = start(wan, settings, reterr_why);
    if (err == 0)
        return wan;
    if (reterr_why->text[0] == '\0')
        error_text_set(reterr_why, err, "cannot start: %s", strerror(-err));
    wan_free(wan);
    return NULL;
}

static void unwatch(struct wan *wan, struct loop_io *io)
{
    if (io->fd < 0)
        return;
    loop_io_remove(wan->loop, io);
    close(io->fd);
}

void wan_free(struct wan *wan)
{
    if (wan == NULL)
        return;
    wan_control_free(wan->control);
    for (size_t i = 0; i < WAN_SITES_MAX; i++)
        unwatch(wan, &wan->devices[i].io);
    unwatch(wan, &wan->signals);
    unwatch(wan, &wan->alarm);
    wan_flight_free(&wan->flight);
    wan_net_free(wan->net);
    loop_free(wan->loop);
    free(wan);
}

void wan_run(struct wan *wan)
{
    /* A network does not slow down when computers are busy. Where it may not, it is merely late. */
    (void)sched_setscheduler(0, SCHED_RR, &(struct sched_param){.sched_priority = PRIORITY});
    loop_run(wan->loop);
}
