/* Load on edges: opens clients, lets each send to its partner at a rate, and measures.
 *
 *   load --users N --rate MESSAGES_PER_S --seconds S [--size BYTES] [--hold S] [--tls]
 *        [--until connected|upgraded|welcomed] [--again] HOST:PORT...
 *
 * Users are spread over the addresses in turn; user i sends to user i + N/2, so that with an
 * even number of addresses the partner is at another one. With --rate 0 the clients only stay
 * (--hold). Open loop: a message leaves when it is due, whether or not the one before was
 * answered; but no user has more than 200 unanswered. With --until they go no further than that,
 * so that other servers can be held against an edge. With --again all close
 * when all are open, and come back at once with their cursors; who is refused comes again after 1
 * to 10 s, as edges say. Prints one JSON object; times in ms. Exits
 * 1 when anything accepted was not delivered, came twice or out of order. */
#include "load_client.h"

#include "base/clock.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>

struct user {
    struct load_client client;
    bool welcomed;
    bool dirty; /* has output to flush */
    uint32_t sent;
    uint32_t answered;
    uint32_t got; /* the number its partner's last message had */
    char cursor[40];
    uint32_t unacked;
    int64_t again_ms; /* a refused one's next attempt */
};

struct samples {
    uint32_t *us;
    size_t count, capacity;
};

enum until { UNTIL_CONNECTED, UNTIL_UPGRADED, UNTIL_WELCOMED };
static const char *const untils[] = {"connected", "upgraded", "welcomed"};

static struct {
    enum until until;
    bool again;
    size_t users;
    double rate;
    double seconds;
    double hold;
    size_t size;
    struct sockaddr_in to[64];
    size_t to_count;
} options = {.until = UNTIL_WELCOMED, .users = 100, .seconds = 5, .size = 200};

static struct user *users;
static int epoll_fd;
static struct samples accepted_us, delivered_us;
static uint64_t sent, accepted, rejected, delivered, repeated, disordered, closed, refused;
static int64_t *sent_at; /* ring of 256 send times a user */
static char *padding;
static uint64_t run_id; /* of the ids, or a second run would repeat those of the first */

