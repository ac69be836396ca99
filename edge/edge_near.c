#include "edge/edge_near_internal.h"

#include "auth/keys.h"
#include "base/clock.h"
#include "geo/database.h"
#include "log/log.h"

#include <errno.h>
#include <stdlib.h>

enum { TICK_MS = 1000, RELOAD_MS = 5000 };

static int read_sign_key(const char *path, struct auth_key *key, struct error_text *reterr_why)
{
    struct buffer bytes = {0};
    struct error_text why = {0};
    int err = auth_file_check_private(path, reterr_why);
    if (err == 0)
        err = auth_file_read(path, &bytes, reterr_why);
    if (err == 0) {
        err = auth_key_of_secret(key, buffer_text(&bytes), &why);
        if (err != 0)
            error_text_set(reterr_why, err, "%s: %s", path, why.text);
    }
    buffer_free(&bytes);
    return err;
}

static int load_sign_key(struct edge_near *near, struct error_text *reterr_why)
{
    const char *path = near->settings.edge->geo_sign_key;
    if (path[0] == '\0')
        return 0;
    near->sign_key = calloc(1, sizeof *near->sign_key);
    return near->sign_key == NULL ? -ENOMEM : read_sign_key(path, near->sign_key, reterr_why);
}

static void say_loaded(const struct edge_near *near)
{
    struct geo_database_facts facts = geo_database_facts(near->database);
    log_info("the GeoIP database is read", LOG_STRING("type", facts.type),
             LOG_I64("built_s", facts.built_s), LOG_U64("nodes", facts.nodes));
}

static void reload(struct edge_near *near)
{
    static struct log_limit limit;
    struct error_text why = {0};
    int changed = 1;
    if (near->database != NULL)
        changed = geo_database_reload(near->database, &why);
    else
        near->database = geo_database_open(near->settings.edge->geo_database, &why);
    if (changed < 0 || near->database == NULL)
        log_limited(&limit, LOG_LEVEL_ERROR, "the GeoIP database is no good",
                    LOG_STRING("reason", why.text), LOG_BOOL("old_stays", near->database != NULL));
    else if (changed > 0)
        say_loaded(near);
}

struct edge_near *edge_near_new(const struct edge_near_settings *settings,
                                struct error_text *reterr_why)
{
    struct edge_near *near = calloc(1, sizeof *near);
    if (near == NULL)
        return NULL;
    near->settings = *settings;
    near->regions = regions_new(settings->catalogue);
    if (near->regions != NULL)
        near->feed = regions_feed_new(settings->bus, settings->catalogue, near->regions);
    if (near->feed == NULL || load_sign_key(near, reterr_why) != 0) {
        edge_near_free(near);
        return NULL;
    }
    reload(near);
    return near;
}

void edge_near_free(struct edge_near *near)
{
    if (near == NULL)
        return;
    regions_feed_free(near->feed);
    regions_free(near->regions);
    geo_database_close(near->database);
    if (near->sign_key != NULL)
        auth_key_done(near->sign_key);
    free(near->sign_key);
    free(near);
}

static size_t here(const struct edge_near *near)
{
    return (size_t)(near->settings.region - near->settings.catalogue->regions);
}

/* Since when clients are to leave; negative: not yet. For ever, where the catalogue says so. */
static int64_t drain_age_ms(const struct edge_near *near)
{
    const struct wire_drain *drain = regions_drain(near->regions, here(near));
    return drain == NULL
               ? INT64_MAX
               : clock_wall_ms() - drain->since_ms - near->settings.edge->geo_drain_after_ms;
}

static bool drains_now(const struct edge_near *near)
{
    return near->settings.region->drain ||
           (regions_states(near->regions)[here(near)].drain && drain_age_ms(near) >= 0);
}

uint16_t edge_near_here(const struct edge_near *near, bool *ret_drains, int64_t *ret_age_ms)
{
    *ret_drains = near->drains;
    *ret_age_ms = drain_age_ms(near);
    return (uint16_t)here(near);
}

bool edge_near_tick(struct edge_near *near, int64_t now_ms)
{
    if (near == NULL || now_ms - near->ticked_ms < TICK_MS)
        return false;
    bool drained = near->drains;
    near->ticked_ms = now_ms;
    (void)regions_feed_tick(near->feed); /* who asks finds it */
    near->drains = drains_now(near);
    if (near->drains != drained)
        log_info(near->drains ? "this region drains: its clients are sent away"
                              : "this region is in use again");
    if (now_ms - near->reloaded_ms >= RELOAD_MS) {
        near->reloaded_ms = now_ms;
        reload(near);
    }
    return near->drains && !drained;
}

int edge_near_check(const struct edge_settings *settings, struct error_text *reterr_why)
{
    struct auth_key key = {0};
    if (settings->geo_database[0] == '\0')
        return 0;
    struct geo_database *database = geo_database_open(settings->geo_database, reterr_why);
    if (database == NULL)
        return -EINVAL;
    geo_database_close(database);
    if (settings->geo_sign_key[0] == '\0')
        return 0;
    int err = read_sign_key(settings->geo_sign_key, &key, reterr_why);
    auth_key_done(&key);
    return err;
}

void edge_near_rank(const struct edge_near *near, const struct edge_near_client *client,
                    struct geo_ranking *ret_ranking)
{
    static struct log_limit limit;
    struct geo_client at = {.address = *client->address, .tenant = client->tenant};
    int err =
        near->database == NULL ? 0 : geo_database_find(near->database, client->address, &at.place);
    if (err == -EILSEQ) /* it counts as a place that is not known */
        log_limited(&limit, LOG_LEVEL_ERROR, "the GeoIP database is damaged at an address",
                    LOG_STRING("address", address_name(client->address).text));
    geo_rank(near->settings.catalogue, regions_states(near->regions), &at, ret_ranking);
}

const struct catalogue_region *edge_near_home(const struct edge_near *near,
                                              const struct edge_near_client *client)
{
    struct geo_ranking ranking;
    if (near == NULL)
        return NULL;
    edge_near_rank(near, client, &ranking);
    if (ranking.pin == NULL && (ranking.rule == GEO_RULE_CATALOGUE_ORDER || ranking.blind))
        return NULL;
    for (size_t i = 0; i < ranking.count; i++) {
        const struct geo_candidate *candidate = &ranking.candidates[i];
        const struct catalogue_region *region =
            &near->settings.catalogue->regions[candidate->region];
        if (region->new_homes && (ranking.pin != NULL || candidate->class_of != GEO_CLASS_DOWN))
            return region;
    }
    return ranking.pin == NULL ? NULL
                               : &near->settings.catalogue->regions[ranking.candidates[0].region];
}

const struct regions *edge_near_regions(const struct edge_near *near)
{
    return near->regions;
}
