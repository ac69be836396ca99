/* The two calls of plain mode over HTTP.
 *
 * POST /api/messages {"recipient_id", "message", "id"?, "sender_id"?}: 202
 * {"status":"sent","id"} once it is accepted; 504 {"status":"unknown","id"} when that is not
 * known in time: repeat it with that id. The header Idempotency-Key is the id of a message without
 * one. An array of such objects is answered by an array, in its order, of what each would be
 * answered; 207 when not all are sent. There KEY.0 is the id of the first one without, and so on.
 *
 * GET /api/messages/{user}?limit=&wait=&after=: a JSON array. Attaches the device "poll" for as
 * long as it takes, gathers what is there or waits for the first message, answers, and, where
 * the server holds the cursor (no `after`), acknowledges what was written. */
#pragma once

#include "edge/edge_dispatch.h"
#include "edge/edge_http.h"
#include "edge/edge_near.h"

struct edge_api; /* opaque */

struct edge_api_settings {
    struct loop *loop;
    const struct edge_settings *edge;
    struct homes *directory;
    struct edge_dispatch *dispatch;
    struct edge_home *home;
    const struct edge_auth *auth; /* NULL: a client is who it says */
    const struct edge_near *near; /* NULL: nobody asks who is near */
    const struct catalogue *catalogue;
    struct edge_limits *limits; /* NULL: there are none */
};
MUST_USE struct edge_api *edge_api_new(const struct edge_api_settings *settings);
void edge_api_free(struct edge_api *api); /* what waits is answered 503 */
void edge_api_post(struct edge_api *api, struct edge_request *request, struct text body);
void edge_api_poll(struct edge_api *api, struct edge_request *request, struct text user,
                   struct text query);
/* Time-outs. About ten times a second. */
void edge_api_tick(struct edge_api *api, int64_t now_ms);
/* Ends the calls that wait for messages with a token that is revoked by now. */
void edge_api_revoked(struct edge_api *api);
/* Answers what waits for messages with what it has. */
void edge_api_drain(struct edge_api *api);
size_t edge_api_waiting(const struct edge_api *api);
