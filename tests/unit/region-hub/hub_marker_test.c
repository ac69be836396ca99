#include "region-hub/hub_marker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/meridian-marker-XXXXXX";

/* A process that ends while it applies: the file stays as it was then. */
static void end_at(uint64_t position)
{
    struct hub_marker *marker = NULL;
    assert_int_equal(hub_marker_open(path, &marker), 0);
    assert_true(hub_marker_enter(marker, position));
    hub_marker_close(marker);
}

static void stops_after_two_ends_at_one_position(void **state)
{
    (void)state;
    struct hub_marker *marker = NULL;
    end_at(7);
    end_at(7);
    assert_int_equal(hub_marker_open(path, &marker), 0);
    assert_true(hub_marker_enter(marker, 6));
    hub_marker_leave(marker, 6);
    assert_false(hub_marker_enter(marker, 7));
    hub_marker_close(marker);
}

static void goes_on_after_ends_at_different_positions(void **state)
{
    (void)state;
    struct hub_marker *marker = NULL;
    end_at(7);
    end_at(8);
    end_at(7);
    assert_int_equal(hub_marker_open(path, &marker), 0);
    assert_true(hub_marker_enter(marker, 7));
    hub_marker_leave(marker, 7);
    hub_marker_close(marker);
    end_at(7); /* it was applied in between: this is the first again */
    assert_int_equal(hub_marker_open(path, &marker), 0);
    assert_true(hub_marker_enter(marker, 7));
    hub_marker_leave(marker, 7);
    hub_marker_close(marker);
}

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    unlink(path);
    for (size_t i = sizeof path - 7; i < sizeof path - 1; i++)
        path[i] = 'X';
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(stops_after_two_ends_at_one_position, make_file,
                                        remove_file),
        cmocka_unit_test_setup_teardown(goes_on_after_ends_at_different_positions, make_file,
                                        remove_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
