#include "geo/rank.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EARTH_RADIUS_KM 6371.0
#define DEGREE (3.14159265358979323846 / 180.0)
/* Light in fibre makes 200 km a millisecond, cables are some 1.4 times as long as the way, and both
 * ends add about 2 ms. */
#define RTT_MS_PER_KM (2.0 / 200.0 * 1.4)
#define RTT_MS_LEAST 2.0

enum { GAIN_DIVISOR = 5 };

const char *geo_class_name(enum geo_class class_of)
{
    static const char *const names[GEO_CLASSES] = {
        [GEO_CLASS_GOOD] = "up",
        [GEO_CLASS_FULL] = "full",
        [GEO_CLASS_DRAINING] = "draining",
        [GEO_CLASS_DOWN] = "down",
    };
    return names[class_of];
}

const char *geo_rule_name(enum geo_rule rule)
{
    static const char *const names[GEO_RULES] = {
        [GEO_RULE_PIN_TENANT] = "pin of the tenant",
        [GEO_RULE_PIN_NETWORK] = "pin of the network",
        [GEO_RULE_PIN_COUNTRY] = "pin of the country",
        [GEO_RULE_PIN_CONTINENT] = "pin of the continent",
        [GEO_RULE_MEASURED] = "measured round trip",
        [GEO_RULE_DISTANCE] = "distance",
        [GEO_RULE_CATALOGUE_ORDER] = "order of the catalogue",
    };
    return names[rule];
}

double geo_distance_km(double latitude_a, double longitude_a, double latitude_b, double longitude_b)
{
    double a = latitude_a * DEGREE;
    double b = latitude_b * DEGREE;
    double half_latitude = sin((b - a) / 2);
    double half_longitude = sin((longitude_b - longitude_a) * DEGREE / 2);
    double h = half_latitude * half_latitude + cos(a) * cos(b) * half_longitude * half_longitude;
    return 2 * EARTH_RADIUS_KM * asin(sqrt(h < 1 ? h : 1));
}

double geo_guess_rtt_ms(double distance_km)
{
    return RTT_MS_LEAST + distance_km * RTT_MS_PER_KM;
}

/* --- pins --- */

/* How well a pin fits, more is better; negative: it does not. */
static int fit(const struct catalogue_pin *pin, const struct geo_client *client,
               enum geo_rule *ret_rule)
{
    enum { TENANT = 1000, NETWORK = 100, COUNTRY = 50, CONTINENT = 10 };
    if (pin->tenant[0] != '\0') {
        *ret_rule = GEO_RULE_PIN_TENANT;
        return text_equal(text_of(pin->tenant), client->tenant) ? TENANT : -1;
    }
    if (pin->network[0] != '\0') {
        *ret_rule = GEO_RULE_PIN_NETWORK;
        return network_has(&pin->parsed, &client->address) ? NETWORK + pin->parsed.prefix : -1;
    }
    if (pin->country[0] != '\0') {
        *ret_rule = GEO_RULE_PIN_COUNTRY;
        return strcmp(pin->country, client->place.country) == 0 ? COUNTRY : -1;
    }
    *ret_rule = GEO_RULE_PIN_CONTINENT;
    return pin->continent[0] != '\0' && strcmp(pin->continent, client->place.continent) == 0
               ? CONTINENT
               : -1;
}

/* The one that fits best, of equals the first; NULL: none fits. */
static const struct catalogue_pin *find_pin(const struct catalogue *catalogue,
                                            const struct geo_client *client,
                                            enum geo_rule *ret_rule)
{
    const struct catalogue_pin *best = NULL;
    int best_fit = -1;
    for (size_t i = 0; i < catalogue->pin_count; i++) {
        enum geo_rule rule;
        int how_well = fit(&catalogue->pins[i], client, &rule);
        if (how_well > best_fit) {
            best = &catalogue->pins[i];
            best_fit = how_well;
            *ret_rule = rule;
        }
    }
    return best;
}

/* --- candidates --- */

static enum geo_class class_of(const struct catalogue_region *region,
                               const struct geo_region_state *state)
{
    if (state != NULL && state->health == GEO_HEALTH_DOWN)
        return GEO_CLASS_DOWN;
    if (region->drain || (state != NULL && state->drain))
        return GEO_CLASS_DRAINING;
    return state != NULL && state->full ? GEO_CLASS_FULL : GEO_CLASS_GOOD;
}

static void add(const struct catalogue *catalogue, const struct geo_region_state *states,
                const struct geo_client *client, size_t region, struct geo_ranking *ranking)
{
    const struct catalogue_region *at = &catalogue->regions[region];
    struct geo_candidate *candidate = &ranking->candidates[ranking->count++];
    *candidate = (struct geo_candidate){
        .region = (uint16_t)region,
        .class_of = class_of(at, states == NULL ? NULL : &states[region]),
        .has_distance = client->place.has_coordinates,
    };
    if (candidate->has_distance) {
        candidate->distance_km = geo_distance_km(client->place.latitude, client->place.longitude,
                                                 at->latitude, at->longitude);
        candidate->rtt_ms = geo_guess_rtt_ms(candidate->distance_km);
    }
    if (client->rtt_ms != NULL && client->rtt_ms[region] > 0) {
        candidate->measured = true;
        candidate->rtt_ms = client->rtt_ms[region];
    }
}

