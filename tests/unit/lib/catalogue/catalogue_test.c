#include "catalogue/catalogue.h"
#include "catalogue/check.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct error_text why;

static struct catalogue *load(const struct buffer *yaml)
{
    why.text[0] = '\0';
    return catalogue_load_text(buffer_text(yaml), "r.yaml", &why);
}

/* A region of five lines: nodes, hubs and edges as flow sequences, all names and addresses made
 * from its name and number. */
static void add_region(struct buffer *yaml, const char *name, int number)
{
    buffer_printf(yaml, "- {name: %s, latitude: 1, longitude: 2,\n", name);
    buffer_printf(yaml,
                  "   nodes: [{name: %s-n, client: 10.0.0.%d:1, cluster: 10.0.0.%d:2, "
                  "gateway: 10.0.0.%d:3}],\n",
                  name, number, number, number);
    buffer_printf(yaml, "   hubs: [{name: %s-h, health: 10.0.0.%d:5}],\n", name, number);
    buffer_printf(yaml, "   edges: [{name: %s-e, listen: 10.0.0.%d:6, url: http://%s.example}]}\n",
                  name, number, name);
}

static struct catalogue *load_two(struct buffer *yaml)
{
    buffer_printf(yaml, "primary: dub\nregions:\n");
    add_region(yaml, "sin", 1);
    add_region(yaml, "dub", 2);
    return load(yaml);
}

static void loads_regions_and_their_defaults(void **state)
{
    (void)state;
    struct buffer yaml = {0};
    struct catalogue *catalogue = load_two(&yaml);
    assert_string_equal(why.text, "");
    assert_non_null(catalogue);
    assert_int_equal(catalogue->dedupe_window_h, 96);
    assert_int_equal(catalogue_retention_s(catalogue), 7 * 86400);
    catalogue->retention_ms = 36 * 3600 * 1000;
    assert_int_equal(catalogue_retention_s(catalogue), 36 * 3600);
    assert_int_equal(catalogue->devices_max, 32);
    assert_int_equal(catalogue->unknown_recipients, CATALOGUE_REJECT);
    assert_int_equal(catalogue->region_count, 2);
    const struct catalogue_region *sin = &catalogue->regions[0];
    assert_string_equal(sin->name, "sin");
    assert_int_equal(sin->shards, 4);
    assert_int_equal(sin->replicas, 1);
    assert_false(sin->drain);
    assert_int_equal(sin->line, 3);
    assert_int_equal(sin->node_count, 1);
    assert_string_equal(sin->nodes[0].gateway, "10.0.0.1:3");
    assert_string_equal(sin->nodes[0].monitor, "");
    assert_string_equal(sin->edges[0].url, "http://sin.example");
    catalogue_free(catalogue);
    buffer_free(&yaml);
}

static void finds_what_it_holds(void **state)
{
    (void)state;
    struct buffer yaml = {0};
    struct catalogue *catalogue = load_two(&yaml);
    const struct catalogue_region *region = NULL;
    size_t index = 9;
    assert_non_null(catalogue);
    assert_ptr_equal(catalogue_primary(catalogue), &catalogue->regions[1]);
    assert_ptr_equal(catalogue_region(catalogue, TEXT("sin")), &catalogue->regions[0]);
    assert_null(catalogue_region(catalogue, TEXT("si")));
    assert_null(catalogue_region(catalogue, TEXT("")));
    assert_int_equal(catalogue_region_index(catalogue, TEXT("iad"), &index), -ENOENT);
    assert_int_equal(index, 9);
    assert_int_equal(catalogue_region_index(catalogue, TEXT("dub"), &index), 0);
    assert_int_equal(index, 1);
    assert_string_equal(catalogue_edge(catalogue, TEXT("dub-e"), &region)->listen, "10.0.0.2:6");
    assert_ptr_equal(region, &catalogue->regions[1]);
    assert_string_equal(catalogue_hub(catalogue, TEXT("sin-h"), &region)->health, "10.0.0.1:5");
    assert_ptr_equal(region, &catalogue->regions[0]);
    assert_non_null(catalogue_edge(catalogue, TEXT("sin-e"), NULL));
    assert_null(catalogue_edge(catalogue, TEXT("sin-h"), &region));
    assert_null(catalogue_hub(catalogue, TEXT("sin-e"), &region));
    catalogue_free(catalogue);
    buffer_free(&yaml);
}

