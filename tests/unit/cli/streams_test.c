#include "cli/streams.h"
#include "json/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Two regions: sin with two shards, dub (primary) with one. */
static const char yaml[] =
    "primary: dub\nretention_d: 7\nregions:\n"
    "- {name: sin, latitude: 1, longitude: 2, shards: 2, log_max_bytes: 2MiB, outbox_max_bytes: "
    "1MiB,\n"
    "   nodes: [{name: sin-n, client: 10.0.0.1:1, cluster: 10.0.0.1:2, gateway: 10.0.0.1:3}],\n"
    "   hubs: [{name: sin-h, health: 10.0.0.1:5}],\n"
    "   edges: [{name: sin-e, listen: 10.0.0.1:6, url: http://10.0.0.1:6}]}\n"
    "- {name: dub, latitude: 1, longitude: 2, shards: 1, log_max_bytes: 4MiB, outbox_max_bytes: "
    "1MiB,\n"
    "   nodes: [{name: dub-n, client: 10.0.0.2:1, cluster: 10.0.0.2:2, gateway: 10.0.0.2:3}],\n"
    "   hubs: [{name: dub-h, health: 10.0.0.2:5}],\n"
    "   edges: [{name: dub-e, listen: 10.0.0.2:6, url: http://10.0.0.2:6}]}\n";

static struct catalogue *catalogue;
static struct cli_plan plan;

static int setup(void **state)
{
    (void)state;
    struct error_text why = {0};
    catalogue = catalogue_load_text(TEXT(yaml), "r.yaml", &why);
    assert_string_equal(why.text, "");
    return cli_plan_init(&plan, catalogue);
}

static int teardown(void **state)
{
    (void)state;
    cli_plan_done(&plan);
    catalogue_free(catalogue);
    return 0;
}

static const struct cli_stream *stream(const char *name)
{
    for (size_t i = 0; i < plan.count; i++) {
        if (strcmp(plan.streams[i].name.text, name) == 0)
            return &plan.streams[i];
    }
    return NULL;
}

static void plans_every_stream_once_and_mirrors_last(void **state)
{
    (void)state;
    static const char *const names[] = {"LOG_sin_0",        "LOG_sin_1",     "OUT_sin_dub",
                                        "CKPT_sin",         "LOG_dub_0",     "OUT_dub_sin",
                                        "CKPT_dub",         "KV_DIRECTORY",  "KV_REVOKED",
                                        "KV_DIRECTORY_sin", "KV_REVOKED_sin"};
    assert_int_equal(plan.count, COUNT_OF(names));
    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_string_equal(plan.streams[i].name.text, names[i]);
}

static void plans_each_bucket_of_a_split_directory_and_its_mirrors(void **state)
{
    (void)state;
    static const char *const names[] = {"KV_DIRECTORY_0",     "KV_DIRECTORY_1",
                                        "KV_REVOKED",         "KV_DIRECTORY_0_sin",
                                        "KV_DIRECTORY_1_sin", "KV_REVOKED_sin"};
    struct cli_plan split;
    catalogue->directory_buckets = 2;
    assert_int_equal(cli_plan_init(&split, catalogue), 0);
    catalogue->directory_buckets = 1;
    size_t from = split.count - COUNT_OF(names);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_string_equal(split.streams[from + i].name.text, names[i]);
    assert_string_equal(split.streams[from + 1].subjects.text, "$KV.DIRECTORY_1.>");
    assert_string_equal(split.streams[from + 4].mirror.text, "KV_DIRECTORY_1");
    cli_plan_done(&split);
}

