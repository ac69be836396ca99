#include "region-hub/hub_writer.h"

#include "base/buffer.h"
#include "base/list.h"
#include "log/log.h"

#include <errno.h>
#include <stdlib.h>

enum {
    OWN_SIZE_MAX = 128,
    MOVE_IN_SIZE = 192, /* what is fixed of it, and a region */
    /* Error answers of a stream without room or leader: no need to hurry. */
    REFUSED_PAUSE_MS = 250,
};

struct batch {
    struct list link;
    struct buffer bytes;
    struct wire_batch_writer records;
    size_t counted; /* of its bytes, in queued_bytes */
    uint64_t last;  /* the number of its last record */
};

struct hub_writer {
    struct hub_writer_settings settings;
    struct wire_name subject;
    struct list queue;     /* of batches; the last takes records */
    struct batch *on_way;  /* NULL: none; not in the queue any more */
    size_t queued_bytes;   /* of both */
    uint64_t taken;        /* records, ever */
    uint64_t settled;      /* all of them up to this one are stored or dropped */
    uint64_t lost;         /* those that were dropped */
    uint64_t number;       /* of the next attempt */
    uint64_t number_first; /* of the batch's first attempt */
    int64_t sent_ms;       /* when the last batch left first */
    struct loop_timer timer;
    struct log_limit refused_limit;
};

static void go(struct hub_writer *writer);

static void on_timer(struct loop_timer *timer)
{
    go(container_of(timer, struct hub_writer, timer));
}

struct hub_writer *hub_writer_new(const struct hub_writer_settings *settings)
{
    struct hub_writer *writer = calloc(1, sizeof *writer);
    if (writer == NULL)
        return NULL;
    writer->settings = *settings;
    writer->subject =
        settings->outbox_of == NULL
            ? wire_log_from_hubs(settings->region, settings->shard)
            : wire_outbox_lane(settings->outbox_of, settings->region, settings->shard);
    writer->number = writer->number_first = settings->first_number;
    writer->sent_ms = INT64_MIN / 2;
    writer->timer.on_due = on_timer;
    list_init(&writer->queue);
    return writer;
}

/* Frees a batch that is in no list. */
static void drop(struct hub_writer *writer, struct batch *batch)
{
    writer->queued_bytes -= batch->counted;
    buffer_free(&batch->bytes);
    free(batch);
}

/* The same of one that is not stored. */
static void lose(struct hub_writer *writer, struct batch *batch)
{
    writer->lost += batch->records.count;
    writer->settled = batch->last;
    drop(writer, batch);
}

void hub_writer_drop_queue(struct hub_writer *writer)
{
    uint64_t settled = writer->settled;
    list_each(node, &writer->queue) lose(writer, container_of(node, struct batch, link));
    list_init(&writer->queue);
    if (writer->on_way != NULL)
        writer->settled = settled; /* it comes before them */
}

void hub_writer_free(struct hub_writer *writer)
{
    if (writer == NULL)
        return;
    loop_timer_stop(writer->settings.loop, &writer->timer);
    hub_writer_drop_queue(writer);
    if (writer->on_way != NULL)
        drop(writer, writer->on_way);
    free(writer);
}

size_t hub_writer_queued_bytes(const struct hub_writer *writer)
{
    return writer->queued_bytes;
}

uint64_t hub_writer_taken(const struct hub_writer *writer)
{
    return writer->taken;
}

uint64_t hub_writer_settled(const struct hub_writer *writer)
{
    return writer->settled;
}

uint64_t hub_writer_lost(const struct hub_writer *writer)
{
    return writer->lost;
}

static struct wire_name reply_subject(struct hub_writer *writer)
{
    const struct hub_writer_settings *settings = &writer->settings;
    uint64_t number = writer->number++;
    if (settings->outbox_of == NULL)
        return wire_log_puback(settings->region, settings->shard, settings->process, number);
    return wire_outbox_puback(settings->outbox_of, settings->region, settings->shard,
                              settings->process, number);
}

