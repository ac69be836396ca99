#include "edge/edge_near_internal.h"
#include "edge/edge_new_home.h"

#include "auth/keys.h"
#include "auth/token.h"
#include "base/clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define CITY MERIDIAN_SOURCE_DIR "/tests/support/mmdb/GeoIP2-City-Test.mmdb"
#define LONDON "81.2.69.142"
#define CHINA "175.16.199.1"

static struct {
    struct edge_settings settings;
    struct wire_edge_drains drained;
    struct catalogue *catalogue;
    struct loop *loop;
    struct bus *bus;
    struct edge_near *near;
    struct buffer out;
    char key[64];
    struct text tenant; /* of who asks */
    const char *closed; /* the region that new users may not be at home in */
} it;

static void write_region(struct buffer *out, const char *name, double latitude, double longitude,
                         unsigned number, unsigned edges)
{
    bool closed = it.closed != NULL && strcmp(it.closed, name) == 0;
    buffer_printf(out, "  - {new_homes: %s, ", closed ? "false" : "true");
    buffer_printf(out, "name: %s, latitude: %f, longitude: %f, nodes: [", name, latitude,
                  longitude);
    buffer_printf(out, "{name: %s-n, client: '127.0.%u.1:1', cluster: '127.0.%u.1:2', ", name,
                  number, number);
    buffer_printf(out, "gateway: '127.0.%u.1:3'}], hubs: [{name: %s-h, health: '127.0.%u.1:4'}], ",
                  number, name, number);
    buffer_append_text(out, TEXT("edges: ["));
    for (unsigned i = 1; i <= edges; i++)
        buffer_printf(out, "{name: %s-%u, listen: '127.0.%u.%u:5', url: 'http://%s-%u'}, ", name, i,
                      number, i, name, i);
    buffer_append_text(out, TEXT("]}\n"));
}

static void build(const char *pins, unsigned more_regions, unsigned edges)
{
    struct buffer yaml = {0};
    struct error_text why = {0};
    buffer_printf(&yaml, "primary: dub\npins: [%s]\nregions:\n", pins);
    write_region(&yaml, "dub", 53.35, -6.26, 1, edges);
    write_region(&yaml, "sin", 1.35, 103.82, 2, edges);
    write_region(&yaml, "iad", 39.04, -77.49, 3, edges);
    for (unsigned i = 0; i < more_regions; i++) {
        char name[16];
        snprintf(name, sizeof name, "more-%u", i);
        write_region(&yaml, name, -80, 10, 4 + i, edges);
    }
    it.catalogue = catalogue_load_text(buffer_text(&yaml), "test", &why);
    if (it.catalogue == NULL)
        fail_msg("%s", why.text);
    buffer_free(&yaml);
    it.near = edge_near_new(&(struct edge_near_settings){.edge = &it.settings,
                                                         .catalogue = it.catalogue,
                                                         .region = &it.catalogue->regions[0],
                                                         .self = it.catalogue->regions[0].edges,
                                                         .number = 1,
                                                         .drained = &it.drained,
                                                         .bus = it.bus},
                            &why);
    if (it.near == NULL)
        fail_msg("%s", why.text);
}

static int begin(void **state)
{
    (void)state;
    memset(&it, 0, sizeof it);
    settings_defaults(edge_settings_table, &it.settings);
    strcpy(it.settings.region, "dub");
    strcpy(it.settings.name, "dub-1");
    strcpy(it.settings.geo_database, CITY);
    it.loop = loop_new();
    it.bus = bus_open(it.loop,
                      &(struct bus_settings){.urls = "nats://127.0.0.1:1", .name = "dub-1"}, NULL);
    return it.bus == NULL ? -1 : 0;
}

static int end(void **state)
{
    (void)state;
    edge_near_free(it.near);
    bus_close(it.bus);
    loop_free(it.loop);
    catalogue_free(it.catalogue);
    buffer_free(&it.out);
    if (it.key[0] != '\0')
        unlink(it.key);
    return 0;
}

static void hear(const char *edge, uint32_t connections)
{
    int64_t now_ms = loop_now_ms(it.loop);
    regions_hear(it.near->regions, text_of(edge), connections, now_ms);
    (void)regions_update(it.near->regions, now_ms, clock_wall_ms());
}

static struct address address(const char *text)
{
    struct address read;
    assert_int_equal(address_parse(text_of(text), &read), 0);
    return read;
}

