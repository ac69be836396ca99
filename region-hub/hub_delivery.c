#include "region-hub/hub_delivery.h"

#include "log/log.h"
#include "region-hub/hub_horizon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    ENTRY_OVERHEAD = 128, /* what an entry costs beside its texts, counted generously */
    READ_ROWS_MAX = 256,
    READ_STARTS_MAX = 32, /* rows tried in one go when the view holds none */
};

struct out { /* the frame that is being gathered for one edge */
    struct buffer bytes;
    struct wire_frame_writer frame;
    bool open;
};

struct hub_delivery {
    struct hub_delivery_settings settings;
    uint64_t generation;
    struct out *outs;   /* by hub_edge.index */
    struct list behind; /* of hub_attachment.behind */
    struct loop_later flush;
    struct loop_later pump;
    struct log_limit dropped_limit;
    struct log_limit lost_limit;
    uint64_t lost; /* messages, as often as they were announced so */
};

static void on_flush(struct loop_later *later);
static void on_pump(struct loop_later *later);

struct hub_delivery *hub_delivery_new(const struct hub_delivery_settings *settings)
{
    struct hub_delivery *delivery = calloc(1, sizeof *delivery);
    if (delivery == NULL)
        return NULL;
    delivery->settings = *settings;
    delivery->flush.on_later = on_flush;
    delivery->pump.on_later = on_pump;
    list_init(&delivery->behind);
    delivery->outs = calloc(settings->edges_max, sizeof delivery->outs[0]);
    if (delivery->outs == NULL) {
        free(delivery);
        return NULL;
    }
    return delivery;
}

void hub_delivery_free(struct hub_delivery *delivery)
{
    if (delivery == NULL)
        return;
    hub_delivery_serve(delivery, 0);
    for (size_t i = 0; i < delivery->settings.edges_max; i++)
        buffer_free(&delivery->outs[i].bytes);
    free(delivery->outs);
    free(delivery);
}

void hub_delivery_serve(struct hub_delivery *delivery, uint64_t generation)
{
    delivery->generation = generation;
    loop_later_cancel(&delivery->flush);
    loop_later_cancel(&delivery->pump);
    while (list_pop(&delivery->behind) != NULL)
        ;
    for (size_t i = 0; i < delivery->settings.edges_max; i++) {
        delivery->outs[i].open = false;
        buffer_clear(&delivery->outs[i].bytes);
    }
}

/* --- frames --- */

static void publish(struct hub_delivery *delivery, const struct hub_edge *edge)
{
    struct out *out = &delivery->outs[edge->index];
    if (!out->open)
        return;
    out->open = false;
    int err = wire_frame_end(&out->frame);
    if (err == 0) {
        struct wire_name subject = wire_edge_subject(edge->region, edge->name);
        err = bus_publish(delivery->settings.bus, subject.text, NULL, out->bytes.data,
                          out->bytes.size);
    }
    if (err != 0) /* the edge reports what it has, so it is sent again */
        log_limited(&delivery->dropped_limit, LOG_LEVEL_WARNING, "a frame to an edge was dropped",
                    LOG_STRING("edge", edge->name), LOG_ERRNO(err));
    if (out->bytes.capacity > WIRE_FRAME_SIZE_MAX / 4)
        buffer_free(&out->bytes); /* an edge that is quiet again holds no memory */
    buffer_clear(&out->bytes);
}

static void on_flush(struct loop_later *later)
{
    struct hub_delivery *delivery = container_of(later, struct hub_delivery, flush);
    const struct hub_edge *edge;
    for (size_t i = 0; (edge = hub_presence_edge_at(delivery->settings.presence, i)) != NULL; i++)
        publish(delivery, edge);
}

static void open_frame(struct hub_delivery *delivery, struct out *out)
{
    const struct wire_frame head = {
        .generation = delivery->generation,
        .shard = (uint16_t)delivery->settings.shard,
        .region = text_of(delivery->settings.region),
        .from = text_of(delivery->settings.hub),
    };
    wire_frame_begin(&out->frame, &out->bytes, &head);
    out->open = true;
    loop_later(delivery->settings.loop, &delivery->flush);
}

