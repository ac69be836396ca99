/* Every file in config/ loads with the code that reads it: a row each, and no file without one. */
#include "catalogue/catalogue.h"
#include "edge/edge_settings.h"
#include "region-hub/hub_settings.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define CONFIG MERIDIAN_SOURCE_DIR "/config/"

static void load_catalogue(const char *path)
{
    struct error_text why;
    struct catalogue *catalogue = catalogue_load_file(path, &why);
    if (catalogue == NULL)
        fail_msg("%s", why.text);
    catalogue_free(catalogue);
}

static void load_settings(const struct setting *table, void *settings, const char *path)
{
    struct error_text why;
    settings_defaults(table, settings);
    if (settings_load_file(table, settings, path, &why) != 0)
        fail_msg("%s", why.text);
}

static void load_edge(const char *path)
{
    struct edge_settings settings;
    load_settings(edge_settings_table, &settings, path);
}

static void load_hub(const char *path)
{
    struct hub_settings settings;
    load_settings(hub_settings_table, &settings, path);
}

static const struct {
    const char *file;
    void (*load)(const char *path);
} files[] = {
    {"edge.yaml", load_edge},
    {"hub.yaml", load_hub},
    {"regions.yaml", load_catalogue},
    {"single.yaml", load_catalogue},
};

static void every_file_loads(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s%s", CONFIG, files[i].file);
        files[i].load(path);
    }
}

static bool has_row(const char *file)
{
    for (size_t i = 0; i < COUNT_OF(files); i++)
        if (strcmp(files[i].file, file) == 0)
            return true;
    return false;
}

static void every_file_has_a_row(void **state)
{
    (void)state;
    DIR *folder = opendir(CONFIG);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (entry->d_name[0] != '.' && !has_row(entry->d_name))
            fail_msg("config/%s is loaded by no test", entry->d_name);
    closedir(folder);
}

static void the_demo_is_three_regions(void **state)
{
    (void)state;
    struct catalogue *catalogue = catalogue_load_file(CONFIG "regions.yaml", NULL);
    assert_non_null(catalogue);
    assert_int_equal(catalogue->region_count, 3);
    assert_string_equal(catalogue_primary(catalogue)->name, "dub");
    assert_int_equal(catalogue->unknown_recipients, CATALOGUE_ADOPT);
    for (size_t i = 0; i < catalogue->region_count; i++) {
        assert_int_equal(catalogue->regions[i].shards, 2);
        assert_int_equal(catalogue->regions[i].hub_count, 2);
        assert_int_equal(catalogue->regions[i].edge_count, 2);
        assert_int_equal(catalogue->regions[i].log_max_bytes, 256 << 20);
    }
    catalogue_free(catalogue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_file_loads),
        cmocka_unit_test(every_file_has_a_row),
        cmocka_unit_test(the_demo_is_three_regions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