static const char *home(const char *where)
{
    struct address at = address(where);
    const struct edge_near_client client = {&at, it.tenant};
    const struct catalogue_region *region = edge_near_home(it.near, &client);
    return region == NULL ? "here" : region->name;
}

static const char *edges(const char *where)
{
    struct address at = address(where);
    const struct edge_near_client client = {&at, it.tenant};
    buffer_clear(&it.out);
    edge_near_write_edges(it.near, &client, 1790000000000, &it.out);
    buffer_append(&it.out, "", 1);
    return (const char *)it.out.data;
}

static void has(const char *all, const char *part)
{
    if (strstr(all, part) == NULL)
        fail_msg("no %s in: %s", part, all);
}

static size_t count(const char *all, const char *part)
{
    size_t found = 0;
    for (; (all = strstr(all, part)) != NULL; all++)
        found++;
    return found;
}

static void new_users_are_at_home_near_by(void **state)
{
    (void)state;
    build("{country: JP, regions: iad}", 0, 1);
    assert_string_equal(home(LONDON), "dub");
    assert_string_equal(home(CHINA), "sin");
    assert_string_equal(home("2001:218::1"), "iad"); /* pinned */
    assert_string_equal(home("203.0.113.9"), "here");
    assert_string_equal(home("10.1.2.3"), "here");
    struct address at = address(CHINA);
    const struct edge_near_client client = {&at, TEXT("")};
    assert_null(edge_near_home(NULL, &client));
}

static void a_tenant_is_kept_to_its_regions(void **state)
{
    (void)state;
    const struct catalogue_region *region = NULL;
    struct address client = address(LONDON);
    const struct auth_identity identity = {.user = "alice", .tenant = "acme"};
    build("{tenant: acme, regions: 'sin, iad'}", 0, 1);
    assert_string_equal(home(LONDON), "dub");
    struct edge_token *token = edge_token_new(&identity, TEXT("a.b.c"), 0, 0, 0);
    assert_true(text_equal(edge_token_raw(token), TEXT("a.b.c")));
    assert_int_equal(edge_new_home(it.catalogue, it.near, token, &client, &region), 0);
    assert_string_equal(region->name, "sin");
    it.tenant = edge_token_tenant(token);
    const char *told = edges(LONDON);
    has(told, "\"rule\":\"pin of the tenant\"");
    assert_null(strstr(told, "http://dub"));
    free(token);
    it.tenant = TEXT("acm");
    has(edges(LONDON), "\"rule\":\"distance\"");
    assert_int_equal(edge_token_tenant(NULL).size, 0);
}

static void the_token_counts_before_the_place(void **state)
{
    (void)state;
    const struct catalogue_region *region = NULL;
    struct address client = address(LONDON);
    struct auth_identity identity = {.user = "alice", .home = "iad"};
    build("", 0, 1);
    struct edge_token *token = edge_token_new(&identity, TEXT(""), 0, 0, 0);
    assert_int_equal(edge_new_home(it.catalogue, it.near, token, &client, &region), 0);
    assert_string_equal(region->name, "iad");
    assert_int_equal(edge_new_home(it.catalogue, it.near, NULL, &client, &region), 0);
    assert_string_equal(region->name, "dub");
    assert_int_equal(edge_new_home(it.catalogue, NULL, NULL, &client, &region), 0);
    assert_null(region);
    free(token);
    strcpy(identity.home, "mars");
    token = edge_token_new(&identity, TEXT(""), 0, 0, 0);
    assert_int_equal(edge_new_home(it.catalogue, it.near, token, &client, &region), -ENOENT);
    free(token);
}

static void homes_are_given_where_new_users_may_be(void **state)
{
    (void)state;
    it.closed = "sin";
    build("{country: JP, regions: 'sin, iad'}, {country: GB, regions: sin}", 0, 1);
    assert_string_equal(home(CHINA), "dub");
    assert_string_equal(home("2001:218::1"), "iad");
    assert_string_equal(home(LONDON), "sin"); /* the pin counts for more */
}

