/* What clients are told of near edges, as JSON. */
#include "edge/edge_near_internal.h"

#include "auth/token.h"
#include "json/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

struct listed { /* an edge, as it stands in a list */
    const struct catalogue_edge *edge;
    const struct regions_edge *heard;
};

/* Those that are heard first, then by how few connections they have. */
static int by_use(const void *left, const void *right)
{
    const struct listed *a = left;
    const struct listed *b = right;
    if (a->heard->heard != b->heard->heard)
        return a->heard->heard ? -1 : 1;
    if (a->heard->connections != b->heard->connections)
        return a->heard->connections < b->heard->connections ? -1 : 1;
    return a->edge < b->edge ? -1 : a->edge > b->edge;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The best edges of a region that are in use, at most `left` of them. `but` is left out, unless it
 * is NULL. */
static size_t list_region(const struct edge_near *near, size_t at, const struct catalogue_edge *but,
                          size_t left, struct listed listed[CATALOGUE_EDGES_MAX])
{
    const struct catalogue_region *region = &near->settings.catalogue->regions[at];
    size_t count = 0;
    for (size_t i = 0; i < region->edge_count; i++)
        if (&region->edges[i] != but &&
            wire_edge_drains_find(near->settings.drained, text_of(region->edges[i].name)) == NULL)
            listed[count++] =
                (struct listed){&region->edges[i], regions_edge(near->regions, at, i)};
    if (count > 0)
        qsort(listed, count, sizeof listed[0], by_use);
    return least(least(count, left), EDGE_NEAR_REGION_MAX);
}

static int64_t ttl_s(const struct edge_near *near)
{
    return (near->settings.edge->geo_ttl_ms + 999) / 1000;
}

static void write_edge(const struct edge_near *near, const struct geo_candidate *candidate,
                       const struct listed *listed, struct buffer *out)
{
    bool silent = !listed->heard->heard && candidate->class_of != GEO_CLASS_DOWN &&
                  regions_states(near->regions)[candidate->region].health == GEO_HEALTH_UP;
    buffer_append_text(out, TEXT("{\"url\":"));
    json_write_string(out, text_of(listed->edge->url));
    buffer_printf(out, ",\"region\":\"%s\",\"state\":\"%s\",\"load\":%.3f",
                  near->settings.catalogue->regions[candidate->region].name,
                  geo_class_name(silent ? GEO_CLASS_DOWN : candidate->class_of),
                  regions_load_permille(near->regions, candidate->region) / 1000.0);
    if (candidate->has_distance)
        buffer_printf(out, ",\"distance_km\":%.0f", round(candidate->distance_km));
    buffer_append_text(out, TEXT("}"));
}

static void write_list(const struct edge_near *near, const struct geo_ranking *ranking,
                       struct buffer *out)
{
    struct listed listed[CATALOGUE_EDGES_MAX];
    size_t left = EDGE_NEAR_EDGES_MAX;
    buffer_append_text(out, TEXT("\"edges\":["));
    for (size_t i = 0; i < ranking->count && left > 0; i++) {
        const struct geo_candidate *candidate = &ranking->candidates[i];
        size_t count = list_region(near, candidate->region, NULL, left, listed);
        for (size_t j = 0; j < count; j++, left--) {
            if (left < EDGE_NEAR_EDGES_MAX)
                buffer_append_text(out, TEXT(","));
            write_edge(near, candidate, &listed[j], out);
        }
    }
    buffer_append_text(out, TEXT("]"));
}

/* A JWS of the same, for who passes it on to somebody that must not take his word for it. */
static void write_signed(const struct edge_near *near, const struct edge_near_client *client,
                         int64_t wall_ms, struct text members, struct buffer *out)
{
    struct buffer claims = {0}, token = {0};
    int64_t now_s = wall_ms / 1000;
    if (near->sign_key == NULL)
        return;
    buffer_printf(
        &claims, "{\"iss\":\"%s\",\"iat\":%" PRIi64 ",\"exp\":%" PRIi64 ",\"address\":\"%s\",",
        near->settings.edge->name, now_s, now_s + ttl_s(near), address_name(client->address).text);
    buffer_append_text(&claims, members);
    buffer_append_text(&claims, TEXT("}"));
    if (!claims.failed && auth_token_make(near->sign_key, buffer_text(&claims), &token) == 0) {
        buffer_append_text(out, TEXT(",\"signed\":\""));
        buffer_append_text(out, buffer_text(&token));
        buffer_append_text(out, TEXT("\""));
    }
    buffer_free(&claims);
    buffer_free(&token);
}

void edge_near_write_edges(const struct edge_near *near, const struct edge_near_client *client,
                           int64_t wall_ms, struct buffer *out)
{
    struct geo_ranking ranking;
    struct buffer members = {0};
    edge_near_rank(near, client, &ranking);
    write_list(near, &ranking, &members);
    buffer_printf(out,
                  "{\"served_by\":\"%s\",\"region\":\"%s\",\"rule\":\"%s\",\"blind\":%s,"
                  "\"ttl_s\":%" PRIi64 ",",
                  near->settings.edge->name, near->settings.region->name,
                  geo_rule_name(ranking.rule), ranking.blind ? "true" : "false", ttl_s(near));
    buffer_append_text(out, buffer_text(&members));
    write_signed(near, client, wall_ms, buffer_text(&members), out);
    buffer_append_text(out, TEXT("}"));
    out->failed = out->failed || members.failed;
    buffer_free(&members);
}

void edge_near_write_endpoints(const struct edge_near *near, const struct edge_near_client *client,
                               bool leaving, struct buffer *out)
{
    struct geo_ranking ranking;
    struct listed listed[CATALOGUE_EDGES_MAX];
    size_t left = EDGE_NEAR_ENDPOINTS_MAX;
    const struct edge_near_settings *settings = &near->settings;
    bool leaves = leaving && !edge_siblings_another_is_ready(settings->siblings, settings->number);
    edge_near_rank(near, client, &ranking);
    buffer_append_text(out, TEXT(",\"endpoints\":["));
    for (size_t i = 0; i < ranking.count && left > 0; i++) {
        size_t at = ranking.candidates[i].region;
        size_t count = list_region(near, at, leaves ? near->settings.self : NULL, left, listed);
        for (size_t j = 0; j < count; j++, left--) {
            buffer_append_text(out, left < EDGE_NEAR_ENDPOINTS_MAX ? TEXT(",{\"url\":")
                                                                   : TEXT("{\"url\":"));
            json_write_string(out, text_of(listed[j].edge->url));
            buffer_printf(out, ",\"region\":\"%s\"}", near->settings.catalogue->regions[at].name);
        }
    }
    buffer_printf(out, "],\"endpoints_ttl_s\":%" PRIi64, ttl_s(near));
}
