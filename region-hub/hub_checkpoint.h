/* The checkpoints of one shard: every hub keeps the last one in a file; the owner writes the record
 * that makes one, and stores the last one in CKPT_<r> when nobody has yet. What goes wrong is tried
 * again and shown; it holds up nothing. One shard thread. */
#pragma once

#include "bus/bus_stream.h"
#include "mailbox/mailbox.h"
#include "region-hub/hub_writer.h"

struct hub_checkpoint; /* opaque, see hub_checkpoint.c */

struct hub_checkpoint_settings {
    struct loop *loop;
    struct bus *bus;
    const char *region; /* borrowed for its life, as `path` is */
    unsigned shard;
    const char *path;     /* of the file; beside the view */
    const char *segments; /* folder of what it refers to; borrowed */
    int64_t interval_ms;
    int64_t retry_min_ms;
    int64_t retry_max_ms;
};
/* NULL when memory is short. */
MUST_USE struct hub_checkpoint *hub_checkpoint_new(const struct hub_checkpoint_settings *settings);
void hub_checkpoint_free(struct hub_checkpoint *checkpoint); /* NULL is fine */

/* The mailboxes are just behind the record: they are saved. */
void hub_checkpoint_take(struct hub_checkpoint *checkpoint, const struct mailbox *mailbox);
/* To be called often while this hub serves the shard. `begun_ms`: when the log's first record was
 * stored, 0 when that is not there any more. */
void hub_checkpoint_serve(struct hub_checkpoint *checkpoint, struct hub_writer *writer,
                          const struct mailbox_state *state, const struct mailbox_moving *moving,
                          int64_t begun_ms);
/* What an operator should see ("checkpoint_not_stored"), or NULL. */
const char *hub_checkpoint_warning(const struct hub_checkpoint *checkpoint);