static bool is_process(const struct catalogue *catalogue, const char *name, const char *of,
                       uint32_t number)
{
    const struct catalogue_region *region;
    uint32_t found = 0;
    const struct catalogue_edge *edge =
        catalogue_edge_of(catalogue, text_of(name), &region, &found);
    return edge != NULL && strcmp(edge->name, of) == 0 && found == number &&
           edge >= region->edges && edge < region->edges + region->edge_count;
}

static void an_edge_of_several_processes_is_as_many_edges(void **state)
{
    (void)state;
    struct catalogue_edge sin[] = {{.name = "a", .processes = 1}, {.name = "b", .processes = 12}};
    struct catalogue_edge dub[] = {{.name = "c-p1", .processes = 1}, {.name = "c", .processes = 1}};
    struct catalogue_region regions[] = {{.edges = sin, .edge_count = 2},
                                         {.edges = dub, .edge_count = 2}};
    const struct catalogue catalogue = {.regions = regions, .region_count = 2};
    static const char *const nobody[] = {
        "b",   "b-p0", "b-p13", "b-p01", "b-p",     "a-p1", "b-p1x",
        "-p1", "p1",   "1",     "",      "c-p1-p1", "d-p1", "b-p18446744073709551617"};
    size_t at = 99;
    assert_int_equal(catalogue_processes(&regions[0]), 13);
    assert_string_equal(catalogue_process(&sin[0], 1).name, "a");
    assert_string_equal(catalogue_process(&sin[1], 12).name, "b-p12");
    assert_true(is_process(&catalogue, "a", "a", 1));
    assert_true(is_process(&catalogue, "b-p1", "b", 1));
    assert_true(is_process(&catalogue, "b-p12", "b", 12));
    assert_true(is_process(&catalogue, "c-p1", "c-p1", 1)); /* it is called so */
    for (size_t i = 0; i < COUNT_OF(nobody); i++) {
        assert_false(is_process(&catalogue, nobody[i], nobody[i], 1));
        assert_int_equal(catalogue_process_index(&catalogue, text_of(nobody[i]), &at), -ENOENT);
    }
    assert_int_equal(at, 99);
    assert_int_equal(catalogue_process_index(&catalogue, TEXT("a"), &at), 0);
    assert_int_equal(at, 0);
    assert_int_equal(catalogue_process_index(&catalogue, TEXT("b-p12"), &at), 0);
    assert_int_equal(at, 12);
    assert_int_equal(catalogue_process_index(&catalogue, TEXT("c"), &at), 0);
    assert_int_equal(at, 14);
}

static void nats_urls_are_a_terminated_list(void **state)
{
    (void)state;
    struct catalogue_node nodes[2] = {{.client = "a:1"}, {.client = "[::1]:2"}};
    struct catalogue_region region = {.nodes = nodes, .node_count = 2};
    struct buffer urls = {0};
    catalogue_nats_urls(&region, &urls);
    assert_string_equal((const char *)urls.data, "nats://a:1,nats://[::1]:2");
    assert_int_equal(urls.size, strlen("nats://a:1,nats://[::1]:2"));
    buffer_free(&urls);
}

/* Loads two good regions of which `from` is replaced by `to`, and tells why that is refused. */
static const char *refusal(const char *from, const char *to)
{
    struct buffer yaml = {0};
    struct buffer changed = {0};
    catalogue_free(load_two(&yaml));
    const char *text = (const char *)yaml.data;
    const char *at = memmem(text, yaml.size, from, strlen(from));
    assert_non_null(at);
    buffer_append(&changed, text, (size_t)(at - text));
    buffer_append_text(&changed, text_of(to));
    at += strlen(from);
    buffer_append(&changed, at, yaml.size - (size_t)(at - text));
    assert_null(load(&changed));
    buffer_free(&yaml);
    buffer_free(&changed);
    return why.text;
}

