#include "base/buffer.h"
#include "golden.h"
#include "wire/names.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_name(struct wire_name name, const char *expected)
{
    assert_string_equal(name.text, expected);
}

static void pins_the_names_of_streams(void **state)
{
    (void)state;
    assert_name(wire_log_stream("dub", 3), "LOG_dub_3");
    assert_name(wire_outbox_stream("sin", "dub"), "OUT_sin_dub");
    assert_name(wire_checkpoint_stream("dub"), "CKPT_dub");
    assert_string_equal(WIRE_REVOKED_STREAM, "KV_REVOKED");
    assert_name(wire_revoked_mirror("sin"), "KV_REVOKED_sin");
    struct wire_revoked revoked = {.user = TEXT("a.b"), .device = TEXT(">"), .token_id = TEXT("*")};
    static const char *const subjects[] = {
        [WIRE_REVOKED_USER] = "$KV.REVOKED.u.YS5i",
        [WIRE_REVOKED_DEVICE] = "$KV.REVOKED.d.YS5i.Pg",
        [WIRE_REVOKED_TOKEN] = "$KV.REVOKED.t.Kg",
        [WIRE_REVOKED_BEFORE] = "$KV.REVOKED.b.YS5i",
        [WIRE_REVOKED_ALL_BEFORE] = "$KV.REVOKED.a",
    };
    for (size_t kind = WIRE_REVOKED_USER; kind < COUNT_OF(subjects); kind++) {
        revoked.kind = (enum wire_revoked_kind)kind;
        assert_name(wire_revoked_subject(&revoked), subjects[kind]);
    }
    char user[TEXT_USER_MAX], device[TEXT_DEVICE_MAX]; /* the longest name of all */
    memset(user, 'x', sizeof user);
    memset(device, 'x', sizeof device);
    revoked = (struct wire_revoked){.kind = WIRE_REVOKED_DEVICE,
                                    .user = {user, sizeof user},
                                    .device = {device, sizeof device}};
    assert_int_equal(strlen(wire_revoked_subject(&revoked).text), 272);
}

static void pins_the_names_of_the_directory(void **state)
{
    (void)state;
    const struct wire_bucket alone = {.number = 0, .of = 1}, last = {.number = 63, .of = 64};
    assert_name(wire_directory_stream(alone), "KV_DIRECTORY");
    assert_name(wire_directory_mirror(alone, "sin"), "KV_DIRECTORY_sin");
    assert_name(wire_directory_subjects(alone), "$KV.DIRECTORY.>");
    assert_name(wire_directory_users(alone), "$KV.DIRECTORY.u.*");
    assert_name(wire_directory_beat(alone), "$KV.DIRECTORY.beat");
    assert_name(wire_directory_stream(last), "KV_DIRECTORY_63");
    assert_name(wire_directory_mirror(last, "sin"), "KV_DIRECTORY_63_sin");
    assert_name(wire_directory_subjects(last), "$KV.DIRECTORY_63.>");
    assert_name(wire_directory_users(last), "$KV.DIRECTORY_63.u.*");
    assert_name(wire_directory_beat(last), "$KV.DIRECTORY_63.beat");
    assert_name(wire_directory_drains(1), "$KV.DIRECTORY.drains");
    assert_name(wire_directory_drains(64), "$KV.DIRECTORY_0.drains");
    assert_name(wire_directory_edge_drains(1), "$KV.DIRECTORY.edge_drains");
}

static void pins_the_bucket_of_a_user(void **state)
{
    (void)state;
    static const struct {
        const char *user;
        unsigned of, number;
    } pinned[] = {
        {"alice", 1, 0}, {"alice", 4, 3}, {"bob", 4, 2}, {"carol", 4, 1}, {"alice", 64, 47}};
    for (size_t i = 0; i < COUNT_OF(pinned); i++) {
        struct wire_bucket bucket = wire_directory_bucket(text_of(pinned[i].user), pinned[i].of);
        assert_int_equal(bucket.number, pinned[i].number);
        assert_int_equal(bucket.of, pinned[i].of);
    }
    char user[TEXT_USER_MAX + 1];
    struct wire_name name = wire_directory_subject(TEXT("alice"), 4);
    assert_name(name, "$KV.DIRECTORY_3.u.YWxpY2U");
    assert_int_equal(wire_directory_user(text_of(name.text), user), 0);
    assert_string_equal(user, "alice");
}