static void add(struct hub_delivery *delivery, const struct hub_edge *edge,
                const struct wire_entry *entry, size_t size)
{
    if (delivery->generation == 0)
        return;
    struct out *out = &delivery->outs[edge->index];
    if (out->open && !wire_frame_has_room(&out->frame, size))
        publish(delivery, edge);
    if (!out->open)
        open_frame(delivery, out);
    wire_entry_write(&out->frame, entry);
}

void hub_delivery_send(struct hub_delivery *delivery, const struct hub_edge *edge,
                       const struct wire_entry *entry)
{
    add(delivery, edge, entry, ENTRY_OVERHEAD + TEXT_USER_MAX + TEXT_DEVICE_MAX);
}

static size_t size_of(const struct wire_deliver *deliver)
{
    return ENTRY_OVERHEAD + deliver->user.size + deliver->sender.size + deliver->id.size +
           deliver->body.size;
}

static void send_delivery(struct hub_delivery *delivery, const struct hub_edge *edge,
                          const struct wire_deliver *deliver)
{
    const struct wire_entry entry = {.kind = WIRE_DELIVER, .deliver = *deliver};
    add(delivery, edge, &entry, size_of(deliver));
}

/* --- new rows --- */

static int64_t now_of(const struct hub_delivery *delivery)
{
    return loop_now_ms(delivery->settings.loop);
}

/* Whether the device has been sent all before `seq`, and may be sent it. */
static bool is_next(const struct hub_delivery *delivery, const struct hub_attachment *attachment,
                    uint32_t epoch, uint64_t seq, size_t size)
{
    return attachment->epoch == epoch && attachment->credit.sent + 1 == seq &&
           !list_linked(&attachment->behind) &&
           hub_credit_allows(&attachment->credit, &delivery->settings.credit, size);
}

/* Sends to the user's devices at the edge of `first`, with one entry when all of them are ready. */
static void send_at_edge(struct hub_delivery *delivery, const struct hub_attachment *first,
                         struct wire_deliver *deliver)
{
    size_t size = size_of(deliver);
    bool all = true;
    list_each(node, &first->user->attachments)
    {
        const struct hub_attachment *other = container_of(node, struct hub_attachment, of_user);
        if (other->edge == first->edge)
            all = all && is_next(delivery, other, deliver->epoch, deliver->seq, size);
    }
    deliver->attach = 0;
    if (all)
        send_delivery(delivery, first->edge, deliver);
    list_each(node, &first->user->attachments)
    {
        struct hub_attachment *other = container_of(node, struct hub_attachment, of_user);
        if (other->edge != first->edge ||
            !is_next(delivery, other, deliver->epoch, deliver->seq, size))
            continue;
        deliver->attach = other->attach;
        if (!all)
            send_delivery(delivery, first->edge, deliver);
        hub_presence_sent(delivery->settings.presence, other, size, now_of(delivery));
    }
}

/* Whether no attachment before it in the list is at the same edge. */
static bool is_first_at_edge(const struct hub_attachment *attachment)
{
    list_each(node, &attachment->user->attachments)
    {
        const struct hub_attachment *other = container_of(node, struct hub_attachment, of_user);
        if (other == attachment)
            return true;
        if (other->edge == attachment->edge)
            return false;
    }
    return true;
}

static struct wire_deliver deliver_of(const struct wire_message *message, struct text user)
{
    struct wire_deliver deliver = {
        .user = user,
        .flags = message->flags,
        .sender = message->sender,
        .id = message->id,
        .body = message->body,
    };
    memcpy(deliver.trace, message->trace, sizeof deliver.trace);
    return deliver;
}

void hub_delivery_row(struct hub_delivery *delivery, const struct mailbox_row *row)
{
    const struct hub_user *user = hub_presence_user(delivery->settings.presence, row->user);
    if (user == NULL || delivery->generation == 0)
        return;
    struct wire_deliver deliver = deliver_of(row->message, row->user);
    deliver.epoch = row->epoch;
    deliver.seq = row->seq;
    deliver.at_ms = row->at_ms;
    list_each(node, &user->attachments)
    {
        const struct hub_attachment *attachment =
            container_of(node, struct hub_attachment, of_user);
        if (is_first_at_edge(attachment))
            send_at_edge(delivery, attachment, &deliver);
    }
}

