#include "region-hub/hub_presence.h"

#include "wire/beat.h"

#include <stdlib.h>
#include <string.h>

struct hub_presence {
    struct hub_presence_settings settings;
    struct hub_user *users; /* uthash */
    struct hub_edge **edges;
    size_t edge_count;
    size_t attached;
    uint64_t last_number;
    struct list waiting; /* by hub_attachment.waiting, the longest without progress first */
};

/* Above it, a number is no number that was ever given: an edge at fault must not use them up. */
static const uint64_t number_max = UINT64_MAX >> 1;

struct text hub_attachment_user(const struct hub_attachment *attachment)
{
    return (struct text){attachment->user->name, attachment->user->size};
}

struct text hub_attachment_device(const struct hub_attachment *attachment)
{
    return (struct text){attachment->device, attachment->device_size};
}

struct hub_presence *hub_presence_new(const struct hub_presence_settings *settings)
{
    struct hub_presence *presence = calloc(1, sizeof *presence);
    if (presence == NULL)
        return NULL;
    presence->settings = *settings;
    list_init(&presence->waiting);
    presence->edges = calloc(settings->edges_max, sizeof(struct hub_edge *));
    if (presence->edges == NULL) {
        hub_presence_free(presence);
        return NULL;
    }
    return presence;
}

/* Takes it into the digest of its edge, or out of it again. */
static void turn_digest(const struct hub_attachment *attachment)
{
    attachment->edge->digest ^= wire_attach_digest(
        hub_attachment_user(attachment), hub_attachment_device(attachment), attachment->attach);
}

static void forget(struct hub_presence *presence, struct hub_attachment *attachment)
{
    struct hub_user *user = attachment->user;
    if (presence->settings.on_gone != NULL)
        presence->settings.on_gone(presence->settings.context, attachment);
    list_remove(&attachment->of_user);
    list_remove(&attachment->of_edge);
    list_remove(&attachment->waiting);
    attachment->edge->attached--;
    turn_digest(attachment);
    presence->attached--;
    free(attachment);
    if (--user->attached == 0) {
        HASH_DEL(presence->users, user);
        free(user);
    }
}

static size_t forget_edge(struct hub_presence *presence, struct hub_edge *edge)
{
    size_t count = 0;
    for (struct list *node; (node = list_pop(&edge->attachments)) != NULL; count++)
        forget(presence, container_of(node, struct hub_attachment, of_edge));
    return count;
}

void hub_presence_reset(struct hub_presence *presence, uint64_t generation)
{
    for (size_t i = 0; i < presence->edge_count; i++)
        (void)forget_edge(presence, presence->edges[i]);
    presence->last_number = generation << 20;
}

void hub_presence_free(struct hub_presence *presence)
{
    if (presence == NULL)
        return;
    if (presence->edges != NULL) {
        hub_presence_reset(presence, 0);
        for (size_t i = 0; i < presence->edge_count; i++)
            free(presence->edges[i]);
        free(presence->edges);
    }
    free(presence);
}

struct hub_edge *hub_presence_edge(struct hub_presence *presence, struct text name,
                                   struct text region, int64_t now_ms)
{
    for (size_t i = 0; i < presence->edge_count; i++)
        if (text_equal(text_of(presence->edges[i]->name), name))
            return presence->edges[i];
    if (presence->edge_count == presence->settings.edges_max)
        return NULL;
    struct hub_edge *edge = calloc(1, sizeof *edge);
    if (edge == NULL)
        return NULL;
    if (text_put(edge->name, sizeof edge->name, name) != 0 ||
        text_put(edge->region, sizeof edge->region, region) != 0) {
        free(edge);
        return NULL;
    }
    list_init(&edge->attachments);
    edge->seen_ms = now_ms;
    edge->index = (uint32_t)presence->edge_count;
    presence->edges[presence->edge_count++] = edge;
    return edge;
}

struct hub_edge *hub_presence_edge_at(const struct hub_presence *presence, size_t index)
{
    return index < presence->edge_count ? presence->edges[index] : NULL;
}

