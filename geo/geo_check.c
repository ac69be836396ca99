#include "geo/geo_check.h"

#include <errno.h>
#include <string.h>

enum { DAY_S = 24 * 60 * 60 };

/* Addresses that registries use for themselves. */
static const struct {
    const char *address;
    const char *country;
} registries[] = {
    {"193.0.6.139", "NL"},   /* RIPE NCC */
    {"202.12.29.175", "AU"}, /* APNIC */
    {"199.212.0.46", "US"},  /* ARIN */
};

static void check_facts(const struct geo_database *database, int64_t now_s, struct buffer *out)
{
    struct geo_database_facts facts = geo_database_facts(database);
    int64_t days = (now_s - facts.built_s) / DAY_S;
    buffer_printf(out, "ok type %s, %u nodes\n", facts.type == NULL ? "?" : facts.type,
                  facts.nodes);
    buffer_printf(out, "%s built %lld days ago%s\n", days > GEO_CHECK_AGE_DAYS ? "warning" : "ok",
                  (long long)days, days > GEO_CHECK_AGE_DAYS ? ": places have changed since" : "");
    if (facts.ip_version != 6)
        buffer_append_text(out, TEXT("warning IPv4 only: clients of IPv6 have no place\n"));
}

/* What a look-up gives: the place counts only when it is 0. */
static int look_up(const struct geo_database *database, const struct geo_known *known,
                   struct geo_place *ret_place, struct buffer *out)
{
    char text[ADDRESS_TEXT_SIZE];
    address_text(&known->address, text);
    int err = geo_database_find(database, &known->address, ret_place);
    if (err == -EILSEQ)
        buffer_printf(out, "error %s: the file is damaged there\n", text);
    else if (err != 0)
        buffer_printf(out, "error %s: not found, should be in %s\n", text, known->country);
    else if (strcmp(ret_place->country, known->country) != 0) {
        buffer_printf(out, "error %s: in '%s', should be in %s\n", text, ret_place->country,
                      known->country);
        return -EINVAL;
    } else
        buffer_printf(out, "ok %s: in %s\n", text, known->country);
    return err;
}

bool geo_check_database(const struct geo_database *database, int64_t now_s,
                        const struct geo_known *known, size_t known_count, struct buffer *out)
{
    struct geo_known own[COUNT_OF(registries)];
    for (size_t i = 0; known_count == 0 && i < COUNT_OF(own); i++) {
        memcpy(own[i].country, registries[i].country, sizeof own[i].country);
        if (address_parse(text_of(registries[i].address), &own[i].address) != 0)
            return false;
    }
    if (known_count == 0) {
        known = own;
        known_count = COUNT_OF(own);
    }
    bool good = true;
    bool has_coordinates = false;
    check_facts(database, now_s, out);
    for (size_t i = 0; i < known_count; i++) {
        struct geo_place place = {.prefix = 0};
        good = look_up(database, &known[i], &place, out) == 0 && good;
        has_coordinates = has_coordinates || place.has_coordinates;
    }
    if (has_coordinates)
        buffer_append_text(out, TEXT("ok it has coordinates\n"));
    else
        buffer_append_text(out, TEXT("error no coordinates: nearness cannot be told\n"));
    return good && has_coordinates;
}
