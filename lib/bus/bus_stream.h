/* JetStream as Meridian uses it: PubAcks, direct gets, and reading a stream by position.
 * Source: NATS ADR-31 (direct get, batches), ADR-8 (key-value), answers of nats-server 2.15. */
#pragma once

#include "bus/bus.h"

/* The answer to a publish into a stream. */
struct bus_puback {
    uint64_t position; /* where it is stored; 0 when it is not */
    int code;          /* 0, or the API's error code (503, 400...) */
    int err_code;      /* 0, or JetStream's own, see below */
    char description[160];
};
enum {
    BUS_ERR_STREAM_FULL = 10077,         /* maximum messages/bytes exceeded: nothing was stored */
    BUS_ERR_WRONG_LAST_SEQUENCE = 10071, /* compare-and-set failed: nothing was stored */
};
/* -EBADMSG when it is no PubAck. An error of the server is no failure: 0, and code is set. */
MUST_USE int bus_puback_read(const struct bus_message *message, struct bus_puback *ret_ack);
/* What is heard at a doorbell: somebody's PubAck, or what the stream itself tells when it has
 * stored a message (its position in a header). -EBADMSG: neither, or nothing was stored. */
MUST_USE int bus_ring_read(const struct bus_message *message, uint64_t *ret_position);

/* One stored message. Borrowed for the callback's duration. */
struct bus_entry {
    uint64_t position; /* the stream's sequence */
    int64_t time_ms;   /* the stream's timestamp, since 1970 */
    struct text subject;
    const uint8_t *data;
    size_t size;
};
/* Reads an answer to a direct get. 0; -ENOENT: nothing there (404); -ENODATA: end of a batch (204);
 * -EAGAIN: not now (503) or not so (408); -EBADMSG. At -ENODATA `ret_entry->position` is the last
 * one of the batch and `ret_pending` (may be NULL) how many are left beyond it. */
MUST_USE int bus_entry_read(const struct bus_message *message, struct bus_entry *ret_entry,
                            uint64_t *ret_pending);

/* Asks for the last message of `subject` in `stream`; the answer is for bus_entry_read(). Any
 * mirror near by may answer. Errors as bus_publish(). */
MUST_USE int bus_get_last(struct bus *bus, struct bus_request *request, const char *stream,
                          const char *subject, int64_t timeout_ms);

/* Asks the stream's leader instead, wherever it is: what it has now, past a mirror that stands
 * still. An API request, so dearer (and an ocean long, perhaps), and without an answer while
 * JetStream's API is not available. `subject` may hold wildcards. The answer is for
 * bus_leader_entry_read(). */
MUST_USE int bus_get_last_of_leader(struct bus *bus, struct bus_request *request,
                                    const char *stream, const char *subject, int64_t timeout_ms);
/* Not this answer, another one comes: asked out of another account, a server that leads the stream
 * itself (NATS 2.15) first answers as if it had to look in the asker's account, then rightly. */
bool bus_leader_answers_again(const struct bus_message *message);
/* The message's bytes are put into `room`, which has to hold up to two more. 0; -ENOENT: nothing
 * there; -EAGAIN: another error of the API; -ENOSPC; -EBADMSG. */
MUST_USE int bus_leader_entry_read(const struct bus_message *message, uint8_t *room,
                                   size_t room_size, uint64_t *ret_position, size_t *ret_size);

/* Reads a stream from a position on, for ever, in order, by batches of direct gets; no consumer.
 * Each answer names the position of the one before it in its batch, so one that is lost on the way
 * is noticed and asked for again: nothing that the stream holds is passed over. A jump in positions
 * at the start of a batch means that the stream does not hold what is between (or the filter skips
 * it). A batch without an answer for 2 s is asked for again. */
struct bus_reader; /* opaque */
struct bus_reader_settings {
    const char *stream;
    const char *filter; /* subject, may hold wildcards; NULL: all */
    uint64_t from;      /* first position wanted */
    uint32_t batch_max; /* messages a request; 0: 256 */
    uint32_t bytes_max; /* bytes a request; 0: 4 MiB */
    int64_t poll_ms;    /* asks by itself after that long without a ring; 0: 1000 */
    /* Called for each message in order. Must not close the reader; may hold and seek. */
    void (*on_entry)(void *context, const struct bus_entry *entry);
    /* After each batch. `caught_up`: nothing is known to be beyond. May close the reader. */
    void (*on_pause)(void *context, bool caught_up);
    void *context;
};
/* Copies the settings. NULL when memory is short, or a name holds blanks or quotes. The first
 * request leaves at once, or as soon as the bus is connected. */
MUST_USE struct bus_reader *bus_reader_open(struct bus *bus,
                                            const struct bus_reader_settings *settings);
void bus_reader_close(struct bus_reader *reader); /* NULL is fine */
/* The doorbell: `position` is stored, and the filter lets it through. Reads at once when it is not
 * yet read; when a replica that is a moment behind ends its batch below it, asks again after a
 * pause (5 ms, doubled up to 200 ms). */
void bus_reader_ring(struct bus_reader *reader, uint64_t position);
/* Stops asking after the batch in flight; the owner is behind. */
void bus_reader_hold(struct bus_reader *reader, bool hold);
/* Goes on from `position` (drops the batch in flight). */
void bus_reader_seek(struct bus_reader *reader, uint64_t position);
/* The position wanted next. */
uint64_t bus_reader_next(const struct bus_reader *reader);