void hub_delivery_ephemeral(struct hub_delivery *delivery, struct text name,
                            const struct wire_message *message, int64_t at_ms)
{
    const struct hub_user *user = hub_presence_user(delivery->settings.presence, name);
    if (user == NULL)
        return;
    struct wire_deliver deliver = deliver_of(message, name);
    deliver.at_ms = at_ms;
    list_each(node, &user->attachments)
    {
        const struct hub_attachment *attachment =
            container_of(node, struct hub_attachment, of_user);
        if (is_first_at_edge(attachment))
            send_delivery(delivery, attachment->edge, &deliver);
    }
}

/* --- rows from the view --- */

/* What is read for one device in one go. What it will not get is gathered to one gap as long as the
 * reason is the same; it leaves before the next message, or at the end. */
struct pumping {
    struct hub_delivery *delivery;
    struct hub_attachment *attachment;
    uint64_t expired_rows;
    int64_t now_ms; /* log time */
    uint64_t next;  /* the seq that is looked at next: all from credit.sent + 1 are in the gap */
    struct text reason;
    uint64_t bytes;
    bool found;   /* a row of this device's mailbox */
    bool limited; /* by the credit */
};

static void send_gap(struct pumping *pumping)
{
    struct hub_delivery *delivery = pumping->delivery;
    struct hub_attachment *attachment = pumping->attachment;
    uint64_t to = pumping->next - 1;
    if (to <= attachment->credit.sent)
        return;
    const struct wire_entry entry = {
        .kind = WIRE_GAP,
        .gap = {.attach = attachment->attach,
                .user = hub_attachment_user(attachment),
                .epoch = attachment->epoch,
                .from = attachment->credit.sent + 1,
                .to = to,
                .reason = pumping->reason},
    };
    hub_delivery_send(delivery, attachment->edge, &entry);
    hub_presence_gap(delivery->settings.presence, attachment, to, now_of(delivery));
    pumping->bytes += ENTRY_OVERHEAD;
}

/* The device will not get what is up to `to`. */
static void lose(struct pumping *pumping, uint64_t to, struct text reason)
{
    if (to < pumping->next)
        return;
    if (!text_equal(reason, pumping->reason))
        send_gap(pumping);
    pumping->reason = reason;
    pumping->next = to + 1;
}

/* What should be there, and is not: the view was made again from a log that had been cut. */
static void miss(struct pumping *pumping, uint64_t to)
{
    struct hub_delivery *delivery = pumping->delivery;
    if (to < pumping->next)
        return;
    delivery->lost += to - pumping->next + 1;
    log_limited(&delivery->lost_limit, LOG_LEVEL_ERROR,
                "messages are lost: the view does not hold them, and they are younger than the "
                "retention",
                LOG_TEXT("user", hub_attachment_user(pumping->attachment)),
                LOG_U64("from", pumping->next), LOG_U64("to", to), LOG_U64("lost", delivery->lost));
    lose(pumping, to, TEXT("lost"));
}

static bool is_over(const struct view_row *row, int64_t now_ms)
{
    return row->ttl_s > 0 && now_ms - row->at_ms >= (int64_t)row->ttl_s * 1000;
}

static void send_row(struct pumping *pumping, const struct view_row *row)
{
    struct hub_delivery *delivery = pumping->delivery;
    struct hub_attachment *attachment = pumping->attachment;
    struct wire_deliver deliver = {
        .attach = attachment->attach,
        .user = hub_attachment_user(attachment),
        .epoch = row->epoch,
        .seq = row->seq,
        .at_ms = row->at_ms,
        .flags = row->flags,
        .sender = row->sender,
        .id = row->id,
        .body = row->body,
    };
    memcpy(deliver.trace, row->trace, sizeof deliver.trace);
    size_t size = size_of(&deliver);
    send_gap(pumping);
    if (!hub_credit_allows(&attachment->credit, &delivery->settings.credit, size)) {
        pumping->limited = true;
        return;
    }
    send_delivery(delivery, attachment->edge, &deliver);
    hub_presence_sent(delivery->settings.presence, attachment, size, now_of(delivery));
    pumping->next = row->seq + 1;
    pumping->bytes += size;
}

