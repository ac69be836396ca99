/* Whether a session should go to an edge of another region: because this one drains, or because
 * another one is nearer. Pure. */
#pragma once

#include "geo/rank.h"

enum edge_leave {
    EDGE_LEAVE_STAY,
    EDGE_LEAVE_DRAIN,     /* its region drains */
    EDGE_LEAVE_REBALANCE, /* another region is nearer by a fifth or more, and has room */
};

struct edge_leave_view {
    uint16_t here;        /* this edge's region: an index in the catalogue */
    bool drains;          /* that region does, and its clients are to leave */
    int64_t drain_age_ms; /* since when */
    int64_t age_ms;       /* of the session */
    int64_t apart_ms;     /* nobody is moved again sooner */
    bool rebalances;      /* this edge sends away for nearness */
};

/* Every move is a connection made anew, so who has not been connected for long enough may have been
 * moved a moment ago, and stays. Who was here before the region began to drain goes at once. */
enum edge_leave edge_leave_judge(const struct edge_leave_view *view,
                                 const struct geo_ranking *ranking);
/* Whether there is anything to judge: without a ranking, which costs more. */
bool edge_leave_may(const struct edge_leave_view *view);
