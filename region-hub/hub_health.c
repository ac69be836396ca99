#include "region-hub/hub_health.h"

#include "settings/address.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REQUEST_MAX = 2048, BACKLOG = 64 };

struct peer {
    struct hub_health *health;
    struct loop_io io;
    struct loop_timer timeout;
    bool open;
    size_t read;
    char request[REQUEST_MAX + 1];
    struct buffer answer;
    size_t written;
};

struct hub_health {
    struct loop *loop;
    struct hub_health_settings settings;
    struct loop_io listener;
    struct peer peers[HUB_HEALTH_CONNECTIONS_MAX];
};

static void close_peer(struct peer *peer)
{
    loop_io_remove(peer->health->loop, &peer->io);
    loop_timer_stop(peer->health->loop, &peer->timeout);
    close(peer->io.fd);
    buffer_free(&peer->answer);
    peer->open = false;
    /* A place is free: whoever waits is accepted. */
    loop_io_change(peer->health->loop, &peer->health->listener, EPOLLIN);
}

static void on_timeout(struct loop_timer *timer)
{
    close_peer(container_of(timer, struct peer, timeout));
}

static void write_answer(struct peer *peer)
{
    while (peer->written < peer->answer.size) {
        ssize_t size = send(peer->io.fd, peer->answer.data + peer->written,
                            peer->answer.size - peer->written, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
            loop_io_change(peer->health->loop, &peer->io, EPOLLOUT);
            return;
        }
        if (size <= 0)
            break;
        peer->written += (size_t)size;
    }
    close_peer(peer);
}

static bool asks_for(const struct peer *peer, const char *path)
{
    size_t size = strlen(path);
    return strncmp(peer->request, "GET ", 4) == 0 && strncmp(peer->request + 4, path, size) == 0 &&
           (peer->request[4 + size] == ' ' || peer->request[4 + size] == '?');
}

static void answer(struct peer *peer)
{
    struct buffer body = {0};
    const char *status = "404 Not Found";
    const char *type = "text/plain";
    if (asks_for(peer, "/healthz")) {
        status = "200 OK";
        buffer_printf(&body, "ok\n");
    } else if (asks_for(peer, "/readyz")) {
        bool ready = peer->health->settings.is_ready(peer->health->settings.context, &body);
        status = ready ? "200 OK" : "503 Service Unavailable";
    } else if (asks_for(peer, "/status")) {
        status = "200 OK";
        type = "application/json";
        peer->health->settings.write_status(peer->health->settings.context, &body);
    } else {
        buffer_printf(&body, "/healthz, /readyz or /status\n");
    }
    buffer_printf(&peer->answer,
                  "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                  "Cache-Control: no-store\r\nConnection: close\r\n\r\n",
                  status, type, body.size);
    buffer_append(&peer->answer, body.data, body.size);
    if (peer->answer.failed || body.failed)
        close_peer(peer);
    else
        write_answer(peer);
    buffer_free(&body);
}

static void on_peer(struct loop_io *io, uint32_t events)
{
    struct peer *peer = container_of(io, struct peer, io);
    if (peer->answer.size > 0) {
        write_answer(peer);
        return;
    }
    (void)events;
    ssize_t size = recv(io->fd, peer->request + peer->read, REQUEST_MAX - peer->read, MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size <= 0) {
        close_peer(peer);
        return;
    }
    peer->read += (size_t)size;
    peer->request[peer->read] = '\0';
    if (strstr(peer->request, "\r\n\r\n") != NULL || strstr(peer->request, "\n\n") != NULL)
        answer(peer);
    else if (peer->read == REQUEST_MAX)
        close_peer(peer);
}

static struct peer *free_peer(struct hub_health *health)
{
    for (size_t i = 0; i < COUNT_OF(health->peers); i++)
        if (!health->peers[i].open)
            return &health->peers[i];
    return NULL;
}

static void on_listener(struct loop_io *io, uint32_t events)
{
    struct hub_health *health = container_of(io, struct hub_health, listener);
    (void)events;
    struct peer *peer = free_peer(health);
    if (peer == NULL) {
        loop_io_change(health->loop, io, 0); /* they wait in the backlog */
        return;
    }
    int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    *peer = (struct peer){
        .health = health,
        .io = {.fd = fd, .events = EPOLLIN, .on_event = on_peer},
        .timeout = {.on_due = on_timeout},
    };
    if (loop_io_add(health->loop, &peer->io) != 0) {
        close(fd);
        return;
    }
    peer->open = true;
    loop_timer_set(health->loop, &peer->timeout, HUB_HEALTH_TIMEOUT_MS);
}

/* A socket that listens at the first address that allows it, or -errno. */
static int listen_at(const char *address, struct error_text *reterr_why)
{
    struct settings_address parsed;
    struct addrinfo *found = NULL;
    char port[8];
    const struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
                                   .ai_socktype = SOCK_STREAM};
    if (settings_address_parse(text_of(address), &parsed) != 0)
        return error_text_set(reterr_why, -EINVAL, "'%s' is no address to listen at", address);
    snprintf(port, sizeof port, "%u", parsed.port);
    int err = getaddrinfo(parsed.host, port, &hints, &found);
    if (err != 0)
        return error_text_set(reterr_why, -EINVAL, "cannot resolve '%s': %s", address,
                              gai_strerror(err));
    int fd = -1;
    int why = 0;
    for (const struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next) {
        fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        int on = 1;
        if (fd >= 0 && (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
                        bind(fd, at->ai_addr, at->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0)) {
            why = errno;
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(found);
    if (fd < 0)
        return error_text_set(reterr_why, why == 0 ? -EADDRNOTAVAIL : -why,
                              "cannot listen at %s: %s", address, strerror(why));
    return fd;
}

struct hub_health *hub_health_start(struct loop *loop, const struct hub_health_settings *settings,
                                    struct error_text *reterr_why)
{
    int fd = listen_at(settings->address, reterr_why);
    if (fd < 0)
        return NULL;
    struct hub_health *health = calloc(1, sizeof *health);
    if (health != NULL) {
        health->loop = loop;
        health->settings = *settings;
        health->listener = (struct loop_io){.fd = fd, .events = EPOLLIN, .on_event = on_listener};
    }
    if (health == NULL || loop_io_add(loop, &health->listener) != 0) {
        error_text_set(reterr_why, -ENOMEM, "memory is short");
        free(health);
        close(fd);
        return NULL;
    }
    return health;
}

void hub_health_stop(struct hub_health *health)
{
    if (health == NULL)
        return;
    for (size_t i = 0; i < COUNT_OF(health->peers); i++)
        if (health->peers[i].open)
            close_peer(&health->peers[i]);
    loop_io_remove(health->loop, &health->listener);
    close(health->listener.fd);
    free(health);
}
