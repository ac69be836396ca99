#include "base/buffer.h"
#include "geo/rank.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { SIN, IAD, DUB, SYD, REGIONS };

static const char regions[] = "primary: dub\n"
                              "pins:\n"
                              "  - country: RU\n    regions: dub\n"
                              "  - continent: OC\n    regions: syd, sin\n"
                              "  - network: 10.9.0.0/16\n    regions: iad,sin\n"
                              "  - network: 10.9.8.0/24\n    regions: dub\n"
                              "  - tenant: acme\n    regions: sin\n"
                              "regions:\n";

static const struct {
    const char *name;
    double latitude;
    double longitude;
    unsigned weight;
} places[REGIONS] = {
    {"sin", 1.35, 103.82, 100},
    {"iad", 38.9, -77.4, 100},
    {"dub", 53.3, -6.3, 100},
    {"syd", -33.9, 151.2, 0},
};

static struct catalogue *load(void)
{
    struct buffer yaml = {0};
    struct error_text why = {0};
    buffer_append_text(&yaml, text_of(regions));
    for (size_t i = 0; i < REGIONS; i++)
        buffer_printf(&yaml,
                      "  - name: %s\n    latitude: %f\n    longitude: %f\n    weight: %u\n"
                      "    nodes:\n      - {name: n%zu, client: 127.0.0.1:%zu1, "
                      "cluster: 127.0.0.1:%zu2, gateway: 127.0.0.1:%zu3}\n"
                      "    hubs:\n      - {name: h%zu, health: 127.0.0.1:%zu4}\n"
                      "    edges:\n      - {name: e%zu, listen: 127.0.0.1:%zu5, "
                      "url: \"http://127.0.0.1:%zu5\"}\n",
                      places[i].name, places[i].latitude, places[i].longitude, places[i].weight,
                      i + 1, i + 1, i + 1, i + 1, i + 1, i + 1, i + 1, i + 1, i + 1);
    struct catalogue *catalogue = catalogue_load_text(buffer_text(&yaml), "regions.yaml", &why);
    if (catalogue == NULL)
        fail_msg("%s", why.text);
    buffer_free(&yaml);
    return catalogue;
}

static struct geo_client client_at(const char *where, const char *country, const char *continent,
                                   double latitude, double longitude)
{
    struct geo_client client = {.tenant = TEXT("")};
    assert_int_equal(address_parse(text_of(where), &client.address), 0);
    memcpy(client.place.country, country, strlen(country));
    memcpy(client.place.continent, continent, strlen(continent));
    client.place.has_coordinates = country[0] != '\0';
    client.place.latitude = latitude;
    client.place.longitude = longitude;
    return client;
}

static struct geo_client in_paris(void)
{
    return client_at("8.8.8.8", "FR", "EU", 48.9, 2.3);
}

static void expect(const struct geo_region_state *states, const struct geo_client *client,
                   enum geo_rule rule, const char *order)
{
    struct catalogue *catalogue = load();
    struct geo_ranking ranking;
    struct buffer names = {0};
    geo_rank(catalogue, states, client, &ranking);
    for (size_t i = 0; i < ranking.count; i++)
        buffer_printf(&names, "%s%s", i == 0 ? "" : " ",
                      catalogue->regions[ranking.candidates[i].region].name);
    buffer_append(&names, "", 1);
    assert_string_equal((const char *)names.data, order);
    assert_string_equal(geo_rule_name(ranking.rule), geo_rule_name(rule));
    buffer_free(&names);
    catalogue_free(catalogue);
}

static void the_nearest_comes_first(void **state)
{
    (void)state;
    struct geo_client paris = in_paris();
    struct geo_client jakarta = client_at("8.8.8.8", "ID", "AS", -6.2, 106.8);
    struct geo_client lima = client_at("8.8.8.8", "PE", "SA", -12.0, -77.0);
    expect(NULL, &paris, GEO_RULE_DISTANCE, "dub iad sin syd"); /* a weight of 0 is last */
    expect(NULL, &jakarta, GEO_RULE_DISTANCE, "sin dub iad syd");
    expect(NULL, &lima, GEO_RULE_DISTANCE, "iad dub sin syd");
}

