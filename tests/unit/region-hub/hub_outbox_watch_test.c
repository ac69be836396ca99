#include "region-hub/hub_outbox_watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { DOUBT_MS = 20000 };

static enum hub_outbox_verdict tell(struct hub_outbox_watch *watch, uint64_t high, uint64_t last,
                                    int64_t now_ms)
{
    hub_outbox_asked(watch, high);
    return hub_outbox_told(watch, last, now_ms);
}

/* An info that was asked before the last batch was taken says nothing against it. */
static void an_outbox_is_regressed_when_it_stays_too_short(void **state)
{
    (void)state;
    struct hub_outbox_watch watch = {.doubt_ms = DOUBT_MS};
    const int64_t begun = 5000, end = begun + DOUBT_MS;
    assert_false(hub_outbox_may_trim(&watch, 1)); /* nothing is known yet */
    assert_int_equal(tell(&watch, 100, 100, 0), HUB_OUTBOX_GOOD);
    assert_true(hub_outbox_may_trim(&watch, 100));
    assert_false(hub_outbox_may_trim(&watch, 101));
    assert_int_equal(tell(&watch, 110, 90, begun), HUB_OUTBOX_DOUBTED);
    assert_false(hub_outbox_may_trim(&watch, 90));
    assert_int_equal(tell(&watch, 110, 80, begun + 1), HUB_OUTBOX_DOUBTED);
    assert_false(hub_outbox_is_doubted_long(&watch, end - 1));
    assert_int_equal(tell(&watch, 110, 109, end - 1), HUB_OUTBOX_DOUBTED);
    assert_true(hub_outbox_is_doubted_long(&watch, end));
    assert_int_equal(tell(&watch, 110, 109, end), HUB_OUTBOX_REGRESSED);
    assert_int_equal(watch.lowest, 80);
}

static void a_doubt_ends_when_what_was_forwarded_last_is_there(void **state)
{
    (void)state;
    struct hub_outbox_watch watch = {.doubt_ms = DOUBT_MS};
    assert_int_equal(tell(&watch, 110, 80, 0), HUB_OUTBOX_DOUBTED);
    assert_int_equal(tell(&watch, 110, 110, 500), HUB_OUTBOX_COMPARE);
    assert_int_equal(tell(&watch, 110, 130, 1000), HUB_OUTBOX_COMPARE); /* until it is compared */
    assert_false(hub_outbox_may_trim(&watch, 80));
    hub_outbox_is_same(&watch);
    assert_true(hub_outbox_may_trim(&watch, 130));
    assert_int_equal(tell(&watch, 131, 131, 1500), HUB_OUTBOX_GOOD);
    /* The next doubt is a new one. */
    assert_int_equal(tell(&watch, 140, 131, DOUBT_MS), HUB_OUTBOX_DOUBTED);
    assert_int_equal(watch.lowest, 131);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_outbox_is_regressed_when_it_stays_too_short),
        cmocka_unit_test(a_doubt_ends_when_what_was_forwarded_last_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
