#include "edge/edge_listener.h"

#include "edge/edge_arrivals.h"
#include "edge/edge_descriptors.h"
#include "edge/edge_h2o.h"
#include "edge/edge_http.h"
#include "log/log.h"
#include "settings/address.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    ACCEPTS_PER_TURN = 64,
    SAID_APART_MS = 60000, /* it may rest for hours, and ends and begins with each who leaves */
};

/* Why it rests. */
enum listener_want { WANT_ROOM, WANT_DESCRIPTORS, WANTS };

struct edge_listener {
    struct edge_listener_settings settings;
    struct networks proxies;
    struct edge_arrivals *arrivals;
    h2o_socket_t *socket;
    bool resting;
    int64_t said_ms[WANTS]; /* 0: never */
};

static void edge_listener_rest(struct edge_listener *listener)
{
    h2o_socket_read_stop(listener->socket);
    listener->resting = true;
}

/* Whether it is to be said that this is wanting: once in a while. */
static bool should_say(struct edge_listener *listener, enum listener_want want)
{
    int64_t now_ms = loop_now_ms(edge_http_shared(listener->settings.http)->loop);
    int64_t *said_ms = &listener->said_ms[want];
    if (*said_ms != 0 && now_ms - *said_ms < SAID_APART_MS)
        return false;
    *said_ms = now_ms;
    return true;
}

static bool edge_listener_has_room(struct edge_listener *listener)
{
    const struct edge_listener_settings *settings = &listener->settings;
    if (settings->room(settings->context) == 0) {
        if (should_say(listener, WANT_ROOM))
            log_warning("the limit of connections is reached, the listener rests");
        return false;
    }
    return edge_http_may_come(settings->http) &&
           (!settings->tls || edge_http_may_shake_hands(settings->http));
}

static void accept_client(struct edge_listener *listener, int fd, const struct address *client)
{
    if (listener->settings.tls)
        edge_http_accept_tls(listener->settings.http, fd, client);
    else
        edge_http_accept(listener->settings.http, fd, client);
}

static void on_arrived(void *context, int fd, const struct address *client)
{
    accept_client(context, fd, client);
}

static void on_arrival_closed(void *context)
{
    edge_listener_resume(context);
}

static void take(struct edge_listener *listener, int fd, const struct sockaddr_storage *from)
{
    static struct log_limit limit;
    struct address peer = {{0}};
    int err = address_of_socket((const struct sockaddr *)from, &peer);
    if (err != 0)
        close(fd); /* neither IPv4 nor IPv6: nobody who could be listed */
    else if (networks_have(&listener->proxies, &peer))
        err = edge_arrivals_add(listener->arrivals, fd, &peer);
    else
        accept_client(listener, fd, &peer);
    if (err != 0)
        log_limited(&limit, LOG_LEVEL_ERROR, "a connection cannot be taken", LOG_ERRNO(err));
}

/* False when nobody waits any more, or nobody can be taken now. */
static bool take_next(struct edge_listener *listener)
{
    struct sockaddr_storage from;
    socklen_t size = sizeof from;
    int fd = accept4(h2o_socket_get_fd(listener->socket), (struct sockaddr *)&from, &size,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        take(listener, fd, &from);
        return true;
    }
    int error = errno;
    enum edge_accept judged = edge_descriptors_judge(error);
    if (judged == EDGE_ACCEPT_REST) {
        edge_listener_rest(listener);
        if (should_say(listener, WANT_DESCRIPTORS))
            log_error("connections cannot be accepted, the listener rests", LOG_ERRNO(error));
    }
    return judged == EDGE_ACCEPT_NEXT;
}

static void on_connections(h2o_socket_t *socket, const char *error)
{
    struct edge_listener *listener = socket->data;
    for (int i = 0; error == NULL && i < ACCEPTS_PER_TURN; i++) {
        if (!edge_listener_has_room(listener)) {
            edge_listener_rest(listener);
            return;
        }
        if (!take_next(listener))
            return;
    }
}

