/* All sessions of an edge: what is done to each of them, and who is due for a look. */
#include "edge/edge_session_internal.h"

#include "edge/edge_admit.h"
#include "edge/edge_exchange.h"
#include "log/log.h"

#include <stdlib.h>

static void session_free(struct edge_session *session)
{
    edge_exchange_free(session->exchange);
    edge_ws_done(&session->ws); /* no sooner: edge_ws_feed() may have been on the stack */
    edge_session_free_names(session);
    free(session->token);
    free(session);
}

static void on_bury(struct loop_later *later)
{
    struct edge_sessions *sessions = container_of(later, struct edge_sessions, bury);
    list_each(node, &sessions->dead) session_free(container_of(node, struct edge_session, wheel));
    list_init(&sessions->dead);
}

static struct text user_of_session(struct edge_user_session *of_user)
{
    return edge_session_user(container_of(of_user, struct edge_session, of_user));
}

struct edge_sessions *edge_sessions_new(const struct edge_sessions_settings *settings)
{
    struct edge_sessions *sessions = calloc(1, sizeof *sessions);
    if (sessions == NULL)
        return NULL;
    sessions->settings = *settings;
    sessions->bury.on_later = on_bury;
    list_init(&sessions->dead);
    edge_wheel_init(&sessions->wheel, loop_now_ms(settings->loop));
    sessions->streams = edge_streams_new(
        settings->loop,
        &(struct edge_streams_settings){.pending_max = settings->edge->pending_max,
                                        .progress_ms = settings->edge->progress_ms});
    sessions->by_user = edge_user_sessions_new(user_of_session);
    if (sessions->streams == NULL || sessions->by_user == NULL) {
        edge_sessions_free(sessions);
        return NULL;
    }
    return sessions;
}

void edge_sessions_each(struct edge_sessions *sessions,
                        void (*call)(struct edge_session *session, const void *context),
                        const void *context)
{
    struct list all;
    list_init(&all);
    for (size_t i = 0; i < EDGE_WHEEL_SLOTS; i++)
        for (struct list *node; (node = list_pop(&sessions->wheel.slots[i])) != NULL;)
            list_push(&all, node);
    for (struct list *node; (node = list_pop(&all)) != NULL;) {
        struct edge_session *session = container_of(node, struct edge_session, wheel);
        bool closing = session->state == EDGE_SESSION_CLOSING;
        edge_session_look_in(session, closing ? sessions->settings.edge->close_ms : 0);
        call(session, context);
    }
}

static void call_end(struct edge_session *session, const void *context)
{
    (void)context;
    edge_session_end(session);
}

void edge_sessions_free(struct edge_sessions *sessions)
{
    if (sessions == NULL)
        return;
    if (sessions->streams != NULL)
        edge_sessions_each(sessions, call_end, NULL);
    loop_later_cancel(&sessions->bury);
    on_bury(&sessions->bury);
    edge_streams_free(sessions->streams);
    edge_user_sessions_free(sessions->by_user);
    buffer_free(&sessions->scratch);
    free(sessions);
}

size_t edge_sessions_count(const struct edge_sessions *sessions)
{
    return sessions->count;
}

/* Looks. */

static void session_ping(struct edge_session *session)
{
    struct buffer *out = edge_stream_output(&session->stream);
    if (out != NULL)
        session->framing->write_ping(out);
    if (session->framing->one_way)
        session->heard_ms = edge_sessions_now(session->sessions); /* nobody will answer it */
    else
        session->pinged = true;
}

