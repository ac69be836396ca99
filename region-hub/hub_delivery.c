#include "region-hub/hub_delivery.h"

#include "log/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    ENTRY_OVERHEAD = 128, /* what an entry costs beside its texts, counted generously */
    READ_ROWS_MAX = 256,
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

struct pumping {
    struct hub_delivery *delivery;
    struct hub_attachment *attachment;
    uint64_t bytes;
    bool limited; /* by the credit */
};

static void send_gap(struct hub_delivery *delivery, struct hub_attachment *attachment, uint64_t to,
                     struct text reason)
{
    const struct wire_entry entry = {
        .kind = WIRE_GAP,
        .gap = {.attach = attachment->attach,
                .user = hub_attachment_user(attachment),
                .epoch = attachment->epoch,
                .from = attachment->credit.sent + 1,
                .to = to,
                .reason = reason},
    };
    hub_delivery_send(delivery, attachment->edge, &entry);
    hub_presence_skip(delivery->settings.presence, attachment, to);
}

static bool on_row(void *context, const struct view_row *row)
{
    struct pumping *pumping = context;
    struct hub_attachment *attachment = pumping->attachment;
    struct hub_delivery *delivery = pumping->delivery;
    if (row->epoch != attachment->epoch || row->seq <= attachment->credit.sent)
        return true;
    if (row->seq > attachment->credit.sent + 1) /* the view does not hold them any more */
        send_gap(delivery, attachment, row->seq - 1, TEXT("retention"));
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
    if (!hub_credit_allows(&attachment->credit, &delivery->settings.credit, size)) {
        pumping->limited = true;
        return false;
    }
    send_delivery(delivery, attachment->edge, &deliver);
    hub_presence_sent(delivery->settings.presence, attachment, size, now_of(delivery));
    pumping->bytes += size;
    return true;
}

/* One read for one device. Returns the bytes sent; it is put at the end again when there is
 * more. */
static uint64_t pump_one(struct hub_delivery *delivery, struct hub_attachment *attachment)
{
    struct hub_apply *apply = delivery->settings.apply;
    struct mailbox_user user;
    if (!mailbox_find_user(hub_apply_mailbox(apply), hub_attachment_user(attachment), &user) ||
        user.epoch != attachment->epoch || user.head <= attachment->credit.sent)
        return 0;
    if (attachment->credit.sent + 1 < user.oldest)
        send_gap(delivery, attachment, user.oldest - 1, TEXT("mailbox_full"));
    uint64_t messages = hub_credit_messages(&attachment->credit, &delivery->settings.credit);
    if (messages == 0 || user.head <= attachment->credit.sent)
        return 0;
    uint64_t from = attachment->credit.sent + 1;
    struct pumping pumping = {.delivery = delivery, .attachment = attachment};
    size_t rows = messages < READ_ROWS_MAX ? (size_t)messages : READ_ROWS_MAX;
    int err = view_read(hub_apply_view(apply), mailbox_row_near(&user, from), from, rows,
                        delivery->settings.credit.bytes, on_row, &pumping);
    if (err != 0) {
        hub_apply_view_failed(apply, err);
        return 0;
    }
    bool more = user.head > attachment->credit.sent && !pumping.limited && pumping.bytes > 0;
    if (more && hub_credit_messages(&attachment->credit, &delivery->settings.credit) > 0)
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
