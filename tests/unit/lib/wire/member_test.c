#include "wire/member.h"

#include "golden.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct wire_member_beat of_file(void)
{
    struct wire_member_beat beat = {
        .level = 2,
        .log_level = 1,
        .flags = WIRE_MEMBER_READY | WIRE_MEMBER_STOPPED,
        .shard = 3,
        .shards = 4,
        .log_permille = 125,
        .lag_ms = 40,
        .start = 0x0102030405060708,
        .generation = 4712,
        .applied = 70000,
        .head = 70003,
        .hub = TEXT("dub-hub-1"),
        .trouble = TEXT("log_hole"),
    };
    for (uint8_t i = 0; i < sizeof beat.incarnation; i++)
        beat.incarnation[i] = (uint8_t)(0x10 + i);
    return beat;
}

static const struct wire_alarm alarm_of_file = {
    .name = {"quarantine", 10}, .severity = 2, .since_s = 42, .count = 3, .position = 69999};

static int read_member(const void *bytes, size_t size)
{
    struct wire_member_beat beat;
    return wire_member_beat_read(bytes, size, &beat);
}

static void writes_as_pinned(void **state)
{
    (void)state;
    struct wire_member_beat beat = of_file();
    struct buffer out = {0};
    assert_int_equal(wire_member_beat_write(&out, &beat, &alarm_of_file, 1), 0);
    golden_assert_equal("beat_member", out.data, out.size);
    buffer_free(&out);
}

static void reads_as_pinned(void **state)
{
    (void)state;
    struct buffer bytes = golden_load("beat_member");
    struct wire_member_beat beat, expected = of_file();
    struct wire_alarm alarm;
    assert_int_equal(wire_member_beat_read(bytes.data, bytes.size, &beat), 0);
    assert_int_equal(beat.level, 2);
    assert_int_equal(beat.log_level, 1);
    assert_int_equal(beat.flags, expected.flags);
    assert_int_equal(beat.shard, 3);
    assert_int_equal(beat.shards, 4);
    assert_int_equal(beat.log_permille, 125);
    assert_int_equal(beat.lag_ms, 40);
    assert_true(beat.start == expected.start && beat.generation == 4712);
    assert_true(beat.applied == 70000 && beat.head == 70003);
    assert_memory_equal(beat.incarnation, expected.incarnation, sizeof beat.incarnation);
    assert_true(text_equal(beat.hub, expected.hub));
    assert_true(text_equal(beat.trouble, expected.trouble));
    assert_int_equal(beat.alarm_count, 1);
    assert_true(wire_alarm_next(&beat.alarms, &alarm));
    assert_true(text_equal(alarm.name, alarm_of_file.name));
    assert_int_equal(alarm.severity, 2);
    assert_int_equal(alarm.since_s, 42);
    assert_true(alarm.count == 3 && alarm.position == 69999);
    assert_false(wire_alarm_next(&beat.alarms, &alarm));
    buffer_free(&bytes);
}

static void refuses_every_truncation_and_what_is_left_over(void **state)
{
    (void)state;
    struct buffer bytes = golden_load("beat_member");
    for (size_t size = 0; size < bytes.size; size++) {
        uint8_t *exact = golden_exact(bytes.data, size);
        assert_int_equal(read_member(exact, size), -EBADMSG);
        free(exact);
    }
    golden_append(&bytes, GOLDEN_NO_SIZE, 0);
    assert_int_equal(read_member(bytes.data, bytes.size), -EBADMSG);
    buffer_free(&bytes);
}

static int read_patched(size_t at, uint64_t value, size_t size)
{
    struct buffer bytes = golden_load("beat_member");
    golden_patch(&bytes, at, value, size);
    int err = read_member(bytes.data, bytes.size);
    buffer_free(&bytes);
    return err;
}

enum { SEVERITY_AT = 66 + 10 + 9 + 2 + 11, COUNT_AT = 66 + 10 + 9 };

static void holds_fields_to_their_bounds(void **state)
{
    (void)state;
    static const struct golden_field field = {"beat_member", "dub-hub-1", GOLDEN_PROCESS};
    golden_check_field(&field, GOLDEN_NO_SIZE, read_member);
    assert_int_equal(read_patched(0, 'X', 1), -EBADMSG);
    assert_int_equal(read_patched(4, 2, 1), -EPROTO);
    assert_int_equal(read_patched(7, 8, 1), -EBADMSG);    /* a flag */
    assert_int_equal(read_patched(8, 4, 2), -EBADMSG);    /* shard 4 of 4 */
    assert_int_equal(read_patched(67, 'A', 1), -EBADMSG); /* in the hub's name */
    assert_int_equal(read_patched(SEVERITY_AT, 0, 1), -EBADMSG);
    assert_int_equal(read_patched(SEVERITY_AT, 1, 1), 0);
    assert_int_equal(read_patched(SEVERITY_AT, 3, 1), -EBADMSG);
    assert_int_equal(read_patched(COUNT_AT, 0, 2), -EBADMSG);
    assert_int_equal(read_patched(COUNT_AT, 2, 2), -EBADMSG);
}

static void as_many_alarms_as_there_may_be_and_no_more(void **state)
{
    (void)state;
    struct wire_alarm alarms[WIRE_MEMBER_ALARMS_MAX];
    for (size_t i = 0; i < WIRE_MEMBER_ALARMS_MAX; i++)
        alarms[i] = alarm_of_file;
    struct wire_member_beat beat = of_file();
    struct buffer out = {0};
    assert_int_equal(wire_member_beat_write(&out, &beat, alarms, WIRE_MEMBER_ALARMS_MAX), 0);
    assert_int_equal(read_member(out.data, out.size), 0);
    wire_write_text8(&out, alarm_of_file.name);
    wire_write_u8(&out, 1);
    for (int i = 0; i < 4 + 8 + 8; i++) /* one more that is really there */
        wire_write_u8(&out, 0);
    golden_patch(&out, COUNT_AT, WIRE_MEMBER_ALARMS_MAX + 1, 2);
    assert_int_equal(read_member(out.data, out.size), -EBADMSG);
    buffer_free(&out);
    out = (struct buffer){.failed = true};
    assert_int_equal(wire_member_beat_write(&out, &beat, NULL, 0), -ENOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_as_pinned),
        cmocka_unit_test(reads_as_pinned),
        cmocka_unit_test(refuses_every_truncation_and_what_is_left_over),
        cmocka_unit_test(holds_fields_to_their_bounds),
        cmocka_unit_test(as_many_alarms_as_there_may_be_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