static void homes_are_not_given_where_nobody_is(void **state)
{
    (void)state;
    build("{country: JP, regions: iad}", 0, 1);
    regions_begin(it.near->regions, loop_now_ms(it.loop) - REGIONS_SILENT_MS);
    hear("dub-1", 0);
    assert_string_equal(home(CHINA), "dub"); /* sin is down */
    assert_string_equal(home("2001:218::1"), "iad");
    struct wire_drains drains = {.count = 1, .each = {{"dub", WIRE_DRAIN_AWAY, 1, 0}}};
    hear("iad-1", 0);
    regions_take_drains(it.near->regions, &drains);
    hear("dub-1", 0);
    assert_string_equal(home(LONDON), "iad");
}

static void tells_edges_in_the_order_of_nearness(void **state)
{
    (void)state;
    build("", 0, 2);
    hear("sin-1", 5);
    hear("sin-2", 4);
    const char *told = edges(CHINA);
    has(told, "{\"served_by\":\"dub-1\",\"region\":\"dub\",\"rule\":\"distance\",\"blind\":false,"
              "\"ttl_s\":60,\"edges\":[{\"url\":\"http://sin-2\",\"region\":\"sin\","
              "\"state\":\"up\",\"load\":0.000,\"distance_km\":");
    assert_true(strstr(told, "sin-2") < strstr(told, "sin-1"));
    assert_true(strstr(told, "sin-1") < strstr(told, "http://dub"));
    assert_true(strstr(told, "http://dub-2") < strstr(told, "http://iad"));
    assert_int_equal(count(told, "\"url\""), 6);
    assert_null(strstr(told, "signed"));
    told = edges("203.0.113.9"); /* nothing is known of it */
    has(told, "\"rule\":\"order of the catalogue\"");
    assert_null(strstr(told, "distance_km"));
}

static void bounds_what_it_tells(void **state)
{
    (void)state;
    build("", 5, EDGE_NEAR_REGION_MAX); /* as many as may be */
    assert_int_equal(count(edges(LONDON), "\"url\""), EDGE_NEAR_EDGES_MAX);
    edge_near_free(it.near);
    catalogue_free(it.catalogue);
    build("", 6, EDGE_NEAR_REGION_MAX + 1);
    const char *told = edges(LONDON);
    assert_int_equal(count(told, "\"url\""), EDGE_NEAR_EDGES_MAX);
    assert_int_equal(count(told, "http://dub"), EDGE_NEAR_REGION_MAX);
    struct address at = address(LONDON);
    const struct edge_near_client client = {&at, TEXT("")};
    buffer_clear(&it.out);
    edge_near_write_endpoints(it.near, &client, false, &it.out);
    buffer_append(&it.out, "", 1);
    assert_int_equal(count((const char *)it.out.data, "\"url\""), EDGE_NEAR_ENDPOINTS_MAX);
}

static void writes_hints(void **state)
{
    (void)state;
    struct address at = address(LONDON);
    const struct edge_near_client client = {&at, TEXT("")};
    it.settings.geo_ttl_ms = 1500;
    build("", 0, 1);
    edge_near_write_endpoints(it.near, &client, false, &it.out);
    buffer_append(&it.out, "", 1);
    assert_string_equal((const char *)it.out.data,
                        ",\"endpoints\":[{\"url\":\"http://dub-1\",\"region\":\"dub\"},"
                        "{\"url\":\"http://iad-1\",\"region\":\"iad\"},"
                        "{\"url\":\"http://sin-1\",\"region\":\"sin\"}],\"endpoints_ttl_s\":2");
    buffer_clear(&it.out);
    edge_near_write_endpoints(it.near, &client, true, &it.out); /* not back to here */
    buffer_append(&it.out, "", 1);
    has((const char *)it.out.data, ",\"endpoints\":[{\"url\":\"http://iad-1\"");
    assert_null(strstr((const char *)it.out.data, "dub-1"));
}

static const char *hint(bool leaving)
{
    struct address at = address(LONDON);
    const struct edge_near_client client = {&at, TEXT("")};
    buffer_clear(&it.out);
    edge_near_write_endpoints(it.near, &client, leaving, &it.out);
    buffer_append(&it.out, "", 1);
    return (const char *)it.out.data;
}

static void edges_out_of_use_are_not_named(void **state)
{
    (void)state;
    build("", 0, 1);
    it.drained = (struct wire_edge_drains){.count = 2, .each = {{"dub-1", 1}, {"sin-1-p1", 1}}};
    assert_null(strstr(edges(LONDON), "http://dub-1"));
    has(edges(LONDON), "http://iad-1");
    has(edges(LONDON), "http://sin-1"); /* only a process of it is */
    has(hint(false), ",\"endpoints\":[{\"url\":\"http://iad-1\"");
    it.drained.count = 0;
    has(edges(LONDON), "http://dub-1");
}

