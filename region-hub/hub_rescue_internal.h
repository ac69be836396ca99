/* What the files of the rescue share. */
#pragma once

#include "base/table.h"
#include "log/log.h"
#include "region-hub/hub_rescue.h"
#include "region-hub/hub_rescue_plan.h"
#include "region-hub/hub_rescue_tail.h"

enum { HUB_RESCUE_AGAIN_MS = 100 }; /* until what did not work now is tried again */

struct hub_rescue_user { /* who is fetched */
    UT_hash_handle hh;
    struct hub_rescue *rescue;
    struct text gone; /* the region; the catalogue's */
    uint64_t move;
    bool done;
    uint8_t code; /* then */
    int64_t progress_ms;
    int64_t again_ms; /* nothing is done before */

    struct bus_request request;
    bool writes; /* the request is the compare-and-set */
    struct hub_archive_job *job;
    bool written;            /* a record that is to be applied first */
    enum mailbox_where seen; /* when it was written, as the next */
    enum hub_rescue_directory directory;
    uint64_t revision;
    uint32_t epoch;
    const struct catalogue_region *home; /* NULL: none of the catalogue's */

    bool measured;
    struct hub_rescue_tail tail;
    struct archive_cursor below; /* what was measured ends here */
    uint64_t next;               /* to be handed to the log */
    size_t size;
    char name[];
};

struct hub_rescue {
    struct hub_rescue_settings settings;
    struct hub_rescue_user *users;
    struct loop_later work;
    struct log_limit limit;
};

static inline int64_t hub_rescue_now_ms(const struct hub_rescue *rescue)
{
    return loop_now_ms(rescue->settings.loop);
}

static inline struct text hub_rescue_name(const struct hub_rescue_user *user)
{
    return (struct text){user->name, user->size};
}

/* hub_rescue.c: */
void hub_rescue_advanced(struct hub_rescue_user *user); /* something has come of it */
void hub_rescue_finish(struct hub_rescue_user *user, uint8_t code);
void hub_rescue_go(struct hub_rescue_user *user); /* what can be done now */
/* The mailbox as the log has it; where it is, in any case. */
enum mailbox_where hub_rescue_look(const struct hub_rescue_user *user,
                                   struct mailbox_user *ret_mailbox, struct mailbox_move *ret_move);

/* hub_rescue_work.c: the steps that ask and write. Negative: not now. */
bool hub_rescue_on_answer(struct bus_request *request, enum bus_outcome outcome,
                          const struct bus_message *message);
MUST_USE int hub_rescue_read(struct hub_rescue_user *user);
MUST_USE int hub_rescue_decide(struct hub_rescue_user *user);
MUST_USE int hub_rescue_measure(struct hub_rescue_user *user);
MUST_USE int hub_rescue_copy(struct hub_rescue_user *user);
MUST_USE int hub_rescue_write_arrival(struct hub_rescue_user *user);
MUST_USE int hub_rescue_write_end(struct hub_rescue_user *user);
