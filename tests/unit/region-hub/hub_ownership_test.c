#include "region-hub/hub_ownership.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { SILENT = 2500, STEP = 500, RETRY = 5000, DEAF = 500, MINE = 11, THEIRS = 22 };

static struct hub_ownership made(bool preferred)
{
    struct hub_ownership ownership;
    hub_ownership_init(&ownership,
                       &(struct hub_ownership_settings){.hub = "sin-h1",
                                                        .start = MINE,
                                                        .preferred = preferred,
                                                        .silent_ms = SILENT,
                                                        .step_ms = STEP,
                                                        .deaf_ms = DEAF,
                                                        .retry_ms = RETRY},
                       0);
    return ownership;
}

static enum hub_ownership_order applied(struct hub_ownership *ownership, uint64_t generation,
                                        const char *hub, uint64_t start, int64_t now_ms)
{
    return hub_ownership_applied(ownership, generation, text_of(hub), start, now_ms);
}

/* Time passes in steps, as it does for a hub that runs, up to `now_ms`. */
static enum hub_ownership_order tick(struct hub_ownership *ownership, int64_t now_ms)
{
    while (now_ms - ownership->ticked_ms >= DEAF) {
        enum hub_ownership_order order =
            hub_ownership_tick(ownership, ownership->ticked_ms + DEAF - 1);
        if (order != HUB_ORDER_NONE)
            return order;
    }
    return hub_ownership_tick(ownership, now_ms);
}

/* A hub that has read the log, in which another owns the shard since generation 5. */
static struct hub_ownership watching(bool preferred)
{
    struct hub_ownership ownership = made(preferred);
    assert_int_equal(applied(&ownership, 5, "sin-h2", THEIRS, 0), HUB_ORDER_NONE);
    hub_ownership_caught_up(&ownership, 0);
    return ownership;
}

/* It serves, since generation 9. */
static struct hub_ownership serving(void)
{
    struct hub_ownership ownership = watching(true);
    assert_int_equal(tick(&ownership, SILENT), HUB_ORDER_CHALLENGE);
    assert_int_equal(applied(&ownership, 9, "sin-h1", MINE, SILENT), HUB_ORDER_SERVE);
    assert_int_equal(ownership.generation, 9);
    return ownership;
}

static void challenges_nobody_before_the_log_is_read(void **state)
{
    (void)state;
    struct hub_ownership ownership = made(true);
    assert_int_equal(tick(&ownership, 100000), HUB_ORDER_NONE);
    hub_ownership_caught_up(&ownership, 100000);
    assert_int_equal(tick(&ownership, 100000), HUB_ORDER_CHALLENGE);
}

static void takes_what_is_given_up_at_once(void **state)
{
    (void)state;
    struct hub_ownership ownership = watching(false);
    assert_int_equal(tick(&ownership, STEP), HUB_ORDER_NONE);
    assert_int_equal(applied(&ownership, 9, "", THEIRS, STEP), HUB_ORDER_NONE);
    assert_int_equal(tick(&ownership, STEP), HUB_ORDER_CHALLENGE);
}

static void leaves_others_their_share_when_hubs_start_together(void **state)
{
    (void)state;
    struct hub_ownership first = made(true);
    struct hub_ownership second = made(false);
    assert_int_equal(applied(&first, 5, "", THEIRS, 0), HUB_ORDER_NONE);
    assert_int_equal(applied(&second, 5, "", THEIRS, 0), HUB_ORDER_NONE);
    hub_ownership_caught_up(&first, 100);
    hub_ownership_caught_up(&second, 100);
    assert_int_equal(tick(&first, 100), HUB_ORDER_CHALLENGE);
    assert_int_equal(tick(&second, 100 + STEP - 1), HUB_ORDER_NONE);
    assert_int_equal(tick(&second, 100 + STEP), HUB_ORDER_CHALLENGE);
}

static void takes_back_at_once_what_an_earlier_start_of_it_owned(void **state)
{
    (void)state;
    struct hub_ownership ownership = made(false);
    assert_int_equal(applied(&ownership, 5, "sin-h1", 10, 0), HUB_ORDER_NONE);
    hub_ownership_caught_up(&ownership, 0);
    assert_int_equal(tick(&ownership, 0), HUB_ORDER_CHALLENGE);
}

