/* Between the shard's thread that follows a bucket of the directory and the archiver's thread,
 * which stores it: one question or one batch lies on the desk at a time. While the archive is away
 * it stays there, so that only the lag grows. What is called on which thread is said below. */
#pragma once

#include "store/archive_directory.h"

struct hub_directory_desk; /* opaque, see hub_directory_desk.c */

enum { HUB_DIRECTORY_BATCH = 1024 };
/* Entries on their way, in the order of their revisions. */
struct hub_home_batch {
    size_t count;
    struct hub_home {
        uint64_t revision;
        uint32_t epoch;
        char home[TEXT_REGION_MAX + 1];
        uint8_t user_size;
        char user[TEXT_USER_MAX];
    } homes[HUB_DIRECTORY_BATCH];
};

/* NULL when memory is short. Any thread, while nobody uses it. */
MUST_USE struct hub_directory_desk *hub_directory_desk_new(void);
void hub_directory_desk_free(struct hub_directory_desk *desk); /* NULL is fine */

/* --- the shard's thread --- */

enum hub_desk_state {
    HUB_DESK_IDLE,    /* nothing is known: ask (again) */
    HUB_DESK_ASKED,   /* where the archive stands is being asked */
    HUB_DESK_WAITING, /* for a batch that follows `position` */
    HUB_DESK_FULL,    /* a batch is to be stored */
};
enum hub_desk_state hub_directory_desk_look(struct hub_directory_desk *desk,
                                            uint64_t *ret_position);
/* Asks how far this bucket is archived. What lay there before is dropped. */
void hub_directory_desk_ask(struct hub_directory_desk *desk, const struct archive_bucket *bucket);
/* Copies the batch; only in HUB_DESK_WAITING. `since_ms`: wall clock, when its first was read. */
void hub_directory_desk_put(struct hub_directory_desk *desk, const struct hub_home_batch *batch,
                            int64_t since_ms);
/* Nobody follows the bucket here any more. */
void hub_directory_desk_leave(struct hub_directory_desk *desk);

/* --- the archiver's thread --- */

enum hub_desk_step {
    HUB_DESK_NOTHING, /* was to be done */
    HUB_DESK_DONE,
    HUB_DESK_STALE,  /* another hub copies the bucket, too */
    HUB_DESK_FAILED, /* the archive: ret_error and reterr_why; it stays on the desk */
};
enum hub_desk_step hub_directory_desk_step(struct hub_directory_desk *desk, struct archive *archive,
                                           int *ret_error, struct error_text *reterr_why);

/* --- any thread --- */

struct hub_directory_desk_status {
    bool follows;      /* this hub follows the bucket */
    uint64_t position; /* that is archived, as far as is known */
    int64_t lag_ms;    /* since when a batch has waited; 0: none does */
    uint64_t stored;   /* rows, since the process started */
    uint64_t refused;  /* by the database */
};
struct hub_directory_desk_status hub_directory_desk_status(struct hub_directory_desk *desk);
