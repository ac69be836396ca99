#include "geo/geo_route53.h"

#include "geo/geo_gdnsd.h"
#include "json/json.h"

#include <errno.h>
#include <math.h>

enum { TTL_S = 30, INTERVAL_S = 10, FAILURES = 2, BIAS_MAX = 99 };

int geo_route53_bias(uint32_t weight)
{
    double bias = weight >= 100 ? 100 - 10000.0 / weight : weight - 100.0;
    return bias < -BIAS_MAX ? -BIAS_MAX : bias > BIAS_MAX ? BIAS_MAX : (int)lround(bias);
}

static void append_addresses(const struct catalogue_region *region, bool v4, struct buffer *out)
{
    const char *comma = "";
    for (size_t i = 0; i < region->edge_count; i++) {
        struct settings_address parsed;
        struct address address;
        if (settings_address_parse(text_of(region->edges[i].listen), &parsed) != 0 ||
            address_parse(text_of(parsed.host), &address) != 0 || address_is_v4(&address) != v4)
            continue;
        buffer_printf(out, "%s\"%s\"", comma, address_name(&address).text);
        comma = ", ";
    }
}

static void append_region(const struct catalogue_region *region, struct buffer *out)
{
    /* Route 53 takes coordinates as texts, in hundredths of a degree. */
    buffer_printf(out,
                  "    \"%s\": {\"latitude\": \"%.2f\", \"longitude\": \"%.2f\", \"bias\": %d, "
                  "\"drain\": %s, \"a\": [",
                  region->name, region->latitude, region->longitude,
                  geo_route53_bias(region->weight), region->drain ? "true" : "false");
    append_addresses(region, true, out);
    buffer_append_text(out, TEXT("], \"aaaa\": ["));
    append_addresses(region, false, out);
    buffer_append_text(out, TEXT("]}"));
}

/* {"RU": ["dub", "iad"]}; of two pins of one place the first counts, as in the ranking. */
static void append_pins(const struct catalogue *catalogue, bool countries, struct buffer *out)
{
    const char *comma = "";
    for (size_t i = 0; i < catalogue->pin_count; i++) {
        const struct catalogue_pin *pin = &catalogue->pins[i];
        const char *place = countries ? pin->country : pin->continent;
        bool seen = place[0] == '\0';
        for (size_t j = 0; j < i && !seen; j++) {
            const struct catalogue_pin *before = &catalogue->pins[j];
            seen = text_equal(text_of(countries ? before->country : before->continent),
                              text_of(place));
        }
        if (seen)
            continue;
        buffer_printf(out, "%s\"%s\": [", comma, place);
        struct text left = text_of(pin->regions), name;
        for (const char *between = ""; catalogue_pin_next(&left, &name); between = ", ")
            buffer_printf(out, "%s\"%.*s\"", between, TEXT_ARGS(name));
        buffer_append_text(out, TEXT("]"));
        comma = ", ";
    }
}

int geo_route53_render(const struct catalogue *catalogue, struct text zone, struct buffer *out,
                       size_t *ret_left_out, struct error_text *reterr_why)
{
    uint16_t port;
    int err = geo_gdnsd_find_port(catalogue, &port, reterr_why);
    if (err != 0)
        return err;
    *ret_left_out = 0;
    for (size_t i = 0; i < catalogue->pin_count; i++)
        *ret_left_out +=
            catalogue->pins[i].network[0] != '\0' || catalogue->pins[i].tenant[0] != '\0';
    buffer_append_text(out, TEXT("{\n  \"meridian_zone\": "));
    json_write_string(out, zone);
    buffer_printf(
        out,
        ",\n  \"meridian_ttl_s\": %d,\n  \"meridian_health\": {\"port\": %u, \"path\": "
        "\"/readyz\", \"interval_s\": %d, \"failures\": %d},\n  \"meridian_regions\": {\n",
        TTL_S, port, INTERVAL_S, FAILURES);
    for (size_t i = 0; i < catalogue->region_count; i++) {
        append_region(&catalogue->regions[i], out);
        buffer_append_text(out, i + 1 < catalogue->region_count ? TEXT(",\n") : TEXT("\n"));
    }
    buffer_append_text(out, TEXT("  },\n  \"meridian_pins\": {\"countries\": {"));
    append_pins(catalogue, true, out);
    buffer_append_text(out, TEXT("}, \"continents\": {"));
    append_pins(catalogue, false, out);
    buffer_append_text(out, TEXT("}}\n}\n"));
    return out->failed ? error_text_set(reterr_why, -ENOMEM, "memory is short") : 0;
}
