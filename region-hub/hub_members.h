/* The hubs of a region among each other: each tells once a second, about each shard, what it has
 * applied, what it knows and what is wrong (wire/member.h), whether it owns the shard or not. The
 * owner raises the level of the log when all of them know a higher one.
 *
 * On its shard's thread. */
#pragma once

#include "base/macros.h"
#include "region-hub/hub_shard.h"

struct bus;
struct hub_alarms;
struct hub_apply;
struct hub_writer;
struct loop;
struct wire_member_beat;

struct hub_members;           /* opaque, see hub_members.c */
struct hub_members_settings { /* all borrowed for its life */
    const struct hub_shard_place *place;
    struct loop *loop;
    struct bus *bus;
    struct hub_apply *apply;
    struct hub_writer *writer; /* of config records */
    const struct hub_alarms *alarms;
    void *context;
    /* Sets the flags, log_permille and trouble of a beat; the rest is there. */
    void (*fill)(void *context, struct wire_member_beat *beat);
};
/* Tells from now on, until it is freed. NULL when memory is short. */
MUST_USE struct hub_members *hub_members_new(const struct hub_members_settings *settings);
void hub_members_free(struct hub_members *members); /* NULL is fine */
/* Raises the level of the log when that is due. Often, while this hub serves. */
void hub_members_keep(struct hub_members *members);