static void pins_the_subjects_of_logs_and_outboxes(void **state)
{
    (void)state;
    assert_name(wire_log_subjects("dub", 3), "log.dub.3.>");
    assert_name(wire_log_from_edges("dub", 3), "log.dub.3.e");
    assert_name(wire_log_from_hubs("dub", 3), "log.dub.3.h");
    assert_name(wire_log_from_lane("dub", 3, "sin"), "log.dub.3.l.sin");
    assert_name(wire_outbox_subjects("sin", "dub"), "out.sin.dub.>");
    assert_name(wire_outbox_lane("sin", "dub", 3), "out.sin.dub.3");
    assert_name(wire_outbox_genesis("sin", "dub"), "out.sin.dub.genesis");
}

static void pins_the_subjects_of_checkpoints(void **state)
{
    (void)state;
    assert_name(wire_checkpoint_subjects("dub"), "ckpt.dub.>");
    assert_name(wire_checkpoint_dones("dub", 3), "ckpt.dub.3.*.done");
    assert_name(wire_stored_subjects("dub", 3, WIRE_STORED_CHECKPOINT, 70001),
                "ckpt.dub.3.70001.*");
    assert_name(wire_stored_part("dub", 3, WIRE_STORED_CHECKPOINT, 70001, 2), "ckpt.dub.3.70001.2");
    assert_name(wire_stored_part("dub", 3, WIRE_STORED_SEGMENT, 9, 0), "ckpt.dub.3.d9.0");
    assert_name(wire_stored_done("dub", 3, WIRE_STORED_CHECKPOINT, 70001), "ckpt.dub.3.70001.done");
    assert_name(wire_stored_done("dub", 3, WIRE_STORED_SEGMENT, 9), "ckpt.dub.3.d9.done");
}

static void takes_a_subject_of_checkpoints_apart(void **state)
{
    (void)state;
    struct wire_stored_subject found;
    assert_int_equal(wire_stored_subject_read(TEXT("ckpt.dub.3.70001.2"), &found), 0);
    assert_true(found.kind == WIRE_STORED_CHECKPOINT && found.number == 70001);
    assert_true(!found.is_done && found.part == 2);
    assert_int_equal(wire_stored_subject_read(TEXT("ckpt.dub.3.d9.done"), &found), 0);
    assert_true(found.kind == WIRE_STORED_SEGMENT && found.number == 9 && found.is_done);
    static const char *const subjects[] = {
        "",
        "ckpt",
        "ckpt.dub.3.70001",
        "ckpt.dub.3.70001.",
        "ckpt.dub.3.70001.x",
        "ckpt.dub.3.70001.2.3",
        "ckpt.dub.3.d.done",
        "ckpt.dub.3.e9.done",
        "ckpt.dub.x.9.done",
        "ckpt.DUB.3.9.done",
        "log.dub.3.9.done",
        "ckpt.dub.3.18446744073709551616.done",
        "ckpt.dub.3.9.4294967296",
    };
    for (size_t i = 0; i < COUNT_OF(subjects); i++)
        assert_int_equal(wire_stored_subject_read(text_of(subjects[i]), &found), -EBADMSG);
    assert_true(found.number == 9); /* untouched */
}

static void pins_the_subjects_of_pubacks(void **state)
{
    (void)state;
    assert_name(wire_log_puback("dub", 3, "dub-1", 7), "pa.dub.3.dub-1.7");
    assert_name(wire_log_puback("dub", 3, "dub-1", UINT64_MAX),
                "pa.dub.3.dub-1.18446744073709551615");
    assert_name(wire_outbox_puback("sin", "dub", 3, "sin-1", 8), "pa.sin_dub.3.sin-1.8");
    assert_name(wire_pubacks_of("dub-1"), "pa.*.*.dub-1.*");
    assert_name(wire_log_doorbell("dub", 3), "pa.dub.3.>");
    assert_name(wire_outbox_doorbell("sin", "dub", 3), "pa.sin_dub.3.>");
    assert_name(wire_log_ring("dub", 3), "pa.dub.3._.>");
    assert_name(wire_outbox_lanes("sin", "dub"), "out.sin.dub.*");
    assert_name(wire_outbox_ring("sin", "dub"), "pa.sin_dub.{{wildcard(1)}}._");
}

