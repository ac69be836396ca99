#include "cli/version.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void judges_at_the_limits(void **state)
{
    (void)state;
    assert_int_equal(cli_version_judge("2.10.99"), CLI_VERSION_REFUSED);
    assert_int_equal(cli_version_judge("2.11.0"), CLI_VERSION_OLD);
    assert_int_equal(cli_version_judge("2.12.2"), CLI_VERSION_OLD);
    assert_int_equal(cli_version_judge("2.12.3"), CLI_VERSION_GOOD);
    assert_int_equal(cli_version_judge("3.0"), CLI_VERSION_GOOD);
}

static void reads_what_servers_write(void **state)
{
    (void)state;
    assert_int_equal(cli_version_judge("v2.15.1"), CLI_VERSION_GOOD);
    assert_int_equal(cli_version_judge("2.12.3-RC.1"), CLI_VERSION_GOOD);
    assert_int_equal(cli_version_judge(""), CLI_VERSION_UNKNOWN);
    assert_int_equal(cli_version_judge("recent"), CLI_VERSION_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_at_the_limits),
        cmocka_unit_test(reads_what_servers_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
