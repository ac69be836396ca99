/* Makes the mailboxes of one shard out of its log: reads the log by position, applies it, keeps the
 * view, and tells what was decided. Nothing but the log goes in, so every hub of the region comes
 * to the same.
 *
 * It checks that the log is the one the view was made of and not shorter (else: stopped). A view
 * that is damaged is put aside and made again from the log. Where the log goes on only beyond the
 * next position, the view is made again from a checkpoint and the log behind it; without one it
 * stops. A log that cannot be applied stops it; it then stays stopped until the process starts
 * again. One shard thread. */
#pragma once

#include "bus/bus_stream.h"
#include "loop/loop.h"
#include "mailbox/mailbox.h"
#include "region-hub/hub_holes.h"
#include "store/view.h"

struct hub_apply; /* opaque, see hub_apply_internal.h */

struct hub_apply_settings {
    struct loop *loop;
    struct bus *bus;
    const char *region; /* borrowed for its life, as the paths are */
    unsigned shard;
    const char *view_path;
    const char *marker_path;
    uint32_t save_rows;
    int64_t save_ms;
    int64_t log_check_ms;
    int64_t log_doubt_ms; /* until a log that is too short was put back */
    uint8_t level_max;    /* a record above it stops the shard */

    void *context;
    /* The mailboxes are there as they were saved, or empty; what follows in the log comes next. */
    void (*on_opened)(void *context, const struct mailbox_state *state);
    /* While a batch is applied, in its order; rows before they are committed. */
    void (*on_row)(void *context, const struct mailbox_row *row);
    void (*on_acked)(void *context, struct text user, struct text device, uint32_t epoch,
                     uint64_t seq);
    void (*on_dropped)(void *context, struct text user, struct text device); /* a stale device */
    void (*on_read)(void *context, const struct wire_read *read);
    /* A user's mailbox freezes, leaves, comes or stays: as it is now. */
    void (*on_moved)(void *context, const struct mailbox_move *move);
    void (*on_misrouted)(void *context, struct text user, const struct wire_message *message);
    void (*on_owned)(void *context, uint64_t generation, struct text hub, uint64_t start);
    /* The mailboxes are to be saved as they are: a checkpoint. */
    void (*on_checkpoint)(void *context, const struct mailbox *mailbox);
    /* After a run of batches was committed. */
    void (*on_applied)(void *context, bool caught_up);
    /* The mailboxes are not there any more, or stay as they are: serve nothing. */
    void (*on_fell_behind)(void *context);
};
/* Starts with the next turn of the loop. NULL when memory is short. */
MUST_USE struct hub_apply *hub_apply_new(const struct hub_apply_settings *settings);
/* With `save`, what has changed is saved first. NULL is fine. */
void hub_apply_free(struct hub_apply *apply, bool save);

/* NULL while they are not there. Borrowed until the next turn. */
const struct mailbox *hub_apply_mailbox(const struct hub_apply *apply);
struct view *hub_apply_view(const struct hub_apply *apply);
uint64_t hub_apply_position(const struct hub_apply *apply);
uint64_t hub_apply_head(const struct hub_apply *apply); /* the last position known to be stored */
/* Log time as it would be now: T, and what has passed since by the monotonic clock. 0 while there
 * are no mailboxes. */
int64_t hub_apply_now_ms(const struct hub_apply *apply);
/* The folder of the dedupe set's closed segments. Borrowed for its life. */
const char *hub_apply_segments(const struct hub_apply *apply);
/* When the log's first record was stored; 0: it is not there any more. */
int64_t hub_apply_begun_ms(const struct hub_apply *apply);
int64_t hub_apply_lag_ms(struct hub_apply *apply);
/* Why nothing is applied, in a word ("log_regressed"), or NULL when all is well. */
const char *hub_apply_trouble(const struct hub_apply *apply);
bool hub_apply_is_stopped(const struct hub_apply *apply);
/* Lanes whose batches are passed over behind one that is missing. */
const struct hub_holes *hub_apply_holes(const struct hub_apply *apply);

/* The doorbell. */
void hub_apply_ring(struct hub_apply *apply, uint64_t position);
/* The bus is connected again: the log is checked and read. */
void hub_apply_connected(struct hub_apply *apply);
void hub_apply_disconnected(struct hub_apply *apply);
/* Since the bus was connected the log was seen to hold all that was applied of it. Before, it may
 * be an older one, put back from a backup: then nothing may be written there that tells how far we
 * are, or nobody could ever apply it. */
bool hub_apply_is_sure(const struct hub_apply *apply);
/* Reading the view failed with this error. */
void hub_apply_view_failed(struct hub_apply *apply, int error);
