/* What may be wrong with a shard on this hub, by table: each alarm has a name, a severity, a
 * sentence and a section of docs/operations.md that is called like it. Raised and cleared here,
 * logged once each time, told in the hub's beats and by GET /status.
 *
 * The shard's thread raises and clears; any thread may look. */
#pragma once

#include "base/macros.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum hub_alarm {
    HUB_ALARM_LOG_REGRESSED,
    HUB_ALARM_HASH_MISMATCH,
    HUB_ALARM_SHARD_STOPPED,
    HUB_ALARM_VIEW_FAILED,
    HUB_ALARM_VIEW_DISK_FULL,
    HUB_ALARM_LANE_HOLE,
    HUB_ALARM_OUTBOX_REGRESSED,
    HUB_ALARM_QUARANTINE,
    HUB_ALARM_NOTICES_DROPPED,
    HUB_ALARM_CHECKPOINT_LATE,
    HUB_ALARM_MISROUTED,
    HUB_ALARM_MOVES_WAIT,
    HUB_ALARMS
};
enum hub_severity { HUB_WARNING = 1, HUB_ERROR = 2 };

struct hub_alarm_row {
    const char *name; /* a word: text_is_word() */
    enum hub_severity severity;
    const char *text;
};
extern const struct hub_alarm_row hub_alarm_table[HUB_ALARMS];

struct hub_alarm_state {
    _Atomic bool raised;
    _Atomic int64_t since_ms;  /* monotonic */
    _Atomic uint64_t count;    /* of causes */
    _Atomic uint64_t position; /* in the log, of the last cause; 0: none */
};
struct hub_alarms { /* zeroed, but for whose they are */
    const char *region;
    unsigned shard;
    struct hub_alarm_state states[HUB_ALARMS];
};

/* Raised with this count and position; or, with a count of 0, cleared. */
void hub_alarms_set(struct hub_alarms *alarms, enum hub_alarm which, uint64_t count,
                    uint64_t position, int64_t now_ms);

struct hub_alarm_now { /* one that is raised, as it was a moment ago */
    const struct hub_alarm_row *row;
    int64_t since_ms;
    uint64_t count;
    uint64_t position;
};
/* False: it is not raised. */
bool hub_alarms_get(const struct hub_alarms *alarms, enum hub_alarm which,
                    struct hub_alarm_now *ret_now);

/* What is seen of a shard, and which alarms that means. */
struct hub_alarm_facts {
    const char *stopped; /* for good, and why; NULL: it is not */
    const char *trouble; /* passing; NULL: none */
    uint64_t position;   /* applied */
    uint64_t quarantined;
    uint64_t quarantine_position;
    uint64_t lane_holes; /* lanes that have stood behind a hole for too long */
    uint64_t lane_hole_position;
    uint64_t outboxes_regressed; /* lanes of outboxes that end before what was applied of them */
    uint64_t notices_dropped;
    int64_t checkpoint_age_ms; /* by log time; 0: no checkpoint is due in this log */
    uint64_t misrouted;        /* lately */
    uint64_t moves_wait;       /* messages that wait for home moves, when for too long */
};
enum { HUB_CHECKPOINT_LATE_MS = 36 * 3600 * 1000 };
void hub_alarms_judge(struct hub_alarms *alarms, const struct hub_alarm_facts *facts,
                      int64_t now_ms);
