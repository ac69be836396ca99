/* A connection of a client, from its HTTP answer's head to its end: who it is, where it is
 * attached, what it is told. What the texts say is a dialect's: meridian.v1 (edge_v1.h) or plain
 * (edge_plain.h). How they are laid out, as a WebSocket's or otherwise, is a framing's
 * (edge_framing.h).
 *
 *   HELLO      -> FINDING     who it is was said (plain: by the path; a stream: by the query)
 *   FINDING    -> ATTACHING   the home is known
 *   ATTACHING  -> OPEN        the owner has answered: welcome
 *   ATTACHING, OPEN -> FINDING   the owner says that the home is elsewhere: "moved", once it is
 *                                attached there
 *   any        -> CLOSING     the last words were written; input is thrown away
 *   any        -> DEAD        the stream is closed; freed at the end of the turn
 *
 * A session in FINDING or later may send; deliveries come when it is OPEN. */
#pragma once

#include "base/buffer.h"
#include "edge/edge_auth.h"
#include "edge/edge_dispatch.h"
#include "edge/edge_framing.h"
#include "edge/edge_http.h"
#include "edge/edge_limits.h"
#include "edge/edge_near.h"
#include "edge/edge_stream.h"
#include "edge/edge_user_sessions.h"

struct edge_session;
struct edge_sessions; /* opaque: all of an edge */

struct edge_sessions_settings {
    struct loop *loop;
    const struct edge_settings *edge;
    const struct catalogue *catalogue;
    struct homes *directory;
    struct edge_dispatch *dispatch;
    struct edge_home *home;
    struct edge_history *history;
    void (*on_closed)(void *context); /* the count has gone down */
    void *context;
    const struct edge_auth *auth; /* NULL: a client is who it says */
    const struct edge_near *near; /* NULL: nobody asks who is near */
    struct edge_admission *admission;
    struct edge_limits *limits; /* NULL: there are none */
};
MUST_USE struct edge_sessions *edge_sessions_new(const struct edge_sessions_settings *settings);
void edge_sessions_free(struct edge_sessions *sessions); /* closes what is left */
/* Takes `fd`, closing it when memory is short, `upgrade->token` and `upgrade->place`. `bytes` came
 * first, and may be changed. Also takes `upgrade->stranger`, and `upgrade->ssl`. */
void edge_sessions_open(struct edge_sessions *sessions, const struct edge_upgrade *upgrade, int fd,
                        uint8_t *bytes, size_t size);
size_t edge_sessions_count(const struct edge_sessions *sessions);
/* Whether the user may have one more: a connection of `device` that is there gives way. */
bool edge_sessions_has_room(const struct edge_sessions *sessions, struct text user,
                            struct text device);
/* Pings, time-outs, slow readers. About twice a second. */
void edge_sessions_tick(struct edge_sessions *sessions, int64_t now_ms);
/* Ends those whose token is revoked by now. Walks all. */
void edge_sessions_revoked(struct edge_sessions *sessions);
/* The region of this edge drains from now on: its sessions leave, at the settings' rate. */
void edge_sessions_leave_region(struct edge_sessions *sessions);
/* Sends away whose turn it is: goaway, then, when all its sends have an outcome, the end, with
 * `reason`. Polls are answered. Without `more`, only those that have been told already. Call it ten
 * times a second, until it returns false: all have been sent away. */
MUST_USE bool edge_sessions_drain(struct edge_sessions *sessions, bool more, const char *reason,
                                  int64_t now_ms);
/* About how long that takes. */
int64_t edge_sessions_drain_ms(const struct edge_sessions *sessions);
void edge_sessions_close_all(struct edge_sessions *sessions, uint16_t code, const char *reason);

enum edge_session_state {
    EDGE_SESSION_HELLO,
    EDGE_SESSION_FINDING,
    EDGE_SESSION_ATTACHING,
    EDGE_SESSION_OPEN,
    EDGE_SESSION_CLOSING,
    EDGE_SESSION_DEAD,
};

