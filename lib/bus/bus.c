#include "bus/bus.h"

#include "bus/credentials.h"
#include "bus/link.h"
#include "bus/litter.h"
#include "bus/message.h"
#include "bus/requests.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PENDING_MAX_BYTES = 8 * 1024 * 1024 };

struct bus {
    struct loop *loop;
    struct bus_link *link;
    size_t pending_max_bytes;
    void (*on_state)(void *context, bool connected);
    void *context;
    struct list subscriptions;
    bool draining; /* inside callbacks: subscriptions are freed afterwards */
    struct requests requests;
    struct bus_litter litter;
};

struct bus_subscription {
    struct bus *bus;
    struct list link;
    natsSubscription *subscription; /* NULL while there is no connection */
    bus_on_message *on_message;     /* NULL: ended, to be freed after draining */
    void *context;
    char subject[];
};

/* --- subscriptions --- */

/* Tokens between dots, none of them empty, no blanks; wildcards stand alone, ">" at the end. */
static bool is_subject(const char *subject, bool wildcards)
{
    size_t token = 0;
    for (const char *at = subject;; at++) {
        if (*at == '.' || *at == '\0') {
            if (token == 0)
                return false;
            if (*at == '\0')
                return true;
            token = 0;
            continue;
        }
        if ((unsigned char)*at <= ' ' || *at == 0x7F)
            return false;
        if (*at == '*' || *at == '>') {
            bool alone = token == 0 && (at[1] == '\0' || (*at == '*' && at[1] == '.'));
            if (!wildcards || !alone)
                return false;
        }
        token++;
    }
}

static void subscription_free(struct bus_subscription *subscription)
{
    list_remove(&subscription->link);
    natsSubscription_Destroy(subscription->subscription);
    free(subscription);
}

struct bus_subscription *bus_subscribe(struct bus *bus, const char *subject,
                                       bus_on_message *on_message, void *context)
{
    if (!is_subject(subject, true))
        return NULL;
    size_t size = strlen(subject) + 1;
    struct bus_subscription *subscription = calloc(1, sizeof *subscription + size);
    if (subscription == NULL)
        return NULL;
    subscription->bus = bus;
    subscription->on_message = on_message;
    subscription->context = context;
    memcpy(subscription->subject, subject, size);
    list_push(&bus->subscriptions, &subscription->link);
    natsConnection *connection = bus_link_connection(bus->link);
    /* A connection that is over by now will be followed by one that subscribes. */
    if (connection != NULL &&
        bus_subscribe_sync(connection, subject, &subscription->subscription) == -ENOMEM) {
        subscription_free(subscription);
        return NULL;
    }
    return subscription;
}

void bus_unsubscribe(struct bus_subscription *subscription)
{
    if (subscription == NULL)
        return;
    if (!subscription->bus->draining) {
        subscription_free(subscription);
        return;
    }
    natsSubscription_Destroy(subscription->subscription);
    subscription->subscription = NULL;
    subscription->on_message = NULL;
}

static void drain_subscription(struct bus *bus, struct bus_subscription *subscription)
{
    for (int left = bus_queued(subscription->subscription); left > 0; left--) {
        if (subscription->on_message == NULL) /* ended by its own callback */
            return;
        natsMsg *raw = NULL;
        natsStatus status = natsSubscription_NextMsg(&raw, subscription->subscription, 0);
        if (status == NATS_OK) {
            struct bus_message message = bus_message_of(raw);
            subscription->on_message(subscription->context, &message);
            bus_litter_add(&bus->litter, raw);
        } else if (status != NATS_NO_RESPONDERS && status != NATS_SLOW_CONSUMER) {
            return; /* nothing left, or the connection is over */
        }
    }
}

/* --- the link's callbacks --- */

static void on_read(void *context)
{
    struct bus *bus = context;
    bus->draining = true;
    list_each(node, &bus->subscriptions)
    {
        struct bus_subscription *subscription = container_of(node, struct bus_subscription, link);
        if (subscription->subscription != NULL)
            drain_subscription(bus, subscription);
    }
    requests_drain(&bus->requests);
    bus->draining = false;
    list_each(node, &bus->subscriptions)
    {
        struct bus_subscription *subscription = container_of(node, struct bus_subscription, link);
        if (subscription->on_message == NULL)
            subscription_free(subscription);
    }
}