static void sample(struct samples *samples, int64_t us)
{
    if (samples->count == samples->capacity) {
        samples->capacity = samples->capacity == 0 ? 1 << 16 : samples->capacity * 2;
        samples->us = realloc(samples->us, samples->capacity * sizeof *samples->us);
        if (samples->us == NULL)
            abort();
    }
    samples->us[samples->count++] = us < 0 ? 0 : us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static double percentile_ms(struct samples *samples, double part)
{
    if (samples->count == 0)
        return 0;
    size_t at = (size_t)((double)samples->count * part);
    return samples->us[at < samples->count ? at : samples->count - 1] / 1000.0;
}

static void say(struct user *user, struct text text)
{
    load_client_send(&user->client, text);
    user->dirty = true;
}

static void keep_cursor(struct user *user, const char *cursor)
{
    size_t size = 0;
    while (size + 1 < sizeof user->cursor && cursor[size] != '"')
        size++;
    memcpy(user->cursor, cursor, size);
    user->cursor[size] = '\0';
}

static void on_welcome(struct user *user, struct text frame)
{
    const char *cursor = load_client_after(frame, "\"cursor\":\"");
    if (cursor != NULL)
        keep_cursor(user, cursor);
    user->welcomed = true;
}

static void on_message(struct user *user, struct text frame, int64_t now)
{
    const char *number = load_client_after(frame, "\"n\":");
    const char *at = load_client_after(frame, "\"us\":");
    const char *cursor = load_client_after(frame, "\"cursor\":\"");
    if (number == NULL || at == NULL || cursor == NULL)
        return;
    uint32_t n = (uint32_t)strtoul(number, NULL, 10);
    if (n <= user->got)
        repeated++;
    else if (n != user->got + 1)
        disordered++;
    user->got = n > user->got ? n : user->got;
    delivered++;
    sample(&delivered_us, now - strtoll(at, NULL, 10));
    keep_cursor(user, cursor);
    user->unacked++;
}

static void acknowledge(struct user *user)
{
    char ack[80];
    int size = snprintf(ack, sizeof ack, "{\"t\":\"ack\",\"cursor\":\"%s\"}", user->cursor);
    say(user, (struct text){ack, (size_t)size});
    user->unacked = 0;
}

static void on_answer(struct user *user, struct text frame, int64_t now, bool is_accepted)
{
    const char *id = load_client_after(frame, "\"id\":\"");
    if (id == NULL)
        return;
    const char *number = memchr(id, '-', frame.size - (size_t)(id - frame.data));
    if (number == NULL)
        return;
    uint32_t n = (uint32_t)strtoul(number + 1, NULL, 10);
    if (is_accepted)
        accepted++;
    else
        rejected++;
    user->answered++;
    sample(&accepted_us, now - sent_at[(size_t)(user - users) * 256 + n % 256]);
}

static void on_frame(struct user *user, struct text frame, int64_t now)
{
    if (load_client_after(frame, "\"t\":\"msg\"") != NULL)
        on_message(user, frame, now);
    else if (load_client_after(frame, "\"t\":\"accepted\"") != NULL)
        on_answer(user, frame, now, true);
    else if (load_client_after(frame, "\"t\":\"rejected\"") != NULL)
        on_answer(user, frame, now, false);
    else if (load_client_after(frame, "\"t\":\"welcome\"") != NULL)
        on_welcome(user, frame);
}

static void lose(struct user *user)
{
    closed++;
    load_client_close(&user->client);
    user->welcomed = false;
}

static void greet(struct user *user)
{
    char hello[160];
    char start[64] = "\"start\":\"head\"";
    if (options.until == UNTIL_UPGRADED) {
        user->welcomed = true;
        return;
    }
    if (user->cursor[0] != '\0')
        (void)snprintf(start, sizeof start, "\"cursor\":\"%s\"", user->cursor);
    int size =
        snprintf(hello, sizeof hello, "{\"t\":\"hello\",\"user\":\"load-%zu\",\"device\":\"d\",%s}",
                 (size_t)(user - users), start);
    say(user, (struct text){hello, (size_t)size});
}

static void on_event(struct user *user, uint32_t events)
{
    if (user->client.state == LOAD_CLOSED)
        return;
    if (options.until == UNTIL_CONNECTED) {
        user->welcomed = user->welcomed || (events & EPOLLOUT) != 0;
        return;
    }
    if ((events & EPOLLOUT) != 0)
        user->dirty = true;
    if ((events & EPOLLIN) != 0) {
        enum load_state before = user->client.state;
        if (before < LOAD_OPEN)
            user->dirty = true; /* TLS may now take the handshake */
        if (load_client_read(&user->client) != 0) {
            lose(user);
            return;
        }
        int64_t now = clock_monotonic_us();
        struct text frame;
        while (load_client_next(&user->client, &frame))
            on_frame(user, frame, now);
        load_client_compact(&user->client);
        if (before != LOAD_OPEN && user->client.state == LOAD_OPEN)
            greet(user);
        if (user->unacked >= 32)
            acknowledge(user);
    }
    if (user->dirty) {
        user->dirty = false;
        if (load_client_flush(&user->client) != 0)
            lose(user);
    }
}

static void turn(int wait_ms)
{
    struct epoll_event events[512];
    int count = epoll_wait(epoll_fd, events, (int)COUNT_OF(events), wait_ms);
    for (int i = 0; i < count; i++)
        on_event(&users[events[i].data.u32], events[i].events);
}

static size_t welcomed_users(void)
{
    size_t count = 0;
    for (size_t i = 0; i < options.users; i++)
        count += users[i].welcomed;
    return count;
}

static void open_one(struct user *user)
{
    size_t index = (size_t)(user - users);
    if (load_client_open(&user->client, &options.to[index % options.to_count]) != 0) {
        perror("cannot connect");
        exit(2);
    }
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET,
                                .data.u32 = (uint32_t)index};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, user->client.fd, &event);
}

