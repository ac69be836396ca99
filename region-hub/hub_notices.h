/* Works the queue of notices of a shard (mailbox_notice()) while this hub owns it: makes the
 * messages, sends them home (hub_post.h), and writes in the log up to where all are stored, which
 * takes them out of the queue on every hub. Whoever owns the shard next begins at the oldest that
 * is left; what is sent twice has the same id and is dropped at the home of the addressee.
 *
 * Bounded: about `notices.window` are on their way, and one turn of the loop makes some, so that
 * serving never waits for it. One shard thread. */
#pragma once

#include "catalogue/catalogue.h"
#include "region-hub/hub_apply.h"
#include "region-hub/hub_pass_on.h"
#include "region-hub/hub_settings.h"
#include "region-hub/hub_writer.h"

struct hub_notices; /* opaque, see hub_notices.c */

struct hub_notices_settings { /* all borrowed */
    struct loop *loop;
    struct bus *bus;
    const struct hub_settings *settings;
    const struct catalogue *catalogue;
    const struct catalogue_region *region;
    struct hub_apply *apply;
    struct hub_writer *writer; /* of the shard's own log */
    const char *process;
    uint64_t generation;
    uint64_t first_number; /* of PubAcks */
    struct hub_pass_on_counts *passed;
};
/* Begins at the oldest that waits. NULL when memory is short. */
MUST_USE struct hub_notices *hub_notices_new(const struct hub_notices_settings *settings);
void hub_notices_free(struct hub_notices *notices); /* NULL is fine */

/* Something was applied: there may be more to do. */
void hub_notices_wake(struct hub_notices *notices);
/* False: the number is of another's PubAck. */
bool hub_notices_puback(struct hub_notices *notices, uint64_t number, const struct bus_puback *ack);
void hub_notices_connected(struct hub_notices *notices);
/* About ten times a second. */
void hub_notices_tick(struct hub_notices *notices);
