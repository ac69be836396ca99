/* One connection to NATS, on our loop: publishes, subscriptions and requests, all called and
 * answered on the loop's thread. Other threads only connect and watch for silence; what they find
 * out is handed to the loop. Nothing here blocks, except bus_close(), which must not be called from
 * inside one of the bus's callbacks.
 *
 * A bus that cannot connect goes on trying for ever; bus_is_connected() and on_state tell. While it
 * is not connected, publishing fails with -ENOTCONN: nothing is kept back to be sent later. */
#pragma once

#include "base/error_text.h"
#include "base/macros.h"
#include "base/text.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bus; /* opaque, see bus.c */

struct bus_settings {
    const char *urls; /* comma-separated nats:// addresses, tried in turn for ever */
    /* What NATS shows; also this process's inbox, "_INBOX.<name>.>", where the first 48 bytes of
     * the name count and all but letters, digits and '-' become '_'. */
    const char *name;
    const char *user;     /* NULL: none */
    const char *password; /* NULL: none */
    /* A folder, see bus/credentials.h; NULL: neither TLS nor a certificate. Its files are read
     * again for each connection. */
    const char *credentials;
    size_t pending_max_bytes; /* output not yet taken by the socket; 0: 8 MiB */
    /* May be NULL. First called from the loop, never from bus_open(). At `connected` all
     * subscriptions are made; what was published before a loss may or may not have left. */
    void (*on_state)(void *context, bool connected);
    void *context;
};

/* NULL with a reason only for bad settings or short memory; an absent server is no error. */
MUST_USE struct bus *bus_open(struct loop *loop, const struct bus_settings *settings,
                              struct error_text *reterr_why);
/* Cancels requests without a callback, frees subscriptions; no callback comes any more. What was
 * published is written first if the socket takes it within 200 ms. Waits for a connection attempt:
 * 2 s an address at most. NULL is fine. */
void bus_close(struct bus *bus);
struct loop *bus_loop(const struct bus *bus);
bool bus_is_connected(const struct bus *bus);
/* The version of the server connected to, "" before the first connection. Borrowed. */
const char *bus_server_version(const struct bus *bus);
/* Why it is not connected, "" when no attempt has ended yet. Borrowed until the next turn. */
const char *bus_last_failure(const struct bus *bus);

/* Whether answers may go there. Whoever answers may do more than who asks, and must not be made to
 * do it by a reply subject. */
bool bus_is_inbox(struct text subject);

/* Borrowed by the callback for its duration. */
struct bus_message {
    struct text subject;
    struct text reply; /* empty: none */
    const uint8_t *data;
    size_t size;
    void *handle; /* the library's message, for bus_header() */
};
/* The value of a NATS header, an empty text when it is not there. Borrowed as the message is. */
struct text bus_header(const struct bus_message *message, const char *name);

/* -ENOTCONN; -ENOBUFS past pending_max_bytes; -EMSGSIZE past the server's max_payload; -EINVAL for
 * a subject with blanks, wildcards or empty tokens; -ENOMEM. `reply` may be NULL. The bytes are
 * copied. Publishes of one turn leave in one write at its end. */
MUST_USE int bus_publish(struct bus *bus, const char *subject, const char *reply, const void *data,
                         size_t size);

struct bus_subscription; /* opaque */
typedef void bus_on_message(void *context, const struct bus_message *message);
/* Lives through reconnects, also when made without a connection; what is published while there is
 * none is missed. NULL when memory is short or the subject is bad. Messages of one subscription
 * come in order; between subscriptions, and between them and answers, there is no order. */
MUST_USE struct bus_subscription *bus_subscribe(struct bus *bus, const char *subject,
                                                bus_on_message *on_message, void *context);
/* Also from inside its own callback. NULL is fine. */
void bus_unsubscribe(struct bus_subscription *subscription);

enum bus_outcome {
    BUS_ANSWER,
    BUS_TIMEOUT,       /* no answer within timeout_ms: the outcome is unknown */
    BUS_NO_RESPONDERS, /* the server said so: nobody has seen it; see below */
};
/* A request, embedded in its owner, zeroed but for on_answer. It ends when on_answer returns false
 * or with an outcome other than BUS_ANSWER (`message` is then NULL), and may then be used again,
 * also from inside on_answer, whose result then does not matter. There it may be cancelled and
 * freed, too. Each answer renews the timeout, which is kept to 10 ms. A connection that is lost
 * does not end it: the timeout does. Late answers to one that has ended are dropped.
 *
 * BUS_NO_RESPONDERS is sure, but not sure to come: the library does not say which request the
 * server's word belongs to, so only the first 32 requests on their way, which have an inbox each,
 * are told. Those past 32 share one inbox and end by their timeout. */
struct bus_request {
    bool (*on_answer)(struct bus_request *request, enum bus_outcome outcome,
                      const struct bus_message *message);
    struct bus *bus; /* set while it is on its way; the rest is the bus's own */
    uint64_t token;
    int64_t due_ms;
    int64_t timeout_ms;
    struct list link;
    struct bus_request *bucket_next;
};
/* Errors as bus_publish(); the request is then not on its way. -EBUSY when it already is. */
MUST_USE int bus_request(struct bus *bus, struct bus_request *request, const char *subject,
                         const void *data, size_t size, int64_t timeout_ms);
/* With headers, for JetStream's compare-and-set and the like; copied. */
struct bus_field {
    const char *name;
    const char *value;
};
MUST_USE int bus_request_with_headers(struct bus *bus, struct bus_request *request,
                                      const char *subject, const struct bus_field *headers,
                                      size_t count, const void *data, size_t size,
                                      int64_t timeout_ms);
/* With one. */
MUST_USE int bus_request_with_header(struct bus *bus, struct bus_request *request,
                                     const char *subject, const char *header, const char *value,
                                     const void *data, size_t size, int64_t timeout_ms);
/* on_answer is not called. Fine when it is not on its way. */
void bus_request_cancel(struct bus_request *request);
