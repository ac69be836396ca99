/* What a hub writes to one log, or to the outbox that leads to it: records are gathered into
 * batches, one batch is on its way at a time, and a batch without a good PubAck is written again,
 * byte for byte, before any later one. The first write after a pause goes at once; then they are
 * spaced.
 *
 * A record that was taken is written unless the hub ends; whether it counts, the log decides. One
 * shard thread. */
#pragma once

#include "bus/bus_stream.h"
#include "loop/loop.h"
#include "wire/names.h"
#include "wire/record.h"

struct hub_writer; /* opaque, see hub_writer.c */

struct hub_writer_settings {
    struct loop *loop;
    struct bus *bus;
    const char *region;    /* of the log; borrowed for the writer's life, as `process` is */
    unsigned shard;        /* of the log */
    const char *outbox_of; /* NULL: the log is written; else the outbox of this region towards it */
    const char *process;   /* whose PubAcks these are: wire_pubacks_of(process) */
    uint64_t first_number; /* of the PubAcks' subjects: at random, unlike any earlier writer's */
    size_t queue_max_bytes;
    int64_t retry_ms;
    int64_t pace_ms;
};
/* NULL when memory is short. */
MUST_USE struct hub_writer *hub_writer_new(const struct hub_writer_settings *settings);
void hub_writer_free(struct hub_writer *writer); /* NULL is fine; drops what is queued */

/* Copies the record. -ENOBUFS when the queue is full, -ENOMEM. */
MUST_USE int hub_writer_ack(struct hub_writer *writer, const struct wire_ack *ack);
MUST_USE int hub_writer_tick(struct hub_writer *writer, const struct wire_tick *tick);
MUST_USE int hub_writer_checkpoint(struct hub_writer *writer,
                                   const struct wire_checkpoint *checkpoint);
MUST_USE int hub_writer_config(struct hub_writer *writer, const struct wire_config *config);
MUST_USE int hub_writer_message(struct hub_writer *writer, const struct wire_message *message,
                                struct text recipient);
/* The same, also when the queue is full: ownership must not wait for acks. */
MUST_USE int hub_writer_own(struct hub_writer *writer, const struct wire_own *own);

MUST_USE int hub_writer_noticed(struct hub_writer *writer, const struct wire_noticed *noticed);
MUST_USE int hub_writer_read(struct hub_writer *writer, const struct wire_read *read);
MUST_USE int hub_writer_freeze(struct hub_writer *writer, const struct wire_freeze *freeze);
MUST_USE int hub_writer_move_row(struct hub_writer *writer, const struct wire_move_row *row);
MUST_USE int hub_writer_move_in(struct hub_writer *writer, const struct wire_move_in *move);
MUST_USE int hub_writer_move_end(struct hub_writer *writer, const struct wire_move_end *end);

/* How many records were taken, and how many of them need no more waiting: what was taken when the
 * first was n is stored once the second is n, unless hub_writer_lost() has changed since. */
uint64_t hub_writer_taken(const struct hub_writer *writer);
uint64_t hub_writer_settled(const struct hub_writer *writer);
uint64_t hub_writer_lost(const struct hub_writer *writer); /* records that were dropped, ever */

/* Whether a number is of the batch on its way, of whichever attempt. */
bool hub_writer_is_waiting_for(const struct hub_writer *writer, uint64_t number);
/* Its PubAck: stored, or (position 0) not. */
void hub_writer_puback(struct hub_writer *writer, const struct bus_puback *ack);
/* The bus is connected again: what is on its way goes again at once. */
void hub_writer_connected(struct hub_writer *writer);
/* Drops what is not yet on its way: it would not count any more. */
void hub_writer_drop_queue(struct hub_writer *writer);
size_t hub_writer_queued_bytes(const struct hub_writer *writer);
