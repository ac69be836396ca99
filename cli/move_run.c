#include "cli/move_run.h"

#include "base/clock.h"
#include "base/hash.h"
#include "bus/bus_stream.h"
#include "wire/frame.h"
#include "wire/names.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ASK_MS = 1000,
    AGAIN_MS = 100,
    SILENT_MS = 10000,   /* nobody answers for that long */
    PATIENCE_MS = 60000, /* it is on its way for that long */
    LEVEL = 3,           /* of both logs */
};

/* One user at a time; the next when it is through. */
struct job {
    struct bus_request request;
    struct loop_timer again;
    struct cli_move_run *run;
    bool is_reading; /* the directory */
    bool is_idle;
    int64_t begun_ms;
    int64_t heard_ms;
    char home[TEXT_REGION_MAX + 1];
    size_t size;
    char user[TEXT_USER_MAX];
};

static struct text user_of(const struct job *job)
{
    return (struct text){job->user, job->size};
}

static void start(struct job *job);

static void end(struct job *job, enum cli_move_outcome outcome, const char *why)
{
    struct cli_move_run *run = job->run;
    const struct cli_move_result result = {
        .user = user_of(job), .outcome = outcome, .home = job->home, .why = why};
    run->counts[outcome]++;
    run->on_result(run->context, &result);
    job->is_idle = true;
    loop_timer_set(run->link->loop, &job->again, 0); /* the next one */
}

/* --- the owner --- */

static const struct catalogue_region *asked_region(const struct job *job)
{
    return job->run->to != NULL ? job->run->to
                                : catalogue_region(job->run->catalogue, text_of(job->home));
}

static uint8_t what_of(const struct cli_move_run *run)
{
    if (run->gone != NULL)
        return WIRE_MOVE_RESCUE;
    return run->to != NULL ? WIRE_MOVE_BEGIN : WIRE_MOVE_ABORT;
}

static void ask(struct job *job)
{
    const struct cli_move_run *run = job->run;
    const struct catalogue_region *region = asked_region(job);
    const unsigned shard = hash_shard(user_of(job), region->shards);
    const struct wire_frame head = {
        .shard = (uint16_t)shard, .region = text_of(region->name), .from = TEXT("operator")};
    const struct wire_entry entry = {
        .kind = WIRE_MOVE_ASK,
        .move_ask = {.what = what_of(run),
                     .user = user_of(job),
                     .region = text_of(run->gone != NULL ? run->gone->name : region->name),
                     .from = run->forced ? WIRE_MOVE_FORCED : 0}};
    struct wire_frame_writer frame;
    struct buffer bytes = {0};
    struct wire_name subject = wire_move_subject(region->name, shard);
    job->is_reading = false;
    wire_frame_begin(&frame, &bytes, &head);
    wire_entry_write(&frame, &entry);
    if (wire_frame_end(&frame) != 0 || bus_request(run->link->bus, &job->request, subject.text,
                                                   bytes.data, bytes.size, ASK_MS) != 0)
        loop_timer_set(run->link->loop, &job->again, AGAIN_MS);
    buffer_free(&bytes);
}

static bool read_state(const struct job *job, const struct bus_message *message,
                       struct wire_move_state *ret_state)
{
    struct wire_frame frame;
    struct wire_entry entry;
    if (message == NULL || wire_frame_read(message->data, message->size, &frame) != 0 ||
        wire_entry_next(&frame, &entry) != 0 || entry.kind != WIRE_MOVE_STATE ||
        !text_equal(entry.move_state.user, user_of(job)))
        return false;
    *ret_state = entry.move_state;
    return true;
}

