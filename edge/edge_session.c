/* One session, from its beginning to its end: what the client says, and what is written to it and
 * sent for it. */
#include "edge/edge_session_internal.h"

#include "edge/edge_admit.h"
#include "edge/edge_exchange.h"
#include "edge/edge_plain.h"
#include "edge/edge_recall.h"
#include "edge/edge_url.h"
#include "edge/edge_v1.h"
#include "log/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    SCRATCH_KEPT_MAX = 128 * 1024,
    LATE_MAX = 16, /* a megabyte: an honest client has no more on its way */
};

/* An edge is to hold a plain, idle connection in 512 bytes (docs/performance.md), and this is most
 * of them: think before you raise it. */
_Static_assert(sizeof(struct edge_session) <= 424, "what each connection costs");

void edge_session_look_in(struct edge_session *session, int64_t delay_ms)
{
    struct edge_sessions *sessions = session->sessions;
    edge_wheel_set(&sessions->wheel, &session->wheel, loop_now_ms(sessions->settings.loop),
                   edge_admit_wait_ms(session, delay_ms));
}

void edge_session_look_again(struct edge_session *session)
{
    edge_session_look_in(session, 0);
}

struct text edge_session_user(const struct edge_session *session)
{
    return (struct text){.data = session->attach.names, .size = session->attach.user_size};
}

struct text edge_session_device(const struct edge_session *session)
{
    const struct edge_attach *attach = &session->attach;
    return (struct text){.data = attach->names == NULL ? NULL : attach->names + attach->user_size,
                         .size = attach->device_size};
}

const struct edge_sessions_settings *edge_session_shared(const struct edge_session *session)
{
    return &session->sessions->settings;
}

struct buffer *edge_session_scratch(struct edge_session *session)
{
    struct buffer *scratch = &session->sessions->scratch;
    buffer_clear(scratch);
    if (scratch->capacity > SCRATCH_KEPT_MAX)
        buffer_free(scratch);
    return scratch;
}

/* The end of a session. */

void edge_session_is_known(struct edge_session *session)
{
    if (session->stranger)
        edge_admission_knows(session->sessions->settings.admission);
    session->stranger = false;
}

void edge_session_release(struct edge_session *session)
{
    edge_session_is_known(session);
    edge_session_leave_user(session);
    edge_limits_forget(session->sessions->settings.limits, session);
    if (session->exchange != NULL)
        edge_exchange_leave(session->exchange);
    edge_session_end_finding(session);
    edge_recall_end(session);
    edge_home_detach(session->sessions->settings.home, &session->attach);
    edge_sender_done(&session->sender);
}

/* Callbacks of the session may still be on the stack: it is freed at the end of the turn. */
void edge_session_end(struct edge_session *session)
{
    struct edge_sessions *sessions = session->sessions;
    if (session->state == EDGE_SESSION_DEAD)
        return;
    edge_session_release(session);
    edge_stream_close(&session->stream);
    edge_place_leave(session->place);
    session->state = EDGE_SESSION_DEAD;
    list_remove(&session->wheel);
    list_push(&sessions->dead, &session->wheel);
    loop_later(sessions->settings.loop, &sessions->bury);
    if (session->exchange != NULL) {
        edge_exchange_end(session->exchange);
        return;
    }
    sessions->count--;
    sessions->settings.on_closed(sessions->settings.context);
}

/* Where the next text goes; NULL when memory is short. Looking for room may end the session. */
static struct buffer *session_output(struct edge_session *session)
{
    return session->exchange != NULL ? edge_exchange_output(session->exchange)
                                     : edge_stream_output(&session->stream);
}

void edge_session_close(struct edge_session *session, uint16_t code, const char *reason)
{
    if (session->state >= EDGE_SESSION_CLOSING)
        return;
    struct buffer *out = session_output(session);
    if (session->state >= EDGE_SESSION_CLOSING) /* looking for room has ended it */
        return;
    edge_session_release(session);
    session->state = EDGE_SESSION_CLOSING;
    if (out == NULL) {
        edge_session_end(session);
        return;
    }
    session->framing->write_close(out, code, text_of(reason));
    if (session->exchange != NULL) {
        edge_exchange_answer(session->exchange);
        return;
    }
    edge_stream_pause(&session->stream, false); /* its end must be seen */
    edge_stream_finish(&session->stream);
    edge_session_look_in(session, session->sessions->settings.edge->close_ms);
}

void edge_session_refuse(struct edge_session *session)
{
    static struct log_limit limit;
    log_limited(&limit, LOG_LEVEL_INFO, "a session is answered as unauthorized",
                LOG_STRING("client", address_name(&session->client).text));
    if (session->state < EDGE_SESSION_CLOSING && session->dialect->on_unauthorized != NULL)
        session->dialect->on_unauthorized(session);
    edge_session_close(session, EDGE_CLOSE_TOKEN, EDGE_AUTH_CODE);
}