static int listen_at(const struct addrinfo *at, bool shared)
{
    int on = 1;
    int low = 16 * 1024;
    int fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, at->ai_protocol);
    if (fd < 0)
        return -errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (shared)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    /* Inherited by what is accepted; see edge_stream.c. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &low, sizeof low);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (bind(fd, at->ai_addr, at->ai_addrlen) != 0 || listen(fd, H2O_SOMAXCONN) != 0) {
        int err = -errno;
        close(fd);
        return err;
    }
    return fd;
}

static int listen_on(struct text address, bool shared, struct error_text *reterr_why)
{
    struct settings_address parsed;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char port[8];
    if (settings_address_parse(address, &parsed) != 0)
        return error_text_set(reterr_why, -EINVAL, "'%.*s' is no address", TEXT_ARGS(address));
    (void)snprintf(port, sizeof port, "%u", parsed.port);
    int failed = getaddrinfo(parsed.host, port, &hints, &found);
    if (failed != 0)
        return error_text_set(reterr_why, -EINVAL, "'%s' is no IP address: %s", parsed.host,
                              gai_strerror(failed));
    int fd = listen_at(found, shared);
    freeaddrinfo(found);
    if (fd < 0)
        return error_text_set(reterr_why, fd, "cannot listen on %.*s: %s", TEXT_ARGS(address),
                              strerror(-fd));
    return fd;
}

/* Without its socket. */
static struct edge_listener *listener_new(const struct edge_listener_settings *settings,
                                          struct error_text *reterr_why)
{
    const struct edge_http_settings *shared = edge_http_shared(settings->http);
    struct edge_listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL)
        return NULL;
    listener->settings = *settings;
    listener->arrivals = edge_arrivals_new(
        &(struct edge_arrivals_settings){.loop = shared->loop,
                                         .wait_ms = shared->edge->proxy_header_wait_ms,
                                         .on_arrived = on_arrived,
                                         .on_closed = on_arrival_closed,
                                         .context = listener});
    int err = networks_parse(text_of(shared->edge->proxy_networks), &listener->proxies);
    if (err != 0)
        error_text_set(reterr_why, err, "'proxy.networks' must be " NETWORKS_RULE);
    if (err == 0 && listener->arrivals != NULL)
        return listener;
    edge_arrivals_free(listener->arrivals);
    free(listener);
    return NULL;
}

struct edge_listener *edge_listener_open(const struct edge_listener_settings *settings,
                                         struct error_text *reterr_why)
{
    int fd = listen_on(settings->address, settings->shared, reterr_why);
    if (fd < 0)
        return NULL;
    struct edge_listener *listener = listener_new(settings, reterr_why);
    if (listener == NULL) {
        close(fd);
        return NULL;
    }
    listener->socket =
        h2o_evloop_socket_create(edge_http_loop(settings->http), fd, H2O_SOCKET_FLAG_DONT_READ);
    listener->socket->data = listener;
    h2o_socket_read_start(listener->socket, on_connections);
    return listener;
}

void edge_listener_close(struct edge_listener *listener)
{
    if (listener == NULL)
        return;
    edge_arrivals_free(listener->arrivals);
    h2o_socket_close(listener->socket);
    free(listener);
}

void edge_listener_take_rest(struct edge_listener *listener)
{
    while (listener != NULL && edge_listener_has_room(listener) && take_next(listener)) {
    }
}

size_t edge_listener_arrivals(const struct edge_listener *listener)
{
    return listener == NULL ? 0 : edge_arrivals_count(listener->arrivals);
}

void edge_listener_resume(struct edge_listener *listener)
{
    if (listener == NULL || !listener->resting || !edge_listener_has_room(listener))
        return;
    listener->resting = false;
    h2o_socket_read_start(listener->socket, on_connections);
}
