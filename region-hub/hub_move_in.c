/* The new home of a user: asks the old one to freeze the mailbox, copies its rows into the own log,
 * and makes it the home in the directory. What waits for an answer is asked again for ever once
 * something is copied: the log of whoever owns the shard then says that it is begun. */
#include "region-hub/hub_move_in_internal.h"

#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

enum {
    WANTED_MS = 30000, /* nobody has asked for that long: what is not begun is not begun */
    TELLS_MAX = 8,     /* some seconds: the old home looks by itself, too */
};

static void finish(struct hub_move_in *in)
{
    bus_request_cancel(&in->request);
    hub_move_in_copy_free(in);
    HASH_DEL(in->owner->ins, in);
    free(in);
}

void hub_move_in_free_all(struct hub_move *move)
{
    struct hub_move_in *in, *next;
    HASH_ITER(hh, move->ins, in, next) finish(in);
}

static struct hub_move_in *find(const struct hub_move *move, struct text user)
{
    struct hub_move_in *in;
    HASH_FIND(hh, move->ins, user.data, user.size, in);
    return in;
}

static bool on_answer(struct bus_request *request, enum bus_outcome outcome,
                      const struct bus_message *message);

static struct hub_move_in *take(struct hub_move *move, struct text user)
{
    struct hub_move_in *in = find(move, user);
    if (in != NULL || (in = calloc(1, sizeof *in)) == NULL)
        return in;
    in->owner = move;
    in->request.on_answer = on_answer;
    in->heard = HUB_MOVE_UNHEARD;
    in->is_told = true; /* until there is something to tell */
    in->pause_ms = HUB_MOVE_AGAIN_MS;
    in->wanted_ms = INT64_MIN / 2;
    in->size = user.size;
    memcpy(in->user, user.data, user.size);
    HASH_ADD(hh, move->ins, user[0], in->size, in);
    return in;
}

void hub_move_in_take(struct hub_move *move, struct text user)
{
    (void)take(move, user);
}

/* --- steps --- */

static void pause_for(struct hub_move_in *in, int64_t ms)
{
    in->due_ms = hub_move_now_ms(in->owner) + ms;
}

/* A pause that grows as long as nothing comes of it. */
static void pause_longer(struct hub_move_in *in)
{
    pause_for(in, in->pause_ms);
    in->pause_ms = hub_move_longer_ms(in->pause_ms, HUB_MOVE_AGAIN_MAX_MS);
}

/* Reads and asks anew. */
static void again(struct hub_move_in *in)
{
    in->known.directory = HUB_MOVE_UNREAD;
    in->heard = HUB_MOVE_UNHEARD;
    pause_longer(in);
}

static void read_directory(struct hub_move_in *in)
{
    in->heard = HUB_MOVE_UNHEARD; /* what is said from now on is newer than what is read */
    in->waits_for = HUB_MOVE_WAITS_READ;
    if (hub_directory_read(in->owner->settings.bus, &in->request, hub_move_in_user(in),
                           in->owner->settings.catalogue->directory_buckets) != 0)
        again(in);
}

static void write_directory(struct hub_move_in *in, enum hub_move_in_waits waits, const char *home)
{
    const struct hub_directory_entry entry = {
        .revision = in->known.revision, .epoch = in->known.epoch, .home = text_of(home)};
    in->waits_for = waits;
    if (hub_directory_write(in->owner->settings.bus, &in->request, hub_move_in_user(in),
                            in->owner->settings.catalogue->directory_buckets, &entry) != 0)
        again(in);
}

