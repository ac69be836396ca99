#include "edge/edge_dispatch_internal.h"

#include "base/clock.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A record on its way: pending, and the names to tell. */
struct sent {
    struct edge_ticket ticket;
    struct edge_pending pending;
    bool listed;
    uint16_t count;
    uint8_t id_size;
    char bytes[]; /* the id; then of each recipient a size and its name */
};

struct edge_dispatch *edge_dispatch_new(const struct edge_dispatch_settings *settings)
{
    struct edge_dispatch *dispatch = calloc(1, sizeof *dispatch);
    if (dispatch == NULL)
        return NULL;
    dispatch->settings = *settings;
    dispatch->limits = (struct edge_route_limits){
        .full_permille = settings->edge->full_permille,
        .backlog_ms = settings->edge->backlog_ms,
        .lag_max_ms = settings->edge->lag_max_ms,
    };
    list_init(&dispatch->waiting);
    list_init(&dispatch->gathering);
    dispatch->gather_timer.on_due = edge_gather_on_timer;
    hash_random(dispatch->trace, sizeof dispatch->trace);
    return dispatch;
}

void edge_sender_init(struct edge_sender *sender)
{
    list_init(&sender->pending);
    sender->pending_count = 0;
}

void edge_sender_done(struct edge_sender *sender)
{
    if (!list_linked(&sender->pending))
        return; /* never begun */
    for (struct list *node; (node = list_pop(&sender->pending)) != NULL;)
        container_of(node, struct edge_pending, link)->sender = NULL;
    sender->pending_count = 0;
}

void edge_pending_begin(struct edge_pending *pending, struct edge_sender *sender)
{
    pending->sender = sender;
    if (sender == NULL)
        return;
    list_push(&sender->pending, &pending->link);
    sender->pending_count++;
}

/* Returns who is to be told, or NULL. */
struct edge_sender *edge_pending_end(struct edge_pending *pending)
{
    struct edge_sender *sender = pending->sender;
    pending->sender = NULL;
    if (sender == NULL)
        return NULL;
    list_remove(&pending->link);
    sender->pending_count--;
    return sender;
}

void edge_dispatch_tell(struct edge_sender *sender, const struct edge_letter *letter,
                        struct text to, enum edge_code code)
{
    struct edge_outcome outcome = {
        .id = letter->id, .to = to, .listed = letter->listed, .code = code};
    if (sender != NULL)
        sender->on_outcome(sender, &outcome);
}

/* Records on their way. */

static struct sent *sent_new(const struct edge_letter *letter,
                             const struct wire_recipient *recipients, size_t count)
{
    size_t size = letter->id.size;
    for (size_t i = 0; i < count; i++)
        size += 1 + recipients[i].name.size;
    struct sent *sent = calloc(1, sizeof *sent + size);
    if (sent == NULL)
        return NULL;
    sent->listed = letter->listed;
    sent->count = (uint16_t)count;
    sent->id_size = (uint8_t)letter->id.size;
    memcpy(sent->bytes, letter->id.data, letter->id.size);
    char *next = sent->bytes + letter->id.size;
    for (size_t i = 0; i < count; i++) {
        *(uint8_t *)next++ = (uint8_t)recipients[i].name.size;
        memcpy(next, recipients[i].name.data, recipients[i].name.size);
        next += recipients[i].name.size;
    }
    return sent;
}

void edge_dispatch_on_outcome(struct edge_ticket *ticket, enum edge_code code)
{
    struct sent *sent = container_of(ticket, struct sent, ticket);
    struct edge_sender *sender = edge_pending_end(&sent->pending);
    struct edge_outcome outcome = {
        .id = {.data = sent->bytes, .size = sent->id_size}, .listed = sent->listed, .code = code};
    const char *next = sent->bytes + sent->id_size;
    for (size_t i = 0; sender != NULL && i < sent->count; i++) {
        outcome.to.size = *(const uint8_t *)next++;
        outcome.to.data = next;
        next += outcome.to.size;
        sender->on_outcome(sender, &outcome);
    }
    free(sent);
}

void edge_dispatch_on_dropped(struct edge_ticket *ticket)
{
    struct sent *sent = container_of(ticket, struct sent, ticket);
    (void)edge_pending_end(&sent->pending);
    free(sent);
}

static enum edge_code code_of_error(int err)
{
    return err == -EMSGSIZE ? EDGE_TOO_LARGE : EDGE_BUSY;
}

