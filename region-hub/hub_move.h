/* Moves users between home regions, on a shard's owner, as the old home of some and the new home of
 * others: answers what operators and other owners ask on move.<r>.<s>, and goes on with what the
 * log says is begun. Everything may be asked twice, and any later owner goes on from the log. What
 * comes next is decided in hub_move_plan.h; users whose home is gone are fetched by hub_rescue.h.
 * One shard thread; lives while the shard is served. */
#pragma once

#include "catalogue/catalogue.h"
#include "region-hub/hub_apply.h"
#include "region-hub/hub_archive_reader.h"
#include "region-hub/hub_settings.h"
#include "region-hub/hub_writer.h"

struct hub_move; /* opaque, see hub_move_internal.h */

struct hub_move_settings { /* all borrowed */
    struct loop *loop;
    struct bus *bus;
    const struct hub_settings *settings;
    const struct catalogue *catalogue;
    const struct catalogue_region *region;
    unsigned shard;
    struct hub_apply *apply;
    struct hub_writer *writer;
    struct hub_archive_reader *reader; /* NULL: there is no archive to rescue users from */
    uint64_t generation;
};
MUST_USE struct hub_move *hub_move_new(const struct hub_move_settings *settings);
void hub_move_free(struct hub_move *move); /* NULL is fine; who waits for an answer asks again */

/* A message on the shard's subject of moves. */
void hub_move_message(struct hub_move *move, const struct bus_message *message);
/* An owner of another region's shard is heard: what comes from an earlier one is passed over. */
void hub_move_heard(struct hub_move *move, struct text region, unsigned shard, uint64_t generation);
/* Something was applied. */
void hub_move_wake(struct hub_move *move);
/* Time has passed; call it about twenty times a second. */
void hub_move_tick(struct hub_move *move);
