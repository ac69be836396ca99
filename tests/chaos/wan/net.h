/* The lines between all sites, and what a command does to them. Pure: the time comes in. */
#pragma once

#include "base/buffer.h"
#include "wan/line.h"
#include "wan/sites.h"

struct wan_net; /* opaque, see net.c */

/* `sites` are copied. NULL when memory is short. Free with wan_net_free(); NULL is fine there. */
struct wan_net *wan_net_new(const struct wan_sites *sites, uint64_t seed, uint64_t held_max_bytes);
void wan_net_free(struct wan_net *net);
const struct wan_sites *wan_net_sites(const struct wan_net *net); /* borrowed for its life */
/* The line that a packet from site `from` takes, borrowed for the life of the net; NULL when it is
 * for nobody, which is counted. *ret_to is the site at its other end. */
struct wan_line *wan_net_route(struct wan_net *net, size_t from, const uint8_t *packet, size_t size,
                               size_t *ret_to);
/* Does what the line of text says, and appends the answer, a line of JSON with its line end:
 * {"ok":true...} or {"ok":false,"error":"..."}. */
void wan_net_tell(struct wan_net *net, struct text line, int64_t now_ns, struct buffer *out);
