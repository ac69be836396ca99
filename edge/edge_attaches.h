/* The attaches of this edge by user: a hash table whose chains run through the attaches, so that an
 * attach costs one pointer in it. A user's attaches are found in the order of a chain. */
#pragma once

#include "base/macros.h"
#include "base/text.h"

#include <stddef.h>

struct edge_attach;

struct edge_attaches {
    struct edge_attach **buckets;
    size_t bucket_count; /* a power of two */
    size_t count;
};

MUST_USE int edge_attaches_init(struct edge_attaches *attaches); /* -ENOMEM */
void edge_attaches_done(struct edge_attaches *attaches);
MUST_USE int edge_attaches_add(struct edge_attaches *attaches, struct edge_attach *attach);
void edge_attaches_remove(struct edge_attaches *attaches, struct edge_attach *attach);
/* The first attach of `user`, and the next one of the same user; NULL when there is none. */
struct edge_attach *edge_attaches_first(const struct edge_attaches *attaches, struct text user);
struct edge_attach *edge_attaches_next(const struct edge_attach *attach);
