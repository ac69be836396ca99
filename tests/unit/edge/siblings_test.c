#include "catalogue/catalogue.h"
#include "edge/edge_siblings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void one_alone_has_no_other(void **state)
{
    (void)state;
    edge_siblings_say(NULL, 1, true);
    assert_false(edge_siblings_another_is_ready(NULL, 1));
    edge_siblings_free(NULL);
}

static void only_others_count(void **state)
{
    (void)state;
    const uint32_t last = CATALOGUE_PROCESSES_MAX;
    struct edge_siblings *siblings = edge_siblings_new(last);
    assert_non_null(siblings);
    assert_false(edge_siblings_another_is_ready(siblings, 1));
    edge_siblings_say(siblings, last, true);
    assert_true(edge_siblings_another_is_ready(siblings, 1));
    assert_false(edge_siblings_another_is_ready(siblings, last));
    edge_siblings_say(siblings, last, false);
    assert_false(edge_siblings_another_is_ready(siblings, 1));
    edge_siblings_free(siblings);
}

static void processes_see_what_one_of_them_says(void **state)
{
    (void)state;
    int status = -1;
    struct edge_siblings *siblings = edge_siblings_new(2);
    assert_non_null(siblings);
    pid_t child = fork();
    if (child == 0) {
        edge_siblings_say(siblings, 2, true);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(edge_siblings_another_is_ready(siblings, 1));
    edge_siblings_free(siblings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_alone_has_no_other),
        cmocka_unit_test(only_others_count),
        cmocka_unit_test(processes_see_what_one_of_them_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
