#include "edge/edge_settings.h"

#include "catalogue/catalogue.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char edge_yaml[] = MERIDIAN_SOURCE_DIR "/config/edge.yaml";
static const char single[] = MERIDIAN_SOURCE_DIR "/config/single.yaml";
static const char regions[] = MERIDIAN_SOURCE_DIR "/config/regions.yaml";

static void the_file_says_what_the_table_says(void **state)
{
    (void)state;
    struct edge_settings defaults;
    struct edge_settings loaded;
    struct error_text why;
    memset(&defaults, 0, sizeof defaults);
    memset(&loaded, 0, sizeof loaded);
    settings_defaults(edge_settings_table, &defaults);
    settings_defaults(edge_settings_table, &loaded);
    if (settings_load_file(edge_settings_table, &loaded, edge_yaml, &why) != 0)
        fail_msg("%s", why.text);
    assert_memory_equal(&loaded, &defaults, sizeof loaded);
}

static void the_settings_of_the_demo_are_good(void **state)
{
    (void)state;
    struct edge_settings settings;
    struct error_text why;
    memset(&settings, 0, sizeof settings);
    settings_defaults(edge_settings_table, &settings);
    if (settings_load_file(edge_settings_table, &settings,
                           MERIDIAN_SOURCE_DIR "/scripts/support/demo_edge.yaml", &why) != 0)
        fail_msg("%s", why.text);
    assert_int_equal(settings.sends_per_s, 0);
}

static void the_file_names_every_key(void **state)
{
    (void)state;
    char bytes[16384];
    FILE *file = fopen(edge_yaml, "r");
    assert_non_null(file);
    size_t size = fread(bytes, 1, sizeof bytes - 1, file);
    fclose(file);
    bytes[size] = '\0';
    for (const struct setting *row = edge_settings_table; row->key != NULL; row++) {
        const char *dot = strchr(row->key, '.');
        char line[SETTINGS_KEY_MAX + 8];
        snprintf(line, sizeof line, "\n%s%s:", dot == NULL ? "" : "  ",
                 dot == NULL ? row->key : dot + 1);
        if (strstr(bytes, line) == NULL)
            fail_msg("config/edge.yaml does not name '%s'", row->key);
    }
}

static void networks_and_origins_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *assignment;
        int result;
    } rows[] = {
        {"proxy.networks=", 0},
        {"proxy.networks=10.0.0.0/8, fd00::/8", 0},
        {"proxy.networks=10.0.0.1/8", -EINVAL},
        {"proxy.networks=balancer-1", -EINVAL},
        {"proxy.forwarded_networks=192.0.2.1", 0},
        {"proxy.forwarded_networks=10.0.0.0/8 fd00::/8", -EINVAL},
        {"proxy.forwarded_header=forwarded", 0},
        {"proxy.forwarded_header=X-Real-IP", -EINVAL},
        {"origins=https://a.example, https://b.example:8443", 0},
        {"origins=https://a.example/", -EINVAL},
        {"roles=socket", 0},
        {"roles=", -EINVAL},
        {"roles=api, admin", -EINVAL},
    };
    struct edge_settings settings;
    settings_defaults(edge_settings_table, &settings);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct error_text why = {0};
        int err = settings_set(edge_settings_table, &settings, rows[i].assignment, &why);
        if (err != rows[i].result)
            fail_msg("%s: %d %s", rows[i].assignment, err, why.text);
    }
}

static struct edge_settings edge_of(const char *region, const char *name)
{
    struct edge_settings settings;
    settings_defaults(edge_settings_table, &settings);
    assert_int_equal(text_put(settings.region, sizeof settings.region, text_of(region)), 0);
    assert_int_equal(text_put(settings.name, sizeof settings.name, text_of(name)), 0);
    return settings;
}

static int fit(const struct edge_settings *settings, const char *path, struct error_text *why)
{
    struct catalogue *catalogue = catalogue_load_file(path, NULL);
    assert_non_null(catalogue);
    *why = (struct error_text){0};
    int err = edge_settings_fit(settings, catalogue, why);
    catalogue_free(catalogue);
    return err;
}

static void fits_an_edge_of_the_catalogue(void **state)
{
    (void)state;
    struct error_text why;
    struct edge_settings settings = edge_of("local", "local-1");
    if (fit(&settings, single, &why) != 0)
        fail_msg("%s", why.text);
}

static void assert_refused(const struct edge_settings *settings, const char *path, const char *word)
{
    struct error_text why;
    assert_int_equal(fit(settings, path, &why), -EINVAL);
    if (strstr(why.text, word) == NULL)
        fail_msg("'%s' does not name '%s'", why.text, word);
}

