/* Sessions that are sent to another region: told so, at a capped rate, and closed then. */
#include "edge/edge_session_internal.h"

#include "base/hash.h"
#include "edge/edge_leave.h"

enum {
    GRACE_MORE = 5,        /* times the grace: how long a send without an outcome holds it up */
    SPREAD_MAX_MS = 30000, /* by then each is looked at, whatever the rate */
};

static int64_t dice_ms(int64_t most_ms)
{
    uint32_t dice;
    hash_random(&dice, sizeof dice);
    return most_ms <= 0 ? 0 : dice % most_ms;
}

/* The turns of those who leave for the same reason: so many a second. */
struct turns {
    struct edge_bucket *bucket;
    struct edge_rate rate;
};

static struct turns turns_of(struct edge_sessions *sessions, bool drains)
{
    const struct edge_settings *edge = sessions->settings.edge;
    uint32_t per_s = drains ? edge->geo_drain_rate : edge->geo_rebalance_rate;
    return (struct turns){.bucket = drains ? &sessions->drain_region : &sessions->rebalance,
                          .rate = edge_rate_per_s(per_s, per_s)};
}

static void call_look(struct edge_session *session, const void *context)
{
    const int64_t *spread_ms = context;
    if (session->state == EDGE_SESSION_OPEN)
        edge_session_look_in(session, dice_ms(*spread_ms));
}

void edge_sessions_leave_region(struct edge_sessions *sessions)
{
    int64_t all_ms = (int64_t)sessions->count * 1000 / sessions->settings.edge->geo_drain_rate;
    int64_t spread_ms = all_ms < SPREAD_MAX_MS ? all_ms : SPREAD_MAX_MS;
    edge_sessions_each(sessions, call_look, &spread_ms);
}

/* Told, and by now to be closed; a send that waits for its outcome holds that up for a while. */
static void leave_now(struct edge_session *session, int64_t told_for_ms)
{
    int64_t grace_ms = session->sessions->settings.edge->geo_grace_ms;
    int64_t left_ms = grace_ms - told_for_ms;
    if (left_ms > 0)
        edge_session_look_in(session, left_ms);
    else if (session->sender.pending_count > 0 && told_for_ms < GRACE_MORE * grace_ms)
        edge_session_look_in(session, EDGE_WHEEL_TICK_MS);
    else
        edge_session_close(session, EDGE_CLOSE_RECONNECT, "another region is better");
}

static void tell(struct edge_session *session, const char *reason)
{
    int64_t grace_ms = session->sessions->settings.edge->geo_grace_ms;
    uint32_t now = edge_sessions_now(session->sessions);
    session->told_ms = now == 0 ? 1 : now;
    if (session->dialect->on_goaway != NULL)
        session->dialect->on_goaway(session, reason, grace_ms);
    edge_session_look_in(session, grace_ms);
}

bool edge_session_leave(struct edge_session *session)
{
    struct edge_sessions *sessions = session->sessions;
    const struct edge_settings *edge = sessions->settings.edge;
    uint32_t now = edge_sessions_now(sessions);
    struct geo_ranking ranking;
    if (sessions->settings.near == NULL)
        return false;
    if (session->told_ms != 0) {
        leave_now(session, now - session->told_ms);
        return true;
    }
    struct edge_leave_view view = {.age_ms = now - session->begun_ms,
                                   .apart_ms = edge->geo_apart_ms,
                                   .rebalances = edge->geo_rebalance_rate > 0};
    view.here = edge_near_here(sessions->settings.near, &view.drains, &view.drain_age_ms);
    if (!edge_leave_may(&view))
        return false;
    int64_t now_ms = loop_now_ms(sessions->settings.loop);
    struct turns turns = turns_of(sessions, view.drains);
    if (edge_bucket_wait(turns.bucket, turns.rate, 1, now_ms) > 0)
        return false; /* its turn comes with a later look: it is pinged meanwhile */
    const struct edge_near_client client = {&session->client, edge_token_tenant(session->token)};
    edge_near_rank(sessions->settings.near, &client, &ranking);
    enum edge_leave leave = edge_leave_judge(&view, &ranking);
    if (leave == EDGE_LEAVE_STAY)
        return false;
    (void)edge_bucket_draw(turns.bucket, turns.rate, now_ms);
    tell(session, leave == EDGE_LEAVE_DRAIN ? "drain" : "rebalance");
    return true;
}
