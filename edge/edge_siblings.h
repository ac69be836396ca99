/* Who is here of the same user: the sessions of an edge, chained by a hash of whose they are. Eight
 * bytes a session, and as many for every two of them. Pure. */
#pragma once

#include "base/macros.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

struct edge_sibling { /* embedded in its owner, zeroed */
    struct edge_sibling *next;
};

struct edge_siblings; /* opaque */

/* `user_of`: whose a sibling is; the same as long as it is linked. NULL when memory is short. */
MUST_USE struct edge_siblings *
    edge_siblings_new(struct text (*user_of)(struct edge_sibling *sibling));
void edge_siblings_free(struct edge_siblings *siblings); /* all have left. NULL is fine */
/* The next one of this user behind `after`, in no order; NULL: the first one. NULL: no more. */
struct edge_sibling *edge_siblings_next(const struct edge_siblings *siblings, struct text user,
                                        const struct edge_sibling *after);
/* One that is not linked. -ENOMEM. */
MUST_USE int edge_siblings_add(struct edge_siblings *siblings, struct edge_sibling *sibling);
/* One that is. */
void edge_siblings_remove(struct edge_siblings *siblings, struct edge_sibling *sibling);
