/* What the files of history share: an ask, and how it goes on. */
#pragma once

#include "log/log.h"
#include "region-hub/hub_history.h"
#include "region-hub/hub_page.h"
#include "wire/names.h"

enum hub_history_stage {
    HUB_HISTORY_BACK,    /* falling, from the view */
    HUB_HISTORY_ARCHIVE, /* either way; the job is with the reader */
    HUB_HISTORY_ON,      /* rising, from the view */
};

struct hub_history_asking {
    struct list link;  /* of all */
    struct list ready; /* when the view is to be read on */
    struct hub_history *history;
    char reply[WIRE_NAME_MAX];
    char user[TEXT_USER_MAX];
    size_t user_size;
    int64_t due_ms;
    enum hub_history_stage stage;
    uint64_t row;                     /* BACK: where the view is read on from */
    struct archive_cursor view_first; /* rising: what the archive has before it comes first */
    struct hub_archive_job *job;
    struct hub_page page;
};

struct hub_history {
    struct hub_history_settings settings;
    uint64_t generation;
    struct list asks;
    size_t count;
    struct list ready;
    struct loop_later turn;
    struct log_limit dropped_limit;
};

/* What a step comes to. */
enum hub_history_next {
    HUB_HISTORY_AGAIN,  /* the view is to be read on, in another turn */
    HUB_HISTORY_WAITS,  /* for the archive */
    HUB_HISTORY_DONE,   /* the page is as it shall be */
    HUB_HISTORY_BUSY,   /* nothing can be said now */
    HUB_HISTORY_FAILED, /* the view cannot be read: `ret_error` */
};

/* hub_history_read.c */
enum hub_history_next hub_history_begin(struct hub_history_asking *asking, int *ret_error);
/* Reads the view on, a bounded number of rows. */
enum hub_history_next hub_history_read(struct hub_history_asking *asking, int *ret_error);
/* The archive has answered; NULL: it did not in time. */
enum hub_history_next hub_history_archived(struct hub_history_asking *asking,
                                           const struct hub_archive_answer *answer);

/* hub_history.c */
void hub_history_on_answer(void *context, const struct hub_archive_answer *answer);
