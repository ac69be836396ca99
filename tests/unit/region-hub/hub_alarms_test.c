#include "region-hub/hub_alarms.h"
#include "region-hub/hub_holes.h"
#include "region-hub/hub_status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct hub_alarms of_sin(void)
{
    return (struct hub_alarms){.region = "sin", .shard = 0};
}

static size_t raised(const struct hub_alarms *alarms)
{
    size_t count = 0;
    struct hub_alarm_now now;
    for (enum hub_alarm which = 0; which < HUB_ALARMS; which++)
        count += hub_alarms_get(alarms, which, &now);
    return count;
}

static void every_row_is_filled_and_named_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < HUB_ALARMS; i++) {
        assert_non_null(hub_alarm_table[i].name);
        assert_true(text_is_word(text_of(hub_alarm_table[i].name)));
        assert_true(strlen(hub_alarm_table[i].text) > 10);
        assert_in_range(hub_alarm_table[i].severity, HUB_WARNING, HUB_ERROR);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(hub_alarm_table[i].name, hub_alarm_table[j].name);
    }
}

static void is_raised_since_the_first_cause_and_cleared(void **state)
{
    (void)state;
    struct hub_alarms alarms = of_sin();
    struct hub_alarm_now now;
    assert_int_equal(raised(&alarms), 0);
    hub_alarms_set(&alarms, HUB_ALARM_QUARANTINE, 1, 70, 1000);
    hub_alarms_set(&alarms, HUB_ALARM_QUARANTINE, 3, 90, 5000);
    assert_true(hub_alarms_get(&alarms, HUB_ALARM_QUARANTINE, &now));
    assert_string_equal(now.row->name, "quarantine");
    assert_int_equal(now.since_ms, 1000);
    assert_int_equal(now.count, 3);
    assert_int_equal(now.position, 90);
    hub_alarms_set(&alarms, HUB_ALARM_QUARANTINE, 0, 0, 6000);
    assert_int_equal(raised(&alarms), 0);
    hub_alarms_set(&alarms, HUB_ALARM_QUARANTINE, 1, 91, 7000);
    assert_true(hub_alarms_get(&alarms, HUB_ALARM_QUARANTINE, &now));
    assert_int_equal(now.since_ms, 7000);
}

