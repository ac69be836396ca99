/* The thread of a hub_seen: does one job after another, files only, and posts each to the loop when
 * it is done. */
#pragma once

#include "loop/loop.h"
#include "mailbox/mailbox_segments.h"
#include "store/segment.h"

struct hub_seen;
struct hub_seen_worker; /* opaque, see hub_seen_worker.c */

enum hub_seen_task {
    HUB_SEEN_WRITE,  /* the held segment; opened when it is written */
    HUB_SEEN_REMOVE, /* the files of `ids`, when what is in the view's log is on the disk */
    HUB_SEEN_VERIFY, /* the whole of one file */
};
/* Belongs to the loop's thread, but while it is with the worker. */
struct hub_seen_job {
    struct loop_message message;
    struct hub_seen *seen; /* NULL: nobody wants to know */
    struct hub_seen_job *next;
    enum hub_seen_task task;
    struct segment_info info;
    struct mailbox_held *held;
    uint64_t *ids;
    size_t id_count;
    struct segment *segment; /* what was written */
    int error;
};
void hub_seen_job_free(struct hub_seen_job *job);

/* Both paths are borrowed for its life. */
MUST_USE int hub_seen_worker_start(struct loop *loop, const char *folder, const char *log_path,
                                   struct hub_seen_worker **ret_worker);
/* Jobs are done in order, but that verifying waits for all others. */
void hub_seen_worker_give(struct hub_seen_worker *worker, struct hub_seen_job *job);
/* Ends the thread after the job that it is at or, with `all`, after all but those that verify. Then
 * frees it, and gives back what it has not posted. NULL is fine. */
struct hub_seen_job *hub_seen_worker_stop(struct hub_seen_worker *worker, bool all);
