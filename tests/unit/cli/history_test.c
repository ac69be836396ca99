#include "cli/history.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void the_path_holds_any_user(void **state)
{
    (void)state;
    static const struct {
        const char *user, *before, *limit, *path;
    } rows[] = {
        {"bob", "", NULL, "/api/messages/bob?before="},
        {"bob", "1:57", "20", "/api/messages/bob?before=1:57&limit=20"},
        {"a/b?c&d%e f", "", NULL, "/api/messages/a%2Fb%3Fc%26d%25e%20f?before="},
        {"J\xC3\xBCrgen", "", NULL, "/api/messages/J%C3%BCrgen?before="},
        {"..", "1&x", "5&y", "/api/messages/..?before=1%26x&limit=5%26y"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buffer path = {0};
        cli_history_path(rows[i].user, rows[i].before, rows[i].limit, &path);
        assert_true(text_equal(buffer_text(&path), text_of(rows[i].path)));
        buffer_free(&path);
    }
}

static void a_page_is_a_line_a_message_and_what_is_to_be_said_of_it(void **state)
{
    (void)state;
    static const struct {
        const char *body, *lines, *notes;
    } rows[] = {
        {"{\"messages\":[],\"more\":false,\"complete\":true}", "", ""},
        {"{\"messages\":[{\"cursor\":\"1:7\",\"body\":{ \"a\":1}},{\"cursor\":\"1:8\"}],"
         "\"more\":true,\"complete\":true}",
         "{\"cursor\":\"1:7\",\"body\":{ \"a\":1}}\n{\"cursor\":\"1:8\"}\n",
         "there are older ones: --before 1:7\n"},
        {"{\"messages\":[],\"more\":false,\"complete\":false,\"reason\":\"retention\"}", "",
         "older ones are missing: \"retention\"\n"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buffer lines = {0};
        struct buffer notes = {0};
        assert_int_equal(cli_history_lines(text_of(rows[i].body), &lines, &notes), 0);
        assert_true(text_equal(buffer_text(&lines), text_of(rows[i].lines)));
        assert_true(text_equal(buffer_text(&notes), text_of(rows[i].notes)));
        buffer_free(&lines);
        buffer_free(&notes);
    }
}

static void what_is_no_page_is_refused(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "",
        "nothing",
        "[]",
        "{}",
        "{\"messages\":{}}",
        "{\"messages\":[7]}",
        "{\"messages\":[{}]}",
        "{\"messages\":[{\"cursor\":7}]}",
    };
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        struct buffer lines = {0};
        struct buffer notes = {0};
        assert_int_equal(cli_history_lines(text_of(bodies[i]), &lines, &notes), -EBADMSG);
        buffer_free(&lines);
        buffer_free(&notes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_path_holds_any_user),
        cmocka_unit_test(a_page_is_a_line_a_message_and_what_is_to_be_said_of_it),
        cmocka_unit_test(what_is_no_page_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