static bool on_up(void *context, natsConnection *connection)
{
    struct bus *bus = context;
    list_each(node, &bus->subscriptions)
    {
        struct bus_subscription *subscription = container_of(node, struct bus_subscription, link);
        if (bus_subscribe_sync(connection, subscription->subject, &subscription->subscription) ==
            -ENOMEM)
            return false;
    }
    if (!requests_on_up(&bus->requests, connection))
        return false;
    if (bus->on_state != NULL)
        bus->on_state(bus->context, true);
    return true;
}

static void on_down(void *context)
{
    struct bus *bus = context;
    list_each(node, &bus->subscriptions)
    {
        struct bus_subscription *subscription = container_of(node, struct bus_subscription, link);
        natsSubscription_Destroy(subscription->subscription);
        subscription->subscription = NULL;
    }
    requests_on_down(&bus->requests);
    if (bus->on_state != NULL)
        bus->on_state(bus->context, false);
}

/* --- opening and closing --- */

static int check_settings(const struct bus_settings *settings, struct error_text *reterr_why)
{
    if (settings->urls == NULL || settings->urls[strspn(settings->urls, ", ")] == '\0')
        return error_text_set(reterr_why, -EINVAL, "the bus needs the address of a NATS server");
    if (settings->name == NULL || settings->name[0] == '\0')
        return error_text_set(reterr_why, -EINVAL, "the bus needs a name for this process");
    if (settings->user != NULL && settings->password == NULL)
        return error_text_set(reterr_why, -EINVAL, "the bus user '%s' has no password",
                              settings->user);
    if (settings->credentials != NULL)
        return bus_credentials_check(settings->credentials, reterr_why);
    return 0;
}

struct bus *bus_open(struct loop *loop, const struct bus_settings *settings,
                     struct error_text *reterr_why)
{
    if (check_settings(settings, reterr_why) != 0)
        return NULL;
    struct bus *bus = calloc(1, sizeof *bus);
    if (bus == NULL) {
        error_text_set(reterr_why, -ENOMEM, "out of memory for the bus");
        return NULL;
    }
    bus->loop = loop;
    bus->pending_max_bytes =
        settings->pending_max_bytes == 0 ? PENDING_MAX_BYTES : settings->pending_max_bytes;
    bus->on_state = settings->on_state;
    bus->context = settings->context;
    list_init(&bus->subscriptions);
    const struct bus_link_settings link_settings = {
        .urls = settings->urls,
        .name = settings->name,
        .user = settings->user,
        .password = settings->password,
        .credentials = settings->credentials,
        .on_up = on_up,
        .on_down = on_down,
        .on_read = on_read,
        .context = bus,
    };
    if (requests_init(&bus->requests, bus, loop, &bus->litter, settings->name) == 0)
        bus->link = bus_link_new(loop, &link_settings);
    if (bus->link == NULL) {
        bus_close(bus);
        error_text_set(reterr_why, -ENOMEM, "out of memory for the bus");
        return NULL;
    }
    return bus;
}

void bus_close(struct bus *bus)
{
    if (bus == NULL)
        return;
    assert(!bus->draining); /* not from inside a callback: the library is still reading */
    /* Unsubscribing first would leave something to be written to a connection that ends anyway. */
    bus_link_free(bus->link);
    requests_done(&bus->requests);
    list_each(node, &bus->subscriptions)
        subscription_free(container_of(node, struct bus_subscription, link));
    bus_litter_empty(&bus->litter);
    free(bus);
}

struct loop *bus_loop(const struct bus *bus)
{
    return bus->loop;
}

bool bus_is_connected(const struct bus *bus)
{
    return bus_link_connection(bus->link) != NULL;
}

const char *bus_server_version(const struct bus *bus)
{
    return bus_link_server_version(bus->link);
}

