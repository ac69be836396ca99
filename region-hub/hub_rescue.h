/* Fetches users whose home is gone out of the archive: the new home's owner, on the word of an
 * operator. What comes next for each is hub_rescue_plan.h; this asks, writes and waits. Nothing is
 * kept of a rescue but what is in the log: asked again, it goes on from there. One shard thread. */
#pragma once

#include "catalogue/catalogue.h"
#include "region-hub/hub_apply.h"
#include "region-hub/hub_archive_reader.h"
#include "region-hub/hub_writer.h"
#include "wire/move.h"

struct hub_rescue; /* opaque, see hub_rescue.c */

enum { HUB_RESCUE_USERS_MAX = 64 }; /* at once; one more is told to come again */

struct hub_rescue_settings { /* all borrowed */
    struct loop *loop;
    struct bus *bus;
    const struct catalogue *catalogue;
    const struct catalogue_region *region;
    unsigned shard;
    struct hub_apply *apply;
    struct hub_writer *writer;
    struct hub_archive_reader *reader; /* NULL: there is no archive */
    uint64_t generation;               /* that serves */
};
/* NULL when memory is short. */
MUST_USE struct hub_rescue *hub_rescue_new(const struct hub_rescue_settings *settings);
void hub_rescue_free(struct hub_rescue *rescue); /* gives up what is going on; NULL is fine */

/* An operator asks for a user of `ask->region`. Returns at once: a code that ends it, or that it is
 * on its way. The texts of the answer are borrowed from `ask`, or live until the next call. */
void hub_rescue_ask(struct hub_rescue *rescue, const struct wire_move_ask *ask, bool is_heard,
                    struct wire_move_state *ret_state);
/* Whether this user's mailbox is being fetched: nobody else shall end that. */
bool hub_rescue_has(const struct hub_rescue *rescue, struct text user);
/* Something was applied. */
void hub_rescue_wake(struct hub_rescue *rescue);
/* About twenty times a second. */
void hub_rescue_tick(struct hub_rescue *rescue);
