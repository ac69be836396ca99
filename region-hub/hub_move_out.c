/* The old home of a user: freezes its mailbox, hands it over page by page, and lets go of it once
 * the directory says that it is elsewhere, or takes it back. */
#include "region-hub/hub_move_internal.h"

#include "base/hash.h"

#include <stdio.h>
#include <stdlib.h>

enum { MOVED_MS = 5000 }; /* for that long a mirror may not show what the new home has written */

struct hub_move_out {
    UT_hash_handle hh;
    struct hub_move *owner;
    struct bus_request request;
    bool is_settling; /* the request writes; from then on nobody is told that it is frozen */
    struct hub_move_known known;
    uint64_t least;   /* the revision with which it is said to be decided */
    int64_t moved_ms; /* said then; 0: not */
    bool is_given_up;
    int64_t asked_ms; /* by the new home, last */
    int64_t due_ms;
    int64_t check_ms;
    int64_t check_pause_ms;
    struct hub_move_written written;
    struct wire_name reply; /* of who waits; empty: nobody */
    uint8_t waits_for;      /* enum wire_move_what */
    char to[TEXT_REGION_MAX + 1];
    size_t size;
    char user[TEXT_USER_MAX];
};

static struct text user_of(const struct hub_move_out *out)
{
    return (struct text){out->user, out->size};
}

static void finish(struct hub_move_out *out)
{
    bus_request_cancel(&out->request);
    HASH_DEL(out->owner->outs, out);
    free(out);
}

void hub_move_out_free_all(struct hub_move *move)
{
    struct hub_move_out *out, *next;
    HASH_ITER(hh, move->outs, out, next) finish(out);
}

static struct hub_move_out *find(const struct hub_move *move, struct text user)
{
    struct hub_move_out *out;
    HASH_FIND(hh, move->outs, user.data, user.size, out);
    return out;
}

static bool on_answer(struct bus_request *request, enum bus_outcome outcome,
                      const struct bus_message *message);

static struct hub_move_out *take(struct hub_move *move, struct text user)
{
    struct hub_move_out *out = find(move, user);
    if (out != NULL || (out = calloc(1, sizeof *out)) == NULL)
        return out;
    out->owner = move;
    out->request.on_answer = on_answer;
    out->asked_ms = hub_move_now_ms(move);
    out->check_pause_ms = HUB_MOVE_CHECK_MS;
    out->size = user.size;
    memcpy(out->user, user.data, user.size);
    HASH_ADD(hh, move->outs, user[0], out->size, out);
    return out;
}

void hub_move_out_take(struct hub_move *move, struct text user)
{
    (void)take(move, user);
}

/* --- answers --- */

static void answer(struct hub_move *move, const char *reply, struct text user, uint8_t code,
                   struct text region)
{
    const struct wire_move_state state = {.code = code, .user = user, .region = region};
    hub_move_answer(move, reply, &state);
}

/* The mailbox, or a page of it. */
static void hand_over(struct hub_move *move, const struct wire_move_ask *ask, uint64_t id,
                      const char *reply)
{
    struct mailbox_user user;
    struct buffer devices = {0};
    struct wire_move_state state = {.code = WIRE_MOVE_FROZEN,
                                    .move = id,
                                    .user = ask->user,
                                    .region = text_of(move->settings.region->name)};
    if (!mailbox_find_user(hub_apply_mailbox(move->settings.apply), ask->user, &user))
        return;
    mailbox_hand_over(&user, &devices, &state.mailbox);
    if (!devices.failed && ask->what == WIRE_MOVE_ROWS)
        hub_move_answer_rows(move, reply, &state, &user, ask->from);
    else if (!devices.failed)
        hub_move_answer(move, reply, &state);
    buffer_free(&devices);
}

/* --- going on --- */

static void pause_for(struct hub_move_out *out, int64_t ms)
{
    out->due_ms = hub_move_now_ms(out->owner) + ms;
}