/* Asks an owner at the old home. */
static void ask(struct hub_move_in *in, uint8_t what, const char *region_name, uint64_t from)
{
    const struct hub_move_settings *settings = &in->owner->settings;
    const struct catalogue_region *region =
        catalogue_region(settings->catalogue, text_of(region_name));
    const struct text user = hub_move_in_user(in);
    const unsigned shard = hash_shard(user, region->shards); /* known.home is in the catalogue */
    const struct wire_frame head = {.shard = (uint16_t)shard,
                                    .region = text_of(region_name),
                                    .from = text_of(settings->settings->name)};
    const struct wire_entry entry = {.kind = WIRE_MOVE_ASK,
                                     .move_ask = {.what = what,
                                                  .move = in->move,
                                                  .user = user,
                                                  .region = text_of(settings->region->name),
                                                  .from = from}};
    struct buffer bytes = {0};
    struct wire_frame_writer frame;
    struct wire_name subject = wire_move_subject(region_name, shard);
    in->waits_for = what == WIRE_MOVE_MOVED  ? HUB_MOVE_WAITS_TOLD
                    : what == WIRE_MOVE_ROWS ? HUB_MOVE_WAITS_ROWS
                                             : HUB_MOVE_WAITS_HOME;
    wire_frame_begin(&frame, &bytes, &head);
    wire_entry_write(&frame, &entry);
    if (wire_frame_end(&frame) != 0 || bus_request(settings->bus, &in->request, subject.text,
                                                   bytes.data, bytes.size, HUB_MOVE_ASK_MS) != 0)
        again(in);
    buffer_free(&bytes);
}

static void write_end(struct hub_move_in *in, const struct mailbox_move *found, uint8_t outcome)
{
    struct hub_move *move = in->owner;
    const struct wire_move_end end = {.generation = move->settings.generation,
                                      .move = found->move,
                                      .user = hub_move_in_user(in),
                                      .outcome = outcome,
                                      .home = text_of(in->known.home)};
    if (hub_writer_move_end(move->settings.writer, &end) == 0)
        hub_move_wrote(move, &in->written, found->where);
    else
        pause_for(in, HUB_MOVE_QUEUE_MS);
}

static void abort_here(struct hub_move_in *in, const struct mailbox_move *found)
{
    log_warning("a move here is given up", LOG_TEXT("user", hub_move_in_user(in)),
                LOG_STRING("home", in->known.home), LOG_BOOL("again", in->has_hole));
    write_end(in, found, WIRE_MOVE_ABORTED);
}

/* The old home is to hear that it is decided, whoever has decided it. */
static void tell_later(struct hub_move_in *in, const struct mailbox_move *found)
{
    in->move = found->move;
    hub_move_keep_region(in->old_home, found->region);
    in->is_told = catalogue_region(in->owner->settings.catalogue, found->region) == NULL;
}

/* --- what comes next --- */

static struct hub_move_in_facts facts_of(const struct hub_move_in *in,
                                         const struct mailbox_move *found)
{
    const struct hub_move *move = in->owner;
    struct mailbox_user user;
    return (struct hub_move_in_facts){
        .where = found->where,
        .has_messages = found->where == MAILBOX_AT_HOME &&
                        mailbox_find_user(hub_apply_mailbox(move->settings.apply),
                                          hub_move_in_user(in), &user) &&
                        user.head > 0,
        .is_wanted = hub_move_now_ms(move) - in->wanted_ms < WANTED_MS,
        .directory = hub_move_directory_of(in->owner, &in->known, hub_move_in_user(in)),
        .is_sure = in->known.is_sure,
        .heard = in->heard,
        .is_whole = hub_move_in_copy_is_whole(in),
        .has_hole = in->has_hole,
        .is_told = in->is_told,
    };
}

static void take_step(struct hub_move_in *in, const struct mailbox_move *found)
{
    const struct hub_move_in_facts facts = facts_of(in, found);
    const struct hub_move_in_next next = hub_move_in_next(&facts);
    const bool is_begun = found->where == MAILBOX_STAGED || found->where == MAILBOX_ARRIVED;
    switch (next.step) {
    case HUB_MOVE_IN_READ:
        read_directory(in);
        break;
    case HUB_MOVE_IN_FREEZE:
        in->move = is_begun ? found->move : 0;
        ask(in, WIRE_MOVE_FREEZE, in->known.home, 0);
        break;
    case HUB_MOVE_IN_ROWS:
        ask(in, WIRE_MOVE_ROWS, in->known.home, hub_move_in_copy_from(in));
        break;
    case HUB_MOVE_IN_COPIED:
        if (hub_move_in_copy_end(in))
            hub_move_wrote(in->owner, &in->written, found->where);
        else
            pause_for(in, HUB_MOVE_QUEUE_MS);
        break;
    case HUB_MOVE_IN_DECIDE:
        write_directory(in, HUB_MOVE_WAITS_DECIDED, in->owner->settings.region->name);
        break;
    case HUB_MOVE_IN_SETTLE:
        write_directory(in, HUB_MOVE_WAITS_SETTLED, in->known.home);
        break;
    case HUB_MOVE_IN_DONE:
        tell_later(in, found);
        write_end(in, found, WIRE_MOVE_DONE);
        break;
    case HUB_MOVE_IN_ABORTED:
        abort_here(in, found);
        break;
    case HUB_MOVE_IN_TELL:
        ask(in, WIRE_MOVE_MOVED, in->old_home, in->known.revision);
        break;
    case HUB_MOVE_IN_AGAIN:
        again(in);
        break;
    case HUB_MOVE_IN_FINISH:
        in->is_finished = true;
        in->code = next.code;
        break;
    }
}

