/* Who a client of meridian.v1 is and where it goes on, as the query of a URL says it: what a hello
 * says on a WebSocket. Pure.
 *
 *   device=phone&user=alice&cursor=1:57&start=head&token=eyJ...&wait=20 */
#pragma once

#include "auth/token.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

enum edge_query_key { /* a route takes some of them */
                      EDGE_QUERY_DEVICE = 1,
                      EDGE_QUERY_USER = 2,
                      EDGE_QUERY_CURSOR = 4,
                      EDGE_QUERY_START = 8,
                      EDGE_QUERY_TOKEN = 16,
                      EDGE_QUERY_WAIT = 32,
};

struct edge_query {
    unsigned keys;      /* that were there */
    struct text user;   /* texts are of the rooms; empty: not said */
    struct text device; /* checked, where it is said */
    struct text token;
    uint32_t epoch; /* of the cursor */
    uint64_t seq;
    bool from_head;
    uint64_t wait_s;
    char user_room[TEXT_USER_MAX];
    char device_room[TEXT_DEVICE_MAX];
    char token_room[AUTH_TOKEN_MAX];
};

/* NULL, or what is wrong: a key that is not of `takes` (an OR of enum edge_query_key), twice the
 * same, or a bad value. An empty query is fine. */
const char *edge_query_read(struct text query, unsigned takes, struct edge_query *ret_query);
/* The cursor of a header takes the place of the query's. -EINVAL. */
MUST_USE int edge_query_go_on(struct edge_query *query, struct text cursor);