static void who_leaves_one_process_may_come_back_to_another(void **state)
{
    (void)state;
    struct edge_siblings *siblings = edge_siblings_new(2);
    assert_non_null(siblings);
    build("", 0, 1);
    it.near->settings.siblings = siblings;
    edge_siblings_say(siblings, 1, true); /* it itself */
    assert_null(strstr(hint(true), "dub-1"));
    edge_siblings_say(siblings, 2, true);
    has(hint(true), ",\"endpoints\":[{\"url\":\"http://dub-1\"");
    edge_siblings_free(siblings);
}

static void put_key(const char *secret)
{
    strcpy(it.key, "/tmp/near-key-XXXXXX");
    int fd = mkstemp(it.key);
    assert_int_equal(write(fd, secret, strlen(secret)), (ssize_t)strlen(secret));
    close(fd);
    strcpy(it.settings.geo_sign_key, it.key);
}

static void signs_what_it_tells(void **state)
{
    (void)state;
    static const char secret[] = "0123456789abcdef0123456789abcdef";
    struct auth_key_settings keys = {.format = AUTH_FORMAT_SECRET};
    struct auth_settings auth = {.keys = &keys, .key_count = 1};
    struct error_text why = {0};
    struct auth_verdict verdict;
    char token[AUTH_TOKEN_MAX];
    put_key(secret);
    strcpy(keys.file, it.key);
    build("", 0, 1);
    assert_int_equal(edge_near_check(&it.settings, &why), 0);
    const char *begin_of = strstr(edges(LONDON), "\"signed\":\"");
    assert_non_null(begin_of);
    assert_int_equal(sscanf(begin_of, "\"signed\":\"%4000[^\"]\"}", token), 1);
    struct auth_keys *loaded = auth_keys_load(&auth, &why);
    auth_token_judge(&auth, loaded, text_of(token), 1790000000000, true, &verdict);
    assert_int_equal(verdict.reasons & (1u << AUTH_REFUSED_SIGNATURE), 0);
    assert_int_equal(verdict.identity.issued_at_s, 1790000000);
    assert_int_equal(verdict.identity.expires_at_s, 1790000060);
    auth_keys_free(loaded);
}

static void refuses_a_key_or_a_database_that_is_no_good(void **state)
{
    (void)state;
    struct error_text why = {0};
    put_key("0123456789abcdef0123456789abcde"); /* one byte less than there must be */
    assert_int_equal(edge_near_check(&it.settings, &why), -EINVAL);
    has(why.text, it.key);
    it.settings.geo_sign_key[0] = '\0';
    strcpy(it.settings.geo_database, "/nowhere.mmdb");
    assert_true(edge_near_check(&it.settings, &why) < 0);
    has(why.text, "/nowhere.mmdb");
    build("", 0, 1); /* it serves all the same, and nobody's place is known */
    assert_string_equal(home(LONDON), "here");
    it.settings.geo_database[0] = '\0';
    assert_int_equal(edge_near_check(&it.settings, &why), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(new_users_are_at_home_near_by, begin, end),
        cmocka_unit_test_setup_teardown(a_tenant_is_kept_to_its_regions, begin, end),
        cmocka_unit_test_setup_teardown(the_token_counts_before_the_place, begin, end),
        cmocka_unit_test_setup_teardown(homes_are_given_where_new_users_may_be, begin, end),
        cmocka_unit_test_setup_teardown(homes_are_not_given_where_nobody_is, begin, end),
        cmocka_unit_test_setup_teardown(tells_edges_in_the_order_of_nearness, begin, end),
        cmocka_unit_test_setup_teardown(bounds_what_it_tells, begin, end),
        cmocka_unit_test_setup_teardown(writes_hints, begin, end),
        cmocka_unit_test_setup_teardown(edges_out_of_use_are_not_named, begin, end),
        cmocka_unit_test_setup_teardown(who_leaves_one_process_may_come_back_to_another, begin,
                                        end),
        cmocka_unit_test_setup_teardown(signs_what_it_tells, begin, end),
        cmocka_unit_test_setup_teardown(refuses_a_key_or_a_database_that_is_no_good, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
