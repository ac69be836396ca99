/* Finds a checkpoint in CKPT_<r> from which a view can be made again, and fetches it: the oldest
 * whose successor is still in the log. One that is damaged, not whole, or written by a program that
 * this one does not understand, is passed over for the next newer; so is one that refers to a
 * segment of the dedupe set that is not stored. One shard thread. */
#pragma once

#include "bus/bus_stream.h"
#include "mailbox/mailbox.h"

struct hub_checkpoint_load; /* opaque */

struct hub_checkpoint_load_settings {
    struct bus *bus;
    const char *region; /* borrowed for its life */
    unsigned shard;
    const char *segments; /* the folder that gets those it refers to; borrowed */
    uint64_t from;        /* no checkpoint below this position is of use */
    void *context;
    /* It has ended, and may be freed here. `mailbox` is the caller's then; `bytes`, the same saved,
     * are borrowed. Without one (NULL): none is stored that is of use. While CKPT_<r> cannot be
     * reached it does not end. */
    void (*on_loaded)(void *context, struct mailbox *mailbox, const struct buffer *bytes);
};
/* NULL when memory is short. */
MUST_USE struct hub_checkpoint_load *
hub_checkpoint_load_start(const struct hub_checkpoint_load_settings *settings);
void hub_checkpoint_load_free(struct hub_checkpoint_load *load); /* NULL is fine */
