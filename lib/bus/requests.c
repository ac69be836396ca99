#include "bus/requests.h"

#include "base/hash.h"
#include "bus/message.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A token is a number with the place of its inbox in the lowest byte. */
static uint64_t make_token(struct requests *requests, size_t place)
{
    return ++requests->last_number << 8 | place;
}

static size_t place_of(uint64_t token)
{
    return token & 0xFF;
}

/* --- by token --- */

static struct bus_request **bucket_of(const struct requests *requests, uint64_t token)
{
    return &requests->buckets[(token >> 8) & (requests->buckets_count - 1)];
}

static struct bus_request *find(const struct requests *requests, uint64_t token)
{
    struct bus_request *request = *bucket_of(requests, token);
    while (request != NULL && request->token != token)
        request = request->bucket_next;
    return request;
}

static void insert(struct requests *requests, struct bus_request *request)
{
    struct bus_request **bucket = bucket_of(requests, request->token);
    request->bucket_next = *bucket;
    *bucket = request;
}

static void erase(struct requests *requests, struct bus_request *request)
{
    struct bus_request **at = bucket_of(requests, request->token);
    while (*at != request)
        at = &(*at)->bucket_next;
    *at = request->bucket_next;
    request->bucket_next = NULL;
}

/* One request a bucket on average; tokens count up, so they spread evenly. */
static int make_room(struct requests *requests)
{
    if (requests->count < requests->buckets_count)
        return 0;
    size_t old_count = requests->buckets_count;
    struct bus_request **old = requests->buckets;
    size_t count = old_count == 0 ? 64 : 2 * old_count;
    struct bus_request **buckets = calloc(count, sizeof(struct bus_request *));
    if (buckets == NULL)
        return -ENOMEM;
    requests->buckets = buckets;
    requests->buckets_count = count;
    for (size_t i = 0; i < old_count; i++)
        for (struct bus_request *request = old[i], *next; request != NULL; request = next) {
            next = request->bucket_next;
            insert(requests, request);
        }
    free(old);
    return 0;
}

/* --- deadlines --- */

static void put_on_wheel(struct requests *requests, struct bus_request *request)
{
    int64_t tick = request->due_ms / REQUEST_TICK_MS + 1; /* looked at when it is past */
    if (tick <= requests->tick_done)
        tick = requests->tick_done + 1;
    list_push(&requests->wheel[tick % REQUEST_TICKS], &request->link);
}

static void fail(struct requests *requests, struct bus_request *request, enum bus_outcome outcome)
{
    requests_end(requests, request);
    request->on_answer(request, outcome, NULL);
}

/* Whose deadline was moved on by answers, or is turns away, goes back on the wheel. */
static void look_through(struct requests *requests, int64_t tick, int64_t now_ms)
{
    struct list due;
    list_init(&due);
    for (struct list *node; (node = list_pop(&requests->wheel[tick % REQUEST_TICKS])) != NULL;)
        list_push(&due, node);
    for (struct list *node; (node = list_pop(&due)) != NULL;) {
        struct bus_request *request = container_of(node, struct bus_request, link);
        if (request->due_ms <= now_ms)
            fail(requests, request, BUS_TIMEOUT);
        else
            put_on_wheel(requests, request);
    }
}

static void on_tick(struct loop_timer *timer)
{
    struct requests *requests = container_of(timer, struct requests, timer);
    int64_t now_ms = loop_now_ms(requests->loop);
    int64_t now_tick = now_ms / REQUEST_TICK_MS;
    if (now_tick - requests->tick_done > REQUEST_TICKS)
        requests->tick_done = now_tick - REQUEST_TICKS; /* once round is all there is */
    while (requests->tick_done < now_tick)
        look_through(requests, ++requests->tick_done, now_ms);
    if (requests->count > 0)
        loop_timer_set(requests->loop, timer, REQUEST_TICK_MS);
}

static void start_deadline(struct requests *requests, struct bus_request *request)
{
    int64_t now_ms = loop_now_ms(requests->loop);
    request->due_ms = now_ms + request->timeout_ms;
    if (!loop_timer_is_set(&requests->timer)) {
        if (requests->count == 0)
            requests->tick_done = now_ms / REQUEST_TICK_MS;
        loop_timer_set(requests->loop, &requests->timer, REQUEST_TICK_MS);
    }
    put_on_wheel(requests, request);
}

/* --- inboxes --- */

static int subscribe_inbox(struct requests *requests, struct request_inbox *inbox)
{
    char subject[REQUEST_REPLY_BYTES];
    if (inbox->id == 0)
        inbox->id = ++requests->last_number;
    snprintf(subject, sizeof subject, "%s%llx.*", requests->prefix, (unsigned long long)inbox->id);
    return bus_subscribe_sync(requests->connection, subject, &inbox->subscription);
}

static void give_up(struct request_inbox *inbox)
{
    natsSubscription_Destroy(inbox->subscription);
    inbox->subscription = NULL;
    inbox->id = 0;
}

/* The place of a free inbox, else of the shared one. */
static size_t choose_place(const struct requests *requests)
{
    for (size_t place = 0; place < REQUEST_INBOXES; place++)
        if (requests->inboxes[place].taker == NULL)
            return place;
    return REQUEST_INBOX_SHARED;
}

int requests_begin(struct requests *requests, struct bus_request *request, int64_t timeout_ms,
                   char reply[REQUEST_REPLY_BYTES])
{
    size_t place = choose_place(requests);
    struct request_inbox *inbox = &requests->inboxes[place];
    if (make_room(requests) != 0)
        return -ENOMEM;
    int error = inbox->subscription == NULL ? subscribe_inbox(requests, inbox) : 0;
    if (error != 0)
        return error;
    if (place != REQUEST_INBOX_SHARED)
        inbox->taker = request;
    inbox->answered = false;
    request->bus = requests->bus;
    request->token = make_token(requests, place);
    request->timeout_ms = timeout_ms;
    start_deadline(requests, request);
    insert(requests, request);
    requests->count++;
    snprintf(reply, REQUEST_REPLY_BYTES, "%s%llx.%llx", requests->prefix,
             (unsigned long long)inbox->id, (unsigned long long)request->token);
    return 0;
}

