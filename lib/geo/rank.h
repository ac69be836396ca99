/* Which regions a client should use, best first, and why. Pure: what is known of the client and of
 * the regions comes in, an order comes out, so DNS, edges and the command line say the same.
 *
 *  1. A pin that fits the client decides alone: its regions, in its order, and never another, also
 *     when none of them is well. Of several, a tenant's comes before networks (the longest first),
 *     then a country's, then a continent's.
 *  2. Regions that are up and not draining and have room come first; then those that are full, then
 *     those that drain, then those that are down.
 *  3. Within each of these: the lower cost first. The cost is the round trip that was measured from
 *     the client's network, else one guessed by distance, times 100 / weight; a weight of 0 comes
 *     after all others.
 *  4. Nothing known of the client's place: the order of the catalogue. */
#pragma once

#include "base/address.h"
#include "catalogue/catalogue.h"
#include "geo/database.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum geo_health { GEO_HEALTH_UNKNOWN, GEO_HEALTH_UP, GEO_HEALTH_DOWN };

/* What is known of one region. Zeroed: nothing, which counts as up. */
struct geo_region_state {
    enum geo_health health;
    bool drain; /* besides the catalogue's own */
    bool full;  /* see geo_capacity_update() */
};

struct geo_client {
    struct address address;
    struct text tenant;     /* empty: none */
    struct geo_place place; /* zeroed: not known */
    /* Measured round trips by region, 0: none. NULL: none at all. */
    const uint32_t *rtt_ms;
};

enum geo_class { GEO_CLASS_GOOD, GEO_CLASS_FULL, GEO_CLASS_DRAINING, GEO_CLASS_DOWN, GEO_CLASSES };
const char *geo_class_name(enum geo_class class_of);

struct geo_candidate {
    uint16_t region; /* index in the catalogue */
    enum geo_class class_of;
    bool measured; /* rtt_ms is */
    bool has_distance;
    double distance_km;
    double rtt_ms; /* measured, or guessed by distance; 0: nothing is known */
};

enum geo_rule {
    GEO_RULE_PIN_TENANT,
    GEO_RULE_PIN_NETWORK,
    GEO_RULE_PIN_COUNTRY,
    GEO_RULE_PIN_CONTINENT,
    GEO_RULE_MEASURED, /* the first one's round trip was measured */
    GEO_RULE_DISTANCE,
    GEO_RULE_CATALOGUE_ORDER,
    GEO_RULES
};
const char *geo_rule_name(enum geo_rule rule);

struct geo_ranking {
    enum geo_rule rule;
    const struct catalogue_pin *pin; /* of a GEO_RULE_PIN_..., else NULL */
    bool blind;                      /* none of the candidates is up */
    size_t count;
    struct geo_candidate candidates[CATALOGUE_REGIONS_MAX];
};
/* `states` is by region, or NULL: nothing is known. */
void geo_rank(const struct catalogue *catalogue, const struct geo_region_state *states,
              const struct geo_client *client, struct geo_ranking *ret_ranking);

/* Great-circle distance, on a sphere of 6,371 km. */
double geo_distance_km(double latitude_a, double longitude_a, double latitude_b,
                       double longitude_b);
/* A round trip over fibre that does not run straight, for want of a measured one. */
double geo_guess_rtt_ms(double distance_km);

/* Whether a region is full from now on: at `full_permille` of its capacity it becomes so, and below
 * `room_permille` it is so no more; between them it stays what it was. */
struct geo_capacity_limits {
    uint32_t full_permille; /* 900 */
    uint32_t room_permille; /* 800 */
};
bool geo_capacity_update(bool was_full, uint64_t connections, uint64_t capacity,
                         const struct geo_capacity_limits *limits);
/* Whether a client that is at `current` should be moved to the best candidate: not when that gains
 * less than a fifth of its round trip, nor when it was moved less than `apart_ms` ago; always when
 * where it is is down, drains, or is not allowed. */
bool geo_should_move(const struct geo_ranking *ranking, uint16_t current, int64_t moved_ms_ago,
                     int64_t apart_ms);
