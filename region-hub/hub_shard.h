/* One shard of the region on this hub: a thread with its own loop, bus connection and view, on
 * which everything about the shard happens. It follows the log, and serves while it owns the
 * shard. */
#pragma once

#include "catalogue/catalogue.h"
#include "region-hub/hub_archive_reader.h"
#include "region-hub/hub_archiver.h"
#include "region-hub/hub_settings.h"

#include <stdatomic.h>
#include <stdbool.h>

struct hub_alarms;
struct hub_shard; /* opaque, see hub_shard_internal.h */

struct hub_shard_place { /* all borrowed for the shard's life */
    const struct hub_settings *settings;
    const struct catalogue *catalogue;
    const struct catalogue_region *region;
    struct hub_archiver *archiver;             /* NULL: none */
    struct hub_archive_reader *archive_reader; /* NULL: none */
    unsigned shard;
    unsigned hub_index;         /* of this hub among the region's */
    uint64_t start;             /* random for each start of the process */
    const atomic_uint *reloads; /* see hub_admission.h; NULL: keys are not read again */
};

/* Starts the thread. NULL with the reason when memory, threads or settings do not allow it; that
 * NATS or the log is not there is no error. */
MUST_USE struct hub_shard *hub_shard_start(const struct hub_shard_place *place,
                                           struct error_text *reterr_why);
/* Asks it to end: gives the shard up in the log first when it owns it, and saves its state. Without
 * `orderly` it ends as if the process were killed. From any thread, once. */
void hub_shard_stop(struct hub_shard *shard, bool orderly);
/* Waits for the end, at most until `due_ms` (monotonic), and frees it. -ETIMEDOUT: it still runs,
 * and nothing of it may be freed. */
MUST_USE int hub_shard_join(struct hub_shard *shard, int64_t due_ms);

struct hub_shard_status { /* a moment ago; from any thread */
    bool connected;
    bool ready;          /* the log is read to its end, and nothing is wrong */
    bool stopped;        /* for good */
    const char *state;   /* following, watching, serving... Static. */
    const char *reason;  /* why it is not ready, in a word; "" when it is. Static. */
    const char *warning; /* what is wrong and holds up nothing, in a word; NULL: nothing. Static. */
    uint64_t position;
    uint64_t generation;
    uint64_t attached;
    uint8_t log_level; /* of the last config record; 0: none */
    /* Home moves: users who come or go, messages that wait for it, and those that are to be sent
     * after users who have left; and, since the process began, how many this hub has sent, and not
     * sent, as their ttl was over or the view does not hold them. */
    uint64_t moving;
    uint64_t held;
    uint64_t to_pass_on;
    uint64_t passed_on;
    uint64_t not_passed_on;
};
struct hub_shard_status hub_shard_status(const struct hub_shard *shard);
/* What is wrong with it; borrowed, for any thread. */
const struct hub_alarms *hub_shard_alarms(const struct hub_shard *shard);
