/* A talk that goes on whatever fails: users who connect again, resume, and repeat what was not
 * answered, until everything is accepted.
 *
 *   talk --users N --rate MESSAGES_PER_S --seconds S [--log FILE] [--name NAME]
 *        HOST:PORT HOST:PORT ...
 *
 * Users are NAME-0, NAME-1 and so on; another run on the same cluster needs another name.
 *
 * The addresses come in pairs, two edges of a region each. User i begins at address i modulo their
 * number, and goes to the other one of the pair when it is cut off. Each user sends to the PARTNERS
 * users after it, in turn, one message at a time: the next one leaves when the one before is
 * accepted, so each flow has one order, and it is checked here. Messages fall due at the rate; what
 * a user could not send when it was due, it sends as fast as it is accepted.
 *
 * SIGTERM ends the time before it is over. Times are of the monotonic clock. The log gets a line
 * for each message accepted (a) and delivered (d): kind, user, time in us, us since it was sent
 * first. Exits 1 on loss, repeats or disorder. */
#include "load_client.h"

#include "base/clock.h"

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

enum {
    PARTNERS = 5,
    ADDRESSES_MAX = 64,
    AGAIN_US = 100 * 1000,         /* after a loss or a rejection */
    WELCOME_US = 10 * 1000 * 1000, /* for what is not welcomed or told to wait */
    ANSWER_US = 10 * 1000 * 1000,  /* then the outcome is unknown, and the send is repeated */
    ACKS_APART_US = 100 * 1000,
    COMPLETE_US = 60 * 1000 * 1000, /* for what is accepted to come */
};

struct flow { /* from one user to one of its partners */
    uint32_t sent;
    uint32_t accepted;
    uint32_t got;
};

struct user {
    struct load_client client;
    size_t address;
    bool connected;   /* may send */
    int64_t since_us; /* the last try to connect */
    uint64_t owed;    /* due and not begun */
    uint64_t begun;
    bool waiting;     /* for the outcome of `begun` */
    int64_t begun_us; /* when it was sent first... */
    int64_t tried_us; /* ...and last; 0: it is to be sent */
    char cursor[40];
    bool unacked;
    struct flow flows[PARTNERS];
};

static size_t user_count = 60;
static double rate = 100, seconds = 5;
static struct sockaddr_in addresses[ADDRESSES_MAX];
static size_t address_count;
static struct user *users;
static int epoll_fd;
static FILE *log_file;
static const char *name = "talk";
static volatile sig_atomic_t is_told_to_end;
static uint64_t accepted, delivered, repeated, disordered, rejected, reconnects;

static void note(char kind, const struct user *user, int64_t now, int64_t since)
{
    if (log_file != NULL)
        fprintf(log_file, "%c %zu %" PRId64 " %" PRId64 "\n", kind, (size_t)(user - users), now,
                now - since);
}

static void say(struct user *user, const char *text, int size)
{
    load_client_send(&user->client, (struct text){text, (size_t)size});
}

/* --- connecting --- */

static void connect_user(struct user *user, int64_t now)
{
    user->since_us = now;
    if (load_client_open(&user->client, &addresses[user->address]) != 0) {
        user->address ^= 1;
        return;
    }
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET,
                                .data.u32 = (uint32_t)(user - users)};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, user->client.fd, &event);
}

static void lose(struct user *user, int64_t now)
{
    load_client_close(&user->client);
    user->connected = false;
    user->since_us = now;
    user->tried_us = 0; /* its outcome is unknown: it is repeated */
    user->address ^= 1;
    reconnects++;
}

static void greet(struct user *user)
{
    char hello[200];
    int size =
        snprintf(hello, sizeof hello, "{\"t\":\"hello\",\"user\":\"%s-%zu\",\"device\":\"d\",",
                 name, (size_t)(user - users));
    if (user->cursor[0] == '\0')
        size += snprintf(hello + size, sizeof hello - (size_t)size, "\"start\":\"head\"}");
    else
        size +=
            snprintf(hello + size, sizeof hello - (size_t)size, "\"cursor\":\"%s\"}", user->cursor);
    say(user, hello, size);
}

/* --- talking --- */

static void send_due(struct user *user, int64_t now)
{
    if (!user->waiting && user->owed > 0) {
        user->owed--;
        user->waiting = true;
        user->begun_us = now;
        user->tried_us = 0;
        user->flows[user->begun++ % PARTNERS].sent++;
    }
    if (!user->waiting || user->tried_us != 0 || !user->connected)
        return;
    size_t slot = (user->begun - 1) % PARTNERS;
    size_t from = (size_t)(user - users);
    uint32_t number = user->flows[slot].sent;
    char frame[300];
    int size =
        snprintf(frame, sizeof frame,
                 "{\"t\":\"send\",\"id\":\"%zu-%zu-%u\",\"to\":\"%s-%zu\",\"body\":{\"from\":%zu,"
                 "\"slot\":%zu,\"n\":%u,\"us\":%" PRId64 "}}",
                 from, slot, number, name, (from + 1 + slot) % user_count, from, slot, number,
                 user->begun_us);
    user->tried_us = now;
    say(user, frame, size);
}

