/* What the control socket can be told, and what it does to the lines. */
#include "wan/command.h"
#include "wan/net.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { SIN, IAD, DUB, SITES, HEADER = 20 };
static const int64_t ms = 1000000, second = 1000000000;

static struct wan_net *net;
static struct buffer said;
static int64_t now;

static int set_up(void **state)
{
    (void)state;
    struct wan_sites sites = {0};
    assert_int_equal(wan_sites_add(&sites, TEXT("sin=10.77.1.0/24@/a"), NULL), 0);
    assert_int_equal(wan_sites_add(&sites, TEXT("iad=10.77.2.0/24@/b"), NULL), 0);
    assert_int_equal(wan_sites_add(&sites, TEXT("dub=10.77.3.0/24@/c"), NULL), 0);
    net = wan_net_new(&sites, 1, 1 << 20);
    now = 0;
    return net == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    wan_net_free(net);
    buffer_free(&said);
    return 0;
}

/* What is said to the command, without its line end. */
static const char *tell(const char *command)
{
    buffer_clear(&said);
    wan_net_tell(net, text_of(command), now, &said);
    assert_true(said.size > 0 && said.data[said.size - 1] == '\n');
    said.data[said.size - 1] = '\0';
    assert_null(strchr((const char *)said.data, '\n'));
    return (const char *)said.data;
}

static void do_it(const char *command)
{
    assert_string_equal(tell(command), "{\"ok\":true}");
}

static void assert_refused(const char *command, const char *why)
{
    char answer[256];
    snprintf(answer, sizeof answer, "{\"ok\":false,\"error\":\"%s\"}", why);
    assert_string_equal(tell(command), answer);
}

static struct wan_line *line_between(size_t from, size_t to)
{
    uint8_t packet[HEADER] = {[0] = 0x45, [16] = 10, [17] = 77, [18] = (uint8_t)(to + 1)};
    size_t ret_to = SITES;
    struct wan_line *line = wan_net_route(net, from, packet, sizeof packet, &ret_to);
    assert_non_null(line);
    assert_int_equal(ret_to, to);
    return line;
}

/* A row and a column for each site: 'x' where nothing passes. */
static void assert_down(const char *rows)
{
    for (size_t from = 0; from < SITES; from++)
        for (size_t to = 0; to < SITES; to++)
            if (from != to)
                assert_int_equal(wan_line_is_down(line_between(from, to), now),
                                 rows[from * (SITES + 1) + to] == 'x');
}

static void sets_both_ways_or_one(void **state)
{
    (void)state;
    do_it("set sin iad delay 110ms jitter 2ms loss 0.1%");
    do_it("set iad sin delay 90ms one-way");
    assert_int_equal(line_between(SIN, IAD)->knobs.value[WAN_DELAY], 110 * ms);
    assert_int_equal(line_between(IAD, SIN)->knobs.value[WAN_DELAY], 90 * ms);
    assert_int_equal(line_between(IAD, SIN)->knobs.value[WAN_JITTER], 2 * ms);
    assert_int_equal(line_between(IAD, SIN)->knobs.value[WAN_LOSS], 1000);
    assert_int_equal(line_between(SIN, DUB)->knobs.value[WAN_DELAY], 0);
    do_it("set sin iad delay 0");
    assert_int_equal(line_between(SIN, IAD)->knobs.value[WAN_DELAY], 0);
    assert_int_equal(line_between(SIN, IAD)->knobs.value[WAN_JITTER], 2 * ms);
}

static void means_all_sites_by_a_star(void **state)
{
    (void)state;
    do_it("set sin * delay 5ms one-way");
    assert_int_equal(line_between(SIN, DUB)->knobs.value[WAN_DELAY], 5 * ms);
    assert_int_equal(line_between(DUB, SIN)->knobs.value[WAN_DELAY], 0);
    do_it("set * * loss 1%");
    for (size_t i = 0; i < SITES; i++)
        assert_int_equal(line_between(i, (i + 1) % SITES)->knobs.value[WAN_LOSS], 10000);
}

