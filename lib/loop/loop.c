#include "loop/loop.h"

#include "base/clock.h"
#include "loop/timers.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Descriptors served in one turn; the kernel hands out the others first in the next one. */
enum { EVENTS_PER_TURN = 256 };

struct loop {
    int epoll_fd;
    struct loop_io doorbell; /* an eventfd: something was posted */
    int64_t now_us;
    bool in_turn;
    bool stopped;
    struct loop_timers timers;
    struct list laters;
    /* Posted messages, the newest first, so that posting is one exchange and needs no lock. */
    _Atomic(struct loop_message *) posted;
    /* What this turn fetched and has not served yet: [event_next, event_end). */
    int event_next;
    int event_end;
    struct epoll_event events[EVENTS_PER_TURN];
};

static void on_doorbell(struct loop_io *io, uint32_t events)
{
    (void)events;
    uint64_t rings;
    ssize_t size = read(io->fd, &rings, sizeof rings); /* not to be woken again by the same ring */
    (void)size;
}

struct loop *loop_new(void)
{
    struct loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL)
        return NULL;
    list_init(&loop->laters);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->doorbell = (struct loop_io){
        .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .events = EPOLLIN, .on_event = on_doorbell};
    if (loop->epoll_fd < 0 || loop->doorbell.fd < 0 || loop_io_add(loop, &loop->doorbell) != 0) {
        int error = errno;
        loop_free(loop);
        errno = error;
        return NULL;
    }
    return loop;
}

/* One round: what is posted meanwhile waits for the next one. */
static void deliver_posted(struct loop *loop)
{
    struct loop_message *newest_first = atomic_exchange(&loop->posted, NULL);
    struct loop_message *oldest_first = NULL;
    while (newest_first != NULL) {
        struct loop_message *message = newest_first;
        newest_first = message->next;
        message->next = oldest_first;
        oldest_first = message;
    }
    while (oldest_first != NULL) {
        struct loop_message *message = oldest_first;
        oldest_first = message->next;
        message->on_message(message);
    }
}

void loop_free(struct loop *loop)
{
    if (loop == NULL)
        return;
    while (atomic_load(&loop->posted) != NULL)
        deliver_posted(loop);
    loop_timers_free(&loop->timers);
    if (loop->doorbell.fd >= 0)
        close(loop->doorbell.fd);
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    free(loop);
}

int loop_fd(const struct loop *loop)
{
    return loop->epoll_fd;
}

int64_t loop_now_us(const struct loop *loop)
{
    return loop->in_turn ? loop->now_us : clock_monotonic_us();
}

int64_t loop_now_ms(const struct loop *loop)
{
    return loop_now_us(loop) / 1000;
}

int loop_wait_ms(struct loop *loop)
{
    if (!list_empty(&loop->laters) || atomic_load(&loop->posted) != NULL)
        return 0;
    const struct loop_timer *first = loop_timers_first(&loop->timers);
    if (first == NULL)
        return -1;
    int64_t wait_ms = first->due_ms - loop_now_ms(loop);
    return wait_ms < 0 ? 0 : wait_ms > INT_MAX ? INT_MAX : (int)wait_ms;
}

static int fetch_events(struct loop *loop, int wait_ms)
{
    int own_ms = loop_wait_ms(loop);
    if (own_ms >= 0 && (wait_ms < 0 || own_ms < wait_ms))
        wait_ms = own_ms;
    int count = epoll_wait(loop->epoll_fd, loop->events, EVENTS_PER_TURN, wait_ms);
    if (count < 0 && errno != EINTR)
        return -errno;
    loop->event_next = 0;
    loop->event_end = count < 0 ? 0 : count;
    return 0;
}

static void serve_events(struct loop *loop)
{
    while (loop->event_next < loop->event_end) {
        const struct epoll_event *event = &loop->events[loop->event_next++];
        struct loop_io *io = event->data.ptr;
        if (io == NULL) /* removed since it was fetched */
            continue;
        /* A callback before this one may have changed what is wanted. */
        uint32_t events = event->events & (io->events | EPOLLERR | EPOLLHUP);
        if (events != 0)
            io->on_event(io, events);
    }
}

