#include "edge/edge_destination.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum {
    BACKOFF_MIN_US = 50 * 1000,
    PATIENCE_ANSWERS = 4,         /* usual answers that an attempt is given... */
    PATIENCE_RESENDS = 4,         /* ...up to so many times resend_us */
    PAUSE_UNSENT_US = 100 * 1000, /* the bus is not there: on_state tells when it is */
};

struct batch {
    struct list link; /* in batches */
    struct buffer bytes;
    struct wire_batch_writer writer;
    struct list tickets;
    bool closed; /* on its way: not a byte changes any more */
};

struct edge_destination {
    const struct edge_destination_settings *settings;
    struct list batches; /* the oldest first; only the first can be on its way */
    size_t records;
    size_t bytes;
    uint64_t serial;   /* of the first batch */
    uint32_t attempts; /* of the first batch: publishes made... */
    uint32_t refused;  /* ...and those known to have stored nothing */
    int64_t due_us;    /* not before: the next attempt or the next batch */
    int64_t first_us;  /* when the first attempt was made... */
    int64_t sent_us;   /* ...and the last one */
    int64_t backoff_us;
    int64_t answer_us; /* smoothed time from publish to PubAck */
    int64_t whole_us;  /* the same, repeats included */
};

struct edge_destination *edge_destination_new(const struct edge_destination_settings *settings,
                                              uint64_t serial)
{
    struct edge_destination *destination = calloc(1, sizeof *destination);
    if (destination == NULL)
        return NULL;
    destination->settings = settings;
    destination->serial = serial;
    list_init(&destination->batches);
    return destination;
}

static struct batch *batch_of(struct list *node)
{
    return container_of(node, struct batch, link);
}

static struct batch *first_batch(struct edge_destination *destination)
{
    struct list *batches = &destination->batches;
    return list_empty(batches) ? NULL : batch_of(batches->next);
}

static struct batch *batch_add(struct edge_destination *destination)
{
    struct batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL)
        return NULL;
    list_init(&batch->tickets);
    wire_batch_begin(&batch->writer, &batch->bytes);
    if (batch->bytes.failed) {
        buffer_free(&batch->bytes);
        free(batch);
        return NULL;
    }
    destination->bytes += batch->bytes.size;
    list_push(&destination->batches, &batch->link);
    return batch;
}

static void move_tickets(struct list *from, struct list *to)
{
    for (struct list *node; (node = list_pop(from)) != NULL;)
        list_push(to, node);
}

static void batch_free(struct edge_destination *destination, struct batch *batch,
                       struct list *ret_tickets)
{
    destination->records -= batch->writer.count;
    destination->bytes -= batch->bytes.size;
    list_remove(&batch->link);
    move_tickets(&batch->tickets, ret_tickets);
    buffer_free(&batch->bytes);
    free(batch);
}

void edge_destination_free(struct edge_destination *destination, struct list *ret_tickets)
{
    if (destination == NULL)
        return;
    list_each(node, &destination->batches) batch_free(destination, batch_of(node), ret_tickets);
    free(destination);
}

/* The batch that fills and has room for `size` more, made when there is none. */
static struct batch *batch_to_fill(struct edge_destination *destination, size_t size)
{
    if (!list_empty(&destination->batches)) {
        struct batch *last = batch_of(destination->batches.previous);
        if (!last->closed && wire_batch_has_room(&last->writer, size))
            return last;
    }
    return batch_add(destination);
}

/* Appends one record that takes at most `room` bytes; all or nothing. */
static int batch_write(struct batch *batch, size_t size, size_t room,
                       const struct wire_message *message, const struct wire_recipient *recipients,
                       size_t recipient_count)
{
    if (!wire_batch_has_room(&batch->writer, size))
        return -EMSGSIZE;
    size_t before = batch->bytes.size;
    wire_message_write(&batch->writer, message, recipients, recipient_count);
    bool failed = batch->bytes.failed;
    if (!failed && batch->bytes.size - before <= room)
        return 0;
    batch->bytes.failed = false;
    batch->bytes.size = before;
    batch->writer.count--;
    return failed ? -ENOMEM : -ENOBUFS;
}

int edge_destination_add(struct edge_destination *destination, const struct wire_message *message,
                         const struct wire_recipient *recipients, size_t recipient_count,
                         struct edge_ticket *ticket)
{
    const struct edge_destination_settings *settings = destination->settings;
    size_t size = wire_message_size(message, recipients, recipient_count);
    if (destination->records >= settings->records_max ||
        destination->bytes + size > settings->bytes_max)
        return -ENOBUFS;
    struct batch *batch = batch_to_fill(destination, size);
    if (batch == NULL)
        return -ENOMEM;
    size_t before = batch->bytes.size;
    size_t most = settings->bytes_max;
    size_t room = destination->bytes < most ? most - destination->bytes : 0;
    int err = batch_write(batch, size, room, message, recipients, recipient_count);
    if (err != 0) {
        struct list none;
        list_init(&none);
        if (batch->writer.count == 0) /* made for this one */
            batch_free(destination, batch, &none);
        return err;
    }
    destination->records++;
    destination->bytes += batch->bytes.size - before;
    list_push(&batch->tickets, &ticket->link);
    return 0;
}