static void read_directory(struct hub_move_out *out)
{
    out->is_settling = false;
    if (hub_directory_read(out->owner->settings.bus, &out->request, user_of(out),
                           out->owner->settings.catalogue->directory_buckets) != 0)
        pause_for(out, HUB_MOVE_AGAIN_MS);
}

static void settle(struct hub_move_out *out)
{
    const struct hub_directory_entry entry = {.revision = out->known.revision,
                                              .epoch = out->known.epoch,
                                              .home = text_of(out->known.home)};
    out->is_settling = true;
    if (hub_directory_write(out->owner->settings.bus, &out->request, user_of(out),
                            out->owner->settings.catalogue->directory_buckets, &entry) != 0) {
        out->known.directory = HUB_MOVE_UNREAD;
        pause_for(out, HUB_MOVE_AGAIN_MS);
    }
}

static void write_freeze(struct hub_move_out *out)
{
    struct hub_move *move = out->owner;
    struct wire_freeze freeze = {
        .generation = move->settings.generation, .user = user_of(out), .to = text_of(out->to)};
    while (freeze.move == 0)
        hash_random(&freeze.move, sizeof freeze.move);
    if (hub_writer_freeze(move->settings.writer, &freeze) == 0)
        hub_move_wrote(move, &out->written, MAILBOX_AT_HOME);
    else
        pause_for(out, HUB_MOVE_QUEUE_MS);
}

static void write_end(struct hub_move_out *out, const struct mailbox_move *found, uint8_t outcome)
{
    struct hub_move *move = out->owner;
    const struct wire_move_end end = {.generation = move->settings.generation,
                                      .move = found->move,
                                      .user = user_of(out),
                                      .outcome = outcome,
                                      .home = text_of(out->known.home)};
    if (hub_writer_move_end(move->settings.writer, &end) == 0)
        hub_move_wrote(move, &out->written, MAILBOX_FROZEN);
    else
        pause_for(out, HUB_MOVE_QUEUE_MS);
}

/* Nothing is to be done now; the directory is looked at again later. */
static void rest(struct hub_move_out *out)
{
    if (out->known.directory == HUB_MOVE_UNREAD)
        return;
    out->known.directory = HUB_MOVE_UNREAD;
    out->is_settling = false;
    out->check_ms = hub_move_now_ms(out->owner) + out->check_pause_ms;
    out->check_pause_ms = hub_move_longer_ms(out->check_pause_ms, HUB_MOVE_CHECK_MAX_MS);
}

static struct hub_move_out_facts facts_of(struct hub_move_out *out,
                                          const struct mailbox_move *found)
{
    const struct hub_move *move = out->owner;
    const int64_t now_ms = hub_move_now_ms(move);
    if (now_ms - out->asked_ms >= move->settings.settings->move_silent_ms)
        out->is_given_up = true;
    if (now_ms - out->moved_ms >= MOVED_MS)
        out->moved_ms = 0;
    const int64_t age_ms = hub_apply_now_ms(move->settings.apply) - found->since_ms;
    return (struct hub_move_out_facts){
        .where = found->where,
        .directory = hub_move_directory_of(out->owner, &out->known, user_of(out)),
        .is_sure = out->known.is_sure,
        .is_new = out->least > 0 && out->known.revision >= out->least,
        .freeze = out->reply.text[0] != '\0' && out->waits_for == WIRE_MOVE_FREEZE &&
                  now_ms - out->asked_ms < HUB_MOVE_WRITTEN_MS,
        .moved = out->moved_ms != 0,
        .give_up = out->is_given_up,
        .is_check = age_ms >= HUB_MOVE_CHECK_MS && now_ms >= out->check_ms,
    };
}

