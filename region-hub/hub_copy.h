/* Copies the rows of one shard from its view into the archive, a batch at a time, in their order.
 * The archive says where to go on: a copy keeps nothing that it could lose. Notices are passed
 * over; messages with a ttl are kept with it. One thread; it waits for the database. */
#pragma once

#include "store/archive.h"

struct hub_copy; /* opaque, see hub_copy.c */

struct hub_copy_settings { /* texts are copied */
    const char *view_path;
    const char *region;
    unsigned shard;
    uint32_t rows_max; /* of a batch */
    uint64_t bytes_max;
};
MUST_USE struct hub_copy *hub_copy_new(const struct hub_copy_settings *settings);
void hub_copy_free(struct hub_copy *copy); /* NULL is fine */

/* Which log the view is made of. Another one than before begins anew. */
void hub_copy_set_log(struct hub_copy *copy, const uint8_t incarnation[16]);
/* Forgets how far the archive is: the next call asks. */
void hub_copy_forget(struct hub_copy *copy);

enum hub_copied {
    HUB_COPIED_MORE,   /* a full batch was stored, and there may be more */
    HUB_COPIED_ALL,    /* what the view held is archived */
    HUB_COPIED_STALE,  /* somebody else archives this shard: nothing was stored, ask again */
    HUB_COPIED_NOT,    /* the view cannot be read now */
    HUB_COPIED_FAILED, /* the archive: ret_error and reterr_why */
};
/* Stores one batch. */
enum hub_copied hub_copy_step(struct hub_copy *copy, struct archive *archive, int *ret_error,
                              struct error_text *reterr_why);
/* Only asks how far it is. HUB_COPIED_ALL or HUB_COPIED_FAILED. */
enum hub_copied hub_copy_ask(struct hub_copy *copy, struct archive *archive, int *ret_error,
                             struct error_text *reterr_why);

struct hub_copy_state {
    bool located; /* the archive has said how far it is */
    uint64_t last_row;
    int64_t last_ms; /* log time of the last row that this copy has stored; 0: none yet */
    uint64_t gap_rows;
    struct archive_outcome outcome; /* of all batches */
};
const struct hub_copy_state *hub_copy_state(const struct hub_copy *copy); /* borrowed */