static void refuses_what_the_catalogue_does_not_know(void **state)
{
    (void)state;
    struct edge_settings nowhere = edge_of("nowhere", "local-1");
    struct edge_settings nobody = edge_of("local", "nobody");
    struct edge_settings unnamed = edge_of("local", "");
    struct edge_settings elsewhere = edge_of("dub", "");
    assert_refused(&nowhere, single, "nowhere");
    assert_refused(&nobody, single, "nobody");
    assert_refused(&unnamed, single, "'name'");
    struct catalogue *catalogue = catalogue_load_file(regions, NULL);
    assert_non_null(catalogue);
    for (size_t i = 0; i < catalogue->region_count; i++)
        if (strcmp(catalogue->regions[i].name, "dub") != 0)
            assert_int_equal(text_put(elsewhere.name, sizeof elsewhere.name,
                                      text_of(catalogue->regions[i].edges[0].name)),
                             0);
    catalogue_free(catalogue);
    assert_refused(&elsewhere, regions, elsewhere.name); /* an edge of another region */
}

static void starts_as_many_processes_as_the_catalogue_gives_it_or_fewer(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t given, set, processes;
        int fits;
    } rows[] = {
        {"local-1", 1, 0, 0, 0},          {"local-1", 1, 1, 0, 0},
        {"local-1", 1, 2, 0, -EINVAL},    {"local-1", 4, 0, 4, 0},
        {"local-1", 4, 1, 1, 0},          {"local-1", 4, 4, 4, 0},
        {"local-1", 4, 5, 5, -EINVAL},    {"local-1-p4", 4, 0, 0, 0},
        {"local-1-p5", 4, 0, 0, -EINVAL}, {"local-1-p1", 1, 0, 0, -EINVAL},
    };
    struct error_text why;
    struct catalogue *catalogue = catalogue_load_file(single, &why);
    assert_non_null(catalogue);
    struct catalogue_edge *edge = &catalogue->regions[0].edges[0];
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct edge_settings settings = edge_of("local", rows[i].name);
        settings.processes = rows[i].set;
        edge->processes = rows[i].given;
        assert_int_equal(edge_settings_fit(&settings, catalogue, &why), rows[i].fits);
        assert_int_equal(edge_settings_processes(&settings, catalogue), rows[i].processes);
    }
    uint32_t number = 0;
    struct edge_settings fourth = edge_of("local", "local-1-p4");
    edge->processes = 4;
    assert_ptr_equal(edge_settings_edge(&fourth, catalogue, &number), edge);
    assert_int_equal(number, 4);
    assert_true(text_equal(edge_settings_listen(&fourth, catalogue), TEXT("127.0.0.1:24080")));
    catalogue_free(catalogue);
}

