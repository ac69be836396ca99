/* Keeps what a shard has seen, the closed segments of its dedupe set, in files beside the view:
 * <region>-<shard>.seen/<segment>. A thread of its own writes, checks and removes them; what they
 * hold is looked up by the shard's thread, in the page cache or on the disk.
 *
 * What holds after a crash at any point: the state in the view refers to files that are whole and
 * synced, for it is saved only when all closed segments are stored, and a file is removed only when
 * a later state, which does not refer to it, is on the disk. Files that the state does not refer to
 * are removed by the next attach.
 *
 * A file that cannot be written (the disk is full) is tried again; its segment stays in memory. */
#pragma once

#include "base/error_text.h"
#include "loop/loop.h"
#include "mailbox/mailbox_segments.h"

struct hub_seen; /* opaque, see hub_seen.c */

struct hub_seen_settings {
    struct loop *loop;
    const char *view_path; /* "<folder>/<region>-<shard>.view", copied */
    void *context;
    /* All that is closed is stored now. */
    void (*on_stored)(void *context);
    /* A file that the mailbox needs is damaged (-EILSEQ), found by reading all of it after a start:
     * the same as a damaged view. */
    void (*on_damaged)(void *context, int error);
};
/* NULL when memory is short, or the path is too long. */
MUST_USE struct hub_seen *hub_seen_new(const struct hub_seen_settings *settings);
void hub_seen_free(struct hub_seen *seen);                /* detaches; NULL is fine */
const char *hub_seen_folder(const struct hub_seen *seen); /* for segment_read_all(), _install() */

/* The mailbox, just loaded or new, finds its segments here from now on. -EILSEQ: it refers to a
 * file that is missing or damaged; or the disk's error. After an error it is not attached. */
MUST_USE int hub_seen_attach(struct hub_seen *seen, struct mailbox *mailbox,
                             struct error_text *reterr_why);
/* Before the mailbox is freed. Waits until what is being written is done, at most one file. */
void hub_seen_detach(struct hub_seen *seen);
/* A run of batches was applied and committed: what it has closed is stored, in the background. */
void hub_seen_applied(struct hub_seen *seen);
/* Nothing closed is in memory only: a state saved now may be kept. */
bool hub_seen_is_stored(const struct hub_seen *seen);
/* More is closed than can be written meanwhile: read on when on_stored() was called. Not while the
 * disk fails, which holds up nothing here. */
bool hub_seen_is_behind(const struct hub_seen *seen);
/* The state of now is saved in the view: nothing older will be loaded. */
void hub_seen_saved(struct hub_seen *seen);
/* Before the last save: stores what is closed and waits for it. 0, or why it is not stored. */
MUST_USE int hub_seen_finish(struct hub_seen *seen);
/* After -EIO of mailbox_apply(): the error of the look-up. */
int hub_seen_error(const struct hub_seen *seen);