/* Opens all clients, at most so many unfinished at a time. */
static void open_all(size_t unfinished_max)
{
    int64_t give_up = clock_monotonic_ms() + 120000;
    for (size_t next = 0; clock_monotonic_ms() < give_up;) {
        size_t done = welcomed_users();
        for (; next < options.users && next - done < unfinished_max; next++)
            open_one(&users[next]);
        if (done + closed >= options.users)
            return;
        turn(20);
    }
}

static void open_again(struct user *user, int64_t now_ms)
{
    if (user->client.state != LOAD_CLOSED)
        return;
    if (user->again_ms == 0) {
        user->again_ms = now_ms + 1000 + rand() % 9000;
        refused++;
    } else if (now_ms >= user->again_ms) {
        user->again_ms = 0;
        open_one(user);
    }
}

/* All go, and all come back at once. */
static void come_again(void)
{
    for (size_t i = 0; i < options.users; i++) {
        load_client_close(&users[i].client);
        users[i].welcomed = false;
    }
    int64_t start = clock_monotonic_ms();
    for (size_t i = 0; i < options.users; i++)
        open_one(&users[i]);
    while (welcomed_users() < options.users && clock_monotonic_ms() < start + 120000) {
        turn(20);
        for (size_t i = 0; i < options.users; i++)
            open_again(&users[i], clock_monotonic_ms());
    }
    printf("{\"resumed\":%zu,\"resume_s\":%.3f,\"refused\":%" PRIu64 "}\n", welcomed_users(),
           (double)(clock_monotonic_ms() - start) / 1e3, refused);
    fflush(stdout);
}

static void send_one(struct user *user, int64_t due)
{
    if (!user->welcomed || user->sent - user->answered >= 200)
        return;
    size_t index = (size_t)(user - users);
    size_t partner = (index + options.users / 2) % options.users;
    uint32_t n = ++user->sent;
    sent_at[index * 256 + n % 256] = due;
    static char frame[70000];
    int size = snprintf(frame, sizeof frame,
                        "{\"t\":\"send\",\"id\":\"%" PRIx64 "-%u\",\"to\":\"load-%zu\",\"body\":"
                        "{\"n\":%u,\"us\":%" PRId64 ",\"pad\":\"%s\"}}",
                        run_id, n, partner, n, due, padding);
    say(user, (struct text){frame, (size_t)size});
    sent++;
    on_event(user, 0);
}

static void talk(void)
{
    int64_t start = clock_monotonic_us();
    int64_t end = start + (int64_t)(options.seconds * 1e6);
    uint64_t due_count = 0;
    int64_t last_acks = start;
    for (int64_t now = start; now < end; now = clock_monotonic_us()) {
        uint64_t due = (uint64_t)((double)(now - start) * options.rate / 1e6);
        for (; due_count < due; due_count++)
            send_one(&users[due_count % options.users],
                     start + (int64_t)((double)due_count * 1e6 / options.rate));
        turn(1);
        if (now - last_acks > 100000) {
            last_acks = now;
            for (size_t i = 0; i < options.users; i++)
                if (users[i].unacked > 0) {
                    acknowledge(&users[i]);
                    on_event(&users[i], 0);
                }
        }
    }
    /* What is accepted must come: up to 15 s. */
    int64_t give_up = clock_monotonic_us() + 15000000;
    while (clock_monotonic_us() < give_up && (accepted + rejected < sent || delivered < accepted)) {
        turn(10);
        for (size_t i = 0; i < options.users; i++)
            if (users[i].unacked > 0) {
                acknowledge(&users[i]);
                on_event(&users[i], 0);
            }
    }
}

static void parse_until(const char *name)
{
    size_t i = 0;
    while (i < COUNT_OF(untils) && strcmp(name, untils[i]) != 0)
        i++;
    if (i == COUNT_OF(untils)) {
        fprintf(stderr, "--until %s is unknown\n", name);
        exit(2);
    }
    options.until = (enum until)i;
}

