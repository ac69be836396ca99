#include "edge/edge_attaches.h"

#include "edge/edge_home.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { USERS = 1000, DEVICES = 3 };

struct lab {
    struct edge_attaches attaches;
    struct edge_attach devices[USERS][DEVICES];
    char names[USERS][16];
};

static struct lab *lab_of_all(void)
{
    struct lab *lab = calloc(1, sizeof *lab);
    assert_non_null(lab);
    assert_int_equal(edge_attaches_init(&lab->attaches), 0);
    for (size_t user = 0; user < USERS; user++)
        snprintf(lab->names[user], sizeof lab->names[user], "user-%zu", user);
    for (size_t device = 0; device < DEVICES; device++)
        for (size_t user = 0; user < USERS; user++) {
            struct edge_attach *attach = &lab->devices[user][device];
            attach->names = lab->names[user];
            attach->user_size = (uint8_t)strlen(lab->names[user]);
            assert_int_equal(edge_attaches_add(&lab->attaches, attach), 0);
        }
    return lab;
}

static void lab_end(struct lab *lab)
{
    edge_attaches_done(&lab->attaches);
    free(lab);
}

/* Which devices of a user are found, a bit each; each is found once. */
static unsigned found(struct lab *lab, size_t user)
{
    unsigned bits = 0;
    for (struct edge_attach *attach =
             edge_attaches_first(&lab->attaches, text_of(lab->names[user]));
         attach != NULL; attach = edge_attaches_next(attach)) {
        ptrdiff_t device = attach - lab->devices[user];
        assert_in_range(device, 0, DEVICES - 1);
        assert_int_equal(bits & 1U << device, 0);
        bits |= 1U << device;
    }
    return bits;
}

static void remove_all(struct lab *lab, size_t device)
{
    for (size_t user = 0; user < USERS; user++)
        edge_attaches_remove(&lab->attaches, &lab->devices[user][device]);
}

static void finds_the_devices_of_a_user_and_no_others(void **state)
{
    (void)state;
    struct lab *lab = lab_of_all();
    assert_int_equal(lab->attaches.count, USERS * DEVICES);
    for (size_t user = 0; user < USERS; user++)
        assert_int_equal(found(lab, user), 7);
    assert_null(edge_attaches_first(&lab->attaches, TEXT("user-")));
    assert_null(edge_attaches_first(&lab->attaches, TEXT("user-1000")));
    assert_null(edge_attaches_first(&lab->attaches, TEXT("")));
    for (size_t device = 0; device < DEVICES; device++)
        remove_all(lab, device);
    lab_end(lab);
}

static void what_is_removed_is_not_found_and_the_rest_is(void **state)
{
    (void)state;
    static const size_t order[DEVICES] = {1, 0, 2}; /* within, at an end, the last */
    static const unsigned left[DEVICES] = {5, 4, 0};
    struct lab *lab = lab_of_all();
    for (size_t i = 0; i < DEVICES; i++) {
        remove_all(lab, order[i]);
        for (size_t user = 0; user < USERS; user++)
            assert_int_equal(found(lab, user), left[i]);
    }
    assert_int_equal(lab->attaches.count, 0);
    lab_end(lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_devices_of_a_user_and_no_others),
        cmocka_unit_test(what_is_removed_is_not_found_and_the_rest_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