/* Writing and sending. */

static void session_write(struct edge_session *session, struct text json, struct text cursor)
{
    struct buffer *out = session->state >= EDGE_SESSION_CLOSING ? NULL : session_output(session);
    if (session->state >= EDGE_SESSION_CLOSING) /* looking for room may have ended it */
        return;
    if (out == NULL)
        edge_session_close(session, EDGE_CLOSE_RECONNECT, "memory is short");
    else
        session->framing->write(out, json, cursor);
}

void edge_session_write(struct edge_session *session, struct text json)
{
    session_write(session, json, TEXT(""));
}

void edge_session_write_at(struct edge_session *session, struct text json, uint32_t epoch,
                           uint64_t seq)
{
    char cursor[EDGE_CURSOR_MAX];
    edge_cursor_write(cursor, epoch, seq);
    session_write(session, json, text_of(cursor));
}

static void on_outcome(struct edge_sender *sender, const struct edge_outcome *outcome)
{
    struct edge_session *session = container_of(sender, struct edge_session, sender);
    edge_session_read_on(session);
    edge_exchange_outcome(session->exchange, outcome->id);
    session->dialect->on_outcome(session, outcome);
}

void edge_session_send(struct edge_session *session, struct edge_letter *letter)
{
    if (session->state >= EDGE_SESSION_CLOSING)
        return;
    letter->sender = edge_session_user(session);
    letter->device = edge_session_device(session);
    session->active_ms = session->heard_ms;
    if (!edge_session_may_send(session, letter))
        return;
    edge_exchange_sends(session->exchange, letter->recipient_count);
    edge_dispatch_send(session->sessions->settings.dispatch, &session->sender, letter);
    if (session->state >= EDGE_SESSION_CLOSING)
        edge_sender_done(&session->sender); /* writing a rejection ended it in the middle */
    /* Over its own budget it is not read any more; its acks wait with its sends, others do not. */
    if (session->state < EDGE_SESSION_CLOSING &&
        session->sender.pending_count >= session->sessions->settings.edge->sends_max)
        edge_stream_pause(&session->stream, true);
}

/* What the client says. */

static bool on_event(void *context, const struct edge_ws_event *event)
{
    struct edge_session *session = context;
    if (event->opcode != EDGE_WS_PING)
        edge_session_pong(session);
    switch (event->opcode) {
    case EDGE_WS_TEXT:
        session->dialect->on_text(
            session, (struct text){.data = (const char *)event->data, .size = event->size});
        break;
    case EDGE_WS_PING:
        edge_session_pinged(session, event);
        break;
    case EDGE_WS_PONG:
        break;
    case EDGE_WS_CLOSE:
        edge_session_close(session, event->code, "");
        break;
    default:
        edge_session_close(session, EDGE_CLOSE_UNSUPPORTED, "text frames only");
        break;
    }
    return session->state < EDGE_SESSION_CLOSING;
}

static const char *reason_of(const struct edge_session *session, int code)
{
    switch (code) {
    case EDGE_CLOSE_TOO_BIG:
        return "the message is larger than this edge takes";
    case EDGE_CLOSE_NOT_UTF8:
        return "the text is no UTF-8";
    default:
        return session->framing->broken;
    }
}

static void session_take(struct edge_session *session, uint8_t *bytes, size_t size)
{
    struct edge_sessions *sessions = session->sessions;
    if (session->state >= EDGE_SESSION_CLOSING) {
        /* Thrown away; the end of the stream is what is waited for. */
        if (++session->late >= LATE_MAX)
            edge_stream_pause(&session->stream, true);
        return;
    }
    size_t before = edge_stream_pending(&session->stream);
    session->heard_ms = edge_sessions_now(sessions);
    session->pinged = false;
    sessions->pong.due = false;
    int code = session->framing->feed(&session->ws, bytes, size,
                                      sessions->settings.edge->message_max, on_event, session);
    edge_session_pong(session);
    if (code > 0)
        edge_session_close(session, (uint16_t)code, reason_of(session, code));
    else if (code < 0)
        edge_session_close(session, EDGE_CLOSE_LATER, "memory is short");
    edge_session_read_less(session, before);
}

static struct edge_session *session_of_stream(struct edge_stream *stream)
{
    return container_of(stream, struct edge_session, stream);
}

static void on_bytes(struct edge_stream *stream, uint8_t *bytes, size_t size)
{
    session_take(session_of_stream(stream), bytes, size);
}

static size_t frame_size(struct edge_stream *stream, const uint8_t *bytes, size_t size)
{
    return session_of_stream(stream)->framing->frame_size(bytes, size);
}

