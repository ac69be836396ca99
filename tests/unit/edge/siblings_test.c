#include "edge/edge_siblings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { USERS = 1000, EACH = 3 };

struct one {
    struct edge_sibling sibling;
    char user[16];
};

static struct text user_of(struct edge_sibling *sibling)
{
    return text_of(container_of(sibling, struct one, sibling)->user);
}

static struct one all[USERS][EACH];

static size_t count(const struct edge_siblings *siblings, const char *user)
{
    size_t found = 0;
    struct edge_sibling *one = NULL;
    while ((one = edge_siblings_next(siblings, text_of(user), one)) != NULL) {
        assert_true(text_equal(user_of(one), text_of(user)));
        found++;
    }
    return found;
}

static void counts_those_of_one_user_while_they_come_and_go(void **state)
{
    (void)state;
    struct edge_siblings *siblings = edge_siblings_new(user_of);
    assert_int_equal(count(siblings, "u1"), 0);
    for (int i = 0; i < USERS; i++) {
        for (int j = 0; j < EACH; j++) {
            snprintf(all[i][j].user, sizeof all[i][j].user, "u%d", i);
            assert_int_equal(edge_siblings_add(siblings, &all[i][j].sibling), 0);
            assert_int_equal(count(siblings, all[i][j].user), j + 1);
        }
    }
    for (int i = 0; i < USERS; i++) {
        int first = i % EACH; /* from anywhere in its chain */
        for (int left = EACH; left > 0; left--) {
            struct one *one = &all[i][(first + left) % EACH];
            assert_int_equal(count(siblings, one->user), left);
            edge_siblings_remove(siblings, &one->sibling);
        }
        assert_int_equal(count(siblings, all[i][0].user), 0);
        assert_int_equal(count(siblings, all[USERS - 1][0].user), i == USERS - 1 ? 0 : EACH);
    }
    edge_siblings_free(siblings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_those_of_one_user_while_they_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