/* Answers who waits when what it waits for is so. */
static void answer_waiting(struct hub_move_out *out, const struct mailbox_move *found, bool is_end)
{
    struct hub_move *move = out->owner;
    const struct text user = user_of(out);
    struct wire_name reply = out->reply;
    const struct wire_move_ask ask = {
        .what = WIRE_MOVE_FREEZE, .user = user, .region = text_of(out->to)};
    const bool is_frozen = found->where == MAILBOX_FROZEN;
    if (reply.text[0] == '\0' || (is_frozen && out->waits_for != WIRE_MOVE_FREEZE) ||
        (!is_frozen && !is_end))
        return;
    out->reply.text[0] = '\0';
    if (is_frozen)
        hub_move_out_ask(move, &ask, reply.text);
    else if (found->where != MAILBOX_AT_HOME)
        answer(move, reply.text, user, WIRE_MOVE_AT_HOME, found->region);
    else if (out->waits_for != WIRE_MOVE_FREEZE)
        answer(move, reply.text, user, WIRE_MOVE_GIVEN_UP, text_of(move->settings.region->name));
    else if (out->known.directory == HUB_MOVE_ELSEWHERE)
        answer(move, reply.text, user, WIRE_MOVE_AT_HOME, text_of(out->known.home));
    else
        answer(move, reply.text, user, WIRE_MOVE_UNKNOWN_USER, (struct text){0});
}

static void go_on(struct hub_move_out *out)
{
    const struct mailbox_move found = hub_move_of(out->owner, user_of(out));
    bool is_late;
    answer_waiting(out, &found, false);
    if (out->request.bus != NULL ||
        hub_move_is_pending(out->owner, &out->written, found.where, &is_late) ||
        hub_move_now_ms(out->owner) < out->due_ms)
        return;
    const struct hub_move_out_facts facts = facts_of(out, &found);
    switch (hub_move_out_next(&facts)) {
    case HUB_MOVE_OUT_REST:
        rest(out);
        break;
    case HUB_MOVE_OUT_READ:
        read_directory(out);
        break;
    case HUB_MOVE_OUT_SETTLE:
        settle(out);
        break;
    case HUB_MOVE_OUT_FREEZE:
        write_freeze(out);
        break;
    case HUB_MOVE_OUT_DONE:
        write_end(out, &found, WIRE_MOVE_DONE);
        /* Once more: who was told first may have read a mirror that did not show it yet. */
        hub_directory_tell(out->owner->settings.bus, user_of(out), &out->owner->limit);
        break;
    case HUB_MOVE_OUT_ABORTED:
        write_end(out, &found, WIRE_MOVE_ABORTED);
        break;
    case HUB_MOVE_OUT_FINISH:
        answer_waiting(out, &found, true);
        finish(out);
        break;
    }
}

static void on_read(struct hub_move_out *out, const struct bus_message *message)
{
    if (!hub_move_known_read(out->owner, &out->known, message)) {
        pause_for(out, HUB_MOVE_AGAIN_MS);
    } else if (out->moved_ms != 0 && out->known.revision < out->least) {
        out->known.directory = HUB_MOVE_UNREAD; /* a mirror that does not show it yet */
        pause_for(out, HUB_MOVE_AGAIN_MS);
    }
}

static void on_settled(struct hub_move_out *out, const struct bus_message *message)
{
    if (hub_directory_written(message, &out->known.revision) == HUB_DIRECTORY_WRITTEN) {
        out->known.is_sure = true;
        return;
    }
    out->known.directory = HUB_MOVE_UNREAD; /* what does it say? */
    pause_for(out, HUB_MOVE_AGAIN_MS);
}

static bool on_answer(struct bus_request *request, enum bus_outcome outcome,
                      const struct bus_message *message)
{
    struct hub_move_out *out = container_of(request, struct hub_move_out, request);
    if (outcome == BUS_ANSWER)
        bus_request_cancel(request); /* it may be used again at once */
    if (out->is_settling)
        on_settled(out, message);
    else
        on_read(out, message);
    go_on(out);
    return false;
}

