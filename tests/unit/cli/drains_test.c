#include "cli/drains.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { NOW = 1000000 };

static struct catalogue_region regions[] = {{.name = "sin"}, {.name = "iad"}, {.name = "dub"}};
static const struct catalogue catalogue = {.regions = regions, .region_count = 3};
#define SIN (&regions[0])
#define IAD (&regions[1])
#define DUB (&regions[2])

static int begin_drain(struct wire_drains *drains, const struct catalogue_region *region)
{
    struct error_text why = {0};
    return cli_drains_begin(drains, &catalogue, region, NOW, false, &why);
}

static void drains_once_and_ends_once(void **state)
{
    (void)state;
    struct wire_drains drains = {.count = 0};
    assert_int_equal(cli_drains_end(&drains, DUB, NOW, 60), 0);
    assert_int_equal(begin_drain(&drains, DUB), 1);
    assert_int_equal(begin_drain(&drains, DUB), 0);
    assert_int_equal(drains.count, 1);
    assert_int_equal(drains.each[0].state, WIRE_DRAIN_AWAY);
    assert_int_equal(drains.each[0].since_ms, NOW);
    assert_int_equal(cli_drains_end(&drains, DUB, NOW + 5, 60), 1);
    assert_int_equal(drains.each[0].state, WIRE_DRAIN_BACK);
    assert_int_equal(drains.each[0].over_s, 60);
    assert_int_equal(cli_drains_end(&drains, DUB, NOW + 9, 60), 0); /* it is on its way */
    assert_int_equal(drains.each[0].since_ms, NOW + 5);
    assert_int_equal(begin_drain(&drains, DUB), 1); /* it drains again meanwhile */
    assert_int_equal(drains.each[0].over_s, 0);
    assert_int_equal(cli_drains_end(&drains, DUB, NOW, 0), 1);
    assert_int_equal(drains.count, 0);
}

static void keeps_the_last_region_in_use(void **state)
{
    (void)state;
    struct wire_drains drains = {.count = 0};
    struct error_text why = {0};
    assert_int_equal(begin_drain(&drains, DUB), 1);
    assert_int_equal(begin_drain(&drains, SIN), 1);
    assert_int_equal(cli_drains_begin(&drains, &catalogue, IAD, NOW, false, &why), -EBUSY);
    assert_non_null(strstr(why.text, "iad is the last region in use"));
    assert_int_equal(drains.count, 2);
    regions[0].drain = true; /* in the catalogue counts as well */
    assert_int_equal(cli_drains_end(&drains, SIN, NOW, 0), 1);
    assert_int_equal(begin_drain(&drains, IAD), -EBUSY);
    regions[0].drain = false;
    assert_int_equal(begin_drain(&drains, IAD), 1);
    assert_int_equal(cli_drains_begin(&drains, &catalogue, SIN, NOW, true, &why), 1);
    assert_int_equal(drains.count, 3);
}

static void forgets_what_is_over(void **state)
{
    (void)state;
    struct wire_drains drains = {.count = 3,
                                 .each = {{"dub", WIRE_DRAIN_BACK, NOW, 60},
                                          {"gone", WIRE_DRAIN_AWAY, NOW, 0},
                                          {"sin", WIRE_DRAIN_AWAY, NOW, 0}}};
    cli_drains_tidy(&drains, &catalogue, NOW + 59999);
    assert_int_equal(drains.count, 2);
    assert_string_equal(drains.each[1].region, "sin");
    cli_drains_tidy(&drains, &catalogue, NOW + 60000);
    assert_int_equal(drains.count, 1);
    assert_string_equal(drains.each[0].region, "sin");
}

static void holds_no_more_than_there_may_be(void **state)
{
    (void)state;
    struct wire_drains drains = {.count = WIRE_DRAINS_MAX - 1};
    for (size_t i = 0; i < WIRE_DRAINS_MAX; i++)
        snprintf(drains.each[i].region, sizeof drains.each[i].region, "r%zu", i);
    assert_int_equal(begin_drain(&drains, DUB), 1);
    assert_int_equal(drains.count, WIRE_DRAINS_MAX);
    assert_int_equal(begin_drain(&drains, SIN), -ENOSPC);
    assert_int_equal(begin_drain(&drains, DUB), 0);
}

/* --- edges --- */

static struct catalogue_edge sin_edges[] = {{.name = "sin-1", .processes = 2},
                                            {.name = "sin-2", .processes = 1}};
static struct catalogue_edge dub_edges[] = {{.name = "dub-1", .processes = 1}};
static struct catalogue_region with_edges[] = {
    {.name = "sin", .edges = sin_edges, .edge_count = 2},
    {.name = "dub", .edges = dub_edges, .edge_count = 1}};
static const struct catalogue edges = {.regions = with_edges, .region_count = 2};

static int drain_edge(struct wire_edge_drains *drains, const char *name)
{
    struct error_text why = {0};
    return cli_edge_drains_begin(drains, &edges, text_of(name), NOW, false, &why);
}

