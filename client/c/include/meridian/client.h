/* A client of Meridian: one device of one user, connected to one edge at a time over WebSocket
 * (subprotocol meridian.v1). When a connection ends it takes the next edge, goes on at its cursor,
 * and repeats what it has sent and not been told the outcome of, with the same ids. An edge that
 * sends it away may name others: those are tried first, once each, and only such with TLS where
 * that one had it. Where an edge says that it sends too fast it pauses, goes on more slowly, and
 * repeats what was not taken.
 *
 *     struct meridian_options options = {.edges = edges, .edge_count = 2, .user = "bob",
 *                                        .device = "phone", .on_message = show};
 *     struct meridian_client *client = meridian_client_new(&options);
 *     while (running)
 *         meridian_client_turn(client, 1000);
 *     meridian_client_free(client);
 *
 * A client belongs to one thread, which calls it and is called back, only from inside
 * meridian_client_turn(). Strings given to callbacks are terminated and valid for the call. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct meridian_client; /* opaque */

struct meridian_welcome {
    const char *region;
    const char *edge;
    const char *home;
    const char *cursor;
    bool resumed; /* goes on exactly where this device was */
};

struct meridian_message {
    const char *cursor; /* "epoch:seq"; empty for an ephemeral message */
    const char *id;
    const char *from;
    const char *body; /* JSON, exactly as the sender wrote it */
    size_t body_size; /* without the terminator */
    int64_t at_ms;    /* since 1970, by the clock of the log */
};

/* What became of messages that asked for it. */
struct meridian_receipt {
    const char *cursor;    /* its own place in the mailbox */
    const char *kind;      /* "stored", "delivered", "read", "device_dropped", or one of later */
    const char *by;        /* whose mailbox the messages are in; may be empty */
    const char *of_cursor; /* in that mailbox: all of ours up to there; may be empty */
    const char *device;    /* of "device_dropped": ours that was */
    const char *const *ids;
    size_t id_count;
    int64_t at_ms;
};

enum { MERIDIAN_WANT_STORED = 1, MERIDIAN_WANT_DELIVERED = 2, MERIDIAN_WANT_READ = 4 };

enum meridian_outcome {
    MERIDIAN_ACCEPTED, /* stored; it will reach the mailbox */
    MERIDIAN_REJECTED, /* never delivered */
    MERIDIAN_UNKNOWN,  /* no answer within give_up_ms: it may be delivered or not */
};

struct meridian_result {
    const char *id;
    enum meridian_outcome outcome;
    const char *code;    /* of a rejection, else empty */
    const char *message; /* for people, may be empty */
    bool retryable;
    uint64_t retry_after_ms;
    unsigned attempts; /* how often it was written */
};

/* A page of what the user has ever got, or why there is none. */
struct meridian_history {
    const struct meridian_message *messages; /* the oldest first */
    size_t count;
    bool more;           /* there are more on that way */
    const char *missing; /* why some that belong there are not, in a word; empty: none is */
    const char *code;    /* why there is no page, in a word; empty: there is one */
    const char *message; /* for people, may be empty */
    bool retryable;      /* then: it may be there when asked again */
};

struct meridian_options {
    const char *const *edges; /* "http://host:port", https, ws or wss; taken in turn */
    size_t edge_count;
    const char *ca_file;      /* PEM: whom https and wss trust; NULL: whom the system does */
    const char *token;        /* a JWT, or NULL; see on_token */
    const char *user;         /* with a token it may be NULL: the token's */
    const char *device;       /* with a token that names one it may be NULL: that one */
    const char *cursor;       /* NULL: where this device was last; else "epoch:seq" */
    bool from_head;           /* a device never seen before gets only what comes from now on */
    bool acknowledges_itself; /* else all is acknowledged after on_message and on_receipt */
    int64_t connect_ms;       /* a connection must be welcomed within; 0: 5 s */
    int64_t answer_ms;        /* a send is repeated when unanswered for; 0: 10 s */
    int64_t give_up_ms;       /* its outcome is called unknown after; 0: never */
    size_t pending_max;       /* sends without an outcome; 0: 1024 */