static void on_message(struct user *user, struct text frame, int64_t now)
{
    const char *from = load_client_after(frame, "\"from\":");
    const char *body = load_client_after(frame, "\"body\":{\"from\":");
    const char *slot = load_client_after(frame, "\"slot\":");
    const char *number = load_client_after(frame, "\"n\":");
    const char *at = load_client_after(frame, "\"us\":");
    const char *cursor = load_client_after(frame, "\"cursor\":\"");
    if (from == NULL || body == NULL || slot == NULL || number == NULL || at == NULL ||
        cursor == NULL)
        abort();
    struct user *sender = &users[strtoul(body, NULL, 10) % user_count];
    struct flow *flow = &sender->flows[strtoul(slot, NULL, 10) % PARTNERS];
    uint32_t n = (uint32_t)strtoul(number, NULL, 10);
    if (n <= flow->got)
        repeated++;
    else if (n != flow->got + 1)
        disordered++;
    if (n > flow->got)
        flow->got = n;
    delivered++;
    note('d', user, now, strtoll(at, NULL, 10));
    size_t size = strcspn(cursor, "\"");
    if (size >= sizeof user->cursor)
        abort();
    memcpy(user->cursor, cursor, size);
    user->cursor[size] = '\0';
    user->unacked = true;
}

static void on_outcome(struct user *user, struct text frame, int64_t now, bool is_accepted)
{
    size_t slot = (user->begun - 1) % PARTNERS;
    struct flow *flow = &user->flows[slot];
    char id[64];
    snprintf(id, sizeof id, "\"id\":\"%zu-%zu-%u\"", (size_t)(user - users), slot, flow->sent);
    if (!user->waiting || load_client_after(frame, id) == NULL)
        return; /* of an earlier attempt */
    if (!is_accepted) {
        rejected++;
        user->tried_us = now - ANSWER_US + AGAIN_US; /* repeated soon */
        return;
    }
    user->waiting = false;
    flow->accepted = flow->sent;
    accepted++;
    note('a', user, now, user->begun_us);
}

static void on_frame(struct user *user, struct text frame, int64_t now)
{
    if (load_client_after(frame, "\"t\":\"msg\"") != NULL)
        on_message(user, frame, now);
    else if (load_client_after(frame, "\"t\":\"accepted\"") != NULL)
        on_outcome(user, frame, now, true);
    else if (load_client_after(frame, "\"t\":\"rejected\"") != NULL)
        on_outcome(user, frame, now, false);
    else if (load_client_after(frame, "\"t\":\"welcome\"") != NULL ||
             load_client_after(frame, "\"t\":\"state\"") != NULL)
        user->connected = true;
}

static void flush(struct user *user, int64_t now)
{
    if (user->client.state != LOAD_CLOSED && load_client_flush(&user->client) != 0)
        lose(user, now);
}

static void on_event(struct user *user, int64_t now)
{
    if (user->client.state == LOAD_CLOSED)
        return;
    enum load_state before = user->client.state;
    int err = before == LOAD_CONNECTING ? 0 : load_client_read(&user->client);
    struct text frame;
    while (load_client_next(&user->client, &frame))
        on_frame(user, frame, now);
    load_client_compact(&user->client);
    if (err != 0 || user->client.state == LOAD_CLOSED) {
        lose(user, now);
        return;
    }
    if (before != LOAD_OPEN && user->client.state == LOAD_OPEN)
        greet(user);
    send_due(user, now);
    flush(user, now);
}

/* What is due by the clock, for one user. */
static void look_after(struct user *user, int64_t now, bool with_acks)
{
    if (user->client.state == LOAD_CLOSED) {
        if (now - user->since_us >= AGAIN_US)
            connect_user(user, now);
        return;
    }
    if (!user->connected && now - user->since_us >= WELCOME_US) {
        lose(user, now);
        return;
    }
    if (user->waiting && user->tried_us != 0 && now - user->tried_us >= ANSWER_US)
        user->tried_us = 0;
    send_due(user, now);
    if (with_acks && user->unacked && user->connected) {
        char ack[80];
        say(user, ack,
            snprintf(ack, sizeof ack, "{\"t\":\"ack\",\"cursor\":\"%s\"}", user->cursor));
        user->unacked = false;
    }
    flush(user, now);
}