static void pins_the_core_subjects(void **state)
{
    (void)state;
    assert_name(wire_hub_subject("dub", 3, "attach"), "hub.dub.3.attach");
    assert_name(wire_hub_subjects("dub", 3), "hub.dub.3.*");
    assert_name(wire_move_subject("dub", 3), "move.dub.3");
    assert_name(wire_edge_subject("dub", "dub-2"), "edge.dub.dub-2");
    assert_name(wire_hub_beat_subject("dub", 3), "beat.hub.dub.3");
    assert_string_equal(WIRE_HUB_BEATS, "beat.hub.*.*");
    assert_name(wire_member_beat_subject("dub", 3, "dub-h1"), "beat.hub.dub.3.dub-h1");
    assert_name(wire_member_beats_of("dub", 3), "beat.hub.dub.3.*");
    assert_string_equal(WIRE_MEMBER_BEATS, "beat.hub.*.*.*");
    assert_name(wire_edge_beat_subject("dub", "dub-2"), "beat.edge.dub.dub-2");
    assert_string_equal(WIRE_EDGE_BEATS, "beat.edge.*.*");
    assert_string_equal(WIRE_DIRECTORY_CHANGED, "dir.changed");
}

static void the_longest_names_fit(void **state)
{
    (void)state;
    const char *region = "abcdefghijklmnop";
    const char *process = "abcdefghijklmnopqrstuvwxyz012345";
    assert_int_equal(strlen(region), TEXT_REGION_MAX);
    assert_int_equal(strlen(process), TEXT_PROCESS_MAX);
    struct wire_name name = wire_outbox_puback(region, region, 65535, process, UINT64_MAX);
    uint64_t n;
    assert_int_equal(wire_puback_number(text_of(name.text), &n), 0);
    assert_true(n == UINT64_MAX);
}

static void knows_who_wrote_to_a_log(void **state)
{
    (void)state;
    enum wire_writer writer;
    struct text source;
    assert_int_equal(wire_log_writer(TEXT("log.dub.3.e"), &writer, &source), 0);
    assert_int_equal(writer, WIRE_BY_EDGE);
    assert_int_equal(source.size, 0);
    assert_int_equal(wire_log_writer(TEXT("log.dub.3.h"), &writer, &source), 0);
    assert_int_equal(writer, WIRE_BY_HUB);
    assert_int_equal(source.size, 0);
    assert_int_equal(wire_log_writer(TEXT("log.dub.65535.l.sin"), &writer, &source), 0);
    assert_int_equal(writer, WIRE_BY_LANE);
    assert_true(text_equal(source, TEXT("sin")));
}

static void refuses_what_is_no_subject_of_a_log(void **state)
{
    (void)state;
    static const char *const subjects[] = {
        "",
        "log",
        "log.dub",
        "log.dub.3",
        "log.dub.3.",
        "log.dub.3.x",
        "log.dub.3.e.",
        "log.dub.3.e.sin",
        "log.dub.3.h.sin",
        "log.dub.3.l",
        "log.dub.3.l.",
        "log.dub.3.l.*",
        "log.dub.3.l.sin.x",
        "log.dub.x.e",
        "log.dub..e",
        "log.dub.65536.e",
        "log.DUB.3.e",
        "log..3.e",
        "out.sin.dub.3",
        "LOG.dub.3.e",
        ".log.dub.3.e",
    };
    for (size_t i = 0; i < COUNT_OF(subjects); i++) {
        enum wire_writer writer = WIRE_BY_HUB;
        struct text source = TEXT("before");
        if (wire_log_writer(text_of(subjects[i]), &writer, &source) != -EBADMSG)
            fail_msg("%s was taken", subjects[i]);
        assert_int_equal(writer, WIRE_BY_HUB);
        assert_true(text_equal(source, TEXT("before")));
    }
}

