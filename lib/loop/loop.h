/* An event loop on one epoll set: descriptors, timers, work for the end of a turn, and messages
 * from other threads. One thread runs it; only loop_post() may be called from others.
 *
 * It can run alone (loop_run) or inside another loop: watch loop_fd() for reading, sleep at most
 * loop_wait_ms(), then call loop_turn(loop, 0). */
#pragma once

#include "base/list.h"
#include "base/macros.h"

#include <stdbool.h>
#include <stdint.h>

struct loop; /* opaque, see loop.c */

MUST_USE struct loop *loop_new(void); /* NULL with errno set */
/* Messages still queued by loop_post() are delivered first. Everything added must be removed, and
 * no other thread may be inside loop_post(). NULL is fine. */
void loop_free(struct loop *loop);
int loop_fd(const struct loop *loop);
/* How long a caller may sleep before the next loop_turn(): 0 when work is due, -1 for ever. */
int loop_wait_ms(struct loop *loop);
/* Waits at most `wait_ms` (-1: for ever; never past the next timer), then: descriptors, posted
 * messages, due timers, and last what loop_later() asked for. 0, or -errno of epoll_wait. */
int loop_turn(struct loop *loop, int wait_ms);
void loop_run(struct loop *loop);  /* turns until loop_stop() */
void loop_stop(struct loop *loop); /* from the loop's own thread, or from a signalfd handler */

/* Monotonic, read once a turn (after the wait); outside a turn, read at each call. */
int64_t loop_now_ms(const struct loop *loop);
int64_t loop_now_us(const struct loop *loop);

/* A watched descriptor, embedded in its owner. The owner closes the descriptor after
 * loop_io_remove(). Removing or freeing the owner inside any callback is safe: no event that is
 * already fetched reaches a removed io. `events` are EPOLLIN, EPOLLOUT...; level triggered. */
struct loop_io {
    int fd;
    uint32_t events;
    void (*on_event)(struct loop_io *io, uint32_t events);
};
MUST_USE int loop_io_add(struct loop *loop, struct loop_io *io); /* fd, events, on_event are set */
/* No system call when they are the same. */
void loop_io_change(struct loop *loop, struct loop_io *io, uint32_t events);
void loop_io_remove(struct loop *loop, struct loop_io *io);

/* A one-shot timer, embedded; zeroed but for on_due. Setting it again moves it. Milliseconds are
 * whole ones of the clock, so it may come up to one early. */
struct loop_timer {
    void (*on_due)(struct loop_timer *timer);
    int64_t due_ms;
    size_t slot; /* place in the heap + 1; 0 when it is not set */
};
void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t delay_ms);
void loop_timer_stop(struct loop *loop, struct loop_timer *timer); /* fine when not set */
bool loop_timer_is_set(const struct loop_timer *timer);

/* Work for the end of this turn (or of the next one, when asked for outside a turn), embedded;
 * zeroed but for on_later. Asking twice in a turn is once. What is asked for by a later itself
 * runs at the end of the next turn, which then does not wait. */
struct loop_later {
    void (*on_later)(struct loop_later *later);
    struct list link;
};
void loop_later(struct loop *loop, struct loop_later *later);
void loop_later_cancel(struct loop_later *later);

/* A message from any thread, embedded in what it carries. Delivered on the loop's thread in the
 * order of posting; on_message owns it from then on. */
struct loop_message {
    void (*on_message)(struct loop_message *message);
    struct loop_message *next;
};
void loop_post(struct loop *loop, struct loop_message *message);
