/* What HTTP asks about a user. None of it gives anybody a home.
 *
 * GET /api/users/{user}/location: {"user","home","epoch","sure"}, of the directory; "sure" is false
 * while the region's mirror of it is not known to be current.
 *
 * GET /api/users/{user}/connections:
 * {"user","connections":[{"device","region","edge","since"}]}, of the owner of the user's shard.
 *
 * POST /api/users/{user}/disconnect {"device"?, "reconnect"?, "reason"?}: {"disconnected":n}. The
 * owner tells the edges; a client is closed with 4403, or with 4000 for "reconnect":true. The
 * reason stands in the log. */
#pragma once

#include "edge/edge_http.h"
#include "edge/edge_who.h"
#include "homes/homes.h"
#include "loop/loop.h"

struct edge_users; /* opaque: the requests that wait */

struct edge_users_settings { /* borrowed */
    struct loop *loop;
    struct homes *directory;
    struct edge_who_settings who;
};
MUST_USE struct edge_users *edge_users_new(const struct edge_users_settings *settings);
void edge_users_free(struct edge_users *users); /* what waits is answered 503 */
void edge_users_ask(struct edge_users *users, struct edge_request *request, enum edge_user_ask ask,
                    struct text user, struct text body);

struct edge_users_disconnect {
    struct text device; /* empty: all of them */
    struct text reason;
    bool reconnect;
    char device_room[TEXT_DEVICE_MAX];
    char reason_room[TEXT_USER_MAX];
};
/* Of a body, which may be empty; borrows of it. NULL, or what is wrong. */
const char *edge_users_read(struct text body, struct edge_users_disconnect *ret);
