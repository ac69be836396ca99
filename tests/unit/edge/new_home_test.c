/* What of a token's `home` counts when a user gets one. */
#include "edge/edge_new_home.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct catalogue_region regions[] = {{.name = "sin", .new_homes = true},
                                            {.name = "iad", .new_homes = false},
                                            {.name = "dub", .new_homes = true}};
static const struct catalogue catalogue = {.regions = regions, .region_count = 3};

static void the_home_of_a_token_counts_where_new_users_may_be(void **state)
{
    (void)state;
    static const struct {
        const char *home;
        int result;
        const struct catalogue_region *region;
    } rows[] = {
        {"", 0, NULL},           {"sin", 0, &regions[0]}, {"iad", 0, NULL},
        {"dub", 0, &regions[2]}, {"si", -ENOENT, NULL},   {"sinx", -ENOENT, NULL},
        {"mars", -ENOENT, NULL},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct catalogue_region *region = &regions[1];
        struct auth_identity identity = {.user = "alice", .device = "phone", .token_id = "t1"};
        assert_int_equal(text_put(identity.home, sizeof identity.home, text_of(rows[i].home)), 0);
        struct edge_token *token = edge_token_new(&identity, TEXT("a.b.c"), 0, 0, 0);
        assert_non_null(token);
        assert_true(text_equal(edge_token_home(token), text_of(rows[i].home)));
        assert_true(text_equal(edge_token_raw(token), TEXT("a.b.c")));
        assert_int_equal(edge_new_home_of_token(&catalogue, token, &region), rows[i].result);
        assert_ptr_equal(region, rows[i].region);
        free(token);
    }
}

static void without_a_token_the_next_rule_counts(void **state)
{
    (void)state;
    const struct catalogue_region *region = &regions[0];
    assert_int_equal(edge_new_home_of_token(&catalogue, NULL, &region), 0);
    assert_null(region);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_home_of_a_token_counts_where_new_users_may_be),
        cmocka_unit_test(without_a_token_the_next_rule_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
