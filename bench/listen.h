/* How the echo servers listen and accept. */
#pragma once

#include "measure.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

/* "HOST:PORT" of numbers; exits when that is not possible. Takes as many descriptors as it may. */
static inline int listen_at(const char *address)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    char host[64] = "";
    const char *colon = strrchr(address, ':');
    must(colon != NULL && (size_t)(colon - address) < sizeof host, "an argument: HOST:PORT");
    memcpy(host, address, (size_t)(colon - address));
    at.sin_port = htons((uint16_t)atoi(colon + 1));
    must(inet_pton(AF_INET, host, &at.sin_addr) == 1, "an argument: HOST:PORT");
    struct rlimit files;
    (void)getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    must(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 4096) == 0,
         "listen");
    return fd;
}

/* -1 when there is none. */
static inline int accept_one(int listener)
{
    int one = 1;
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}
