#include "edge/edge_leave.h"

bool edge_leave_may(const struct edge_leave_view *view)
{
    bool long_here = view->age_ms >= view->apart_ms;
    if (view->drains)
        return long_here || view->age_ms >= view->drain_age_ms;
    return view->rebalances && long_here;
}

/* The region drains, but its clients are not to leave yet. */
static bool must_wait(const struct edge_leave_view *view, const struct geo_ranking *ranking)
{
    for (size_t i = 0; i < ranking->count; i++)
        if (ranking->candidates[i].region == view->here)
            return !view->drains && ranking->candidates[i].class_of == GEO_CLASS_DRAINING;
    return false;
}

enum edge_leave edge_leave_judge(const struct edge_leave_view *view,
                                 const struct geo_ranking *ranking)
{
    if (!edge_leave_may(view) || must_wait(view, ranking) ||
        !geo_should_move(ranking, view->here, view->age_ms, view->apart_ms))
        return EDGE_LEAVE_STAY;
    return view->drains ? EDGE_LEAVE_DRAIN : EDGE_LEAVE_REBALANCE;
}
