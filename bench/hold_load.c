/* Many clients that stay, as one of several such programs: told by its standard input what to do.
 *
 *   hold_load --number N --of M --users U [--from ADDRESS] HOST:PORT
 *
 * Connects U users, named after its number, from ADDRESS (an address has some 28,000 ports), again
 * where one is told to wait, and prints {"opened"...} when all are welcomed. Then, for each line:
 *
 *   look         prints how many are still there, and how many were pinged since the last look
 *   talk RATE    each user sends one message to the user of its place in the next program, RATE a
 *                second in all; prints how many were accepted, and how many users were reached
 *   heard        prints how many users were reached by now
 *
 * Exits 1 when a client that was welcomed is cut off. */
#include "load_client.h"
#include "measure.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    AT_ONCE = 256, /* that connect */
    AGAIN_US = 300 * 1000,
    TALK_US = 120 * 1000 * 1000,
    COMMANDS = UINT32_MAX - 1, /* in place of a user's number */
};

struct user {
    struct load_client client;
    int64_t again_us; /* not before then */
    bool welcomed, answered, reached;
};

static struct {
    uint32_t number, of, users;
    struct sockaddr_in from, to;
} options = {.of = 1, .from = {.sin_family = AF_INET}};

static struct user *users;
static int epoll_fd;
static uint32_t welcomed, connecting, accepted, reached;
static uint64_t cut_off, refused, again;
static char command[80];
static size_t command_size;

static void say(struct user *user, const char *format, ...) PRINTF_LIKE(2, 3);
static void say(struct user *user, const char *format, ...)
{
    char text[200];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    load_client_send(&user->client, (struct text){text, (size_t)size});
}

static void lose(struct user *user)
{
    load_client_close(&user->client);
    if (user->welcomed) {
        cut_off++;
        welcomed--;
        user->welcomed = false;
        return;
    }
    refused++;
    connecting--;
    user->again_us = clock_monotonic_us() + AGAIN_US;
}

static void greet(struct user *user)
{
    say(user, "{\"t\":\"hello\",\"user\":\"hold-%u-%zu\",\"device\":\"d\",\"start\":\"head\"}",
        options.number, (size_t)(user - users));
}

static void send_message(struct user *user)
{
    say(user, "{\"t\":\"send\",\"id\":\"m\",\"to\":\"hold-%u-%zu\",\"body\":{\"hello\":1}}",
        (options.number + 1) % options.of, (size_t)(user - users));
}

static void on_frame(struct user *user, struct text frame)
{
    if (load_client_after(frame, "\"t\":\"welcome\"") != NULL && !user->welcomed) {
        user->welcomed = true;
        welcomed++;
        connecting--;
    } else if (load_client_after(frame, "\"t\":\"msg\"") != NULL && !user->reached) {
        user->reached = true;
        reached++;
    } else if (load_client_after(frame, "\"t\":\"accepted\"") != NULL && !user->answered) {
        user->answered = true;
        accepted++;
    } else if (load_client_after(frame, "\"t\":\"rejected\"") != NULL) {
        again++;
        send_message(user); /* the same id: it cannot come twice */
    }
}

static void read_all(struct user *user)
{
    struct text frame;
    enum load_state before = user->client.state;
    if (load_client_read(&user->client) != 0) {
        lose(user);
        return;
    }
    while (load_client_next(&user->client, &frame))
        on_frame(user, frame);
    load_client_compact(&user->client);
    if (user->client.state == LOAD_CLOSED) /* its handshake was refused */
        lose(user);
    else if (before != LOAD_OPEN && user->client.state == LOAD_OPEN)
        greet(user);
}

static void on_event(struct user *user, uint32_t events)
{
    if (user->client.state != LOAD_CLOSED && (events & ~(uint32_t)EPOLLOUT) != 0)
        read_all(user);
    if (user->client.state != LOAD_CLOSED && load_client_flush(&user->client) != 0)
        lose(user);
}

static void connect_user(struct user *user)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET,
                                .data.u32 = (uint32_t)(user - users)};
    connecting++;
    if (load_client_open_from(&user->client, &options.from, &options.to) != 0) {
        user->client.state = LOAD_CLOSED;
        lose(user);
        return;
    }
    must(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, user->client.fd, &event) == 0, "epoll");
}

