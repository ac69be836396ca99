#include "region-hub/hub_rescue.h"

#include "base/hash.h"
#include "region-hub/hub_rescue_internal.h"

#include <stdlib.h>
#include <string.h>

enum {
    STALL_MS = 10000, /* nothing has come of it for so long: it is asked for again */
    KEEP_MS = 10000,  /* what came of it, for whoever asks */
    LEVEL_MOVES = 3,  /* of the log, from which on hubs know these records */
};

static void on_work(struct loop_later *later)
{
    hub_rescue_wake(container_of(later, struct hub_rescue, work));
}

struct hub_rescue *hub_rescue_new(const struct hub_rescue_settings *settings)
{
    struct hub_rescue *rescue = calloc(1, sizeof *rescue);
    if (rescue == NULL)
        return NULL;
    rescue->settings = *settings;
    rescue->work.on_later = on_work;
    return rescue;
}

static void forget(struct hub_rescue_user *user)
{
    bus_request_cancel(&user->request);
    hub_archive_job_cancel(user->job);
    HASH_DEL(user->rescue->users, user);
    free(user);
}

void hub_rescue_free(struct hub_rescue *rescue)
{
    struct hub_rescue_user *user;
    struct hub_rescue_user *next;
    if (rescue == NULL)
        return;
    HASH_ITER(hh, rescue->users, user, next)
    forget(user);
    loop_later_cancel(&rescue->work);
    free(rescue);
}

static struct hub_rescue_user *find(const struct hub_rescue *rescue, struct text name)
{
    struct hub_rescue_user *user = NULL;
    if (rescue->users != NULL)
        HASH_FIND(hh, rescue->users, name.data, name.size, user);
    return user;
}

bool hub_rescue_has(const struct hub_rescue *rescue, struct text name)
{
    const struct hub_rescue_user *user = find(rescue, name);
    return user != NULL && !user->done;
}

/* --- what is known of a user --- */

void hub_rescue_advanced(struct hub_rescue_user *user)
{
    user->progress_ms = hub_rescue_now_ms(user->rescue);
}

void hub_rescue_finish(struct hub_rescue_user *user, uint8_t code)
{
    user->done = true;
    user->code = code;
    hub_rescue_advanced(user);
}

enum mailbox_where hub_rescue_look(const struct hub_rescue_user *user,
                                   struct mailbox_user *ret_mailbox, struct mailbox_move *ret_move)
{
    const struct mailbox *mailbox = hub_apply_mailbox(user->rescue->settings.apply);
    *ret_move = (struct mailbox_move){.where = MAILBOX_AT_HOME};
    if (!mailbox_find_user(mailbox, hub_rescue_name(user), ret_mailbox))
        *ret_mailbox =
            (struct mailbox_user){.name = hub_rescue_name(user), .epoch = 1, .oldest = 1};
    (void)mailbox_move_of(mailbox, hub_rescue_name(user), ret_move);
    return ret_move->where;
}

static struct hub_rescue_facts facts_of(const struct hub_rescue_user *user)
{
    struct mailbox_user mailbox;
    struct mailbox_move move;
    struct hub_rescue_facts facts = {.directory = user->directory,
                                     .where = hub_rescue_look(user, &mailbox, &move),
                                     .is_measured = user->measured};
    facts.is_ours = facts.where == MAILBOX_STAGED && move.move == user->move;
    facts.is_next = mailbox.epoch == user->epoch + 1;
    facts.has_messages = mailbox.head > 0;
    facts.is_empty = user->measured && user->tail.part_count == 0;
    facts.is_whole = facts.is_ours && user->measured && mailbox.head == user->tail.head;
    return facts;
}

/* --- one step --- */

static int write(struct hub_rescue_user *user, int (*write_it)(struct hub_rescue_user *user),
                 enum mailbox_where seen)
{
    int err = write_it(user);
    user->written = err == 0;
    user->seen = seen;
    return err;
}

static int do_step(struct hub_rescue_user *user, const struct hub_rescue_facts *facts)
{
    const struct hub_rescue_next next = hub_rescue_next(facts);
    switch (next.step) {
    case HUB_RESCUE_READ:
        return hub_rescue_read(user);
    case HUB_RESCUE_MEASURE:
        return hub_rescue_measure(user);
    case HUB_RESCUE_COPY:
        return hub_rescue_copy(user);
    case HUB_RESCUE_COPIED:
        return write(user, hub_rescue_write_arrival, facts->where);
    case HUB_RESCUE_DECIDE:
        return hub_rescue_decide(user);
    case HUB_RESCUE_DONE:
        return write(user, hub_rescue_write_end, facts->where);
    case HUB_RESCUE_FINISH:
        hub_rescue_finish(user, next.code);
        break;
    }
    return 0;
}