void hub_move_out_step_all(struct hub_move *move)
{
    struct hub_move_out *out, *next;
    HASH_ITER(hh, move->outs, out, next) go_on(out);
}

/* --- what is asked --- */

/* It waits for an answer until there is one; a later one takes its place. */
static void wait_for(struct hub_move *move, const struct wire_move_ask *ask, const char *reply)
{
    const bool is_full = HASH_COUNT(move->outs) >= move->settings.settings->moves_max;
    struct hub_move_out *out = find(move, ask->user);
    if (out == NULL && (is_full || (out = take(move, ask->user)) == NULL)) {
        answer(move, reply, ask->user, WIRE_MOVE_BUSY, (struct text){0});
        return;
    }
    snprintf(out->reply.text, sizeof out->reply.text, "%s", reply);
    out->waits_for = ask->what;
    if (ask->what == WIRE_MOVE_FREEZE) {
        hub_move_keep_region(out->to, ask->region);
        out->asked_ms = hub_move_now_ms(move);
    }
    if (ask->what == WIRE_MOVE_ABORT)
        out->is_given_up = true;
    if (ask->what == WIRE_MOVE_MOVED) {
        out->moved_ms = hub_move_now_ms(move);
        out->least = ask->from;
        out->known.directory = HUB_MOVE_UNREAD;
    }
    go_on(out);
}

/* The mailbox is frozen, and it is asked for by whom it is frozen for. */
static void on_ask_frozen(struct hub_move *move, const struct wire_move_ask *ask,
                          const struct mailbox_move *found, const char *reply)
{
    struct hub_move_out *out = take(move, ask->user);
    if (out == NULL)
        return;
    out->asked_ms = hub_move_now_ms(move);
    if (out->is_given_up && out->known.is_sure && out->known.directory == HUB_MOVE_HERE)
        answer(move, reply, ask->user, WIRE_MOVE_GIVEN_UP, text_of(move->settings.region->name));
    else if (out->is_settling || out->is_given_up)
        answer(move, reply, ask->user, WIRE_MOVE_WAIT, found->region);
    else
        hand_over(move, ask, found->move, reply);
}

void hub_move_out_ask(struct hub_move *move, const struct wire_move_ask *ask, const char *reply)
{
    const struct mailbox_move found = hub_move_of(move, ask->user);
    const struct text here = text_of(move->settings.region->name);
    const bool is_its_own = ask->move == 0 || ask->move == found.move;
    switch (found.where) {
    case MAILBOX_FROZEN:
        if (ask->what == WIRE_MOVE_ABORT || (ask->what == WIRE_MOVE_MOVED && is_its_own))
            wait_for(move, ask, reply);
        else if (!text_equal(ask->region, found.region))
            answer(move, reply, ask->user, WIRE_MOVE_ELSEWHERE, found.region);
        else if (!is_its_own)
            answer(move, reply, ask->user, WIRE_MOVE_NOT_FROZEN, here);
        else
            on_ask_frozen(move, ask, &found, reply);
        break;
    case MAILBOX_AT_HOME:
        if (ask->what == WIRE_MOVE_ABORT)
            answer(move, reply, ask->user, WIRE_MOVE_AT_HOME, here);
        else if (ask->what != WIRE_MOVE_FREEZE || ask->move != 0)
            answer(move, reply, ask->user, WIRE_MOVE_NOT_FROZEN, here);
        else if (text_equal(ask->region, here))
            answer(move, reply, ask->user, WIRE_MOVE_REFUSED, here);
        else
            wait_for(move, ask, reply);
        break;
    case MAILBOX_AWAY:
        answer(move, reply, ask->user, WIRE_MOVE_AT_HOME, found.region);
        break;
    case MAILBOX_STAGED:
    case MAILBOX_ARRIVED: /* it comes here, and the directory does not say so yet */
        answer(move, reply, ask->user, WIRE_MOVE_WAIT, here);
        break;
    }
}
