#include "cli/jetstream.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void an_answer_without_error_has_none(void **state)
{
    (void)state;
    struct cli_js_error error = {.code = 9};
    assert_int_equal(cli_js_error_read(TEXT("{\"config\":{}}"), &error), 0);
    assert_int_equal(error.code, 0);
}

static void reads_an_error(void **state)
{
    (void)state;
    struct cli_js_error error;
    assert_int_equal(cli_js_error_read(TEXT("{\"error\":{\"code\":404,\"err_code\":10059,"
                                            "\"description\":\"stream not found\"}}"),
                                       &error),
                     0);
    assert_int_equal(error.code, 404);
    assert_int_equal(error.err_code, CLI_JS_STREAM_NOT_FOUND);
    assert_string_equal(error.description, "stream not found");
    assert_false(cli_js_error_passes(&error));
}

static void what_is_no_answer_is_refused(void **state)
{
    (void)state;
    struct cli_js_error error;
    assert_int_equal(cli_js_error_read(TEXT(""), &error), -EBADMSG);
    assert_int_equal(cli_js_error_read(TEXT("{\"error\":7}"), &error), -EBADMSG);
    assert_int_equal(cli_js_error_read(TEXT("{\"error\":{}}"), &error), -EBADMSG);
}

static void knows_what_passes(void **state)
{
    (void)state;
    assert_true(cli_js_error_passes(&(struct cli_js_error){.code = 503}));
    assert_true(cli_js_error_passes(
        &(struct cli_js_error){.code = 400, .err_code = CLI_JS_NO_SUITABLE_PEERS}));
    assert_false(cli_js_error_passes(&(struct cli_js_error){.code = 400, .err_code = 10058}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_without_error_has_none),
        cmocka_unit_test(reads_an_error),
        cmocka_unit_test(what_is_no_answer_is_refused),
        cmocka_unit_test(knows_what_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
