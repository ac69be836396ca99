#include "geo/geo_gdnsd.h"

#include "geo/geo_networks.h"
#include "settings/settings.h"

#include <errno.h>
#include <string.h>

/* How soon an edge that is down is noticed: DOWN_THRESH * INTERVAL_S + TIMEOUT_S at most. */
enum { INTERVAL_S = 2, TIMEOUT_S = 1, DOWN_THRESH = 2, OK_THRESH = 2, UP_THRESH = 3 };
enum { TTL_MAX_S = 30, TTL_MIN_S = 10 };

static void append_regions(const struct catalogue *catalogue, const uint16_t *regions, size_t count,
                           struct buffer *out)
{
    buffer_printf(out, "[ ");
    for (size_t i = 0; i < count; i++)
        buffer_printf(out, "%s%s", i == 0 ? "" : ", ", catalogue->regions[regions[i]].name);
    buffer_printf(out, " ]");
}

struct networks_context {
    const struct catalogue *catalogue;
    struct buffer *out;
};

static void on_network(void *context, const struct network *network, const uint16_t *regions,
                       size_t count)
{
    struct networks_context *networks = context;
    char text[NETWORK_TEXT_SIZE];
    network_text(network, text);
    buffer_printf(networks->out, "%s => ", text);
    append_regions(networks->catalogue, regions, count, networks->out);
    buffer_printf(networks->out, "\n");
}

int geo_gdnsd_find_port(const struct catalogue *catalogue, uint16_t *ret_port,
                        struct error_text *reterr_why)
{
    *ret_port = 0;
    for (size_t r = 0; r < catalogue->region_count; r++) {
        const struct catalogue_region *region = &catalogue->regions[r];
        if (region->edge_count == 0)
            return error_text_set(reterr_why, -EINVAL, "region %s has no edge", region->name);
        for (size_t e = 0; e < region->edge_count; e++) {
            struct settings_address parsed;
            struct address address;
            const struct catalogue_edge *edge = &region->edges[e];
            if (settings_address_parse(text_of(edge->listen), &parsed) != 0 ||
                address_parse(text_of(parsed.host), &address) != 0)
                return error_text_set(reterr_why, -EINVAL,
                                      "edge %s listens on '%s', which is no address for DNS",
                                      edge->name, edge->listen);
            if (*ret_port != 0 && *ret_port != parsed.port)
                return error_text_set(reterr_why, -EINVAL,
                                      "edge %s has port %u, others %u: a name in DNS has no port",
                                      edge->name, parsed.port, *ret_port);
            *ret_port = parsed.port;
        }
    }
    return 0;
}

static void append_edges(const struct catalogue_region *region, bool v4, struct buffer *out)
{
    bool any = false;
    for (size_t e = 0; e < region->edge_count; e++) {
        struct settings_address parsed;
        struct address address;
        if (settings_address_parse(text_of(region->edges[e].listen), &parsed) != 0 ||
            address_parse(text_of(parsed.host), &address) != 0 || address_is_v4(&address) != v4)
            continue;
        if (!any)
            buffer_printf(out, "            addrs_v%c => {\n", v4 ? '4' : '6');
        any = true;
        buffer_printf(out, "              %s => %s\n", region->edges[e].name, parsed.host);
    }
    if (any)
        buffer_printf(out, "            }\n");
}

static void append_options(const struct geo_gdnsd_settings *settings, uint16_t port,
                           struct buffer *out)
{
    buffer_printf(
        out,
        "options => {\n"
        "  listen => %.*s\n"
        "  run_dir => %.*s\n"
        "  state_dir => %.*s\n"
        "  edns_client_subnet => true\n"
        "  zones_default_ttl => %d\n"
        "}\n"
        "service_types => {\n"
        "  edge => {\n"
        "    plugin => http_status, port => %u, url_path => /readyz, ok_codes => [ 200 ]\n"
        "    interval => %d, timeout => %d\n"
        "    down_thresh => %d, ok_thresh => %d, up_thresh => %d\n"
        "  }\n"
        "}\n",
        TEXT_ARGS(settings->listen), TEXT_ARGS(settings->run_dir), TEXT_ARGS(settings->state_dir),
        TTL_MAX_S, port, INTERVAL_S, TIMEOUT_S, DOWN_THRESH, OK_THRESH, UP_THRESH);
}

static void append_plugin(const struct catalogue *catalogue, struct buffer *out)
{
    uint16_t all[CATALOGUE_REGIONS_MAX] = {0};
    size_t count = catalogue->region_count;
    for (size_t r = 0; r < count; r++)
        all[r] = (uint16_t)r;
    buffer_printf(out, "plugins => {\n"
                       "  geoip => {\n"
                       "    maps => {\n"
                       "      meridian => { nets => meridian.nets, datacenters => ");
    append_regions(catalogue, all, count, out);
    buffer_printf(out, " }\n"
                       "    }\n"
                       "    resources => {\n"
                       "      edge => {\n"
                       "        map => meridian, service_types => edge\n"
                       "        dcmap => {\n");
    for (size_t i = 0; i < count; i++) {
        const struct catalogue_region *region = &catalogue->regions[i];
        buffer_printf(out, "          %s => {\n", region->name);
        append_edges(region, true, out);
        append_edges(region, false, out);
        buffer_printf(out, "          }\n");
    }
    buffer_printf(out, "        }\n"
                       "      }\n"
                       "    }\n"
                       "  }\n"
                       "}\n");
}

static void render_zone(const struct geo_gdnsd_settings *settings, struct buffer *out)
{
    struct settings_address listen;
    struct address address;
    bool known = settings_address_parse(settings->listen, &listen) == 0 &&
                 address_parse(text_of(listen.host), &address) == 0;
    buffer_printf(out,
                  "@ 86400 SOA %.*s hostmaster 1 7200 1800 604800 60\n"
                  "@ 86400 NS %.*s\n",
                  TEXT_ARGS(settings->nameserver), TEXT_ARGS(settings->nameserver));
    if (known)
        buffer_printf(out, "%.*s 86400 %s %s\n", TEXT_ARGS(settings->nameserver),
                      address_is_v4(&address) ? "A" : "AAAA", listen.host);
    buffer_printf(out, "@ %d/%d DYNA geoip!edge\n", TTL_MAX_S, TTL_MIN_S);
    for (size_t r = 0; r < settings->catalogue->region_count; r++)
        buffer_printf(out, "%s %d/%d DYNA geoip!edge/%s\n", settings->catalogue->regions[r].name,
                      TTL_MAX_S, TTL_MIN_S, settings->catalogue->regions[r].name);
}

int geo_gdnsd_render(const struct geo_gdnsd_settings *settings, struct geo_gdnsd_files *ret_files,
                     struct error_text *reterr_why)
{
    uint16_t port;
    struct networks_context context = {settings->catalogue, &ret_files->networks};
    int err = geo_gdnsd_find_port(settings->catalogue, &port, reterr_why);
    if (err != 0)
        return err;
    err = geo_networks_each(
        settings->catalogue, settings->database, NULL,
        &(struct geo_networks_ops){.on_network = on_network, .context = &context});
    if (err != 0)
        return error_text_set(reterr_why, err,
                              err == -EILSEQ ? "the database's tree is damaged"
                                             : "the database is too large, or memory is short");
    append_options(settings, port, &ret_files->config);
    append_plugin(settings->catalogue, &ret_files->config);
    render_zone(settings, &ret_files->zone);
    bool failed = ret_files->config.failed || ret_files->networks.failed || ret_files->zone.failed;
    return failed ? error_text_set(reterr_why, -ENOMEM, "memory is short") : 0;
}
