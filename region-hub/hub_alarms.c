#include "region-hub/hub_alarms.h"

#include "log/log.h"

#include <string.h>

const struct hub_alarm_row hub_alarm_table[HUB_ALARMS] = {
    [HUB_ALARM_LOG_REGRESSED] = {"log_regressed", HUB_ERROR,
                                 "the log ends before what this hub has applied of it, or is "
                                 "another one: accepted messages may be lost"},
    [HUB_ALARM_HASH_MISMATCH] = {"hash_mismatch", HUB_ERROR,
                                 "the owner has applied another log than this hub"},
    [HUB_ALARM_SHARD_STOPPED] = {"shard_stopped", HUB_ERROR,
                                 "this hub cannot apply the log any further"},
    [HUB_ALARM_VIEW_FAILED] = {"view_failed", HUB_ERROR,
                               "the view cannot be read or written on this hub's disk"},
    [HUB_ALARM_VIEW_DISK_FULL] = {"view_disk_full", HUB_ERROR,
                                  "the disk with this hub's views is full"},
    [HUB_ALARM_LANE_HOLE] = {"lane_hole", HUB_ERROR,
                             "batches of a lane are passed over behind one that is missing"},
    [HUB_ALARM_OUTBOX_REGRESSED] = {"outbox_regressed", HUB_ERROR,
                                    "an outbox of this region ends before what its destination "
                                    "has applied of it: nothing of it is forwarded"},
    [HUB_ALARM_QUARANTINE] = {"quarantine", HUB_ERROR,
                              "batches of the log are damaged or forbidden and were passed over"},
    [HUB_ALARM_NOTICES_DROPPED] = {"notices_dropped", HUB_WARNING,
                                   "too many notices waited: the oldest were dropped"},
    [HUB_ALARM_CHECKPOINT_LATE] = {"checkpoint_late", HUB_WARNING,
                                   "the last checkpoint is older than a day and a half"},
    [HUB_ALARM_MISROUTED] = {"misrouted", HUB_WARNING,
                             "messages came to a wrong shard's log and were passed on"},
    [HUB_ALARM_MOVES_WAIT] = {"moves_wait", HUB_WARNING,
                              "messages have waited for home moves for more than a minute"},
};

static void tell(const struct hub_alarms *alarms, enum hub_alarm which, uint64_t count,
                 uint64_t position)
{
    const struct hub_alarm_row *row = &hub_alarm_table[which];
    if (count == 0)
        log_info("alarm over", LOG_STRING("alarm", row->name), LOG_STRING("region", alarms->region),
                 LOG_U64("shard", alarms->shard));
    else
        log_error(row->text, LOG_STRING("alarm", row->name), LOG_STRING("region", alarms->region),
                  LOG_U64("shard", alarms->shard), LOG_U64("count", count),
                  LOG_U64("position", position));
}

void hub_alarms_set(struct hub_alarms *alarms, enum hub_alarm which, uint64_t count,
                    uint64_t position, int64_t now_ms)
{
    struct hub_alarm_state *state = &alarms->states[which];
    bool was_raised = atomic_load(&state->raised);
    if (count > 0) {
        atomic_store(&state->count, count);
        atomic_store(&state->position, position);
    }
    if ((count > 0) == was_raised)
        return;
    if (count > 0)
        atomic_store(&state->since_ms, now_ms);
    atomic_store(&state->raised, count > 0);
    tell(alarms, which, count, position);
}

bool hub_alarms_get(const struct hub_alarms *alarms, enum hub_alarm which,
                    struct hub_alarm_now *ret_now)
{
    const struct hub_alarm_state *state = &alarms->states[which];
    if (!atomic_load(&state->raised))
        return false;
    *ret_now = (struct hub_alarm_now){
        .row = &hub_alarm_table[which],
        .since_ms = atomic_load(&state->since_ms),
        .count = atomic_load(&state->count),
        .position = atomic_load(&state->position),
    };
    return true;
}

static bool is_word(const char *word, const char *wanted)
{
    return word != NULL && strcmp(word, wanted) == 0;
}

void hub_alarms_judge(struct hub_alarms *alarms, const struct hub_alarm_facts *facts,
                      int64_t now_ms)
{
    bool regressed = is_word(facts->stopped, "log_regressed");
    bool differs = is_word(facts->stopped, "hash_mismatch");
    bool stopped = facts->stopped != NULL && !regressed && !differs;
    const struct {
        enum hub_alarm which;
        uint64_t count;
        uint64_t position;
    } found[] = {
        {HUB_ALARM_LOG_REGRESSED, regressed, facts->position},
        {HUB_ALARM_HASH_MISMATCH, differs, facts->position},
        {HUB_ALARM_SHARD_STOPPED, stopped, facts->position + 1},
        {HUB_ALARM_VIEW_FAILED, is_word(facts->trouble, "view_failed"), 0},
        {HUB_ALARM_VIEW_DISK_FULL, is_word(facts->trouble, "view_disk_full"), 0},
        {HUB_ALARM_LANE_HOLE, facts->lane_holes, facts->lane_hole_position},
        {HUB_ALARM_OUTBOX_REGRESSED, facts->outboxes_regressed, 0},
        {HUB_ALARM_QUARANTINE, facts->quarantined, facts->quarantine_position},
        {HUB_ALARM_NOTICES_DROPPED, facts->notices_dropped, 0},
        {HUB_ALARM_CHECKPOINT_LATE, facts->checkpoint_age_ms > HUB_CHECKPOINT_LATE_MS, 0},
        {HUB_ALARM_MISROUTED, facts->misrouted, 0},
        {HUB_ALARM_MOVES_WAIT, facts->moves_wait, 0},
    };
    for (size_t i = 0; i < COUNT_OF(found); i++)
        hub_alarms_set(alarms, found[i].which, found[i].count, found[i].position, now_ms);
}