/* A timer that sets itself again without a delay must not keep the turn from ending. */
static void serve_timers(struct loop *loop)
{
    int64_t now_ms = loop_now_ms(loop);
    for (size_t left = loop->timers.count; left > 0; left--) {
        struct loop_timer *timer = loop_timers_first(&loop->timers);
        if (timer == NULL || timer->due_ms > now_ms)
            break;
        loop_timers_stop(&loop->timers, timer);
        timer->on_due(timer);
    }
}

static void serve_laters(struct loop *loop)
{
    struct list due; /* a list of its own: what a later asks for is for the next turn */
    list_init(&due);
    for (struct list *node; (node = list_pop(&loop->laters)) != NULL;)
        list_push(&due, node);
    for (struct list *node; (node = list_pop(&due)) != NULL;) {
        struct loop_later *later = container_of(node, struct loop_later, link);
        later->on_later(later);
    }
}

int loop_turn(struct loop *loop, int wait_ms)
{
    assert(!loop->in_turn); /* a callback must not turn its own loop */
    int error = fetch_events(loop, wait_ms);
    if (error != 0)
        return error;
    loop->now_us = clock_monotonic_us();
    loop->in_turn = true;
    serve_events(loop);
    deliver_posted(loop);
    serve_timers(loop);
    serve_laters(loop);
    loop->in_turn = false;
    return 0;
}

void loop_run(struct loop *loop)
{
    while (!loop->stopped) {
        int error = loop_turn(loop, -1);
        assert(error == 0); /* only a loop whose descriptor somebody closed fails */
        (void)error;
    }
    loop->stopped = false;
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
}

int loop_io_add(struct loop *loop, struct loop_io *io)
{
    struct epoll_event event = {.events = io->events, .data.ptr = io};
    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, io->fd, &event) == 0 ? 0 : -errno;
}

void loop_io_change(struct loop *loop, struct loop_io *io, uint32_t events)
{
    if (io->events == events)
        return;
    io->events = events;
    struct epoll_event event = {.events = events, .data.ptr = io};
    int error = epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, io->fd, &event);
    assert(error == 0); /* the io was not added, or its descriptor is closed already */
    (void)error;
}

void loop_io_remove(struct loop *loop, struct loop_io *io)
{
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, io->fd, NULL);
    for (int i = loop->event_next; i < loop->event_end; i++)
        if (loop->events[i].data.ptr == io)
            loop->events[i].data.ptr = NULL;
}

void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t delay_ms)
{
    int64_t now_ms = loop_now_ms(loop);
    int64_t due_ms = delay_ms <= 0 ? now_ms : delay_ms;
    if (delay_ms > 0 && __builtin_add_overflow(now_ms, delay_ms, &due_ms))
        due_ms = INT64_MAX;
    loop_timers_set(&loop->timers, timer, due_ms);
}

void loop_timer_stop(struct loop *loop, struct loop_timer *timer)
{
    loop_timers_stop(&loop->timers, timer);
}

bool loop_timer_is_set(const struct loop_timer *timer)
{
    return timer->slot != 0;
}

void loop_later(struct loop *loop, struct loop_later *later)
{
    if (!list_linked(&later->link))
        list_push(&loop->laters, &later->link);
}

void loop_later_cancel(struct loop_later *later)
{
    list_remove(&later->link);
}

void loop_post(struct loop *loop, struct loop_message *message)
{
    struct loop_message *before = atomic_load_explicit(&loop->posted, memory_order_relaxed);
    do
        message->next = before;
    while (!atomic_compare_exchange_weak(&loop->posted, &before, message));
    /* Whoever posts into an empty queue rings; the loop takes all there is at the ring. */
    if (before == NULL) {
        uint64_t ring = 1;
        ssize_t size = write(loop->doorbell.fd, &ring, sizeof ring);
        (void)size; /* fails only when 2^64 - 2 rings are unread: it is readable then */
    }
}
