#include "cli/members.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* sin with two hubs, dub with one; one shard each. */
static const char yaml[] =
    "primary: dub\nregions:\n"
    "- {name: sin, latitude: 1, longitude: 2, shards: 1,\n"
    "   nodes: [{name: sin-n, client: 10.0.0.1:1, cluster: 10.0.0.1:2, gateway: 10.0.0.1:3}],\n"
    "   hubs: [{name: sin-h1, health: 10.0.0.1:5}, {name: sin-h2, health: 10.0.0.1:7}],\n"
    "   edges: [{name: sin-e, listen: 10.0.0.1:6, url: http://10.0.0.1:6}]}\n"
    "- {name: dub, latitude: 1, longitude: 2, shards: 1,\n"
    "   nodes: [{name: dub-n, client: 10.0.0.2:1, cluster: 10.0.0.2:2, gateway: 10.0.0.2:3}],\n"
    "   hubs: [{name: dub-h, health: 10.0.0.2:5}],\n"
    "   edges: [{name: dub-e, listen: 10.0.0.2:6, url: http://10.0.0.2:6}]}\n";

static struct catalogue *catalogue;
static struct cli_members members;

static int begin(void **state)
{
    (void)state;
    struct error_text why = {0};
    catalogue = catalogue_load_text(TEXT(yaml), "r.yaml", &why);
    assert_string_equal(why.text, "");
    return cli_members_init(&members, catalogue);
}

static int end(void **state)
{
    (void)state;
    cli_members_done(&members);
    catalogue_free(catalogue);
    return 0;
}

static void hear(const char *region, const char *hub, const char *trouble, uint8_t flags,
                 const struct wire_alarm *alarms, size_t count)
{
    struct buffer bytes = {0};
    const struct wire_member_beat beat = {.level = 2,
                                          .log_level = 2,
                                          .flags = flags,
                                          .shards = 1,
                                          .applied = 70,
                                          .hub = text_of(hub),
                                          .trouble = text_of(trouble)};
    assert_int_equal(wire_member_beat_write(&bytes, &beat, alarms, count), 0);
    cli_members_hear(&members, catalogue_region(catalogue, text_of(region)), bytes.data,
                     bytes.size);
    buffer_free(&bytes);
}

static struct cli_members_judged print(char **ret_text)
{
    size_t size;
    FILE *out = open_memstream(ret_text, &size);
    assert_non_null(out);
    struct cli_members_judged judged = cli_members_print(&members, out);
    fclose(out);
    return judged;
}

static void says_nothing_when_all_is_well(void **state)
{
    (void)state;
    char *text;
    hear("sin", "sin-h1", "", WIRE_MEMBER_READY | WIRE_MEMBER_SERVES, NULL, 0);
    hear("sin", "sin-h2", "", WIRE_MEMBER_READY, NULL, 0);
    assert_false(cli_members_heard_all(&members));
    hear("dub", "dub-h", "", WIRE_MEMBER_READY, NULL, 0);
    assert_true(cli_members_heard_all(&members));
    struct cli_members_judged judged = print(&text);
    assert_string_equal(text, "");
    assert_int_equal(judged.silent + judged.errors + judged.warnings, 0);
    assert_int_equal(cli_members_log_level(&members, &catalogue->regions[0], 0), 2);
    free(text);
}

static void names_what_is_wrong_and_where_to_read_on(void **state)
{
    (void)state;
    static const struct wire_alarm alarms[] = {
        {.name = {"shard_stopped", 13}, .severity = 2, .since_s = 9, .count = 1, .position = 71},
        {.name = {"misrouted", 9}, .severity = 1, .since_s = 5, .count = 3}};
    char *text;
    hear("sin", "sin-h1", "unknown_record", WIRE_MEMBER_STOPPED, alarms, 2);
    struct cli_members_judged judged = print(&text);
    assert_string_equal(
        text, "sin shard 0, hub sin-h1: stopped, unknown_record at position 70\n"
              "sin shard 0, hub sin-h1: ERROR shard_stopped, count 1, position 71, for 9 s: see "
              "docs/operations.md, shard_stopped\n"
              "sin shard 0, hub sin-h1: warning misrouted, count 3, for 5 s: see "
              "docs/operations.md, misrouted\n"
              "sin shard 0, hub sin-h2: is not heard\n"
              "region dub: no hub is heard: it is down, or cut off from here\n");
    assert_int_equal(judged.errors, 1);
    assert_int_equal(judged.warnings, 1);
    assert_int_equal(judged.silent, 2);
    free(text);
}

static void keeps_some_alarms_and_counts_the_rest(void **state)
{
    (void)state;
    struct wire_alarm alarms[WIRE_MEMBER_ALARMS_MAX];
    char *text;
    for (size_t i = 0; i < WIRE_MEMBER_ALARMS_MAX; i++)
        alarms[i] = (struct wire_alarm){.name = TEXT("x"), .severity = 2};
    hear("dub", "dub-h", "", 0, alarms, WIRE_MEMBER_ALARMS_MAX);
    struct cli_members_judged judged = print(&text);
    assert_int_equal(judged.errors, CLI_ALARMS_MAX);
    assert_non_null(strstr(text, "and 48 alarms more\n"));
    free(text);
}

static void passes_over_what_is_not_in_the_catalogue(void **state)
{
    (void)state;
    hear("dub", "dub-h9", "", 0, NULL, 0);
    cli_members_hear(&members, &catalogue->regions[1], "nonsense", 8);
    for (size_t i = 0; i < members.count; i++)
        assert_false(members.members[i].heard);
}

int main(void)
{
#define ROW(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        ROW(says_nothing_when_all_is_well),
        ROW(names_what_is_wrong_and_where_to_read_on),
        ROW(keeps_some_alarms_and_counts_the_rest),
        ROW(passes_over_what_is_not_in_the_catalogue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
