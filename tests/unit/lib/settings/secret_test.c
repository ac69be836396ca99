/* Secrets are shown neither when settings are printed nor in errors. */
#include "settings/settings.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct sample {
    char word[16];
    char url[64];
};

static const struct setting table[] = {
    SETTING_TEXT(struct sample, word, "word", "", 0, "A password.", SETTING_SECRET),
    SETTING_TEXT(struct sample, url, "url", "", 0, "A database.", SETTING_SECRET_URL),
    SETTINGS_END,
};

static void expect_printed(const char *assignment, const char *line)
{
    struct sample sample;
    struct buffer out = {0};
    settings_defaults(table, &sample);
    assert_int_equal(settings_set(table, &sample, assignment, NULL), 0);
    settings_print(table, &sample, &out);
    buffer_append(&out, "", 1);
    if (strstr((const char *)out.data, line) == NULL)
        fail_msg("'%s' is not in: %s", line, (const char *)out.data);
    assert_null(strstr((const char *)out.data, "secret"));
    buffer_free(&out);
}

static void a_secret_is_printed_as_stars(void **state)
{
    (void)state;
    expect_printed("word=secret", "\nword: \"***\"\n");
    expect_printed("word=", "\nword: \"\"\n");
}

static void of_a_url_only_the_password_is_hidden(void **state)
{
    (void)state;
    expect_printed("url=postgresql://u:secret@host:5/db",
                   "url: \"postgresql://u:***@host:5/db\"\n");
    expect_printed("url=postgresql://u:sec@secret@host/db",
                   "url: \"postgresql://u:***@host/db\"\n");
    expect_printed("url=postgresql://u:secret@", "url: \"postgresql://u:***@\"\n");
    expect_printed("url=postgresql://u@host/db?a=b", "url: \"postgresql://u@host/db?a=b\"\n");
    expect_printed("url=postgresql://h/d?password=secret", "url: \"postgresql://h/d?***\"\n");
    expect_printed("url=postgresql://u:secret@h/d?sslpassword=x",
                   "url: \"postgresql://u:***@h/d?***\"");
    expect_printed("url=sqlite:a/b.db", "url: \"sqlite:a/b.db\"\n");
    expect_printed("url=", "url: \"\"\n");
}

static void a_secret_that_is_refused_is_not_named(void **state)
{
    (void)state;
    struct sample sample;
    struct error_text why = {0};
    settings_defaults(table, &sample);
    assert_int_equal(settings_set(table, &sample, "word=secret-too-long-for-it", &why), -EINVAL);
    assert_null(strstr(why.text, "secret"));
    assert_non_null(strstr(why.text, "'word' is ***, must be"));
    assert_int_equal(settings_load_text(table, &sample, TEXT("word: \"secret-too-long-for-it\""),
                                        "a.yaml", &why),
                     -EINVAL);
    assert_null(strstr(why.text, "secret"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_is_printed_as_stars),
        cmocka_unit_test(of_a_url_only_the_password_is_hidden),
        cmocka_unit_test(a_secret_that_is_refused_is_not_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