static void leaves_the_very_first_choice_to_the_preferred_hub(void **state)
{
    (void)state;
    struct hub_ownership ownership = made(false);
    hub_ownership_caught_up(&ownership, 0);
    assert_int_equal(tick(&ownership, STEP - 1), HUB_ORDER_NONE);
    assert_int_equal(tick(&ownership, STEP), HUB_ORDER_CHALLENGE);
}

static void knows_from_a_saved_state_who_owned_it(void **state)
{
    (void)state;
    struct hub_ownership ownership = made(true);
    hub_ownership_loaded(&ownership, 5, TEXT("sin-h2"));
    hub_ownership_caught_up(&ownership, 0);
    assert_int_equal(tick(&ownership, SILENT - 1), HUB_ORDER_NONE);
    assert_int_equal(tick(&ownership, SILENT), HUB_ORDER_CHALLENGE);
    assert_int_equal(ownership.generation, 5);
}

static void challenges_a_silent_owner_and_the_preferred_hub_first(void **state)
{
    (void)state;
    struct hub_ownership first = watching(true);
    struct hub_ownership second = watching(false);
    assert_int_equal(tick(&first, SILENT - 1), HUB_ORDER_NONE);
    assert_int_equal(tick(&first, SILENT), HUB_ORDER_CHALLENGE);
    assert_int_equal(tick(&second, SILENT + STEP - 1), HUB_ORDER_NONE);
    assert_int_equal(tick(&second, SILENT + STEP), HUB_ORDER_CHALLENGE);
}

static void a_beat_of_the_owner_renews_its_time(void **state)
{
    (void)state;
    struct hub_ownership ownership = watching(true);
    assert_int_equal(hub_ownership_beat(&ownership, 5, THEIRS, 2000), HUB_ORDER_NONE);
    assert_int_equal(tick(&ownership, 2000 + SILENT - 1), HUB_ORDER_NONE);
    /* Of an owner before this one: nothing to anybody. */
    assert_int_equal(hub_ownership_beat(&ownership, 4, THEIRS, 4000), HUB_ORDER_NONE);
    assert_int_equal(tick(&ownership, 2000 + SILENT), HUB_ORDER_CHALLENGE);
}

static void a_hub_that_was_paused_listens_before_it_challenges(void **state)
{
    (void)state;
    struct hub_ownership ownership = watching(true);
    assert_int_equal(tick(&ownership, 1000), HUB_ORDER_NONE);
    assert_int_equal(hub_ownership_tick(&ownership, 60000), HUB_ORDER_NONE);
    assert_int_equal(tick(&ownership, 60000 + SILENT - 1), HUB_ORDER_NONE);
    assert_int_equal(tick(&ownership, 60000 + SILENT), HUB_ORDER_CHALLENGE);
}

static void a_hub_that_is_connected_again_listens_before_it_challenges(void **state)
{
    (void)state;
    struct hub_ownership ownership = watching(true);
    hub_ownership_deaf(&ownership, 2000);
    assert_int_equal(tick(&ownership, 2000 + SILENT - 1), HUB_ORDER_NONE);
    assert_int_equal(tick(&ownership, 2000 + SILENT), HUB_ORDER_CHALLENGE);
}

static void a_challenge_that_another_won_is_over(void **state)
{
    (void)state;
    struct hub_ownership ownership = watching(true);
    assert_int_equal(tick(&ownership, SILENT), HUB_ORDER_CHALLENGE);
    assert_int_equal(applied(&ownership, 9, "sin-h3", 33, 2600), HUB_ORDER_NONE);
    assert_int_equal(ownership.state, HUB_WATCHING);
    assert_int_equal(tick(&ownership, 2600 + SILENT - 1), HUB_ORDER_NONE);
}

