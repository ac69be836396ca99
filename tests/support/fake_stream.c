#include "tests/support/fake_stream.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static void must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "fake stream: %s failed\n", what);
    exit(1);
}

static void send_all(struct fake_stream *fake, const char *bytes, size_t size)
{
    must(send(fake->io.fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size, "sending");
}

static void answer(struct fake_stream *fake, const char *reply, const char *headers,
                   const char *data)
{
    char out[1024];
    size_t header_size = strlen(headers);
    int size = snprintf(out, sizeof out, "HPUB %s %zu %zu\r\n%s%s\r\n", reply, header_size,
                        header_size + strlen(data), headers, data);
    send_all(fake, out, (size_t)size);
}

static bool is_lost(struct fake_stream *fake, uint64_t position)
{
    for (size_t i = 0; i < COUNT_OF(fake->lose); i++)
        if (fake->lose[i] == position) {
            fake->lose[i] = 0;
            return true;
        }
    return false;
}

static void answer_batch(struct fake_stream *fake, const char *reply, uint64_t from, uint64_t batch)
{
    char headers[512];
    uint64_t before = 0, position = from;
    for (; position <= fake->last && position < from + batch; before = position++) {
        if (is_lost(fake, position))
            continue;
        snprintf(headers, sizeof headers,
                 "NATS/1.0\r\nNats-Stream: FAKE\r\nNats-Subject: fake.a\r\nNats-Sequence: %llu\r\n"
                 "Nats-Time-Stamp: 2026-11-24T05:36:14.744202417Z\r\nNats-Num-Pending: %llu\r\n"
                 "Nats-Last-Sequence: %llu\r\n\r\n",
                 (unsigned long long)position, (unsigned long long)(fake->last - position),
                 (unsigned long long)before);
        answer(fake, reply, headers, "x");
    }
    snprintf(headers, sizeof headers,
             "NATS/1.0 204 EOB\r\nNats-Num-Pending: %llu\r\nNats-Last-Sequence: %llu\r\n\r\n",
             (unsigned long long)(fake->last - before), (unsigned long long)before);
    if (!fake->lose_end)
        answer(fake, reply, headers, "");
    fake->lose_end = false;
}

static void on_request(struct fake_stream *fake, const char *reply, const char *body)
{
    unsigned long long from = 0, batch = 0;
    must(sscanf(body, "{\"seq\":%llu,\"batch\":%llu", &from, &batch) == 2, "reading a request");
    fake->requests++;
    if (fake->status != NULL) {
        char headers[64];
        snprintf(headers, sizeof headers, "NATS/1.0 %s\r\n\r\n", fake->status);
        fake->status = NULL;
        answer(fake, reply, headers, "");
    } else if (fake->behind > 0 || from > fake->last) {
        fake->behind -= fake->behind > 0 ? 1 : 0;
        answer(fake, reply, "NATS/1.0 404 Message Not Found\r\n\r\n", "");
    } else {
        answer_batch(fake, reply, from, batch);
    }
}

/* One protocol line with what belongs to it; the bytes it took, 0 when it is not whole yet. */
static size_t take_line(struct fake_stream *fake, char *line)
{
    char *end = strstr(line, "\r\n");
    if (end == NULL)
        return 0;
    char subject[128], reply[256];
    int size = 0;
    if (strncmp(line, "PING", 4) == 0)
        send_all(fake, "PONG\r\n", 6);
    if (sscanf(line, "MSG %127s 1 %255s %d", subject, reply, &size) != 3)
        return (size_t)(end - line) + 2;
    char *body = end + 2;
    if (strlen(body) < (size_t)size + 2)
        return 0;
    body[size] = '\0';
    on_request(fake, reply, body);
    return (size_t)(body - line) + (size_t)size + 2;
}

static void on_event(struct loop_io *io, uint32_t events)
{
    (void)events;
    struct fake_stream *fake = container_of(io, struct fake_stream, io);
    ssize_t count =
        recv(io->fd, fake->input + fake->input_size, sizeof fake->input - 1 - fake->input_size, 0);
    must(count > 0, "receiving");
    fake->input_size += (size_t)count;
    fake->input[fake->input_size] = '\0';
    size_t taken = 0, line;
    while ((line = take_line(fake, fake->input + taken)) > 0)
        taken += line;
    fake->input_size -= taken;
    memmove(fake->input, fake->input + taken, fake->input_size + 1);
}

void fake_stream_open(struct fake_stream *fake, struct loop *loop, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)port)};
    *fake = (struct fake_stream){.loop = loop};
    fake->io = (struct loop_io){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
                                .events = EPOLLIN,
                                .on_event = on_event};
    must(connect(fake->io.fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
             loop_io_add(loop, &fake->io) == 0,
         "connecting");
    static const char hello[] = "CONNECT {\"verbose\":false,\"headers\":true}\r\n"
                                "SUB $JS.API.DIRECT.GET.FAKE 1\r\n";
    send_all(fake, hello, sizeof hello - 1);
}

void fake_stream_close(struct fake_stream *fake)
{
    loop_io_remove(fake->loop, &fake->io);
    close(fake->io.fd);
}