static void nothing_known_is_the_catalogues_order(void **state)
{
    (void)state;
    struct geo_client nowhere = client_at("8.8.8.8", "", "", 0, 0);
    expect(NULL, &nowhere, GEO_RULE_CATALOGUE_ORDER, "sin iad dub syd");
}

static void what_was_measured_beats_distance(void **state)
{
    (void)state;
    const uint32_t rtt_ms[REGIONS] = {0, 7, 90, 0};
    struct geo_client paris = in_paris();
    paris.rtt_ms = rtt_ms;
    expect(NULL, &paris, GEO_RULE_MEASURED, "iad dub sin syd");
}

static void states_come_before_nearness(void **state)
{
    (void)state;
    struct geo_client paris = in_paris();
    struct geo_region_state states[REGIONS] = {0};
    states[DUB].full = true;
    expect(states, &paris, GEO_RULE_DISTANCE, "iad sin syd dub");
    states[IAD].drain = true;
    expect(states, &paris, GEO_RULE_DISTANCE, "sin syd dub iad");
    states[SIN].health = GEO_HEALTH_DOWN;
    expect(states, &paris, GEO_RULE_DISTANCE, "syd dub iad sin");
    states[SYD].health = GEO_HEALTH_UP;
    states[SYD].full = states[SYD].drain = true; /* the worse counts */
    expect(states, &paris, GEO_RULE_DISTANCE, "dub iad syd sin");
}

static void all_down_is_said_and_still_ordered(void **state)
{
    (void)state;
    struct catalogue *catalogue = load();
    struct geo_client paris = in_paris();
    struct geo_region_state states[REGIONS];
    struct geo_ranking ranking;
    for (size_t i = 0; i < REGIONS; i++)
        states[i] = (struct geo_region_state){.health = GEO_HEALTH_DOWN};
    geo_rank(catalogue, states, &paris, &ranking);
    assert_true(ranking.blind);
    assert_int_equal(ranking.candidates[0].region, DUB);
    states[SYD].health = GEO_HEALTH_UP;
    geo_rank(catalogue, states, &paris, &ranking);
    assert_false(ranking.blind);
    assert_int_equal(ranking.candidates[0].region, SYD);
    catalogue_free(catalogue);
}

static void pins_decide_alone(void **state)
{
    (void)state;
    struct geo_client moscow = client_at("8.8.8.8", "RU", "EU", 55.7, 37.6);
    struct geo_client perth = client_at("8.8.8.8", "AU", "OC", -31.9, 115.9);
    struct geo_client office = client_at("10.9.1.1", "RU", "EU", 55.7, 37.6);
    struct geo_client desk = client_at("10.9.8.1", "RU", "EU", 55.7, 37.6);
    expect(NULL, &moscow, GEO_RULE_PIN_COUNTRY, "dub");
    expect(NULL, &perth, GEO_RULE_PIN_CONTINENT, "syd sin");
    expect(NULL, &office, GEO_RULE_PIN_NETWORK, "iad sin");
    expect(NULL, &desk, GEO_RULE_PIN_NETWORK, "dub"); /* the longer prefix */
    desk.tenant = TEXT("acme");
    expect(NULL, &desk, GEO_RULE_PIN_TENANT, "sin");
    desk.tenant = TEXT("other");
    expect(NULL, &desk, GEO_RULE_PIN_NETWORK, "dub");
}

