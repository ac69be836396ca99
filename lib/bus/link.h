/* The library's connection on our loop, made again whenever it ends.
 *
 * The library connects in a thread of ours, because connecting blocks. From then on its reads and
 * writes happen on the loop. It may end the connection from its timer thread, so what its callbacks
 * say is kept under a lock and looked at on the loop. Its own reconnecting is off: it would keep
 * back what is published meanwhile and send it later. */
#pragma once

#include "base/error_text.h"
#include "base/macros.h"
#include "loop/loop.h"

#include <nats/nats.h>

struct bus_link; /* opaque, see link.c */

struct bus_link_settings {
    const char *urls; /* these five are copied */
    const char *name;
    const char *user;
    const char *password;
    const char *credentials;
    /* Connected: subscribe again. False when memory is short; the link then starts anew. */
    bool (*on_up)(void *context, natsConnection *connection);
    /* The connection is over; it may still be named to destroy subscriptions. */
    void (*on_down)(void *context);
    /* Something was read. Must not free the link. */
    void (*on_read)(void *context);
    void *context;
};

/* To be called on the loop's thread. NULL when memory is short. */
MUST_USE struct bus_link *bus_link_new(struct loop *loop, const struct bus_link_settings *settings);
/* Sends what is pending if the socket takes it, then ends the connection; on_down is not called.
 * Waits for the thread that connects. NULL is fine. */
void bus_link_free(struct bus_link *link);
/* NULL while there is none. */
natsConnection *bus_link_connection(const struct bus_link *link);
/* Borrowed; "" before the first connection. */
const char *bus_link_server_version(const struct bus_link *link);
/* Why the last connection or attempt ended, "" when none has. Borrowed until the next turn. */
const char *bus_link_last_failure(const struct bus_link *link);
/* The library's codes as ours: 0 or -errno. */
int bus_status_to_errno(natsStatus status);