/* Publishes the batch on its way. What the bus does not take is tried again. */
static void publish(struct hub_writer *writer)
{
    const struct batch *batch = writer->on_way;
    struct wire_name reply = reply_subject(writer);
    int err = bus_publish(writer->settings.bus, writer->subject.text, reply.text, batch->bytes.data,
                          batch->bytes.size);
    if (err != 0 && err != -ENOTCONN)
        log_limited(&writer->refused_limit, LOG_LEVEL_WARNING, "cannot publish to a stream",
                    LOG_STRING("subject", writer->subject.text), LOG_ERRNO(err));
    loop_timer_set(writer->settings.loop, &writer->timer, writer->settings.retry_ms);
}

static void start_next(struct hub_writer *writer)
{
    int64_t now_ms = loop_now_ms(writer->settings.loop);
    int64_t pause_ms = writer->sent_ms + writer->settings.pace_ms - now_ms;
    if (list_empty(&writer->queue))
        return;
    if (pause_ms > 0) {
        loop_timer_set(writer->settings.loop, &writer->timer, pause_ms);
        return;
    }
    struct batch *batch = container_of(list_pop(&writer->queue), struct batch, link);
    if (wire_batch_end(&batch->records) != 0) { /* memory was short: nothing of it is whole */
        lose(writer, batch);
        loop_timer_set(writer->settings.loop, &writer->timer, REFUSED_PAUSE_MS);
        return;
    }
    writer->on_way = batch;
    writer->number_first = writer->number;
    writer->sent_ms = now_ms;
    publish(writer);
}

/* Whatever is due: the next batch, or the one on its way once more. */
static void go(struct hub_writer *writer)
{
    if (writer->on_way != NULL)
        publish(writer);
    else
        start_next(writer);
}

/* The batch that takes a record of `size`, or NULL. */
static struct batch *batch_for(struct hub_writer *writer, size_t size, size_t queue_max_bytes)
{
    if (writer->queued_bytes + size > queue_max_bytes)
        return NULL;
    if (!list_empty(&writer->queue)) {
        struct batch *last = container_of(writer->queue.previous, struct batch, link);
        if (wire_batch_has_room(&last->records, size))
            return last;
    }
    struct batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL)
        return NULL;
    wire_batch_begin(&batch->records, &batch->bytes);
    batch->counted = batch->bytes.size;
    writer->queued_bytes += batch->counted;
    list_push(&writer->queue, &batch->link);
    return batch;
}

static struct batch *batch_within(struct hub_writer *writer, size_t size)
{
    return batch_for(writer, size, writer->settings.queue_max_bytes);
}

/* A record was appended: it leaves at the next chance. */
static int taken(struct hub_writer *writer, struct batch *batch)
{
    batch->last = ++writer->taken;
    writer->queued_bytes += batch->bytes.size - batch->counted;
    batch->counted = batch->bytes.size;
    if (writer->on_way == NULL && !loop_timer_is_set(&writer->timer))
        loop_timer_set(writer->settings.loop, &writer->timer, 0);
    return 0;
}

int hub_writer_ack(struct hub_writer *writer, const struct wire_ack *ack)
{
    struct batch *batch = batch_within(writer, 64 + ack->user.size + ack->device.size);
    if (batch == NULL)
        return -ENOBUFS;
    wire_ack_write(&batch->records, ack);
    return taken(writer, batch);
}

int hub_writer_tick(struct hub_writer *writer, const struct wire_tick *tick)
{
    struct batch *batch = batch_within(writer, sizeof *tick + 16);
    if (batch == NULL)
        return -ENOBUFS;
    wire_tick_write(&batch->records, tick);
    return taken(writer, batch);
}

int hub_writer_noticed(struct hub_writer *writer, const struct wire_noticed *noticed)
{
    struct batch *batch = batch_within(writer, sizeof *noticed + 16);
    if (batch == NULL)
        return -ENOBUFS;
    wire_noticed_write(&batch->records, noticed);
    return taken(writer, batch);
}

int hub_writer_read(struct hub_writer *writer, const struct wire_read *read)
{
    struct batch *batch = batch_within(writer, 64 + read->user.size + read->of.size);
    if (batch == NULL)
        return -ENOBUFS;
    wire_read_write(&batch->records, read);
    return taken(writer, batch);
}