static void trusts_on_loopback_alone(void **state)
{
    (void)state;
    static const struct {
        const char *listen;
        bool good;
    } rows[] = {
        {"127.0.0.1:1", true},          {"127.255.255.254:8080", true}, {"[::1]:8080", true},
        {"0.0.0.0:8080", false},        {"[::]:8080", false},           {"10.0.0.1:8080", false},
        {"126.0.0.1:8080", false},      {"128.0.0.1:8080", false},      {"192.168.0.1:8080", false},
        {"[fe80::1]:8080", false},      {"[::2]:8080", false},          {"localhost:8080", false},
        {"127.0.0.1.example:1", false}, {"edge.example:8080", false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct error_text why;
        struct edge_settings settings = edge_of("local", "local-1");
        assert_int_equal(text_put(settings.listen, sizeof settings.listen, text_of(rows[i].listen)),
                         0);
        if ((fit(&settings, single, &why) == 0) != rows[i].good)
            fail_msg("listen %s: %s", rows[i].listen, why.text);
        if (!rows[i].good)
            assert_refused(&settings, single, "auth.required");
    }
}

static void who_requires_tokens_may_listen_anywhere(void **state)
{
    (void)state;
    struct error_text why;
    struct edge_settings settings = edge_of("local", "local-1");
    struct auth_key_settings key = {.file = "login.pem"};
    assert_int_equal(text_put(settings.listen, sizeof settings.listen, TEXT("0.0.0.0:8080")), 0);
    settings.auth.required = true;
    assert_refused(&settings, single, "auth.keys"); /* by which key? */
    settings.auth.keys = &key;
    settings.auth.key_count = 1;
    assert_refused(&settings, single, "auth.issuer");
    assert_int_equal(text_put(settings.auth.issuer, 8, TEXT("issuer")), 0);
    assert_int_equal(text_put(settings.auth.audience, 8, TEXT("edges")), 0);
    assert_int_equal(fit(&settings, single, &why), 0);
}

static void refuses_a_body_that_no_message_could_hold(void **state)
{
    (void)state;
    struct error_text why;
    struct edge_settings settings = edge_of("local", "local-1");
    settings.body_max = settings.message_max;
    assert_int_equal(fit(&settings, single, &why), 0);
    settings.body_max++;
    assert_refused(&settings, single, "limits.body_max");
}

static void listens_as_the_catalogue_says_unless_it_is_set(void **state)
{
    (void)state;
    struct catalogue *catalogue = catalogue_load_file(single, NULL);
    assert_non_null(catalogue);
    struct edge_settings settings = edge_of("local", "local-1");
    assert_true(text_equal(edge_settings_listen(&settings, catalogue), TEXT("127.0.0.1:24080")));
    assert_int_equal(text_put(settings.listen, sizeof settings.listen, TEXT("127.0.0.1:1")), 0);
    assert_true(text_equal(edge_settings_listen(&settings, catalogue), TEXT("127.0.0.1:1")));
    catalogue_free(catalogue);
}

static struct edge_settings edge_with_tls(const char *listen, bool only)
{
    struct edge_settings settings = edge_of("local", "local-1");
    assert_int_equal(text_put(settings.tls.certificate, 64, TEXT("edge.pem")), 0);
    assert_int_equal(text_put(settings.tls.key, 64, TEXT("edge.key")), 0);
    assert_int_equal(text_put(settings.tls.listen, sizeof settings.tls.listen, text_of(listen)), 0);
    settings.tls.only = only;
    return settings;
}

static void assert_listens(const struct edge_settings *settings, const char *plain, const char *tls)
{
    struct error_text why;
    struct catalogue *catalogue = catalogue_load_file(single, NULL);
    assert_non_null(catalogue);
    assert_int_equal(fit(settings, single, &why), 0);
    assert_true(text_equal(edge_settings_listen(settings, catalogue), text_of(plain)));
    assert_true(text_equal(edge_settings_listen_tls(settings, catalogue), text_of(tls)));
    catalogue_free(catalogue);
}

static void tls_has_a_port_beside_the_plain_one_or_in_its_place(void **state)
{
    (void)state;
    struct edge_settings none = edge_of("local", "local-1");
    struct edge_settings both = edge_with_tls("127.0.0.1:2", false);
    struct edge_settings instead = edge_with_tls("", true);
    struct edge_settings elsewhere = edge_with_tls("127.0.0.1:2", true);
    assert_listens(&none, "127.0.0.1:24080", "");
    assert_listens(&both, "127.0.0.1:24080", "127.0.0.1:2");
    assert_listens(&instead, "", "127.0.0.1:24080");
    assert_listens(&elsewhere, "", "127.0.0.1:2");
}

static void refuses_half_of_tls(void **state)
{
    (void)state;
    struct edge_settings settings = edge_with_tls("127.0.0.1:2", false);
    settings.tls.key[0] = '\0';
    assert_refused(&settings, single, "tls.key");
    settings = edge_with_tls("127.0.0.1:2", false);
    settings.tls.certificate[0] = '\0';
    assert_refused(&settings, single, "tls.certificate");
    settings.tls.key[0] = '\0';
    assert_refused(&settings, single, "tls.certificate");
    settings = edge_with_tls("", false);
    assert_refused(&settings, single, "tls.listen");
    settings = edge_with_tls("0.0.0.0:2", false);
    assert_refused(&settings, single, "auth.required");
    settings = edge_with_tls("127.0.0.1:2", false);
    settings.tls.ticket_lifetime_ms = 999;
    assert_refused(&settings, single, "tls.ticket_lifetime");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_says_what_the_table_says),
        cmocka_unit_test(the_file_names_every_key),
        cmocka_unit_test(the_settings_of_the_demo_are_good),
        cmocka_unit_test(networks_and_origins_are_checked),
        cmocka_unit_test(fits_an_edge_of_the_catalogue),
        cmocka_unit_test(refuses_what_the_catalogue_does_not_know),
        cmocka_unit_test(starts_as_many_processes_as_the_catalogue_gives_it_or_fewer),
        cmocka_unit_test(trusts_on_loopback_alone),
        cmocka_unit_test(who_requires_tokens_may_listen_anywhere),
        cmocka_unit_test(refuses_a_body_that_no_message_could_hold),
        cmocka_unit_test(listens_as_the_catalogue_says_unless_it_is_set),
        cmocka_unit_test(tls_has_a_port_beside_the_plain_one_or_in_its_place),
        cmocka_unit_test(refuses_half_of_tls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