static void on_flushed(struct edge_stream *stream)
{
    struct edge_session *session = session_of_stream(stream);
    edge_session_read_on(session);
    if (session->state < EDGE_SESSION_CLOSING && session->dialect->on_flushed != NULL)
        session->dialect->on_flushed(session);
}

/* What it has not taken is in its mailbox: all but the frame that is half out is dropped, so that a
 * client that reads again soon learns why. */
static void session_close_slow(struct edge_session *session, int error)
{
    static struct log_limit limit;
    log_limited(&limit, LOG_LEVEL_INFO, "a client reads too slowly and is closed",
                LOG_TEXT("user", edge_session_user(session)),
                LOG_STRING("client", address_name(&session->client).text),
                LOG_U64("pending", edge_stream_pending(&session->stream)), LOG_ERRNO(error));
    edge_stream_cut(&session->stream);
    edge_session_close(session, EDGE_CLOSE_RECONNECT, "output was not taken in time");
}

static void on_end(struct edge_stream *stream, int error)
{
    struct edge_session *session = session_of_stream(stream);
    if ((error == -ENOBUFS || error == -ETIMEDOUT) && session->state < EDGE_SESSION_CLOSING)
        session_close_slow(session, error);
    else
        edge_session_end(session);
}

static const struct edge_stream_ops stream_ops = {
    .on_bytes = on_bytes,
    .frame_size = frame_size,
    .on_flushed = on_flushed,
    .on_end = on_end,
};

/* The beginning of a session. */

/* Of the path, else of the token, else the one of all plain clients without. */
static struct text plain_device(const struct edge_session *session, struct text device)
{
    if (device.size == 0 && session->token != NULL)
        device = edge_token_device(session->token);
    return device.size > 0 ? device : TEXT("plain");
}

/* Its client says nothing, so the kernel is asked whether what was written arrives. */
static void session_begin_stream(struct edge_session *session, const struct edge_upgrade *upgrade)
{
    unsigned silent_ms = (unsigned)(2 * session->sessions->settings.edge->heartbeat_ms);
    (void)setsockopt(session->stream.io.fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silent_ms,
                     sizeof silent_ms);
    edge_session_identify(session, &(struct edge_hello){.user = upgrade->user,
                                                        .device = upgrade->device,
                                                        .flags = upgrade->attach_flags,
                                                        .epoch = upgrade->epoch,
                                                        .seq = upgrade->seq});
}

static void session_begin(struct edge_session *session, const struct edge_upgrade *upgrade)
{
    struct edge_sessions *sessions = session->sessions;
    session->token = upgrade->token;
    session->client = upgrade->client;
    session->place = upgrade->place;
    session->stranger = upgrade->stranger;
    log_debug("a session begins", LOG_STRING("client", address_name(&session->client).text));
    edge_session_look_in(session, sessions->settings.edge->hello_timeout_ms);
    if (upgrade->v1) {
        if (upgrade->framing != NULL)
            session_begin_stream(session, upgrade);
        else if (upgrade->unauthorized)
            edge_session_refuse(session);
        else if (upgrade->user.size > 0 &&
                 edge_session_name(session, upgrade->user, upgrade->device) != 0)
            edge_session_end(session);
        return;
    }
    edge_session_identify(session,
                          &(struct edge_hello){.user = upgrade->user,
                                               .device = plain_device(session, upgrade->device)});
}

struct edge_session *edge_session_new(struct edge_sessions *sessions,
                                      const struct edge_dialect *dialect)
{
    struct edge_session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return NULL;
    session->sessions = sessions;
    session->dialect = dialect;
    session->attach.ops = &edge_session_attach_ops;
    session->sender.on_outcome = on_outcome;
    edge_sender_init(&session->sender);
    session->begun_ms = session->heard_ms = session->active_ms = edge_sessions_now(sessions);
    return session;
}

static void drop(struct edge_sessions *sessions, const struct edge_upgrade *upgrade)
{
    if (upgrade->stranger)
        edge_admission_knows(sessions->settings.admission);
    edge_place_leave(upgrade->place);
    free(upgrade->token);
}

void edge_sessions_open(struct edge_sessions *sessions, const struct edge_upgrade *upgrade, int fd,
                        uint8_t *bytes, size_t size)
{
    struct edge_session *session =
        edge_session_new(sessions, upgrade->v1 ? &edge_v1_dialect : &edge_plain_dialect);
    if (session == NULL) {
        SSL_free(upgrade->ssl);
        close(fd);
        drop(sessions, upgrade);
        return;
    }
    session->framing = upgrade->framing != NULL ? upgrade->framing : &edge_framing_ws;
    if (edge_stream_open_tls(sessions->streams, &session->stream, fd, upgrade->ssl, &stream_ops) !=
        0) {
        drop(sessions, upgrade);
        free(session);
        return;
    }
    sessions->count++;
    session_begin(session, upgrade);
    if (size > 0)
        session_take(session, bytes, size);
}
