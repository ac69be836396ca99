/* Looks after the mailboxes that a region held when it comes back: each is checked against the
 * directory, and those whose users got another home meanwhile leave. What comes next for each is
 * hub_return_plan.h.
 *
 * After a pause that is long enough for the region to have been given up (the log tells), nobody is
 * served before the directory's mirror is current and the user was checked. A region that was cut
 * off checks all its users when its mirror is current again, and serves meanwhile, as it has all
 * the time. One shard thread; lives while the shard is served. */
#pragma once

#include "catalogue/catalogue.h"
#include "region-hub/hub_apply.h"
#include "region-hub/hub_settings.h"
#include "region-hub/hub_writer.h"
#include "wire/move.h"

struct hub_return; /* opaque, see hub_return_internal.h */

enum {
    HUB_RETURN_GONE_MS = 10000,   /* a region that was not heard for so long may be given up */
    HUB_RETURN_CHECK_MS = 300000, /* log time: in which those who own a shard after that check it */
    HUB_RETURN_USERS_MAX = 64,    /* that are checked at once... */
    HUB_RETURN_SCAN_MAX = 32,     /* ...of them, those that nobody waits for... */
    HUB_RETURN_CALM_MAX = 4,      /* ...and when all are served meanwhile */
    HUB_RETURN_SURE_MAX = 65536,  /* whom it is remembered that they stay, while all are checked */
};

struct hub_return_settings { /* all borrowed */
    struct loop *loop;
    struct bus *bus;
    const struct hub_settings *settings;
    const struct catalogue *catalogue;
    const struct catalogue_region *region;
    unsigned shard;
    struct hub_apply *apply;
    struct hub_writer *writer;
    uint64_t generation;
};
/* NULL when memory is short. */
MUST_USE struct hub_return *hub_return_new(const struct hub_return_settings *settings);
void hub_return_free(struct hub_return *back); /* NULL is fine */

/* Whether the user may be served now. If not, it is checked before others. */
bool hub_return_may_serve(struct hub_return *back, struct text user);
/* The directory says something new of somebody. */
void hub_return_changed(struct hub_return *back, struct text user);
/* Something was applied. */
void hub_return_wake(struct hub_return *back);
/* About twenty times a second. */
void hub_return_tick(struct hub_return *back);
