/* Whether a GeoIP database is fit for steering: one that is not must be refused before a name
 * server is given it, since that would send everybody to one region without a word. */
#pragma once

#include "base/buffer.h"
#include "geo/database.h"

#include <stdbool.h>
#include <stddef.h>

enum { GEO_CHECK_AGE_DAYS = 45 };

struct geo_known { /* an address whose country is known for certain */
    struct address address;
    char country[3];
};

/* Appends a line a finding, beginning with "ok", "warning" or "error". `known` may be empty: then
 * three addresses of the internet's registries are looked up. True: no error. */
bool geo_check_database(const struct geo_database *database, int64_t now_s,
                        const struct geo_known *known, size_t known_count, struct buffer *out);
