/* What there is to decide about checkpoints: when one is due, and which of those that are stored a
 * view is made again from. Pure.
 *
 * The one to begin with is the oldest whose successor is still in the log: it leaves the most rows
 * to be read from there. */
#pragma once

#include "base/macros.h"
#include "mailbox/mailbox.h"
#include "wire/checkpoint.h"

#include <stdbool.h>
#include <stddef.h>

enum { HUB_CHECKPOINT_LEVEL = 2 }; /* of the config at which they may be written */

/* By log time. `begun_ms` is when the log's first record was stored; 0: it is not there any more.
 * None is due while messages wait for home moves, since a checkpoint holds no bodies: they would be
 * lost to whoever begins with it. Moves take seconds; after one interval more it is due all the
 * same. */
bool hub_checkpoint_is_due(const struct mailbox_state *state, const struct mailbox_moving *moving,
                           int64_t begun_ms, int64_t interval_ms);

struct hub_checkpoint_done { /* a `done` that was found */
    uint64_t position;
    uint64_t size;
    uint32_t parts;
    struct fingerprint fingerprint;
    struct wire_segment *segments;
    size_t segment_count;
};
/* Zero-initialised. Of those of another log, which an older one of this name has left, none is
 * kept: the last that was added says which log it is. */
struct hub_checkpoint_list {
    struct hub_checkpoint_done *items; /* by rising position */
    size_t count;
    uint8_t incarnation[16];
};
enum { HUB_CHECKPOINTS_MAX = 1024 }; /* in a list; the newest are left out */
/* Adds one, in the order of the stream; it replaces one of the same position. -ENOSPC, -ENOMEM. */
MUST_USE int hub_checkpoint_list_add(struct hub_checkpoint_list *list,
                                     const struct wire_stored *stored);
/* The oldest one not below `position`; NULL: there is none. Borrowed until the next add. */
const struct hub_checkpoint_done *hub_checkpoint_list_from(const struct hub_checkpoint_list *list,
                                                           uint64_t position);
void hub_checkpoint_list_clear(struct hub_checkpoint_list *list);
