/* Entries that owners send: answers, deliveries, gaps, and what else a frame of theirs holds. */
#include "edge/edge_home_internal.h"

#include <errno.h>

enum { FETCH_APART_MS = 250 }; /* two fetches of one device */

static void attach_found_hole(struct edge_home *home, struct edge_attach *attach)
{
    bool again = attach->hole && (uint32_t)home->now_ms - attach->asked_ms < FETCH_APART_MS;
    attach->hole = true;
    edge_home_settle(home, attach);
    if (!again)
        edge_home_write_fetch(home, attach);
}

static void attach_passed(struct edge_home *home, struct edge_attach *attach, uint64_t next)
{
    attach->next = next;
    attach->hole = false;
    edge_home_settle(home, attach);
    edge_home_mark_dirty(home, attach);
}

static void attach_deliver(struct edge_home *home, struct edge_attach *attach,
                           const struct wire_deliver *deliver)
{
    if (!edge_home_takes(attach))
        return;
    if (deliver->seq == 0) {
        attach->ops->on_deliver(attach, deliver);
        return;
    }
    if (deliver->epoch != attach->epoch || deliver->seq < attach->next) {
        edge_home_mark_dirty(home, attach); /* the owner does not know yet what was written */
        return;
    }
    if (deliver->seq > attach->next) {
        attach_found_hole(home, attach);
        return;
    }
    attach_passed(home, attach, deliver->seq + 1);
    attach->ops->on_deliver(attach, deliver); /* last: it may end in a detach */
}

static void on_entry_deliver(struct edge_home *home, struct edge_home_place *place,
                             const struct wire_deliver *deliver)
{
    (void)place;
    struct edge_attach *next;
    for (struct edge_attach *attach = edge_attaches_first(&home->attaches, deliver->user);
         attach != NULL; attach = next) {
        next = edge_attaches_next(attach);
        if (deliver->attach == 0 || deliver->attach == attach->attach)
            attach_deliver(home, attach, deliver);
    }
}

/* The mailbox has begun a new epoch, and the device goes on in it as if nothing were. */
static bool is_renumbered(const struct edge_attach *attach, const struct wire_attached *attached)
{
    const bool had_cursor =
        attach->state == EDGE_ATTACHING_AGAIN || (attach->flags & WIRE_ATTACH_HAS_CURSOR) != 0;
    return had_cursor && (attached->flags & WIRE_ATTACHED_RESUMED) != 0 &&
           attached->epoch - 1 == attach->epoch && attached->seq + 1 == attach->next;
}

static void attach_answer(struct edge_home *home, struct edge_attach *attach,
                          const struct wire_attached *attached)
{
    bool again = attach->state == EDGE_ATTACHING_AGAIN;
    bool renumbered = is_renumbered(attach, attached);
    bool resync = (attached->flags & WIRE_ATTACHED_RESYNC) != 0 ||
                  (again && !renumbered && attached->epoch != attach->epoch);
    const bool goes_on = attach->between && !resync;
    attach->attach = attached->attach;
    if (renumbered) {
        attach->epoch = attached->epoch;
        attach->former_to = attached->seq;
        edge_reads_renumber(&home->reads, attach, attach->epoch);
    } else if (resync) {
        attach->former_to = 0;
    }
    if (!again || resync) {
        attach->epoch = attached->epoch;
        attach->next = attached->seq + 1;
        if (!goes_on || attach->acked < attached->acked)
            attach->acked = attached->acked;
        attach->confirmed = attached->acked;
        attach->unconfirmed = attach->confirmed < attach->acked;
        attach->hole = false;
    }
    attach->between = false;
    edge_home_set_state(home, attach, EDGE_ATTACHED);
    if (again || goes_on) /* what the owner before was told may be lost with it */
        edge_home_mark_dirty(home, attach);
    bool was_unreachable = attach->told_unreachable;
    attach->told_unreachable = false;
    if (was_unreachable && again)
        attach->ops->on_reachable(attach, true);
    attach->ops->on_attached(attach, attached, again, resync);
}

static void on_entry_attached(struct edge_home *home, struct edge_home_place *place,
                              const struct wire_attached *attached)
{
    struct edge_attach *attach = edge_attaches_first(&home->attaches, attached->user);
    while (attach != NULL && attach->request != attached->request)
        attach = edge_attaches_next(attach);
    if (attach == NULL) { /* it has gone meanwhile */
        if (attached->code == WIRE_OK)
            edge_home_write_detach(home, place, attached->user, attached->device, attached->attach);
        return;
    }
    if (!edge_home_is_pending(attach))
        return;
    switch (attached->code) {
    case WIRE_OK:
        attach_answer(home, attach, attached);
        break;
    case WIRE_NOT_HOME:
        edge_home_lose_as(home, attach, EDGE_LOST_NOT_HOME);
        break;
    case WIRE_REFUSED:
        edge_home_lose_as(home, attach,
                          attach->attach == 0 ? EDGE_LOST_REFUSED : EDGE_LOST_REPLACED);
        break;
    default: /* busy: the tick asks again */
        break;
    }
}

