/* What edge_http*.c and edge_listener.c share of libh2o. */
#pragma once

/* Without these h2o.h compiles its libuv side in, which is another library. */
#define H2O_USE_EPOLL 1
#define H2O_USE_LIBUV 0
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wundef"
#include <h2o.h>
#include <h2o/http1.h>
#pragma GCC diagnostic pop

struct address;

#include <stdbool.h>
struct edge_http;
struct edge_http_settings;

h2o_loop_t *edge_http_loop(struct edge_http *http);
const struct edge_http_settings *edge_http_shared(const struct edge_http *http);
/* These take `fd`, a connection that was just accepted: `peer` is at its other end, or behind the
 * balancer there. */
void edge_http_accept(struct edge_http *http, int fd, const struct address *peer);
void edge_http_accept_tls(struct edge_http *http, int fd, const struct address *peer);
/* There is room for one more handshake; else, where the oldest has had its time, it is ended. */
bool edge_http_may_shake_hands(struct edge_http *http);
