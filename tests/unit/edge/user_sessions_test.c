#include "edge/edge_user_sessions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { USERS = 1000, EACH = 3 };

struct one {
    struct edge_user_session session;
    char user[16];
};

static struct text user_of(struct edge_user_session *session)
{
    return text_of(container_of(session, struct one, session)->user);
}

static struct one all[USERS][EACH];

static size_t count(const struct edge_user_sessions *set, const char *user)
{
    size_t found = 0;
    struct edge_user_session *one = NULL;
    while ((one = edge_user_sessions_next(set, text_of(user), one)) != NULL) {
        assert_true(text_equal(user_of(one), text_of(user)));
        found++;
    }
    return found;
}

static void counts_those_of_one_user_while_they_come_and_go(void **state)
{
    (void)state;
    struct edge_user_sessions *set = edge_user_sessions_new(user_of);
    assert_int_equal(count(set, "u1"), 0);
    for (int i = 0; i < USERS; i++) {
        for (int j = 0; j < EACH; j++) {
            snprintf(all[i][j].user, sizeof all[i][j].user, "u%d", i);
            assert_int_equal(edge_user_sessions_add(set, &all[i][j].session), 0);
            assert_int_equal(count(set, all[i][j].user), j + 1);
        }
    }
    for (int i = 0; i < USERS; i++) {
        int first = i % EACH; /* from anywhere in its chain */
        for (int left = EACH; left > 0; left--) {
            struct one *one = &all[i][(first + left) % EACH];
            assert_int_equal(count(set, one->user), left);
            edge_user_sessions_remove(set, &one->session);
        }
        assert_int_equal(count(set, all[i][0].user), 0);
        assert_int_equal(count(set, all[USERS - 1][0].user), i == USERS - 1 ? 0 : EACH);
    }
    edge_user_sessions_free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_those_of_one_user_while_they_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
