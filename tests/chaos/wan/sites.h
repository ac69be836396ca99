/* The sites that are joined: a name, the network behind it, and where its device is. Pure. */
#pragma once

#include "base/address.h"
#include "base/error_text.h"
#include "base/text.h"

#include <stddef.h>
#include <stdint.h>

enum {
    WAN_SITES_MAX = 32, /* so that a set of them is 32 bits */
    WAN_PATH_MAX = 255,
};

struct wan_site {
    char name[TEXT_REGION_MAX + 1];
    struct network network;
    char namespace_path[WAN_PATH_MAX + 1];
};

/* Zero-initialise. */
struct wan_sites {
    struct wan_site site[WAN_SITES_MAX];
    size_t count;
};

/* "sin=10.77.1.0/24@/run/netns/sin". -EINVAL when it is not like that, -EEXIST when the name is
 * known or the network overlaps a known one, -ENOSPC past WAN_SITES_MAX. */
MUST_USE int wan_sites_add(struct wan_sites *sites, struct text spec,
                           struct error_text *reterr_why);
/* The index of the site, or -ENOENT. */
MUST_USE int wan_sites_find(const struct wan_sites *sites, struct text name);
uint32_t wan_sites_all(const struct wan_sites *sites); /* as a set: bit i is site i */
/* The site that an IPv4 packet is for. -EBADMSG when it is none (RFC 791, section 3.1), -ENOENT
 * when nobody has the address. */
MUST_USE int wan_sites_route(const struct wan_sites *sites, const uint8_t *packet, size_t size);
