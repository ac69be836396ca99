/* Which route a request means: a row of a table, or why it is none. Pure. */
#pragma once

#include "base/buffer.h"
#include "base/text.h"

#include <stddef.h>

enum edge_method { /* bits of a set */
                   EDGE_METHOD_GET = 1,
                   EDGE_METHOD_HEAD = 2,
                   EDGE_METHOD_POST = 4,
                   EDGE_METHOD_OPTIONS = 8,
};

enum edge_role { /* bits of a set: what an edge is there for */
                 EDGE_ROLE_API = 1,
                 EDGE_ROLE_SOCKET = 2,
};

struct edge_call; /* of edge_http_internal.h */

struct edge_route {
    /* Decoded. May have one {name}, which stands for one character or more, '/' among them. */
    const char *path;
    unsigned methods; /* OPTIONS is never among them: every path answers it */
    unsigned role;    /* 0: on every edge */
    int (*on_call)(const struct edge_call *call);
};

enum edge_routed {
    EDGE_ROUTED,
    EDGE_ROUTED_OPTIONS,     /* it asks which methods the path takes */
    EDGE_ROUTED_NOT_ALLOWED, /* not by this method */
    EDGE_ROUTED_NOT_HERE,    /* by an edge of another role */
    EDGE_ROUTED_NOWHERE,
};

struct edge_found {
    enum edge_routed routed;
    const struct edge_route *route; /* only when EDGE_ROUTED */
    struct text name;               /* what stands for {name}; borrows of `path` */
    unsigned allow;                 /* the methods the path takes here, OPTIONS among them */
};
/* `roles` are those of this edge. Several rows may have one path. */
struct edge_found edge_routes_find(const struct edge_route *routes, size_t count, unsigned roles,
                                   struct text method, struct text path);

/* Appends them as the header Allow has them: "GET, HEAD". */
void edge_methods_write(struct buffer *to, unsigned methods);
