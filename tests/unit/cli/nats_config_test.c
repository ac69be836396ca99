#include "cli/nats_config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char one[] =
    "primary: dub\nregions:\n"
    "- {name: dub, latitude: 1, longitude: 2,\n"
    "   nodes: [{name: dub-n, client: 127.0.0.2:1, cluster: 127.0.0.2:2, gateway: 127.0.0.2:3}],\n"
    "   hubs: [{name: dub-h, health: 127.0.0.2:5}],\n"
    "   edges: [{name: dub-e, listen: 127.0.0.2:6, url: http://127.0.0.2:6}]}\n";
static const char two[] =
    "- {name: sin, latitude: 1, longitude: 2,\n"
    "   nodes: [{name: sin-n, client: 127.0.0.1:1, cluster: 127.0.0.1:2, gateway: 127.0.0.1:3,\n"
    "            monitor: 127.0.0.1:4}],\n"
    "   hubs: [{name: sin-h, health: 127.0.0.1:5}],\n"
    "   edges: [{name: sin-e, listen: 127.0.0.1:6, url: http://127.0.0.1:6}]}\n";

/* The configuration of the last region's node, as a string. */
static char *render_with(const char *first, const char *second, const char *store,
                         const char *credentials)
{
    struct buffer yaml = {0}, out = {0};
    struct error_text why = {0};
    buffer_printf(&yaml, "%s%s", first, second);
    struct catalogue *catalogue = catalogue_load_text(buffer_text(&yaml), "r.yaml", &why);
    assert_string_equal(why.text, "");
    const struct catalogue_region *region = &catalogue->regions[catalogue->region_count - 1];
    const struct cli_nats_place place = {
        .title = "For trying.", .store_dir = store, .max_bytes = 1000, .credentials = credentials};
    cli_nats_config(catalogue, region, &region->nodes[0], &place, &out);
    buffer_append(&out, "", 1);
    catalogue_free(catalogue);
    buffer_free(&yaml);
    return (char *)out.data;
}

static char *render(const char *first, const char *second, const char *store)
{
    return render_with(first, second, store, NULL);
}

static void a_server_all_alone_has_neither_cluster_nor_gateway(void **state)
{
    (void)state;
    char *config = render(one, "", "/store");
    assert_string_equal(config, "# For trying.\n"
                                "server_name: dub-n\n"
                                "server_tags: [\"region:dub\"]\n"
                                "listen: \"127.0.0.2:1\"\n"
                                "jetstream {\n"
                                "  store_dir: \"/store\"\n"
                                "  max_mem: 64MB\n"
                                "  max_file: 1000\n"
                                "  sync_interval: always\n"
                                "}\n"
                                "ping_interval: \"2s\"\n"
                                "ping_max: 2\n");
    free(config);
}

static void several_regions_have_gateways_to_each_other(void **state)
{
    (void)state;
    char *config = render(one, two, "/store");
    assert_non_null(strstr(config, "http: \"127.0.0.1:4\"\n"));
    assert_non_null(strstr(config, "cluster {\n"
                                   "  name: sin\n"
                                   "  listen: \"127.0.0.1:2\"\n"
                                   "  routes: [\"nats://127.0.0.1:2\"]\n"
                                   "}\n"));
    assert_non_null(strstr(config, "gateway {\n"
                                   "  name: sin\n"
                                   "  listen: \"127.0.0.1:3\"\n"
                                   "  reject_unknown_cluster: true\n"
                                   "  gateways: [\n"
                                   "    {name: dub, urls: [\"nats://127.0.0.2:3\"]}\n"
                                   "    {name: sin, urls: [\"nats://127.0.0.1:3\"]}\n"
                                   "  ]\n"
                                   "}\n"));
    free(config);
}

static void a_folder_may_have_any_name(void **state)
{
    (void)state;
    char *config = render(one, "", "/a \"b\"\\c");
    assert_non_null(strstr(config, "store_dir: \"/a \\\"b\\\"\\\\c\"\n"));
    free(config);
}

static void with_credentials_every_port_asks_for_a_certificate(void **state)
{
    (void)state;
    char *config = render_with(one, two, "/store", "/keys");
    size_t ports = 0;
    for (const char *at = config; (at = strstr(at, "tls {")) != NULL; at++)
        ports++;
    assert_int_equal(ports, 3);
    assert_non_null(strstr(config, "ca_file: \"/keys/clients.pem\"\n  verify_and_map: true"));
    assert_non_null(strstr(config, "user: \"nodes.sin.meridian\""));
    assert_null(strstr(config, "no_auth_user"));
    free(config);
}

