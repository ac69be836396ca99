#include "region-hub/hub_shown.h"

#include "base/hash.h"
#include "log/log.h"
#include "region-hub/hub_cursor.h"
#include "region-hub/hub_home.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { WAIT_MAX_MS = 5000 }; /* an edge asks again sooner, unless it has given up */

struct shown_user { /* of whom somebody waits */
    struct list waits;
    UT_hash_handle hh;
    size_t size;
    char name[];
};

struct wait {
    struct list of_user;
    struct list of_all; /* the oldest first */
    struct shown_user *user;
    const struct hub_edge *edge;
    uint64_t request;
    uint32_t epoch;
    uint64_t seq;
    int64_t since_ms;
    bool is_read;
    size_t size; /* of what it is about: the device, or whose messages are read */
    char what[];
};

struct hub_shown {
    struct hub_shown_settings settings;
    uint64_t generation;
    struct shown_user *users; /* uthash */
    struct list all;
    size_t count;
    struct log_limit acks_limit;
};

struct hub_shown *hub_shown_new(const struct hub_shown_settings *settings)
{
    struct hub_shown *shown = calloc(1, sizeof *shown);
    if (shown == NULL)
        return NULL;
    shown->settings = *settings;
    list_init(&shown->all);
    return shown;
}

static void forget(struct hub_shown *shown, struct wait *wait)
{
    list_remove(&wait->of_user);
    list_remove(&wait->of_all);
    free(wait);
    shown->count--;
}

static void end_if_empty(struct hub_shown *shown, struct shown_user *user)
{
    if (!list_empty(&user->waits))
        return;
    HASH_DEL(shown->users, user);
    free(user);
}

static void forget_oldest(struct hub_shown *shown)
{
    struct wait *wait = container_of(shown->all.next, struct wait, of_all);
    struct shown_user *user = wait->user;
    forget(shown, wait);
    end_if_empty(shown, user);
}

void hub_shown_serve(struct hub_shown *shown, uint64_t generation)
{
    shown->generation = generation;
    while (!list_empty(&shown->all))
        forget_oldest(shown);
}

void hub_shown_free(struct hub_shown *shown)
{
    if (shown == NULL)
        return;
    hub_shown_serve(shown, 0);
    free(shown);
}

size_t hub_shown_waiting(const struct hub_shown *shown)
{
    return shown->count;
}

/* --- who waits --- */

static struct shown_user *find_user(const struct hub_shown *shown, struct text name)
{
    struct shown_user *user = NULL;
    if (shown->users != NULL)
        HASH_FIND(hh, shown->users, name.data, name.size, user);
    return user;
}

static struct shown_user *user_of(struct hub_shown *shown, struct text name)
{
    struct shown_user *user = find_user(shown, name);
    if (user != NULL)
        return user;
    user = calloc(1, sizeof *user + name.size);
    if (user == NULL)
        return NULL;
    list_init(&user->waits);
    user->size = name.size;
    memcpy(user->name, name.data, name.size);
    HASH_ADD_KEYPTR(hh, shown->users, user->name, user->size, user);
    return user;
}

static void expire(struct hub_shown *shown, int64_t now_ms)
{
    while (!list_empty(&shown->all) &&
           now_ms - container_of(shown->all.next, struct wait, of_all)->since_ms >= WAIT_MAX_MS)
        forget_oldest(shown);
}

/* The edge asks again: it waits anew. */
static void forget_same(struct hub_shown *shown, const struct hub_edge *edge,
                        const struct wire_show *show)
{
    struct shown_user *user = find_user(shown, show->user);
    if (user == NULL)
        return;
    list_each(node, &user->waits)
    {
        struct wait *wait = container_of(node, struct wait, of_user);
        if (wait->edge == edge && wait->request == show->request)
            forget(shown, wait);
    }
    end_if_empty(shown, user);
}

/* When there is no room the edge asks again. */
static void add_wait(struct hub_shown *shown, const struct hub_edge *edge,
                     const struct wire_show *show, uint32_t epoch)
{
    const struct text what = show->of.size > 0 ? show->of : show->device;
    const int64_t now_ms = loop_now_ms(shown->settings.loop);
    forget_same(shown, edge, show);
    expire(shown, now_ms);
    if (shown->count >= shown->settings.waits_max)
        return;
    struct wait *wait = calloc(1, sizeof *wait + what.size);
    struct shown_user *user = wait == NULL ? NULL : user_of(shown, show->user);
    if (user == NULL) {
        free(wait);
        return;
    }
    wait->user = user;
    wait->edge = edge;
    wait->request = show->request;
    wait->epoch = epoch;
    wait->seq = show->seq;
    wait->since_ms = now_ms;
    wait->is_read = show->of.size > 0;
    wait->size = what.size;
    memcpy(wait->what, what.data, what.size);
    list_push(&user->waits, &wait->of_user);
    list_push(&shown->all, &wait->of_all);
    shown->count++;
}

static void answer(const struct hub_shown *shown, const struct hub_edge *edge, uint64_t request,
                   enum wire_answer code, uint32_t epoch, uint64_t seq)
{
    const struct wire_entry entry = {
        .kind = WIRE_SHOWN,
        .shown = {.request = request, .code = (uint8_t)code, .epoch = epoch, .seq = seq}};
    hub_delivery_send(shown->settings.delivery, edge, &entry);
}