/* True when it is no more. */
static bool forget_when_old(struct hub_move_in *in)
{
    if (hub_move_now_ms(in->owner) - in->wanted_ms < HUB_MOVE_RESULT_MS)
        return false;
    finish(in);
    return true;
}

static void go_on(struct hub_move_in *in)
{
    struct hub_move *move = in->owner;
    const struct mailbox_move found = hub_move_of(move, hub_move_in_user(in));
    bool is_late;
    if (in->is_finished && forget_when_old(in))
        return;
    if (in->is_finished || in->request.bus != NULL || hub_move_now_ms(move) < in->due_ms)
        return;
    if (hub_move_is_pending(move, &in->written, found.where, &is_late))
        return;
    if (is_late || (in->has_hole && found.where == MAILBOX_AWAY))
        hub_move_in_copy_resume(in);
    if (hub_move_in_copy_go_on(in))
        take_step(in, &found);
    else
        pause_for(in, HUB_MOVE_QUEUE_MS);
}

/* --- what is answered --- */

static void on_read(struct hub_move_in *in, const struct bus_message *message)
{
    char before[TEXT_REGION_MAX + 1];
    memcpy(before, in->known.home, sizeof before);
    if (!hub_move_known_read(in->owner, &in->known, message))
        again(in);
    else if (strcmp(before, in->known.home) != 0)
        in->generation = 0; /* of another region's owners */
}

static void on_decided(struct hub_move_in *in, const struct bus_message *message)
{
    struct hub_move *move = in->owner;
    if (hub_directory_written(message, &in->known.revision) != HUB_DIRECTORY_WRITTEN) {
        again(in);
        return;
    }
    in->known.directory = HUB_MOVE_HERE;
    hub_move_keep_region(in->known.home, text_of(move->settings.region->name));
    hub_directory_tell(move->settings.bus, hub_move_in_user(in), &move->limit);
}

static void on_settled(struct hub_move_in *in, const struct bus_message *message)
{
    if (hub_directory_written(message, &in->known.revision) == HUB_DIRECTORY_WRITTEN)
        in->known.is_sure = true;
    else
        again(in);
}

/* The state in an owner's answer, when it is of this user and of no earlier owner. */
static bool read_state(struct hub_move_in *in, const struct bus_message *message,
                       struct wire_move_state *ret_state)
{
    struct wire_frame frame;
    struct wire_entry entry;
    if (message == NULL || wire_frame_read(message->data, message->size, &frame) != 0 ||
        wire_entry_next(&frame, &entry) != 0 || entry.kind != WIRE_MOVE_STATE ||
        frame.generation < in->generation ||
        !text_equal(entry.move_state.user, hub_move_in_user(in)))
        return false;
    in->generation = frame.generation;
    *ret_state = entry.move_state;
    return true;
}