static bool is_waiting(struct hub_rescue_user *user, const struct hub_rescue_facts *facts)
{
    if (user->written && facts->where != user->seen) {
        user->written = false;
        hub_rescue_advanced(user);
    }
    return user->written || user->request.bus != NULL || user->job != NULL ||
           hub_rescue_now_ms(user->rescue) < user->again_ms;
}

void hub_rescue_go(struct hub_rescue_user *user)
{
    if (user->done || hub_apply_mailbox(user->rescue->settings.apply) == NULL)
        return;
    const struct hub_rescue_facts facts = facts_of(user);
    if (is_waiting(user, &facts) || do_step(user, &facts) == 0)
        return;
    user->again_ms =
        hub_rescue_now_ms(user->rescue) + HUB_RESCUE_AGAIN_MS; /* no room, or not connected */
}

void hub_rescue_wake(struct hub_rescue *rescue)
{
    for (struct hub_rescue_user *user = rescue->users; user != NULL; user = user->hh.next)
        hub_rescue_go(user);
}

void hub_rescue_tick(struct hub_rescue *rescue)
{
    const int64_t now_ms = hub_rescue_now_ms(rescue);
    struct hub_rescue_user *user;
    struct hub_rescue_user *next;
    HASH_ITER(hh, rescue->users, user, next)
    {
        const int64_t age_ms = now_ms - user->progress_ms;
        if (user->done && age_ms >= KEEP_MS)
            forget(user);
        else if (!user->done && age_ms >= STALL_MS)
            hub_rescue_finish(user, WIRE_MOVE_UNSURE);
        else
            hub_rescue_go(user);
    }
}

/* --- asked --- */

static struct hub_rescue_user *begin(struct hub_rescue *rescue, struct text name, struct text gone)
{
    if (HASH_COUNT(rescue->users) >= HUB_RESCUE_USERS_MAX)
        return NULL;
    struct hub_rescue_user *user = calloc(1, sizeof *user + name.size);
    if (user == NULL)
        return NULL;
    user->rescue = rescue;
    user->gone = gone;
    user->request.on_answer = hub_rescue_on_answer;
    user->size = name.size;
    memcpy(user->name, name.data, name.size);
    hash_random(&user->move, sizeof user->move);
    if (user->move == 0) /* which names none */
        user->move = 1;
    hub_rescue_advanced(user);
    HASH_ADD_KEYPTR(hh, rescue->users, user->name, user->size, user);
    return user;
}

/* Why nothing is begun, or "wait". */
static uint8_t judge(const struct hub_rescue *rescue, const struct wire_move_ask *ask,
                     bool is_heard)
{
    const struct hub_rescue_settings *settings = &rescue->settings;
    const struct mailbox *mailbox = hub_apply_mailbox(settings->apply);
    if (mailbox == NULL || catalogue_region(settings->catalogue, ask->region) == NULL)
        return WIRE_MOVE_UNSURE;
    if (!wire_is_person(ask->user) ||
        hash_shard(ask->user, settings->region->shards) != settings->shard)
        return WIRE_MOVE_UNKNOWN_USER;
    if (mailbox_state(mailbox).config.level < LEVEL_MOVES)
        return WIRE_MOVE_TOO_OLD;
    if (settings->reader == NULL)
        return WIRE_MOVE_NO_ARCHIVE;
    return is_heard && ask->from != WIRE_MOVE_FORCED ? WIRE_MOVE_ALIVE : WIRE_MOVE_WAIT;
}

void hub_rescue_ask(struct hub_rescue *rescue, const struct wire_move_ask *ask, bool is_heard,
                    struct wire_move_state *ret_state)
{
    const struct hub_rescue_settings *settings = &rescue->settings;
    struct hub_rescue_user *user = find(rescue, ask->user);
    *ret_state = (struct wire_move_state){
        .code = WIRE_MOVE_WAIT, .user = ask->user, .region = text_of(settings->region->name)};
    if (user == NULL) {
        ret_state->code = judge(rescue, ask, is_heard);
        if (ret_state->code != WIRE_MOVE_WAIT)
            return;
        user = begin(rescue, ask->user,
                     text_of(catalogue_region(settings->catalogue, ask->region)->name));
        if (user == NULL)
            ret_state->code = WIRE_MOVE_BUSY;
        else
            hub_rescue_go(user);
        return;
    }
    if (!user->done)
        return;
    ret_state->code = user->code;
    ret_state->move = user->move;
    if (user->code == WIRE_MOVE_ELSEWHERE)
        ret_state->region = user->home == NULL ? TEXT("") : text_of(user->home->name);
    forget(user);
}