    /* Any of these may be NULL. */
    void (*on_welcome)(void *context, const struct meridian_welcome *welcome);
    void (*on_message)(void *context, const struct meridian_message *message);
    void (*on_receipt)(void *context, const struct meridian_receipt *receipt);
    void (*on_result)(void *context, const struct meridian_result *result);
    void (*on_history)(void *context, const struct meridian_history *history);
    void (*on_acked)(void *context, const char *cursor); /* confirmed up to here */
    void (*on_gap)(void *context, const char *from, const char *to, const char *reason);
    /* The cursor could not be honoured; it goes on at this one. */
    void (*on_resync)(void *context, const char *cursor);
    void (*on_home)(void *context, bool reachable);
    /* A new token is needed: the one in use ends in `left_ms`. 0: it was refused and the connection
     * has ended; the next attempt is made when meridian_client_set_token() has brought another one,
     * now or later. When this is NULL, a token that is refused is for good. */
    void (*on_token)(void *context, int64_t left_ms);
    /* The edge has taken the new one; what holds ends then, in ms since 1970. */
    void (*on_refreshed)(void *context, int64_t expires_at_ms);
    /* The connection has ended or did not come about; the next attempt is in `retry_ms`. */
    void (*on_lost)(void *context, const char *why, int64_t retry_ms);
    /* It was refused for good: no more attempts are made. */
    void (*on_refused)(void *context, const char *why);
    void *context;
};

/* Copies the options. NULL with errno: EINVAL for a bad edge, user, device, token or cursor; why
 * `ca_file` cannot be read, as ENOENT; ENOMEM. The first connection is made in the first turn. */
struct meridian_client *meridian_client_new(const struct meridian_options *options);
/* Closes without a farewell: what has no outcome yet stays without one. NULL is fine. */
void meridian_client_free(struct meridian_client *client);

/* Copies a token, of the same user and device, which is shown in place of the one of before; no
 * connection is made anew for it. -EINVAL: it is none, or there was none before; -ENOMEM. */
int meridian_client_set_token(struct meridian_client *client, const char *token);

/* Waits at most `wait_ms` for something to do, and does it. */
void meridian_client_turn(struct meridian_client *client, int64_t wait_ms);
bool meridian_client_is_connected(const struct meridian_client *client);
/* Sends without an outcome. */
size_t meridian_client_pending(const struct meridian_client *client);

/* Sends a JSON value, also while not connected: it leaves as soon as it can. `id` NULL makes one;
 * `ret_id` (may be NULL) gets it, borrowed until its on_result. `wants`: MERIDIAN_WANT_..., 0 for
 * none. -EINVAL: not JSON, or a bad id or recipient; -EEXIST: this id waits for its outcome
 * already; -ENOBUFS: too many do; -ENOMEM. */
int meridian_client_send(struct meridian_client *client, const char *to, const char *id,
                         unsigned wants, const char *body, size_t body_size, const char **ret_id);
/* The user has read all that `from` has sent, up to a cursor that this device was given. It is said
 * again on the next connection, for the 64 senders it was said of last. -EINVAL; -ENOBUFS: too many
 * are not said yet; -ENOMEM. */
int meridian_client_has_read(struct meridian_client *client, const char *from, const char *cursor);
/* Asks for a page of history: the newest messages before a cursor, or the oldest after one; both
 * NULL: the newest of all. `limit` 0 is the edge's own. It is asked again on the next connection,
 * until on_history. -EINVAL: both, or a bad cursor; -EBUSY: a page is waited for already. */
int meridian_client_history(struct meridian_client *client, const char *before, const char *after,
                            unsigned limit);
/* Acknowledges all up to a cursor: the edge may forget them. -EINVAL. */
int meridian_client_ack(struct meridian_client *client, const char *cursor);