/* How a dialect reads and writes. Rows may be NULL where it has nothing to say. */
struct edge_dialect {
    void (*on_text)(struct edge_session *session, struct text text);
    void (*on_outcome)(struct edge_session *session, const struct edge_outcome *outcome);
    void (*on_deliver)(struct edge_session *session, const struct wire_deliver *deliver);
    void (*on_flushed)(struct edge_session *session); /* all output is in the socket */
    void (*on_welcome)(struct edge_session *session, const struct wire_attached *attached);
    void (*on_moved)(struct edge_session *session); /* it is attached where its home is now */
    void (*on_resync)(struct edge_session *session);
    void (*on_confirmed)(struct edge_session *session);
    void (*on_gap)(struct edge_session *session, const struct wire_gap *gap);
    void (*on_reachable)(struct edge_session *session, bool reachable);
    void (*on_goaway)(struct edge_session *session, const char *reason, int64_t reconnect_ms);
    void (*on_no_hello)(struct edge_session *session);
    void (*on_dropped)(struct edge_session *session);      /* it is closed next */
    void (*on_unauthorized)(struct edge_session *session); /* it is closed next */
    void (*on_homeless)(struct edge_session *session);     /* it is closed next */
    void (*on_expiring)(struct edge_session *session, int64_t left_ms);
    /* It sends too fast. */
    void (*on_throttle)(struct edge_session *session, const struct edge_limits_wait *wait);
    /* It may not log in now; it is closed next. */
    void (*on_later)(struct edge_session *session, const char *code, const char *message,
                     uint32_t again_ms);
};

/* For dialects. */

struct edge_session {
    struct edge_stream stream;
    struct edge_ws ws;
    struct edge_attach attach;
    struct edge_sender sender;
    struct edge_sessions *sessions;
    const struct edge_dialect *dialect;
    const struct edge_framing *framing;
    struct finding *finding;          /* while the directory is asked */
    struct edge_recall *recall;       /* while history is asked for */
    struct edge_exchange *exchange;   /* NULL: it has a stream */
    struct edge_token *token;         /* NULL: it showed none, and need not */
    struct edge_user_session of_user; /* while `entered` */
    struct edge_bucket pings;
    struct list wheel;
    struct edge_place *place; /* NULL: it is not counted */
    struct address client;    /* behind the balancers, if any */
    uint32_t begun_ms;        /* low bits of the time: when it came */
    uint32_t heard_ms;        /* the client's last sign of life */
    uint32_t active_ms;       /* the last message, either way */
    uint32_t told_ms;         /* when it was told to go to another region; 0: it was not */
    uint8_t state;            /* enum edge_session_state */
    uint8_t home;             /* where it was attached last: an index in the catalogue */
    bool welcomed;
    bool pinged;
    bool stranger; /* of the admission */
    bool leaving;  /* it was told to go away, and is not read any more */
    bool entered;  /* it counts among its user's */
    uint8_t late;  /* reads since it was closed */
};

struct edge_hello {
    struct text user;
    struct text device;
    uint8_t flags; /* WIRE_ATTACH_... */
    uint32_t epoch;
    uint64_t seq;
};
/* Says who it is; once. The texts are copied. */
void edge_session_identify(struct edge_session *session, const struct edge_hello *hello);
/* Writes a text. */
void edge_session_write(struct edge_session *session, struct text json);
/* One that brings the client to this cursor. */
void edge_session_write_at(struct edge_session *session, struct text json, uint32_t epoch,
                           uint64_t seq);
/* Writes the last words and waits for the client's; nothing else is written or read any more. */
void edge_session_close(struct edge_session *session, uint16_t code, const char *reason);
/* For want of a good token: says so in the one way there is. */
void edge_session_refuse(struct edge_session *session);
/* Looks soon what is due, since that has changed. */
void edge_session_look_again(struct edge_session *session);
void edge_session_send(struct edge_session *session, struct edge_letter *letter);
/* Of the path of a meridian.v1 WebSocket: who the hello must be; empty: anybody. */
struct text edge_session_user(const struct edge_session *session);
struct text edge_session_device(const struct edge_session *session);
const struct edge_sessions_settings *edge_session_shared(const struct edge_session *session);
/* A buffer to write JSON in, empty; shared by all sessions, so for one frame at a time. */
struct buffer *edge_session_scratch(struct edge_session *session);
const char *edge_session_home(const struct edge_session *session); /* a region's name */