static void writes_a_log_as_the_design_has_it(void **state)
{
    (void)state;
    struct buffer out = {0};
    cli_stream_write(stream("LOG_sin_1"), TEXT("{\"a\":\"b\"}"), &out);
    buffer_append(&out, "", 1);
    assert_string_equal((const char *)out.data,
                        "{\"name\":\"LOG_sin_1\",\"subjects\":[\"log.sin.1.>\"],"
                        "\"retention\":\"limits\",\"storage\":\"file\",\"discard\":\"new\","
                        "\"placement\":{\"cluster\":\"sin\"},\"max_age\":777600000000000,"
                        "\"max_bytes\":2097152,\"max_msgs_per_subject\":-1,\"num_replicas\":1,"
                        "\"deny_delete\":true,\"deny_purge\":true,\"allow_direct\":true,"
                        "\"allow_rollup_hdrs\":false,\"mirror_direct\":false,"
                        "\"allow_msg_ttl\":false,"
                        "\"republish\":{\"src\":\"log.sin.1.>\",\"dest\":\"pa.sin.1._.>\","
                        "\"headers_only\":true},"
                        "\"metadata\":{\"a\":\"b\"}}");
    buffer_free(&out);
}

static void an_outbox_can_be_trimmed_and_never_expires(void **state)
{
    (void)state;
    const struct cli_stream *outbox = stream("OUT_sin_dub");
    assert_false(outbox->deny_purge);
    assert_int_equal(outbox->max_age_ns, 0);
    assert_int_equal(cli_stream_shards(outbox), 1);
    assert_int_equal(cli_stream_shards(stream("LOG_sin_0")), 2);
}

static void checkpoints_outlive_the_log_and_the_segments_they_refer_to(void **state)
{
    (void)state;
    const struct cli_stream *checkpoints = stream("CKPT_sin");
    assert_string_equal(checkpoints->subjects.text, "ckpt.sin.>");
    /* the retention and 2 days, a dedupe window and 2 days */
    assert_true(checkpoints->max_age_ns == (7 + 2 + 4 + 2) * 86400LL * 1000000000);
    assert_int_equal(checkpoints->max_per_subject, 1);
    assert_string_equal(checkpoints->discard, "new");
}

static void a_mirror_has_an_origin_and_no_subjects(void **state)
{
    (void)state;
    const struct cli_stream *mirror = stream("KV_DIRECTORY_sin");
    assert_string_equal(mirror->mirror.text, "KV_DIRECTORY");
    assert_string_equal(mirror->subjects.text, "");
    assert_string_equal(mirror->cluster, "sin");
    assert_true(mirror->mirror_direct);
    assert_string_equal(stream("KV_DIRECTORY")->cluster, "dub");
}

static void counts_what_a_region_reserves(void **state)
{
    (void)state;
    uint64_t mib = 1 << 20;
    /* two logs, checkpoints, one outbox, two buckets */
    assert_true(cli_plan_bytes(&plan, &catalogue->regions[0]) == (2 * 2 + 2 + 1 + 256 + 32) * mib);
    assert_true(cli_plan_bytes(&plan, &catalogue->regions[1]) == (4 + 4 + 1 + 256 + 32) * mib);
}

static void what_we_write_does_not_drift(void **state)
{
    (void)state;
    for (size_t i = 0; i < plan.count; i++) {
        struct buffer config = {0}, lines = {0};
        cli_stream_write(&plan.streams[i], TEXT(""), &config);
        assert_int_equal(cli_stream_drift(&plan.streams[i], buffer_text(&config), &lines), 0);
        assert_int_equal(lines.size, 0);
        buffer_free(&config);
        buffer_free(&lines);
    }
}

static void reads_what_jetstream_writes_in_other_ways(void **state)
{
    (void)state;
    struct buffer lines = {0};
    /* false and zero left out, members in another order, ">" escaped, fields of its own */
    assert_int_equal(
        cli_stream_drift(stream("OUT_sin_dub"),
                         TEXT("{\"name\":\"OUT_sin_dub\",\"allow_direct\":true,\"sealed\":false,"
                              "\"subjects\":[\"out.sin.dub.\\u003e\"],\"max_consumers\":-1,"
                              "\"max_bytes\":1048576,\"max_msgs_per_subject\":-1,"
                              "\"num_replicas\":1,\"placement\": {\"cluster\" : \"sin\"},"
                              "\"retention\":\"limits\",\"storage\":\"file\","
                              "\"discard\":\"new\",\"republish\":{\"headers_only\":true,"
                              "\"dest\":\"pa.sin_dub.{{wildcard(1)}}._\","
                              "\"src\":\"out.sin.dub.*\"}}"),
                         &lines),
        0);
    assert_int_equal(lines.size, 0);
    buffer_free(&lines);
}

