#include "region-hub/hub_return_internal.h"

#include "wire/names.h"

#include <stdlib.h>
#include <string.h>

enum {
    LEVEL_MOVES = 3,    /* of the log, from which on hubs know these records */
    MIRRORED_MS = 1000, /* what was told of the directory, the mirror shows by then */
};

/* --- making and freeing --- */

static void on_changed(void *context, const struct bus_message *message)
{
    hub_return_changed(context, (struct text){(const char *)message->data, message->size});
}

static void go(struct hub_return *back);

static void on_work(struct loop_later *later)
{
    go(container_of(later, struct hub_return, work));
}

static void begin_scan(struct hub_return *back)
{
    back->scanning = true;
    back->at_size = 0;
    back->left = 0;
}

static bool has_returned(const struct hub_apply *apply)
{
    const struct mailbox_state state = mailbox_state(hub_apply_mailbox(apply));
    return state.returned_ms > 0 && state.time_ms - state.returned_ms < HUB_RETURN_CHECK_MS;
}

struct hub_return *hub_return_new(const struct hub_return_settings *settings)
{
    struct hub_return *back = calloc(1, sizeof *back);
    if (back == NULL)
        return NULL;
    back->settings = *settings;
    back->work.on_later = on_work;
    back->current_ms = hub_return_now_ms(back);
    back->strict = has_returned(settings->apply);
    back->homes = homes_new(&(struct homes_settings){.loop = settings->loop,
                                                     .bus = settings->bus,
                                                     .catalogue = settings->catalogue,
                                                     .region = settings->region,
                                                     .process = settings->settings->name,
                                                     .users_max = 1,
                                                     .waiting_max = 1});
    back->changes = bus_subscribe(settings->bus, WIRE_DIRECTORY_CHANGED, on_changed, back);
    if (back->homes == NULL || back->changes == NULL) {
        hub_return_free(back);
        return NULL;
    }
    begin_scan(back);
    return back;
}

static void forget_user(struct hub_return_user *user)
{
    struct hub_return *back = user->back;
    hub_leave_end(user);
    HASH_DEL(back->users, user);
    back->scanned_users -= !user->waited_for;
    free(user);
}

static void forget_sure(struct hub_return *back)
{
    struct hub_return_sure *sure;
    struct hub_return_sure *next;
    HASH_ITER(hh, back->sure, sure, next)
    {
        HASH_DEL(back->sure, sure);
        free(sure);
    }
}

void hub_return_free(struct hub_return *back)
{
    struct hub_return_user *user;
    struct hub_return_user *next;
    if (back == NULL)
        return;
    HASH_ITER(hh, back->users, user, next)
    forget_user(user);
    forget_sure(back);
    loop_later_cancel(&back->work);
    bus_unsubscribe(back->changes);
    homes_free(back->homes);
    free(back);
}

/* --- who is checked --- */

static struct hub_return_user *find(const struct hub_return *back, struct text name)
{
    struct hub_return_user *user = NULL;
    if (back->users != NULL)
        HASH_FIND(hh, back->users, name.data, name.size, user);
    return user;
}

/* False: too many are checked, or memory is short. */
static bool check(struct hub_return *back, struct text name, int64_t again_ms, bool waited_for)
{
    struct hub_return_user *user = find(back, name);
    if (user != NULL)
        return true;
    if (HASH_COUNT(back->users) >= HUB_RETURN_USERS_MAX)
        return false;
    user = calloc(1, sizeof *user + name.size);
    if (user == NULL)
        return false;
    user->back = back;
    user->waited_for = waited_for;
    user->again_ms = again_ms;
    user->size = name.size;
    memcpy(user->name, name.data, name.size);
    back->scanned_users += !waited_for;
    hub_leave_begin(user);
    HASH_ADD_KEYPTR(hh, back->users, user->name, user->size, user);
    return true;
}

static bool is_sure(const struct hub_return *back, struct text name)
{
    struct hub_return_sure *sure = NULL;
    if (back->sure != NULL)
        HASH_FIND(hh, back->sure, name.data, name.size, sure);
    return sure != NULL;
}

