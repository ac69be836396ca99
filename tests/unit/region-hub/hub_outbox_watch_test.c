#include "region-hub/hub_outbox_watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* An info that was asked before the last batch was taken says nothing against it. */
static void an_outbox_is_regressed_when_it_says_so_twice(void **state)
{
    (void)state;
    struct hub_outbox_watch watch = {0};
    assert_false(hub_outbox_may_trim(&watch, 1)); /* nothing is known yet */
    hub_outbox_asked(&watch, 100);
    assert_int_equal(hub_outbox_told(&watch, 100), HUB_OUTBOX_GOOD);
    assert_true(hub_outbox_may_trim(&watch, 100));
    assert_false(hub_outbox_may_trim(&watch, 101));
    hub_outbox_asked(&watch, 101);
    assert_int_equal(hub_outbox_told(&watch, 100), HUB_OUTBOX_DOUBTED);
    assert_false(hub_outbox_may_trim(&watch, 100));
    hub_outbox_asked(&watch, 101);
    assert_int_equal(hub_outbox_told(&watch, 101), HUB_OUTBOX_GOOD);
    hub_outbox_asked(&watch, 110);
    assert_int_equal(hub_outbox_told(&watch, 80), HUB_OUTBOX_DOUBTED);
    hub_outbox_asked(&watch, 110);
    assert_int_equal(hub_outbox_told(&watch, 109), HUB_OUTBOX_REGRESSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_outbox_is_regressed_when_it_says_so_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
