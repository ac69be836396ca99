#include "edge/edge_tickets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { LIFETIME_MS = 1000 };

static struct edge_tickets begin(void)
{
    struct edge_tickets tickets;
    assert_int_equal(edge_tickets_init(&tickets, LIFETIME_MS, 0), 0);
    return tickets;
}

static void a_key_seals_for_a_lifetime_and_opens_for_two(void **state)
{
    (void)state;
    struct edge_tickets tickets = begin();
    struct edge_ticket_key first = *edge_tickets_newest(&tickets);
    edge_tickets_tick(&tickets, LIFETIME_MS - 1);
    assert_memory_equal(edge_tickets_newest(&tickets), &first, sizeof first);
    edge_tickets_tick(&tickets, LIFETIME_MS);
    assert_memory_not_equal(edge_tickets_newest(&tickets), &first, sizeof first);
    assert_non_null(edge_tickets_find(&tickets, first.name));
    edge_tickets_tick(&tickets, 2 * LIFETIME_MS - 1);
    assert_non_null(edge_tickets_find(&tickets, first.name));
    edge_tickets_tick(&tickets, 2 * LIFETIME_MS);
    assert_null(edge_tickets_find(&tickets, first.name));
    edge_tickets_done(&tickets);
}

static void an_unknown_name_opens_nothing(void **state)
{
    (void)state;
    struct edge_tickets tickets = begin();
    uint8_t zero[EDGE_TICKET_NAME_SIZE] = {0}; /* as the second key before there is one */
    assert_null(edge_tickets_find(&tickets, zero));
    edge_tickets_done(&tickets);
}

static void a_key_that_slept_too_long_is_gone(void **state)
{
    (void)state;
    struct edge_tickets tickets = begin();
    struct edge_ticket_key first = *edge_tickets_newest(&tickets);
    edge_tickets_tick(&tickets, 2 * LIFETIME_MS);
    assert_null(edge_tickets_find(&tickets, first.name));
    edge_tickets_done(&tickets);
}

static void keys_are_wiped(void **state)
{
    (void)state;
    struct edge_tickets tickets = begin();
    struct edge_ticket_key none[2];
    memset(none, 0, sizeof none);
    edge_tickets_done(&tickets);
    assert_memory_equal(tickets.keys, none, sizeof none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_seals_for_a_lifetime_and_opens_for_two),
        cmocka_unit_test(an_unknown_name_opens_nothing),
        cmocka_unit_test(a_key_that_slept_too_long_is_gone),
        cmocka_unit_test(keys_are_wiped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
