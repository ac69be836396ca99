/* What the files of the return share. */
#pragma once

#include "base/table.h"
#include "homes/homes.h"
#include "log/log.h"
#include "region-hub/hub_return.h"
#include "region-hub/hub_return_plan.h"

struct hub_return_user { /* who is being checked */
    UT_hash_handle hh;
    struct hub_return *back;
    bool waited_for;  /* not by the scan */
    int64_t again_ms; /* nothing is done before */
    struct bus_request request;
    bool asks;        /* the request is to the other home */
    int64_t until_ms; /* a record was written, and is applied by then or has no effect; 0: none */
    struct hub_return_facts facts; /* but where it is: that is looked up */
    const struct catalogue_region *home;
    uint32_t epoch; /* of the other mailbox, as the next */
    uint64_t base;
    size_t size;
    char name[];
};

struct hub_return_sure { /* who stays */
    UT_hash_handle hh;
    size_t size;
    char name[];
};

struct hub_return {
    struct hub_return_settings settings;
    struct homes *homes; /* for the heartbeat alone */
    struct bus_subscription *changes;
    struct loop_later work;
    struct hub_return_user *users;
    size_t scanned_users; /* of them, those of the scan */
    struct hub_return_sure *sure;
    bool strict;        /* nobody is served who was not checked */
    bool scanning;      /* all are to be checked */
    size_t left;        /* whose mailboxes have left since it began */
    int64_t current_ms; /* when the mirror was current last */
    size_t at_size;     /* the scan is behind this user */
    char at[TEXT_USER_MAX];
    struct log_limit limit;
};

static inline int64_t hub_return_now_ms(const struct hub_return *back)
{
    return loop_now_ms(back->settings.loop);
}

static inline struct text hub_return_name(const struct hub_return_user *user)
{
    return (struct text){user->name, user->size};
}

/* hub_leave.c: one user. Begins. */
void hub_leave_begin(struct hub_return_user *user);
void hub_leave_end(struct hub_return_user *user); /* nothing is on its way any more */
/* What can be done now. True: it was checked, and stays, or has left. */
MUST_USE bool hub_leave_go(struct hub_return_user *user);
