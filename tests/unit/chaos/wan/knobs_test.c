#include "wan/knobs.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void assert_is(enum wan_unit unit, const char *text, uint64_t expected)
{
    uint64_t value = ~expected;
    assert_int_equal(wan_unit_parse(unit, text_of(text), &value), 0);
    assert_int_equal(value, expected);
}

static void assert_is_not(enum wan_unit unit, const char *text, int error)
{
    uint64_t value = 77;
    assert_int_equal(wan_unit_parse(unit, text_of(text), &value), error);
    assert_int_equal(value, 77);
}

static void reads_values_of_each_unit(void **state)
{
    (void)state;
    assert_is(WAN_NS, "110ms", 110000000);
    assert_is(WAN_NS, "0.5ms", 500000);
    assert_is(WAN_NS, "0.000000001s", 1);
    assert_is(WAN_NS, "250us", 250000);
    assert_is(WAN_PPM, "0.1%", 1000);
    assert_is(WAN_PPM, "100%", 1000000);
    assert_is(WAN_PPM, "0.0001%", 1);
    assert_is(WAN_BIT_S, "20mbit", 20000000);
    assert_is(WAN_BIT_S, "1.5gbit", 1500000000);
    assert_is(WAN_BIT_S, "64kbit", 64000);
    assert_is(WAN_BYTES, "1500", 1500);
    assert_is(WAN_BYTES, "64KiB", 65536);
    for (int unit = 0; unit < WAN_UNITS; unit++)
        assert_is((enum wan_unit)unit, "0", 0);
}

static void refuses_what_is_no_value(void **state)
{
    (void)state;
    static const char *const bad[] = {"",     "ms",    ".5ms",   "5.ms", "1.2.3ms", "-1ms", "1 ms",
                                      "0x1s", "110ns", "110mss", "5%",   "110",     "0xms"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_is_not(WAN_NS, bad[i], -EINVAL);
    assert_is_not(WAN_PPM, "5", -EINVAL);
    assert_is_not(WAN_BIT_S, "5", -EINVAL);
}

static void refuses_what_is_finer_than_its_unit_or_greater_than_64_bits(void **state)
{
    (void)state;
    assert_is_not(WAN_PPM, "0.00001%", -EINVAL);
    assert_is_not(WAN_BYTES, "0.5", -EINVAL);
    assert_is_not(WAN_NS, "0.0000000001s", -EINVAL);
    assert_is_not(WAN_NS, "0.00000000000000000000000000000000000001s", -EINVAL);
    assert_is(WAN_BYTES, "18446744073709551615", UINT64_MAX);
    assert_is_not(WAN_BYTES, "18446744073709551616", -ERANGE);
    assert_is_not(WAN_BYTES, "18446744073709551615GiB", -ERANGE);
    assert_is_not(WAN_NS, "99999999999999999999999s", -ERANGE);
}

static void keeps_each_knob_within_its_bounds(void **state)
{
    (void)state;
    uint64_t value = 77;
    assert_int_equal(wan_knob_parse(WAN_LOSS, TEXT("100%"), &value), 0);
    assert_int_equal(value, 1000000);
    assert_int_equal(wan_knob_parse(WAN_LOSS, TEXT("100.0001%"), &value), -ERANGE);
    assert_int_equal(wan_knob_parse(WAN_QUEUE, TEXT("1500"), &value), 0);
    assert_int_equal(wan_knob_parse(WAN_QUEUE, TEXT("1499"), &value), -ERANGE);
    assert_int_equal(wan_knob_parse(WAN_DELAY, TEXT("60s"), &value), 0);
    assert_int_equal(wan_knob_parse(WAN_DELAY, TEXT("60.000000001s"), &value), -ERANGE);
    assert_int_equal(value, 60000000000);
}

static void finds_knobs_by_name_and_begins_within_their_bounds(void **state)
{
    (void)state;
    struct wan_knobs knobs = wan_knobs_initial();
    for (size_t i = 0; i < WAN_KNOBS; i++) {
        enum wan_knob found = WAN_KNOBS;
        assert_int_equal(wan_knob_find(text_of(wan_knob_rows[i].name), &found), 0);
        assert_int_equal(found, i);
        assert_in_range(knobs.value[i], wan_knob_rows[i].min, wan_knob_rows[i].max);
    }
    enum wan_knob none;
    assert_int_equal(wan_knob_find(TEXT("dela"), &none), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_values_of_each_unit),
        cmocka_unit_test(refuses_what_is_no_value),
        cmocka_unit_test(refuses_what_is_finer_than_its_unit_or_greater_than_64_bits),
        cmocka_unit_test(keeps_each_knob_within_its_bounds),
        cmocka_unit_test(finds_knobs_by_name_and_begins_within_their_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