const char *bus_last_failure(const struct bus *bus)
{
    return bus_link_last_failure(bus->link);
}

/* --- publishing --- */

struct text bus_header(const struct bus_message *message, const char *name)
{
    const char *value = NULL;
    if (natsMsgHeader_Get(message->handle, name, &value) != NATS_OK || value == NULL)
        return (struct text){.data = "", .size = 0};
    return text_of(value);
}

static int check_publish(const struct bus *bus, const char *subject, size_t size)
{
    natsConnection *connection = bus_link_connection(bus->link);
    if (connection == NULL)
        return -ENOTCONN;
    if (!is_subject(subject, false))
        return -EINVAL;
    if (size > INT_MAX)
        return -EMSGSIZE;
    int buffered = natsConnection_Buffered(connection);
    if (buffered < 0)
        return -ENOTCONN;
    if (size > bus->pending_max_bytes || (size_t)buffered > bus->pending_max_bytes - size)
        return -ENOBUFS;
    return 0;
}

static int publish(struct bus *bus, const char *subject, const char *reply, const void *data,
                   size_t size)
{
    natsConnection *connection = bus_link_connection(bus->link);
    natsStatus status =
        reply == NULL ? natsConnection_Publish(connection, subject, data, (int)size)
                      : natsConnection_PublishRequest(connection, subject, reply, data, (int)size);
    return bus_status_to_errno(status);
}

int bus_publish(struct bus *bus, const char *subject, const char *reply, const void *data,
                size_t size)
{
    int error = check_publish(bus, subject, size);
    if (error == 0 && reply != NULL && !is_subject(reply, false))
        error = -EINVAL;
    return error != 0 ? error : publish(bus, subject, reply, data, size);
}

static int publish_with_headers(struct bus *bus, const char *subject, const char *reply,
                                const struct bus_field *headers, size_t count, const void *data,
                                size_t size)
{
    natsMsg *raw = NULL;
    natsStatus status = natsMsg_Create(&raw, subject, reply, data, (int)size);
    for (size_t i = 0; i < count && status == NATS_OK; i++)
        status = natsMsgHeader_Set(raw, headers[i].name, headers[i].value);
    if (status == NATS_OK)
        status = natsConnection_PublishMsg(bus_link_connection(bus->link), raw);
    if (raw != NULL)
        bus_litter_add(&bus->litter, raw);
    return bus_status_to_errno(status);
}

/* --- requests --- */

int bus_request_with_headers(struct bus *bus, struct bus_request *request, const char *subject,
                             const struct bus_field *headers, size_t count, const void *data,
                             size_t size, int64_t timeout_ms)
{
    if (request->bus != NULL) {
        if (bus->requests.answering != request)
            return -EBUSY;
        requests_end(&bus->requests, request); /* sent again from inside its own on_answer */
    }
    int error = check_publish(bus, subject, size);
    if (error != 0)
        return error;
    char reply[REQUEST_REPLY_BYTES];
    error = requests_begin(&bus->requests, request, timeout_ms, reply);
    if (error != 0)
        return error;
    error = count == 0 ? publish(bus, subject, reply, data, size)
                       : publish_with_headers(bus, subject, reply, headers, count, data, size);
    if (error != 0)
        requests_take_back(&bus->requests, request);
    return error;
}

int bus_request_with_header(struct bus *bus, struct bus_request *request, const char *subject,
                            const char *header, const char *value, const void *data, size_t size,
                            int64_t timeout_ms)
{
    const struct bus_field field = {.name = header, .value = value};
    return bus_request_with_headers(bus, request, subject, &field, header != NULL, data, size,
                                    timeout_ms);
}

int bus_request(struct bus *bus, struct bus_request *request, const char *subject, const void *data,
                size_t size, int64_t timeout_ms)
{
    return bus_request_with_headers(bus, request, subject, NULL, 0, data, size, timeout_ms);
}

void bus_request_cancel(struct bus_request *request)
{
    if (request->bus != NULL)
        requests_end(&request->bus->requests, request);
}
