#include "edge/edge_arrivals.h"

#include "edge/edge_proxy.h"
#include "log/log.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct edge_arrivals {
    struct edge_arrivals_settings settings;
    struct list all;
    size_t count;
};

struct arrival {
    struct edge_arrivals *arrivals;
    struct list link;
    struct loop_io io;
    struct loop_timer timer;
    struct address from;
    size_t size; /* of what is there, and taken from the socket */
    uint8_t bytes[EDGE_PROXY_HEADER_MAX];
};

/* Returns its descriptor, which is not closed. */
static int arrival_free(struct arrival *arrival)
{
    struct loop *loop = arrival->arrivals->settings.loop;
    int fd = arrival->io.fd;
    loop_io_remove(loop, &arrival->io);
    loop_timer_stop(loop, &arrival->timer);
    list_remove(&arrival->link);
    arrival->arrivals->count--;
    free(arrival);
    return fd;
}

/* `why`: NULL when there is nothing to say. */
static void arrival_close(struct arrival *arrival, const char *why)
{
    static struct log_limit limit;
    const struct edge_arrivals_settings *settings = &arrival->arrivals->settings;
    if (why != NULL)
        log_limited(&limit, LOG_LEVEL_WARNING, "a balancer's connection is closed",
                    LOG_STRING("reason", why),
                    LOG_STRING("balancer", address_name(&arrival->from).text));
    close(arrival_free(arrival));
    settings->on_closed(settings->context);
}

static void arrival_end(struct arrival *arrival, const struct edge_proxy *proxy)
{
    const struct edge_arrivals_settings *settings = &arrival->arrivals->settings;
    struct address client = proxy->has_address ? proxy->address : arrival->from;
    settings->on_arrived(settings->context, arrival_free(arrival), &client);
}

static void on_readable(struct loop_io *io, uint32_t events)
{
    struct arrival *arrival = container_of(io, struct arrival, io);
    struct edge_proxy proxy;
    uint8_t *end = arrival->bytes + arrival->size;
    (void)events;
    ssize_t seen = recv(io->fd, end, sizeof arrival->bytes - arrival->size, MSG_PEEK);
    if (seen < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (seen <= 0) { /* one that has said nothing has looked whether the port is open */
        arrival_close(arrival, arrival->size == 0 ? NULL : "it ended within its PROXY header");
        return;
    }
    int err = edge_proxy_parse(arrival->bytes, arrival->size + (size_t)seen, &proxy);
    if (err != 0 && err != -EAGAIN) {
        arrival_close(arrival, err == -E2BIG ? "its PROXY header is too long"
                                             : "it does not begin with a good PROXY header");
        return;
    }
    size_t used = err == 0 ? proxy.size - arrival->size : (size_t)seen;
    if (recv(io->fd, end, used, 0) != (ssize_t)used) {
        arrival_close(arrival, "its PROXY header cannot be read");
        return;
    }
    arrival->size += used;
    if (err == 0)
        arrival_end(arrival, &proxy);
}

static void on_late(struct loop_timer *timer)
{
    arrival_close(container_of(timer, struct arrival, timer), "its PROXY header did not come");
}

struct edge_arrivals *edge_arrivals_new(const struct edge_arrivals_settings *settings)
{
    struct edge_arrivals *arrivals = calloc(1, sizeof *arrivals);
    if (arrivals == NULL)
        return NULL;
    arrivals->settings = *settings;
    list_init(&arrivals->all);
    return arrivals;
}

void edge_arrivals_free(struct edge_arrivals *arrivals)
{
    if (arrivals == NULL)
        return;
    list_each(node, &arrivals->all) close(arrival_free(container_of(node, struct arrival, link)));
    free(arrivals);
}

int edge_arrivals_add(struct edge_arrivals *arrivals, int fd, const struct address *from)
{
    struct loop *loop = arrivals->settings.loop;
    struct arrival *arrival = calloc(1, sizeof *arrival);
    int err = arrival == NULL ? -ENOMEM : 0;
    if (err == 0) {
        arrival->arrivals = arrivals;
        arrival->from = *from;
        arrival->io = (struct loop_io){.fd = fd, .events = EPOLLIN, .on_event = on_readable};
        arrival->timer.on_due = on_late;
        err = loop_io_add(loop, &arrival->io);
    }
    if (err != 0) {
        free(arrival);
        close(fd);
        return err;
    }
    loop_timer_set(loop, &arrival->timer, arrivals->settings.wait_ms);
    list_push(&arrivals->all, &arrival->link);
    arrivals->count++;
    return 0;
}

size_t edge_arrivals_count(const struct edge_arrivals *arrivals)
{
    return arrivals->count;
}