static void names_each_field_that_differs(void **state)
{
    (void)state;
    struct buffer lines = {0};
    assert_int_equal(
        cli_stream_drift(stream("OUT_sin_dub"),
                         TEXT("{\"allow_direct\":true,\"subjects\":[\"out.sin.dub.>\",\"x\"],"
                              "\"max_bytes\":7,\"max_msgs_per_subject\":-1,\"max_age\":5,"
                              "\"num_replicas\":1,\"deny_purge\":true,"
                              "\"retention\":\"limits\",\"storage\":\"memory\","
                              "\"discard\":\"new\",\"republish\":{\"src\":\"out.sin.dub.*\","
                              "\"dest\":\"pa.sin_dub.{{wildcard(1)}}._\"}}"),
                         &lines),
        7);
    buffer_append(&lines, "", 1);
    assert_string_equal((const char *)lines.data,
                        "subjects is [\"out.sin.dub.>\",\"x\"], should be [\"out.sin.dub.>\"]\n"
                        "storage is \"memory\", should be \"file\"\n"
                        "placement.cluster is absent, should be \"sin\"\n"
                        "max_age is 5, should be 0\n"
                        "max_bytes is 7, should be 1048576\n"
                        "deny_purge is true, should be false\n"
                        "republish.headers_only is absent, should be true\n");
    buffer_free(&lines);
}

static void a_mirror_of_another_origin_drifts(void **state)
{
    (void)state;
    struct buffer config = {0}, lines = {0};
    struct cli_stream other = *stream("KV_DIRECTORY_sin");
    other.mirror = stream("KV_REVOKED")->name;
    cli_stream_write(&other, TEXT(""), &config);
    assert_int_equal(cli_stream_drift(stream("KV_DIRECTORY_sin"), buffer_text(&config), &lines), 1);
    buffer_append(&lines, "", 1);
    assert_string_equal((const char *)lines.data,
                        "mirror.name is \"KV_REVOKED\", should be \"KV_DIRECTORY\"\n");
    buffer_free(&config);
    buffer_free(&lines);
}

static void what_is_no_configuration_is_refused(void **state)
{
    (void)state;
    struct buffer lines = {0};
    assert_int_equal(cli_stream_drift(stream("LOG_sin_0"), TEXT("[]"), &lines), -EBADMSG);
    assert_int_equal(cli_stream_drift(stream("LOG_sin_0"), TEXT(""), &lines), -EBADMSG);
    buffer_free(&lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans_every_stream_once_and_mirrors_last),
        cmocka_unit_test(plans_each_bucket_of_a_split_directory_and_its_mirrors),
        cmocka_unit_test(writes_a_log_as_the_design_has_it),
        cmocka_unit_test(an_outbox_can_be_trimmed_and_never_expires),
        cmocka_unit_test(checkpoints_outlive_the_log_and_the_segments_they_refer_to),
        cmocka_unit_test(a_mirror_has_an_origin_and_no_subjects),
        cmocka_unit_test(counts_what_a_region_reserves),
        cmocka_unit_test(what_we_write_does_not_drift),
        cmocka_unit_test(reads_what_jetstream_writes_in_other_ways),
        cmocka_unit_test(names_each_field_that_differs),
        cmocka_unit_test(a_mirror_of_another_origin_drifts),
        cmocka_unit_test(what_is_no_configuration_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
