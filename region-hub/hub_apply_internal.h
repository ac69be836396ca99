/* What the files of applying share: its state, and who calls whom. One shard thread. */
#pragma once

#include "log/log.h"
#include "region-hub/hub_apply.h"
#include "region-hub/hub_checkpoint_load.h"
#include "region-hub/hub_lag.h"
#include "region-hub/hub_marker.h"
#include "region-hub/hub_seen.h"

enum { HUB_APPLY_CHECK_AGAIN_MS = 500 }; /* the log did not answer, is empty, or looks too short */

struct hub_apply {
    struct hub_apply_settings settings;
    struct wire_name stream;
    struct wire_name subjects;
    struct mailbox_effects effects;

    struct view *view;
    struct mailbox *mailbox;
    struct hub_seen *seen;
    struct hub_marker *marker;
    struct bus_reader *reader;
    bool in_transaction;
    bool started;        /* the reader was opened for this view */
    const char *trouble; /* passing, until the log is read */
    const char *stopped; /* for good */
    int failed;          /* of the view; what follows is for after it is open again */
    struct loop_later reopen;
    struct loop_timer reopen_timer;

    struct bus_request check;
    struct loop_timer check_timer;
    bool checking_last; /* else the genesis */
    uint64_t check_least;
    bool has_incarnation;
    uint8_t incarnation[16];
    bool is_too_short;    /* it ends before what was applied of it */
    int64_t too_short_ms; /* since when */
    bool is_sure;         /* see hub_apply_is_sure() */

    int64_t begun_ms; /* the time of position 1; 0: it is not there */

    bool checkpoint_due;              /* at the end of the batch that is applied */
    uint64_t jump_to;                 /* where the log goes on, beyond our next; 0: it is there */
    struct hub_checkpoint_load *load; /* NULL: nothing is loaded */

    uint64_t head;
    int64_t applied_ms; /* when T was learnt, by the monotonic clock */
    struct hub_lag lag;
    uint64_t saved_rows;
    uint64_t saved_position;
    int64_t saved_ms;
    struct hub_holes holes;
    struct log_limit passed_limit;
};

/* hub_apply.c: reading and applying. */
/* For good: nothing is applied until the process starts again. */
void hub_apply_stop(struct hub_apply *apply, const char *code, const char *why);
void hub_apply_start_reading(struct hub_apply *apply);

/* hub_apply_view.c: the view and the state in it. */
void hub_apply_on_reopen(struct loop_later *later);
void hub_apply_on_reopen_timer(struct loop_timer *timer);
void hub_apply_on_seen_damaged(void *context, int error);
void hub_apply_on_seen_stored(void *context);
void hub_apply_close_view(struct hub_apply *apply);
/* View and mailboxes are there: the log comes next. */
void hub_apply_start_with_view(struct hub_apply *apply);
void hub_apply_save(struct hub_apply *apply);
void hub_apply_save_when_due(struct hub_apply *apply);

/* hub_apply_log.c: whether it is the log that the view was made of, and what to do where it goes on
 * only beyond the next position. */
void hub_apply_check_log(struct hub_apply *apply);
bool hub_apply_on_check(struct bus_request *request, enum bus_outcome outcome,
                        const struct bus_message *message);
void hub_apply_on_check_timer(struct loop_timer *timer);
void hub_apply_load_checkpoint(struct hub_apply *apply);