size_t hub_presence_beat(struct hub_presence *presence, struct hub_edge *edge, uint64_t start,
                         int64_t now_ms)
{
    size_t dropped = 0;
    if (edge->start != 0 && edge->start != start)
        dropped = forget_edge(presence, edge);
    edge->start = start;
    edge->seen_ms = now_ms;
    return dropped;
}

size_t hub_presence_expire(struct hub_presence *presence, int64_t now_ms)
{
    size_t dropped = 0;
    for (size_t i = 0; i < presence->edge_count; i++)
        if (now_ms - presence->edges[i]->seen_ms >= presence->settings.edge_silent_ms)
            dropped += forget_edge(presence, presence->edges[i]);
    return dropped;
}

struct hub_user *hub_presence_user(const struct hub_presence *presence, struct text name)
{
    struct hub_user *user;
    HASH_FIND(hh, presence->users, name.data, name.size, user);
    return user;
}

static struct hub_attachment *device_of(const struct hub_user *user, struct text device)
{
    list_each(node, &user->attachments)
    {
        struct hub_attachment *attachment = container_of(node, struct hub_attachment, of_user);
        if (text_equal(hub_attachment_device(attachment), device))
            return attachment;
    }
    return NULL;
}

struct hub_attachment *hub_presence_device(const struct hub_presence *presence, struct text user,
                                           struct text device)
{
    const struct hub_user *found = hub_presence_user(presence, user);
    return found == NULL ? NULL : device_of(found, device);
}

struct hub_attachment *hub_presence_match(const struct hub_presence *presence,
                                          const struct hub_edge *edge, struct text user,
                                          struct text device, uint64_t attach)
{
    struct hub_attachment *found = hub_presence_device(presence, user, device);
    return found != NULL && found->edge == edge && found->attach == attach ? found : NULL;
}

size_t hub_presence_attached(const struct hub_presence *presence)
{
    return presence->attached;
}

static struct hub_user *user_of(struct hub_presence *presence, struct text name)
{
    struct hub_user *user = hub_presence_user(presence, name);
    if (user != NULL)
        return user;
    user = calloc(1, sizeof *user + name.size + 1);
    if (user == NULL)
        return NULL;
    list_init(&user->attachments);
    user->size = name.size;
    memcpy(user->name, name.data, name.size);
    HASH_ADD_KEYPTR(hh, presence->users, user->name, user->size, user);
    return user;
}

static struct hub_attachment *add(struct hub_presence *presence, const struct hub_attach *attach)
{
    struct hub_attachment *added = calloc(1, sizeof *added + attach->device.size + 1);
    if (added == NULL)
        return NULL;
    struct hub_user *user = user_of(presence, attach->user);
    if (user == NULL) {
        free(added);
        return NULL;
    }
    added->user = user;
    added->edge = attach->edge;
    added->request = attach->request;
    added->flags = attach->flags;
    added->epoch = attach->epoch;
    added->start = added->received = attach->cursor;
    added->credit = (struct hub_credit){.sent = attach->cursor, .acked = attach->cursor};
    added->confirmed = attach->confirmed;
    added->device_size = attach->device.size;
    memcpy(added->device, attach->device.data, attach->device.size);
    list_push(&user->attachments, &added->of_user);
    list_push(&attach->edge->attachments, &added->of_edge);
    user->attached++;
    attach->edge->attached++;
    presence->attached++;
    return added;
}

