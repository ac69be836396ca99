#include "region-hub/hub_move_internal.h"

#include "base/hash.h"
#include "region-hub/hub_move_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct hub_move *hub_move_new(const struct hub_move_settings *settings)
{
    struct hub_move *move = calloc(1, sizeof *move);
    if (move == NULL)
        return NULL;
    move->settings = *settings;
    move->scanned_ms = INT64_MIN / 2;
    move->rescue =
        hub_rescue_new(&(struct hub_rescue_settings){.loop = settings->loop,
                                                     .bus = settings->bus,
                                                     .catalogue = settings->catalogue,
                                                     .region = settings->region,
                                                     .shard = settings->shard,
                                                     .apply = settings->apply,
                                                     .writer = settings->writer,
                                                     .reader = settings->reader,
                                                     .generation = settings->generation});
    if (hub_heard_init(&move->heard, settings->catalogue, hub_move_now_ms(move)) != 0 ||
        move->rescue == NULL) {
        hub_move_free(move);
        return NULL;
    }
    return move;
}

void hub_move_free(struct hub_move *move)
{
    if (move == NULL)
        return;
    hub_move_out_free_all(move);
    hub_move_in_free_all(move);
    hub_rescue_free(move->rescue);
    hub_heard_done(&move->heard);
    free(move);
}

/* --- for both roles --- */

struct mailbox_move hub_move_of(const struct hub_move *move, struct text user)
{
    struct mailbox_move found = {.where = MAILBOX_AT_HOME};
    (void)mailbox_move_of(hub_apply_mailbox(move->settings.apply), user, &found);
    return found;
}

enum hub_move_directory hub_move_directory_of(const struct hub_move *move,
                                              const struct hub_move_known *known, struct text user)
{
    const enum mailbox_where where = hub_move_of(move, user).where;
    struct mailbox_user mailbox;
    if (known->directory == HUB_MOVE_ELSEWHERE &&
        (where == MAILBOX_FROZEN || where == MAILBOX_ARRIVED) &&
        mailbox_find_user(hub_apply_mailbox(move->settings.apply), user, &mailbox) &&
        known->epoch > mailbox.epoch)
        return HUB_MOVE_NOBODY;
    return known->directory;
}

bool hub_move_known_read(const struct hub_move *move, struct hub_move_known *known,
                         const struct bus_message *message)
{
    struct hub_directory_entry entry;
    const enum hub_directory_found found = hub_directory_found(message, &entry);
    *known = (struct hub_move_known){.directory = HUB_MOVE_UNREAD};
    if (found == HUB_DIRECTORY_NOBODY)
        known->directory = HUB_MOVE_NOBODY;
    if (found != HUB_DIRECTORY_FOUND)
        return found == HUB_DIRECTORY_NOBODY;
    if (text_put(known->home, sizeof known->home, entry.home) != 0 ||
        catalogue_region(move->settings.catalogue, entry.home) == NULL)
        return false; /* of a region that our catalogue does not have */
    known->revision = entry.revision;
    known->epoch = entry.epoch;
    known->directory = text_equal(entry.home, text_of(move->settings.region->name))
                           ? HUB_MOVE_HERE
                           : HUB_MOVE_ELSEWHERE;
    return true;
}

void hub_move_wrote(const struct hub_move *move, struct hub_move_written *written,
                    enum mailbox_where where)
{
    written->until_ms = hub_move_now_ms(move) + HUB_MOVE_WRITTEN_MS;
    written->where = where;
}

bool hub_move_is_pending(const struct hub_move *move, struct hub_move_written *written,
                         enum mailbox_where where, bool *ret_late)
{
    *ret_late = false;
    if (written->until_ms == 0)
        return false;
    if (where == written->where && hub_move_now_ms(move) < written->until_ms)
        return true;
    *ret_late = where == written->where;
    written->until_ms = 0;
    return false;
}