static void reads_the_number_of_a_puback(void **state)
{
    (void)state;
    uint64_t n = 99;
    assert_int_equal(wire_puback_number(TEXT("pa.dub.3.dub-1.7"), &n), 0);
    assert_true(n == 7);
    assert_int_equal(wire_puback_number(TEXT("pa.sin_dub.3.sin-1.0"), &n), 0);
    assert_true(n == 0);
    static const char *const subjects[] = {
        "",
        "pa",
        "pa.dub.3",
        "pa.dub.3.dub-1",
        "pa..3.dub-1.7",
        "pa.dub.3.dub-1.",
        "pa.dub.3.dub-1.x",
        "pa.dub.3.dub-1.7.8",
        "pa.dub.x.dub-1.7",
        "pa.dub.3.*.7",
        "pb.dub.3.dub-1.7",
        "pa.dub.3.dub-1.18446744073709551616",
    };
    for (size_t i = 0; i < COUNT_OF(subjects); i++)
        assert_int_equal(wire_puback_number(text_of(subjects[i]), &n), -EBADMSG);
    assert_true(n == 0);
}

static void pins_the_keys_of_users(void **state)
{
    (void)state;
    assert_name(wire_directory_subject(TEXT("a"), 1), "$KV.DIRECTORY.u.YQ");
    assert_name(wire_directory_subject(TEXT("ab"), 1), "$KV.DIRECTORY.u.YWI");
    assert_name(wire_directory_subject(TEXT("abc"), 1), "$KV.DIRECTORY.u.YWJj");
    assert_name(wire_directory_subject(TEXT("alice"), 1), "$KV.DIRECTORY.u.YWxpY2U");
    assert_name(wire_directory_subject(TEXT("chloé"), 1), "$KV.DIRECTORY.u.Y2hsb8Op");
    assert_name(wire_directory_subject(TEXT("a?>~"), 1), "$KV.DIRECTORY.u.YT8-fg");    /* no '+' */
    assert_name(wire_directory_subject(TEXT("?\xC3\xBF"), 1), "$KV.DIRECTORY.u.P8O_"); /* no '/' */
}

static void every_user_comes_back_from_its_key(void **state)
{
    (void)state;
    char user[TEXT_USER_MAX];
    for (size_t i = 0; i < sizeof user; i++)
        user[i] = (char)(' ' + i % 95);
    for (size_t size = 1; size <= sizeof user; size++) {
        struct wire_name name = wire_directory_subject((struct text){user, size}, 1);
        char back[TEXT_USER_MAX + 1];
        assert_int_equal(wire_directory_user(text_of(name.text), back), 0);
        assert_int_equal(strlen(back), size);
        assert_memory_equal(back, user, size);
    }
}

static void refuses_what_is_no_key_of_a_user(void **state)
{
    (void)state;
    static const char *const subjects[] = {
        "",
        "$KV.DIRECTORY.beat",
        "$KV.DIRECTORY.drains",
        "$KV.DIRECTORY.u",
        "$KV.DIRECTORY.u.",
        "$KV.DIRECTORY.u.YQ==",   /* padding */
        "$KV.DIRECTORY.u.YR",     /* bits left over that are not zero */
        "$KV.DIRECTORY.u.YWJ",    /* the same */
        "$KV.DIRECTORY.u.Y",      /* half a byte */
        "$KV.DIRECTORY.u.YWxpA",  /* a digit that says nothing */
        "$KV.DIRECTORY.u.YT8+fg", /* of base64, not base64url */
        "$KV.DIRECTORY.u.YQ.YQ",
        "$KV.DIRECTORY.u.Y Q",
        "$KV.DIRECTORY.u._w", /* not UTF-8 */
        "$KV.DIRECTORY.u.AA", /* a control */
        "$KV.REVOKED.u.YQ",
        "$KV.DIRECTORY_.u.YQ",
        "$KV.DIRECTORY_64.u.YQ", /* one past the last bucket */
        "$KV.DIRECTORY_x.u.YQ",
        "$KV.DIRECTORY3.u.YQ",
        "KV.DIRECTORY.u.YQ",
    };
    for (size_t i = 0; i < COUNT_OF(subjects); i++) {
        char user[TEXT_USER_MAX + 1] = "before";
        if (wire_directory_user(text_of(subjects[i]), user) != -EBADMSG)
            fail_msg("%s was taken", subjects[i]);
        assert_string_equal(user, "before");
    }
    char user[TEXT_USER_MAX + 1] = "before";
    assert_int_equal(wire_directory_user(TEXT("$KV.DIRECTORY.u.Y\0"), user), -EBADMSG);
    assert_string_equal(user, "before");
}