static void session_look_open(struct edge_session *session)
{
    const struct edge_settings *edge = session->sessions->settings.edge;
    uint32_t now = edge_sessions_now(session->sessions);
    if (session->exchange != NULL) { /* it ends by itself, and has nobody to ping */
        edge_session_look_in(session, edge->heartbeat_ms);
        return;
    }
    if (session->stream.paused) /* signs of life are not read */
        session->heard_ms = now;
    if (edge->idle_ms > 0 && now - session->active_ms >= edge->idle_ms) {
        static struct log_limit limit;
        log_limited(&limit, LOG_LEVEL_INFO, "an idle client is closed",
                    LOG_TEXT("user", edge_session_user(session)));
        edge_session_close(session, EDGE_CLOSE_LATER, "idle");
        return;
    }
    uint32_t silent_ms = now - session->heard_ms;
    if (session->pinged && silent_ms >= 2 * edge->heartbeat_ms) {
        edge_session_end(session); /* nobody is there to read a close frame */
        return;
    }
    if (silent_ms >= edge->heartbeat_ms - EDGE_WHEEL_TICK_MS)
        session_ping(session);
    silent_ms = now - session->heard_ms;
    int64_t next_ms =
        session->pinged ? 2 * edge->heartbeat_ms - silent_ms : edge->heartbeat_ms - silent_ms;
    if (next_ms > edge->heartbeat_ms)
        next_ms = edge->heartbeat_ms;
    int64_t idle_ms = edge->idle_ms - (now - session->active_ms);
    edge_session_look_in(session, edge->idle_ms > 0 && idle_ms < next_ms ? idle_ms : next_ms);
}

static void session_look(struct edge_session *session)
{
    uint32_t age_ms = edge_sessions_now(session->sessions) - session->begun_ms;
    int64_t hello_ms = session->sessions->settings.edge->hello_timeout_ms;
    if (session->state < EDGE_SESSION_CLOSING && edge_admit_look(session))
        return;
    switch ((enum edge_session_state)session->state) {
    case EDGE_SESSION_HELLO:
        if (age_ms < hello_ms) {
            edge_session_look_in(session, hello_ms - age_ms);
            break;
        }
        if (session->dialect->on_no_hello != NULL)
            session->dialect->on_no_hello(session);
        edge_session_close(session, EDGE_CLOSE_POLICY, "no hello came in time");
        break;
    case EDGE_SESSION_FINDING:
        if (age_ms >= EDGE_SESSION_FIND_MAX_MS && !session->welcomed)
            edge_session_close(session, EDGE_CLOSE_LATER, "the directory is unsure");
        else if (session->finding == NULL)
            edge_session_find(session);
        else
            edge_session_look_in(session, EDGE_SESSION_FIND_AGAIN_MS);
        break;
    case EDGE_SESSION_OPEN:
        if (edge_session_leave(session))
            break;
        session_look_open(session);
        break;
    case EDGE_SESSION_ATTACHING:
        session_look_open(session);
        break;
    case EDGE_SESSION_CLOSING:
    case EDGE_SESSION_DEAD:
        edge_session_end(session);
        break;
    }
}

void edge_sessions_tick(struct edge_sessions *sessions, int64_t now_ms)
{
    edge_streams_tick(sessions->streams, now_ms);
    if (sessions->settings.limits != NULL)
        edge_limits_tick(sessions->settings.limits, now_ms);
    for (struct list *node; (node = edge_wheel_next(&sessions->wheel, now_ms)) != NULL;) {
        struct edge_session *session = container_of(node, struct edge_session, wheel);
        edge_session_look_in(session, EDGE_WHEEL_TICK_MS); /* a session is always in the wheel */
        session_look(session);
    }
}

void edge_sessions_revoked(struct edge_sessions *sessions)
{
    for (size_t i = 0; i < EDGE_WHEEL_SLOTS; i++) {
        struct list all; /* one that is closed is put into the wheel anew, wherever that is */
        list_init(&all);
        for (struct list *node; (node = list_pop(&sessions->wheel.slots[i])) != NULL;)
            list_push(&all, node);
        for (struct list *node; (node = list_pop(&all)) != NULL;) {
            list_push(&sessions->wheel.slots[i], node);
            edge_admit_revoked(container_of(node, struct edge_session, wheel));
        }
    }
}

/* The end of an edge. */

struct last_words {
    uint16_t code;
    const char *reason;
};

static void call_close(struct edge_session *session, const void *context)
{
    const struct last_words *words = context;
    edge_session_close(session, words->code, words->reason);
}

void edge_sessions_close_all(struct edge_sessions *sessions, uint16_t code, const char *reason)
{
    struct last_words words = {.code = code, .reason = reason};
    edge_sessions_each(sessions, call_close, &words);
}
