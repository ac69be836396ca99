/* Archives the shards that this hub owns: one thread with one connection to the central database
 * and, of each view, one that only reads. It holds up nothing else. While the database is away the
 * rows wait in the views, not in memory; only the lag grows.
 *
 * A hub asks also how far the shards of others are archived: what it trims from its own view of
 * them it may need when it takes over. */
#pragma once

#include "base/error_text.h"
#include "region-hub/hub_settings.h"

#include <stdbool.h>
#include <stdint.h>

struct hub_directory_desk;
struct hub_archiver; /* opaque, see hub_archiver.c */

struct hub_archiver_place {              /* borrowed for its life */
    const struct hub_settings *settings; /* archive_url is not empty */
    const char *region;
    unsigned shards;
    unsigned buckets; /* of the directory, which is archived too; 0: not by this region's hubs */
};
/* NULL with the reason when the URL cannot be used, memory or threads are short. That the database
 * is not there is no error. */
MUST_USE struct hub_archiver *hub_archiver_start(const struct hub_archiver_place *place,
                                                 struct error_text *reterr_why);
/* Asks it to end; what waits for the database is cancelled. From any thread. NULL is fine. */
void hub_archiver_stop(struct hub_archiver *archiver);
/* Waits for the end, at most until `due_ms` (monotonic), and frees it; nobody may use it any more.
 * -ETIMEDOUT: it still runs. NULL is fine. */
MUST_USE int hub_archiver_join(struct hub_archiver *archiver, int64_t due_ms);

/* What a shard's thread tells, now and then. NULL is fine. */
struct hub_archiver_news {
    bool owns;
    const uint8_t *incarnation; /* of the log; NULL: not known yet */
    uint64_t row;               /* the last one applied */
};
void hub_archiver_tell(struct hub_archiver *archiver, unsigned shard,
                       const struct hub_archiver_news *news);

/* Rows up to this one of the shard are archived, as far as is known; 0: nothing is known.
 * UINT64_MAX for a NULL archiver: there is nothing to wait for. Any thread. */
uint64_t hub_archiver_row(const struct hub_archiver *archiver, unsigned shard);

struct hub_archiver_status { /* of one shard, a moment ago; any thread */
    bool connected;
    bool owns;
    uint64_t archived_row;
    uint64_t lag_rows;
    int64_t lag_ms; /* how long the oldest row that is not archived has waited, about */
    /* Since this process started. */
    uint64_t stored;
    uint64_t parked;     /* refused by the database, kept beside */
    uint64_t gap_rows;   /* alarm archive_gap: not archived, and gone from the view */
    const char *trouble; /* in a word: "not_connected"; "" when all is well. Static. */
};
struct hub_archiver_status hub_archiver_status(const struct hub_archiver *archiver, unsigned shard);
/* Where a bucket of the directory is handed over. Borrowed. */
struct hub_directory_desk *hub_archiver_desk(struct hub_archiver *archiver, unsigned bucket);
/* Something was put on a desk. Any thread. */
void hub_archiver_wake(struct hub_archiver *archiver);
/* Appends a line for each shard, and for each bucket of the directory that is copied here, as
 * /readyz shows it. NULL is fine. */
void hub_archiver_print(const struct hub_archiver *archiver, struct buffer *out);
