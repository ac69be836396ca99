#include "region-hub/hub_acks.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { DEVICES_MAX = 2, INTERVAL = 1000 };

static struct hub_acks *make(void)
{
    struct hub_acks *acks = hub_acks_new(DEVICES_MAX, INTERVAL);
    assert_non_null(acks);
    return acks;
}

static int note(struct hub_acks *acks, const char *user, const char *device, uint64_t seq)
{
    return hub_acks_note(
        acks, &(struct hub_ack){
                  .user = text_of(user), .device = text_of(device), .epoch = 1, .seq = seq});
}

static void writes_the_first_at_once_and_the_next_after_the_interval(void **state)
{
    (void)state;
    struct hub_acks *acks = make();
    struct hub_ack due;
    assert_false(hub_acks_next(acks, 0, &due));
    assert_int_equal(note(acks, "bob", "phone", 5), 0);
    assert_true(hub_acks_next(acks, 0, &due));
    assert_int_equal(due.seq, 5);
    assert_true(text_equal(due.user, TEXT("bob")));
    assert_true(text_equal(due.device, TEXT("phone")));
    hub_acks_written(acks, 0);

    assert_int_equal(note(acks, "bob", "phone", 6), 0);
    assert_int_equal(note(acks, "bob", "phone", 9), 0);
    assert_int_equal(note(acks, "bob", "phone", 7), 0); /* behind: nothing */
    assert_false(hub_acks_next(acks, INTERVAL - 1, &due));
    assert_true(hub_acks_next(acks, INTERVAL, &due));
    assert_int_equal(due.seq, 9);
    hub_acks_free(acks);
}

static void gives_the_same_one_until_it_is_written(void **state)
{
    (void)state;
    struct hub_acks *acks = make();
    struct hub_ack due;
    assert_int_equal(note(acks, "bob", "phone", 5), 0);
    assert_true(hub_acks_next(acks, 0, &due));
    assert_int_equal(note(acks, "bob", "phone", 6), 0);
    assert_true(hub_acks_next(acks, 0, &due));
    assert_int_equal(due.seq, 6);
    hub_acks_free(acks);
}

static void forgets_who_has_rested(void **state)
{
    (void)state;
    struct hub_acks *acks = make();
    struct hub_ack due;
    assert_int_equal(note(acks, "bob", "phone", 0), 0); /* makes the device known */
    assert_true(hub_acks_next(acks, 0, &due));
    hub_acks_written(acks, 0);
    assert_int_equal(hub_acks_count(acks), 1);
    assert_false(hub_acks_next(acks, INTERVAL, &due));
    assert_int_equal(hub_acks_count(acks), 0);
    hub_acks_free(acks);
}

static void notes_devices_up_to_the_bound_and_not_one_more(void **state)
{
    (void)state;
    struct hub_acks *acks = make();
    assert_int_equal(note(acks, "bob", "phone", 1), 0);
    assert_int_equal(note(acks, "bob", "desk", 1), 0);
    assert_int_equal(note(acks, "eve", "phone", 1), -ENOSPC);
    assert_int_equal(note(acks, "bob", "desk", 2), 0); /* known: no new room */
    hub_acks_reset(acks);
    assert_int_equal(note(acks, "eve", "phone", 1), 0);
    hub_acks_free(acks);
}

static void a_new_epoch_is_written_whatever_its_seq(void **state)
{
    (void)state;
    struct hub_acks *acks = make();
    struct hub_ack due;
    assert_int_equal(note(acks, "bob", "phone", 5), 0);
    assert_true(hub_acks_next(acks, 0, &due));
    hub_acks_written(acks, 0);
    const struct hub_ack next = {TEXT("bob"), TEXT("phone"), 2, 5};
    assert_int_equal(hub_acks_note(acks, &next), 0);
    assert_true(hub_acks_next(acks, INTERVAL, &due));
    assert_int_equal(due.epoch, 2);
    hub_acks_free(acks);
}

static void tells_what_is_on_its_way(void **state)
{
    (void)state;
    struct hub_acks *acks = make();
    struct hub_ack due;
    assert_int_equal(hub_acks_noted(acks, TEXT("bob"), TEXT("phone"), 1), 0);
    assert_int_equal(note(acks, "bob", "phone", 5), 0);
    assert_int_equal(hub_acks_noted(acks, TEXT("bob"), TEXT("phone"), 1), 5);
    assert_int_equal(hub_acks_noted(acks, TEXT("bob"), TEXT("phone"), 2), 0);
    assert_int_equal(hub_acks_noted(acks, TEXT("bob"), TEXT("desk"), 1), 0);
    assert_true(hub_acks_next(acks, 0, &due));
    hub_acks_written(acks, 0); /* written, and not yet applied for all it knows */
    assert_int_equal(hub_acks_noted(acks, TEXT("bob"), TEXT("phone"), 1), 5);
    hub_acks_free(acks);
}

static void where_a_device_begins_is_written_by_itself(void **state)
{
    (void)state;
    struct hub_acks *acks = make();
    struct hub_ack due;
    const struct hub_ack begin = {
        .user = TEXT("bob"), .device = TEXT("phone"), .epoch = 1, .seq = 5};
    assert_int_equal(hub_acks_begin(acks, &begin), 0);
    assert_int_equal(note(acks, "bob", "phone", 8), 0); /* before it was written */
    assert_int_equal(hub_acks_noted(acks, TEXT("bob"), TEXT("phone"), 1), 8);
    assert_true(hub_acks_next(acks, 0, &due));
    assert_int_equal(due.seq, 5);
    hub_acks_written(acks, 0);
    assert_int_equal(hub_acks_begin(acks, &begin), 0); /* attached again: it is known to begin */
    assert_false(hub_acks_next(acks, INTERVAL - 1, &due));
    assert_true(hub_acks_next(acks, INTERVAL, &due));
    assert_int_equal(due.seq, 8);
    hub_acks_written(acks, INTERVAL);
    assert_false(hub_acks_next(acks, 2 * INTERVAL, &due));
    assert_int_equal(hub_acks_count(acks), 0);
    hub_acks_free(acks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_the_first_at_once_and_the_next_after_the_interval),
        cmocka_unit_test(gives_the_same_one_until_it_is_written),
        cmocka_unit_test(where_a_device_begins_is_written_by_itself),
        cmocka_unit_test(forgets_who_has_rested),
        cmocka_unit_test(notes_devices_up_to_the_bound_and_not_one_more),
        cmocka_unit_test(tells_what_is_on_its_way),
        cmocka_unit_test(a_new_epoch_is_written_whatever_its_seq),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