static enum edge_code code_of_route(enum edge_route route)
{
    static const enum edge_code codes[] = {
        [EDGE_ROUTE_OPEN] = EDGE_ACCEPTED,
        [EDGE_ROUTE_FULL] = EDGE_STORAGE_FULL,
        [EDGE_ROUTE_BACKLOGGED] = EDGE_HOME_BACKLOGGED,
        [EDGE_ROUTE_LAGGING] = EDGE_BUSY,
        [EDGE_ROUTE_SHARDS_DIFFER] = EDGE_BUSY,
    };
    return codes[route];
}

static void fill_message(struct wire_message *message, const struct edge_letter *letter,
                         const uint8_t trace[16])
{
    *message = (struct wire_message){
        .message_class = letter->message_class,
        .wants = letter->wants,
        .flags = letter->flags,
        .ttl_s = letter->ttl_s,
        .created_ms = clock_wall_ms(),
        .sender = letter->sender,
        .device = letter->device,
        .id = letter->id,
        .body = letter->body,
    };
    memcpy(message->trace, trace, sizeof message->trace);
}

/* What is decided at once: EDGE_ACCEPTED for an ephemeral message, or why not. EDGE_CODES: the
 * record is on its way. */
static enum edge_code dispatch_record(struct edge_dispatch *dispatch, struct edge_sender *sender,
                                      const struct edge_letter *letter, const uint8_t trace[16],
                                      size_t region, uint32_t shard,
                                      const struct wire_recipient *recipients, size_t count)
{
    struct wire_message message;
    fill_message(&message, letter, trace);
    if (letter->message_class == WIRE_EPHEMERAL) {
        edge_home_ephemeral(dispatch->settings.home, region, shard, &message, recipients, count);
        return EDGE_ACCEPTED;
    }
    enum edge_code code =
        code_of_route(edge_home_route(dispatch->settings.home, region, shard, &dispatch->limits,
                                      loop_now_ms(dispatch->settings.loop)));
    if (code != EDGE_ACCEPTED)
        return code;
    struct sent *sent = sent_new(letter, recipients, count);
    if (sent == NULL)
        return EDGE_BUSY;
    int err = edge_outbound_add(dispatch->settings.outbound, region, shard, &message, recipients,
                                count, &sent->ticket);
    if (err != 0) {
        free(sent);
        return code_of_error(err);
    }
    edge_pending_begin(&sent->pending, sender);
    return EDGE_CODES;
}

void edge_dispatch_group(struct edge_dispatch *dispatch, struct edge_sender *sender,
                         const struct edge_letter *letter, const uint8_t trace[16], size_t region,
                         uint32_t shard, const struct wire_recipient *recipients, size_t count)
{
    enum edge_code code =
        dispatch_record(dispatch, sender, letter, trace, region, shard, recipients, count);
    for (size_t i = 0; code != EDGE_CODES && i < count; i++)
        edge_dispatch_tell(sender, letter, recipients[i].name, code);
}

void edge_dispatch_free(struct edge_dispatch *dispatch)
{
    if (dispatch == NULL)
        return;
    loop_timer_stop(dispatch->settings.loop, &dispatch->gather_timer);
    list_each(node, &dispatch->waiting)
    {
        struct edge_waiting *waiting = container_of(node, struct edge_waiting, of_dispatch);
        homes_cancel(&waiting->lookup);
        (void)edge_pending_end(&waiting->pending);
        edge_waiting_free(waiting);
    }
    free(dispatch);
}

/* A letter that is being dispatched. */
struct sending {
    struct edge_dispatch *dispatch;
    struct edge_sender *sender;
    const struct edge_letter *letter;
    uint8_t trace[16];
    struct edge_kept *kept; /* once a recipient waits */
    size_t found;
    struct { /* recipients whose home is known */
        size_t region;
        uint32_t shard;
        struct text name;
    } homes[WIRE_RECIPIENTS_MAX];
};

static void sending_found(struct sending *sending, struct text name, size_t region)
{
    uint32_t shards = sending->dispatch->settings.catalogue->regions[region].shards;
    size_t at = sending->found++;
    sending->homes[at].region = region;
    sending->homes[at].shard = hash_shard(name, shards);
    sending->homes[at].name = name;
}