static void a_name_means_an_edge_or_one_of_its_processes(void **state)
{
    (void)state;
    size_t first = 99;
    assert_int_equal(cli_edge_processes(&edges, TEXT("sin-1"), &first), 2);
    assert_int_equal(first, 0);
    assert_int_equal(cli_edge_processes(&edges, TEXT("sin-1-p2"), &first), 1);
    assert_int_equal(first, 1);
    assert_int_equal(cli_edge_processes(&edges, TEXT("dub-1"), &first), 1);
    assert_int_equal(first, 3);
    assert_int_equal(cli_edge_processes(&edges, TEXT("sin-1-p3"), &first), 0);
    assert_int_equal(cli_edge_processes(&edges, TEXT("sin"), &first), 0);
}

static void an_edge_drains_once_and_comes_back_with_its_processes(void **state)
{
    (void)state;
    struct wire_edge_drains drains = {.count = 0};
    assert_int_equal(cli_edge_drains_end(&drains, &edges, TEXT("sin-1")), 0);
    assert_int_equal(drain_edge(&drains, "sin-1-p2"), 1);
    assert_int_equal(drain_edge(&drains, "sin-1-p2"), 0);
    assert_int_equal(drain_edge(&drains, "sin-1"), 1);
    assert_int_equal(drain_edge(&drains, "dub-1"), 1);
    assert_int_equal(drains.count, 3);
    assert_int_equal(drains.each[0].since_ms, NOW);
    assert_int_equal(cli_edge_drains_end(&drains, &edges, TEXT("sin-1-p1")), 0);
    assert_int_equal(cli_edge_drains_end(&drains, &edges, TEXT("sin-1")), 1);
    assert_int_equal(drains.count, 1);
    assert_string_equal(drains.each[0].edge, "dub-1");
}

static void the_last_edge_stays_in_use(void **state)
{
    (void)state;
    struct wire_edge_drains drains = {.count = 0};
    struct error_text why = {0};
    assert_int_equal(drain_edge(&drains, "dub-1"), 1);
    assert_int_equal(drain_edge(&drains, "sin-2"), 1);
    assert_int_equal(drain_edge(&drains, "sin-1"), -EBUSY);
    assert_int_equal(drain_edge(&drains, "sin-1-p1"), 1); /* its other process is left */
    assert_int_equal(cli_edge_drains_begin(&drains, &edges, TEXT("sin-1-p2"), NOW, false, &why),
                     -EBUSY);
    assert_non_null(strstr(why.text, "sin-1-p2 is the last edge in use"));
    assert_int_equal(cli_edge_drains_end(&drains, &edges, TEXT("dub-1")), 1);
    with_edges[1].drain =
        true; /* a region that the catalogue has taken out of use is nowhere to go */
    assert_int_equal(drain_edge(&drains, "sin-1-p2"), -EBUSY);
    with_edges[1].drain = false;
    assert_int_equal(drain_edge(&drains, "sin-1-p2"), 1);
    assert_int_equal(cli_edge_drains_begin(&drains, &edges, TEXT("dub-1"), NOW, true, &why), 1);
}

static void edges_that_are_gone_are_forgotten(void **state)
{
    (void)state;
    struct wire_edge_drains drains = {
        .count = 3, .each = {{"gone", NOW}, {"sin-1-p2", NOW}, {"sin-2-p1", NOW}}};
    cli_edge_drains_tidy(&drains, &edges);
    assert_int_equal(drains.count, 1);
    assert_string_equal(drains.each[0].edge, "sin-1-p2");
}

static void no_more_edges_drain_than_there_may_be(void **state)
{
    (void)state;
    struct wire_edge_drains drains = {.count = WIRE_EDGE_DRAINS_MAX - 1};
    for (size_t i = 0; i < WIRE_EDGE_DRAINS_MAX; i++)
        snprintf(drains.each[i].edge, sizeof drains.each[i].edge, "e%zu", i);
    assert_int_equal(drain_edge(&drains, "sin-2"), 1);
    assert_int_equal(drains.count, WIRE_EDGE_DRAINS_MAX);
    assert_int_equal(drain_edge(&drains, "dub-1"), -ENOSPC);
    assert_int_equal(drain_edge(&drains, "sin-2"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drains_once_and_ends_once),
        cmocka_unit_test(keeps_the_last_region_in_use),
        cmocka_unit_test(forgets_what_is_over),
        cmocka_unit_test(holds_no_more_than_there_may_be),
        cmocka_unit_test(a_name_means_an_edge_or_one_of_its_processes),
        cmocka_unit_test(an_edge_drains_once_and_comes_back_with_its_processes),
        cmocka_unit_test(the_last_edge_stays_in_use),
        cmocka_unit_test(edges_that_are_gone_are_forgotten),
        cmocka_unit_test(no_more_edges_drain_than_there_may_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
