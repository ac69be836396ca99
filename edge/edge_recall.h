/* History on a WebSocket of meridian.v1, of the connection's own user, one ask at a time:
 *   {"t":"history","id":"h1","before":"1:57","limit":50}
 *   {"t":"history","id":"h1","messages":[...],"more":true,"complete":true}
 * What is refused is an `error` with that id. */
#pragma once

#include "edge/edge_session.h"
#include "json/json.h"

struct edge_recall; /* an ask that waits, of a session */

struct edge_recall_frame { /* members of the frame */
    struct json_value id, before, after, limit;
};
void edge_recall_ask(struct edge_session *session, const struct edge_recall_frame *frame);
/* The session ends: nothing waits any more. */
void edge_recall_end(struct edge_session *session);
