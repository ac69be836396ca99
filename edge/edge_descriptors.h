/* What the limit of descriptors allows: how many connections there may be below it, and what to do
 * when accept(2) fails. A process at its limit must not be told again and again that somebody waits
 * whom it cannot take. Pure. */
#pragma once

#include <stdint.h>

enum {
    EDGE_DESCRIPTORS_KEPT = 64
}; /* beside clients: NATS, files that are read anew, the loop... */

/* Of `wanted` connections, below a limit of so many descriptors. At least EDGE_DESCRIPTORS_KEPT:
 * with less no edge runs. */
uint32_t edge_descriptors_connections(uint64_t limit, uint32_t wanted);

enum edge_accept {
    EDGE_ACCEPT_NEXT, /* that one is gone; another may wait */
    EDGE_ACCEPT_NONE, /* nobody waits */
    EDGE_ACCEPT_REST, /* somebody waits, and cannot be taken now: descriptors or memory are short */
};
/* By the errno of accept(2). */
enum edge_accept edge_descriptors_judge(int error);
