/* What an operator wants revoked, by table. */
#include "cli/revoke.h"

#include "base/buffer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { NOW_S = 1790000000 };

static void options_say_what_is_revoked(void **state)
{
    (void)state;
    static const struct {
        struct cli_revoke_options options;
        enum wire_revoked_kind kind;
        int64_t before_s;
    } rows[] = {
        {{"bob", NULL, NULL, NULL}, WIRE_REVOKED_USER, 0},
        {{"bob", "tablet", NULL, NULL}, WIRE_REVOKED_DEVICE, 0},
        {{NULL, NULL, "t-1", NULL}, WIRE_REVOKED_TOKEN, 0},
        {{"bob", NULL, NULL, "now"}, WIRE_REVOKED_BEFORE, NOW_S},
        {{"bob", NULL, NULL, "1789999999"}, WIRE_REVOKED_BEFORE, NOW_S - 1},
        {{NULL, NULL, NULL, "2026-09-21T13:53:20Z"}, WIRE_REVOKED_ALL_BEFORE, NOW_S - 1200},
        {{NULL, NULL, NULL, "0"}, WIRE_REVOKED_ALL_BEFORE, 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct cli_revoke_options *options = &rows[i].options;
        struct wire_revoked revoked;
        struct error_text why = {0};
        assert_int_equal(cli_revoke_read(options, NOW_S, &revoked, &why), 0);
        assert_int_equal(revoked.kind, rows[i].kind);
        assert_int_equal(revoked.before_s, rows[i].before_s);
        assert_int_equal(revoked.user.size, options->user == NULL ? 0 : 3);
        assert_int_equal(revoked.device.size, options->device == NULL ? 0 : 6);
        assert_int_equal(revoked.token_id.size, options->token_id == NULL ? 0 : 3);
    }
}

static void what_cannot_be_meant_is_refused(void **state)
{
    (void)state;
    static const struct cli_revoke_options rows[] = {
        {NULL, NULL, NULL, NULL},
        {NULL, "tablet", NULL, NULL},
        {"bob", "tablet", NULL, "now"},
        {"bob", NULL, "t-1", NULL},
        {NULL, NULL, "t-1", "now"},
        {"", NULL, NULL, NULL},
        {"bob", "a b", NULL, NULL},
        {NULL, NULL, "", NULL},
        {"bob", NULL, NULL, "1790000001"}, /* a second from now */
        {"bob", NULL, NULL, "2026-09-21"},
        {"bob", NULL, NULL, "2026-09-21T13:53:20Zx"},
        {"bob", NULL, NULL, "1900-01-01T00:00:00Z"},
        {"bob", NULL, NULL, ""},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct wire_revoked revoked;
        struct error_text why = {0};
        if (cli_revoke_read(&rows[i], NOW_S, &revoked, &why) != -EINVAL || why.text[0] == '\0')
            fail_msg("row %zu", i);
    }
}

static void of_two_the_stronger_holds(void **state)
{
    (void)state;
    struct wire_revoked revoked = {.until_s = 100, .before_s = 50};
    cli_revoke_merge(&revoked, &(struct wire_revoked){.until_s = 90, .before_s = 60});
    assert_true(revoked.until_s == 100 && revoked.before_s == 60);
    cli_revoke_merge(&revoked, &(struct wire_revoked){.until_s = 110, .before_s = 10});
    assert_true(revoked.until_s == 110 && revoked.before_s == 60);
    cli_revoke_merge(&revoked, &(struct wire_revoked){0}); /* there was none */
    assert_true(revoked.until_s == 110 && revoked.before_s == 60);
}

static void a_line_tells_who_and_until_when(void **state)
{
    (void)state;
    static const struct {
        struct wire_revoked revoked;
        const char *line;
    } rows[] = {
        {{.kind = WIRE_REVOKED_USER, .user = {"bob", 3}}, "user bob"},
        {{.kind = WIRE_REVOKED_DEVICE, .user = {"bob", 3}, .device = {"tv", 2}},
         "user bob device tv"},
        {{.kind = WIRE_REVOKED_TOKEN, .token_id = {"t-1", 3}}, "token t-1"},
        {{.kind = WIRE_REVOKED_BEFORE, .user = {"bob", 3}, .before_s = NOW_S},
         "user bob issued before 2026-09-21T14:13:20Z"},
        {{.kind = WIRE_REVOKED_ALL_BEFORE, .before_s = NOW_S},
         "everybody issued before 2026-09-21T14:13:20Z"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct wire_revoked revoked = rows[i].revoked;
        struct buffer out = {0}, expected = {0};
        revoked.until_s = NOW_S + 60;
        cli_revoke_print(&revoked, &out);
        buffer_printf(&expected, "%s until 2026-09-21T14:14:20Z\n", rows[i].line);
        assert_true(text_equal(buffer_text(&out), buffer_text(&expected)));
        buffer_free(&out);
        buffer_free(&expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_say_what_is_revoked),
        cmocka_unit_test(what_cannot_be_meant_is_refused),
        cmocka_unit_test(of_two_the_stronger_holds),
        cmocka_unit_test(a_line_tells_who_and_until_when),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
