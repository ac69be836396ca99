/* What one client may ask of an edge: how fast it sends and pings, how much it may be owed, and how
 * many connections its user has. */
#include "edge/edge_session_internal.h"

#include "edge/edge_exchange.h"
#include "log/log.h"

#include <string.h>

static bool is_service(const struct edge_session *session)
{
    return session->token != NULL && session->token->service;
}

/* Sends. */

static void session_close_flood(struct edge_session *session)
{
    static struct log_limit limit;
    log_limited(&limit, LOG_LEVEL_INFO, "a client goes on sending too fast and is closed",
                LOG_TEXT("user", edge_session_user(session)),
                LOG_STRING("client", address_name(&session->client).text));
    edge_session_close(session, EDGE_CLOSE_POLICY, "too many sends");
}

static void session_refuse_send(struct edge_session *session, const struct edge_letter *letter,
                                const struct edge_limits_wait *wait)
{
    const struct edge_sessions_settings *settings = &session->sessions->settings;
    enum edge_flood flood =
        session->exchange != NULL
            ? EDGE_FLOOD_GOES_ON
            : edge_limits_flood(settings->limits, session, loop_now_ms(settings->loop));
    if (flood == EDGE_FLOOD_BEGINS && session->dialect->on_throttle != NULL)
        session->dialect->on_throttle(session, wait);
    edge_exchange_limited(session->exchange, wait->again_ms);
    session->dialect->on_outcome(session, &(struct edge_outcome){.id = letter->id,
                                                                 .code = EDGE_RATE_LIMITED,
                                                                 .retry_after_ms = wait->again_ms});
    if (flood == EDGE_FLOOD_TOO_LONG)
        session_close_flood(session);
}

bool edge_session_may_send(struct edge_session *session, const struct edge_letter *letter)
{
    const struct edge_sessions_settings *settings = &session->sessions->settings;
    const struct edge_limits_who who = {.connection = session->exchange == NULL ? session : NULL,
                                        .user = edge_session_user(session),
                                        .client = session->client,
                                        .service = is_service(session)};
    struct edge_limits_wait wait =
        edge_limits_send(settings->limits, &who, loop_now_ms(settings->loop));
    if (wait.again_ms > 0)
        session_refuse_send(session, letter, &wait);
    return wait.again_ms == 0;
}

/* Pings. */

void edge_session_pinged(struct edge_session *session, const struct edge_ws_event *event)
{
    struct edge_sessions *sessions = session->sessions;
    uint32_t per_s = sessions->settings.edge->pings_per_s;
    if (edge_bucket_take(&session->pings, per_s, 2 * per_s, loop_now_ms(sessions->settings.loop)) >
        0) {
        edge_session_close(session, EDGE_CLOSE_POLICY, "too many pings");
        return;
    }
    sessions->pong.due = true;
    sessions->pong.size = (uint8_t)event->size;
    if (event->size > 0)
        memcpy(sessions->pong.data, event->data, event->size);
}

void edge_session_pong(struct edge_session *session)
{
    struct edge_pong *pong = &session->sessions->pong;
    if (!pong->due)
        return;
    pong->due = false;
    if (session->state >= EDGE_SESSION_CLOSING)
        return;
    struct buffer *out = edge_stream_output(&session->stream);
    if (out != NULL && session->state < EDGE_SESSION_CLOSING)
        session->framing->write_pong(out, pong->data, pong->size);
}

/* Reading. */

void edge_session_read_less(struct edge_session *session, size_t before)
{
    size_t pending = edge_stream_pending(&session->stream);
    if (session->state < EDGE_SESSION_CLOSING && pending > before &&
        pending > session->sessions->settings.edge->pending_max / 2)
        edge_stream_pause(&session->stream, true);
}

void edge_session_read_on(struct edge_session *session)
{
    uint32_t most = session->sessions->settings.edge->sends_max;
    if (session->stream.paused && !session->leaving && session->state < EDGE_SESSION_CLOSING &&
        session->sender.pending_count <= most / 2 && edge_stream_pending(&session->stream) == 0)
        edge_stream_pause(&session->stream, false);
}

/* The sessions of one user. */

bool edge_sessions_has_room(const struct edge_sessions *sessions, struct text user,
                            struct text device)
{
    uint32_t most = sessions->settings.edge->user_sessions_max;
    uint32_t others = 0;
    struct edge_user_session *one = NULL;
    while (most > 0 && others < most &&
           (one = edge_user_sessions_next(sessions->by_user, user, one)) != NULL)
        others += !text_equal(edge_session_device(container_of(one, struct edge_session, of_user)),
                              device);
    return most == 0 || others < most;
}

bool edge_session_enter(struct edge_session *session)
{
    struct edge_sessions *sessions = session->sessions;
    if (is_service(session) || sessions->settings.edge->user_sessions_max == 0)
        return true;
    if (!edge_sessions_has_room(sessions, edge_session_user(session),
                                edge_session_device(session))) {
        if (session->dialect->on_later != NULL)
            session->dialect->on_later(session, EDGE_CROWDED_CODE, EDGE_CROWDED_MESSAGE,
                                       EDGE_CROWDED_AGAIN_MS);
        edge_session_close(session, EDGE_CLOSE_LATER, EDGE_CROWDED_MESSAGE);
        return false;
    }
    session->entered = edge_user_sessions_add(sessions->by_user, &session->of_user) == 0;
    if (!session->entered)
        edge_session_close(session, EDGE_CLOSE_LATER, "memory is short");
    return session->entered;
}

void edge_session_leave_user(struct edge_session *session)
{
    if (session->entered)
        edge_user_sessions_remove(session->sessions->by_user, &session->of_user);
    session->entered = false;
}