static void turn(int wait_ms)
{
    struct epoll_event events[512];
    int count = epoll_wait(epoll_fd, events, (int)COUNT_OF(events), wait_ms);
    for (int i = 0; i < count; i++) {
        if (events[i].data.u32 != COMMANDS) {
            on_event(&users[events[i].data.u32], events[i].events);
            continue;
        }
        ssize_t got = read(STDIN_FILENO, command + command_size, sizeof command - 1 - command_size);
        if (got <= 0)
            exit(cut_off == 0 ? 0 : 1);
        command_size += (size_t)got;
    }
}

static void open_all(void)
{
    int64_t begun_us = clock_monotonic_us();
    uint32_t next = 0;
    while (welcomed < options.users) {
        int64_t now_us = clock_monotonic_us();
        for (uint32_t looked = 0; looked < options.users && connecting < AT_ONCE; looked++) {
            struct user *user = &users[next];
            next = (next + 1) % options.users;
            if (user->client.state == LOAD_CLOSED && now_us >= user->again_us)
                connect_user(user);
        }
        turn(10);
    }
    printf("{\"opened\":%u,\"refused\":%" PRIu64 ",\"seconds\":%.1f}\n", welcomed, refused,
           (double)(clock_monotonic_us() - begun_us) / 1e6);
}

static void look(void)
{
    uint32_t pinged = 0;
    uint64_t pings = 0;
    for (uint32_t i = 0; i < options.users; i++) {
        pinged += users[i].client.pings > 0;
        pings += users[i].client.pings;
        users[i].client.pings = 0;
    }
    printf("{\"there\":%u,\"cut_off\":%" PRIu64 ",\"pinged\":%u,\"pings\":%" PRIu64 "}\n", welcomed,
           cut_off, pinged, pings);
}

static void talk(double rate)
{
    int64_t begun_us = clock_monotonic_us();
    uint32_t sent = 0;
    while (accepted < options.users && clock_monotonic_us() - begun_us < TALK_US) {
        double due = (double)(clock_monotonic_us() - begun_us) / 1e6 * rate;
        for (; sent < options.users && sent < due; sent++) {
            send_message(&users[sent]);
            on_event(&users[sent], 0);
        }
        turn(2);
    }
    printf("{\"accepted\":%u,\"again\":%" PRIu64 ",\"seconds\":%.2f}\n", accepted, again,
           (double)(clock_monotonic_us() - begun_us) / 1e6);
}

static void obey(const char *line)
{
    if (strcmp(line, "look") == 0)
        look();
    else if (strcmp(line, "heard") == 0)
        printf("{\"reached\":%u}\n", reached);
    else if (strncmp(line, "talk ", 5) == 0)
        talk(atof(line + 5));
    else
        must(false, "a command that is not known");
    fflush(stdout);
}

static void obey_all(void)
{
    for (char *end; (end = memchr(command, '\n', command_size)) != NULL;) {
        char line[sizeof command];
        size_t size = (size_t)(end - command);
        memcpy(line, command, size);
        line[size] = '\0';
        command_size -= size + 1;
        memmove(command, end + 1, command_size);
        obey(line);
    }
}

static void parse(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"number", required_argument, NULL, 'n'},
        {"of", required_argument, NULL, 'o'},
        {"users", required_argument, NULL, 'u'},
        {"from", required_argument, NULL, 'f'},
        {NULL, 0, NULL, 0},
    };
    for (int option; (option = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        if (option == 'n')
            options.number = (uint32_t)atoi(optarg);
        else if (option == 'o')
            options.of = (uint32_t)atoi(optarg);
        else if (option == 'u')
            options.users = (uint32_t)atoi(optarg);
        else
            must(option == 'f' && inet_pton(AF_INET, optarg, &options.from.sin_addr) == 1,
                 "arguments");
    }
    must(optind == argc - 1 && load_client_address(argv[optind], &options.to) == 0, "HOST:PORT");
}

int main(int argc, char **argv)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = COMMANDS};
    parse(argc, argv);
    users = calloc(options.users, sizeof *users);
    epoll_fd = epoll_create1(0);
    must(users != NULL && epoll_fd >= 0, "memory");
    must(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &event) == 0, "standard input");
    open_all();
    fflush(stdout);
    for (;;) {
        turn(100);
        obey_all();
    }
}