/* 0, or -EINPROGRESS when `waiting` waits from now on, or an error. */
static int sending_wait(struct sending *sending, struct edge_waiting *waiting, struct text name)
{
    struct edge_dispatch *dispatch = sending->dispatch;
    enum homes_found found;
    size_t region = 0;
    int err = homes_find(dispatch->settings.directory, name, &waiting->lookup, &found, &region);
    if (err == 0 && found == HOMES_FOUND)
        sending_found(sending, name, region);
    else if (err == 0)
        edge_dispatch_tell(sending->sender, sending->letter, name,
                           found == HOMES_UNSURE ? EDGE_DIRECTORY_UNSURE : EDGE_UNKNOWN_RECIPIENT);
    return err;
}

static void sending_find(struct sending *sending, struct text name)
{
    struct edge_dispatch *dispatch = sending->dispatch;
    size_t region;
    if (homes_known(dispatch->settings.directory, name, &region)) {
        sending_found(sending, name, region);
        return;
    }
    struct edge_waiting *waiting = edge_waiting_new(dispatch, name);
    if (waiting != NULL && sending->kept == NULL)
        sending->kept = edge_kept_new(dispatch, sending->letter, sending->trace);
    int err = -ENOBUFS;
    if (waiting != NULL && sending->kept != NULL) {
        sending->kept->references++;
        waiting->kept = sending->kept;
        err = sending_wait(sending, waiting, name);
    }
    if (err == -EINPROGRESS) {
        sending->kept->asked++;
        list_push(&dispatch->waiting, &waiting->of_dispatch);
        edge_pending_begin(&waiting->pending, sending->sender);
        return;
    }
    if (waiting != NULL && waiting->kept != NULL) {
        bool last = waiting->kept->references == 1;
        edge_kept_drop(dispatch, waiting->kept);
        if (last)
            sending->kept = NULL;
    }
    free(waiting);
    if (err != 0)
        edge_dispatch_tell(sending->sender, sending->letter, name, EDGE_BUSY);
}

/* One record for all recipients of the first one's shard; the others stay. */
static void sending_group(struct sending *sending)
{
    struct wire_recipient recipients[WIRE_RECIPIENTS_MAX];
    size_t region = sending->homes[0].region;
    uint32_t shard = sending->homes[0].shard;
    size_t count = 0;
    size_t left = 0;
    for (size_t i = 0; i < sending->found; i++) {
        if (sending->homes[i].region == region && sending->homes[i].shard == shard)
            recipients[count++] =
                (struct wire_recipient){.kind = WIRE_USER, .name = sending->homes[i].name};
        else
            sending->homes[left++] = sending->homes[i];
    }
    sending->found = left;
    edge_dispatch_group(sending->dispatch, sending->sender, sending->letter, sending->trace, region,
                        shard, recipients, count);
}

/* Some recipients of a list are asked for: those that are known wait for them. */
static void sending_gather(struct sending *sending)
{
    struct edge_dispatch *dispatch = sending->dispatch;
    size_t left = 0;
    sending->kept->references++; /* what gathers may leave at once */
    for (size_t i = 0; i < sending->found; i++) {
        struct edge_waiting *waiting = edge_waiting_new(dispatch, sending->homes[i].name);
        if (waiting == NULL) {
            sending->homes[left++] = sending->homes[i]; /* it goes by itself */
            continue;
        }
        sending->kept->references++;
        waiting->kept = sending->kept;
        list_push(&dispatch->waiting, &waiting->of_dispatch);
        edge_pending_begin(&waiting->pending, sending->sender);
        edge_gather(waiting, sending->homes[i].region);
    }
    sending->found = left;
    edge_gather_look(dispatch, sending->kept);
    edge_kept_drop(dispatch, sending->kept);
}

void edge_dispatch_send(struct edge_dispatch *dispatch, struct edge_sender *sender,
                        const struct edge_letter *letter)
{
    assert(letter->recipient_count >= 1 && letter->recipient_count <= WIRE_RECIPIENTS_MAX);
    struct sending sending; /* large, and only its start needs a value */
    sending.dispatch = dispatch;
    sending.sender = sender;
    sending.letter = letter;
    sending.kept = NULL;
    sending.found = 0;
    memcpy(sending.trace, dispatch->trace, sizeof sending.trace);
    dispatch->traces++;
    for (size_t i = 0; i < 8; i++)
        sending.trace[8 + i] ^= (uint8_t)(dispatch->traces >> (56 - 8 * i));
    edge_gather_leave_before(dispatch, letter->sender, UINT64_MAX);
    for (size_t i = 0; i < letter->recipient_count; i++)
        sending_find(&sending, letter->recipients[i]);
    if (sending.kept != NULL && letter->listed)
        sending_gather(&sending);
    while (sending.found > 0)
        sending_group(&sending);
}