static void add_pinned(const struct catalogue *catalogue, const struct geo_region_state *states,
                       const struct geo_client *client, struct geo_ranking *ranking)
{
    struct text left = text_of(ranking->pin->regions);
    struct text name;
    size_t region;
    while (catalogue_pin_next(&left, &name))
        if (catalogue_region_index(catalogue, name, &region) == 0 &&
            ranking->count < CATALOGUE_REGIONS_MAX)
            add(catalogue, states, client, region, ranking);
}

/* --- order --- */

struct key {
    enum geo_class class_of;
    bool last;   /* weight 0 */
    bool placed; /* something is known of its distance */
    double cost;
    size_t turn; /* in the catalogue, or in the pin */
    struct geo_candidate candidate;
};

static int by_key(const void *left, const void *right)
{
    const struct key *a = left;
    const struct key *b = right;
    if (a->class_of != b->class_of)
        return a->class_of < b->class_of ? -1 : 1;
    if (a->last != b->last)
        return a->last ? 1 : -1;
    if (a->placed != b->placed)
        return a->placed ? -1 : 1;
    if (a->cost < b->cost || a->cost > b->cost)
        return a->cost < b->cost ? -1 : 1;
    return a->turn < b->turn ? -1 : a->turn > b->turn;
}

static void sort(const struct catalogue *catalogue, bool by_cost, struct geo_ranking *ranking)
{
    struct key keys[CATALOGUE_REGIONS_MAX];
    for (size_t i = 0; i < ranking->count; i++) {
        const struct geo_candidate *candidate = &ranking->candidates[i];
        uint32_t weight = catalogue->regions[candidate->region].weight;
        keys[i] = (struct key){.class_of = candidate->class_of, .turn = i, .candidate = *candidate};
        if (!by_cost)
            continue;
        keys[i].last = weight == 0;
        keys[i].placed = candidate->has_distance || candidate->measured;
        keys[i].cost = candidate->rtt_ms * 100 / (weight == 0 ? 100 : weight);
    }
    qsort(keys, ranking->count, sizeof keys[0], by_key);
    for (size_t i = 0; i < ranking->count; i++)
        ranking->candidates[i] = keys[i].candidate;
}

void geo_rank(const struct catalogue *catalogue, const struct geo_region_state *states,
              const struct geo_client *client, struct geo_ranking *ret_ranking)
{
    ret_ranking->count = 0;
    ret_ranking->pin = find_pin(catalogue, client, &ret_ranking->rule);
    if (ret_ranking->pin != NULL)
        add_pinned(catalogue, states, client, ret_ranking);
    for (size_t i = 0; ret_ranking->pin == NULL && i < catalogue->region_count; i++)
        add(catalogue, states, client, i, ret_ranking);
    sort(catalogue, ret_ranking->pin == NULL, ret_ranking);
    const struct geo_candidate *first = ret_ranking->count == 0 ? NULL : ret_ranking->candidates;
    ret_ranking->blind = first == NULL || first->class_of == GEO_CLASS_DOWN;
    if (ret_ranking->pin == NULL)
        ret_ranking->rule = first != NULL && first->measured       ? GEO_RULE_MEASURED
                            : first != NULL && first->has_distance ? GEO_RULE_DISTANCE
                                                                   : GEO_RULE_CATALOGUE_ORDER;
}

/* --- capacity and moving --- */

bool geo_capacity_update(bool was_full, uint64_t connections, uint64_t capacity,
                         const struct geo_capacity_limits *limits)
{
    double permille = capacity == 0 ? 1000 : 1000.0 * (double)connections / (double)capacity;
    return permille >= (was_full ? limits->room_permille : limits->full_permille);
}

static const struct geo_candidate *find_candidate(const struct geo_ranking *ranking,
                                                  uint16_t region)
{
    for (size_t i = 0; i < ranking->count; i++)
        if (ranking->candidates[i].region == region)
            return &ranking->candidates[i];
    return NULL;
}

bool geo_should_move(const struct geo_ranking *ranking, uint16_t current, int64_t moved_ms_ago,
                     int64_t apart_ms)
{
    const struct geo_candidate *here = find_candidate(ranking, current);
    if (ranking->count == 0 || ranking->candidates[0].region == current)
        return false;
    const struct geo_candidate *best = &ranking->candidates[0];
    if (here == NULL)
        return true;
    if (here->class_of >= GEO_CLASS_DRAINING)
        return best->class_of < here->class_of;
    if (best->class_of > here->class_of || moved_ms_ago < apart_ms)
        return false;
    bool known = (here->measured || here->has_distance) && (best->measured || best->has_distance);
    return known && here->rtt_ms - best->rtt_ms >= here->rtt_ms / GAIN_DIVISOR;
}
