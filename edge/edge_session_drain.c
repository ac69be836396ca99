/* Sending clients away from an edge that stops, or is taken out of use, no faster than others can
 * take them. */
#include "edge/edge_session_internal.h"

#include "edge/edge_exchange.h"

enum {
    TICKS_PER_S = 10,   /* how often edge_sessions_drain() is called */
    RECONNECT_MS = 500, /* what evens out a tick's worth of clients */
};

/* It is read no more: what it has sent gets its outcome before it is closed. */
static void session_tell(struct edge_session *session)
{
    session->leaving = true;
    if (session->dialect->on_goaway != NULL)
        session->dialect->on_goaway(session, "drain", RECONNECT_MS);
    if (session->state < EDGE_SESSION_CLOSING)
        edge_stream_pause(&session->stream, true);
}

/* A request is answered, with the news. */
static void exchange_tell(struct edge_session *session)
{
    if (!session->leaving && session->dialect->on_goaway != NULL)
        session->dialect->on_goaway(session, "drain", RECONNECT_MS);
    session->leaving = true;
    edge_exchange_hurry(session->exchange);
}

/* A tick's worth at once; together with what flows in within a second no more than the rate. */
static bool has_turn(struct edge_sessions *sessions, int64_t now_ms)
{
    uint32_t per_s = sessions->settings.edge->drain_per_s;
    uint32_t burst = (per_s + TICKS_PER_S - 1) / TICKS_PER_S;
    return edge_bucket_take(&sessions->drain, per_s > burst ? per_s - burst : 1, burst, now_ms) ==
           0;
}

/* One walk over all sessions. */
struct walk {
    bool more; /* of those that are not told yet */
    bool may_tell;
    const char *reason;
    int64_t now_ms;
};

/* False when there is nothing more to do for it. */
static bool session_drain(struct edge_session *session, struct walk *walk)
{
    if (session->state >= EDGE_SESSION_CLOSING || session->exchange != NULL)
        return false;
    if (!session->leaving) {
        walk->may_tell = walk->may_tell && has_turn(session->sessions, walk->now_ms);
        if (walk->may_tell)
            session_tell(session);
        return walk->more;
    }
    if (session->sender.pending_count == 0)
        edge_session_close(session, EDGE_CLOSE_GOING_AWAY, walk->reason);
    return true;
}

bool edge_sessions_drain(struct edge_sessions *sessions, bool more, const char *reason,
                         int64_t now_ms)
{
    bool left = false;
    struct walk walk = {.more = more, .may_tell = more, .reason = reason, .now_ms = now_ms};
    for (size_t i = 0; i < EDGE_WHEEL_SLOTS; i++) {
        struct list all; /* one that is closed is put into the wheel anew, wherever that is */
        list_init(&all);
        for (struct list *node; (node = list_pop(&sessions->wheel.slots[i])) != NULL;)
            list_push(&all, node);
        for (struct list *node; (node = list_pop(&all)) != NULL;) {
            struct edge_session *session = container_of(node, struct edge_session, wheel);
            list_push(&sessions->wheel.slots[i], node);
            if (session->exchange != NULL && more)
                exchange_tell(session);
            left = session_drain(session, &walk) || left;
        }
    }
    return left;
}

int64_t edge_sessions_drain_ms(const struct edge_sessions *sessions)
{
    return (int64_t)sessions->count * 1000 / sessions->settings.edge->drain_per_s;
}
