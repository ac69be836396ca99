#include "edge/edge_descriptors.h"

#include <errno.h>

uint32_t edge_descriptors_connections(uint64_t limit, uint32_t wanted)
{
    uint64_t left = limit > EDGE_DESCRIPTORS_KEPT ? limit - EDGE_DESCRIPTORS_KEPT : 0;
    if (left < EDGE_DESCRIPTORS_KEPT)
        left = EDGE_DESCRIPTORS_KEPT;
    return left < wanted ? (uint32_t)left : wanted;
}

enum edge_accept edge_descriptors_judge(int error)
{
    switch (error) {
    case EAGAIN:
        return EDGE_ACCEPT_NONE;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return EDGE_ACCEPT_REST;
    default: /* accept(2): errors of the connection itself, as ECONNABORTED and ENETDOWN */
        return EDGE_ACCEPT_NEXT;
    }
}
