/* The header of the PROXY protocol, versions 1 and 2, with which a balancer tells whose connection
 * it passes on. Pure; may be called with more and more of the bytes, as they come.
 *
 * Version 1 is a line of at most 107 bytes, version 2 is binary. Of its TLVs only CRC32C is looked
 * at; the others are skipped, and must fill what the header declares. */
#pragma once

#include "base/address.h"

#include <stddef.h>
#include <stdint.h>

enum {
    EDGE_PROXY_LINE_MAX = 107,    /* of version 1, with its CR LF */
    EDGE_PROXY_HEADER_MAX = 2048, /* of version 2, with its TLVs */
};

struct edge_proxy {
    size_t size;      /* of the header; what follows is the client's */
    bool has_address; /* else the connection is the balancer's own, or of an unknown family */
    struct address address;
};

/* 0; -EAGAIN when it goes on past `size`; -EPROTO when it is none, or a damaged one, as soon as
 * that is sure; -E2BIG when it is longer than EDGE_PROXY_HEADER_MAX. */
MUST_USE int edge_proxy_parse(const uint8_t *bytes, size_t size, struct edge_proxy *ret_proxy);
