/* Reads the archive for those who must not wait for it: one thread, with a connection of its own,
 * does one job after another and hands each back to the loop that asked. The queue is bounded, and
 * so is every wait. While the archive is away jobs fail at once, and it is tried again now and
 * then. */
#pragma once

#include "base/error_text.h"
#include "loop/loop.h"
#include "region-hub/hub_settings.h"
#include "store/archive.h"

#include <stdbool.h>

struct hub_archive_reader; /* opaque, see hub_archive_reader.c */
struct hub_archive_job;    /* one question; the reader's until it is answered or cancelled */

enum { HUB_ARCHIVE_JOBS_MAX = 64 /* that wait, or are with the thread */ };

/* NULL with the reason when the URL cannot be used, memory or threads are short. That the database
 * is not there is no error: it is connected to when the first job comes. Borrows the settings. */
MUST_USE struct hub_archive_reader *hub_archive_reader_start(const struct hub_settings *settings,
                                                             struct error_text *reterr_why);
/* Asks it to end; what waits for the database is cancelled, and no further job is taken. From any
 * thread. NULL is fine. */
void hub_archive_reader_stop(struct hub_archive_reader *reader);
/* Waits for the end, at most until `due_ms` (monotonic), and frees it. Every job was answered or
 * cancelled. -ETIMEDOUT: it still runs. NULL is fine. */
MUST_USE int hub_archive_reader_join(struct hub_archive_reader *reader, int64_t due_ms);

struct hub_archive_answer { /* borrowed for the call */
    int error;              /* as archive.h has them; then there are no rows */
    const struct archive_batch *rows;
    bool more; /* there are more on that way */
};
struct hub_archive_question {
    struct text user; /* copied */
    /* rows_max: of all of it. A seq above INT64_MAX counts as that: no database holds a larger
     * one. */
    struct archive_range range;
    size_t bytes_max; /* of the bodies; one row is always given */
    struct loop *loop;
    /* On the loop's thread; the job is gone then. */
    void (*on_answer)(void *context, const struct hub_archive_answer *answer);
    void *context;
};
/* From the loop's thread. -ENOBUFS: too many wait, or it is to end; -ENOMEM. */
MUST_USE int hub_archive_reader_ask(struct hub_archive_reader *reader,
                                    const struct hub_archive_question *question,
                                    struct hub_archive_job **ret_job);
/* on_answer is not called. From the loop's thread, before the loop is freed. NULL is fine. */
void hub_archive_job_cancel(struct hub_archive_job *job);