static void refuse(struct job *job, const struct wire_move_state *state)
{
    static const char *const whys[WIRE_MOVE_CODES] = {
        [WIRE_MOVE_UNKNOWN_USER] = "nobody has seen this user yet",
        [WIRE_MOVE_REFUSED] = "the region takes no users: it is to drain, or its catalogue differs",
        [WIRE_MOVE_UNSURE] = "the directory, or a log, does not fit: look at the hubs' logs",
        [WIRE_MOVE_GIVEN_UP] = "the move was given up, and the user stays at home",
        [WIRE_MOVE_ALIVE] = "its home is heard: it can be moved with all its messages",
        [WIRE_MOVE_NO_ARCHIVE] = "the hubs of the new home have no archive to fetch it from",
        [WIRE_MOVE_TOO_OLD] = "the log of the old or the new home is below level 3",
    };
    char why[CLI_MOVE_WHY_SIZE];
    if (state->code == WIRE_MOVE_ELSEWHERE)
        snprintf(why, sizeof why, "it moves to %.*s already", TEXT_ARGS(state->region));
    else
        snprintf(why, sizeof why, "%s",
                 whys[state->code] == NULL ? "the owner gave an answer that makes no sense"
                                           : whys[state->code]);
    end(job, CLI_MOVE_NOT, why);
}

/* Whether a later answer may be another one. A home that was heard a moment ago is not silent for
 * long enough yet. */
static bool may_pass(const struct job *job, uint8_t code)
{
    return code == WIRE_MOVE_WAIT || code == WIRE_MOVE_BUSY ||
           ((code == WIRE_MOVE_UNSURE || code == WIRE_MOVE_ALIVE) && job->run->gone != NULL &&
            clock_monotonic_ms() - job->begun_ms < PATIENCE_MS);
}

static void on_state(struct job *job, const struct wire_move_state *state)
{
    const bool is_abort = job->run->to == NULL;
    job->heard_ms = clock_monotonic_ms();
    if (state->code == WIRE_MOVE_AT_HOME || (is_abort && state->code == WIRE_MOVE_GIVEN_UP)) {
        (void)!text_put(job->home, sizeof job->home, state->region);
        end(job, is_abort && state->code == WIRE_MOVE_AT_HOME ? CLI_MOVE_THERE : CLI_MOVE_DONE, "");
    } else if (may_pass(job, state->code)) {
        loop_timer_set(job->run->link->loop, &job->again, AGAIN_MS);
    } else {
        refuse(job, state);
    }
}

/* Asks on, as long as there is hope. */
static void ask_again(struct job *job)
{
    const int64_t now_ms = clock_monotonic_ms();
    char why[CLI_MOVE_WHY_SIZE];
    const struct catalogue_region *region = asked_region(job);
    if (now_ms - job->heard_ms >= SILENT_MS) {
        snprintf(why, sizeof why, "the owner of shard %u of %s does not answer",
                 hash_shard(user_of(job), region->shards), region->name);
        end(job, CLI_MOVE_NOT, why);
    } else if (now_ms - job->begun_ms >= PATIENCE_MS) {
        snprintf(why, sizeof why,
                 "it is still on its way from %s, whose owner may not answer; the owners go on, or "
                 "give up, by themselves: ask again",
                 job->home);
        end(job, CLI_MOVE_NOT, why);
    } else {
        ask(job);
    }
}

/* --- the directory --- */

static void read_directory(struct job *job)
{
    const unsigned buckets = job->run->catalogue->directory_buckets;
    struct wire_name subject = wire_directory_subject(user_of(job), buckets);
    struct wire_name stream = wire_directory_stream(wire_directory_bucket(user_of(job), buckets));
    job->is_reading = true;
    if (bus_get_last(job->run->link->bus, &job->request, stream.text, subject.text, ASK_MS) != 0)
        loop_timer_set(job->run->link->loop, &job->again, AGAIN_MS);
}

/* What stands against it, as far as it can be seen from here; "": nothing. */
static void judge_region(const struct job *job, const struct catalogue_region *region, char *why)
{
    const struct cli_beats *beats = job->run->dry;
    const unsigned shard = hash_shard(user_of(job), region->shards);
    const unsigned level = cli_members_log_level(&beats->members, region, shard);
    if (why[0] != '\0')
        return;
    if (!cli_beats_shard(beats, region, shard)->heard)
        snprintf(why, CLI_MOVE_WHY_SIZE, "no owner of shard %u of %s is heard", shard,
                 region->name);
    else if (level < LEVEL)
        snprintf(why, CLI_MOVE_WHY_SIZE, "the log of shard %u of %s is of level %u, not %u", shard,
                 region->name, level, (unsigned)LEVEL);
}