/* Whom it forgets for want of room is checked again. */
static void remember(struct hub_return *back, struct text name)
{
    if (!back->strict || is_sure(back, name) || HASH_COUNT(back->sure) >= HUB_RETURN_SURE_MAX)
        return;
    struct hub_return_sure *sure = calloc(1, sizeof *sure + name.size);
    if (sure == NULL)
        return;
    sure->size = name.size;
    memcpy(sure->name, name.data, name.size);
    HASH_ADD_KEYPTR(hh, back->sure, sure->name, sure->size, sure);
}

static void checked(struct hub_return_user *user)
{
    struct hub_return *back = user->back;
    const bool stays = user->facts.is_unknown || user->facts.is_here;
    if (!stays && user->facts.is_read)
        back->left++;
    remember(back, hub_return_name(user));
    forget_user(user);
}

/* --- all of them --- */

static const struct mailbox *mailbox_of(const struct hub_return *back)
{
    return hub_apply_mailbox(back->settings.apply);
}

static void end_scan(struct hub_return *back)
{
    if (back->strict || back->left > 0)
        log_info("the mailboxes held here were checked against the directory",
                 LOG_STRING("region", back->settings.region->name),
                 LOG_U64("shard", back->settings.shard), LOG_U64("left", back->left));
    back->scanning = back->strict = false;
    forget_sure(back);
}

static void scan(struct hub_return *back)
{
    struct mailbox_user next;
    const size_t most = back->strict ? HUB_RETURN_SCAN_MAX : HUB_RETURN_CALM_MAX;
    while (back->scanned_users < most) {
        if (!mailbox_next_user(mailbox_of(back), (struct text){back->at, back->at_size}, &next)) {
            if (back->users == NULL)
                end_scan(back);
            return;
        }
        if (!check(back, next.name, 0, false))
            return;
        back->at_size = next.name.size;
        memcpy(back->at, next.name.data, next.name.size);
    }
}

/* The mirror proves itself by the heartbeat. A region that was cut off for long looks at all its
 * users again: what was told meanwhile it has not heard. */
static bool is_current(struct hub_return *back)
{
    const int64_t now_ms = hub_return_now_ms(back);
    if (!homes_is_current(back->homes, now_ms)) {
        if (back->strict && now_ms - back->current_ms >= HUB_RETURN_GONE_MS)
            log_limited(&back->limit, LOG_LEVEL_WARNING,
                        "nobody is served: this region was away, and its mirror of the directory "
                        "is not current",
                        LOG_U64("shard", back->settings.shard));
        return false;
    }
    if (now_ms - back->current_ms >= HUB_RETURN_GONE_MS && !back->scanning)
        begin_scan(back);
    back->current_ms = now_ms;
    return true;
}

static void step_all(struct hub_return *back)
{
    struct hub_return_user *user;
    struct hub_return_user *next;
    HASH_ITER(hh, back->users, user, next)
    {
        if (hub_leave_go(user))
            checked(user);
    }
}

static void go(struct hub_return *back)
{
    const struct mailbox *mailbox = mailbox_of(back);
    if (mailbox == NULL || !is_current(back))
        return;
    if (mailbox_state(mailbox).config.level < LEVEL_MOVES) {
        end_scan(back); /* nobody can have moved */
        return;
    }
    step_all(back);
    if (back->scanning)
        scan(back);
}

/* --- from outside --- */

bool hub_return_may_serve(struct hub_return *back, struct text user)
{
    if (!back->strict || is_sure(back, user))
        return true;
    (void)check(back, user, 0, true);
    return false;
}

void hub_return_changed(struct hub_return *back, struct text user)
{
    struct mailbox_user ours;
    if (mailbox_of(back) != NULL && text_is_user_id(user) &&
        mailbox_find_user(mailbox_of(back), user, &ours))
        (void)check(back, user, hub_return_now_ms(back) + MIRRORED_MS, true);
}

void hub_return_wake(struct hub_return *back)
{
    if (back->users != NULL)
        go(back);
}

void hub_return_tick(struct hub_return *back)
{
    homes_tick(back->homes, hub_return_now_ms(back));
    go(back);
}