struct hub_attach_result hub_presence_attach(struct hub_presence *presence,
                                             const struct hub_attach *attach, int64_t now_ms)
{
    struct hub_attach_result result = {.outcome = HUB_ATTACH_NEW};
    const struct hub_user *user = hub_presence_user(presence, attach->user);
    struct hub_attachment *old = user == NULL ? NULL : device_of(user, attach->device);

    attach->edge->seen_ms = now_ms;
    if (old != NULL && old->edge == attach->edge && old->request == attach->request) {
        hub_presence_go_back(presence, old, old->received);
        result.outcome = HUB_ATTACH_REPEAT;
        result.attachment = old;
        return result;
    }
    bool again = attach->attach != 0;
    if (attach->attach > number_max ||
        (old != NULL && again &&
         (old->attach > attach->attach ||
          (old->attach == attach->attach && old->edge != attach->edge)))) {
        result.outcome = HUB_ATTACH_REFUSED;
        return result;
    }
    bool full = presence->attached >= presence->settings.devices_max ||
                (user != NULL && user->attached >= attach->user_max);
    if (full && old == NULL) {
        result.outcome = HUB_ATTACH_FULL;
        return result;
    }
    struct hub_attachment *added = add(presence, attach);
    if (added == NULL) {
        result.outcome = HUB_ATTACH_FULL;
        return result;
    }
    added->attach = again ? attach->attach : presence->last_number + 1;
    if (presence->last_number < added->attach)
        presence->last_number = added->attach;
    added->since_ms = old != NULL && old->attach == added->attach ? old->since_ms : now_ms;
    turn_digest(added);
    if (old != NULL) {
        if (old->attach != added->attach) { /* else the same attach with another request */
            result.replaced_edge = old->edge;
            result.replaced = old->attach;
        }
        forget(presence, old);
    }
    result.attachment = added;
    return result;
}

void hub_presence_detach(struct hub_presence *presence, struct hub_attachment *attachment)
{
    forget(presence, attachment);
}

/* Keeps `waiting` in the order of progress: whoever moved goes to the end. */
static void wait_again(struct hub_presence *presence, struct hub_attachment *attachment,
                       bool progress, int64_t now_ms)
{
    bool waits = attachment->received < attachment->credit.sent;
    if (waits && !progress && list_linked(&attachment->waiting))
        return;
    list_remove(&attachment->waiting);
    if (!waits)
        return;
    attachment->progress_ms = now_ms;
    list_push(&presence->waiting, &attachment->waiting);
}

void hub_presence_sent(struct hub_presence *presence, struct hub_attachment *attachment,
                       size_t size, int64_t now_ms)
{
    hub_credit_send(&attachment->credit, &presence->settings.credit, size);
    wait_again(presence, attachment, false, now_ms);
}

bool hub_presence_report(struct hub_presence *presence, struct hub_attachment *attachment,
                         uint64_t received, uint64_t acked, uint64_t head, int64_t now_ms)
{
    bool moved = false;
    if (received > attachment->received && received <= head) {
        attachment->received = received;
        hub_credit_skip(&attachment->credit, received); /* sent before it was set back */
        wait_again(presence, attachment, true, now_ms);
        moved = true;
    }
    if (acked > attachment->credit.acked && acked <= attachment->received) {
        hub_credit_ack(&attachment->credit, acked);
        moved = true;
    }
    return moved;
}

void hub_presence_go_back(struct hub_presence *presence, struct hub_attachment *attachment,
                          uint64_t seq)
{
    if (seq >= attachment->credit.sent)
        return;
    hub_credit_go_back(&attachment->credit, seq);
    if (attachment->received > seq)
        attachment->received = seq;
    if (attachment->received >= attachment->credit.sent)
        list_remove(&attachment->waiting);
    (void)presence;
}

void hub_presence_gap(struct hub_presence *presence, struct hub_attachment *attachment, uint64_t to,
                      int64_t now_ms)
{
    hub_credit_skip(&attachment->credit, to);
    wait_again(presence, attachment, false, now_ms);
}

struct hub_attachment *hub_presence_overdue(struct hub_presence *presence, int64_t now_ms)
{
    if (list_empty(&presence->waiting))
        return NULL;
    struct hub_attachment *first =
        container_of(presence->waiting.next, struct hub_attachment, waiting);
    if (now_ms - first->progress_ms < presence->settings.repair_ms)
        return NULL;
    list_remove(&first->waiting);
    hub_presence_go_back(presence, first, first->received);
    return first;
}
