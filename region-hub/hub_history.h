/* Answers what edges ask of a user's history, a page at a time: from the view, and what the view
 * does not hold from the archive. A page is read over several turns of the loop, so that nobody
 * waits for it; what was not answered in time is answered by what there is. Nothing is changed by
 * it. One shard thread.
 *
 * The view is asked for what it still holds, of the mailbox's epoch alone: rows leave it when they
 * are archived, so with the archive's behind them there is no hole. Why some may be missing:
 *   archive_unavailable   the archive cannot be read now
 *   retention             they are older than the retention, and there is no archive
 *   not_archived          they are of an older epoch, and there is no archive */
#pragma once

#include "catalogue/catalogue.h"
#include "region-hub/hub_apply.h"
#include "region-hub/hub_archive_reader.h"
#include "wire/frame.h"

struct hub_history; /* opaque, see hub_history_internal.h */

enum {
    HUB_HISTORY_ASKS_MAX = 64,        /* of one shard, at one time; one more is answered busy */
    HUB_HISTORY_ANSWER_MAX_MS = 4000, /* an edge waits some seconds longer */
};

struct hub_history_settings { /* all borrowed */
    struct loop *loop;
    struct bus *bus;
    struct hub_apply *apply;
    struct hub_archive_reader *reader; /* NULL: there is no archive */
    const struct catalogue_region *region;
    unsigned shard;
    const char *hub;
    int64_t answer_max_ms;
};
MUST_USE struct hub_history *hub_history_new(const struct hub_history_settings *settings);
void hub_history_free(struct hub_history *history); /* NULL is fine */
/* Answers carry this generation; 0: what waits is dropped. */
void hub_history_serve(struct hub_history *history, uint64_t generation);
/* The answer goes to `reply`. */
void hub_history_ask(struct hub_history *history, struct text reply,
                     const struct wire_history_ask *ask);
/* Says that this may not be read. */
void hub_history_refuse(struct hub_history *history, struct text reply,
                        const struct wire_history_ask *ask);
/* Answers what is late. Some times a second. */
void hub_history_tick(struct hub_history *history);
