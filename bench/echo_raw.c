/* The least that a server can do, to hold others against: accepts connections and sends back the
 * bytes that come, one recv() and one send() for each event of one epoll set.
 *
 *   echo_raw HOST:PORT
 *
 * Ends with its standard input. */
#include "base/macros.h"
#include "listen.h"

#include <sys/epoll.h>
#include <unistd.h>

static void watch(int set, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    must(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
}

static void echo(int fd)
{
    static char bytes[65536];
    ssize_t size = recv(fd, bytes, sizeof bytes, 0);
    if (size <= 0 || send(fd, bytes, (size_t)size, MSG_NOSIGNAL) != size)
        close(fd);
}

int main(int argc, char **argv)
{
    int listener = listen_at(argc == 2 ? argv[1] : "");
    int set = epoll_create1(0);
    must(set >= 0, "epoll_create1");
    watch(set, STDIN_FILENO);
    watch(set, listener);
    for (;;) {
        struct epoll_event events[256];
        int count = epoll_wait(set, events, (int)COUNT_OF(events), -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == STDIN_FILENO)
                return 0;
            if (fd != listener) {
                echo(fd);
                continue;
            }
            for (int taken = 0; taken < 64 && (fd = accept_one(listener)) >= 0; taken++)
                watch(set, fd);
        }
    }
}
