/* Whose request it is behind balancers that pass HTTP on: the last address in X-Forwarded-For or
 * Forwarded (RFC 7239) that is none of theirs. Pure.
 *
 * Each balancer appends the address it was reached from, so only what stands to the right of the
 * last address that is no balancer's was said by balancers; all to the left may be invented. An
 * entry that names no address ("unknown", "_hidden", damaged) ends the search as well: the client
 * is then the balancer that said it. */
#pragma once

#include "base/networks.h"

enum edge_forwarded_header { EDGE_FORWARDED_X_FOR, EDGE_FORWARDED_RFC7239 };
enum { EDGE_FORWARDED_HOPS_MAX = 32 }; /* balancers behind each other; more are not looked past */

struct edge_forwarded {
    enum edge_forwarded_header header;
    const struct networks *trusted;
    const struct text *values; /* of all headers of that name, in their order */
    size_t count;
};

/* `peer` is who is connected: the client itself, when it is no trusted balancer. */
struct address edge_forwarded_client(const struct edge_forwarded *forwarded,
                                     const struct address *peer);
