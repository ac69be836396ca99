/* What waits for one shard, and when it is published. Sends are appended to the batch that fills;
 * one batch is on its way at a time, and stays so, byte for byte, until its outcome is known. Pure:
 * times and PubAcks come in, publishes and outcomes go out.
 *
 *   - A batch leaves when none is on its way and the pace allows it: two publishes are apart by
 *     twice the usual time of a PubAck, at most pace_max_us. After a pause nothing waits.
 *   - No PubAck within resend_us (or four times the usual time, where that is longer, up to four
 *     times resend_us), or the bus came back: the same bytes again.
 *   - A PubAck with a position, of any attempt: accepted.
 *   - Refused because the stream is full, and so was every attempt before: rejected, for nothing
 *     was stored. Any other error is no outcome: again, after a pause that grows. */
#pragma once

#include "base/list.h"
#include "base/macros.h"
#include "bus/bus_stream.h"
#include "edge/edge_outcome.h"
#include "wire/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct edge_destination; /* opaque, see edge_destination.c */

struct edge_destination_settings {
    size_t records_max; /* in all batches */
    size_t bytes_max;
    int64_t resend_us;
    int64_t backoff_max_us;
    int64_t pace_max_us;
};

/* Embedded in what wants the outcome of one record. */
struct edge_ticket {
    struct list link;
};

struct edge_publish {
    uint64_t serial;     /* of the batch: all its attempts are of one number */
    const uint8_t *data; /* borrowed until the batch is done */
    size_t size;
};

/* `serial` numbers the first batch; start it at random, so that PubAcks meant for an earlier
 * process of the same name match nothing. Settings are borrowed. NULL when memory is short. */
MUST_USE struct edge_destination *
edge_destination_new(const struct edge_destination_settings *settings, uint64_t serial);
/* Appends the tickets that are still waiting to `ret_tickets`. NULL is fine. */
void edge_destination_free(struct edge_destination *destination, struct list *ret_tickets);

/* -ENOBUFS past records_max or bytes_max, -EMSGSIZE when no batch could hold it, -ENOMEM: nothing
 * was taken. */
MUST_USE int edge_destination_add(struct edge_destination *destination,
                                  const struct wire_message *message,
                                  const struct wire_recipient *recipients, size_t recipient_count,
                                  struct edge_ticket *ticket);
/* True when something is to be published now. Else `ret_due_us` is when to ask again, INT64_MAX
 * when there is nothing to wait for. Follow it with sent() or not_sent(). */
bool edge_destination_next(struct edge_destination *destination, int64_t now_us,
                           struct edge_publish *ret_publish, int64_t *ret_due_us);
void edge_destination_sent(struct edge_destination *destination, int64_t now_us);
/* The bus did not take it: no attempt was made. */
void edge_destination_not_sent(struct edge_destination *destination, int64_t now_us);
/* True when the batch is done: its tickets are then moved to `ret_tickets` with their common code.
 * A PubAck of another batch changes nothing. */
bool edge_destination_answered(struct edge_destination *destination, uint64_t serial,
                               const struct bus_puback *ack, int64_t now_us,
                               struct list *ret_tickets, enum edge_code *ret_code);
/* The bus is connected again: what is on its way may be lost. */
void edge_destination_reconnected(struct edge_destination *destination);

/* Records waiting, on their way included. */
size_t edge_destination_records(const struct edge_destination *destination);
size_t edge_destination_bytes(const struct edge_destination *destination);