static void errors_name_the_line(void **state)
{
    (void)state;
    static const struct {
        const char *from;
        const char *to;
        const char *why;
    } rows[] = {
        {"primary: dub", "", "r.yaml: 'primary' is missing"},
        {"primary: dub", "primary: iad", "r.yaml: 'primary' is iad, must be the name of a region"},
        {"primary: dub", "primary: dub\npins: [{country: RU, regions: dub, network: 10.0.0.0/8}]",
         "r.yaml:2: a pin has one of 'network', 'country', 'continent' and 'tenant', this one has "
         "2"},
        {"primary: dub", "primary: dub\npins: [{regions: dub}]",
         "r.yaml:2: a pin has one of 'network', 'country', 'continent' and 'tenant', this one has "
         "0"},
        {"primary: dub", "primary: dub\npins: [{tenant: acme, regions: \"sin, mars\"}]",
         "r.yaml:2: a pin names 'mars', must be the name of a region"},
        {"name: dub,", "name: sin,", "r.yaml:7: region 'sin' is taken by line 3"},
        {"name: dub-e", "name: sin-e", "r.yaml:10: name 'sin-e' is taken by line 6"},
        {"name: dub-h", "name: sin-n", "r.yaml:9: name 'sin-n' is taken by line 4"},
        {"name: sin-h", "name: sin-e", "r.yaml:6: name 'sin-e' is taken by line 5"},
        {"client: 10.0.0.2:1", "client: 10.0.0.1:6",
         "r.yaml:8: address '10.0.0.1:6' is taken by line 6"},
        {"gateway: 10.0.0.1:3", "gateway: 10.0.0.1:2",
         "r.yaml:4: address '10.0.0.1:2' is taken by line 4"},
        {"gateway: 10.0.0.1:3", "gateway: 10.0.0.1:3, monitor: 10.0.0.2:5",
         "r.yaml:9: address '10.0.0.2:5' is taken by line 4"},
        {"nodes: [{name: sin-n, client: 10.0.0.1:1, cluster: 10.0.0.1:2, gateway: 10.0.0.1:3}]",
         "nodes: []", "r.yaml:3: region 'sin' has no node, must have one"},
        {"hubs: [{name: sin-h, health: 10.0.0.1:5}]", "hubs: []",
         "r.yaml:3: region 'sin' has no hub, must have one"},
        {",\n   edges: [{name: dub-e, listen: 10.0.0.2:6, url: http://dub.example}]", "",
         "r.yaml:7: region 'dub' has no edge, must have one"},
        {"latitude: 1", "latitude: 90.1",
         "r.yaml:3: 'regions[0].latitude' is 90.1, must be -90 to 90"},
        {"longitude: 2", "longitude: -180.5",
         "r.yaml:3: 'regions[0].longitude' is -180.5, must be -180 to 180"},
        {"latitude: 1, ", "", "r.yaml:3: 'regions[0].latitude' is missing"},
        {"latitude: 1", "latitude: 1, replicas: 2",
         "r.yaml:3: 'replicas' of region 'sin' is 2, must be 1, 3 or 5"},
        {"latitude: 1", "latitude: 1, replicas: 3",
         "r.yaml:3: 'replicas' of region 'sin' is 3, must not exceed its 1 nodes"},
        {"latitude: 1", "latitude: 1, shards: 0",
         "r.yaml:3: 'regions[0].shards' is 0, must be 1 to 64"},
        {"latitude: 1", "latitude: 1, shards: 65",
         "r.yaml:3: 'regions[0].shards' is 65, must be 1 to 64"},
        {"primary: dub", "primary: dub\nretention: 1500ms",
         "r.yaml: 'retention' must be whole seconds, or 0 for 'retention_d'"},
        {"primary: dub", "primary: dub\ndevices_max: 33",
         "r.yaml:2: 'devices_max' is 33, must be 1 to 32"},
        {"name: sin,", "name: Sin,",
         "r.yaml:3: 'regions[0].name' is Sin, must be a region's name (a to z, 0 to 9, '-'), 1 to "
         "16 bytes without control characters"},
        {"name: sin-h", "name: sin_h",
         "r.yaml:5: 'regions[0].hubs[0].name' is sin_h, must be a process's name (a to z, 0 to 9, "
         "'-'), 1 to 32 bytes without control characters"},
        {"health: 10.0.0.1:5", "health: 10.0.0.1",
         "r.yaml:5: 'regions[0].hubs[0].health' is 10.0.0.1, must be host:port, or [address]:port "
         "for IPv6, 1 to 261 bytes without control characters"},
        {"url: http://sin.example", "url: 10.0.0.1:6",
         "r.yaml:6: 'regions[0].edges[0].url' is 10.0.0.1:6, must be a URL that starts with "
         "http:// or https://, 1 to 255 bytes without control characters"},
        {"http://sin.example", "http://sin.example, processes: 0",
         "r.yaml:6: 'regions[0].edges[0].processes' is 0, must be 1 to 64"},
        {"http://sin.example", "http://sin.example, processes: 65",
         "r.yaml:6: 'regions[0].edges[0].processes' is 65, must be 1 to 64"},
        {"name: sin-e, listen: 10.0.0.1:6, url: http://sin.example",
         "name: e, listen: 10.0.0.1:6, url: http://sin.example, processes: 2},\n"
         "           {name: e-p2, listen: 10.0.0.1:7, url: http://sin.example",
         "r.yaml:7: name 'e-p2' is taken by line 6"},
        {"name: sin-e, listen: 10.0.0.1:6, url: http://sin.example",
         "name: an-edge-of-twenty-nine-letters, listen: 10.0.0.1:6, url: http://sin.example, "
         "processes: 2",
         "r.yaml:6: the processes of edge 'an-edge-of-twenty-nine-letters' are called up to "
         "'an-edge-of-twenty-nine-letters-p2', must be at most 32 characters"},
        {"primary: dub", "primary: dub\nunknown_recipients: maybe",
         "r.yaml:2: 'unknown_recipients' is maybe, must be reject or adopt"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_string_equal(refusal(rows[i].from, rows[i].to), rows[i].why);
}

static void new_users_are_at_home_where_they_may(void **state)
{
    (void)state;
    struct catalogue_region regions[3] = {
        {.new_homes = false}, {.new_homes = true}, {.new_homes = false}};
    const struct catalogue catalogue = {.regions = regions, .region_count = 3};
    assert_ptr_equal(catalogue_new_home(&catalogue, &regions[1]), &regions[1]);
    assert_ptr_equal(catalogue_new_home(&catalogue, &regions[0]), &regions[1]);
    assert_ptr_equal(catalogue_new_home(&catalogue, &regions[2]), &regions[1]);
    regions[2].new_homes = true;
    assert_ptr_equal(catalogue_new_home(&catalogue, &regions[2]), &regions[2]);
}

static void new_users_must_be_at_home_somewhere(void **state)
{
    (void)state;
    struct buffer yaml = {0};
    struct catalogue *catalogue = load_two(&yaml);
    assert_true(catalogue->regions[0].new_homes && catalogue->regions[1].new_homes);
    catalogue->regions[0].new_homes = false;
    assert_int_equal(catalogue_check(catalogue, "r.yaml", &why), 0);
    catalogue->regions[1].new_homes = false;
    assert_int_equal(catalogue_check(catalogue, "r.yaml", &why), -EINVAL);
    assert_string_equal(why.text,
                        "r.yaml: 'new_homes' is false in every region, must be true in one");
    catalogue_free(catalogue);
    buffer_free(&yaml);
}

static void a_catalogue_without_regions_is_refused(void **state)
{
    (void)state;
    assert_null(catalogue_load_text(TEXT(""), "r.yaml", &why));
    assert_string_equal(why.text, "r.yaml: 'regions' is empty, must have one");
    assert_null(catalogue_load_text(TEXT("primary: a\nregions: []"), "r.yaml", &why));
    assert_string_equal(why.text, "r.yaml: 'regions' is empty, must have one");
    assert_null(catalogue_load_file("/nonexistent/r.yaml", &why));
    assert_string_equal(why.text, "/nonexistent/r.yaml: No such file or directory");
    catalogue_free(NULL);
}

static void sixty_four_regions_are_the_most(void **state)
{
    (void)state;
    struct buffer yaml = {0};
    char name[16] = "";
    buffer_printf(&yaml, "primary: r1\nregions:\n");
    for (int i = 1; i <= CATALOGUE_REGIONS_MAX; i++) {
        snprintf(name, sizeof name, "r%d", i);
        add_region(&yaml, name, i);
    }
    struct catalogue *catalogue = load(&yaml);
    assert_non_null(catalogue);
    assert_int_equal(catalogue->region_count, 64);
    catalogue_free(catalogue);
    add_region(&yaml, "last", 65);
    assert_null(load(&yaml));
    assert_string_equal(why.text, "r.yaml:259: 'regions' has too many entries, must be at most 64");
    buffer_free(&yaml);
}

/* A region with so many of each; true when it loads. */
static bool loads_with(int nodes, int hubs, int edges)
{
    struct buffer yaml = {0};
    buffer_printf(&yaml, "primary: a\nregions:\n- {name: a, latitude: 0, longitude: 0, nodes: [");
    for (int i = 0; i < nodes; i++)
        buffer_printf(&yaml, "{name: n%d, client: n%d:1, cluster: n%d:2, gateway: n%d:3},", i, i, i,
                      i);
    buffer_printf(&yaml, "],\n   hubs: [");
    for (int i = 0; i < hubs; i++)
        buffer_printf(&yaml, "{name: h%d, health: h%d:1},", i, i);
    buffer_printf(&yaml, "],\n   edges: [");
    for (int i = 0; i < edges; i++)
        buffer_printf(&yaml, "{name: e%d, listen: e%d:1, url: http://e%d},\n", i, i, i);
    buffer_printf(&yaml, "]}\n");
    struct catalogue *catalogue = load(&yaml);
    bool loaded = catalogue != NULL;
    catalogue_free(catalogue);
    buffer_free(&yaml);
    return loaded;
}

static void a_region_has_a_most_of_each(void **state)
{
    (void)state;
    assert_true(loads_with(CATALOGUE_NODES_MAX, CATALOGUE_HUBS_MAX, CATALOGUE_EDGES_MAX));
    assert_false(loads_with(CATALOGUE_NODES_MAX + 1, 1, 1));
    assert_non_null(strstr(why.text, "'regions[0].nodes' has too many entries"));
    assert_false(loads_with(1, CATALOGUE_HUBS_MAX + 1, 1));
    assert_non_null(strstr(why.text, "'regions[0].hubs' has too many entries"));
    assert_false(loads_with(1, 1, CATALOGUE_EDGES_MAX + 1));
    assert_non_null(strstr(why.text, "'regions[0].edges' has too many entries"));
}

static void replicas_go_up_to_the_nodes(void **state)
{
    (void)state;
    struct buffer yaml = {0};
    buffer_printf(&yaml, "primary: a\nregions:\n- {name: a, latitude: -90, longitude: 180,\n"
                         "   replicas: 3, shards: 64, nodes: [");
    for (int i = 0; i < 3; i++)
        buffer_printf(&yaml, "{name: n%d, client: h%d:1, cluster: h%d:2, gateway: h%d:3},", i, i, i,
                      i);
    buffer_printf(&yaml, "],\n   hubs: [{name: h, health: h:4}],\n"
                         "   edges: [{name: e, listen: e:1, url: https://e}]}\n");
    struct catalogue *catalogue = load(&yaml);
    assert_string_equal(why.text, "");
    assert_non_null(catalogue);
    catalogue_free(catalogue);
    buffer_free(&yaml);
}

static void a_wildcard_address_may_stand_twice(void **state)
{
    (void)state;
    struct buffer yaml = {0};
    buffer_printf(&yaml,
                  "primary: a\nregions:\n- {name: a, latitude: 0, longitude: 0,\n"
                  "   nodes: [{name: n, client: n:1, cluster: n:2, gateway: n:3}],\n"
                  "   hubs: [{name: h1, health: \"[::]:1\"}, {name: h2, health: \"[::]:1\"}],\n"
                  "   edges: [{name: e1, listen: 0.0.0.0:443, url: https://e1},\n"
                  "           {name: e2, listen: 0.0.0.0:443, url: https://e2}]}\n");
    struct catalogue *catalogue = load(&yaml);
    assert_string_equal(why.text, "");
    assert_non_null(catalogue);
    catalogue_free(catalogue);
    buffer_free(&yaml);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_regions_and_their_defaults),
        cmocka_unit_test(finds_what_it_holds),
        cmocka_unit_test(an_edge_of_several_processes_is_as_many_edges),
        cmocka_unit_test(nats_urls_are_a_terminated_list),
        cmocka_unit_test(errors_name_the_line),
        cmocka_unit_test(new_users_are_at_home_where_they_may),
        cmocka_unit_test(new_users_must_be_at_home_somewhere),
        cmocka_unit_test(a_catalogue_without_regions_is_refused),
        cmocka_unit_test(sixty_four_regions_are_the_most),
        cmocka_unit_test(a_region_has_a_most_of_each),
        cmocka_unit_test(replicas_go_up_to_the_nodes),
        cmocka_unit_test(a_wildcard_address_may_stand_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
