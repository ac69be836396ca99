/* Load on an echo server: each connection sends a message, waits until it is back, and sends the
 * next one.
 *
 *   echo_load [--raw] --connections N --seconds S HOST:PORT
 *
 * A message is a masked text frame of 200 bytes; a WebSocket server answers it with one without a
 * mask, a raw one (--raw: no opening handshake either) with the same bytes. What comes back is
 * counted, not compared. Prints one JSON object for the warm-up of a second, one for the rest. */
#include "base/clock.h"
#include "base/macros.h"
#include "load_client.h"
#include "measure.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PAYLOAD = 200, ANSWER = PAYLOAD + 4, REQUEST = PAYLOAD + 8 };

static const char handshake[] = "GET / HTTP/1.1\r\nHost: load\r\nUpgrade: websocket\r\n"
                                "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
static uint8_t request[REQUEST];
static bool raw;
static size_t answer_size;
static uint64_t answered;

struct connection {
    int fd;
    size_t got; /* of the answer that is coming */
};

static void say(const struct connection *connection)
{
    must(send(connection->fd, request, sizeof request, MSG_NOSIGNAL) == sizeof request, "send");
}

static void make_request(void)
{
    static const uint8_t mask[] = {0x12, 0x34, 0x56, 0x78};
    const uint8_t head[] = {0x81, 0x80 | 126, 0, PAYLOAD};
    memcpy(request, head, sizeof head);
    memcpy(request + sizeof head, mask, sizeof mask);
    for (size_t i = 0; i < PAYLOAD; i++)
        request[REQUEST - PAYLOAD + i] = (uint8_t)('a' ^ mask[i % 4]);
    answer_size = raw ? REQUEST : ANSWER;
}

/* Blocks; what is measured comes after it. */
static void open_one(struct connection *connection, const struct sockaddr_in *to)
{
    char head[1024];
    connection->fd = socket(AF_INET, SOCK_STREAM, 0);
    must(connection->fd >= 0 &&
             connect(connection->fd, (const struct sockaddr *)to, sizeof *to) == 0,
         "connect");
    if (raw)
        return;
    must(send(connection->fd, handshake, sizeof handshake - 1, 0) == sizeof handshake - 1 &&
             recv(connection->fd, head, sizeof head, 0) > 12 && memcmp(head + 9, "101", 3) == 0,
         "the opening handshake");
}

static void hear(struct connection *connection)
{
    uint8_t bytes[4096];
    ssize_t size = recv(connection->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    must(size > 0, "an answer");
    connection->got += (size_t)size;
    must(connection->got <= answer_size, "no more than the answer");
    if (connection->got < answer_size)
        return;
    connection->got = 0;
    answered++;
    say(connection);
}

static void talk(int set, double seconds)
{
    int64_t begin = clock_monotonic_us();
    int64_t end = begin + (int64_t)(seconds * 1e6);
    uint64_t before = answered;
    while (clock_monotonic_us() < end) {
        struct epoll_event events[256];
        int count = epoll_wait(set, events, (int)COUNT_OF(events), 100);
        for (int i = 0; i < count; i++)
            hear(events[i].data.ptr);
    }
    printf("{\"answered\":%" PRIu64 ",\"seconds\":%.3f}\n", answered - before,
           (double)(clock_monotonic_us() - begin) / 1e6);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    size_t count = 0;
    double seconds = 0;
    struct sockaddr_in to = {0};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--raw") == 0)
            raw = true;
        else if (strcmp(argv[i], "--connections") == 0 && i + 1 < argc)
            count = strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc)
            seconds = strtod(argv[++i], NULL);
        else
            must(load_client_address(argv[i], &to) == 0, "an argument: HOST:PORT");
    }
    must(count > 0 && seconds > 0 && to.sin_port != 0, "its arguments are good");
    must(setrlimit(RLIMIT_NOFILE, &(struct rlimit){20000, 20000}) == 0, "descriptors");
    make_request();
    struct connection *connections = calloc(count, sizeof *connections);
    int set = epoll_create1(0);
    must(connections != NULL && set >= 0, "memory");
    for (size_t i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &connections[i]};
        open_one(&connections[i], &to);
        must(epoll_ctl(set, EPOLL_CTL_ADD, connections[i].fd, &event) == 0, "epoll_ctl");
    }
    for (size_t i = 0; i < count; i++)
        say(&connections[i]);
    talk(set, 1);
    talk(set, seconds);
}
