/* What the owner of a shard tells all the time: its beat (see wire/beat.h), the ticks in the log
 * and, for the primary's first shard, the beat of the directory. Gathers what they carry.
 *
 * On its shard's thread. */
#pragma once

#include "base/macros.h"
#include "region-hub/hub_shard.h"

struct bus;
struct hub_apply;
struct hub_forwarder;
struct hub_presence;
struct hub_writer;
struct loop;

/* Whether the owner of this shard keeps the directory: it beats for it, and archives it. */
bool hub_beats_for_directory(const struct hub_shard_place *place);

struct hub_beats;           /* opaque, see hub_beats.c */
struct hub_beats_settings { /* all borrowed for the life of the beats */
    const struct hub_shard_place *place;
    struct loop *loop;
    struct bus *bus;
    struct hub_apply *apply;
    struct hub_presence *presence;
    struct hub_writer *writer; /* of ticks */
};
MUST_USE struct hub_beats *hub_beats_new(const struct hub_beats_settings *settings);
void hub_beats_free(struct hub_beats *beats); /* NULL is fine */

/* The generation that is told from now on; 0: this hub is not the owner, and all is quiet. */
void hub_beats_serve(struct hub_beats *beats, uint64_t generation);
/* Beats at once, then every beat_ms. `forwarder` may be NULL; borrowed until the generation is
 * 0. */
void hub_beats_begin(struct hub_beats *beats, const struct hub_forwarder *forwarder);
/* Of the log's max_bytes in use, when it was asked last. */
uint16_t hub_beats_log_permille(const struct hub_beats *beats);
/* Writes the tick and asks how full the log is, each when it is due. Often, while it serves. */
void hub_beats_keep(struct hub_beats *beats);
