/* Sends datagrams from one network namespace to another and tells how long they took.
 *
 *   wan_load --from PATH --to PATH --address IPV4 [--rate PACKETS_PER_S] [--seconds S] [--size N]
 *
 * PATH is a namespace, as /run/netns/sin; the address is one of the second. Open loop: packets fall
 * due at the rate. Prints one line of JSON. */
#include "measure.h"

#include "base/clock.h"
#include "base/macros.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    SIZE_MIN = sizeof(int64_t),
    SIZE_MAX_ = 1400, /* with its headers it still is one packet */
    BUFFER_BYTES = 8 << 20,
    SILENCE_US = 500 * 1000, /* after the last packet sent: no more will come */
    PAUSE_US = 200,
};

static const char *from_path, *to_path, *address_text;
static double rate = 1000, seconds = 5;
static size_t size = 64;
static int64_t *took_us; /* of each packet that came */
static size_t took_count, took_max;

/* In the namespace; the thread stays there. */
static int socket_in(const char *path)
{
    int space = open(path, O_RDONLY | O_CLOEXEC);
    must(space >= 0 && setns(space, CLONE_NEWNET) == 0, "cannot enter a namespace");
    close(space);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), bytes = BUFFER_BYTES;
    must(fd >= 0, "no socket");
    must(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) == 0 &&
             setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) == 0,
         "cannot set the buffers");
    return fd;
}

static void *receive(void *context)
{
    int fd = *(int *)context;
    char packet[SIZE_MAX_];
    while (took_count < took_max) {
        ssize_t got = recv(fd, packet, sizeof packet, 0);
        if (got < SIZE_MIN) /* the silence after the last */
            return NULL;
        int64_t sent_us;
        memcpy(&sent_us, packet, sizeof sent_us);
        took_us[took_count++] = clock_monotonic_us() - sent_us;
    }
    return NULL;
}

/* Returns how many it sent. */
static size_t send_all(int fd, int64_t begin_us)
{
    char packet[SIZE_MAX_] = {0};
    size_t sent = 0;
    for (int64_t now_us = begin_us; (double)(now_us - begin_us) < seconds * 1e6;
         now_us = clock_monotonic_us()) {
        size_t due = (size_t)((double)(now_us - begin_us) * rate / 1e6);
        if (sent >= due || sent == took_max) {
            usleep(PAUSE_US);
            continue;
        }
        int64_t stamp_us = clock_monotonic_us();
        memcpy(packet, &stamp_us, sizeof stamp_us);
        must(send(fd, packet, size, 0) == (ssize_t)size, "cannot send");
        sent++;
    }
    return sent;
}

static int compare(const void *a, const void *b)
{
    int64_t one = *(const int64_t *)a, other = *(const int64_t *)b;
    return (one > other) - (one < other);
}

static int64_t percentile(double part)
{
    return took_count == 0 ? -1 : took_us[(size_t)((double)(took_count - 1) * part)];
}

static void parse(int argc, char **argv)
{
    static const struct option options[] = {
        {"from", required_argument, NULL, 'f'},
        {"to", required_argument, NULL, 't'},
        {"address", required_argument, NULL, 'a'},
        {"rate", required_argument, NULL, 'r'},
        {"seconds", required_argument, NULL, 's'},
        {"size", required_argument, NULL, 'z'},
        {NULL, 0, NULL, 0},
    };
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case 'f':
            from_path = optarg;
            break;
        case 't':
            to_path = optarg;
            break;
        case 'a':
            address_text = optarg;
            break;
        case 'r':
            rate = atof(optarg);
            break;
        case 's':
            seconds = atof(optarg);
            break;
        case 'z':
            size = (size_t)atoi(optarg);
            break;
        default:
            exit(1);
        }
    }
    must(from_path != NULL && to_path != NULL && address_text != NULL,
         "--from, --to and --address must be given");
    must(size >= SIZE_MIN && size <= SIZE_MAX_, "--size must be 8 to 1400");
}

/* A socket that listens at the address, and one of the other namespace that sends to it. */
static void join(int *ret_receiver, int *ret_sender)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    struct timeval silence = {.tv_usec = SILENCE_US};
    socklen_t length = sizeof address;
    must(inet_pton(AF_INET, address_text, &address.sin_addr) == 1, "--address is none");
    *ret_receiver = socket_in(to_path);
    must(bind(*ret_receiver, (struct sockaddr *)&address, sizeof address) == 0 &&
             getsockname(*ret_receiver, (struct sockaddr *)&address, &length) == 0 &&
             setsockopt(*ret_receiver, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof silence) == 0,
         "cannot listen at the address");
    *ret_sender = socket_in(from_path);
    must(connect(*ret_sender, (struct sockaddr *)&address, sizeof address) == 0, "cannot connect");
}

int main(int argc, char **argv)
{
    int receiver, sender;
    pthread_t thread;
    parse(argc, argv);
    join(&receiver, &sender);
    took_max = (size_t)(rate * seconds) + 1;
    took_us = calloc(took_max, sizeof *took_us);
    must(took_us != NULL, "memory is short");
    must(pthread_create(&thread, NULL, receive, &receiver) == 0, "no thread");
    int64_t begin_us = clock_monotonic_us();
    size_t sent = send_all(sender, begin_us);
    double lasted_s = (double)(clock_monotonic_us() - begin_us) / 1e6;
    pthread_join(thread, NULL);
    qsort(took_us, took_count, sizeof *took_us, compare);
    printf("{\"sent\":%zu,\"received\":%zu,\"seconds\":%.3f,\"p50_us\":%" PRId64
           ",\"p99_us\":%" PRId64 ",\"max_us\":%" PRId64 "}\n",
           sent, took_count, lasted_s, percentile(0.5), percentile(0.99), percentile(1));
    free(took_us);
    return 0;
}