static void parse(int argc, char **argv)
{
    static const struct option longs[] = {{"users", required_argument, NULL, 'u'},
                                          {"rate", required_argument, NULL, 'r'},
                                          {"seconds", required_argument, NULL, 's'},
                                          {"size", required_argument, NULL, 'z'},
                                          {"hold", required_argument, NULL, 'h'},
                                          {"until", required_argument, NULL, 'w'},
                                          {"tls", no_argument, NULL, 't'},
                                          {"again", no_argument, NULL, 'a'},
                                          {0}};
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        switch (c) {
        case 'u':
            options.users = strtoul(optarg, NULL, 10);
            break;
        case 'r':
            options.rate = strtod(optarg, NULL);
            break;
        case 's':
            options.seconds = strtod(optarg, NULL);
            break;
        case 'z':
            options.size = strtoul(optarg, NULL, 10);
            break;
        case 'h':
            options.hold = strtod(optarg, NULL);
            break;
        case 'w':
            parse_until(optarg);
            break;
        case 'a':
            options.again = true;
            break;
        case 't':
            load_client_use_tls();
            break;
        default:
            exit(2);
        }
    }
    for (int i = optind; i < argc && options.to_count < COUNT_OF(options.to); i++) {
        if (load_client_address(argv[i], &options.to[options.to_count++]) != 0) {
            fprintf(stderr, "not HOST:PORT: %s\n", argv[i]);
            exit(2);
        }
    }
    if (options.to_count == 0 || options.users < 2 || options.size > 60000) {
        fprintf(stderr,
                "usage: load --users N --rate R --seconds S [--size B] [--hold S] HOST:PORT...\n");
        exit(2);
    }
}

int main(int argc, char **argv)
{
    parse(argc, argv);
    run_id = (uint64_t)clock_monotonic_us();
    struct rlimit files = {20000, 20000};
    setrlimit(RLIMIT_NOFILE, &files);
    users = calloc(options.users, sizeof *users);
    sent_at = calloc(options.users * 256, sizeof *sent_at);
    padding = calloc(1, options.size + 1);
    epoll_fd = epoll_create1(0);
    if (users == NULL || sent_at == NULL || padding == NULL || epoll_fd < 0)
        abort();
    memset(padding, 'x', options.size > 60 ? options.size - 60 : 0);

    int64_t start = clock_monotonic_us();
    open_all(200);
    double open_s = (double)(clock_monotonic_us() - start) / 1e6;
    size_t opened = welcomed_users();
    printf("{\"opened\":%zu,\"open_s\":%.3f}\n", opened, open_s);
    fflush(stdout);

    if (options.again)
        come_again();
    start = clock_monotonic_us();
    if (options.rate > 0)
        talk();
    double talk_s = (double)(clock_monotonic_us() - start) / 1e6;
    for (int64_t end = clock_monotonic_ms() + (int64_t)(options.hold * 1000);
         clock_monotonic_ms() < end;)
        turn(100);

    qsort(accepted_us.us, accepted_us.count, sizeof *accepted_us.us, by_value);
    qsort(delivered_us.us, delivered_us.count, sizeof *delivered_us.us, by_value);
    printf("{\"sent\":%" PRIu64 ",\"accepted\":%" PRIu64 ",\"rejected\":%" PRIu64
           ",\"delivered\":%" PRIu64 ",\"repeated\":%" PRIu64 ",\"disordered\":%" PRIu64
           ",\"closed\":%" PRIu64 ",\"talk_s\":%.3f,\"accepted_p50\":%.2f,\"accepted_p99\":%.2f"
           ",\"delivered_p50\":%.2f,\"delivered_p99\":%.2f}\n",
           sent, accepted, rejected, delivered, repeated, disordered, closed, talk_s,
           percentile_ms(&accepted_us, 0.5), percentile_ms(&accepted_us, 0.99),
           percentile_ms(&delivered_us, 0.5), percentile_ms(&delivered_us, 0.99));
    return opened < options.users || delivered < accepted || repeated > 0 || disordered > 0;
}
