/* History over HTTP: GET /api/messages/{user}?before=CURSOR&limit=N answers
 * {"messages":[...],"more":true,"complete":true}. An empty `before` means the newest. It confirms
 * nothing, and gives nobody a home. */
#pragma once

#include "edge/edge_history.h"
#include "edge/edge_http.h"
#include "homes/homes.h"
#include "loop/loop.h"

struct edge_recalls; /* opaque: the requests that wait */

struct edge_recalls_settings { /* all borrowed */
    struct loop *loop;
    const struct edge_settings *edge;
    struct homes *directory;
    struct edge_history *history;
};
MUST_USE struct edge_recalls *edge_recalls_new(const struct edge_recalls_settings *settings);
void edge_recalls_free(struct edge_recalls *recalls); /* what waits is answered 503 */
void edge_recalls_get(struct edge_recalls *recalls, struct edge_request *request, struct text user,
                      struct text query);
