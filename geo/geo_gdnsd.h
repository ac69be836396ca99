/* The configuration of a gdnsd name server, out of the catalogue: it answers for a name with the
 * addresses of the edges of the region that geo_rank() puts first, of those whose edges are well.
 *
 * All ranking is done here: gdnsd is given networks with their regions, and no rule of its own, so
 * that it cannot disagree with what edges and people are told. When the catalogue or the database
 * changes only the file of networks changes, which gdnsd takes up by itself.
 *
 * Source: gdnsd 3.8, gdnsd.config(5), gdnsd.zonefile(5), gdnsd-plugin-geoip(8). */
#pragma once

#include "base/buffer.h"
#include "base/error_text.h"
#include "catalogue/catalogue.h"
#include "geo/database.h"

struct geo_gdnsd_settings {
    const struct catalogue *catalogue;
    const struct geo_database *database; /* NULL: pins and the order of the catalogue decide */
    struct text zone;                    /* "edge.example.com": the name that clients ask for */
    struct text nameserver;              /* host name within the zone, "ns1" */
    struct text listen;                  /* address of gdnsd, 192.0.2.53:53 */
    struct text run_dir;                 /* absolute */
    struct text state_dir;               /* the same */
};
struct geo_gdnsd_files {
    struct buffer config;   /* config */
    struct buffer networks; /* geoip/meridian.nets */
    struct buffer zone;     /* zones/ZONE */
};
/* -EINVAL: an address of an edge cannot stand in DNS, or their ports differ; and as
 * geo_networks_each(). Free the buffers in any case. */
MUST_USE int geo_gdnsd_render(const struct geo_gdnsd_settings *settings,
                              struct geo_gdnsd_files *ret_files, struct error_text *reterr_why);
/* The one port of all edges: a name has addresses, and no port. -EINVAL as above. */
MUST_USE int geo_gdnsd_find_port(const struct catalogue *catalogue, uint16_t *ret_port,
                                 struct error_text *reterr_why);
