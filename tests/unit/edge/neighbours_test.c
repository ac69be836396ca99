#include "edge/edge_neighbours.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int enter(struct edge_neighbours *neighbours, const char *text, struct edge_place **place)
{
    struct address client;
    assert_int_equal(address_parse(text_of(text), &client), 0);
    return edge_neighbours_enter(neighbours, &client, place);
}

static void a_neighbourhood_is_full_at_its_limit(void **state)
{
    (void)state;
    static const struct {
        const char *first, *second, *third, *elsewhere;
    } rows[] = {
        {"192.0.2.1", "192.0.2.1", "192.0.2.255", "192.0.3.1"},
        {"2001:db8:1::1", "2001:db8:1:2::3", "2001:db8:1:ffff::", "2001:db8:2::1"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct edge_neighbours *neighbours = edge_neighbours_new(2);
        struct edge_place *places[3];
        struct edge_place *none;
        assert_int_equal(enter(neighbours, rows[i].first, &places[0]), 0);
        assert_int_equal(enter(neighbours, rows[i].second, &places[1]), 0);
        assert_int_equal(enter(neighbours, rows[i].third, &none), -EUSERS);
        assert_null(none);
        assert_int_equal(enter(neighbours, rows[i].elsewhere, &places[2]), 0);
        assert_int_equal(edge_neighbours_count(neighbours), 2);
        edge_place_leave(places[0]);
        assert_int_equal(enter(neighbours, rows[i].third, &places[0]), 0);
        for (size_t p = 0; p < COUNT_OF(places); p++)
            edge_place_leave(places[p]);
        assert_int_equal(edge_neighbours_count(neighbours), 0);
        edge_neighbours_free(neighbours);
    }
}

static void without_a_limit_nobody_is_counted(void **state)
{
    (void)state;
    struct edge_neighbours *neighbours = edge_neighbours_new(0);
    struct edge_place *place;
    assert_int_equal(enter(neighbours, "192.0.2.1", &place), 0);
    assert_null(place);
    assert_int_equal(edge_neighbours_count(neighbours), 0);
    assert_int_equal(enter(NULL, "192.0.2.1", &place), 0);
    edge_place_leave(place);
    edge_neighbours_free(neighbours);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_neighbourhood_is_full_at_its_limit),
        cmocka_unit_test(without_a_limit_nobody_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
