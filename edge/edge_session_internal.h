/* What the files of sessions share: all sessions of an edge, and what one file does for the
 * others. */
#pragma once

#include "edge/edge_session.h"
#include "edge/edge_wheel.h"

enum {
    EDGE_SESSION_FIND_AGAIN_MS = 500, /* the directory was unsure */
    EDGE_SESSION_FIND_MAX_MS = 10000, /* then the client is sent away for a while */
};

struct edge_pong { /* that is owed, to the client that is being read */
    bool due;
    uint8_t size;
    uint8_t data[EDGE_WS_CONTROL_MAX];
};

struct edge_sessions {
    struct edge_sessions_settings settings;
    struct edge_streams *streams;
    struct edge_wheel wheel;
    struct list dead;
    struct loop_later bury;
    struct buffer scratch;
    struct edge_user_sessions *by_user;
    struct edge_pong pong;
    size_t count; /* with a stream */
    size_t polls;
    struct edge_bucket drain;        /* of those who are sent away because this process stops... */
    struct edge_bucket drain_region; /* ...or their region drains... */
    struct edge_bucket rebalance;    /* ...or another one is nearer */
};

static inline uint32_t edge_sessions_now(const struct edge_sessions *sessions)
{
    return (uint32_t)loop_now_ms(sessions->settings.loop);
}

/* edge_session.c */
/* NULL when memory is short. To be put into the wheel, and freed by edge_session_end(). */
MUST_USE struct edge_session *edge_session_new(struct edge_sessions *sessions,
                                               const struct edge_dialect *dialect);
/* It has said who it is, or goes: it is no stranger any more. */
void edge_session_is_known(struct edge_session *session);
/* Lets go of everything but the stream or the request. */
void edge_session_release(struct edge_session *session);
/* It is looked at again after about `delay_ms`, or sooner where its token asks for it. */
void edge_session_look_in(struct edge_session *session, int64_t delay_ms);
/* At once, without a word to the client. */
void edge_session_end(struct edge_session *session);

/* edge_sessions.c */
/* Calls for each session that is not dead. */
void edge_sessions_each(struct edge_sessions *sessions,
                        void (*call)(struct edge_session *session, const void *context),
                        const void *context);

/* edge_session_leave.c */
/* Whether the session, which is open, is on its way to another region: it is told so, or closed,
 * and will be looked at again. */
bool edge_session_leave(struct edge_session *session);

/* edge_session_limits.c */
/* Counts a send. One that may not be is rejected, with when the next one may; a client that goes on
 * for too long is closed. */
bool edge_session_may_send(struct edge_session *session, const struct edge_letter *letter);
/* It is owed a pong, or closed for its many pings. */
void edge_session_pinged(struct edge_session *session, const struct edge_ws_event *event);
/* Of pings in a row the newest is answered (RFC 6455, 5.5.3): before anything else is said. */
void edge_session_pong(struct edge_session *session);
/* Something was read, that made the pending output grow from `before`: who makes us say more than
 * it takes is not read, until it has taken all. */
void edge_session_read_less(struct edge_session *session, size_t before);
/* Reads on where nothing speaks against it any more. */
void edge_session_read_on(struct edge_session *session);
/* Counts it among those of its user. False when there are too many: it is closed. */
bool edge_session_enter(struct edge_session *session);
void edge_session_leave_user(struct edge_session *session); /* also when it does not count */

/* edge_session_home.c */
extern const struct edge_attach_ops edge_session_attach_ops;
/* Asks the directory for the home, and attaches there. */
void edge_session_find(struct edge_session *session);
/* The directory is asked no more. */
void edge_session_end_finding(struct edge_session *session);
void edge_session_free_names(struct edge_session *session);
/* Copies who it is. -ENOMEM. */
MUST_USE int edge_session_name(struct edge_session *session, struct text user, struct text device);