static void users_are_those_of_the_region_and_the_operator(void **state)
{
    (void)state;
    char *config = render_with(one, two, "/store", "/keys");
    assert_non_null(strstr(config, "CN=sin-e,OU=edge,O=meridian"));
    assert_non_null(strstr(config, "CN=sin-h,OU=hub,O=meridian"));
    assert_non_null(strstr(config, "CN=operator,OU=operator,O=meridian"));
    assert_null(strstr(config, "CN=dub-e"));
    assert_non_null(strstr(config, "\"pa.*.*.sin-h-0.*\""));
    assert_non_null(strstr(config, "\"$JS.API.STREAM.PURGE.OUT_sin_dub\""));
    assert_null(strstr(config, "LOG_dub"));
    free(config);
}

static void processes_of_an_edge_are_one_user_and_hear_each_what_is_its_own(void **state)
{
    (void)state;
    static const char several[] =
        "- {name: sin, latitude: 1, longitude: 2,\n"
        "   nodes: [{name: sin-n, client: 127.0.0.1:1, cluster: 127.0.0.1:2, gateway: "
        "127.0.0.1:3}],\n"
        "   hubs: [{name: sin-h, health: 127.0.0.1:5}],\n"
        "   edges: [{name: sin-e, listen: 127.0.0.1:6, url: http://127.0.0.1:6, processes: 2}]}\n";
    static const char *const theirs[] = {
        "\"beat.edge.sin.sin-e-p1\"", "\"beat.edge.sin.sin-e-p2\"", "\"edge.sin.sin-e-p1\"",
        "\"edge.sin.sin-e-p2\"",      "\"pa.*.*.sin-e-p1.*\"",      "\"pa.*.*.sin-e-p2.*\"",
        "\"_INBOX.sin-e-p1.>\"",      "\"_INBOX.sin-e-p2.>\"",      "CN=sin-e,OU=edge"};
    static const char *const nobodys[] = {"CN=sin-e-p1", "sin-e-p3", "\"edge.sin.sin-e\"",
                                          "_INBOX.sin-e.>"};
    char *config = render_with(one, several, "/store", "/keys");
    for (size_t i = 0; i < COUNT_OF(theirs); i++)
        assert_non_null(strstr(config, theirs[i]));
    for (size_t i = 0; i < COUNT_OF(nobodys); i++)
        assert_null(strstr(config, nobodys[i]));
    free(config);
}

/* Who asks says where the answer goes, and it goes there with the server's rights. */
static void an_edge_is_alone_in_an_account(void **state)
{
    (void)state;
    char *config = render_with(one, two, "/store", "/keys");
    char *edge = strstr(config, "  EDGE_sin-e {\n");
    assert_non_null(edge);
    assert_null(strstr(config, "EDGE_dub-e"));
    assert_true(strstr(config, "CN=sin-e,OU=edge") > edge);
    assert_true(strstr(config, "CN=sin-h,OU=hub") < edge);
    assert_null(strstr(edge, "jetstream"));
    static const char *const imported[] = {
        "{service: {account: MERIDIAN, subject: \"log.sin.*.e\"}}",
        "{service: {account: MERIDIAN, subject: \"out.sin.dub.0\"}}",
        "{service: {account: MERIDIAN, subject: \"hub.*.*.fetch\"}}",
        "{service: {account: MERIDIAN, subject: \"beat.edge.sin.sin-e\"}}",
        "{service: {account: MERIDIAN, subject: \"$JS.API.STREAM.MSG.GET.KV_DIRECTORY\"}}",
        "{stream: {account: MERIDIAN, subject: \"edge.sin.sin-e\"}}"};
    for (size_t i = 0; i < COUNT_OF(imported); i++)
        assert_non_null(strstr(edge, imported[i]));
    static const char *const nobodys[] = {"genesis",           "out.sin.*",   "out.sin.dub.16",
                                          "API.STREAM.DELETE", "log.sin.*.h", "subject: \"pa."};
    for (size_t i = 0; i < COUNT_OF(nobodys); i++)
        assert_null(strstr(edge, nobodys[i]));
    free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_all_alone_has_neither_cluster_nor_gateway),
        cmocka_unit_test(several_regions_have_gateways_to_each_other),
        cmocka_unit_test(a_folder_may_have_any_name),
        cmocka_unit_test(with_credentials_every_port_asks_for_a_certificate),
        cmocka_unit_test(users_are_those_of_the_region_and_the_operator),
        cmocka_unit_test(processes_of_an_edge_are_one_user_and_hear_each_what_is_its_own),
        cmocka_unit_test(an_edge_is_alone_in_an_account),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