static void turn(void)
{
    static int64_t acked_us;
    struct epoll_event events[256];
    int count = epoll_wait(epoll_fd, events, (int)COUNT_OF(events), 2);
    int64_t now = clock_monotonic_us();
    for (int i = 0; i < count; i++)
        on_event(&users[events[i].data.u32], now);
    bool with_acks = now - acked_us >= ACKS_APART_US;
    if (with_acks)
        acked_us = now;
    for (size_t i = 0; i < user_count; i++)
        look_after(&users[i], now, with_acks);
}

static uint64_t missing(void)
{
    uint64_t count = 0;
    for (size_t i = 0; i < user_count; i++)
        for (size_t slot = 0; slot < PARTNERS; slot++)
            if (users[i].flows[slot].accepted > users[i].flows[slot].got)
                count += users[i].flows[slot].accepted - users[i].flows[slot].got;
    return count;
}

static bool all_are(bool (*are)(const struct user *))
{
    for (size_t i = 0; i < user_count; i++)
        if (!are(&users[i]))
            return false;
    return true;
}

static bool is_connected(const struct user *user)
{
    return user->connected;
}

static bool is_done(const struct user *user)
{
    return !user->waiting && user->owed == 0;
}

static void parse(int argc, char **argv)
{
    static const struct option longs[] = {
        {"users", required_argument, NULL, 'u'},   {"rate", required_argument, NULL, 'r'},
        {"seconds", required_argument, NULL, 's'}, {"log", required_argument, NULL, 'l'},
        {"name", required_argument, NULL, 'n'},    {0}};
    bool good = true;
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        if (c == 'u')
            user_count = strtoul(optarg, NULL, 10);
        else if (c == 'r')
            rate = strtod(optarg, NULL);
        else if (c == 's')
            seconds = strtod(optarg, NULL);
        else if (c == 'n')
            name = optarg;
        else if (c == 'l')
            good = (log_file = fopen(optarg, "w")) != NULL && good;
        else
            good = false;
    }
    for (int i = optind; i < argc && address_count < ADDRESSES_MAX; i++)
        good = load_client_address(argv[i], &addresses[address_count++]) == 0 && good;
    if (!good || address_count < 2 || address_count % 2 != 0 || user_count <= PARTNERS ||
        strlen(name) > 64) {
        fprintf(stderr, "usage: talk --users N --rate R --seconds S [--log FILE] [--name N] "
                        "HOST:PORT HOST:PORT ...\n");
        exit(2);
    }
}

static void on_signal(int number)
{
    (void)number;
    is_told_to_end = 1;
}

int main(int argc, char **argv)
{
    parse(argc, argv);
    signal(SIGTERM, on_signal);
    users = calloc(user_count, sizeof *users);
    epoll_fd = epoll_create1(0);
    if (users == NULL || epoll_fd < 0)
        abort();
    for (size_t i = 0; i < user_count; i++)
        users[i].address = i % address_count;
    while (!all_are(is_connected))
        turn();
    printf("{\"opened\":%zu}\n", user_count);
    fflush(stdout);
    reconnects = 0; /* those of the talk, not of who was told to wait at first */

    int64_t start = clock_monotonic_us();
    int64_t end = start + (int64_t)(seconds * 1e6);
    uint64_t due = 0;
    for (int64_t now = start; now < end && !is_told_to_end; now = clock_monotonic_us()) {
        for (; (double)due < (double)(now - start) * rate / 1e6; due++)
            users[due % user_count].owed++;
        turn();
    }
    end = clock_monotonic_us();
    double talk_s = (double)(end - start) / 1e6;
    uint64_t in_time = accepted;
    int64_t give_up = clock_monotonic_us() + COMPLETE_US;
    while (clock_monotonic_us() < give_up && (!all_are(is_done) || missing() > 0))
        turn();
    printf("{\"due\":%" PRIu64 ",\"accepted\":%" PRIu64 ",\"rate\":%.1f,\"lost\":%" PRIu64
           ",\"repeated\":%" PRIu64 ",\"disordered\":%" PRIu64 ",\"rejected\":%" PRIu64
           ",\"reconnects\":%" PRIu64 ",\"unanswered\":%s,\"complete_s\":%.3f}\n",
           due, accepted, (double)in_time / talk_s, missing(), repeated, disordered, rejected,
           reconnects, all_are(is_done) ? "false" : "true",
           (double)(clock_monotonic_us() - end) / 1e6);
    if (log_file != NULL)
        fclose(log_file);
    return missing() > 0 || repeated > 0 || disordered > 0 || !all_are(is_done);
}
