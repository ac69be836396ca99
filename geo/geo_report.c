#include "geo/geo_report.h"

#include "json/json.h"

#include <math.h>

static void member_text(struct buffer *out, const char *key, const char *value)
{
    buffer_printf(out, ",\"%s\":", key);
    json_write_string(out, text_of(value));
}

void geo_report_place(const struct address *address, const struct geo_place *place,
                      struct buffer *out)
{
    char text[ADDRESS_TEXT_SIZE];
    address_text(address, text);
    buffer_printf(out, "{\"address\":\"%s\"", text);
    if (place->country[0] != '\0')
        member_text(out, "country", place->country);
    if (place->continent[0] != '\0')
        member_text(out, "continent", place->continent);
    if (place->has_coordinates)
        buffer_printf(out, ",\"latitude\":%.4f,\"longitude\":%.4f", place->latitude,
                      place->longitude);
    buffer_append_text(out, TEXT("}"));
}

static void report_candidate(const struct catalogue *catalogue,
                             const struct geo_candidate *candidate, struct buffer *out)
{
    buffer_printf(out, "{\"region\":\"%s\",\"state\":\"%s\"",
                  catalogue->regions[candidate->region].name, geo_class_name(candidate->class_of));
    if (candidate->has_distance)
        buffer_printf(out, ",\"distance_km\":%.0f", round(candidate->distance_km));
    if (candidate->has_distance || candidate->measured)
        buffer_printf(out, ",\"rtt_ms\":%.0f,\"measured\":%s", round(candidate->rtt_ms),
                      candidate->measured ? "true" : "false");
    buffer_append_text(out, TEXT("}"));
}

void geo_report_ranking(const struct catalogue *catalogue, const struct geo_ranking *ranking,
                        struct buffer *out)
{
    buffer_printf(out, "{\"rule\":\"%s\",\"blind\":%s,\"candidates\":[",
                  geo_rule_name(ranking->rule), ranking->blind ? "true" : "false");
    for (size_t i = 0; i < ranking->count; i++) {
        if (i > 0)
            buffer_append_text(out, TEXT(","));
        report_candidate(catalogue, &ranking->candidates[i], out);
    }
    buffer_append_text(out, TEXT("]}"));
}

static void explain_place(const struct geo_client *client, struct buffer *out)
{
    const struct geo_place *place = &client->place;
    char text[ADDRESS_TEXT_SIZE];
    address_text(&client->address, text);
    buffer_printf(out, "%s is ", text);
    if (place->country[0] == '\0' && place->continent[0] == '\0' && !place->has_coordinates)
        buffer_printf(out, "at a place not known%s",
                      address_is_private(&client->address) ? " (a private address)" : "");
    else
        buffer_printf(out, "in %s, %s", place->country[0] == '\0' ? "?" : place->country,
                      place->continent[0] == '\0' ? "?" : place->continent);
    if (place->has_coordinates)
        buffer_printf(out, ", at %.2f %.2f", place->latitude, place->longitude);
    buffer_append_text(out, TEXT("\n"));
}

static void explain_rule(const struct geo_ranking *ranking, struct buffer *out)
{
    const struct catalogue_pin *pin = ranking->pin;
    buffer_printf(out, "decided by: %s", geo_rule_name(ranking->rule));
    if (pin != NULL)
        buffer_printf(out, " %s%s%s%s, line %u of the catalogue: %s, and nowhere else", pin->tenant,
                      pin->network, pin->country, pin->continent, pin->line, pin->regions);
    buffer_append_text(out, TEXT("\n"));
    if (ranking->blind)
        buffer_append_text(out, TEXT("none of these is up: the first is still the best guess\n"));
}

void geo_report_explanation(const struct catalogue *catalogue, const struct geo_client *client,
                            const struct geo_ranking *ranking, struct buffer *out)
{
    explain_place(client, out);
    explain_rule(ranking, out);
    for (size_t i = 0; i < ranking->count; i++) {
        const struct geo_candidate *candidate = &ranking->candidates[i];
        const struct catalogue_region *region = &catalogue->regions[candidate->region];
        buffer_printf(out, "%zu. %-16s %-9s", i + 1, region->name,
                      geo_class_name(candidate->class_of));
        if (candidate->has_distance)
            buffer_printf(out, " %6.0f km", round(candidate->distance_km));
        if (candidate->has_distance || candidate->measured)
            buffer_printf(out, " %5.0f ms %s", round(candidate->rtt_ms),
                          candidate->measured ? "measured" : "guessed");
        if (region->weight != 100)
            buffer_printf(out, ", weight %u", region->weight);
        buffer_append_text(out, TEXT("\n"));
    }
}