static void a_challenge_without_outcome_is_repeated(void **state)
{
    (void)state;
    struct hub_ownership ownership = watching(true);
    assert_int_equal(tick(&ownership, SILENT), HUB_ORDER_CHALLENGE);
    assert_int_equal(tick(&ownership, SILENT + RETRY - 1), HUB_ORDER_NONE);
    assert_int_equal(tick(&ownership, SILENT + RETRY), HUB_ORDER_CHALLENGE);
}

static void stands_down_when_another_is_applied(void **state)
{
    (void)state;
    struct hub_ownership ownership = serving();
    assert_int_equal(applied(&ownership, 12, "sin-h2", THEIRS, 9000), HUB_ORDER_STAND_DOWN);
    assert_int_equal(ownership.state, HUB_WATCHING);
}

static void stands_down_when_a_higher_generation_is_heard(void **state)
{
    (void)state;
    struct hub_ownership ownership = serving();
    assert_int_equal(hub_ownership_beat(&ownership, 9, MINE, 9000), HUB_ORDER_NONE); /* its own */
    assert_int_equal(hub_ownership_beat(&ownership, 12, THEIRS, 9000), HUB_ORDER_STAND_DOWN);
    /* The log still names this hub: it waits all the same, since a later owner was heard. */
    assert_int_equal(tick(&ownership, 9000 + SILENT - 1), HUB_ORDER_NONE);
    assert_int_equal(applied(&ownership, 12, "sin-h2", THEIRS, 9100), HUB_ORDER_NONE);
}

static void stands_down_when_its_mailboxes_are_gone(void **state)
{
    (void)state;
    struct hub_ownership ownership = serving();
    assert_int_equal(hub_ownership_fell_behind(&ownership), HUB_ORDER_STAND_DOWN);
    /* The log read again: its own record in it is of before. It asks for a new generation. */
    assert_int_equal(applied(&ownership, 9, "sin-h1", MINE, 9000), HUB_ORDER_NONE);
    hub_ownership_caught_up(&ownership, 9000);
    assert_int_equal(tick(&ownership, 9000), HUB_ORDER_CHALLENGE);
}

static void gives_up_before_it_leaves(void **state)
{
    (void)state;
    struct hub_ownership ownership = serving();
    assert_int_equal(hub_ownership_leave(&ownership), HUB_ORDER_GIVE_UP);
    assert_int_equal(hub_ownership_leave(&ownership), HUB_ORDER_NONE);
    assert_int_equal(tick(&ownership, 100000), HUB_ORDER_NONE);
    assert_int_equal(applied(&ownership, 15, "", MINE, 100), HUB_ORDER_LEFT);
}

static void leaves_at_once_when_it_owns_nothing(void **state)
{
    (void)state;
    struct hub_ownership ownership = watching(true);
    assert_int_equal(hub_ownership_leave(&ownership), HUB_ORDER_LEFT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(challenges_nobody_before_the_log_is_read),
        cmocka_unit_test(takes_what_is_given_up_at_once),
        cmocka_unit_test(leaves_others_their_share_when_hubs_start_together),
        cmocka_unit_test(takes_back_at_once_what_an_earlier_start_of_it_owned),
        cmocka_unit_test(leaves_the_very_first_choice_to_the_preferred_hub),
        cmocka_unit_test(knows_from_a_saved_state_who_owned_it),
        cmocka_unit_test(challenges_a_silent_owner_and_the_preferred_hub_first),
        cmocka_unit_test(a_beat_of_the_owner_renews_its_time),
        cmocka_unit_test(a_hub_that_was_paused_listens_before_it_challenges),
        cmocka_unit_test(a_hub_that_is_connected_again_listens_before_it_challenges),
        cmocka_unit_test(a_challenge_that_another_won_is_over),
        cmocka_unit_test(a_challenge_without_outcome_is_repeated),
        cmocka_unit_test(stands_down_when_another_is_applied),
        cmocka_unit_test(stands_down_when_a_higher_generation_is_heard),
        cmocka_unit_test(stands_down_when_its_mailboxes_are_gone),
        cmocka_unit_test(gives_up_before_it_leaves),
        cmocka_unit_test(leaves_at_once_when_it_owns_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
