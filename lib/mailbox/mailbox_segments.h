/* The dedupe set of a shard in segments. Entries go into the open one, in memory; it closes when it
 * is full or its time generation ends, and is dropped as a whole when all of it is older than the
 * window. What opens, closes and drops a segment is the log alone, so every hub comes to the same
 * segments. Where a closed one is kept is the owner's matter: in memory, or in a store. What apply
 * decides is the same.
 *
 * The order of things, for an owner with a store:
 *  - mailbox_load(), then for each segment of mailbox_segment_at(): mailbox_segment_stored().
 *  - After applies: hold those that are in memory, export them (any thread), store them, and say
 *    mailbox_segment_stored(). Until then they are in memory and found there.
 *  - A state that mailbox_save() gave refers to all closed segments. Keep it where it outlives the
 *    process only once they are stored there too, and keep these while that state is kept. */
#pragma once

#include "mailbox/mailbox.h"

enum {
    MAILBOX_SEGMENT_ENTRIES = 1048576, /* when one is full: part of what apply decides */
    MAILBOX_SEGMENT_ENTRY_SIZE = 28,   /* fingerprint 16, u32 epoch, u64 seq */
};

struct mailbox_segment {
    uint64_t id;      /* 1, 2, 3... over the shard's life */
    int64_t start_ms; /* of its generation, log time */
    int64_t end_ms;   /* the first one not in it */
    uint32_t count;
    struct fingerprint sum; /* hash_sum() of the entries' bytes: the same in any order */
    bool is_stored;         /* else its entries are in memory */
    void *handle;           /* what the owner has given for it; NULL: nothing yet */
};
/* The closed segments, oldest first. False when there are not so many. */
bool mailbox_segment_at(const struct mailbox *mailbox, size_t index,
                        struct mailbox_segment *ret_segment);

/* Where closed segments are found. The callbacks are called within mailbox_apply(). */
struct mailbox_store {
    void *context;
    /* 1: there; 0: not there; or negative errno, after which the mailbox is of no use any more:
     * see mailbox_apply(). */
    int (*find)(void *context, void *handle, const struct fingerprint *print, uint32_t *ret_epoch,
                uint64_t *ret_seq);
    /* NULL, or a hint that this is about to be looked up. */
    void (*prefetch)(void *context, void *handle, const struct fingerprint *print);
    /* The mailbox does not need this one any more; states saved before may. */
    void (*dropped)(void *context, uint64_t id, void *handle);
};
/* Copies it. From now on mailbox_save() refers to closed segments; without, it contains them. */
void mailbox_set_store(struct mailbox *mailbox, const struct mailbox_store *store);
/* Segment `id` is stored and found by `handle` (not NULL) from now on; its memory is freed.
 * -ENOENT: it is not there any more. */
MUST_USE int mailbox_segment_stored(struct mailbox *mailbox, uint64_t id, void *handle);

/* A closed segment that is in memory, held so that another thread can read it: it outlives the
 * segment and the mailbox until it is released. Any thread may export and release it. */
struct mailbox_held;
struct mailbox_held *mailbox_segment_hold(const struct mailbox *mailbox, uint64_t id); /* or NULL */
/* Appends the entries, sorted by fingerprint. -ENOMEM. */
MUST_USE int mailbox_held_export(const struct mailbox_held *held, struct buffer *out);
void mailbox_held_release(struct mailbox_held *held); /* NULL is fine */

/* What a saved state refers to, without loading it: on_segment for each, oldest first; those it
 * contains are not among them. -EBADMSG: damaged or of another version. */
MUST_USE int mailbox_saved_segments(const void *bytes, size_t size, void *context,
                                    void (*on_segment)(void *context,
                                                       const struct mailbox_segment *segment));
