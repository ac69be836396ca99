#include "region-hub/hub_rescue_tail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { BODY = 10 };

/* Rows of one epoch, from the higher seq to the lower; false when it wants no more. */
static bool add(struct hub_rescue_tail *tail, uint32_t epoch, uint64_t from, uint64_t to)
{
    static const char body[BODY];
    for (uint64_t seq = from; seq >= to && seq > 0; seq--) {
        const struct archive_row row = {
            .epoch = epoch, .seq = seq, .at_ms = (int64_t)seq, .body = {body, sizeof body}};
        if (!hub_rescue_tail_add(tail, &row))
            return false;
    }
    return true;
}

static struct hub_rescue_tail begin(uint32_t epoch)
{
    struct hub_rescue_tail tail;
    hub_rescue_tail_begin(&tail, &(struct hub_rescue_limits){.epoch = epoch});
    return tail;
}

static void expect(const struct hub_rescue_tail *tail, uint64_t head, uint64_t oldest,
                   uint64_t base, uint64_t rows)
{
    assert_int_equal(tail->head, head);
    assert_int_equal(hub_rescue_oldest(tail), oldest);
    assert_int_equal(hub_rescue_base(tail), base);
    assert_int_equal(tail->rows, rows);
}

static void nothing_is_a_mailbox_too(void **state)
{
    (void)state;
    const struct hub_rescue_tail tail = begin(1);
    expect(&tail, 0, 1, 0, 0);
    assert_null(hub_rescue_part_of(&tail, 0));
}

static void the_newest_without_a_hole_are_taken(void **state)
{
    (void)state;
    struct hub_rescue_tail tail = begin(1);
    assert_true(add(&tail, 1, 90, 41));
    assert_false(add(&tail, 1, 39, 1)); /* 40 is missing */
    expect(&tail, 90, 41, 90, 50);
    assert_null(hub_rescue_part_of(&tail, 40));
    assert_int_equal(hub_rescue_part_of(&tail, 41)->epoch, 1);
    assert_int_equal(hub_rescue_part_of(&tail, 90)->to, 90);
    assert_null(hub_rescue_part_of(&tail, 91));
}

static void no_more_than_the_limits_allow(void **state)
{
    (void)state;
    static const struct {
        struct hub_rescue_limits limits;
        uint64_t oldest;
    } rows[] = {
        {{.epoch = 1, .rows_max = 5}, 86},
        {{.epoch = 1, .bytes_max = 5 * BODY}, 86},
        {{.epoch = 1, .bytes_max = 5 * BODY - 1}, 87},
        {{.epoch = 1, .bytes_max = 1}, 90}, /* the newest is kept always */
        {{.epoch = 1, .since_ms = 86}, 86},
        {{.epoch = 1, .since_ms = 91}, 91}, /* all are too old: the seqs go on all the same */
        {{.epoch = 1}, 1},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct hub_rescue_tail tail;
        hub_rescue_tail_begin(&tail, &rows[i].limits);
        assert_int_equal(add(&tail, 1, 90, 1), rows[i].oldest == 1);
        expect(&tail, 90, rows[i].oldest, 90, 91 - rows[i].oldest);
    }
}

/* Epoch 2 went on from 50 of epoch 1, whose region then came back with what it had more. */
static void an_epoch_goes_on_with_the_one_before(void **state)
{
    (void)state;
    struct hub_rescue_tail tail = begin(2);
    assert_true(add(&tail, 2, 60, 51));
    assert_true(add(&tail, 1, 53, 1)); /* 51 to 53 are of another branch */
    expect(&tail, 60, 1, 60, 60);
    assert_int_equal(tail.part_count, 2);
    assert_int_equal(hub_rescue_part_of(&tail, 51)->epoch, 2);
    assert_int_equal(hub_rescue_part_of(&tail, 50)->epoch, 1);
    assert_int_equal(hub_rescue_part_of(&tail, 50)->to, 50);
}

static void a_hole_between_two_epochs_ends_it(void **state)
{
    (void)state;
    struct hub_rescue_tail tail = begin(2);
    assert_true(add(&tail, 2, 60, 51));
    assert_false(add(&tail, 1, 49, 1));
    expect(&tail, 60, 51, 60, 10);
}

/* Of the epoch that the user has nothing was archived: nobody knows where the last one ended. */
static void what_is_of_an_earlier_epoch_is_no_base(void **state)
{
    (void)state;
    struct hub_rescue_tail tail = begin(3);
    assert_true(add(&tail, 2, 60, 51));
    assert_true(add(&tail, 1, 50, 1));
    expect(&tail, 60, 1, 0, 60);
}

/* Copies of a rescue that was not decided. */
static void what_is_of_a_later_epoch_is_of_no_mailbox(void **state)
{
    (void)state;
    struct hub_rescue_tail tail = begin(1);
    assert_true(add(&tail, 2, 95, 80));
    assert_true(add(&tail, 1, 90, 1));
    expect(&tail, 90, 1, 90, 90);
}

static void parts_are_bounded(void **state)
{
    (void)state;
    struct hub_rescue_tail tail = begin(HUB_RESCUE_PARTS_MAX + 1);
    for (uint32_t epoch = HUB_RESCUE_PARTS_MAX + 1; epoch > 1; epoch--)
        assert_true(add(&tail, epoch, epoch, epoch));
    assert_false(add(&tail, 1, 1, 1));
    expect(&tail, HUB_RESCUE_PARTS_MAX + 1, 2, HUB_RESCUE_PARTS_MAX + 1, HUB_RESCUE_PARTS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_a_mailbox_too),
        cmocka_unit_test(the_newest_without_a_hole_are_taken),
        cmocka_unit_test(no_more_than_the_limits_allow),
        cmocka_unit_test(an_epoch_goes_on_with_the_one_before),
        cmocka_unit_test(a_hole_between_two_epochs_ends_it),
        cmocka_unit_test(what_is_of_an_earlier_epoch_is_no_base),
        cmocka_unit_test(what_is_of_a_later_epoch_is_of_no_mailbox),
        cmocka_unit_test(parts_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