void requests_end(struct requests *requests, struct bus_request *request)
{
    struct request_inbox *inbox = &requests->inboxes[place_of(request->token)];
    if (inbox->taker == request) {
        inbox->taker = NULL;
        if (!inbox->answered)
            give_up(inbox);
    }
    list_remove(&request->link);
    erase(requests, request);
    requests->count--;
    request->bus = NULL;
}

void requests_take_back(struct requests *requests, struct bus_request *request)
{
    requests->inboxes[place_of(request->token)].answered = true; /* nothing can come late */
    requests_end(requests, request);
}

/* --- answers --- */

static void on_answer(struct requests *requests, natsMsg *raw)
{
    const char *last_part = strrchr(natsMsg_GetSubject(raw), '.');
    char *end = NULL;
    uint64_t token = last_part == NULL ? 0 : strtoull(last_part + 1, &end, 16);
    struct bus_request *request = end == NULL || *end != '\0' ? NULL : find(requests, token);
    if (request == NULL) /* late, or nobody's */
        return;
    struct request_inbox *inbox = &requests->inboxes[place_of(token)];
    inbox->answered = true;
    request->due_ms = loop_now_ms(requests->loop) + request->timeout_ms;
    struct bus_message message = bus_message_of(raw);
    requests->answering = request;
    bool more = request->on_answer(request, BUS_ANSWER, &message);
    requests->answering = NULL;
    /* The callback may have cancelled it, freed it, or sent it again. */
    if (!more && find(requests, token) == request)
        requests_end(requests, request);
}

static void on_no_responders(struct requests *requests, struct request_inbox *inbox)
{
    struct bus_request *request = inbox->taker;
    if (request == NULL) /* the shared inbox: whose it is cannot be known */
        return;
    inbox->answered = true; /* it comes once at most: nothing will be late */
    fail(requests, request, BUS_NO_RESPONDERS);
}

static void drain_inbox(struct requests *requests, struct request_inbox *inbox)
{
    for (int left = bus_queued(inbox->subscription); left > 0; left--) {
        natsMsg *raw = NULL;
        natsStatus status = natsSubscription_NextMsg(&raw, inbox->subscription, 0);
        if (status == NATS_OK) {
            on_answer(requests, raw);
            bus_litter_add(requests->litter, raw);
        } else if (status == NATS_NO_RESPONDERS) {
            on_no_responders(requests, inbox);
        } else if (status != NATS_SLOW_CONSUMER) {
            break; /* nothing left, or the connection is over */
        }
    }
}

void requests_drain(struct requests *requests)
{
    for (size_t place = 0; place <= REQUEST_INBOX_SHARED; place++)
        if (requests->inboxes[place].subscription != NULL)
            drain_inbox(requests, &requests->inboxes[place]);
}

/* --- making, ending, connecting --- */

static void make_prefix(char *prefix, size_t size, const char *name)
{
    snprintf(prefix, size, "_INBOX.%.*s.", (int)size - 16, name);
    for (char *at = prefix + strlen("_INBOX."); at[1] != '\0'; at++) {
        bool letter = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z');
        bool digit = *at >= '0' && *at <= '9';
        if (!letter && !digit && *at != '-')
            *at = '_';
    }
}

int requests_init(struct requests *requests, struct bus *bus, struct loop *loop,
                  struct bus_litter *litter, const char *name)
{
    requests->bus = bus;
    requests->loop = loop;
    requests->litter = litter;
    requests->timer.on_due = on_tick;
    for (size_t i = 0; i < REQUEST_TICKS; i++)
        list_init(&requests->wheel[i]);
    make_prefix(requests->prefix, sizeof requests->prefix, name);
    /* Answers to a process of this name that was here before must find nobody. */
    hash_random(&requests->last_number, sizeof requests->last_number);
    requests->last_number >>= 9; /* room for the place, and for counting on */
    return make_room(requests);
}

void requests_done(struct requests *requests)
{
    for (size_t i = 0; i < requests->buckets_count; i++)
        while (requests->buckets[i] != NULL)
            requests_end(requests, requests->buckets[i]);
    for (size_t place = 0; place <= REQUEST_INBOX_SHARED; place++)
        give_up(&requests->inboxes[place]);
    if (requests->loop != NULL)
        loop_timer_stop(requests->loop, &requests->timer);
    free(requests->buckets);
    requests->buckets = NULL;
    requests->buckets_count = 0;
}

/* An answer to what was asked through the last connection may still come through this one. */
bool requests_on_up(struct requests *requests, natsConnection *connection)
{
    requests->connection = connection;
    bool failed = false;
    for (size_t place = 0; place <= REQUEST_INBOX_SHARED; place++) {
        struct request_inbox *inbox = &requests->inboxes[place];
        bool needed = inbox->taker != NULL || (place == REQUEST_INBOX_SHARED && inbox->id != 0);
        if (needed && !failed)
            failed = subscribe_inbox(requests, inbox) == -ENOMEM;
    }
    return !failed;
}

void requests_on_down(struct requests *requests)
{
    requests->connection = NULL;
    for (size_t place = 0; place <= REQUEST_INBOX_SHARED; place++) {
        natsSubscription_Destroy(requests->inboxes[place].subscription);
        requests->inboxes[place].subscription = NULL;
    }
}