static void cuts_and_heals(void **state)
{
    (void)state;
    assert_down("... ... ...");
    do_it("cut sin iad one-way");
    assert_down(".x. ... ...");
    do_it("cut iad sin");
    assert_down(".x. x.. ...");
    do_it("heal sin iad one-way");
    assert_down("... x.. ...");
    do_it("cut dub iad");
    do_it("heal iad sin");
    assert_down("... ..x .x.");
    do_it("heal");
    assert_down("... ... ...");
}

static void isolates_one_site_or_several_together(void **state)
{
    (void)state;
    do_it("isolate dub");
    assert_down("..x ..x xx.");
    do_it("heal");
    do_it("isolate sin dub");
    assert_down(".x. x.x .x.");
    do_it("isolate *"); /* an island of all: nobody is outside */
    assert_down(".x. x.x .x.");
}

static void flaps_from_the_moment_it_is_told(void **state)
{
    (void)state;
    now = 7 * second;
    do_it("flap sin dub down 2s up 3s");
    assert_down("..x ... x..");
    now = 9 * second;
    assert_down("... ... ...");
    now = 12 * second;
    assert_down("..x ... x..");
    do_it("heal");
    assert_down("... ... ...");
}

static void begins_its_random_numbers_again_with_a_seed(void **state)
{
    (void)state;
    int64_t first[8], again[8];
    do_it("set * * delay 20ms jitter 20ms");
    for (size_t i = 0; i < COUNT_OF(first); i++)
        assert_int_equal(wan_line_take(line_between(SIN, IAD), 1, (int64_t)i * second, &first[i]),
                         1);
    do_it("seed 1"); /* what it began with */
    for (size_t i = 0; i < COUNT_OF(first); i++)
        assert_int_equal(
            wan_line_take(line_between(SIN, IAD), 1, 100 * second + (int64_t)i * second, &again[i]),
            1);
    for (size_t i = 0; i < COUNT_OF(first); i++)
        assert_int_equal(again[i] - first[i], 100 * second);
    do_it("seed 18446744073709551615");
    assert_non_null(strstr(tell("show"), "\"seed\":18446744073709551615,"));
}

static void gives_each_line_random_numbers_of_its_own(void **state)
{
    (void)state;
    unsigned same = 0;
    do_it("set * * loss 50%");
    for (int64_t i = 0; i < 100; i++) {
        int64_t due;
        unsigned there = wan_line_take(line_between(SIN, IAD), 1, i, &due);
        same += there == wan_line_take(line_between(IAD, SIN), 1, i, &due);
    }
    assert_in_range(same, 20, 80);
}

static void shows_lines_with_their_knobs_and_counters(void **state)
{
    (void)state;
    int64_t due;
    do_it("set sin iad delay 1ms one-way");
    assert_int_equal(wan_line_take(line_between(SIN, IAD), 99, 0, &due), 1);
    assert_string_equal(
        tell("show sin iad one-way"),
        "{\"ok\":true,\"seed\":1,\"sites\":["
        "{\"name\":\"sin\",\"network\":\"10.77.1.0/24\",\"not_ipv4\":0,\"unroutable\":0},"
        "{\"name\":\"iad\",\"network\":\"10.77.2.0/24\",\"not_ipv4\":0,\"unroutable\":0},"
        "{\"name\":\"dub\",\"network\":\"10.77.3.0/24\",\"not_ipv4\":0,\"unroutable\":0}],"
        "\"lines\":[{\"from\":\"sin\",\"to\":\"iad\",\"delay_ns\":1000000,\"jitter_ns\":0,"
        "\"loss_ppm\":0,\"duplicate_ppm\":0,\"reorder_ppm\":0,\"late_ns\":10000000,"
        "\"rate_bit_s\":0,\"queue_bytes\":1048576,\"down\":false,\"held_bytes\":99,"
        "\"overdue_max_ns\":0,\"packets\":1,"
        "\"bytes\":99,\"duplicated\":0,\"reordered\":0,\"delivered\":0,\"refused\":0,\"cut\":0,"
        "\"lost\":0,\"queue_full\":0,\"held_full\":0}]}");
    size_t lines = 0;
    for (const char *at = tell("show"); (at = strstr(at, "\"from\":")) != NULL; at++)
        lines++;
    assert_int_equal(lines, SITES * (SITES - 1));
}

