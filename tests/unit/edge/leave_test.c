#include "edge/edge_leave.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { HERE = 0, NEAR = 1, APART = 600000, AGE = 700000 };

/* The near region first, then this one, which costs four times as much. */
static struct geo_ranking ranked(enum geo_class here)
{
    return (struct geo_ranking){
        .count = 2,
        .candidates = {{.region = NEAR, .class_of = GEO_CLASS_GOOD, .measured = true, .rtt_ms = 20},
                       {.region = HERE, .class_of = here, .measured = true, .rtt_ms = 80}}};
}

static enum edge_leave judge(struct edge_leave_view view)
{
    struct geo_ranking ranking = ranked(view.drains ? GEO_CLASS_DRAINING : GEO_CLASS_GOOD);
    view.apart_ms = APART;
    return edge_leave_judge(&view, &ranking);
}

static void goes_where_it_is_nearer_when_it_was_here_for_long(void **state)
{
    (void)state;
    assert_int_equal(judge((struct edge_leave_view){.rebalances = true, .age_ms = APART}),
                     EDGE_LEAVE_REBALANCE);
    assert_int_equal(judge((struct edge_leave_view){.rebalances = true, .age_ms = APART - 1}),
                     EDGE_LEAVE_STAY);
    assert_int_equal(judge((struct edge_leave_view){.age_ms = AGE}), EDGE_LEAVE_STAY);
}

static void leaves_a_region_that_drains_at_once_and_only_once(void **state)
{
    (void)state;
    struct edge_leave_view view = {.drains = true, .age_ms = 5000, .drain_age_ms = 5000};
    assert_int_equal(judge(view), EDGE_LEAVE_DRAIN);
    view.drain_age_ms = 5001; /* it came when the region drained already: perhaps it must */
    assert_int_equal(judge(view), EDGE_LEAVE_STAY);
    view.age_ms = APART;
    view.drain_age_ms = INT64_MAX;
    assert_int_equal(judge(view), EDGE_LEAVE_DRAIN);
}

static void waits_until_names_lead_elsewhere(void **state)
{
    (void)state;
    struct edge_leave_view view = {.rebalances = true, .age_ms = AGE, .apart_ms = APART};
    struct geo_ranking ranking = ranked(GEO_CLASS_DRAINING);
    assert_int_equal(edge_leave_judge(&view, &ranking), EDGE_LEAVE_STAY);
    view.drains = true;
    assert_int_equal(edge_leave_judge(&view, &ranking), EDGE_LEAVE_DRAIN);
}

static void stays_where_there_is_nothing_better(void **state)
{
    (void)state;
    struct edge_leave_view view = {.drains = true, .age_ms = AGE, .apart_ms = APART};
    struct geo_ranking alone = ranked(GEO_CLASS_DRAINING);
    alone.candidates[0] = alone.candidates[1]; /* as by a pin */
    alone.count = 1;
    assert_int_equal(edge_leave_judge(&view, &alone), EDGE_LEAVE_STAY);
    struct geo_ranking both = ranked(GEO_CLASS_DRAINING);
    both.candidates[0].class_of = GEO_CLASS_DRAINING;
    assert_int_equal(edge_leave_judge(&view, &both), EDGE_LEAVE_STAY);
    view = (struct edge_leave_view){.rebalances = true, .age_ms = AGE, .apart_ms = APART};
    struct geo_ranking close = ranked(GEO_CLASS_GOOD);
    close.candidates[0].rtt_ms = 65; /* less than a fifth */
    assert_int_equal(edge_leave_judge(&view, &close), EDGE_LEAVE_STAY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_where_it_is_nearer_when_it_was_here_for_long),
        cmocka_unit_test(leaves_a_region_that_drains_at_once_and_only_once),
        cmocka_unit_test(waits_until_names_lead_elsewhere),
        cmocka_unit_test(stays_where_there_is_nothing_better),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