/* The attach of that number, or NULL. */
static struct edge_attach *find_attach(struct edge_home *home, struct text user, uint64_t number)
{
    struct edge_attach *attach = edge_attaches_first(&home->attaches, user);
    while (attach != NULL && (attach->attach != number || attach->attach == 0))
        attach = edge_attaches_next(attach);
    return attach;
}

static void on_entry_acked(struct edge_home *home, const struct wire_acked *acked)
{
    struct edge_attach *attach = find_attach(home, acked->user, acked->attach);
    if (attach == NULL || acked->epoch != attach->epoch || acked->seq <= attach->confirmed)
        return;
    attach->confirmed = acked->seq;
    if (attach->acked < acked->seq)
        attach->acked = acked->seq;
    attach->unconfirmed = attach->confirmed < attach->acked;
    attach->asked_ms = attach->hole ? attach->asked_ms : (uint32_t)home->now_ms;
    edge_home_settle(home, attach);
    attach->ops->on_confirmed(attach);
}

static void on_entry_kick(struct edge_home *home, const struct wire_kick *kick)
{
    static const enum edge_lost lost[] = {
        [WIRE_KICK_REPLACED] = EDGE_LOST_REPLACED,
        [WIRE_KICK_MOVED] = EDGE_LOST_NOT_HOME,
        [WIRE_KICK_REVOKED] = EDGE_LOST_REFUSED,
        [WIRE_KICK_DROPPED] = EDGE_LOST_DROPPED,
    };
    struct edge_attach *attach = find_attach(home, kick->user, kick->attach);
    if (attach != NULL && kick->reason >= WIRE_KICK_REPLACED && kick->reason < COUNT_OF(lost))
        edge_home_lose_as(home, attach, lost[kick->reason]);
}

static void attach_gap(struct edge_home *home, struct edge_attach *attach,
                       const struct wire_gap *gap)
{
    if (!edge_home_takes(attach))
        return;
    if (gap->epoch != attach->epoch || gap->to < attach->next) {
        edge_home_mark_dirty(home, attach); /* the owner does not know yet what was written */
        return;
    }
    if (gap->from > attach->next) {
        attach_found_hole(home, attach);
        return;
    }
    struct wire_gap rest = *gap; /* without what the device has got */
    rest.from = attach->next;
    attach_passed(home, attach, gap->to + 1);
    attach->ops->on_gap(attach, &rest);
}

static void on_entry_gap(struct edge_home *home, const struct wire_gap *gap)
{
    struct edge_attach *next;
    for (struct edge_attach *attach = edge_attaches_first(&home->attaches, gap->user);
         attach != NULL; attach = next) {
        next = edge_attaches_next(attach);
        if (gap->attach == 0 || gap->attach == attach->attach)
            attach_gap(home, attach, gap);
    }
}

static void on_entry_unattached(struct edge_home *home, const struct wire_unattached *unattached)
{
    struct edge_attach *attach = find_attach(home, unattached->user, unattached->attach);
    if (attach != NULL && attach->state == EDGE_ATTACHED)
        edge_home_attach_again(home, attach);
}

static void on_entry_read_noted(struct edge_home *home, const struct wire_read_noted *noted)
{
    for (struct edge_attach *attach = edge_attaches_first(&home->attaches, noted->user);
         attach != NULL; attach = edge_attaches_next(attach))
        edge_reads_noted(&home->reads, attach, noted->of, noted->epoch, noted->seq);
}

static void on_entry(struct edge_home *home, struct edge_home_place *place,
                     const struct wire_entry *entry)
{
    switch (entry->kind) {
    case WIRE_ATTACHED:
        on_entry_attached(home, place, &entry->attached);
        break;
    case WIRE_DELIVER:
        on_entry_deliver(home, place, &entry->deliver);
        break;
    case WIRE_ACKED:
        on_entry_acked(home, &entry->acked);
        break;
    case WIRE_KICK:
        on_entry_kick(home, &entry->kick);
        break;
    case WIRE_GAP:
        on_entry_gap(home, &entry->gap);
        break;
    case WIRE_UNATTACHED:
        on_entry_unattached(home, &entry->unattached);
        break;
    case WIRE_READ_NOTED:
        on_entry_read_noted(home, &entry->read_noted);
        break;
    case WIRE_SHOWN:
        edge_home_shown(home, &entry->shown);
        break;
    case WIRE_CLAIMED:
        home->settings.on_claimed(home->settings.context, &entry->claimed);
        break;
    default: /* what only hubs take */
        break;
    }
}

void edge_home_frame(struct edge_home *home, const void *bytes, size_t size, int64_t now_ms)
{
    struct wire_frame frame;
    struct wire_entry entry;
    int err = wire_frame_read(bytes, size, &frame);
    struct edge_home_place *place =
        err == 0 ? edge_home_place_named(home, frame.region, frame.shard) : NULL;
    home->now_ms = now_ms;
    if (place == NULL || !edge_home_place_hear(home, place, frame.generation))
        return;
    while ((err = wire_entry_next(&frame, &entry)) == 0 || err == -EPROTO) {
        if (err == 0)
            on_entry(home, place, &entry);
    }
    static struct log_limit limit;
    if (err == -EBADMSG)
        log_limited(&limit, LOG_LEVEL_WARNING, "a hub's frame is malformed",
                    LOG_TEXT("from", frame.from));
}
