/* Who is here of the same user: the sessions of an edge, chained by a hash of whose they are. Eight
 * bytes a session, and as many for every two of them. Pure. */
#pragma once

#include "base/macros.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

struct edge_user_session { /* embedded in its owner, zeroed */
    struct edge_user_session *next;
};

struct edge_user_sessions; /* opaque */

/* `user_of`: whose a session is; the same as long as it is linked. NULL when memory is short. */
MUST_USE struct edge_user_sessions *
    edge_user_sessions_new(struct text (*user_of)(struct edge_user_session *session));
void edge_user_sessions_free(struct edge_user_sessions *set); /* all have left. NULL is fine */
/* The next one of this user behind `after`, in no order; NULL: the first one. NULL: no more. */
struct edge_user_session *edge_user_sessions_next(const struct edge_user_sessions *set,
                                                  struct text user,
                                                  const struct edge_user_session *after);
/* One that is not linked. -ENOMEM. */
MUST_USE int edge_user_sessions_add(struct edge_user_sessions *set,
                                    struct edge_user_session *session);
/* One that is. */
void edge_user_sessions_remove(struct edge_user_sessions *set, struct edge_user_session *session);
