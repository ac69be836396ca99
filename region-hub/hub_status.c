#include "region-hub/hub_status.h"

#include <inttypes.h>

/* All texts here are words of our own: nothing to be escaped. */

static void write_alarm(struct buffer *out, const struct hub_alarm_now *alarm, int64_t now_ms)
{
    buffer_printf(out,
                  "{\"name\":\"%s\",\"severity\":\"%s\",\"count\":%" PRIu64 ",\"position\":%" PRIu64
                  ",\"since_ms\":%" PRId64 "}",
                  alarm->row->name, alarm->row->severity == HUB_ERROR ? "error" : "warning",
                  alarm->count, alarm->position, now_ms - alarm->since_ms);
}

void hub_status_write_shard(struct buffer *out, unsigned shard, struct hub_shard_status status,
                            const struct hub_alarms *alarms, int64_t now_ms)
{
    buffer_printf(
        out,
        "{\"shard\":%u,\"state\":\"%s\",\"ready\":%s,\"reason\":\"%s\",\"position\":%" PRIu64
        ",\"generation\":%" PRIu64 ",\"attached\":%" PRIu64 ",\"log_level\":%u,",
        shard, status.state, status.ready ? "true" : "false", status.reason, status.position,
        status.generation, status.attached, status.log_level);
    buffer_printf(out,
                  "\"moving\":%" PRIu64 ",\"held\":%" PRIu64 ",\"to_pass_on\":%" PRIu64
                  ",\"passed_on\":%" PRIu64 ",\"not_passed_on\":%" PRIu64 ",\"alarms\":[",
                  status.moving, status.held, status.to_pass_on, status.passed_on,
                  status.not_passed_on);
    bool first = true;
    for (enum hub_alarm which = 0; which < HUB_ALARMS; which++) {
        struct hub_alarm_now alarm;
        if (!hub_alarms_get(alarms, which, &alarm))
            continue;
        buffer_printf(out, first ? "" : ",");
        write_alarm(out, &alarm, now_ms);
        first = false;
    }
    buffer_printf(out, "]}");
}
