#include "base/macros.h"
#include "wan/flight.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { COUNT = 5000, TIMES = 100 };

static void lands_in_order_of_time_and_of_sending(void **state)
{
    (void)state;
    struct wan_flight flight = {0};
    int64_t last_due = 0;
    uint64_t last_order = 0;
    srand(3);
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(wan_flight_send(&flight, NULL, i % 7, (uint8_t *)"abc", 3, rand() % TIMES),
                         0);
    for (size_t i = 0; i < COUNT; i++) {
        struct wan_packet *packet = wan_flight_land(&flight, TIMES);
        assert_non_null(packet);
        assert_true(packet->due_ns > last_due || packet->order >= last_order);
        assert_true(packet->due_ns >= last_due);
        assert_int_equal(packet->to, packet->order % 7);
        assert_memory_equal(packet->bytes, "abc", 3);
        last_due = packet->due_ns;
        last_order = packet->order;
        free(packet);
    }
    assert_null(wan_flight_first(&flight));
    wan_flight_free(&flight);
}

static void lands_nothing_before_it_is_due(void **state)
{
    (void)state;
    struct wan_flight flight = {0};
    assert_int_equal(wan_flight_send(&flight, NULL, 0, (uint8_t *)"a", 1, 10), 0);
    assert_int_equal(wan_flight_first(&flight)->due_ns, 10);
    assert_null(wan_flight_land(&flight, 9));
    struct wan_packet *packet = wan_flight_land(&flight, 10);
    assert_non_null(packet);
    free(packet);
    assert_null(wan_flight_land(&flight, 10));
    wan_flight_free(&flight);
}

static void frees_what_is_in_flight(void **state)
{
    (void)state;
    struct wan_flight flight = {0};
    assert_int_equal(wan_flight_send(&flight, NULL, 0, (uint8_t *)"a", 1, 10), 0);
    wan_flight_free(&flight); /* the leak checker judges */
    assert_int_equal(flight.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lands_in_order_of_time_and_of_sending),
        cmocka_unit_test(lands_nothing_before_it_is_due),
        cmocka_unit_test(frees_what_is_in_flight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
