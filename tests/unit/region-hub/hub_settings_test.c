#include "region-hub/hub_settings.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char single[] = MERIDIAN_SOURCE_DIR "/config/single.yaml";
static const char hub_yaml[] = MERIDIAN_SOURCE_DIR "/config/hub.yaml";

static int parse(const char *const *arguments, struct hub_settings *settings,
                 struct error_text *why)
{
    char copies[16][512];
    char *argv[17] = {NULL};
    int argc = 0;
    bool done = false;
    for (; arguments[argc] != NULL; argc++) {
        snprintf(copies[argc], sizeof copies[argc], "%s", arguments[argc]);
        argv[argc] = copies[argc];
    }
    int err = hub_settings_from_arguments(argc, argv, settings, &done, why);
    assert_false(done);
    return err;
}

static void the_file_says_what_the_table_says(void **state)
{
    (void)state;
    struct hub_settings defaults;
    struct hub_settings loaded;
    struct error_text why;
    memset(&defaults, 0, sizeof defaults);
    memset(&loaded, 0, sizeof loaded);
    settings_defaults(hub_settings_table, &defaults);
    settings_defaults(hub_settings_table, &loaded);
    if (settings_load_file(hub_settings_table, &loaded, hub_yaml, &why) != 0)
        fail_msg("%s", why.text);
    assert_memory_equal(&loaded, &defaults, sizeof loaded);
}

static void options_override_the_file_wherever_it_stands(void **state)
{
    (void)state;
    struct hub_settings settings;
    struct error_text why = {0};
    const char *const arguments[] = {"meridian-hub", "--set",       "lanes.stall=3s", "--name",
                                     "local-hub-1",  "--region",    "local",          "--data",
                                     "/somewhere",   "--catalogue", single,           "--config",
                                     hub_yaml,       NULL};
    if (parse(arguments, &settings, &why) != 0)
        fail_msg("%s", why.text);
    assert_int_equal(settings.lane_stall_ms, 3000);
    assert_string_equal(settings.name, "local-hub-1");
    assert_string_equal(settings.data, "/somewhere");
}

static void refuses_what_the_catalogue_does_not_know(void **state)
{
    (void)state;
    struct hub_settings settings;
    struct error_text why = {0};
    const char *hub[] = {"meridian-hub", "--name", "nobody",      "--region", "local",
                         "--data",       "/x",     "--catalogue", single,     NULL};
    assert_int_equal(parse(hub, &settings, &why), -EINVAL);
    assert_non_null(strstr(why.text, "nobody"));
    hub[2] = "local-hub-1";
    hub[4] = "nowhere";
    assert_int_equal(parse(hub, &settings, &why), -EINVAL);
    assert_non_null(strstr(why.text, "nowhere"));
}

static void refuses_options_it_does_not_know_and_names_what_is_missing(void **state)
{
    (void)state;
    struct hub_settings settings;
    struct error_text why = {0};
    const char *const unknown[] = {"meridian-hub", "--nonsense", NULL};
    const char *const missing[] = {"meridian-hub", "--region", "local",
                                   "--catalogue",  single,     NULL};
    const char *const stray[] = {"meridian-hub", "stray", NULL};
    assert_int_equal(parse(unknown, &settings, &why), -EINVAL);
    assert_non_null(strstr(why.text, "--nonsense"));
    assert_int_equal(parse(missing, &settings, &why), -EINVAL);
    assert_non_null(strstr(why.text, "name"));
    assert_int_equal(parse(stray, &settings, &why), -EINVAL);
    assert_non_null(strstr(why.text, "stray"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_says_what_the_table_says),
        cmocka_unit_test(options_override_the_file_wherever_it_stands),
        cmocka_unit_test(refuses_what_the_catalogue_does_not_know),
        cmocka_unit_test(refuses_options_it_does_not_know_and_names_what_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