/* One fact at a time, and the alarm it means. */
static void each_fact_raises_its_alarm_alone(void **state)
{
    (void)state;
    static const struct {
        struct hub_alarm_facts facts;
        enum hub_alarm which;
        uint64_t position;
    } rows[] = {
        {{.stopped = "log_regressed", .position = 7}, HUB_ALARM_LOG_REGRESSED, 7},
        {{.stopped = "hash_mismatch", .position = 7}, HUB_ALARM_HASH_MISMATCH, 7},
        {{.stopped = "unknown_record", .position = 7}, HUB_ALARM_SHARD_STOPPED, 8},
        {{.stopped = "crash_loop", .position = 7}, HUB_ALARM_SHARD_STOPPED, 8},
        {{.stopped = "log_hole", .position = 7}, HUB_ALARM_SHARD_STOPPED, 8},
        {{.trouble = "view_failed"}, HUB_ALARM_VIEW_FAILED, 0},
        {{.trouble = "view_disk_full"}, HUB_ALARM_VIEW_DISK_FULL, 0},
        {{.lane_holes = 1, .lane_hole_position = 5}, HUB_ALARM_LANE_HOLE, 5},
        {{.outboxes_regressed = 1}, HUB_ALARM_OUTBOX_REGRESSED, 0},
        {{.quarantined = 2, .quarantine_position = 6}, HUB_ALARM_QUARANTINE, 6},
        {{.notices_dropped = 1}, HUB_ALARM_NOTICES_DROPPED, 0},
        {{.checkpoint_age_ms = HUB_CHECKPOINT_LATE_MS + 1}, HUB_ALARM_CHECKPOINT_LATE, 0},
        {{.misrouted = 4}, HUB_ALARM_MISROUTED, 0},
        {{.moves_wait = 3}, HUB_ALARM_MOVES_WAIT, 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct hub_alarms alarms = of_sin();
        struct hub_alarm_now now;
        hub_alarms_judge(&alarms, &rows[i].facts, 10);
        assert_int_equal(raised(&alarms), 1);
        assert_true(hub_alarms_get(&alarms, rows[i].which, &now));
        assert_int_equal(now.position, rows[i].position);
        hub_alarms_judge(&alarms, &(struct hub_alarm_facts){0}, 20);
        assert_int_equal(raised(&alarms), 0);
    }
}

static void nothing_is_raised_while_all_is_well(void **state)
{
    (void)state;
    struct hub_alarms alarms = of_sin();
    const struct hub_alarm_facts facts = {.trouble = "reading_log",
                                          .checkpoint_age_ms = HUB_CHECKPOINT_LATE_MS};
    hub_alarms_judge(&alarms, &facts, 10);
    assert_int_equal(raised(&alarms), 0);
}

static void a_hole_counts_when_it_stays(void **state)
{
    (void)state;
    struct hub_holes holes = {0};
    uint64_t position;
    hub_holes_found(&holes, TEXT("dub"), 5, 1000);
    hub_holes_found(&holes, TEXT("iad"), 6, 2000);
    hub_holes_found(&holes, TEXT("dub"), 7, 1000 + 29999);
    assert_int_equal(hub_holes_long(&holes, 30000, &position), 0);
    hub_holes_found(&holes, TEXT("dub"), 9, 1000 + 30000);
    assert_int_equal(hub_holes_long(&holes, 30000, &position), 1);
    assert_int_equal(position, 9);
    hub_holes_closed(&holes, TEXT("sin")); /* another lane */
    assert_int_equal(hub_holes_long(&holes, 30000, &position), 1);
    hub_holes_closed(&holes, TEXT("dub"));
    assert_int_equal(hub_holes_long(&holes, 30000, &position), 0);
    hub_holes_found(&holes, TEXT("dub"), 10, 90000); /* a new one, from the start */
    assert_int_equal(hub_holes_long(&holes, 30000, &position), 0);
}

static void no_more_lanes_than_there_are_regions(void **state)
{
    (void)state;
    struct hub_holes holes = {0};
    uint64_t position;
    char name[TEXT_REGION_MAX + 1];
    for (int64_t ms = 0; ms <= 100; ms += 100)
        for (int i = 0; i < 2 * CATALOGUE_REGIONS_MAX; i++) {
            snprintf(name, sizeof name, "r%d", i);
            hub_holes_found(&holes, text_of(name), 1, ms);
        }
    assert_int_equal(hub_holes_long(&holes, 100, &position), CATALOGUE_REGIONS_MAX);
}

static void status_is_told_as_json(void **state)
{
    (void)state;
    struct hub_alarms alarms = of_sin();
    const struct hub_shard_status status = {.ready = true,
                                            .state = "serving",
                                            .reason = "",
                                            .position = 7,
                                            .generation = 3,
                                            .attached = 2,
                                            .log_level = 1,
                                            .moving = 4,
                                            .held = 5,
                                            .to_pass_on = 6,
                                            .passed_on = 8,
                                            .not_passed_on = 9};
    struct buffer out = {0};
    hub_alarms_set(&alarms, HUB_ALARM_MISROUTED, 4, 0, 1000);
    hub_alarms_set(&alarms, HUB_ALARM_QUARANTINE, 1, 6, 2000);
    hub_status_write_shard(&out, 1, status, &alarms, 2500);
    buffer_append(&out, "", 1);
    assert_string_equal(
        (const char *)out.data,
        "{\"shard\":1,\"state\":\"serving\",\"ready\":true,\"reason\":\"\",\"position\":7,"
        "\"generation\":3,\"attached\":2,\"log_level\":1,"
        "\"moving\":4,\"held\":5,\"to_pass_on\":6,\"passed_on\":8,\"not_passed_on\":9,\"alarms\":["
        "{\"name\":\"quarantine\",\"severity\":\"error\",\"count\":1,\"position\":6,"
        "\"since_ms\":500},"
        "{\"name\":\"misrouted\",\"severity\":\"warning\",\"count\":4,\"position\":0,"
        "\"since_ms\":1500}]}");
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_filled_and_named_once),
        cmocka_unit_test(is_raised_since_the_first_cause_and_cleared),
        cmocka_unit_test(each_fact_raises_its_alarm_alone),
        cmocka_unit_test(nothing_is_raised_while_all_is_well),
        cmocka_unit_test(a_hole_counts_when_it_stays),
        cmocka_unit_test(no_more_lanes_than_there_are_regions),
        cmocka_unit_test(status_is_told_as_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
