#include "geo/geo_route53.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_weight_is_a_bias(void **state)
{
    (void)state;
    static const struct {
        uint32_t weight;
        int bias;
    } rows[] = {{100, 0}, {50, -50},  {200, 50}, {0, -99},
                {1, -99}, {1000, 90}, {99, -1},  {125, 20}};
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(geo_route53_bias(rows[i].weight), rows[i].bias);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_weight_is_a_bias),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