static void a_key_of_129_bytes_is_refused(void **state)
{
    (void)state;
    char subject[256];
    char user[TEXT_USER_MAX + 1] = "before";
    /* 43 groups of three bytes are 129 */
    int size = snprintf(subject, sizeof subject, "$KV.DIRECTORY.u.");
    for (size_t i = 0; i < 43; i++)
        size += snprintf(subject + size, sizeof subject - (size_t)size, "YWFh");
    assert_int_equal(wire_directory_user(text_of(subject), user), -EBADMSG);
    assert_string_equal(user, "before");
    subject[size - 1] = '\0'; /* 128 */
    subject[size - 2] = 'E';
    assert_int_equal(wire_directory_user(text_of(subject), user), 0);
    assert_int_equal(strlen(user), TEXT_USER_MAX);
}

static void writes_and_reads_a_directory_entry_as_pinned(void **state)
{
    (void)state;
    struct wire_directory_entry entry = {.home = TEXT("dub"), .epoch = 2};
    struct buffer out = {0};
    wire_directory_entry_write(&out, &entry);
    golden_assert_equal("directory_entry", out.data, out.size);
    buffer_free(&out);

    struct buffer bytes = golden_load("directory_entry");
    entry = (struct wire_directory_entry){0};
    assert_int_equal(wire_directory_entry_read(bytes.data, bytes.size, &entry), 0);
    assert_true(text_equal(entry.home, TEXT("dub")));
    assert_int_equal(entry.epoch, 2);
    buffer_free(&bytes);
}

static int read_entry(const void *bytes, size_t size)
{
    struct wire_directory_entry entry = {.epoch = 99};
    int error = wire_directory_entry_read(bytes, size, &entry);
    if (error != 0)
        assert_true(entry.epoch == 99 && entry.home.data == NULL);
    return error;
}

static void a_directory_entry_is_held_to_its_bounds(void **state)
{
    (void)state;
    struct buffer whole = golden_load("directory_entry");
    for (size_t size = 0; size < whole.size; size++) {
        uint8_t *exact = golden_exact(whole.data, size);
        assert_int_equal(read_entry(exact, size), -EBADMSG);
        free(exact);
    }
    golden_patch(&whole, whole.size - 1, 1, 1); /* flags */
    assert_int_equal(read_entry(whole.data, whole.size), -EPROTO);
    golden_patch(&whole, whole.size - 1, 0, 1);
    golden_append(&whole, GOLDEN_NO_SIZE, 0);
    assert_int_equal(read_entry(whole.data, whole.size), -EBADMSG);
    golden_patch(&whole, 0, 2, 1); /* version */
    assert_int_equal(read_entry(whole.data, whole.size), -EPROTO);
    buffer_free(&whole);
    static const struct golden_field home = {"directory_entry", "dub", GOLDEN_REGION};
    golden_check_field(&home, GOLDEN_NO_SIZE, read_entry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pins_the_names_of_streams),
        cmocka_unit_test(pins_the_names_of_the_directory),
        cmocka_unit_test(pins_the_bucket_of_a_user),
        cmocka_unit_test(pins_the_subjects_of_logs_and_outboxes),
        cmocka_unit_test(pins_the_subjects_of_checkpoints),
        cmocka_unit_test(takes_a_subject_of_checkpoints_apart),
        cmocka_unit_test(pins_the_subjects_of_pubacks),
        cmocka_unit_test(pins_the_core_subjects),
        cmocka_unit_test(the_longest_names_fit),
        cmocka_unit_test(knows_who_wrote_to_a_log),
        cmocka_unit_test(refuses_what_is_no_subject_of_a_log),
        cmocka_unit_test(reads_the_number_of_a_puback),
        cmocka_unit_test(pins_the_keys_of_users),
        cmocka_unit_test(every_user_comes_back_from_its_key),
        cmocka_unit_test(refuses_what_is_no_key_of_a_user),
        cmocka_unit_test(a_key_of_129_bytes_is_refused),
        cmocka_unit_test(writes_and_reads_a_directory_entry_as_pinned),
        cmocka_unit_test(a_directory_entry_is_held_to_its_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
