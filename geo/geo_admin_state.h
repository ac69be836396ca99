/* gdnsd's admin_state, the part of it that is ours: a line for each region that name servers should
 * not answer with. Pure.
 *
 * Ours are the keys of the map, geoip/meridian/REGION, and stand at the top. All other lines are
 * people's and stay; one with the key of the resource, geoip/edge/REGION, counts for more.
 *
 * Source: gdnsd 3.8, gdnsd(8), "ADMIN STATE FILE". */
#pragma once

#include "base/buffer.h"
#include "catalogue/catalogue.h"
#include "geo/rank.h"

enum { GEO_ADMIN_STATE_MAX = 1024 * 1024 }; /* bytes of a file that is read */

/* The regions that are worse than the best that there are: gdnsd knows up and down alone, and takes
 * the first choice when all are down, so full ones may be down only while others have room. */
void geo_admin_state_choose(const struct catalogue *catalogue,
                            const struct geo_region_state *states,
                            bool ret_down[CATALOGUE_REGIONS_MAX]);
/* Appends the file as it should be, given as it is. */
void geo_admin_state_write(const struct catalogue *catalogue, const bool down[], struct text before,
                           struct buffer *out);