static int64_t edge_destination_pace(const struct edge_destination *destination)
{
    int64_t pace = 2 * destination->answer_us;
    int64_t most = destination->settings->pace_max_us;
    return pace < most ? pace : most;
}

/* How long an attempt may be without an answer. A stream that is only slow is not helped by the
 * same bytes once more. */
static int64_t edge_destination_patience(const struct edge_destination *destination)
{
    int64_t least = destination->settings->resend_us;
    int64_t most = PATIENCE_RESENDS * least;
    int64_t patience = PATIENCE_ANSWERS * destination->whole_us;
    return patience < least ? least : patience < most ? patience : most;
}

bool edge_destination_next(struct edge_destination *destination, int64_t now_us,
                           struct edge_publish *ret_publish, int64_t *ret_due_us)
{
    struct batch *batch = first_batch(destination);
    *ret_due_us = INT64_MAX;
    if (batch == NULL)
        return false;
    if (now_us < destination->due_us) {
        *ret_due_us = destination->due_us;
        return false;
    }
    if (!batch->closed) {
        if (wire_batch_end(&batch->writer) != 0) {
            *ret_due_us = now_us + PAUSE_UNSENT_US;
            return false;
        }
        batch->closed = true;
    }
    *ret_publish = (struct edge_publish){
        .serial = destination->serial, .data = batch->bytes.data, .size = batch->bytes.size};
    return true;
}

void edge_destination_sent(struct edge_destination *destination, int64_t now_us)
{
    if (destination->attempts++ == 0)
        destination->first_us = now_us;
    destination->sent_us = now_us;
    destination->due_us = now_us + edge_destination_patience(destination);
}

void edge_destination_not_sent(struct edge_destination *destination, int64_t now_us)
{
    destination->due_us = now_us + PAUSE_UNSENT_US;
}

static void edge_destination_refused(struct edge_destination *destination, int64_t now_us)
{
    int64_t backoff = destination->backoff_us;
    int64_t most = destination->settings->backoff_max_us;
    backoff = backoff == 0 ? BACKOFF_MIN_US : 2 * backoff;
    destination->backoff_us = backoff < most ? backoff : most;
    destination->due_us = now_us + destination->backoff_us;
}

static void edge_destination_done(struct edge_destination *destination, struct list *ret_tickets)
{
    batch_free(destination, first_batch(destination), ret_tickets);
    destination->serial++;
    destination->attempts = 0;
    destination->refused = 0;
    destination->backoff_us = 0;
    destination->due_us = destination->sent_us + edge_destination_pace(destination);
}

/* Of several attempts nobody knows which one was answered: the pace is learnt from first attempts
 * alone. Patience is learnt from all, or a slow stream would never be known as slow. */
static void edge_destination_took(struct edge_destination *destination, int64_t now_us)
{
    int64_t whole = now_us - destination->first_us;
    int64_t most = PATIENCE_RESENDS * destination->settings->resend_us;
    if (destination->attempts == 1)
        destination->answer_us += (whole - destination->answer_us) / 8;
    if (destination->refused == 0) /* else there was nobody to answer */
        destination->whole_us += ((whole < most ? whole : most) - destination->whole_us) / 8;
}

bool edge_destination_answered(struct edge_destination *destination, uint64_t serial,
                               const struct bus_puback *ack, int64_t now_us,
                               struct list *ret_tickets, enum edge_code *ret_code)
{
    const struct batch *batch = first_batch(destination);
    if (batch == NULL || !batch->closed || serial != destination->serial ||
        destination->attempts == 0)
        return false;
    if (ack->position != 0) {
        edge_destination_took(destination, now_us);
        edge_destination_done(destination, ret_tickets);
        *ret_code = EDGE_ACCEPTED;
        return true;
    }
    bool full = ack->err_code == BUS_ERR_STREAM_FULL;
    bool unseen = ack->code == 503 && ack->err_code == 0; /* no responders: the server said so */
    if (full || unseen) /* of other errors nobody knows what they left behind */
        destination->refused++;
    if (full && destination->refused >= destination->attempts) {
        edge_destination_done(destination, ret_tickets);
        *ret_code = EDGE_STORAGE_FULL;
        return true;
    }
    edge_destination_refused(destination, now_us);
    return false;
}

void edge_destination_reconnected(struct edge_destination *destination)
{
    destination->due_us = 0;
}

size_t edge_destination_records(const struct edge_destination *destination)
{
    return destination->records;
}

size_t edge_destination_bytes(const struct edge_destination *destination)
{
    return destination->bytes;
}