/* A pin is a promise about where data goes: it holds also when its regions are down. */
static void pins_fail_closed(void **state)
{
    (void)state;
    struct catalogue *catalogue = load();
    struct geo_client office = client_at("10.9.1.1", "RU", "EU", 55.7, 37.6);
    struct geo_region_state states[REGIONS] = {0};
    struct geo_ranking ranking;
    states[IAD].health = states[SIN].health = GEO_HEALTH_DOWN;
    geo_rank(catalogue, states, &office, &ranking);
    assert_int_equal(ranking.count, 2);
    assert_true(ranking.blind);
    assert_int_equal(ranking.candidates[0].region, IAD);
    states[SIN].health = GEO_HEALTH_UP; /* the second choice is up */
    geo_rank(catalogue, states, &office, &ranking);
    assert_int_equal(ranking.candidates[0].region, SIN);
    catalogue_free(catalogue);
}

static void measures_distances(void **state)
{
    (void)state;
    assert_true(fabs(geo_distance_km(0, 0, 0, 180) - 20015) < 1);
    assert_true(fabs(geo_distance_km(90, 0, -90, 77) - 20015) < 1);
    assert_true(fabs(geo_distance_km(53.3, -6.3, 38.9, -77.4) - 5450) < 30);
    assert_true(geo_distance_km(10, 179.9, 10, -179.9) < 25); /* across the date line */
    assert_true(geo_distance_km(5, 5, 5, 5) < 0.001);
}

static void capacity_has_hysteresis(void **state)
{
    (void)state;
    const struct geo_capacity_limits limits = {.full_permille = 900, .room_permille = 800};
    assert_false(geo_capacity_update(false, 899, 1000, &limits));
    assert_true(geo_capacity_update(false, 900, 1000, &limits));
    assert_true(geo_capacity_update(true, 800, 1000, &limits));
    assert_false(geo_capacity_update(true, 799, 1000, &limits));
    assert_true(geo_capacity_update(false, 0, 0, &limits));
    assert_true(geo_capacity_update(false, UINT64_MAX, UINT64_MAX, &limits));
}

static void clients_are_moved_for_a_reason(void **state)
{
    (void)state;
    enum { APART = 600 * 1000, LONG_AGO = APART, NOW = APART - 1 };
    struct catalogue *catalogue = load();
    struct geo_client paris = in_paris();
    struct geo_region_state states[REGIONS] = {0};
    struct geo_ranking ranking;
    geo_rank(catalogue, states, &paris, &ranking);
    assert_false(geo_should_move(&ranking, DUB, LONG_AGO, APART));
    assert_true(geo_should_move(&ranking, SIN, LONG_AGO, APART));
    assert_false(geo_should_move(&ranking, SIN, NOW, APART)); /* moved a moment ago */
    states[SIN].drain = true;
    geo_rank(catalogue, states, &paris, &ranking);
    assert_true(geo_should_move(&ranking, SIN, NOW, APART)); /* it must */
    const uint32_t close[REGIONS] = {0, 81, 100, 0};
    states[SIN].drain = false;
    paris.rtt_ms = close;
    geo_rank(catalogue, states, &paris, &ranking);
    assert_false(geo_should_move(&ranking, DUB, LONG_AGO, APART)); /* 19 % */
    const uint32_t closer[REGIONS] = {0, 80, 100, 0};
    paris.rtt_ms = closer;
    geo_rank(catalogue, states, &paris, &ranking);
    assert_true(geo_should_move(&ranking, DUB, LONG_AGO, APART)); /* 20 % */
    catalogue_free(catalogue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nearest_comes_first),
        cmocka_unit_test(nothing_known_is_the_catalogues_order),
        cmocka_unit_test(what_was_measured_beats_distance),
        cmocka_unit_test(states_come_before_nearness),
        cmocka_unit_test(all_down_is_said_and_still_ordered),
        cmocka_unit_test(pins_decide_alone),
        cmocka_unit_test(pins_fail_closed),
        cmocka_unit_test(measures_distances),
        cmocka_unit_test(capacity_has_hysteresis),
        cmocka_unit_test(clients_are_moved_for_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