static bool on_row(void *context, const struct view_row *row)
{
    struct pumping *pumping = context;
    if (row->epoch != pumping->attachment->epoch || row->seq < pumping->next)
        return true;
    pumping->found = true;
    if (row->previous_row <= pumping->expired_rows) /* the view may be trimmed up to here */
        lose(pumping, row->seq - 1, TEXT("retention"));
    else
        miss(pumping, row->seq - 1);
    if (row->row <= pumping->expired_rows)
        lose(pumping, row->seq, TEXT("retention"));
    else if (is_over(row, pumping->now_ms))
        lose(pumping, row->seq, TEXT("ttl"));
    else
        send_row(pumping, row);
    return !pumping->limited;
}

/* Reads what is after pumping->next. Where the view does not even hold a row to start from, a later
 * one is tried, and what is before that is lost. */
static int read_rows(struct pumping *pumping, const struct mailbox_user *user, uint64_t messages)
{
    struct hub_delivery *delivery = pumping->delivery;
    struct view *view = hub_apply_view(delivery->settings.apply);
    size_t rows = messages < READ_ROWS_MAX ? (size_t)messages : READ_ROWS_MAX;
    uint64_t seq = pumping->next;
    for (unsigned tries = 0; tries < READ_STARTS_MAX; tries++) {
        uint64_t start = mailbox_row_near(user, seq);
        int err = view_read(view, start, pumping->next, rows, delivery->settings.credit.bytes,
                            on_row, pumping);
        if (err != 0 || pumping->found)
            return err;
        while (seq <= user->head && mailbox_row_near(user, seq) == start)
            seq++;
        if (seq > user->head)
            break;
    }
    miss(pumping, seq - 1);
    return 0;
}

/* One read for one device. Returns the bytes sent; it is put at the end again when there is
 * more. */
static uint64_t pump_one(struct hub_delivery *delivery, struct hub_attachment *attachment)
{
    struct hub_apply *apply = delivery->settings.apply;
    const struct hub_credit_limits *limits = &delivery->settings.credit;
    struct mailbox_user user;
    if (!mailbox_find_user(hub_apply_mailbox(apply), hub_attachment_user(attachment), &user) ||
        user.epoch != attachment->epoch || user.head <= attachment->credit.sent)
        return 0;
    struct pumping pumping = {
        .delivery = delivery,
        .attachment = attachment,
        .expired_rows = mailbox_state(hub_apply_mailbox(apply)).expired_rows,
        .now_ms = hub_apply_now_ms(apply),
        .next = attachment->credit.sent + 1,
    };
    struct hub_horizon horizon = {0};
    int err =
        hub_horizon_of(hub_apply_view(apply), &user, pumping.next, pumping.expired_rows, &horizon);
    lose(&pumping, horizon.retention_to, TEXT("retention"));
    lose(&pumping, horizon.full_to, TEXT("mailbox_full"));
    uint64_t messages = hub_credit_messages(&attachment->credit, limits);
    if (err == 0 && messages > 0 && pumping.next <= user.head)
        err = read_rows(&pumping, &user, messages);
    if (err != 0) {
        hub_apply_view_failed(apply, err);
        return 0;
    }
    send_gap(&pumping);
    bool more = user.head > attachment->credit.sent && !pumping.limited && pumping.bytes > 0;
    if (more && hub_credit_messages(&attachment->credit, limits) > 0)
        list_push(&delivery->behind, &attachment->behind);
    return pumping.bytes + ENTRY_OVERHEAD;
}

static void on_pump(struct loop_later *later)
{
    struct hub_delivery *delivery = container_of(later, struct hub_delivery, pump);
    uint64_t bytes = 0;
    struct list *node;
    while (delivery->generation != 0 && hub_apply_mailbox(delivery->settings.apply) != NULL &&
           bytes < delivery->settings.turn_bytes && (node = list_pop(&delivery->behind)) != NULL)
        bytes += pump_one(delivery, container_of(node, struct hub_attachment, behind));
    on_flush(&delivery->flush);
    if (!list_empty(&delivery->behind))
        loop_later(delivery->settings.loop, &delivery->pump);
}

void hub_delivery_pump(struct hub_delivery *delivery, struct hub_attachment *attachment)
{
    if (delivery->generation == 0 || list_linked(&attachment->behind))
        return;
    list_push(&delivery->behind, &attachment->behind);
    loop_later(delivery->settings.loop, &delivery->pump);
}

void hub_delivery_gone(struct hub_delivery *delivery, struct hub_attachment *attachment)
{
    (void)delivery;
    list_remove(&attachment->behind);
}
