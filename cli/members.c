#include "cli/members.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int cli_members_init(struct cli_members *members, const struct catalogue *catalogue)
{
    *members = (struct cli_members){.catalogue = catalogue};
    for (size_t i = 0; i < catalogue->region_count; i++)
        members->count += catalogue->regions[i].shards * catalogue->regions[i].hub_count;
    members->members = calloc(members->count + 1, sizeof *members->members);
    return members->members == NULL ? -ENOMEM : 0;
}

void cli_members_done(struct cli_members *members)
{
    free(members->members);
    *members = (struct cli_members){0};
}

/* The first of the region's hubs, about a shard. */
static struct cli_member *members_of(const struct cli_members *members,
                                     const struct catalogue_region *region, size_t shard)
{
    size_t at = 0;
    for (const struct catalogue_region *r = members->catalogue->regions; r != region; r++)
        at += r->shards * r->hub_count;
    return &members->members[at + shard * region->hub_count];
}

static void take_alarms(struct cli_member *member, struct wire_cursor alarms)
{
    struct wire_alarm alarm;
    member->alarm_count = 0;
    while (wire_alarm_next(&alarms, &alarm)) {
        if (member->alarm_count++ >= CLI_ALARMS_MAX)
            continue;
        struct cli_alarm *taken = &member->alarms[member->alarm_count - 1];
        *taken = (struct cli_alarm){.severity = alarm.severity,
                                    .since_s = alarm.since_s,
                                    .count = alarm.count,
                                    .position = alarm.position};
        snprintf(taken->name, sizeof taken->name, "%.*s", TEXT_ARGS(alarm.name));
    }
}

void cli_members_hear(struct cli_members *members, const struct catalogue_region *region,
                      const void *bytes, size_t size)
{
    struct wire_member_beat beat;
    size_t hub = 0;
    if (wire_member_beat_read(bytes, size, &beat) != 0 || beat.shard >= region->shards)
        return;
    while (hub < region->hub_count && !text_equal(text_of(region->hubs[hub].name), beat.hub))
        hub++;
    if (hub == region->hub_count)
        return;
    struct cli_member *member = members_of(members, region, beat.shard) + hub;
    member->heard = true;
    member->level = beat.level;
    member->log_level = beat.log_level;
    member->flags = beat.flags;
    member->applied = beat.applied;
    snprintf(member->trouble, sizeof member->trouble, "%.*s", TEXT_ARGS(beat.trouble));
    take_alarms(member, beat.alarms);
}

uint8_t cli_members_log_level(const struct cli_members *members,
                              const struct catalogue_region *region, unsigned shard)
{
    const struct cli_member *first = members_of(members, region, shard);
    uint8_t level = 0;
    for (size_t i = 0; i < region->hub_count; i++)
        if (first[i].log_level > level)
            level = first[i].log_level;
    return level;
}

bool cli_members_heard_all(const struct cli_members *members)
{
    for (size_t i = 0; i < members->count; i++)
        if (!members->members[i].heard)
            return false;
    return true;
}

static void print_alarms(const struct cli_member *member, const char *who, FILE *out,
                         struct cli_members_judged *judged)
{
    for (size_t i = 0; i < member->alarm_count && i < CLI_ALARMS_MAX; i++) {
        const struct cli_alarm *alarm = &member->alarms[i];
        bool is_error = alarm->severity >= 2;
        judged->errors += is_error;
        judged->warnings += !is_error;
        fprintf(out, "%s: %s %s, count %" PRIu64, who, is_error ? "ERROR" : "warning", alarm->name,
                alarm->count);
        if (alarm->position != 0)
            fprintf(out, ", position %" PRIu64, alarm->position);
        fprintf(out, ", for %" PRIu32 " s: see docs/operations.md, %s\n", alarm->since_s,
                alarm->name);
    }
    if (member->alarm_count > CLI_ALARMS_MAX)
        fprintf(out, "%s: and %zu alarms more\n", who, member->alarm_count - CLI_ALARMS_MAX);
}

static void print_member(const struct cli_member *member, const char *who, FILE *out,
                         struct cli_members_judged *judged)
{
    if (!member->heard) {
        judged->silent++;
        fprintf(out, "%s: is not heard\n", who);
        return;
    }
    if (member->trouble[0] != '\0')
        fprintf(out, "%s: %s, %s at position %" PRIu64 "\n", who,
                (member->flags & WIRE_MEMBER_STOPPED) != 0 ? "stopped" : "not ready",
                member->trouble, member->applied);
    if (member->log_level != 0 && member->level > member->log_level)
        fprintf(out, "%s: knows level %u, the log has level %u: not all hubs know more\n", who,
                member->level, member->log_level);
    print_alarms(member, who, out, judged);
}

static bool region_is_silent(const struct cli_members *members,
                             const struct catalogue_region *region)
{
    const struct cli_member *first = members_of(members, region, 0);
    for (size_t i = 0; i < region->shards * region->hub_count; i++)
        if (first[i].heard)
            return false;
    return region->hub_count > 0;
}

static void print_region(const struct cli_members *members, const struct catalogue_region *region,
                         FILE *out, struct cli_members_judged *judged)
{
    char who[2 * TEXT_PROCESS_MAX + 32];
    if (region_is_silent(members, region)) {
        judged->silent += region->hub_count;
        fprintf(out, "region %s: no hub is heard: it is down, or cut off from here\n",
                region->name);
        return;
    }
    for (unsigned shard = 0; shard < region->shards; shard++)
        for (size_t hub = 0; hub < region->hub_count; hub++) {
            snprintf(who, sizeof who, "%s shard %u, hub %s", region->name, shard,
                     region->hubs[hub].name);
            print_member(members_of(members, region, shard) + hub, who, out, judged);
        }
}

struct cli_members_judged cli_members_print(const struct cli_members *members, FILE *out)
{
    struct cli_members_judged judged = {0};
    for (size_t i = 0; i < members->catalogue->region_count; i++)
        print_region(members, &members->catalogue->regions[i], out, &judged);
    return judged;
}
