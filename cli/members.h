/* What every hub tells about every shard, its own or not: wire/member.h. Kept for a moment, and
 * judged for people. */
#pragma once

#include "catalogue/catalogue.h"
#include "wire/member.h"

#include <stdio.h>

enum { CLI_ALARMS_MAX = 16 }; /* of one hub and shard; more are counted */

struct cli_member { /* a hub, about a shard */
    bool heard;
    uint8_t level;
    uint8_t log_level;
    uint8_t flags;
    uint64_t applied;
    char trouble[TEXT_WORD_MAX + 1];
    size_t alarm_count;
    struct cli_alarm {
        char name[TEXT_WORD_MAX + 1];
        uint8_t severity;
        uint32_t since_s;
        uint64_t count;
        uint64_t position;
    } alarms[CLI_ALARMS_MAX];
};

struct cli_members {
    const struct catalogue *catalogue; /* borrowed */
    struct cli_member *members;        /* by region, shard, hub, as the catalogue has them */
    size_t count;
};

MUST_USE int cli_members_init(struct cli_members *members, const struct catalogue *catalogue);
void cli_members_done(struct cli_members *members); /* a zeroed one is fine */
/* A beat came on beat.hub.<r>.<s>.<hub>; what does not fit the catalogue is passed over. */
void cli_members_hear(struct cli_members *members, const struct catalogue_region *region,
                      const void *bytes, size_t size);
/* The highest that a hub says of the shard's log; 0: none has. */
uint8_t cli_members_log_level(const struct cli_members *members,
                              const struct catalogue_region *region, unsigned shard);
bool cli_members_heard_all(const struct cli_members *members);

struct cli_members_judged {
    size_t silent; /* hubs, per shard */
    size_t errors; /* alarms */
    size_t warnings;
};
/* Prints what is not as it should be, a line each: hubs that are silent or in trouble, and alarms
 * with the section of docs/operations.md that says what to do. */
struct cli_members_judged cli_members_print(const struct cli_members *members, FILE *out);
