/* One mailbox of a region that has come back: the directory is asked, then the other home, and then
 * it leaves. */
#include "base/hash.h"
#include "region-hub/hub_directory.h"
#include "region-hub/hub_return_internal.h"
#include "wire/frame.h"

enum {
    ASK_MS = 2000,
    AGAIN_MS = 250,
    APPLIED_MS = 5000, /* a record that was written is applied by then, or has no effect */
};

static void later(struct hub_return_user *user)
{
    user->again_ms = hub_return_now_ms(user->back) + AGAIN_MS;
}

/* A user may be looked for here that this log knows nothing of. */
static struct mailbox_user ours_of(const struct hub_return_user *user)
{
    struct mailbox_user ours;
    if (mailbox_find_user(hub_apply_mailbox(user->back->settings.apply), hub_return_name(user),
                          &ours))
        return ours;
    return (struct mailbox_user){.epoch = 1, .oldest = 1};
}

/* --- the directory --- */

static void on_found(struct hub_return_user *user, const struct bus_message *message)
{
    if (hub_apply_mailbox(user->back->settings.apply) == NULL)
        return; /* it is read again */
    const struct hub_return_settings *settings = &user->back->settings;
    struct hub_directory_entry entry;
    switch (hub_directory_found(message, &entry)) {
    case HUB_DIRECTORY_FOUND:
        user->home = catalogue_region(settings->catalogue, entry.home);
        user->facts.is_read = user->home != NULL; /* of a region that our catalogue does not have */
        user->facts.is_here = user->home == settings->region;
        user->facts.is_later = entry.epoch > ours_of(user).epoch;
        if (user->home == NULL)
            later(user);
        break;
    case HUB_DIRECTORY_NOBODY:
        user->facts.is_read = user->facts.is_unknown = true;
        break;
    case HUB_DIRECTORY_SILENT:
        later(user);
        break;
    }
}

/* --- the other home --- */

static void on_kept(struct hub_return_user *user, const struct bus_message *message)
{
    struct wire_frame frame;
    struct wire_entry entry;
    if (message == NULL || wire_frame_read(message->data, message->size, &frame) != 0 ||
        wire_entry_next(&frame, &entry) != 0 || entry.kind != WIRE_MOVE_STATE ||
        entry.move_state.code != WIRE_MOVE_KEPT ||
        !text_equal(entry.move_state.user, hub_return_name(user))) {
        user->facts.is_read = false; /* it may have gone on to a third */
        later(user);
        return;
    }
    user->epoch = entry.move_state.mailbox.epoch;
    user->base = entry.move_state.mailbox.base;
    user->facts.has_answer = true;
}

static int ask_home(struct hub_return_user *user)
{
    const struct hub_return_settings *settings = &user->back->settings;
    const unsigned shard = hash_shard(hub_return_name(user), user->home->shards);
    const struct wire_name subject = wire_move_subject(user->home->name, shard);
    const struct wire_frame head = {.shard = (uint16_t)shard,
                                    .region = text_of(user->home->name),
                                    .from = text_of(settings->settings->name)};
    const struct wire_entry entry = {.kind = WIRE_MOVE_ASK,
                                     .move_ask = {.what = WIRE_MOVE_BASE,
                                                  .user = hub_return_name(user),
                                                  .region = text_of(settings->region->name)}};
    struct buffer bytes = {0};
    struct wire_frame_writer frame;
    wire_frame_begin(&frame, &bytes, &head);
    wire_entry_write(&frame, &entry);
    int err = wire_frame_end(&frame);
    if (err == 0)
        err = bus_request(settings->bus, &user->request, subject.text, bytes.data, bytes.size,
                          ASK_MS);
    buffer_free(&bytes);
    return err;
}

static bool on_answer(struct bus_request *request, enum bus_outcome outcome,
                      const struct bus_message *message)
{
    struct hub_return_user *user = container_of(request, struct hub_return_user, request);
    const struct bus_message *answer = outcome == BUS_ANSWER ? message : NULL;
    if (user->asks)
        on_kept(user, answer);
    else
        on_found(user, answer);
    loop_later(user->back->settings.loop,
               &user->back->work); /* the request ends when this returns */
    return false;
}

/* --- the log --- */

/* Also when it is frozen by a record right before it. */
static int write_end(struct hub_return_user *user, uint64_t move, uint8_t outcome, uint64_t from)
{
    const struct hub_return_settings *settings = &user->back->settings;
    return hub_writer_move_end(settings->writer,
                               &(struct wire_move_end){.generation = settings->generation,
                                                       .move = move,
                                                       .user = hub_return_name(user),
                                                       .outcome = outcome,
                                                       .home = text_of(user->home->name),
                                                       .from = from});
}

static int write_freeze(struct hub_return_user *user, uint64_t move)
{
    const struct hub_return_settings *settings = &user->back->settings;
    return hub_writer_freeze(settings->writer,
                             &(struct wire_freeze){.generation = settings->generation,
                                                   .move = move,
                                                   .user = hub_return_name(user),
                                                   .to = text_of(user->home->name)});
}

static int leave(struct hub_return_user *user, enum hub_return_step step)
{
    const struct mailbox *mailbox = hub_apply_mailbox(user->back->settings.apply);
    const struct mailbox_user ours = ours_of(user);
    struct mailbox_move found = {0};
    const uint64_t from = hub_return_from(&ours, user->epoch, user->base);
    uint64_t move = 0;
    int err = 0;
    if (step == HUB_RETURN_FREEZE) {
        while (move == 0)
            hash_random(&move, sizeof move);
        err = write_freeze(user, move);
    } else if (mailbox_move_of(mailbox, hub_return_name(user), &found)) {
        move = found.move;
    }
    const bool aborts = step == HUB_RETURN_ABORT;
    if (err == 0)
        err = write_end(user, move, aborts ? WIRE_MOVE_ABORTED : WIRE_MOVE_DONE, from);
    if (err == 0)
        user->until_ms = hub_return_now_ms(user->back) + APPLIED_MS;
    return err;
}

/* --- one step --- */

void hub_leave_begin(struct hub_return_user *user)
{
    user->request.on_answer = on_answer;
}

void hub_leave_end(struct hub_return_user *user)
{
    bus_request_cancel(&user->request);
}

static int do_step(struct hub_return_user *user, enum hub_return_step step)
{
    const struct hub_return_settings *settings = &user->back->settings;
    user->asks = step == HUB_RETURN_ASK;
    if (step == HUB_RETURN_READ)
        return hub_directory_read(settings->bus, &user->request, hub_return_name(user),
                                  settings->catalogue->directory_buckets);
    return user->asks ? ask_home(user) : leave(user, step);
}

bool hub_leave_go(struct hub_return_user *user)
{
    const struct mailbox *mailbox = hub_apply_mailbox(user->back->settings.apply);
    const int64_t now_ms = hub_return_now_ms(user->back);
    struct mailbox_move found = {.where = MAILBOX_AT_HOME};
    if (mailbox == NULL || user->request.bus != NULL || now_ms < user->again_ms)
        return false;
    (void)mailbox_move_of(mailbox, hub_return_name(user), &found);
    user->facts.where = found.where;
    const enum hub_return_step step = hub_return_next(&user->facts);
    if (step == HUB_RETURN_STAYS)
        return true;
    if (now_ms < user->until_ms)
        return false;
    if (user->until_ms != 0) { /* it had no effect: from the beginning */
        user->until_ms = 0;
        user->facts = (struct hub_return_facts){0};
        return false;
    }
    if (do_step(user, step) != 0)
        later(user);
    return false;
}