int64_t hub_move_longer_ms(int64_t pause_ms, int64_t max_ms)
{
    return pause_ms * 2 < max_ms ? pause_ms * 2 : max_ms;
}

/* --- answers --- */

static void begin(const struct hub_move *move, struct wire_frame_writer *frame,
                  struct buffer *bytes, const struct wire_move_state *state)
{
    const struct hub_move_settings *settings = &move->settings;
    const struct wire_frame head = {
        .generation = settings->generation,
        .shard = (uint16_t)settings->shard,
        .region = text_of(settings->region->name),
        .from = text_of(settings->settings->name),
    };
    const struct wire_entry entry = {.kind = WIRE_MOVE_STATE, .move_state = *state};
    wire_frame_begin(frame, bytes, &head);
    wire_entry_write(frame, &entry);
}

static void publish(struct hub_move *move, const char *reply, struct wire_frame_writer *frame,
                    const struct buffer *bytes)
{
    if (wire_frame_end(frame) != 0 ||
        bus_publish(move->settings.bus, reply, NULL, bytes->data, bytes->size) != 0)
        log_limited(&move->limit, LOG_LEVEL_WARNING,
                    "who asked about a move got no answer, and will ask again");
}

void hub_move_answer(struct hub_move *move, const char *reply, const struct wire_move_state *state)
{
    struct buffer bytes = {0};
    struct wire_frame_writer frame;
    begin(move, &frame, &bytes, state);
    publish(move, reply, &frame, &bytes);
    buffer_free(&bytes);
}

void hub_move_answer_rows(struct hub_move *move, const char *reply,
                          const struct wire_move_state *state, const struct mailbox_user *user,
                          uint64_t from)
{
    struct buffer bytes = {0};
    struct wire_frame_writer frame;
    begin(move, &frame, &bytes, state);
    int err = hub_move_rows_add(&frame, move->settings.apply, user, state->move, from);
    if (err == 0)
        publish(move, reply, &frame, &bytes);
    else
        hub_apply_view_failed(move->settings.apply, err);
    buffer_free(&bytes);
}

/* --- what is asked --- */

/* Answers go to inboxes and nowhere else: not to a log, whatever the one who asks would like. */
static bool take_reply(struct text reply, char ret_reply[WIRE_NAME_MAX])
{
    return bus_is_inbox(reply) && text_put(ret_reply, WIRE_NAME_MAX, reply) == 0;
}

/* A home that nobody could have heard yet is not taken for silent. */
static void on_rescue(struct hub_move *move, const struct wire_move_ask *ask, const char *reply)
{
    const struct catalogue_region *gone =
        catalogue_region(move->settings.catalogue, ask->region); /* it was looked up before */
    const enum hub_heard_is is = hub_heard_is(
        &move->heard, ask->region, hash_shard(ask->user, gone->shards), hub_move_now_ms(move));
    struct wire_move_state state = {.code = WIRE_MOVE_UNSURE,
                                    .user = ask->user,
                                    .region = text_of(move->settings.region->name)};
    if (is != HUB_UNHEARD || ask->from == WIRE_MOVE_FORCED)
        hub_rescue_ask(move->rescue, ask, is == HUB_HEARD, &state);
    hub_move_answer(move, reply, &state);
}

/* The home of before has come back. */
static void on_base(struct hub_move *move, const struct wire_move_ask *ask, const char *reply)
{
    const struct mailbox *mailbox = hub_apply_mailbox(move->settings.apply);
    struct wire_move_state state = {.code = WIRE_MOVE_UNKNOWN_USER,
                                    .user = ask->user,
                                    .region = text_of(move->settings.region->name)};
    struct mailbox_user user;
    struct buffer devices = {0};
    const enum mailbox_where where = hub_move_of(move, ask->user).where;
    if (where == MAILBOX_ARRIVED || where == MAILBOX_FROZEN)
        state.code = WIRE_MOVE_WAIT;
    else if (where != MAILBOX_AT_HOME)
        state.code = WIRE_MOVE_ELSEWHERE;
    else if (mailbox_find_user(mailbox, ask->user, &user)) {
        state.code = WIRE_MOVE_KEPT;
        mailbox_hand_over(&user, &devices, &state.mailbox);
    }
    hub_move_answer(move, reply, &state);
    buffer_free(&devices);
}