static void judge(struct job *job)
{
    const struct cli_move_run *run = job->run;
    char why[CLI_MOVE_WHY_SIZE] = "";
    if (run->to->drain)
        snprintf(why, sizeof why, "%s is to drain and takes no users", run->to->name);
    judge_region(job, run->to, why);
    judge_region(job, catalogue_region(run->catalogue, text_of(job->home)), why);
    end(job, why[0] == '\0' ? CLI_MOVE_WOULD : CLI_MOVE_NOT, why);
}

static void on_found(struct job *job, const struct wire_directory_entry *entry)
{
    const struct cli_move_run *run = job->run;
    char why[CLI_MOVE_WHY_SIZE];
    if (text_put(job->home, sizeof job->home, entry->home) != 0 ||
        catalogue_region(run->catalogue, entry->home) == NULL) {
        snprintf(why, sizeof why, "it is at home in '%.*s', which the catalogue does not have",
                 TEXT_ARGS(entry->home));
        end(job, CLI_MOVE_NOT, why);
    } else if (run->to != NULL && strcmp(job->home, run->to->name) == 0) {
        end(job, CLI_MOVE_THERE, "");
    } else if (run->dry != NULL) {
        judge(job);
    } else {
        ask(job);
    }
}

static void on_read(struct job *job, const struct bus_message *message)
{
    struct bus_entry entry;
    struct wire_directory_entry value;
    const int err = message == NULL ? -ETIMEDOUT : bus_entry_read(message, &entry, NULL);
    if (err == -ENOENT)
        end(job, CLI_MOVE_NOT, "nobody has seen this user yet");
    else if (err == 0 && wire_directory_entry_read(entry.data, entry.size, &value) == 0)
        on_found(job, &value);
    else if (clock_monotonic_ms() - job->begun_ms >= SILENT_MS)
        end(job, CLI_MOVE_NOT, "the directory does not answer");
    else
        loop_timer_set(job->run->link->loop, &job->again, AGAIN_MS);
}

/* --- jobs --- */

static bool on_answer(struct bus_request *request, enum bus_outcome outcome,
                      const struct bus_message *message)
{
    struct job *job = container_of(request, struct job, request);
    struct wire_move_state state;
    if (outcome == BUS_ANSWER)
        bus_request_cancel(request); /* it may be used again at once */
    if (job->is_reading)
        on_read(job, message);
    else if (read_state(job, message, &state))
        on_state(job, &state);
    else
        loop_timer_set(job->run->link->loop, &job->again, AGAIN_MS);
    return false;
}

static void on_again(struct loop_timer *timer)
{
    struct job *job = container_of(timer, struct job, again);
    if (job->is_idle)
        start(job);
    else if (job->is_reading)
        read_directory(job);
    else
        ask_again(job);
}

static void start(struct job *job)
{
    struct cli_move_run *run = job->run;
    struct text user;
    if (!run->next(run->context, &user))
        return; /* it stays idle */
    job->is_idle = false;
    job->begun_ms = job->heard_ms = clock_monotonic_ms();
    job->home[0] = '\0';
    job->size = user.size < sizeof job->user ? user.size : sizeof job->user;
    memcpy(job->user, user.data, job->size);
    if (text_is_user_id(user))
        read_directory(job);
    else
        end(job, CLI_MOVE_NOT, "this is no user id");
}

static bool is_any_at_work(const struct job *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!jobs[i].is_idle || loop_timer_is_set(&jobs[i].again))
            return true;
    return false;
}

int cli_move_run(struct cli_move_run *run, struct error_text *reterr_why)
{
    struct job *jobs = calloc(run->parallel, sizeof *jobs);
    if (jobs == NULL)
        return error_text_set(reterr_why, -ENOMEM, "out of memory");
    for (size_t i = 0; i < run->parallel; i++) {
        jobs[i].request.on_answer = on_answer;
        jobs[i].again.on_due = on_again;
        jobs[i].run = run;
        jobs[i].is_idle = true;
        loop_timer_set(run->link->loop, &jobs[i].again, 0);
    }
    while (is_any_at_work(jobs, run->parallel))
        loop_turn(run->link->loop, -1);
    free(jobs);
    return 0;
}
