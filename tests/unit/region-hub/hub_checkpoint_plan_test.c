#include "region-hub/hub_checkpoint_plan.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { DAY_MS = 86400000 };

static const struct mailbox_moving nothing;

static void the_first_is_due_an_interval_after_the_log_began(void **state)
{
    (void)state;
    struct mailbox_state mailbox = {.position = 9, .time_ms = 5000, .config.level = 2};
    assert_false(hub_checkpoint_is_due(&mailbox, &nothing, 4000, 1001));
    assert_true(hub_checkpoint_is_due(&mailbox, &nothing, 4000, 1000));
    assert_true(
        hub_checkpoint_is_due(&mailbox, &nothing, 0, 1000)); /* its first record is not there */
    mailbox.position = 0;
    assert_false(hub_checkpoint_is_due(&mailbox, &nothing, 0, 1000));
}

static void the_next_is_due_an_interval_after_the_last(void **state)
{
    (void)state;
    struct mailbox_state mailbox = {.position = 9,
                                    .time_ms = 10 + DAY_MS - 1,
                                    .config.level = 2,
                                    .checkpoint_position = 7,
                                    .checkpoint_ms = 10};
    assert_false(hub_checkpoint_is_due(&mailbox, &nothing, 0, DAY_MS));
    mailbox.time_ms++;
    assert_true(hub_checkpoint_is_due(&mailbox, &nothing, 0, DAY_MS));
}

static void none_is_due_before_all_hubs_know_them(void **state)
{
    (void)state;
    const struct mailbox_state mailbox = {.position = 9, .time_ms = DAY_MS, .config.level = 1};
    assert_false(hub_checkpoint_is_due(&mailbox, &nothing, 0, 1000));
}

static void it_waits_for_messages_of_home_moves_but_not_for_ever(void **state)
{
    (void)state;
    struct mailbox_state mailbox = {.position = 9, .time_ms = 6999, .config.level = 3};
    const struct mailbox_moving held = {.users = 1, .held = 1};
    const struct mailbox_moving passed = {.to_pass_on = 1};
    const struct mailbox_moving empty = {.users = 1};
    assert_true(hub_checkpoint_is_due(&mailbox, &empty, 5000, 1000));
    assert_false(hub_checkpoint_is_due(&mailbox, &held, 5000, 1000));
    assert_false(hub_checkpoint_is_due(&mailbox, &passed, 5000, 1000));
    mailbox.time_ms = 7000;
    assert_true(hub_checkpoint_is_due(&mailbox, &held, 5000, 1000));
    assert_true(hub_checkpoint_is_due(&mailbox, &passed, 5000, 1000));
}

static void add(struct hub_checkpoint_list *list, uint64_t position, uint8_t incarnation)
{
    struct wire_stored stored = {.position = position, .size = 100 + position, .parts = 1};
    memset(stored.incarnation, incarnation, sizeof stored.incarnation);
    assert_int_equal(hub_checkpoint_list_add(list, &stored), 0);
}

static uint64_t from(const struct hub_checkpoint_list *list, uint64_t position)
{
    const struct hub_checkpoint_done *done = hub_checkpoint_list_from(list, position);
    return done == NULL ? 0 : done->position;
}

static void chooses_the_oldest_whose_successor_is_logged(void **state)
{
    (void)state;
    struct hub_checkpoint_list list = {0};
    assert_int_equal(from(&list, 0), 0);
    add(&list, 300, 1);
    add(&list, 100, 1); /* stored again, or late */
    add(&list, 200, 1);
    assert_int_equal(from(&list, 0), 100);
    assert_int_equal(from(&list, 100), 100); /* the log begins at 101 */
    assert_int_equal(from(&list, 101), 200);
    assert_int_equal(from(&list, 201), 300);
    assert_int_equal(from(&list, 301), 0);
    hub_checkpoint_list_clear(&list);
}

static void one_that_is_stored_again_replaces_the_first(void **state)
{
    (void)state;
    struct hub_checkpoint_list list = {0};
    add(&list, 100, 1);
    struct wire_stored again = {.position = 100, .size = 7, .parts = 1};
    memset(again.incarnation, 1, sizeof again.incarnation);
    assert_int_equal(hub_checkpoint_list_add(&list, &again), 0);
    assert_int_equal(list.count, 1);
    assert_int_equal(hub_checkpoint_list_from(&list, 1)->size, 7);
    hub_checkpoint_list_clear(&list);
}

static void what_an_older_log_of_this_name_has_left_is_of_no_use(void **state)
{
    (void)state;
    struct hub_checkpoint_list list = {0};
    add(&list, 5000, 1);
    add(&list, 100, 2);
    assert_int_equal(list.count, 1);
    assert_int_equal(from(&list, 1), 100);
    assert_int_equal(from(&list, 101), 0);
    hub_checkpoint_list_clear(&list);
}

static void keeps_the_segments_that_one_needs(void **state)
{
    (void)state;
    struct wire_stored stored = {.position = 4, .size = 9};
    const struct wire_segment segments[] = {{.id = 6, .count = 3}, {.id = 8, .count = 1}};
    struct buffer bytes = {0};
    struct hub_checkpoint_list list = {0};
    assert_int_equal(wire_stored_write(&bytes, &stored, segments, 2), 0);
    assert_int_equal(wire_stored_read(bytes.data, bytes.size, &stored), 0);
    assert_int_equal(hub_checkpoint_list_add(&list, &stored), 0);
    buffer_free(&bytes);
    const struct hub_checkpoint_done *done = hub_checkpoint_list_from(&list, 1);
    assert_int_equal(done->segment_count, 2);
    assert_true(done->segments[0].id == 6 && done->segments[0].count == 3);
    assert_true(done->segments[1].id == 8);
    hub_checkpoint_list_clear(&list);
}

static void a_list_is_bounded(void **state)
{
    (void)state;
    struct hub_checkpoint_list list = {0};
    for (uint64_t i = 1; i <= HUB_CHECKPOINTS_MAX; i++)
        add(&list, i, 1);
    struct wire_stored more = {.position = HUB_CHECKPOINTS_MAX + 1, .size = 1, .parts = 1};
    memset(more.incarnation, 1, sizeof more.incarnation);
    assert_int_equal(hub_checkpoint_list_add(&list, &more), -ENOSPC);
    assert_int_equal(list.count, HUB_CHECKPOINTS_MAX);
    add(&list, 5, 1); /* there already */
    hub_checkpoint_list_clear(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_is_due_an_interval_after_the_log_began),
        cmocka_unit_test(the_next_is_due_an_interval_after_the_last),
        cmocka_unit_test(none_is_due_before_all_hubs_know_them),
        cmocka_unit_test(it_waits_for_messages_of_home_moves_but_not_for_ever),
        cmocka_unit_test(chooses_the_oldest_whose_successor_is_logged),
        cmocka_unit_test(one_that_is_stored_again_replaces_the_first),
        cmocka_unit_test(what_an_older_log_of_this_name_has_left_is_of_no_use),
        cmocka_unit_test(keeps_the_segments_that_one_needs),
        cmocka_unit_test(a_list_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
