#include "cli/http.h"

#include "base/clock.h"
#include "settings/address.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* 0 when the descriptor is ready, -ETIMEDOUT when `until_ms` came first. */
static int wait_until(int fd, short events, int64_t until_ms)
{
    struct pollfd watched = {.fd = fd, .events = events};

    for (;;) {
        int64_t left = until_ms - clock_monotonic_ms();
        int ready = poll(&watched, 1, left < 0 ? 0 : (int)left);
        if (ready > 0)
            return 0;
        if (ready == 0)
            return -ETIMEDOUT;
        if (errno != EINTR)
            return -errno;
    }
}

static int finish_connect(int fd, int64_t until_ms)
{
    int failure = 0;
    socklen_t size = sizeof failure;
    int err = wait_until(fd, POLLOUT, until_ms);

    if (err < 0)
        return err;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size) < 0)
        return -errno;
    return -failure;
}

static int connect_to(const struct addrinfo *to, int64_t until_ms)
{
    int fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int err = 0;
    if (connect(fd, to->ai_addr, to->ai_addrlen) < 0)
        err = errno == EINPROGRESS ? finish_connect(fd, until_ms) : -errno;
    if (err == 0)
        return fd;
    close(fd);
    return err;
}

static int open_connection(const char *address, int64_t until_ms)
{
    struct settings_address parsed;
    struct addrinfo *found, hints = {.ai_socktype = SOCK_STREAM};
    char port[8];

    if (settings_address_parse(text_of(address), &parsed) < 0)
        return -EINVAL;
    snprintf(port, sizeof port, "%u", parsed.port);
    if (getaddrinfo(parsed.host, port, &hints, &found) != 0)
        return -EADDRNOTAVAIL;
    int fd = connect_to(found, until_ms);
    freeaddrinfo(found);
    return fd;
}

static int send_request(int fd, const struct cli_http_ask *ask)
{
    char request[8192]; /* with the longest token */
    const bool shows = ask->token != NULL;
    int size = snprintf(request, sizeof request,
                        "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s%s%s\r\n", ask->path,
                        ask->address, shows ? "Authorization: Bearer " : "",
                        shows ? ask->token : "", shows ? "\r\n" : "");

    if (size < 0 || (size_t)size >= sizeof request)
        return -EINVAL;
    /* A fresh socket takes that much at once. */
    ssize_t sent = send(fd, request, (size_t)size, MSG_NOSIGNAL);
    if (sent < 0)
        return -errno;
    return sent == size ? 0 : -EIO;
}

static int read_all(int fd, int64_t until_ms, struct buffer *answer)
{
    while (answer->size < CLI_HTTP_BODY_MAX) {
        int err = wait_until(fd, POLLIN, until_ms);
        uint8_t *room = err < 0 ? NULL : buffer_reserve(answer, 16384);
        if (room == NULL)
            return err < 0 ? err : -ENOMEM;
        ssize_t got = recv(fd, room, 16384, 0);
        if (got == 0)
            return 0;
        if (got < 0 && errno != EAGAIN && errno != EINTR)
            return -errno;
        answer->size += got > 0 ? (size_t)got : 0;
    }
    return -EFBIG;
}

static int read_status(const struct buffer *answer, struct buffer *ret_body)
{
    uint64_t status;
    const char *start = (const char *)answer->data;

    if (answer->size < 12 || memcmp(start, "HTTP/1.", 7) != 0 ||
        text_to_u64((struct text){start + 9, 3}, 999, &status) < 0)
        return -EBADMSG;
    const char *end = memmem(start, answer->size, "\r\n\r\n", 4);
    if (end == NULL)
        return -EBADMSG;
    size_t head = (size_t)(end - start) + 4;
    if (ret_body != NULL)
        buffer_append(ret_body, start + head, answer->size - head);
    return (int)status;
}

int cli_http_ask(const struct cli_http_ask *ask, struct buffer *ret_body)
{
    int64_t until_ms = clock_monotonic_ms() + ask->timeout_ms;
    struct buffer answer = {0};
    int fd = open_connection(ask->address, until_ms);

    if (fd < 0)
        return fd;
    int result = send_request(fd, ask);
    if (result == 0)
        result = read_all(fd, until_ms, &answer);
    close(fd);
    if (result == 0)
        result = read_status(&answer, ret_body);
    buffer_free(&answer);
    return result;
}

int cli_http_get(const char *address, const char *path, int timeout_ms, struct buffer *ret_body)
{
    const struct cli_http_ask ask = {.address = address, .path = path, .timeout_ms = timeout_ms};
    return cli_http_ask(&ask, ret_body);
}