static void applied(struct hub_shown *shown, struct text name, bool is_read, struct text what,
                    uint32_t epoch, uint64_t seq)
{
    struct shown_user *user = find_user(shown, name);
    if (user == NULL)
        return;
    list_each(node, &user->waits)
    {
        struct wait *wait = container_of(node, struct wait, of_user);
        if (wait->is_read != is_read || wait->epoch != epoch || wait->seq > seq ||
            !text_equal((struct text){wait->what, wait->size}, what))
            continue;
        answer(shown, wait->edge, wait->request, WIRE_OK, epoch, seq);
        forget(shown, wait);
    }
    end_if_empty(shown, user);
}

void hub_shown_acked(struct hub_shown *shown, struct text user, struct text device, uint32_t epoch,
                     uint64_t seq)
{
    if (shown->generation != 0)
        applied(shown, user, false, device, epoch, seq);
}

void hub_shown_read(struct hub_shown *shown, const struct wire_read *read)
{
    if (shown->generation != 0)
        applied(shown, read->user, true, read->of, read->epoch, read->seq);
}

/* --- what is shown --- */

/* Confirmed in this epoch; false when the log knows nothing of such a device. */
static bool is_known(const struct mailbox_user *user, struct text device, uint64_t *ret_confirmed)
{
    struct mailbox_device found;
    *ret_confirmed = 0;
    if (user->internal == NULL || !mailbox_find_device(user, device, &found))
        return false;
    if (found.epoch == user->epoch)
        *ret_confirmed = found.seq;
    return true;
}

static void take_ack(struct hub_shown *shown, struct hub_attachment *attachment,
                     const struct wire_show *show, const struct mailbox_user *user)
{
    const struct hub_shown_settings *settings = &shown->settings;
    const struct hub_ack ack = {show->user, show->device, user->epoch, show->seq};
    int err = hub_acks_note(settings->acks, &ack);
    if (err != 0)
        log_limited(&shown->acks_limit, LOG_LEVEL_WARNING,
                    "an ack was not noted: too many wait to be written", LOG_ERRNO(err));
    if (attachment == NULL || attachment->epoch != user->epoch)
        return;
    /* Who shows it has it, whatever its edge has reported so far. */
    uint64_t received = show->seq > attachment->received ? show->seq : attachment->received;
    if (hub_presence_report(settings->presence, attachment, received, show->seq, user->head,
                            loop_now_ms(settings->loop)))
        hub_delivery_pump(settings->delivery, attachment);
}

/* True when it waits for the log. */
static bool take_read(struct hub_shown *shown, const struct hub_edge *edge,
                      const struct wire_show *show, uint32_t epoch)
{
    const struct wire_read read = {.generation = shown->generation,
                                   .user = show->user,
                                   .of = show->of,
                                   .epoch = epoch,
                                   .seq = show->seq};
    int err = hub_reads_note(shown->settings.reads, &read);
    if (err == -ENOTSUP) /* nobody will be told of it */
        answer(shown, edge, show->request, WIRE_OK, epoch, show->seq);
    return err == 0;
}

/* It is one of this mailbox. */
static void take(struct hub_shown *shown, const struct hub_edge *edge, const struct wire_show *show,
                 const struct mailbox_user *user)
{
    struct hub_attachment *attachment =
        hub_presence_device(shown->settings.presence, show->user, show->device);
    const bool is_read = show->of.size > 0;
    uint64_t confirmed;
    bool known = is_known(user, show->device, &confirmed) || attachment != NULL;
    /* An ack of a device that the log knows nothing of is taken, as a cursor is that a device
     * shows when it attaches: it may have got its first messages and gone. */
    if (is_read && (!known || show->seq == 0)) {
        answer(shown, edge, show->request, WIRE_REFUSED, user->epoch, 0);
    } else if (!is_read && show->seq <= confirmed) {
        answer(shown, edge, show->request, WIRE_OK, user->epoch, confirmed);
    } else if (attachment != NULL && attachment->epoch == user->epoch &&
               show->seq > attachment->credit.sent) {
        return; /* it was not delivered there yet */
    } else if (!is_read) {
        add_wait(shown, edge, show, user->epoch);
        take_ack(shown, attachment, show, user);
    } else if (take_read(shown, edge, show, user->epoch)) {
        add_wait(shown, edge, show, user->epoch);
    }
}

void hub_shown_ask(struct hub_shown *shown, struct hub_edge *edge, const struct wire_show *show)
{
    const struct hub_shown_settings *settings = &shown->settings;
    const struct mailbox *mailbox = hub_apply_mailbox(settings->apply);
    struct mailbox_user user = {.name = show->user, .epoch = 1};
    if (hash_shard(show->user, settings->region->shards) != settings->shard ||
        !hub_home_serves(mailbox, show->user)) {
        answer(shown, edge, show->request, WIRE_NOT_HOME, 0, 0);
        return;
    }
    if (!settings->may_serve(settings->context, show->user) || !hub_home_takes(mailbox, show->user))
        return;
    (void)mailbox_find_user(mailbox, show->user, &user);
    if (!hub_cursor_is_honoured(user.epoch, user.head, user.base, show->epoch, show->seq))
        answer(shown, edge, show->request, WIRE_REFUSED, user.epoch, 0);
    else
        take(shown, edge, show, &user);
}

void hub_shown_refuse(struct hub_shown *shown, struct hub_edge *edge, const struct wire_show *show)
{
    answer(shown, edge, show->request, WIRE_REFUSED, 0, 0);
}
