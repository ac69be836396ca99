/* Where an address is, by a MaxMind DB file (the operator's own: none is shipped). Two schemas are
 * read: GeoIP2's (country.iso_code, continent.code, location.latitude) and the flat one of some
 * redistributions (country_code, latitude).
 *
 * The file is copied into memory, so whoever writes over it or cuts it off cannot take the ground
 * from under a look-up. It should be replaced by rename all the same: a file that is taken up while
 * it is written is refused, or half of it is read.
 *
 * Source: MaxMind DB file format 2.0; libmaxminddb 1.7. Any number of threads may look up, one may
 * reload when no other looks up. */
#pragma once

#include "base/address.h"
#include "base/error_text.h"

#include <stdbool.h>
#include <stdint.h>

struct geo_database; /* opaque, see database.c */

enum { GEO_DATABASE_MIB_MAX = 1024 };

enum geo_schema {
    GEO_SCHEMA_UNKNOWN, /* no address has told yet */
    GEO_SCHEMA_GEOIP2,
    GEO_SCHEMA_FLAT,
};

struct geo_place {
    char country[3];   /* ISO 3166-1 alpha-2; "" when not known */
    char continent[3]; /* AF, AN, AS, EU, NA, OC, SA; "" when not known */
    bool has_coordinates;
    double latitude;
    double longitude;
    uint8_t prefix; /* of the network that the database knows, as in struct network */
};

/* NULL with the reason. */
MUST_USE struct geo_database *geo_database_open(const char *path, struct error_text *reterr_why);
void geo_database_close(struct geo_database *database); /* NULL is fine */
/* 0: `ret_place` is filled, as far as the database knows. -ENOENT: it does not know the address,
 * and `ret_place` is empty but for its prefix. -EILSEQ: it is damaged there. -EAFNOSUPPORT: an IPv6
 * address, and the file holds IPv4 only. */
MUST_USE int geo_database_find(const struct geo_database *database, const struct address *address,
                               struct geo_place *ret_place);

/* A part of the tree, for going through all of it: a node that splits, or a leaf. */
struct geo_branch {
    bool leaf;
    bool known;      /* of a leaf: there is an entry */
    uint32_t number; /* of a node, or where the entry stands */
};
/* Where the IPv4 and the IPv6 part begin; a leaf that is not known where there is no such part.
 * -EILSEQ: the tree is damaged, as below. */
MUST_USE int geo_database_roots(const struct geo_database *database, struct geo_branch *ret_v4,
                                struct geo_branch *ret_v6);
MUST_USE int geo_database_split(const struct geo_database *database,
                                const struct geo_branch *branch, struct geo_branch children[2]);
/* As geo_database_find(), but for the prefix. */
MUST_USE int geo_database_place(const struct geo_database *database,
                                const struct geo_branch *branch, struct geo_place *ret_place);

struct geo_database_facts { /* borrowed until it is reloaded or closed */
    const char *type;       /* "GeoLite2-City" */
    int64_t built_s;        /* since 1970 */
    unsigned ip_version;    /* 4, or 6 for both */
    uint32_t nodes;
};
struct geo_database_facts geo_database_facts(const struct geo_database *database);
/* 1: another file stands at the path and was taken up; 0: it is the same, or the one that was
 * refused last; negative: it is no good, with the reason, and the old one stays. */
MUST_USE int geo_database_reload(struct geo_database *database, struct error_text *reterr_why);