static void counts_packets_that_are_for_nobody(void **state)
{
    (void)state;
    size_t to = SITES;
    uint8_t packet[HEADER] = {[0] = 0x45, [16] = 10, [17] = 77, [18] = 9};
    assert_null(wan_net_route(net, IAD, packet, sizeof packet, &to));
    packet[18] = IAD + 1; /* its own */
    assert_null(wan_net_route(net, IAD, packet, sizeof packet, &to));
    assert_null(wan_net_route(net, IAD, packet, HEADER - 1, &to));
    assert_int_equal(to, SITES);
    assert_non_null(strstr(tell("show"), "\"network\":\"10.77.2.0/24\",\"not_ipv4\":1,"
                                         "\"unroutable\":2"));
}

static void refuses_what_it_does_not_understand(void **state)
{
    (void)state;
    assert_refused("", "'' is no command");
    assert_refused("cutt sin iad", "'cutt' is no command");
    assert_refused("cut sin", "'' is no site");
    assert_refused("cut sin lhr", "'lhr' is no site");
    assert_refused("cut sin iad oneway", "'oneway' is too much");
    assert_refused("cut sin iad one-way now", "'one-way' is too much");
    assert_refused("set sin iad", "'' is no knob");
    assert_refused("set sin iad one-way", "'one-way' is no knob");
    assert_refused("set sin iad delays 1ms", "'delays' is no knob");
    assert_refused("set sin iad delay", "delay '' is no value of its unit");
    assert_refused("set sin iad delay 1", "delay '1' is no value of its unit");
    assert_refused("set sin iad delay 61s", "delay '61s' is out of its bounds");
    assert_refused("set sin iad loss 1% delay -1ms", "delay '-1ms' is no value of its unit");
    assert_refused("flap sin iad down 1s", "'' must be up");
    assert_refused("flap sin iad up 1s down 1s", "'up' must be down");
    assert_refused("flap sin iad down 0 up 1s", "down '0' is out of its bounds");
    assert_refused("isolate", "'' is no site");
    assert_refused("isolate sin lhr", "'lhr' is no site");
    assert_refused("heal sin", "'' is no site");
    assert_refused("seed", "'' is no seed");
    assert_refused("seed 18446744073709551616", "'18446744073709551616' is no seed");
    assert_refused("seed 1 2", "'2' is too much");
    assert_int_equal(line_between(SIN, IAD)->knobs.value[WAN_LOSS], 0); /* nothing was done */
    assert_down("... ... ...");
}

static void takes_a_line_as_long_as_it_may_be_and_not_longer(void **state)
{
    (void)state;
    char line[WAN_COMMAND_MAX_BYTES + 2];
    memset(line, ' ', sizeof line);
    memcpy(line, "heal", 4);
    line[WAN_COMMAND_MAX_BYTES] = '\0';
    do_it(line);
    line[WAN_COMMAND_MAX_BYTES] = ' ';
    line[WAN_COMMAND_MAX_BYTES + 1] = '\0';
    assert_refused(line, "a command has at most 1024 bytes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(sets_both_ways_or_one),
        TEST(means_all_sites_by_a_star),
        TEST(cuts_and_heals),
        TEST(isolates_one_site_or_several_together),
        TEST(flaps_from_the_moment_it_is_told),
        TEST(begins_its_random_numbers_again_with_a_seed),
        TEST(gives_each_line_random_numbers_of_its_own),
        TEST(shows_lines_with_their_knobs_and_counters),
        TEST(counts_packets_that_are_for_nobody),
        TEST(refuses_what_it_does_not_understand),
        TEST(takes_a_line_as_long_as_it_may_be_and_not_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