static void on_ask(struct hub_move *move, const struct wire_move_ask *ask, const char *reply)
{
    const struct hub_move_settings *settings = &move->settings;
    const bool is_of_shard = hash_shard(ask->user, settings->region->shards) == settings->shard;
    const struct mailbox_state state = mailbox_state(hub_apply_mailbox(settings->apply));
    struct wire_move_state refused = {
        .code = WIRE_MOVE_WAIT, .user = ask->user, .region = text_of(settings->region->name)};
    if (!is_of_shard || !wire_is_person(ask->user) ||
        catalogue_region(settings->catalogue, ask->region) == NULL)
        refused.code = WIRE_MOVE_REFUSED;
    else if (state.config.level < HUB_MOVE_LEVEL)
        refused.code = WIRE_MOVE_TOO_OLD;
    if (refused.code != WIRE_MOVE_WAIT)
        hub_move_answer(move, reply, &refused);
    else if (ask->what == WIRE_MOVE_RESCUE)
        on_rescue(move, ask, reply);
    else if (ask->what == WIRE_MOVE_BASE)
        on_base(move, ask, reply);
    else if (ask->what == WIRE_MOVE_BEGIN)
        hub_move_in_ask(move, ask, reply);
    else
        hub_move_out_ask(move, ask, reply);
}

void hub_move_message(struct hub_move *move, const struct bus_message *message)
{
    const struct hub_move_settings *settings = &move->settings;
    struct wire_frame frame;
    struct wire_entry entry;
    char reply[WIRE_NAME_MAX];
    if (hub_apply_mailbox(settings->apply) == NULL || !take_reply(message->reply, reply))
        return;
    if (wire_frame_read(message->data, message->size, &frame) != 0 ||
        wire_entry_next(&frame, &entry) != 0) {
        log_limited(&move->limit, LOG_LEVEL_WARNING, "what is asked about a move cannot be read",
                    LOG_TEXT("subject", message->subject));
        return;
    }
    if (frame.shard == settings->shard && entry.kind == WIRE_MOVE_ASK &&
        text_equal(frame.region, text_of(settings->region->name)))
        on_ask(move, &entry.move_ask, reply);
}

void hub_move_heard(struct hub_move *move, struct text region, unsigned shard, uint64_t generation)
{
    hub_heard_beat(&move->heard, region, shard, hub_move_now_ms(move));
    hub_move_in_heard(move, region, shard, generation);
}

/* --- going on --- */

static void on_moving(void *context, const struct mailbox_move *found)
{
    struct hub_move *move = context;
    if (found->where == MAILBOX_FROZEN)
        hub_move_out_take(move, found->user);
    else if (!hub_rescue_has(move->rescue, found->user))
        hub_move_in_take(move, found->user);
}

void hub_move_wake(struct hub_move *move)
{
    if (hub_apply_mailbox(move->settings.apply) == NULL)
        return;
    hub_move_out_step_all(move);
    hub_move_in_step_all(move);
    hub_rescue_wake(move->rescue);
}

void hub_move_tick(struct hub_move *move)
{
    const int64_t now_ms = hub_move_now_ms(move);
    const struct mailbox *mailbox = hub_apply_mailbox(move->settings.apply);
    if (mailbox != NULL && now_ms >= move->scanned_ms + HUB_MOVE_SCAN_MS) {
        move->scanned_ms = now_ms;
        mailbox_each_moving(mailbox, move, on_moving);
    }
    hub_rescue_tick(move->rescue);
    hub_move_wake(move);
}