int hub_writer_checkpoint(struct hub_writer *writer, const struct wire_checkpoint *checkpoint)
{
    struct batch *batch = batch_within(writer, sizeof *checkpoint + 16);
    if (batch == NULL)
        return -ENOBUFS;
    wire_checkpoint_write(&batch->records, checkpoint);
    return taken(writer, batch);
}

int hub_writer_config(struct hub_writer *writer, const struct wire_config *config)
{
    struct batch *batch = batch_within(writer, sizeof *config + 16);
    if (batch == NULL)
        return -ENOBUFS;
    wire_config_write(&batch->records, config);
    return taken(writer, batch);
}

int hub_writer_freeze(struct hub_writer *writer, const struct wire_freeze *freeze)
{
    struct batch *batch = batch_within(writer, 64 + freeze->user.size + freeze->to.size);
    if (batch == NULL)
        return -ENOBUFS;
    wire_freeze_write(&batch->records, freeze);
    return taken(writer, batch);
}

int hub_writer_move_row(struct hub_writer *writer, const struct wire_move_row *row)
{
    const struct wire_recipient to = {.kind = WIRE_USER, .name = row->user};
    struct batch *batch =
        batch_within(writer, 64 + row->user.size + wire_message_size(&row->message, &to, 1));
    if (batch == NULL)
        return -ENOBUFS;
    wire_move_row_write(&batch->records, row);
    return taken(writer, batch);
}

int hub_writer_move_in(struct hub_writer *writer, const struct wire_move_in *move)
{
    struct batch *batch =
        batch_within(writer, MOVE_IN_SIZE + move->user.size + move->mailbox.devices.left);
    if (batch == NULL)
        return -ENOBUFS;
    wire_move_in_write(&batch->records, move);
    return taken(writer, batch);
}

int hub_writer_move_end(struct hub_writer *writer, const struct wire_move_end *end)
{
    struct batch *batch = batch_within(writer, 64 + end->user.size + end->home.size);
    if (batch == NULL)
        return -ENOBUFS;
    wire_move_end_write(&batch->records, end);
    return taken(writer, batch);
}

int hub_writer_message(struct hub_writer *writer, const struct wire_message *message,
                       struct text recipient)
{
    const struct wire_recipient to = {.kind = WIRE_USER, .name = recipient};
    struct batch *batch = batch_within(writer, wire_message_size(message, &to, 1));
    if (batch == NULL)
        return -ENOBUFS;
    wire_message_write(&batch->records, message, &to, 1);
    return taken(writer, batch);
}

int hub_writer_own(struct hub_writer *writer, const struct wire_own *own)
{
    struct batch *batch = batch_for(writer, OWN_SIZE_MAX, SIZE_MAX);
    if (batch == NULL)
        return -ENOMEM;
    wire_own_write(&batch->records, own);
    return taken(writer, batch);
}

bool hub_writer_is_waiting_for(const struct hub_writer *writer, uint64_t number)
{
    return writer->on_way != NULL && number >= writer->number_first && number < writer->number;
}

void hub_writer_puback(struct hub_writer *writer, const struct bus_puback *ack)
{
    if (writer->on_way == NULL)
        return;
    loop_timer_stop(writer->settings.loop, &writer->timer);
    if (ack->position == 0) {
        log_limited(&writer->refused_limit, LOG_LEVEL_WARNING,
                    "a stream refused a batch of this hub",
                    LOG_STRING("subject", writer->subject.text), LOG_I64("err_code", ack->err_code),
                    LOG_STRING("why", ack->description));
        loop_timer_set(writer->settings.loop, &writer->timer, REFUSED_PAUSE_MS);
        return;
    }
    writer->settled = writer->on_way->last;
    drop(writer, writer->on_way);
    writer->on_way = NULL;
    start_next(writer);
}

void hub_writer_connected(struct hub_writer *writer)
{
    if (writer->on_way == NULL)
        return;
    loop_timer_stop(writer->settings.loop, &writer->timer);
    publish(writer);
}