static void on_home_says(struct hub_move_in *in, const struct bus_message *message)
{
    struct wire_move_state state;
    if (!read_state(in, message, &state)) {
        again(in);
        return;
    }
    in->heard = state.code;
    hub_move_keep_region(in->moves_to, state.region);
    if (state.code != WIRE_MOVE_FROZEN)
        return;
    if ((in->move != 0 && in->move != state.move) || state.mailbox.epoch != in->known.epoch)
        in->heard = WIRE_MOVE_UNSURE; /* what it says, and what the directory says, do not fit */
    else if (!hub_move_in_copy_mailbox(in, &state) ||
             (in->waits_for == HUB_MOVE_WAITS_ROWS && !hub_move_in_copy_page(in, message)))
        again(in);
    else
        in->pause_ms = HUB_MOVE_AGAIN_MS;
}

static void on_told(struct hub_move_in *in, const struct bus_message *message)
{
    struct wire_move_state state;
    if (read_state(in, message, &state) || ++in->tells >= TELLS_MAX)
        in->is_told = true;
    else
        pause_longer(in);
}

static bool on_answer(struct bus_request *request, enum bus_outcome outcome,
                      const struct bus_message *message)
{
    struct hub_move_in *in = container_of(request, struct hub_move_in, request);
    if (outcome == BUS_ANSWER)
        bus_request_cancel(request); /* it may be used again at once */
    switch (in->waits_for) {
    case HUB_MOVE_WAITS_READ:
        on_read(in, message);
        break;
    case HUB_MOVE_WAITS_HOME:
    case HUB_MOVE_WAITS_ROWS:
        on_home_says(in, message);
        break;
    case HUB_MOVE_WAITS_DECIDED:
        on_decided(in, message);
        break;
    case HUB_MOVE_WAITS_SETTLED:
        on_settled(in, message);
        break;
    case HUB_MOVE_WAITS_TOLD:
        on_told(in, message);
        break;
    }
    go_on(in);
    return false;
}

void hub_move_in_step_all(struct hub_move *move)
{
    struct hub_move_in *in, *next;
    HASH_ITER(hh, move->ins, in, next) go_on(in);
}

void hub_move_in_heard(struct hub_move *move, struct text region, unsigned shard,
                       uint64_t generation)
{
    const struct catalogue_region *of = catalogue_region(move->settings.catalogue, region);
    struct hub_move_in *in, *next;
    HASH_ITER(hh, move->ins, in, next)
    {
        if (of != NULL && in->known.directory == HUB_MOVE_ELSEWHERE &&
            text_equal(text_of(in->known.home), region) &&
            hash_shard(hub_move_in_user(in), of->shards) == shard && generation > in->generation)
            in->generation = generation;
    }
}

/* --- what operators ask --- */

static void answer(struct hub_move *move, const char *reply, struct text user, uint8_t code,
                   struct text region)
{
    const struct wire_move_state state = {.code = code, .user = user, .region = region};
    hub_move_answer(move, reply, &state);
}

void hub_move_in_ask(struct hub_move *move, const struct wire_move_ask *ask, const char *reply)
{
    const struct hub_move_settings *settings = &move->settings;
    const struct text here = text_of(settings->region->name);
    const struct mailbox_move found = hub_move_of(move, ask->user);
    struct hub_move_in *in = find(move, ask->user);
    if (!text_equal(ask->region, here) || settings->region->drain) {
        answer(move, reply, ask->user, WIRE_MOVE_REFUSED, here);
        return;
    }
    if (found.where == MAILBOX_FROZEN) {
        answer(move, reply, ask->user, WIRE_MOVE_ELSEWHERE, found.region);
        return;
    }
    if (in == NULL && HASH_COUNT(move->ins) < settings->settings->moves_max)
        in = take(move, ask->user);
    if (in == NULL) {
        answer(move, reply, ask->user, WIRE_MOVE_BUSY, here);
        return;
    }
    const bool is_at_home = in->known.directory == HUB_MOVE_HERE && found.where == MAILBOX_AT_HOME;
    in->wanted_ms = hub_move_now_ms(move);
    if (in->is_finished)
        answer(move, reply, ask->user, in->code,
               text_of(in->code == WIRE_MOVE_ELSEWHERE ? in->moves_to : in->known.home));
    else
        answer(move, reply, ask->user, is_at_home ? WIRE_MOVE_AT_HOME : WIRE_MOVE_WAIT, here);
    if (in->is_finished)
        finish(in);
    else
        go_on(in);
}
